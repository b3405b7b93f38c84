"""Out of descriptors, or out of what the API can take: the rest goes on, and it recovers."""

from __future__ import annotations

import functools
import resource
import time

import pytest

from suite import kernel, needs, preload, servers, waiting
from suite.frames import payload
from suite.peer import Peer

from suite.strace import UNDER_STRACE, calls_of
from test_idle import assert_asleep

needs_proc = pytest.mark.skipif(not kernel.HAS_PROC, reason=kernel.NO_PROC)


def limit_to(server, room: int) -> None:
    """Lowers the server's descriptor limit, so that `room` more descriptors can be opened. An accept that is in the
    kernel already keeps the limit that it began with. The server looks for another one when a connection has gone."""
    limit = kernel.descriptors(server.pid) + room
    soft, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    keeps = limit < soft and server.name in servers.having(trigger="completion")
    before = server.statistics()["connections"] if keeps else 0
    probe = server.connect("probe") if keeps else None
    if probe:
        server.wait_statistics(lambda s: s["connections"] == before + 1, "the probe let in")
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (limit, hard))
    if probe:
        probe.close()
        server.wait_statistics(lambda s: s["connections"] == before, "the probe gone")
        server.statistics()  # one more wake-up: the accept is armed again


@needs_proc
@pytest.mark.cause("EMFILE leaves the listener ready and armed: the loop spins")
def test_out_of_descriptors(start):
    server = start()
    old = [server.connect("old") for _ in range(5)]
    for peer in old:
        peer.echo(b"before")
    limit_to(server, 2)
    fits = [server.connect("fits") for _ in range(2)]
    for peer in fits:
        peer.echo(b"fits")
    began = time.monotonic()
    waits = [server.connect("waits") for _ in range(4)]
    waiting.until(lambda: any(peer.has_input() for peer in waits), "a peer refused")
    for i, peer in enumerate(old):
        peer.echo(payload(1000, i))
    server.expect_errors("Too many open files")

    # The head of the queue was told; the others keep their place until descriptors are free.
    gone = [peer for peer in waits if peer.has_input()]
    assert 1 <= len(gone) <= 1 + time.monotonic() - began, "one peer a second is refused, the others wait"
    left = [peer for peer in waits if peer not in gone]
    for peer in fits + old[:3]:
        peer.close()
    for peer in left[-1:]:
        peer.echo(b"served at last")
    server.connect("late").echo(b"as before")


def was_served(peer: Peer) -> bool:
    """Or was it refused, as its turn has come to be told that there is no room?"""
    try:
        peer.send_frame(b"in its turn")
        peer.expect_frame(b"in its turn")
        return True
    except (AssertionError, ConnectionError):
        peer.expect_gone()
        return False


@needs_proc
@pytest.mark.cause("each connection that ends lets one peer in, and has another refused")
def test_waiting_peers_are_served_as_descriptors_become_free(start):
    server = start()
    limit_to(server, 4)
    served = [server.connect("served") for _ in range(4)]
    for peer in served:
        peer.echo(b"x")
    began = time.monotonic()
    with server.frozen():  # all in one wake-up: one of them is refused, the others wait
        waits = [server.connect("waits") for _ in range(20)]
    waits.pop(0).expect_gone()
    refused = 1
    while served:
        served.pop().close()
        while not was_served(waits.pop(0)):
            refused += 1
    assert refused <= 1 + time.monotonic() - began, "refused one by one, though others were let in"
    assert server.statistics()["refused"] <= 1 + time.monotonic() - began


@pytest.mark.inside
@pytest.mark.except_for("the stand-in has descriptors of its own", stand_in=True)
@pytest.mark.except_for("each loop has descriptors of its own", name="epoll_loops")
@pytest.mark.cause("the descriptors that are kept for a restart leave a room below zero, which is a huge one")
def test_with_fewer_descriptors_than_it_keeps_for_itself_one_peer_is_served(start):
    server = start(wrapper=["sh", "-c", 'ulimit -n 15; exec "$@"', "sh"])
    server.connect("first").echo(b"served")
    server.connect("second").expect_gone()
    server.connect("third").expect_gone()
    assert server.statistics()["refused"] == 2


thief = preload.library("take_free_descriptor.c")


@needs_proc
@preload.needed
@pytest.mark.inside
@pytest.mark.cause("a spare descriptor that somebody else took is never opened again: from then on no peer is refused")
def test_a_spare_that_somebody_took(start, thief):
    server = start(environment={"LD_PRELOAD": str(thief)})
    limit_to(server, 0)
    before = kernel.descriptors(server.pid)
    robbed = server.connect("robbed")
    waiting.until(lambda: "/dev/zero" in kernel.open_files(server.pid), "the spare closed, and its slot taken")
    limit_to(server, 3)
    robbed.echo(b"nobody waits behind this one: there is a descriptor for the spare")
    waiting.until(lambda: kernel.descriptors(server.pid) >= before + 2, "a descriptor for this peer and for the spare")
    more = [server.connect("one of three") for _ in range(3)]
    waiting.until(lambda: any(peer.has_input() for peer in more), "a peer refused")


@needs.to_trace
@pytest.mark.inside
@pytest.mark.only(timeouts="argument")
@pytest.mark.except_for("what io_uring_enter returns does not say why a wait ended", trigger="completion")
@pytest.mark.cause("a free descriptor is noticed only when the listener's rest is over")
def test_a_free_descriptor_is_used_at_once(start, tmp_path):
    """Counted: no wait ends by its timeout before the waiting peer is served."""
    trace = tmp_path / "trace"
    server = start(wrapper=["strace", "-f", "-o", str(trace)], environment=UNDER_STRACE)
    first = server.connect("first")
    first.echo(b"x")
    limit_to(server, 0)
    refused, waits = server.connect("refused"), server.connect("waits")
    refused.expect_gone()
    with server.frozen():
        first.close()
        waits.send_frame(b"at last")
    waits.expect_frame(b"at last")
    server.stop()
    calls = calls_of(trace)
    served = next(i for i, (name, words, *_) in enumerate(calls) if name == "sendto" and "at last" in words)
    waits_made = [result for name, _, result, _ in calls[:served] if name in servers.OF[server.name].waits]
    assert 0 not in waits_made, "a wait that lasted until its timeout"


@needs_proc
@pytest.mark.inside
@pytest.mark.cause("the line of statistics takes an empty queue for a refused peer")
def test_a_full_table_with_nobody_waiting(start):
    """Linux answers EMFILE before it looks whether a peer waits at all."""
    server = start()
    limit_to(server, 3)
    before = server.statistics()["accepted"]
    for _ in range(3):
        server.connect("fits").echo(b"x")
    statistics = server.statistics()
    assert statistics["accepted"] == before + 3 and statistics["refused"] == 0
    assert not [line for line in server.errors() if "Too many" in line]


@needs_proc
@pytest.mark.cause("EMFILE leaves the listener ready and armed: the loop spins")
def test_asleep_while_out_of_descriptors(start):
    server = start()
    limit_to(server, 1)
    server.connect("fits").echo(b"x")
    server.connect("refused").expect_gone()
    before = server.statistics()["accepts"]
    for _ in range(60):
        server.connect("waits")
        server.statistics()  # a wake-up for each, that the newcomers do not come all in one
    assert server.statistics()["accepts"] - before < 30, "tries to accept each newcomer, in vain"
    assert_asleep(server)


@needs_proc
@pytest.mark.cause("the spare descriptor is not opened again, or was never there")
def test_out_of_descriptors_again_and_again(start):
    server = start()
    before = kernel.descriptors(server.pid)
    limit_to(server, 3)
    for turn in range(3):
        peers = [server.connect() for _ in range(4)]
        server.wait_statistics(lambda s: s["refused"] > turn, "a peer refused")
        waiting.until(lambda: any(peer.has_input() for peer in peers), "a peer refused")
        for peer in peers:
            peer.reset()
        server.wait_statistics(lambda s: s["connections"] == 0, "all gone")
        waiting.until(lambda: kernel.descriptors(server.pid) == before, "as many descriptors as at the start")
    server.connect().echo(b"as before")


@pytest.mark.cause("the limit is off by one, or the refused are not closed, or not counted")
def test_max_conns(start):
    server = start("--max-conns", "3")
    peers = [server.connect() for _ in range(3)]
    for peer in peers:
        peer.echo(b"in")
    for _ in range(5):
        server.connect("one too many").expect_gone()
    server.expect_errors("--max-conns")  # one line for a run of refusals
    for peer in peers:
        peer.echo(b"still in")
    peers[0].close()
    server.wait_statistics(lambda s: s["connections"] == 2, "one gone")
    server.connect("next").echo(b"in")
    statistics = server.stop()
    assert statistics["refused"] == 5
    assert statistics["accepted"] == 4


@pytest.mark.inside
@pytest.mark.cause("the limit of the descriptors is not told, or not the one that counts")
def test_more_max_conns_than_descriptors(start):
    """Below FD_SETSIZE, so that select_srv too is limited by its descriptors."""
    server = start("--max-conns", "2000", preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
    (line,) = server.wait_error("--max-conns 2000")
    keeps = max(16, kernel.descriptors(server.pid) + 7) if kernel.HAS_PROC else 16  # seven are for a restart
    assert f"enough for about {64 - keeps};" in line
    server.connect().echo(b"x")


FEW = 100  # descriptors


def crowd(server, count: int) -> tuple[list[Peer], dict]:
    """Connects so many, and waits until the server has accepted or refused each. Returns its statistics, too."""
    peers = [server.connect() for _ in range(count)]
    return peers, server.wait_statistics(lambda s: s["accepted"] + s["refused"] == count, "all looked at")


@needs_proc
@pytest.mark.inside
@pytest.mark.only(restarts=True)
@pytest.mark.cause("the default of --max-conns leaves the server itself too few descriptors")
@pytest.mark.parametrize("options", ((), ("--stats", "{}/statistics")), ids=("by default", "statistics in a file"))
def test_a_full_server_restarts(start, options, tmp_path):
    """Whoever comes when it is full is refused at once, not kept waiting for a descriptor."""
    few = functools.partial(resource.setrlimit, resource.RLIMIT_NOFILE, (FEW, FEW))
    server = start(*(each.format(tmp_path) for each in options), "--drain-timeout", "60", preexec=few)
    peers, statistics = crowd(server, FEW)
    assert FEW / 2 <= statistics["accepted"] < FEW
    for peer in peers[statistics["accepted"] :]:
        peer.expect_gone()
    server.restart()
    for peer in peers[: statistics["accepted"]]:
        peer.echo(b"still served")
        peer.close()
    server.connect().echo(b"of the new one")


@needs.descriptors(1100)
@pytest.mark.inside
@pytest.mark.only(ceiling="fd_setsize")
@pytest.mark.cause("a server has given every descriptor that its API can handle to a peer, and cannot restart")
def test_select_restarts_when_it_is_full(start):
    server = start("--drain-timeout", "60")
    peers, statistics = crowd(server, 1030)
    assert statistics["refused"] > 0
    server.restart()
    for peer in peers:
        peer.close()
    server.connect().echo(b"of the new one")


@needs_proc
@pytest.mark.cause("a descriptor leaks where a connection ends")
def test_no_descriptor_leaks(start):
    server = start(if_taken=("--max-conns", "10"))
    before = kernel.descriptors(server.pid)
    for turn in range(30):
        ends = [server.connect() for _ in range(4)]
        ends[0].echo(b"x")
        ends[0].close()
        ends[1].reset()
        ends[2].send(b"\xff\xff\xff\xff")
        ends[2].expect_end()
        ends[2].close()
        ends[3].send(b"\x00")
        ends[3].half_close()
        ends[3].expect_end()
    server.wait_statistics(lambda s: s["connections"] == 0, "all gone")
    timer = server.implementation == "libkqueue"  # there the timer that is set has a descriptor
    assert 0 <= kernel.descriptors(server.pid) - before <= timer


@needs.descriptors(1150)
@pytest.mark.inside
@pytest.mark.only(ceiling="fd_setsize")
@pytest.mark.cause("FD_SET beyond FD_SETSIZE: it is the descriptor's number that counts, not how many there are")
def test_select_refuses_by_the_value_of_the_descriptor(start):
    server = start("--max-conns", "5000")
    server.wait_error("--max-conns 5000")  # a limit that cannot be reached is said at the start
    peers, statistics = crowd(server, 1100)
    assert 1000 < statistics["accepted"] < 1024
    refused: list[Peer] = []

    def all_hear_of_it() -> bool:
        refused[:] = [peer for peer in peers if peer.has_input()]
        return len(refused) == statistics["refused"]

    waiting.until(all_hear_of_it, f"{statistics['refused']} peers refused")
    server.expect_errors("FD_SETSIZE")
    for i, peer in enumerate(peers):
        if peer not in refused:
            peer.echo(payload(100, i))
    # The number counts: with a low one free, there is room again.
    peers[3].close()
    server.wait_statistics(lambda s: s["connections"] == statistics["accepted"] - 1, "one gone")
    server.connect("next").echo(b"in")


@needs.descriptors(1100)
@pytest.mark.inside
@pytest.mark.only(ceiling="fd_setsize")
@pytest.mark.cause("a default that goes beyond FD_SETSIZE, or one that hides it")
def test_select_knows_its_limit(start):
    server = start()
    peers, statistics = crowd(server, 1030)
    assert 1000 <= statistics["accepted"] <= 1024
    server.expect_errors("FD_SETSIZE")  # one clear line
    for peer in peers[: statistics["accepted"]]:
        peer.echo(b"x")


MANY = 19_900


@needs_proc
@needs.descriptors(MANY + 50)
@pytest.mark.inside
@pytest.mark.only(ceiling="none")
@pytest.mark.cause("an array does not grow, or a limit is lower than need be")
def test_as_many_connections_as_descriptors(start):
    server = start()
    peers = server.connect_many(MANY)
    for peer in peers[::500] + peers[-3:]:
        peer.echo(b"one of many")
    statistics = server.statistics()
    assert statistics["connections"] == MANY
    assert statistics["refused"] == 0 and statistics["accepted"] == MANY
