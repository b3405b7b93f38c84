"""What a peer must get from a server, from what it has sent: docs/protocol.md as a model without buffers.

In the protocol of docs/protocol.md an echo is what was sent. In a variant the reply to a frame has the same length, so
the first `whole` bytes of both streams belong together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from suite.protocol import ECHO, Protocol


@dataclass
class PeerModel:
    """One connection: what its peer has handed to its kernel, and what follows from that."""

    protocol: Protocol = ECHO
    sent: bytearray = field(default_factory=bytearray)
    replies: bytearray = field(default_factory=bytearray)  # to the whole frames: all of them are due
    whole: int = 0  # bytes in whole frames
    frames: int = 0
    received: int = 0
    oversize: bool = False
    half_closed: bool = False
    cut: bool = False  # the peer has reset the connection, or closed it with echoes under way
    saw_end: bool = False
    idled: bool = False  # the server has closed it as idle
    refused: bool = False  # the server was stopped before it accepted the connection
    stopped: bool = False  # the server was stopped while the connection was open
    owed_at_stop: bool = True  # all that was sent had reached the server, which was reading: all of it is due

    def send(self, data: bytes) -> None:
        self.sent += data
        if self.oversize:
            return
        with memoryview(self.sent)[self.whole :] as rest:
            scan = self.protocol.scan(rest)
            self.replies += self.protocol.replies(rest[: scan.whole])
        self.whole += scan.whole
        self.frames += scan.frames
        self.oversize = scan.refused

    @property
    def due(self) -> int:
        """How many bytes of echoes are still to come."""
        return self.whole - self.received

    @property
    def tail(self) -> bool:
        """Does the stream end inside a frame so far?"""
        return len(self.sent) > self.whole

    @property
    def ends(self) -> bool:
        """Will the server end its stream once the echoes are sent?"""
        return self.oversize or self.half_closed or self.stopped

    def receive(self, data: bytes) -> None:
        """Fails unless these bytes are the next ones that are due."""
        until = self.received + len(data)
        assert until <= self.whole, (
            f"{until} bytes came, only {self.whole} make up whole frames so far: {bytes(data[-16:]).hex(' ')}"
        )
        due = self.replies[self.received : until]
        if data != due:
            at = next(i for i, (came, right) in enumerate(zip(data, due)) if came != right)
            raise AssertionError(
                f"differs from byte {self.received + at} on: expected {bytes(due[at:at + 16]).hex(' ')}, "
                f"came {bytes(data[at:at + 16]).hex(' ')}"
            )
        self.received = until

    def end(self) -> None:
        """Fails unless the server may end its stream now, in order."""
        assert self.ends, f"the server ended the stream without a reason, with {self.due} bytes due"
        if not self.owed_at_stop:
            between_frames = self.protocol.scan(self.replies[: self.received]).whole == self.received
            assert between_frames, f"the server stopped inside a frame, after {self.received} bytes"
            self.whole = self.received
        assert self.due == 0, f"the server ended the stream with {self.due} of {self.whole} bytes not echoed"
        self.saw_end = True

    @property
    def exact(self) -> bool:
        """Has the server certainly taken all that was sent?"""
        return not (self.cut and not self.saw_end) and not self.idled and self.owed_at_stop

    @property
    def all_read(self) -> bool:
        """Has it read what comes behind an oversize header, too? A reset throws away what it has not read yet."""
        return self.exact and not (self.cut and self.oversize)

    def reasons(self) -> set[str]:
        """Which of the close reasons the server may count. More than one only where the peer's cut and
        what it sent before race each other, or where the server was free to call it idle."""
        if self.oversize:
            natural = {"oversize"}
        elif self.half_closed:
            natural = {"truncated" if self.tail else "end"}
        else:
            natural = set()
        if self.stopped and (not natural or not self.owed_at_stop):
            natural = natural | {"stop"}
        if self.saw_end and not self.idled:
            return natural
        if self.idled:
            natural = natural | {"idle"}
        return natural | {"reset"} if self.cut else natural


def possible(counted: dict[str, int], allowed: Iterable[set[str]]) -> bool:
    """Can each connection be given one of its reasons so that the server's counts come out? A connection with the
    reason "" may be one that the server has not counted."""
    left = Counter({reason: count for reason, count in counted.items() if count})

    def assign(rest: list[set[str]]) -> bool:
        if not rest:
            return not +left
        for reason in rest[0]:
            if not reason and assign(rest[1:]):
                return True
            if left[reason] > 0:
                left[reason] -= 1
                if assign(rest[1:]):
                    return True
                left[reason] += 1
        return False

    return assign(sorted(allowed, key=len))
