"""Peers that break the rules of HTTP, or only just keep them."""

from __future__ import annotations

import random
from collections.abc import Callable

from soak.http_load import BODIES
from soak.rude import Rude, leave_at_once
from suite.http_peer import HttpPeer, chunks, get, post, post_chunked


def end_of(peer: HttpPeer) -> None:
    peer.expect_end()
    peer.close()


def half_close(peer: HttpPeer, dice: random.Random) -> int:
    """Shuts down its sending side. Each whole request must still be answered."""
    bodies = [dice.randbytes(dice.choice((0, 1, 300, 20_000))) for _ in range(dice.randrange(1, 20))]
    peer.send(b"".join(map(post, bodies)) + dice.choice((b"", post(b"cut off")[:-3], b"GET /")))
    peer.half_close()
    for body in bodies:
        assert peer.reply().body == body, "another body came back"
    end_of(peer)
    return len(bodies)


def read_late(peer: HttpPeer, dice: random.Random) -> int:
    """Asks for files that no buffer can hold, with requests behind them, and reads only when nothing more fits."""
    count, body = 3, dice.randbytes(50_000)
    stream = memoryview((get("/large.bin") + post(body)) * count)
    sent = peer.send_what_fits(stream)
    whole = peer.reply()  # until it is read, the server reads nothing more
    peer.send(stream[sent:].tobytes())
    peer.half_close()
    for turn in range(count):
        assert (whole if turn == 0 else peer.reply()).body == BODIES["large.bin"], "other bytes came"
        assert peer.reply().body == body, "another body came back"
    end_of(peer)
    return 2 * count


def expect_refusal(peer: HttpPeer, request: bytes, status: int) -> int:
    peer.send(post(b"before"))
    assert peer.reply().body == b"before", "another body came back"
    peer.send(request + b"more")
    assert peer.reply().status == status, f"{request[:40]!r} was not refused with {status}"
    end_of(peer)
    return 2


def refused(peer: HttpPeer, dice: random.Random) -> int:
    """What no server may take."""
    return expect_refusal(peer, *dice.choice((
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (post_chunked(b"xyz\r\n"), 400),
        (get("/" + "x" * 9000), 414),
        (get("/", "X: " + "x" * 17_000), 431),
        (dice.randbytes(10).replace(b"\r", b"x").replace(b"\n", b"y") + b"\0\r\n\r\n", 400),
    )))  # fmt: skip


def oversize(peer: HttpPeer, dice: random.Random) -> int:
    size = dice.choice((1 + (1 << 20), 1 << 32, 1 << 62))
    return expect_refusal(peer, f"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode(), 413)


def reset_in_a_request(peer: HttpPeer, dice: random.Random) -> int:
    request = dice.choice((post(dice.randbytes(5000)), post_chunked(chunks(dice.randbytes(5000), 700))))
    peer.send(request[: dice.randrange(len(request))])
    peer.reset()
    return 0


def reset_with_replies_unread(peer: HttpPeer, dice: random.Random) -> int:
    peer.send_what_fits(memoryview((get("/large.bin") + post(dice.randbytes(10_000))) * dice.randrange(1, 50)))
    peer.reset()
    return 0


WAYS: tuple[Callable[[HttpPeer, random.Random], int], ...] = (
    half_close, read_late, refused, oversize, reset_in_a_request, reset_with_replies_unread, leave_at_once,
)


class RudeHttp(Rude):
    peer = HttpPeer
    ways = WAYS
