"""A server that has nothing to do does nothing."""

from __future__ import annotations

import time

import pytest

from suite import kernel, needs, preload, waiting
from suite.flood import Flood
from suite.frames import frame, payload


def wake_ups(server) -> int:
    return server.statistics()["waits"]


def assert_asleep(server) -> None:
    """No wake-up but the ones that asking for statistics makes, and next to no CPU time. Out of descriptors a server
    refuses a peer a second: one wake-up because it is time, one for the peer."""

    def settled() -> bool:  # what was on its way through the kernel has arrived
        before = wake_ups(server)
        time.sleep(0.05)
        return wake_ups(server) - before <= 1

    waiting.until(settled, "50 ms without a wake-up")
    before = server.statistics()
    waiting.until(lambda: kernel.state(server.pid) == "S", "the server asleep, after it has answered")
    cpu_before = kernel.cpu_seconds(server.pid)
    began = time.monotonic()
    time.sleep(0.5)  # not a wait for anything: the time over which nothing may happen
    cpu = kernel.cpu_seconds(server.pid) - cpu_before
    seconds = time.monotonic() - began
    after = server.statistics()
    woken, refused = (after[name] - before[name] for name in ("waits", "refused"))
    assert refused <= 1 + seconds, f"{refused} refused in {seconds:.1f} s"
    assert woken <= 2 + 2 * refused, f"{woken} wake-ups in {seconds:.1f} s with nothing to do"
    assert cpu < 0.01 * seconds, f"{cpu:.4f} s of CPU in {seconds:.1f} s with nothing to do"


def paused(server) -> Flood:
    """A connection that the server reads no more from, with all buffers between the two full."""
    flood = Flood(server, server.connect("paused", receive_buffer=4096), payload(50_000)).until_paused()
    while flood.more():
        pass
    return flood


needs_proc = pytest.mark.skipif(not kernel.HAS_PROC, reason=kernel.NO_PROC)
SPINS = "a descriptor stays ready and is reported again and again, or a timeout is rounded to 0"


@needs_proc
@pytest.mark.cause(SPINS)
def test_without_connections(start):
    assert_asleep(start())


@needs_proc
@pytest.mark.cause("write interest is left on: a socket is writable nearly always")
def test_with_connections_that_have_been_served(start):
    server = start()
    for i in range(20):
        server.connect().echo(payload(10_000, i))
    assert_asleep(server)


library = preload.library("long_uptime.c")
A_MONTH = 30 * 24 * 60 * 60  # seconds: longer than the longest wait (common/clock.h)


@needs_proc
@preload.needed
@pytest.mark.inside
@pytest.mark.cause("a moment of CLOCK_MONOTONIC is cut off before it is given to a timer: then it is in the past")
def test_before_a_timeout_on_a_machine_that_has_run_for_a_month(start, library):
    server = start("--idle-timeout", "100", environment={"LD_PRELOAD": str(library), "UPTIME": str(A_MONTH)})
    server.connect().echo(b"the timer is set")
    assert_asleep(server)


@needs_proc
@pytest.mark.cause("write interest is left on after the output that needed it has gone")
def test_after_a_blocked_connection_was_drained(start):
    server = start("--high-water", "100000", "--low-water", "50000")
    paused(server).read_back()
    assert_asleep(server)


@needs_proc
@pytest.mark.cause(SPINS)
def test_with_timeouts_far_away(start):
    server = start("--idle-timeout", "3600", "--max-lifetime", "7200.5")
    server.connect().echo(b"x")
    assert_asleep(server)


@needs_proc
@pytest.mark.cause("a paused connection keeps its read interest")
def test_with_a_paused_connection(start):
    server = start()
    paused(server)
    assert_asleep(server)


@needs_proc
@pytest.mark.cause("the end of the input of a paused connection is reported for ever")
def test_with_a_paused_connection_whose_peer_has_ended(start):
    server = start()
    paused(server).peer.half_close()
    assert_asleep(server)


@needs_proc
@pytest.mark.cause("after the end of the input it is still waited for input, which is always ready then")
def test_with_a_half_closed_connection_whose_output_is_stuck(start):
    server = start("--high-water", "8000000", "--low-water", "1000000")
    peer = server.connect(receive_buffer=4096)
    data = frame(payload(250_000)) * 24
    peer.send(data)
    peer.half_close()
    server.wait_statistics(lambda s: s["bytes_in"] == len(data), "all received")
    assert_asleep(server)
    assert server.statistics()["connections"] == 1


@needs_proc
@pytest.mark.cause("a hang-up that cannot be masked is reported for ever")
def test_after_a_paused_connection_was_reset(start):
    server = start()
    paused(server).peer.reset()
    server.wait_statistics(lambda s: s["connections"] == 0, "the reset noticed though reading is paused")
    assert_asleep(server)


@needs_proc
@pytest.mark.cause(SPINS)
def test_while_lingering_after_an_oversize_frame(start):
    server = start("--drain-timeout", "3600")
    peer = server.connect()
    peer.send(b"\xff\xff\xff\xff")
    peer.expect_end()
    assert_asleep(server)


CONNECTIONS = 10_000


@needs_proc
@needs.descriptors(CONNECTIONS + 50)
@pytest.mark.only(ceiling="none")
@pytest.mark.cause(SPINS)
def test_with_ten_thousand_connections_one_paused_and_one_hung_up(start):
    server = start()
    server.connect_many(CONNECTIONS)
    paused(server)
    hung_up = server.connect("hung up", receive_buffer=4096)
    hung_up.send_ahead(frame(payload(250_000)) * 12)
    hung_up.half_close()
    assert_asleep(server)
