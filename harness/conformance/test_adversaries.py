"""Peers that mean harm, by the hundred and the thousand: what they cost is bounded while they last and given
back when they are gone, and a quiet peer beside them is served.

One alone of most kinds is in test_endings.py and test_backpressure.py; that a flooder takes no more than its
turns is counted in test_fairness.py, and running out of descriptors is in test_descriptors.py."""

from __future__ import annotations

import contextlib
import random

import pytest

from suite import kernel, servers, tls
from suite.adversaries import (
    RETURNS_MEMORY, Footprint, Link, again_and_again, can_weigh, garbage, link, resident, what_is_due,
)
from suite.frames import frame, header, payload
from suite.peer import Peer

THOUSANDS = 2000
FITS_SELECT = 900  # below FD_SETSIZE, with what the server needs for itself


def many(server_name: str, count: int = THOUSANDS) -> int:
    """As many as the server and this process can hold."""
    few = server_name in servers.under_test(ceiling="fd_setsize") or kernel.raise_descriptor_limit() < count + 100
    return min(count, FITS_SELECT) if few else count


# -- slow senders ----------------------------------------------------------------------------------

TRICKLED = 12
# A frame that has begun has a buffer of 4 KiB and what is pending, and malloc(3) may spread it over three pages.
A_BEGUN_FRAME = 3 * 4096


@pytest.mark.cause("a begun frame costs more than it holds, or is looked at by every wake-up of another")
@pytest.mark.except_for("over TLS thousands of handshakes would come first", transport="tls")
def test_a_byte_at_a_time_on_thousands_of_connections(start, server_name):
    """Each stands at another byte of its frame, header included, and each round brings one byte to each."""
    server = start()
    quiet = server.connect("quiet")
    quiet.echo(b"before")
    before = Footprint.of(server)
    light = resident(server) if can_weigh(server) else 0
    peers = server.connect_many(many(server_name))
    streams = [frame(payload(TRICKLED, i)) * 2 for i in range(len(peers))]
    size = TRICKLED + 4
    sent = [i % size for i in range(len(peers))]
    with server.frozen():
        for i, peer in enumerate(peers):
            peer.socket.sendall(streams[i][: sent[i]])
    for turn in range(size):
        with server.frozen():
            for i, peer in enumerate(peers):
                peer.socket.sendall(streams[i][sent[i] : sent[i] + 1])
                sent[i] += 1
            quiet.send_frame(payload(100, turn))
        quiet.expect_frame(payload(100, turn))
    begun = sum(count % size != 0 for count in sent)
    received = sum(sent)
    of_quiet = len(frame(b"before")) + size * len(frame(payload(100)))
    statistics = server.wait_statistics(lambda s: s["bytes_in"] == received + of_quiet, "all received")
    assert statistics["buffers"] == begun, "a buffer without a begun frame, or a begun frame without one"
    if can_weigh(server):
        grown = resident(server) - light
        assert grown <= len(peers) * (256 + A_BEGUN_FRAME), f"{grown} bytes for {len(peers)} begun frames"
    for i, peer in enumerate(peers):
        peer.socket.sendall(streams[i][sent[i] :])
        assert peer.receive(2 * size) == streams[i]
    for peer in peers:
        peer.reset()
    server._many.clear()
    before.expect_back()


@pytest.mark.cause("a byte now and then keeps a connection for ever, whatever the lifetime")
def test_slow_senders_are_not_idle_and_end_at_their_lifetime(start, server_name):
    server = start("--idle-timeout", "60", "--max-lifetime", "1.5")
    before = Footprint.of(server)
    peers = server.connect_many(many(server_name, 500))
    stream = frame(payload(100_000))
    position = 0
    alive = list(peers)
    while alive:  # one byte to each, one wake-up after the other, until the server has had enough
        still = []
        for peer in alive:
            try:
                peer.socket.sendall(stream[position : position + 1])
            except ConnectionError:
                continue
            if not peer.has_input():
                still.append(peer)
        alive = still
        position += 1
        server.statistics()
    for peer in peers:
        peer.expect_gone()
        peer.reset()
    server._many.clear()
    before.expect_back()
    statistics = server.stop()
    assert statistics["closed"]["lifetime"] == len(peers), statistics["closed"]


# -- peers that do not read ------------------------------------------------------------------------

READERS_NOT = 20
HIGH_WATER = 100_000
UNREAD = payload(20_000)
STREAM = memoryview(frame(UNREAD) * 3000)  # 60 MB: Linux 6.16 lets a receive buffer alone grow to 32 MB (tcp_rmem)


@pytest.mark.cause("output for peers that do not read grows without end, or one of them holds up the rest")
def test_peers_that_never_read(start):
    server = start("--high-water", str(HIGH_WATER), "--low-water", str(HIGH_WATER // 2), environment=RETURNS_MEMORY)
    quiet = server.connect("quiet")
    quiet.echo(b"before")
    light = resident(server) if can_weigh(server) else 0

    def attack() -> None:
        pauses = server.statistics()["pauses"]
        peers = [Peer(server.address, f"never reads {i}", 4096) for i in range(READERS_NOT)]
        sent = [0] * READERS_NOT

        def send_more() -> None:
            for i, peer in enumerate(peers):
                sent[i] += peer.send_what_fits(STREAM[sent[i] :])

        def all_paused(statistics: dict) -> bool:
            taken = sum(sent)
            send_more()
            if servers.burst(server.name):
                return statistics["pauses"] >= pauses + READERS_NOT and sum(sent) == taken
            return statistics["pauses"] == pauses + READERS_NOT

        server.wait_statistics(all_paused, f"{READERS_NOT} connections paused")
        send_more()  # what more they send stays with them
        assert max(sent) < len(STREAM), "all of it was taken: the test has lost its point"
        for turn in range(20):
            quiet.echo(payload(1000, turn))
        statistics = server.statistics()
        again = statistics["pauses"] != pauses + READERS_NOT and not servers.burst(server.name)
        assert not again, "one was read from again though it took nothing"
        assert statistics["buffers"] == READERS_NOT
        if can_weigh(server):
            # docs/protocol.md, and the frame that is begun
            bound = 2 * (HIGH_WATER + len(frame(UNREAD)) + servers.burst(server.name)) + 65536
            grown = resident(server) - light
            assert grown <= READERS_NOT * bound, f"{grown} bytes for {READERS_NOT} that do not read"
        for peer in peers:
            peer.reset()

    again_and_again(server, attack)


# -- floods of connections -------------------------------------------------------------------------


def connect_and_leave(peer: Peer, how: int) -> None:
    """Five ways to go at once. Over TLS a server that is stopped gets the begin of a handshake in place of data."""
    if isinstance(peer.socket, tls.Stream) and not peer.socket.can_shake:
        peer.socket.begin()
    elif how == 1:
        peer.send(b"\x00\x00")
    elif how == 2:
        peer.send(frame(b"never read"))
    elif how == 4:
        peer.send_frame(b"reset with this on the way")
    if how in (3, 4):
        peer.reset()
    else:
        peer.close()


@pytest.mark.cause("a peer that is gone before it is accepted leaves its descriptor behind, or ends the accepting")
@pytest.mark.parametrize("queued", (True, False), ids=("in the queue", "one by one"))
def test_peers_that_connect_and_leave(start, queued):
    """In the queue: they are gone before the server accepts them, a thousand at a time."""
    server = start(environment=RETURNS_MEMORY)
    quiet = server.connect("quiet")
    quiet.echo(b"before")

    def attack() -> None:
        accepted = server.statistics()["accepted"]
        count = min(1000, server.backlog) if queued else 1000
        with server.frozen() if queued else contextlib.nullcontext():
            for i in range(count):
                connect_and_leave(Peer(server.address, "leaves"), i % 5)
        quiet.echo(b"between")
        # BSDs drop from the queue those that have reset, two of five; Linux hands them out.
        least = accepted + count * 3 // 5
        server.wait_statistics(lambda s: s["accepted"] + s["refused"] >= least, "the queue worked off")

    again_and_again(server, attack)
    quiet.echo(b"after")
    assert server.statistics()["closed"]["error"] == 0


@pytest.mark.cause("a connection that ends in the same wake-up as hundreds of others is passed over, or freed twice")
def test_a_storm_of_resets_in_one_wake_up(start, server_name):
    """In the middle of a frame, with input unread, with echoes unread, while paused, and idle."""
    server = start("--high-water", "20000", "--low-water", "10000", environment=RETURNS_MEMORY)
    quiet = server.connect("quiet")
    quiet.echo(b"before")
    count = many(server_name, 1000)

    def attack() -> None:
        peers = server.connect_many(count)
        for i, peer in enumerate(peers):
            if i % 4 == 1:
                peer.socket.sendall(header(5000) + b"begun")
            elif i % 4 == 2:
                peer.socket.sendall(frame(payload(500, i)) * 3)
            elif i % 40 == 3:
                peer.send_what_fits(frame(payload(5000)) * 1000)
            elif i % 8 == 4:
                peer.shake()
        quiet.echo(b"meanwhile")
        with server.frozen():
            for i, peer in enumerate(peers):
                if i % 4 == 0 and i % 8:
                    peer.socket.sendall(frame(b"unread"))
                peer.reset()
            server._many.clear()
            quiet.send_frame(b"in the same wake-up")
        quiet.expect_frame(b"in the same wake-up")

    attacks = again_and_again(server, attack)
    closed = server.stop()["closed"]
    assert closed["error"] == 0 and closed["stop"] == 0 and sum(closed.values()) == attacks * count + 1


# -- garbage ---------------------------------------------------------------------------------------

MAX_FRAME = 300


@pytest.mark.cause("bytes that are no frames are echoed, or kept waiting for, or take the server with them")
@pytest.mark.parametrize("seed", range(3))
def test_garbage(start, seed):
    """Whatever the bytes are: the whole frames at their head are echoed, and nothing else."""
    dice = random.Random(seed)
    server = start("--max-frame", str(MAX_FRAME))
    quiet = server.connect("quiet")
    quiet.echo(b"before")
    before = Footprint.of(server)
    reasons = {"end": 0, "truncated": 0, "oversize": 0}
    for turn in range(10):
        peers = [Peer(server.address, f"garbage {i}") for i in range(20)]
        streams = [garbage(dice, MAX_FRAME) for _ in peers]
        for peer, stream in zip(peers, streams):
            peer.socket.sendall(stream)
            peer.half_close()
        quiet.echo(payload(100, turn))
        for peer, stream in zip(peers, streams):
            due, reason = what_is_due(stream, MAX_FRAME)
            assert peer.receive(len(due)) == due
            peer.expect_end()
            peer.close()
            reasons[reason] += 1
    before.expect_back()
    statistics = server.statistics()
    closed = statistics["closed"]
    assert {each: closed[each] for each in reasons} == reasons
    assert min(reasons.values()) > 5, f"the dice have lost their point: {reasons}"
    server.expect_errors("--max-frame", reasons["oversize"] - statistics["log_lines_left_out"])


@pytest.mark.cause("peers that announce the impossible and stay are kept, or memory is reserved for it")
@pytest.mark.except_for("over TLS nobody sends before the server has accepted", transport="tls")
def test_hundreds_announce_four_gigabytes_and_stay(start):
    server = start(if_taken=("--drain-timeout", "0.5"))
    quiet = server.connect("quiet")
    quiet.echo(b"before")
    before = Footprint.of(server)
    light = resident(server) if can_weigh(server) else 0
    peers = [Peer(server.address, "announces") for _ in range(400)]
    with server.frozen():
        for i, peer in enumerate(peers):
            peer.send(frame(payload(100, i)) + header(0xFFFFFFFF) + b"junk" * 500)
    for i, peer in enumerate(peers):
        peer.expect_frame(payload(100, i))
    quiet.echo(b"meanwhile")
    before.expect_back()  # they stay open at their end: it is the server that has had enough
    statistics = server.statistics()
    assert statistics["closed"]["oversize"] == len(peers)
    if can_weigh(server):
        grown = resident(server) - light
        assert grown < 1_000_000, f"{grown} bytes for {len(peers)} headers"
    for peer in peers:
        peer.close()


# -- peers that vanish -----------------------------------------------------------------------------


@pytest.fixture
def cable():
    with link() as one:
        if not isinstance(one, Link):
            pytest.skip(one)
        yield one


@pytest.mark.cause("a peer that is gone without a word is waited for as long as TCP does, which is for ever")
def test_half_open_peers_are_given_up(start, cable):
    """The link goes down under them; a peer that does not need it is served all the time."""
    server = start("--bind", cable.here, "--idle-timeout", "3", "--high-water", "50000", "--low-water", "20000")
    before = Footprint.of(server)
    far = cable.inside(lambda: [Peer(server.address, f"far {i}", 4096) for i in range(30)])
    for i, peer in enumerate(far):
        peer.echo(payload(100, i))
    for peer in far[::3]:
        peer.send_what_fits(STREAM)
    for peer in far[1::3]:
        peer.send(header(1000) + b"begun")
    near = server.connect("near")
    near.echo(b"all there")
    before.connections, before.descriptors = before.connections + 1, before.descriptors + 1
    before.descriptors += server.implementation == "libkqueue"  # there the timer has a descriptor
    cable.down()
    for peer in far:
        peer.close()  # not a word of it gets through

    def given_up(statistics: dict) -> bool:
        near.echo(b"served meanwhile")
        return statistics["closed"]["idle"] == len(far)

    server.wait_statistics(given_up, "all that vanished closed as idle")
    before.expect_back()
    near.echo(b"after")
    server.stop()  # while there is the address that it listens on


@pytest.mark.cause("a link that is gone for a moment is taken for a peer that is gone")
def test_a_link_that_comes_back_has_lost_nothing(start, cable):
    server = start("--bind", cable.here)
    far = cable.inside(lambda: [Peer(server.address, f"far {i}") for i in range(10)])
    for i, peer in enumerate(far):
        peer.echo(payload(100, i))
    cable.down()
    for i, peer in enumerate(far):
        peer.send_frame(payload(3000, i))  # into the peer's own send buffer
    assert server.statistics()["frames"] == 10
    cable.up()
    for i, peer in enumerate(far):
        peer.expect_frame(payload(3000, i))
        peer.half_close()
        peer.expect_end()
        peer.close()
    assert server.stop()["closed"]["end"] == 10
