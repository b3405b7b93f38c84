"""A peer that does not read is not read from: memory stays bounded, nothing is lost, nobody else waits."""

from __future__ import annotations

import pytest

from suite import kernel, needs, servers
from suite.flood import Flood
from suite.frames import frame, payload
from suite.peer import needs_in_flight

PAYLOAD = payload(50_000)
FRAME = frame(PAYLOAD)
HIGH_WATER = 256 * 1024  # unless another is asked for


def flood(server) -> Flood:
    return Flood(server, server.connect(receive_buffer=4096), PAYLOAD)


@pytest.mark.cause("reading goes on above the high-water mark: output grows without end")
def test_reading_stops_at_the_high_water_mark(start):
    server = start("--high-water", "100000", "--low-water", "50000")
    flooder = flood(server).until_paused()
    first = server.statistics()
    flooder.more()
    second = server.statistics()
    assert first["bytes_in"] == second["bytes_in"], "read on while paused"
    assert second["pauses"] == first["pauses"] and (first["pauses"] == 1 or servers.burst(server.name))
    pending = second["bytes_in"] - second["bytes_out"]
    # The mark, and what the read that crossed it may have brought beyond: 64 KiB or as much as was pending. By
    # completion a pause may come before the first byte has left. What leaves then may go down to the low mark.
    least = 50_000 if servers.burst(server.name) else 100_000
    assert least <= pending <= 2 * (100_000 + len(FRAME)) + servers.burst(server.name)


@pytest.mark.cause("reading goes on above the high-water mark: output grows without end")
@pytest.mark.skipif(not kernel.HAS_PROC, reason=kernel.NO_PROC)
def test_what_a_server_holds_for_a_peer_that_does_not_read(start):
    """Seen from outside, at the usual marks: what the peer has sent, less what waits in the kernel on either side."""
    server = start()
    flooder = flood(server).until_paused()
    while flooder.more():
        pass
    held = flooder.held()
    most = 2 * (HIGH_WATER + len(FRAME)) + 65536 + servers.burst(server.name)
    assert held <= most, f"{held} bytes are held for one peer that reads nothing"
    flooder.read_back()


@pytest.mark.cause("after a pause reading does not begin again, or bytes are lost on the way")
def test_everything_comes_once_the_peer_reads(start):
    server = start()
    flooder = flood(server).until_paused()
    flooder.read_back()
    flooder.peer.echo(b"and on it goes")
    statistics = server.stop()
    assert statistics["bytes_in"] == statistics["bytes_out"]
    assert statistics["partial_writes"] > 0


@pytest.mark.cause("coming back from a pause waits for an edge that came before it")
def test_resumes_when_nothing_new_comes(start):
    """All input has arrived, and all its edges, before the peer reads its first byte. The last frame is short: the
    server may have stopped reading before the one in front of it, and then both wait in the receive window."""
    last = payload(5000)
    needs_in_flight(len(FRAME) + len(frame(last)))
    server = start("--high-water", "20000", "--low-water", "10000")
    peer = server.connect(receive_buffer=4096)
    frames_sent = 0
    while server.statistics()["pauses"] == 0:
        peer.send(FRAME)
        peer.wait_delivered()
        frames_sent += 1
    peer.send_frame(last)
    peer.wait_delivered()
    server.at_rest()  # or the edge of the last frame could come when the peer reads already, and find room
    for _ in range(frames_sent):
        peer.expect_frame(PAYLOAD)
    peer.expect_frame(last)


@pytest.mark.inside
@pytest.mark.cause("one mark in place of two: every byte that leaves switches reading on and off")
def test_reading_resumes_at_the_low_water_mark_only(start):
    """With the low mark at 0, nothing more is read before all that had come has been echoed. The high
    mark is far above what a socket takes at once, so that the output passes through what is between."""
    server = start("--high-water", "12000000", "--low-water", "0")
    flooder = flood(server).until_paused()
    read = server.statistics()["bytes_in"]
    while (statistics := server.statistics())["bytes_in"] == read:
        flooder.peer.receive(20_000)
    assert statistics["bytes_out"] >= read // len(FRAME) * len(FRAME), "read on with output pending"


@pytest.mark.cause("a blocked peer is waited for, while others have something to do")
def test_others_are_served_while_one_is_paused(start):
    server = start()
    flooder = flood(server).until_paused()
    other = server.connect("other")
    for i in range(20):
        other.echo(payload(5000, i))
    flooder.read_back()


@pytest.mark.cause("output is kept without a bound, or its buffer is never given back")
@pytest.mark.skipif(not kernel.HAS_PROC, reason=kernel.NO_PROC)
@needs.true_memory
def test_memory_stays_bounded_and_comes_back(start):
    server = start("--high-water", "1000000", "--low-water", "100000")
    server.connect("warm-up").echo(payload(1 << 20))
    before = kernel.memory_bytes(server.pid, "VmRSS")
    flooders = [flood(server).until_paused() for _ in range(8)]
    grown = kernel.memory_bytes(server.pid, "VmRSS") - before
    bound = 2 * (1_000_000 + len(FRAME) + servers.burst(server.name)) + 65536
    assert grown <= len(flooders) * bound + server.memory_slack, f"{grown} bytes for {len(flooders)} paused connections"
    assert server.statistics()["buffers"] == len(flooders)
    for flooder in flooders:
        flooder.peer.reset()
    server.wait_statistics(lambda s: s["connections"] == 1 and s["buffers"] == 0, "their memory given back")


@pytest.mark.cause("a paused connection is not drained after the end of its input")
def test_end_while_paused(start):
    server = start()
    flooder = flood(server).until_paused()
    flooder.peer.half_close()
    flooder.read_whole_frames()
    flooder.peer.expect_end()
    assert server.stop()["closed"]["truncated" if flooder.begun else "end"] == 1
