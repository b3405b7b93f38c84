"""What happens at the one moment that nobody can hit from outside: between a wait and what is done about it."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Iterator

import pytest

from suite import kernel, preload, servers, waiting
from suite.ahead import start_ahead
from suite.flood import Flood
from suite.frames import frame, payload
from suite.peer import needs_in_flight
from suite.server import Server

READ_BYTES = {"plain": 64 * 1024, "tls": 33 * 1024}  # at most, of one recv

pytestmark = [
    pytest.mark.inside,
    preload.needed,
    # The emulation of kqueue waits several times for one kevent.
    pytest.mark.only(stand_in=False),
]


library = preload.library("around_wait.c")


@pytest.mark.only(stand_in=False, threads="one")  # else the thread that waits sleeps already while another one sends
@pytest.mark.cause("signals are let in outside of the wait: one that comes just before it is noticed after it")
def test_a_signal_just_before_the_wait(start, library):
    """SIGTERM comes after the loop's last look, and nothing else will end the wait that follows."""
    server = start(environment={"LD_PRELOAD": str(library), "RAISE_BEFORE": "the one"})
    peer = server.connect()
    peer.echo(b"the next wait is the one")
    peer.expect_end()
    peer.close()
    assert server.wait_exit() == 0


@pytest.mark.only(stand_in=False, threads="one")  # another thread may hear it, as soon as it runs
@pytest.mark.cause("ppoll and pselect deliver a signal only when nothing is ready: a busy loop does not hear it")
def test_a_signal_is_heard_by_a_loop_that_never_sleeps(start, server_name, library):
    """SIGTERM comes while there is input for dozens of wake-ups. Who hears it only when all of that has been read
    closes the listener with nothing left to read."""
    a_read = READ_BYTES[servers.OF[server_name].transport]
    server = start(
        "--high-water", "50000000", "--low-water", "1", "--drain-timeout", "0.5",
        environment={"LD_PRELOAD": str(library), "RAISE_BEFORE": "stop now", "STOP_AT_CLOSE": "of the listener"},
    )
    flooder = Flood(server, server.connect("flooder"), b"12345678")
    for _ in range(8):  # lets the kernel widen the receive window
        flooder.peer.echo(payload(1 << 20))
    needs_in_flight(24 * a_read)
    with server.frozen():
        flooder.peer.send_frame(b"stop now")
        flooder.more()
    assert flooder.sent > 24 * a_read, "too little to tell"
    waiting.until(lambda: kernel.state(server.pid) == "T", "the server stopped where it closes the listener")
    read = flooder.sent - flooder.waits_for_the_server()
    server.signal(signal.SIGCONT)
    assert server.wait_exit() == 0
    assert read < 24 * a_read, f"read {read} of {flooder.sent} bytes before it heard the signal"


@contextlib.contextmanager
def stopped_after_the_last_wait(server: Server) -> Iterator[None]:
    """SIGTERM, and then the library stops the server where it closes its listener. At the end the server goes on."""
    server.signal(signal.SIGTERM)
    waiting.until(lambda: kernel.state(server.pid) == "T", "the server stopped where it closes the listener")
    yield
    server.signal(signal.SIGCONT)


@pytest.mark.only(*servers.FRAMES)
@pytest.mark.cause("a stop trusts what the wait has reported: it does not read what came after the wait")
def test_input_that_comes_after_the_last_wait(start, library):
    """The signal ends a wait, and the server stops accepting. Only then do the frames come: no wait has reported
    them. They have arrived before the server looks at the connections a last time, so it must echo them."""
    server = start(environment={"LD_PRELOAD": str(library), "STOP_AT_CLOSE": "of the listener"})
    peers = [server.connect() for _ in range(3)]
    for peer in peers:
        peer.echo(b"before")
    with stopped_after_the_last_wait(server):
        for i, peer in enumerate(peers):
            peer.send_frame(payload(100, i))
            peer.wait_delivered()
    for i, peer in enumerate(peers):
        peer.expect_frame(payload(100, i))
        peer.expect_end()
        peer.close()
    assert server.wait_exit() == 0


@pytest.mark.only(*servers.FRAMES)
@pytest.mark.cause("before a stop the server reads once, although one read may bring only a part of what has come")
@pytest.mark.parametrize("kind", ("more than a read takes", "urgent byte"))
def test_all_that_comes_after_the_last_wait(start, server_name, library, kind):
    """As above, and one read does not bring all of it: recv(2) returns what it has room for, and it stops before an
    urgent byte (tcp(7))."""
    environment = {"LD_PRELOAD": str(library), "STOP_AT_CLOSE": "of the listener"}
    count = 4 * READ_BYTES[servers.OF[server_name].transport] // 5000 if kind == "more than a read takes" else 2
    server, peer = start_ahead(start, count * len(frame(payload(5000))), environment=environment)
    with stopped_after_the_last_wait(server):
        for i in range(count):
            if i > 0 and kind == "urgent byte":
                peer.socket.send(b"!", socket.MSG_OOB)
            peer.send_frame(payload(5000, i))
        peer.wait_delivered()
    for i in range(count):
        peer.expect_frame(payload(5000, i))
    peer.expect_end()
    peer.close()
    assert server.wait_exit() == 0


@pytest.mark.only(*servers.FRAMES, threads="one")  # the two peers are in one loop
@pytest.mark.except_for("sends when the turn is over: there is no call of the turn to stop it at", trigger="completion")
@pytest.mark.cause("a timeout trusts what the wait has reported: it does not read what came after the wait")
def test_input_that_comes_before_the_expiry(start, library):
    """A wake-up begins when the silent peer's time is over. While the server serves the other one, before it looks at
    the timeouts, a frame of the silent peer arrives. No wait has reported it; the server must echo it."""
    server = start("--idle-timeout", "1.5", environment={"LD_PRELOAD": str(library), "STOP_BEFORE": "stop here"})
    talking, silent = server.connect("talking"), server.connect("silent")
    for peer in (talking, silent):  # in this order, so that the silent one does not expire first
        peer.echo(b"before")
    # The echo leaves before the server notes the time of it: wait until it has done both.
    waiting.until(lambda: kernel.state(server.pid) == "S", "the server asleep in its wait")
    with server.frozen():
        talking.send_frame(b"stop here")
        talking.wait_delivered()
        time.sleep(2)
    waiting.until(lambda: kernel.state(server.pid) == "T", "the server stopped at a send")
    silent.send_frame(b"in time")
    silent.wait_delivered()
    server.signal(signal.SIGCONT)
    talking.expect_frame(b"stop here")
    silent.expect_frame(b"in time")
    assert server.stop()["closed"]["idle"] == 0


@pytest.mark.only(stand_in=False, threads="one")  # all peers are in one loop
@pytest.mark.cause("descriptors are closed and given away again before all events of the wake-up were looked at")
@pytest.mark.except_for("over TLS nobody sends before the server has accepted", transport="tls")
def test_no_event_reaches_the_next_owner_of_a_descriptor(start, library):
    """In one wake-up: new peers, input of old ones, and the end of the old ones' lifetime, which comes while the
    events are on their way. Who serves a newcomer by an event of the one before it has no event left for it: the
    newcomer's input is gone when the next wait looks for it. So the events are counted."""
    server = start(
        "--max-lifetime", "2", "--drain-timeout", "0",
        environment={"LD_PRELOAD": str(library), "HOLD_AFTER": "11:2200"},
    )
    old = []
    for _ in range(10):  # one by one, so that no wait but the one that counts has eleven events
        old.append(server.connect("old"))
        old[-1].echo(b"x")
    before = server.statistics()["events"]
    with server.frozen():
        new = [server.connect("newcomer") for _ in old]
        for peer in new:
            peer.send_frame(b"first word")
        for peer in old:
            peer.send_frame(b"last word")
        for peer in new + old:  # after the last one was sent: the kernel may acknowledge each only after 40 ms
            peer.wait_delivered()
    for peer in new:
        peer.expect_frame(b"first word")
    statistics = server.statistics()
    assert statistics["closed"]["lifetime"] >= len(old)
    own = 1 + len(old) + len(new)  # the listener's, and one for each connection
    assert statistics["events"] - before >= own, "a newcomer was served by an event that was not its own"
