"""A peer that does not read is not read from: memory stays bounded, nothing is lost, nobody else waits."""

from __future__ import annotations

import pytest

from suite import kernel, servers
from suite.frames import frame, payload

SIZE = 50_000
FRAME = frame(payload(SIZE))


def flood_until_paused(server, peer) -> int:
    """Sends whole frames' bytes, reading nothing, until the server has paused. Returns how many bytes."""
    sent = 0
    stream = FRAME * 64

    def paused(statistics: dict) -> bool:
        nonlocal sent
        sent += peer.send_what_fits(stream[sent % len(FRAME) :][: len(stream) // 2])
        return statistics["pauses"] == 1

    server.wait_statistics(paused, "the connection paused")
    return sent


def read_back(peer, sent: int) -> None:
    """Completes the last frame while reading, and expects every echo."""
    whole, begun = divmod(sent, len(FRAME))
    for _ in range(whole):
        peer.expect_frame(payload(SIZE))
    if begun:
        peer.send(FRAME[begun:])
        peer.expect_frame(payload(SIZE))


@pytest.mark.cause("reading goes on above the high-water mark: output grows without end")
def test_reading_stops_at_the_high_water_mark(start):
    server = start("--high-water", "100000", "--low-water", "50000")
    peer = server.connect(receive_buffer=4096)
    flood_until_paused(server, peer)
    first = server.statistics()
    peer.send_what_fits(FRAME * 64)
    second = server.statistics()
    assert first["bytes_in"] == second["bytes_in"], "read on while paused"
    assert second["pauses"] == 1
    pending = second["bytes_in"] - second["bytes_out"]
    # The mark, and what the read that crossed it may have brought beyond: 64 KiB or as much as was pending.
    assert 100_000 <= pending <= 2 * (100_000 + len(FRAME))


@pytest.mark.cause("after a pause reading does not begin again, or bytes are lost on the way")
def test_everything_comes_once_the_peer_reads(start):
    server = start()
    peer = server.connect(receive_buffer=4096)
    read_back(peer, flood_until_paused(server, peer))
    peer.echo(b"and on it goes")
    statistics = server.stop()
    assert statistics["bytes_in"] == statistics["bytes_out"]
    assert statistics["partial_writes"] > 0


@pytest.mark.cause("coming back from a pause waits for an edge that came before it")
def test_resumes_when_nothing_new_comes(start):
    """All input has arrived, and all its edges, before the peer reads its first byte."""
    server = start("--high-water", "20000", "--low-water", "10000")
    peer = server.connect(receive_buffer=4096)
    frames_sent = 0
    while server.statistics()["pauses"] == 0:
        peer.send(FRAME)
        peer.wait_delivered()
        frames_sent += 1
    peer.send(FRAME)
    peer.wait_delivered()
    for _ in range(frames_sent + 1):
        peer.expect_frame(payload(SIZE))


@pytest.mark.cause("one mark in place of two: every byte that leaves switches reading on and off")
def test_reading_resumes_at_the_low_water_mark_only(start):
    server = start("--high-water", "400000", "--low-water", "0")
    peer = server.connect(receive_buffer=4096)
    sent = flood_until_paused(server, peer)
    before = server.statistics()
    read_back(peer, sent)
    after = server.stop()
    # From mark 0, a pause needs 400 kB of input; a pause a read would be many more of them.
    assert after["pauses"] - 1 <= (after["bytes_in"] - before["bytes_in"]) // 400_000 + 1


@pytest.mark.cause("a blocked peer is waited for, while others have something to do")
def test_others_are_served_while_one_is_paused(start):
    server = start()
    blocked = server.connect("blocked", receive_buffer=4096)
    sent = flood_until_paused(server, blocked)
    other = server.connect("other")
    for i in range(20):
        other.echo(payload(5000, i))
    read_back(blocked, sent)


@pytest.mark.cause("output is kept without a bound, or its buffer is never given back")
@pytest.mark.skipif(not kernel.HAS_PROC, reason=kernel.NO_PROC)
@pytest.mark.skipif(servers.sanitizer() == "asan", reason="AddressSanitizer keeps freed memory")
def test_memory_stays_bounded_and_comes_back(start):
    server = start("--high-water", "1000000", "--low-water", "100000")
    server.connect("warm-up").echo(payload(1 << 20))
    before = kernel.resident_bytes(server.pid)
    peers = [server.connect(receive_buffer=4096) for _ in range(8)]
    for i, peer in enumerate(peers):
        server.wait_statistics(
            lambda s: peer.send_what_fits(FRAME * 40) < 0 or s["pauses"] == i + 1, f"{i + 1} connections paused"
        )
    grown = kernel.resident_bytes(server.pid) - before
    bound = 2 * (1_000_000 + len(FRAME)) + 65536
    assert grown <= len(peers) * bound, f"{grown} bytes for {len(peers)} paused connections"
    assert server.statistics()["buffers"] == len(peers)
    for peer in peers:
        peer.reset()
    server.wait_statistics(lambda s: s["connections"] == 1 and s["buffers"] == 0, "their memory given back")


@pytest.mark.cause("a paused connection is not drained after the end of its input")
def test_end_while_paused(start):
    server = start()
    peer = server.connect(receive_buffer=4096)
    sent = flood_until_paused(server, peer)
    whole, begun = divmod(sent, len(FRAME))
    peer.half_close()
    for _ in range(whole):
        peer.expect_frame(payload(SIZE))
    peer.expect_end()
    assert server.stop()["closed"]["truncated" if begun else "end"] == 1
