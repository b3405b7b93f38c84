"""Peers that break the rules. They come one after the other in a thread, beside the load from loadgen."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable

from suite import steps
from suite.adversaries import garbage, what_is_due
from suite.frames import frame, header
from suite.peer import Peer
from suite.server import Server

MAX_FRAME = 1 << 20  # the servers' default
SMALL = 2000  # bytes: garbage consists of frames up to this size


def half_close(peer: Peer, dice: random.Random) -> int:
    """Shuts down its sending side. Everything that it sent must still come back."""
    stream = b"".join(frame(dice.randbytes(dice.choice((0, 1, 300, 20_000)))) for _ in range(dice.randrange(1, 20)))
    peer.send(stream)
    peer.half_close()
    return expect(peer, stream)


def read_late(peer: Peer, dice: random.Random) -> int:
    """Sends until no more fits, and reads nothing. Then completes the last frame and reads everything."""
    whole = frame(dice.randbytes(100_000))
    stream = whole * 150  # more than all buffers between the two can hold
    sent = peer.send_what_fits(memoryview(stream))
    due = stream[: -(-sent // len(whole)) * len(whole)]
    came = peer.receive(sent // len(whole) * len(whole))
    peer.send(due[sent:])
    peer.half_close()
    assert came == due[: len(came)], f"{len(came)} bytes were due, but other bytes came"
    return len(came) + expect(peer, due[len(came) :])


def rubbish(peer: Peer, dice: random.Random) -> int:
    stream = garbage(dice, SMALL)
    peer.send(stream)
    peer.half_close()
    return expect(peer, what_is_due(stream, MAX_FRAME)[0])


def oversize(peer: Peer, dice: random.Random) -> int:
    whole = frame(dice.randbytes(dice.randrange(0, 3000)))
    peer.send(whole + header(dice.choice((MAX_FRAME + 1, 0x80000000, 0xFFFFFFFF))) + b"more")
    return expect(peer, whole)


def expect(peer: Peer, due: bytes) -> int:
    came = peer.receive(len(due))
    assert came == due, f"{len(due)} bytes were due, but other bytes came"
    peer.expect_end()
    peer.close()
    return len(due)


def reset_in_a_frame(peer: Peer, dice: random.Random) -> int:
    peer.send(frame(dice.randbytes(5000))[: dice.randrange(0, 5000)])
    peer.reset()
    return 0


def reset_with_echoes_unread(peer: Peer, dice: random.Random) -> int:
    peer.send_what_fits(frame(dice.randbytes(10_000)) * dice.randrange(1, 200))
    peer.reset()
    return 0


def leave_at_once(peer: Peer, dice: random.Random) -> int:
    if dice.random() < 0.5:
        peer.reset()
    else:
        peer.close()
    return 0


WAYS: tuple[Callable[[Peer, random.Random], int], ...] = (
    half_close, read_late, rubbish, oversize, reset_in_a_frame, reset_with_echoes_unread, leave_at_once,
)


class Rude(threading.Thread):
    """Comes and goes until somebody calls end(). `failure` is what it found wrong, or None. `visits`: by way."""

    peer: type[Peer] = Peer
    ways: tuple[Callable, ...] = WAYS

    def __init__(self, server: Server, seed: int):
        super().__init__(daemon=True)
        self.server = server
        self.dice = random.Random(seed)
        self.over = threading.Event()
        self.visits: Counter[str] = Counter()
        self.checked = 0
        self.failure: str | None = None

    def run(self) -> None:
        while not self.over.is_set():
            way = self.dice.choice(self.ways)
            receive_buffer = self.dice.choice((None, 4096))  # a small buffer makes the server's sends short
            try:
                self.checked += way(self.peer(self.server.address, way.__name__, receive_buffer), self.dice)
                self.visits[way.__name__] += 1
            except (AssertionError, OSError) as error:
                self.failure = f"a rude peer ({way.__name__}): {error}"
                return
            steps.begin()  # forgets the recorded steps: nobody reads them, and the list would grow

    def end(self) -> None:
        self.over.set()
        self.join()
