"""What only a server by completion can do wrong: the kernel goes on with what it was given."""

from __future__ import annotations

import time

import pytest

from suite import kernel, waiting
from suite.frames import frame, header, payload
from suite.peer import needs_in_flight

from test_descriptors import limit_to, needs_proc
from test_idle import assert_asleep

pytestmark = [pytest.mark.only(trigger="completion"), pytest.mark.inside]


@pytest.mark.cause("a receive that found no buffer has ended, and nobody arms it again")
def test_more_input_at_once_than_there_are_landings(start):
    """Sixteen peers, half a megabyte each, all of it there before the server looks: four times its landings."""
    needs_in_flight(500_000)
    server = start("--high-water", "8000000", "--low-water", "1000000")
    peers = [server.connect() for _ in range(16)]
    for peer in peers:
        for _ in range(6):  # lets the kernel widen the receive window
            peer.echo(payload(1 << 19))
    with server.frozen():
        for peer in peers:
            peer.send_ahead(frame(payload(5000)) * 100)
    for peer in peers:
        for _ in range(100):
            peer.expect_frame(payload(5000))
    for i, peer in enumerate(peers):
        peer.echo(payload(100, i))


@needs_proc
@pytest.mark.cause("an accept that found no descriptor is armed again at once, and fails at once")
def test_asleep_with_a_full_table(start):
    """The kernel takes a descriptor before it looks for a peer: an accept fails although nobody waits."""
    server = start()
    limit_to(server, 1)
    server.connect("fits").echo(b"x")
    server.connect("refused").expect_gone()
    time.sleep(1.2)  # not a wait for anything: the listener rests for a second, and what follows matters
    assert_asleep(server)
    before = server.statistics()["accepts"]
    time.sleep(0.5)
    assert server.statistics()["accepts"] - before <= 4


@needs_proc
@pytest.mark.cause("an accept keeps the descriptor limit that it was armed with")
def test_a_changed_descriptor_limit_is_noticed_when_a_connection_goes(start):
    server = start()
    limit_to(server, 1)  # lets one connection come and go after the change
    server.connect("fits").echo(b"x")
    server.connect("refused").expect_gone()
    limit_to(server, 100)
    waiting.until(lambda: server.statistics()["accepts"] > 0, "statistics")
    server.connect("in again").echo(b"x")


@pytest.mark.cause("the rest of a long frame is received in the wrong place, or twice")
def test_a_long_frame_that_comes_slowly(start):
    """Each piece has a wake-up of its own, so most of them are received into the connection's own memory."""
    server = start()
    peer = server.connect()
    data = payload(400_000)
    whole = header(len(data)) + data
    sent = 0
    for size in (3, 1, 100, 30_000, 1, 70_000, 20_000, 5, 200_000):
        peer.send(whole[sent : sent + size])
        sent += size
        server.wait_statistics(lambda s: s["bytes_in"] == sent, "a piece received")
    peer.send(whole[sent:] + frame(b"short"))
    peer.expect_frame(data)
    peer.expect_frame(b"short")
    counted = server.stop()
    assert counted["buffers"] == 0
    assert counted["bytes_in"] == counted["bytes_out"] == len(whole) + 9
    assert counted["copied_bytes"] < 2 * len(data), "the pieces were copied again and again"


@pytest.mark.cause("a receive into the connection's own memory goes on when the connection has ended")
@pytest.mark.parametrize("how", ("stop", "idle", "reset"))
def test_an_end_in_the_middle_of_a_long_frame(start, how):
    server = start("--idle-timeout", "0.5" if how == "idle" else "0", "--drain-timeout", "0.2")
    peer = server.connect()
    peer.send(header(500_000) + payload(100_000))
    server.wait_statistics(lambda s: s["bytes_in"] == 100_004, "the first part received")
    if how == "reset":
        peer.reset()
        server.wait_statistics(lambda s: s["connections"] == 0, "gone")
    elif how == "idle":
        peer.expect_gone()
    assert server.stop()["buffers"] == 0


@needs_proc
@pytest.mark.cause("close(2) does not end what the ring still has of a connection")
def test_closed_connections_are_gone_for_the_kernel_too(start):
    server = start("--idle-timeout", "1")
    before = kernel.descriptors(server.pid)
    peers = []
    for _ in range(20):
        peers.append(server.connect())
        peers[-1].echo(b"x")
    for peer in peers:
        peer.expect_gone()
    waiting.until(lambda: kernel.descriptors(server.pid) == before, "as many descriptors as at the start")


@pytest.mark.cause("a call a message is made that one call a batch could do")
@pytest.mark.parametrize("batch, most", ((100, 0.15), (10, 0.4), (1, 2.1)))
def test_calls_a_message(start, batch, most):
    """All of a batch has arrived before the server looks. Counted with what asking for statistics costs."""
    server = start()
    peers = [server.connect() for _ in range(batch)]
    for peer in peers:
        peer.echo(b"x")
    rounds = 20
    before = server.statistics()["waits"]
    for turn in range(rounds):
        server.echo_at_once(peers, payload(64, turn))
    counted = server.statistics()["waits"] - before - 2 * rounds - 2  # a stopped process has its wait ended
    assert counted / rounds / batch <= most
