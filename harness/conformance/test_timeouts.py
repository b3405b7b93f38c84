"""Idle, lifetime and drain timeouts: each ends what it should, and costs nothing meanwhile."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from suite import needs, preload, servers, tls
from suite.flood import Flood
from suite.frames import frame, header, payload
from suite.strace import UNDER_STRACE

HERE = Path(__file__).parent


@pytest.mark.cause("the idle queue is not looked at, or the wait has no timeout")
@pytest.mark.parametrize("sent", (b"", b"\x00", header(100), header(100) + b"half", frame(b"whole")))
def test_a_silent_peer_is_closed(start, sent):
    """Also one that has sent half a header, or half a frame."""
    server = start("--idle-timeout", "1")
    peer = server.connect()
    peer.send(sent)
    if sent == frame(b"whole"):
        peer.expect_frame(b"whole")
    peer.expect_gone()
    closed = server.stop()["closed"]
    assert closed["idle"] == 1 and sum(closed.values()) == 1


@pytest.mark.cause("a timeout closes before its time, or activity does not put it off")
@pytest.mark.parametrize("first", ("talking", "silent"))
def test_a_peer_that_sends_is_kept_while_a_silent_one_goes(start, first):
    """Whichever came first: it is the last byte that counts, not the accept."""
    server = start("--idle-timeout", "1.5")
    second = "silent" if first == "talking" else "talking"
    peers = {name: server.connect(name) for name in (first, second)}
    talking, silent = peers["talking"], peers["silent"]
    silent.echo(b"last word")
    while not silent.has_input():
        talking.echo(payload(100))
    silent.expect_gone()
    talking.echo(b"still here")
    assert server.statistics()["closed"]["idle"] == 1
    # A timer that was set for the first deadlines has fired by now, too early for this peer.
    talking.expect_gone()
    assert server.stop()["closed"]["idle"] == 2


@pytest.mark.cause("a peer that reads slowly is taken for an idle one, or one that takes nothing is kept")
def test_a_peer_that_takes_nothing_is_idle_too(start):
    server = start("--idle-timeout", "1.5")  # longer than it takes to fill the buffers, on a loaded machine too
    peer = server.connect(receive_buffer=4096)
    Flood(server, peer, payload(100_000)).until_paused()
    server.wait_statistics(lambda s: s["closed"]["idle"] == 1, "closed as idle though output was pending")
    peer.expect_gone()
    assert server.stop()["buffers"] == 0


@pytest.mark.cause("a later reason takes the place of the first")
def test_the_first_reason_for_an_end_stays(start):
    server = start("--idle-timeout", "1.5", "--high-water", "8000000", "--low-water", "1000000")
    peer = server.connect(receive_buffer=4096)
    peer.send(frame(payload(250_000)) * 24 + header(10))
    peer.half_close()
    server.wait_statistics(lambda s: s["accepted"] == 1 and s["connections"] == 0, "cut off, as it takes nothing")
    assert server.stop()["closed"]["truncated"] == 1


@pytest.mark.cause("several that expire in one wake-up: one is passed over")
def test_many_expire_together(start):
    server = start("--idle-timeout", "0.4")
    with server.frozen():
        peers = [server.connect() for _ in range(100)]
    for peer in peers:
        peer.expect_gone()
    assert server.stop()["closed"]["idle"] == 100


@pytest.mark.cause("the lifetime is put off by activity, or its close loses echoes")
def test_a_connection_ends_at_its_lifetime_though_busy(start):
    server = start("--max-lifetime", "0.5")
    peer = server.connect()
    sent = received = 0
    try:
        while True:  # one frame outstanding: each echo that was begun must be whole
            peer.send_frame(payload(1000, sent))
            sent += 1
            if not (first := peer.socket.recv(1)):
                break
            assert first + peer.receive(1003) == frame(payload(1000, received))
            received += 1
    except ConnectionError:
        pass
    assert received >= 1
    statistics = server.stop()
    assert statistics["closed"]["lifetime"] == 1
    assert statistics["frames"] == received


@pytest.mark.cause("a timer of a year: some kernels refuse it, or count it in too few ticks")
def test_a_timeout_of_a_year(start):
    server = start("--max-lifetime", str(365 * 24 * 60 * 60))
    peer = server.connect()
    for i in range(3):
        peer.echo(payload(100, i))
    assert server.stop()["closed"]["stop"] == 0


@pytest.mark.cause("a timeout that is off is taken for one of 0 seconds")
def test_zero_switches_timeouts_off(start):
    server = start("--idle-timeout", "0", "--max-lifetime", "0")
    peer = server.connect()
    for i in range(50):
        peer.echo(payload(10, i))
    closed = server.stop()["closed"]
    assert closed["idle"] == 0 and closed["lifetime"] == 0


@pytest.mark.cause("a timeout is rounded down to 0, and the loop spins until it is over")
def test_waiting_for_a_timeout_takes_few_wake_ups(start):
    server = start("--idle-timeout", "0.9005", "--max-lifetime", "0.9007")
    peers = [server.connect() for _ in range(5)]
    for peer in peers:
        peer.echo(b"x")
    for peer in peers:
        peer.expect_gone()
    # A few for each peer's arrival, data and end; a spinning loop makes hundreds of thousands.
    assert server.stop()["waits"] < 100


@pytest.mark.cause("the timer is set again at every message: a system call for each")
@needs.to_trace
@pytest.mark.inside
@pytest.mark.only(timeouts="timerfd")
def test_activity_does_not_set_the_timer(start, tmp_path):
    trace = tmp_path / "trace"
    server = start("--idle-timeout", "3600", wrapper=["strace", "-f", "-e", "timerfd_settime", "-o", str(trace)],
                   environment=UNDER_STRACE)
    peer = server.connect()
    for i in range(200):
        peer.echo(payload(10, i))
    server.stop()
    assert trace.read_text().count("timerfd_settime(") <= 2


@pytest.mark.inside
@pytest.mark.cause("expiry walks all connections in place of the expired ones")
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_expiry_costs_what_expires(tmp_path):
    """Instructions spent in expiry are counted (callgrind): as many with 10 connections as with 10,000."""
    program = tmp_path / "count_expiry"
    parts = ("connections", "connection", "extra", "buffer", "frame", "line", "address", "clock", "error", "log")
    sources = [HERE / "count_expiry.c", *(servers.ROOT / "common" / f"{part}.c" for part in parts)]
    subprocess.run(
        [*servers.compiler(), "-std=c17", "-D_GNU_SOURCE", "-O1", "-g", "-o", program, *sources, "-lm"],
        check=True,
    )
    counts = []
    for connections in (10, 10_000):
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
             "--toggle-collect=connections_overdue", "--toggle-collect=connections_deadline",
             program, str(connections)],
            check=True, capture_output=True, text=True,
        )
        assert run.stdout == "expired 3\n"
        counts.append(int(re.search(r"Collected : (\d+)", run.stderr)[1]))
    assert counts[0] > 0
    assert counts[1] == counts[0], f"instructions with 10 and with 10,000 connections: {counts}"


library = preload.library("count_clock.c")
slow_library = preload.library("slow_call.c")


# Not over TLS: OpenSSL reads the clock for itself.
@pytest.mark.inside
# Where a thread serves what another one waited for, each turn is a wake-up of its own.
@pytest.mark.only(transport="plain", threads="one")
@pytest.mark.cause("the clock is read for every event instead of once a wake-up")
@pytest.mark.parametrize("idle_timeout", ("0", "60"))
@preload.needed
def test_the_clock_is_read_once_a_wake_up(start, tmp_path, library, idle_timeout):
    """A preloaded library counts clock_gettime, which makes no system call that strace could see. With an idle
    timeout each activity has its own reading: the time of the wake-up would be too early."""
    counted = tmp_path / "count"
    environment = {"LD_PRELOAD": str(library), "COUNT_CLOCK": str(counted)}
    server = start("--idle-timeout", idle_timeout, environment=environment)
    peers = [server.connect() for _ in range(40)]
    for _ in range(10):
        with server.frozen():
            for peer in peers:
                peer.send_frame(b"together")
            for peer in peers:
                peer.wait_delivered()
        for peer in peers:
            peer.expect_frame(b"together")
    statistics = server.stop()
    assert statistics["events"] >= 400
    calls = int(counted.read_text())
    # Once a wait, once a peer, twice at the start, and once for each line of statistics. A stand-in for kqueue keeps
    # timers of its own, and reads the clock for them.
    waits = statistics["waits"] * (1 if server.implementation == "native" else 2)
    # By completion a frame comes in one wake-up, and has left in another one.
    activities = statistics["frames"] * (2 if server.name in servers.having(trigger="completion") else 1)
    most = waits + len(peers) + 10 + (activities if idle_timeout != "0" else 0)
    assert calls <= most, f"{calls} readings of the clock in {statistics['waits']} waits, {statistics['frames']} frames"


@pytest.mark.cause("a stop waits for ever for a peer that does not read")
def test_drain_timeout_bounds_a_stop(start):
    server = start("--drain-timeout", "0.3")
    Flood(server, server.connect(receive_buffer=4096), payload(100_000)).until_paused()
    server.signal(signal.SIGTERM)
    assert server.wait_exit() == 0
    assert server.stop()["closed"]["stop"] == 1


@pytest.mark.cause("expiry before everything that has arrived has been looked at")
@pytest.mark.parametrize("option", ("--idle-timeout", "--max-lifetime"))
def test_a_request_that_has_arrived_beats_the_timeout(start, option):
    """The server is stopped until the time is over; meanwhile a request arrives. SIGCONT ends the wait early on some
    systems, so that nothing is reported in this wake-up: the request is there all the same."""
    server = start(option, "1.5")
    peer = server.connect()
    peer.echo(b"before")
    with server.frozen():
        peer.send_frame(payload(200))
        peer.wait_delivered()
        time.sleep(1.8)
    peer.expect_frame(payload(200))
    server.stop()


# Not over TLS: 300 handshakes may take longer than the timeout.
@pytest.mark.only(transport="plain")
@pytest.mark.cause("expiry before everything that has arrived has been looked at")
def test_many_requests_that_have_arrived_beat_the_timeout(start):
    """More than one wait reports: those that are not in the first batch are not idle either. The timeout leaves a busy
    machine time for 300 echoes before the server is stopped."""
    server = start("--idle-timeout", "2")
    peers = [server.connect() for _ in range(300)]
    for peer in peers:
        peer.echo(b"before")
    with server.frozen():
        for peer in peers:
            peer.send_frame(b"waiting")
        for peer in peers:
            peer.wait_delivered()
        time.sleep(2.4)
    for peer in peers:
        peer.expect_frame(b"waiting")
    server.stop()


@pytest.mark.cause("expiry before everything that has arrived has been looked at")
def test_an_end_that_has_arrived_is_no_idle_peer(start):
    server = start("--idle-timeout", "1.5")
    peer = server.connect()
    peer.echo(b"before")
    with server.frozen():
        peer.half_close()
        peer.wait_delivered()
        time.sleep(1.8)
    peer.expect_end()
    closed = server.stop()["closed"]
    assert closed["end"] == 1 and closed["idle"] == 0


def calls_by_time(log: Path) -> list[tuple[int, str, int]]:
    """(nanoseconds, call, descriptor) of each call that slow_call.c has logged."""
    return [(int(t), call, int(fd)) for t, call, fd in (line.split() for line in log.read_text().splitlines())]


@pytest.mark.cause("a deadline is counted from a clock that was read before the event")
@pytest.mark.except_for("the C library, which slow_call.c stands before, does not make its calls", trigger="completion")
@pytest.mark.parametrize("option, call", (("--idle-timeout", "send"), ("--max-lifetime", "accept")))
@pytest.mark.inside
@preload.needed
def test_no_timeout_comes_early_by_the_length_of_a_wake_up(start, server_name, tmp_path, slow_library, option, call):
    """One recv of a wake-up takes 0.4 s, by a preloaded library. Another connection is active, or accepted, after it
    in the same wake-up: its time begins then. The library notes when: no clock of ours is compared. Over TLS the last
    send of a connection is close_notify, which is part of its end."""
    log = tmp_path / "log"
    slow = {"LD_PRELOAD": str(slow_library), "SLOW_LOG": str(log), "SLOW_TEXT": "slow"}
    server = start(option, "0.6", environment=slow)
    peers = [server.connect() for _ in range(4)] if call == "send" else [server.connect()]
    for peer in peers:
        peer.echo(b"before")
    late = []
    with server.frozen():
        for peer in peers:
            peer.send_frame(b"slow" if peer in (peers[0], peers[-1]) else b"fast")
            peer.wait_delivered()
        if call == "accept":
            late = [server.connect() for _ in range(2)]
    for peer in late or peers:
        peer.expect_gone()
    server.stop()
    entries = calls_by_time(log)
    ends = {fd: t for t, name, fd in entries if name in ("close", "shutdown")}
    notices = 1 if call == "send" and tls.options(server_name) else 0
    calls = {fd: sorted(t for t, name, other in entries if name == call and other == fd) for fd in ends}
    begins = {fd: times[-1 - notices] for fd, times in calls.items() if len(times) > notices}
    lived = [(ends[fd] - begins[fd]) / 1e9 for fd in begins]
    assert len(lived) >= len(late or peers)
    assert min(lived) >= 0.6, f"seconds from the last {call} to the end, for each connection: {lived}"


@pytest.mark.cause("progress that the server cannot see, in the kernel's buffer, is not counted")
def test_a_slow_but_steady_reader_is_not_idle(start):
    """Megabytes wait in the kernel for a peer that reads without a pause: no byte moves between server and kernel for
    longer than the timeout. They must wait at the server: a receive buffer that grows by itself (tcp(7),
    tcp_moderate_rcvbuf) may take the last of them, which have then all arrived, and no byte moves any more."""
    server = start("--idle-timeout", "1.5", "--high-water", "16000000", "--low-water", "100")
    size, count = 1_000_000, 7
    data = b"".join(frame(payload(size, i)) for i in range(count))
    peer = server.connect(receive_buffer=131_072)
    peer.send(data)
    for i in range(count):
        expected = frame(payload(size, i))
        came = bytearray()
        while len(came) < len(expected):  # some 900 kB a second
            came += peer.receive(min(45_000, len(expected) - len(came)))
            time.sleep(0.05)
        assert came == expected
    assert server.statistics()["closed"]["idle"] == 0
