"""What meets in one wake-up does not get mixed up: closes, new connections, data."""

from __future__ import annotations

import random

import pytest

from suite.frames import frame, payload


@pytest.mark.cause("an entry that is moved into the place of a removed one is passed over")
@pytest.mark.parametrize("which", ("even", "odd", "first half", "second half", "all but the last"))
def test_some_close_while_others_send(start, which):
    """In one wake-up; of those that stay each must be served, wherever the others stood."""
    server = start()
    peers = [server.connect() for _ in range(60)]
    for i, peer in enumerate(peers):
        peer.echo(payload(10, i))
    closing = {
        "even": lambda i: i % 2 == 0,
        "odd": lambda i: i % 2 == 1,
        "first half": lambda i: i < 30,
        "second half": lambda i: i >= 30,
        "all but the last": lambda i: i != 59,
    }[which]
    with server.frozen():
        for i, peer in enumerate(peers):
            if closing(i):
                peer.close()
            else:
                peer.send_frame(payload(500, i))
    for turn in range(2):
        for i, peer in enumerate(peers):
            if not closing(i):
                peer.expect_frame(payload(500, i))
                peer.send_frame(payload(500, i))
    left = sum(not closing(i) for i in range(60))
    server.wait_statistics(lambda s: s["connections"] == left, "the closed ones gone")
    assert server.stop()["closed"]["end"] == 60 - left


@pytest.mark.cause("an event of a closed connection reaches the one that took over its descriptor")
@pytest.mark.parametrize("seed", range(3))
def test_closes_and_new_connections_in_one_wake_up(start, seed):
    dice = random.Random(seed)
    server = start()
    peers = [server.connect() for _ in range(20)]
    for turn in range(15):
        fresh = []
        with server.frozen():
            for i in range(len(peers)):
                how = dice.choice(("keep", "close", "reset", "send and close", "send and reset"))
                if how == "keep":
                    continue
                if how.startswith("send"):
                    peers[i].send(frame(payload(200, turn)) + b"\x00\x00")
                if how.endswith("reset"):
                    peers[i].reset()
                else:
                    peers[i].close()
                peers[i] = server.connect()
                fresh.append(i)
                peers[i].send(frame(payload(300, (turn, i)))[:100])
        for i, peer in enumerate(peers):
            if i in fresh:
                peer.send(frame(payload(300, (turn, i)))[100:])
                peer.expect_frame(payload(300, (turn, i)))
            peer.echo(payload(50, (turn, i)))
    server.wait_statistics(lambda s: s["connections"] == 20, "as many as there should be")
    statistics = server.stop()
    assert sum(statistics["closed"].values()) == statistics["accepted"]
    assert statistics["closed"]["error"] == 0


@pytest.mark.cause("only one connection is accepted where several wait")
def test_many_connect_in_one_wake_up(start):
    server = start()
    with server.frozen():
        peers = [server.connect() for _ in range(300)]
        for i, peer in enumerate(peers):
            peer.send_frame(payload(20, i))
    for i, peer in enumerate(peers):
        peer.expect_frame(payload(20, i))
    statistics = server.stop()
    assert statistics["accepted"] == 300
    assert statistics["accepts"] <= 320, "one accept a peer, and one a batch that finds nobody"


@pytest.mark.cause("data that came before the accept is not seen, as its edge came before it was watched")
def test_data_is_there_before_the_accept(start):
    server = start()
    for i in range(20):
        with server.frozen():
            peer = server.connect()
            peer.send_frame(payload(10, i))
            peer.wait_delivered()
        peer.expect_frame(payload(10, i))


@pytest.mark.cause("two events of one connection in a batch: the second reaches it after its end")
def test_readable_and_writable_and_ended_in_one_wake_up(start):
    """kqueue reports reading and writing apart; the first may close the connection that the second is for."""
    server = start("--high-water", "100000", "--low-water", "50000")
    for i in range(10):
        peer = server.connect(receive_buffer=4096)
        stream = frame(payload(50_000)) * 64
        server.wait_statistics(
            lambda s: peer.send_what_fits(stream) < 0 or s["pauses"] == i + 1, "the connection paused"
        )
        with server.frozen():
            peer.reset()
        server.wait_statistics(lambda s: s["connections"] == 0, "the reset noticed")
    server.connect().echo(b"still here")
