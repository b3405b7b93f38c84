"""A peer that sends without reading: until the buffers between it and the server are full, and longer."""

from __future__ import annotations

from collections.abc import Callable

from suite import kernel, waiting
from suite.frames import frame
from suite.peer import Peer
from suite.server import Server
from suite.servers import burst


class Flood:
    """Repeats one frame; each call goes on where the one before had to stop, inside a frame or not."""

    def __init__(self, server: Server, peer: Peer, payload: bytes):
        self.server = server
        self.peer = peer
        self.payload = payload
        self.frame = frame(payload)
        self.sent = 0

    def more(self) -> int:
        """Sends what fits now, of a few megabytes. Returns how many bytes."""
        repeats = self.frame * (1 + 4_000_000 // len(self.frame))
        sent = self.peer.send_what_fits(repeats[self.sent % len(self.frame) :])
        self.sent += sent
        return sent

    def until_paused(self) -> Flood:
        """Sends until the server has stopped reading from one connection more than before."""
        before = self.server.statistics()["pauses"]

        def paused(statistics: dict) -> bool:
            # By completion a burst is received before its first byte is sent: a pause alone does not say that the
            # server reads no more. It must also sleep, and take nothing then: if it is busy it may have had no turn.
            sleeps = not burst(self.server.name) or kernel.rests(self.server.pid)
            sent = self.more()
            return statistics["pauses"] > before and (not burst(self.server.name) or (sleeps and sent == 0))

        self.server.wait_statistics(paused, "one more connection paused")
        return self

    def held(self) -> int:
        """How many bytes are neither with the peer nor with the kernel at either end: those that the server holds.

        The kernel tells of its queues one after the other. Bytes that go from one queue to the next in between are
        missing from both, as if the server held them. So the queues are looked at until nothing moves."""

        def look() -> tuple[int, ...]:
            self.server.statistics()  # so that the server had its turn
            return self._queued()

        return self.sent - sum(self._at_rest(look))

    def waits_for_the_server(self) -> int:
        """How many bytes wait in the kernel for a server that is stopped."""
        return sum(self._at_rest(self._queued)[:2])

    def _at_rest(self, look: Callable[[], tuple[int, ...]]) -> tuple[int, ...]:
        looks = [look()]

        def rests() -> bool:
            looks.append(look())
            return looks[-1] == looks[-2]

        waiting.until(rests, f"{self.peer.name}: no byte moves between the kernel's queues")
        return looks[-1]

    def _queued(self) -> tuple[int, ...]:
        """What waits in each queue of the kernel, on the way to the server and back."""
        side = kernel.side_of(self.server.address[1], self.peer.port)
        return self.peer.undelivered(), side.unread, side.unsent, self.peer.unread()

    @property
    def whole_frames(self) -> int:
        return self.sent // len(self.frame)

    @property
    def begun(self) -> int:
        """How many bytes of the last frame have been sent, if it was cut."""
        return self.sent % len(self.frame)

    def read_whole_frames(self) -> None:
        for _ in range(self.whole_frames):
            self.peer.expect_frame(self.payload)

    def read_back(self) -> None:
        """Reads every echo, that of the last frame too, whose rest is sent."""
        self.read_whole_frames()
        if self.begun:
            self.peer.send(self.frame[self.begun :])
            self.peer.expect_frame(self.payload)
