"""The load on the HTTP server: it takes right replies, and notices each wrong one."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections import Counter
from pathlib import Path

import pytest

from soak import http_load, rude_http
from soak.__main__ import Result
from soak.rude import leave_at_once
from suite import servers
from suite.http_peer import HttpPeer
from suite.server import Server

ALL = (*http_load.LOADS.values(), *rude_http.WAYS)
LEAVE = (rude_http.reset_in_a_request, rude_http.reset_with_replies_unread, leave_at_once)


@pytest.mark.parametrize("way", ALL, ids=lambda way: way.__name__)
def test_the_server_passes(way, tmp_path: Path) -> None:
    if reason := servers.absent("http"):
        pytest.skip(f"http: {reason}")
    http_load.make_root(tmp_path)
    dice = random.Random(1)
    with Server("http", "--root", str(tmp_path)) as server:
        for _ in range(5):
            way(HttpPeer(server.address), dice)
        closed = server.stop()["closed"]
    assert closed["error"] == (5 if way is rude_http.refused else 0)
    assert closed["oversize"] == (5 if way is rude_http.oversize else 0)


def answer(listener: socket.socket, reply: bytes) -> None:
    """As a server that has one reply for everything."""
    connection, _ = listener.accept()
    with connection, contextlib.suppress(ConnectionError):  # the peer leaves
        while connection.recv(1 << 16):
            connection.sendall(reply)


@pytest.mark.parametrize("way", [way for way in ALL if way not in LEAVE], ids=lambda way: way.__name__)
def test_a_wrong_reply_is_noticed(way) -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, args=(listener, reply), daemon=True).start()
        peer = HttpPeer(listener.getsockname())
        with pytest.raises((AssertionError, ConnectionError)):
            way(peer, random.Random(1))
        peer.close()


@pytest.mark.parametrize("error, wrong", ((3, 0), (2, 1), (4, 1)))
def test_each_refused_request_is_counted_once(error: int, wrong: int) -> None:
    result = Result("http", visits=Counter(refused=3))
    result.judge_end({"closed": {"error": error, "end": 5}, "accepted": error + 5})
    assert len(result.wrong) == wrong
