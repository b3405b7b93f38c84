"""Signals: a stop that loses nothing, a second one that does not wait, statistics on request."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from suite import kernel, waiting
from suite.flood import Flood
from suite.frames import frame, header, payload

STOPS = (signal.SIGTERM, signal.SIGINT)


@pytest.mark.cause("the signal is not waited for in the same call as the descriptors")
@pytest.mark.parametrize("number", STOPS)
def test_stops_when_idle(start, number):
    server = start()
    server.signal(number)
    assert server.wait_exit() == 0
    assert server.stop()["connections"] == 0


@pytest.mark.cause("a stop drops what was pending")
@pytest.mark.parametrize("number", STOPS)
def test_a_stop_sends_what_is_pending(start, number):
    server = start(if_taken=("--drain-timeout", "60"))
    peer = server.connect(receive_buffer=4096)
    flood = Flood(server, peer, payload(100_000)).until_paused()
    before = server.statistics()
    server.signal(number)
    peer.half_close()
    received = bytearray()
    while piece := peer.socket.recv(1 << 18):
        received += piece
    assert server.wait_exit() == 0
    whole = len(received) // 100_004
    assert len(received) == whole * 100_004, "a frame was cut"
    assert before["frames"] <= whole <= flood.whole_frames
    assert received == frame(payload(100_000)) * whole


@pytest.mark.cause("what had come before the stop, in the same wake-up, is not served")
@pytest.mark.parametrize("first", ("data", "signal"))
def test_data_and_stop_in_one_wake_up(start, first):
    server = start(if_taken=("--drain-timeout", "60"))
    peers = [server.connect() for _ in range(300)]  # more than one batch of events
    for peer in peers:
        peer.echo(b"x")
    # Only a wait that sleeps is ended by the signal. A wait that begins later reports the data and keeps the signal.
    waiting.until(lambda: kernel.state(server.pid) == "S", "the server asleep in its wait")
    with server.frozen():
        if first == "signal":
            server.signal(signal.SIGTERM)
        for i, peer in enumerate(peers):
            peer.send_frame(payload(100, i))
        for peer in peers:
            peer.wait_delivered()
        if first == "data":
            server.signal(signal.SIGTERM)
    for i, peer in enumerate(peers):
        peer.expect_frame(payload(100, i))
        peer.expect_end()
        peer.close()
    assert server.wait_exit() == 0
    assert server.stop()["frames"] == 600


@pytest.mark.cause("the listener stays open during a stop")
def test_a_stop_accepts_no_more(start):
    server = start(if_taken=("--drain-timeout", "60"))
    peer = server.connect()
    peer.echo(b"x")
    server.signal(signal.SIGTERM)
    peer.expect_end()
    with pytest.raises(ConnectionRefusedError):
        server.connect("late")
    peer.close()
    assert server.wait_exit() == 0


@pytest.mark.cause("a second signal is merged with the first, or waits for the drain as well")
@pytest.mark.parametrize("second", STOPS)
def test_a_second_signal_stops_at_once(start, second):
    server = start("--drain-timeout", "3600")
    Flood(server, server.connect(receive_buffer=4096), payload(100_000)).until_paused()
    server.signal(signal.SIGTERM)
    # Only a stop that has begun can be told from a second signal: until then two of the same number may count as one.
    # The kernel may deliver SIGUSR1 and keep SIGTERM for the next wait, so statistics do not tell.
    if kernel.HAS_PROC:
        port = server.address[1]
        waiting.until(lambda: kernel.LISTEN not in [each.state for each in kernel.sockets(port)], "the listener closed")
    assert server.statistics()["connections"] == 1
    server.signal(second)
    assert server.wait_exit() == 0
    assert server.stop()["closed"]["stop"] == 1


@pytest.mark.cause("two signals that meet in one wake-up count as one")
def test_two_signals_in_one_wake_up(start):
    server = start("--drain-timeout", "3600")
    peer = server.connect()
    peer.echo(b"x")
    with server.frozen():
        server.signal(signal.SIGTERM)
        server.signal(signal.SIGINT)
    assert server.wait_exit() == 0


@pytest.mark.inside
@pytest.mark.cause("statistics are printed twice, or not flushed, or end the wait with an error")
def test_statistics_on_request(start):
    server = start()
    peer = server.connect()
    for i in range(5):
        peer.echo(payload(10, i))
        statistics = server.statistics()
        assert statistics["frames"] == i + 1
        assert statistics["connections"] == 1
    assert len([line for line in server.errors() if line.startswith("{")]) == 5


@pytest.mark.inside
@pytest.mark.cause("EINTR is taken for an error, or a signal gets lost between check and wait")
def test_a_storm_of_signals_disturbs_nobody(start):
    server = start()
    peers = [server.connect() for _ in range(5)]
    over = threading.Event()

    def storm() -> None:
        while not over.is_set():
            os.kill(server.pid, signal.SIGUSR1)

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        for turn in range(60):
            for i, peer in enumerate(peers):
                peer.send_frame(payload(3000, (turn, i)))
            for i, peer in enumerate(peers):
                peer.expect_frame(payload(3000, (turn, i)))
    finally:
        over.set()
        thread.join()


@pytest.mark.cause("EINTR is taken for an error: a stopped process that goes on has its wait interrupted")
def test_stopping_and_continuing_the_process_disturbs_nobody(start):
    server = start(if_taken=("--idle-timeout", "60"))
    peer = server.connect()
    for i in range(30):
        with server.frozen():
            pass
        peer.echo(payload(100, i))


@pytest.mark.cause("SIGPIPE has its default action: it ends the process")
def test_no_sigpipe(start):
    server = start()
    for _ in range(10):
        rude = server.connect("rude")
        rude.echo(b"accepted")
        with server.frozen():
            rude.send(frame(payload(30_000)))
            rude.reset()
        server.wait_statistics(lambda s: s["connections"] == 0, "the rude one gone")
    assert server.process.poll() is None


@pytest.mark.cause("a connection that is closing when the stop comes is closed or counted twice")
@pytest.mark.except_for("over TLS nobody sends before the server has accepted", transport="tls")
def test_a_stop_under_load_and_with_every_kind_of_connection(start):
    server = start(if_taken=("--drain-timeout", "0.5"))
    idle = server.connect("idle")
    idle.echo(b"x")
    half = server.connect("half a frame")
    half.send(header(100) + b"half")
    lingering = server.connect("lingering")
    lingering.send(b"\xff\xff\xff\xff")
    lingering.expect_end()
    Flood(server, server.connect("blocked", receive_buffer=4096), payload(100_000)).until_paused()
    with server.frozen():
        ended = server.connect("ended")
        ended.send(frame(b"last"))
        ended.half_close()
        server.signal(signal.SIGTERM)
    assert server.wait_exit() == 0
    statistics = server.stop()
    assert sum(statistics["closed"].values()) == statistics["accepted"]
    assert statistics["connections"] == 0 and statistics["buffers"] == 0
    assert statistics["closed"]["oversize"] == 1
