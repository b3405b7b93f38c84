"""What goes wrong where several threads share the connections of one epoll. Nothing here is left to luck: a preloaded
library holds a thread in the middle of a turn, and the test arranges what another thread does meanwhile.

The program itself says when a connection is in the hands of two threads: it aborts (-DNDEBUG leaves the check out)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from suite import kernel, preload, servers, waiting
from suite.frames import frame, payload
from suite.server import Server

pytestmark = [pytest.mark.inside, preload.needed, pytest.mark.only(trigger="oneshot")]

library = preload.library("hold_calls.c")
IDLE = 1.0  # seconds


class Held:
    """Where threads of the server are held: see hold_calls.c."""

    def __init__(self, folder: Path, library: Path, **texts: str):
        self.folder = folder
        self.environment = {"LD_PRELOAD": str(library), "HOLD": str(folder), **texts}
        for name in ("recv", "re-arm", "event"):
            os.mkfifo(folder / f"go-{name}")

    def wait(self, server: Server, name: str) -> None:
        waiting.until(lambda: (self.folder / f"held-{name}").exists() or gone(server), f"a thread held at {name}")

    def go(self, name: str) -> None:
        os.close(os.open(self.folder / f"go-{name}", os.O_RDWR | os.O_NONBLOCK))


def gone(server: Server) -> bool:
    return server.process.poll() is not None


def waits_in_vain(server: Server) -> bool:
    """The loop's thread waits for the workers, so for the one that is held (futex(2)), and not for events."""
    try:
        call = Path(f"/proc/{server.pid}/task/{server.pid}/syscall").read_text().split()[0]
    except OSError:
        return gone(server)
    return gone(server) or call == FUTEX


# On arm and on i386 it is 240, also where the kernel has 64 bits.
FUTEX = "240" if servers.of_32_bits() else {"x86_64": "202", "aarch64": "98"}.get(os.uname().machine, "")
needs_call_numbers = pytest.mark.skipif(
    not FUTEX or not os.access("/proc/self/syscall", os.R_OK), reason="reads in /proc which call a thread is in"
)


def all_asleep(server: Server) -> bool:
    """Gone, or every thread sleeps, and none has run between two looks."""
    before = None if gone(server) else kernel.ran(server.pid)
    return gone(server) or (before is not None and before == kernel.ran(server.pid))


@pytest.mark.cause("the descriptor is armed before the turn is over: another thread gets the connection meanwhile")
def test_a_connection_is_armed_when_its_turn_is_over(start, library, tmp_path):
    """The thread is held where EPOLL_CTL_MOD has just returned to it. From then on the connection is another's."""
    held = Held(tmp_path, library, HOLD_REARM="the first")
    server = start(environment=held.environment)
    peer = server.connect()
    peer.echo(b"the first")
    held.wait(server, "re-arm")
    try:
        for i in range(3):
            peer.echo(payload(100, i))
    finally:
        held.go("re-arm")
    peer.echo(b"the last")


@pytest.mark.cause("an event does not disarm its descriptor: a second one sends another thread to the same connection")
def test_one_event_at_a_time(start, library, tmp_path):
    held = Held(tmp_path, library, HOLD_RECV="slow one")
    server = start(environment=held.environment)
    peer = server.connect()
    peer.send_frame(b"slow one")
    held.wait(server, "recv")
    peer.send(frame(b"next one"))
    peer.wait_delivered()
    waiting.until(lambda: all_asleep(server), "the server has nothing to do but for the thread that is held")
    held.go("recv")
    peer.expect_frame(b"slow one")
    peer.expect_frame(b"next one")


@pytest.mark.cause("nobody arms the descriptor again after a turn: its first event is the last")
def test_the_second_message_is_answered_too(start):
    server = start()
    peer = server.connect()
    for i in range(3):
        peer.echo(payload(10, i))


@needs_call_numbers
@pytest.mark.cause("a timeout ends a connection that a worker is serving")
def test_no_timeout_ends_a_turn(start, library, tmp_path):
    held = Held(tmp_path, library, HOLD_RECV="slow one")
    server = start("--idle-timeout", str(IDLE), environment=held.environment)
    peer = server.connect()
    peer.send_frame(b"slow one")
    held.wait(server, "recv")
    waiting.until(lambda: waits_in_vain(server), "the time is over, and the loop waits for the end of the turn",
                  waiting.PATIENCE + IDLE)  # fmt: skip
    held.go("recv")
    peer.expect_frame(b"slow one")


@pytest.mark.cause("an event that was fetched before a close is taken for the next connection with that descriptor")
def test_a_late_event_reaches_nobody(start, library, tmp_path):
    """All workers wait on the one epoll. One has fetched the end of a connection, and is held. Meanwhile the loop
    closes the connection, since its time is over, and the next peer gets its descriptor. Another worker serves that
    one, and is held too. Then the first goes on."""
    held = Held(tmp_path, library, HOLD_RECV="slow one")
    server = start("--wait", "shared", "--idle-timeout", str(IDLE), environment=held.environment)
    old = server.connect("old")
    old.echo(b"before")
    waiting.until(lambda: all_asleep(server), "all wait")
    (tmp_path / "hold-event").touch()
    old.half_close()
    held.wait(server, "event")
    old.expect_end()
    server.wait_statistics(lambda s: s["connections"] == 0, "the old one closed, and its descriptor is free")
    new = server.connect("new")
    new.send_frame(b"slow one")
    held.wait(server, "recv")
    held.go("event")
    waiting.until(lambda: (tmp_path / "again-event").exists() or gone(server), "the late event is dealt with")
    held.go("recv")
    new.expect_frame(b"slow one")


@pytest.mark.parametrize("wait", ("dispatcher", "shared"))
@pytest.mark.cause("one worker is woken at the end, and the others sleep for ever")
def test_all_workers_end(start, wait):
    server = start("--workers", "8", "--wait", wait)
    server.connect().echo(b"before")
    waiting.until(lambda: all_asleep(server), "all workers asleep")
    server.stop()


@pytest.mark.parametrize("wait", ("dispatcher", "shared"))
@pytest.mark.cause("a worker closes the last connection, and the loop, which waits for that, sleeps on")
def test_the_last_close_ends_a_stop(start, wait):
    server = start("--drain-timeout", "3600", "--wait", wait)
    peer = server.connect()
    peer.echo(b"before")
    server.signal(signal.SIGTERM)
    peer.expect_end()
    waiting.until(lambda: all_asleep(server), "the server waits for the end of the peer")
    peer.close()
    assert server.wait_exit() == 0


@pytest.mark.parametrize("wait", ("dispatcher", "shared"))
@pytest.mark.cause("a worker begins a drain-timeout, and the loop does not set its timer for it")
def test_a_timeout_that_a_worker_begins_is_in_time(start, wait):
    """Nothing else wakes the loop."""
    server = start("--drain-timeout", "0.2", "--wait", wait)
    peer = server.connect()
    peer.send(b"\xff\xff\xff\xff")
    peer.expect_gone()
    waiting.until(lambda: peer_is_closed(server), "the connection closed, though the peer stays")


def peer_is_closed(server: Server) -> bool:
    return not any(each.owned and each.state != kernel.LISTEN for each in kernel.sockets(server.address[1]))
