"""A timeout for each stage of a request."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from suite import kernel, needs, waiting
from suite.http_peer import chunks, get, post, post_chunked

SHORT = "0.2"


@pytest.mark.parametrize("part", (b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n", b"\r\nG"))
def test_a_head_that_does_not_come_whole(launch, part: bytes) -> None:
    server = launch("--header-timeout", SHORT)
    peer = server.talk()
    peer.send(part)
    reply = peer.reply()
    assert (reply.status, reply.closes) == (408, True)
    peer.expect_end()
    server.wait_statistics(lambda s: s["closed"]["idle"] == 1, "it counts as idle")


def is_refused_while_bytes_come(peer) -> None:
    def refused() -> bool:
        peer.send(b"a")
        time.sleep(0.02)
        return peer.has_input()

    waiting.until(refused, "408 although bytes keep coming")
    assert peer.reply().status == 408
    peer.expect_end()


def test_a_head_that_comes_byte_by_byte(launch) -> None:
    """Slowloris: each byte comes in time, and the head never does."""
    peer = launch("--header-timeout", SHORT).talk()
    peer.send(b"GET / HTTP/1.1\r\nA: ")
    is_refused_while_bytes_come(peer)


def test_a_second_head_has_a_time_of_its_own(launch) -> None:
    peer = launch("--header-timeout", SHORT).talk()
    peer.send(post(b"one") + b"GET /")
    assert peer.reply().body == b"one"
    assert peer.reply().status == 408


@pytest.mark.parametrize("request_", (post(b"hello")[:-1], post_chunked(b"5\r\nhel"), post_chunked(b"")))
def test_a_body_that_does_not_come_whole(launch, request_: bytes) -> None:
    peer = launch("--body-timeout", SHORT).talk()
    peer.send(request_)
    reply = peer.reply()
    assert (reply.status, reply.closes) == (408, True)
    peer.expect_end()


@pytest.mark.parametrize("request_", (post(b"x" * 20), post_chunked(chunks(b"x" * 20, 1))), ids=("length", "chunked"))
def test_a_body_may_take_longer_than_its_timeout(launch, request_: bytes) -> None:
    peer = launch("--body-timeout", "1").talk()
    head, _, body = request_.partition(b"\r\n\r\n")
    peer.send(head + b"\r\n\r\n")
    step = len(body) // 20
    for at in range(0, len(body), step):
        time.sleep(0.1)
        peer.send(body[at : at + step])
    assert peer.reply().body == b"x" * 20


@pytest.mark.parametrize("part", (b"0;", b"5;", b"1\r\nx\r\n5;", b"0\r\nA: "))
def test_what_frames_chunks_does_not_renew_the_time_of_a_body(launch, part: bytes) -> None:
    """Slowloris once more: an extension or a trailer comes byte by byte, and content never does."""
    peer = launch("--body-timeout", SHORT).talk()
    peer.send(post_chunked(part))
    is_refused_while_bytes_come(peer)


def test_earlier_replies_do_not_renew_the_time_of_a_body(launch) -> None:
    """They cannot leave, since the peer does not read. A call that would block is no byte of the body."""
    server = launch("--body-timeout", "1", "--drain-timeout", SHORT, "--high-water", "10000000")
    peer = server.talk(receive_buffer=4096)
    peer.send(post(b"x" * 50_000) * 61 + post(b"hello")[:-4])
    server.wait_statistics(lambda s: s["frames"] == 61, "all but the last are answered")
    server.wait_statistics(lambda s: s["closed"]["idle"] == 1, "the last one's time is over")


@pytest.mark.parametrize("what", ("file", "large echo", "pipelined echoes"))
def test_a_peer_that_never_reads_is_idle(launch, root: Path, what: str) -> None:
    """Its output is tried once more before it is judged, and that is no activity."""
    (root / "large").write_bytes(bytes(10_000_000))
    server = launch("--root", str(root), "--idle-timeout", "1", "--max-frame", "8000000")
    peer = server.talk(receive_buffer=4096)
    if what == "pipelined echoes":
        while server.statistics()["pauses"] == 0:
            peer.send_what_fits(post(b"x" * 1000) * 50)
    else:
        peer.send(get("/large") if what == "file" else post(bytes(8_000_000)))
    server.wait_statistics(lambda s: s["closed"]["idle"] == 1, "it counts as idle")


@pytest.mark.parametrize("before", (b"", post(b"hello"), b"\r\n"))
def test_between_requests_the_close_is_silent(launch, before: bytes) -> None:
    """A 408 could meet a request that is on its way, and be taken for the answer to it."""
    peer = launch("--keep-alive-timeout", SHORT).talk()
    peer.send(before)
    if b"hello" in before:
        assert peer.reply().body == b"hello"
    peer.expect_end()


def test_each_stage_has_only_its_own_timeout(launch) -> None:
    """One peer in each stage, and only the one whose timeout is short is ended."""
    for option, ended in (("--header-timeout", 0), ("--body-timeout", 1), ("--keep-alive-timeout", 2)):
        server = launch(option, SHORT)
        peers = [server.talk() for _ in range(3)]
        peers[0].send(b"GET /")
        peers[1].send(post(b"hello")[:-1])
        waiting.until(peers[ended].has_input, f"the end by {option}")
        assert [peer.has_input() for peer in peers] == [i == ended for i in range(3)]
        peers[0].send(b"echo HTTP/1.1\r\nHost: x\r\n\r\n") if ended != 0 else None
        peers[1].send(b"o") if ended != 1 else None
        peers[2].send(get("/nothing")) if ended != 2 else None
        assert [peer.reply().status for i, peer in enumerate(peers) if i != ended] == [
            status for i, status in enumerate((405, 200, 404)) if i != ended
        ]


def test_zero_switches_them_off(launch) -> None:
    server = launch("--header-timeout", "0", "--body-timeout", "0", "--keep-alive-timeout", "0")
    peers = [server.talk() for _ in range(3)]
    peers[0].send(b"GET /")
    peers[1].send(post(b"hello")[:-1])
    server.wait_statistics(lambda s: s["reads"] >= 2, "both were read")
    waiting.until(lambda: kernel.state(server.pid) == "S", "the server sleeps")
    assert not any(peer.has_input() for peer in peers)


@pytest.mark.parametrize("count", (300,))
def test_many_expire_together(launch, count: int) -> None:
    server = launch("--keep-alive-timeout", SHORT)
    peers = server.connect_many(count)
    server.wait_statistics(lambda s: s["closed"]["idle"] + s["connections"] == count, "all are there or gone")
    for peer in peers:
        peer.expect_end()


def test_waiting_takes_few_wake_ups(launch) -> None:
    """A timeout that is rounded down makes the last wait of many."""
    server = launch("--header-timeout", SHORT, "--body-timeout", SHORT, "--keep-alive-timeout", SHORT)
    before = server.statistics()["waits"]
    peer = server.talk()
    peer.send(b"GET /")
    assert peer.reply().status == 408
    assert server.statistics()["waits"] - before < 12


@needs.descriptors(700)
@pytest.mark.cause("a time that is over ends a connection although its request has come: the wait had no room for it")
def test_requests_that_one_wait_has_no_room_for_beat_the_time(launch) -> None:
    """One wait brings 256 events. When the server goes on, all requests are there and all times are over."""
    server = launch("--keep-alive-timeout", SHORT)
    peers = [server.talk() for _ in range(300)]
    for peer in peers:
        assert peer.ask(post(b"before")).status == 200
    with server.frozen():
        for peer in peers:
            peer.send(post(b"after"))
        waiting.until(lambda: all(each.unread for each in of_peers(server)), "every request has come")
        time.sleep(2 * float(SHORT))
    for peer in peers:
        assert peer.reply().body == b"after"


def of_peers(server) -> list[kernel.Socket]:
    """The server's ends of its connections."""
    return [each for each in kernel.sockets(server.address[1]) if each.state != kernel.LISTEN and each.owned]
