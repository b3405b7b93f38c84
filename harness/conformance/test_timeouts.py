"""Idle, lifetime and drain timeouts: each ends what it should, and costs nothing meanwhile."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from suite import preload, servers
from suite.flood import Flood
from suite.frames import frame, header, payload

HERE = Path(__file__).parent


@pytest.mark.cause("the idle queue is not looked at, or the wait has no timeout")
@pytest.mark.parametrize("sent", (b"", b"\x00", header(100), header(100) + b"half", frame(b"whole")))
def test_a_silent_peer_is_closed(start, sent):
    """Also one that has sent half a header, or half a frame."""
    server = start("--idle-timeout", "0.3")
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
    server = start("--idle-timeout", "0.5")
    peer = server.connect(receive_buffer=4096)
    Flood(server, peer, payload(100_000)).until_paused()
    server.wait_statistics(lambda s: s["closed"]["idle"] == 1, "closed as idle though output was pending")
    peer.expect_gone()
    assert server.stop()["buffers"] == 0


@pytest.mark.cause("a later reason takes the place of the first")
def test_the_first_reason_for_an_end_stays(start):
    server = start("--idle-timeout", "0.5", "--high-water", "8000000", "--low-water", "1000000")
    peer = server.connect(receive_buffer=4096)
    peer.send(frame(payload(250_000)) * 24 + header(10))
    peer.half_close()
    server.wait_statistics(lambda s: s["connections"] == 0, "cut off, as it takes nothing")
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
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.inside
@pytest.mark.only(timeouts="timerfd")
def test_activity_does_not_set_the_timer(start, tmp_path):
    trace = tmp_path / "trace"
    server = start("--idle-timeout", "3600", wrapper=["strace", "-f", "-e", "timerfd_settime", "-o", str(trace)],
                   environment={"ASAN_OPTIONS": "detect_leaks=0"})
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
    parts = ("connections", "connection", "buffer", "frame", "address", "clock", "error")
    sources = [HERE / "count_expiry.c", *(servers.ROOT / "common" / f"{part}.c" for part in parts)]
    subprocess.run(
        ["cc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-g", "-o", program, *sources, "-lm"],
        check=True,
    )
    counts = []
    for connections in (10, 10_000):
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
             "--toggle-collect=connections_expired", "--toggle-collect=connections_deadline",
             program, str(connections)],
            check=True, capture_output=True, text=True,
        )
        assert run.stdout == "expired 3\n"
        counts.append(int(re.search(r"Collected : (\d+)", run.stderr)[1]))
    assert counts[0] > 0
    assert counts[1] == counts[0], f"instructions with 10 and with 10,000 connections: {counts}"


library = preload.library("count_clock.c")


@pytest.mark.inside
@pytest.mark.cause("the clock is read for every event in place of once a wake-up")
@preload.needed
def test_the_clock_is_read_once_a_wake_up(start, tmp_path, library):
    """A preloaded library counts clock_gettime, which makes no system call that strace could see."""
    counted = tmp_path / "count"
    server = start("--idle-timeout", "60", environment={"LD_PRELOAD": str(library), "COUNT_CLOCK": str(counted)})
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
    # Once a wait, twice at the start, and once for each line of statistics. (The emulation of kqueue
    # has timeouts of its own to keep, none of them here.)
    assert calls <= statistics["waits"] + 10, f"{calls} readings of the clock in {statistics['waits']} waits"


@pytest.mark.cause("a stop waits for ever for a peer that does not read")
def test_drain_timeout_bounds_a_stop(start):
    server = start("--drain-timeout", "0.3")
    Flood(server, server.connect(receive_buffer=4096), payload(100_000)).until_paused()
    server.signal(signal.SIGTERM)
    assert server.wait_exit() == 0
    assert server.stop()["closed"]["stop"] == 1
