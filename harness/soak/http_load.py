"""What loadgen is to the servers of docs/protocol.md, for HTTP: one load, each of whose replies is checked.

Prints what load.finish() reads of loadgen's results. Exit status: 0, or 3 if a reply was wrong or did not come."""

from __future__ import annotations

import argparse
import json
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

from suite import ending, steps
from suite.http_peer import HttpPeer, chunks, get, post, post_chunked

ERRORS = 3
PEERS = 4
FILES = {"index.html": 13, "page.txt": 30_000, "large.bin": 1_500_000}  # name and size in bytes


def make_root(root: Path) -> None:
    """The files that the load asks for."""
    for name, size in FILES.items():
        (root / name).write_bytes(body_of(name, size))


def body_of(name: str, size: int) -> bytes:
    return random.Random(name).randbytes(size)


BODIES = {name: body_of(name, size) for name, size in FILES.items()}


def small(peer: HttpPeer, dice: random.Random) -> int:
    """Small bodies, many in one segment."""
    bodies = [dice.randbytes(dice.randrange(200)) for _ in range(16)]
    peer.send(b"".join(map(post, bodies)))
    for body in bodies:
        assert peer.reply().body == body, "another body came back"
    return len(bodies)


def chunked(peer: HttpPeer, dice: random.Random) -> int:
    """Bodies of all sizes in chunks of all sizes, in pieces."""
    body = dice.randbytes(dice.choice((0, 1, 5000, 70_000)))
    request = post_chunked(chunks(body, dice.randrange(1, 9000)))
    cut = dice.randrange(len(request))
    peer.send(request[:cut])
    peer.send(request[cut:])
    assert peer.reply().body == body, "another body came back"
    return 1


def files(peer: HttpPeer, dice: random.Random) -> int:
    """Files, with requests behind them, and one that is not there."""
    names = [dice.choice([*BODIES]) for _ in range(3)]
    peer.send(b"".join(get(f"/{name}") for name in names) + get("/missing") + get("/page.txt", method="HEAD"))
    for name in names:
        assert peer.reply().body == BODIES[name], f"{name} came with other bytes"
    assert peer.reply().status == 404, "a file that is not there was found"
    assert peer.reply(to_head=True).fields["content-length"] == str(FILES["page.txt"])
    return len(names) + 2


LOADS: dict[str, Callable[[HttpPeer, random.Random], int]] = {each.__name__: each for each in (small, chunked, files)}


class Peers(threading.Thread):
    """One peer after the other, each for some requests."""

    def __init__(self, port: int, until: float, seed: str, load: str):
        super().__init__(daemon=True)
        self.port, self.until, self.load = port, until, LOADS[load]
        self.dice = random.Random(seed)
        self.answered = 0
        self.wrong = ""

    def run(self) -> None:
        try:
            while time.monotonic() < self.until:
                self._one_peer()
                steps.begin()  # forgets the recorded steps
        except (AssertionError, OSError) as error:
            self.wrong = f"{type(error).__name__}: {error}"

    def _one_peer(self) -> None:
        peer = HttpPeer(("127.0.0.1", self.port), self.load.__name__, self.dice.choice((None, 4096)))
        for _ in range(self.dice.randrange(1, 20)):
            if time.monotonic() >= self.until:
                break
            self.answered += self.load(peer, self.dice)
        peer.half_close()
        peer.expect_end()
        peer.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="http_load", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("seed")
    parser.add_argument("load", choices=LOADS)
    given = parser.parse_args()
    until = time.monotonic() + given.seconds
    peers = [Peers(given.port, until, f"{given.seed}/{i}", given.load) for i in range(PEERS)]
    for each in peers:
        each.start()
    for each in peers:
        each.join()
    wrong = [each.wrong for each in peers if each.wrong]
    print(json.dumps({
        "counts": {"answered": sum(each.answered for each in peers), "unanswered": 0},
        "errors": {"wrong": len(wrong)}, "error_examples": wrong,
    }))  # fmt: skip
    return ERRORS if wrong else 0


if __name__ == "__main__":
    ending.run(main, "http_load", unread=1)
