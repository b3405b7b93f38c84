"""A running server, seen from outside: by the kernel and by its exit status. It is never asked anything."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from collections.abc import Iterator, Sequence
from typing import Any

from suite import kernel, waiting

from grader.host import HostFault, Running
from grader.stillness import rests
from grader.telling import ending, last_words

ENDS_WITHIN = 5.0  # seconds from the end of its sockets to the end of a process, on a busy machine


class Failure(AssertionError):
    def __init__(self, expected: str, came: str):
        super().__init__(f"expected {expected}; came {came}")
        self.expected, self.came = expected, came


class Subject:
    """A running server, as suite.play wants one."""

    tells = False
    secure = False
    implementation = "native"

    def __init__(self, running: Running):
        self.running = running
        self.address = running.address  # waits until it listens
        self.may_cut = 0  # connections that an injected fault may cost
        self.stops = 0  # signals that ask it to stop
        self._dead: int | None = None
        self._at_first: tuple[int, int] | None = None

    def over(self, connected: Any) -> Any:
        return connected

    def errors(self) -> list[str]:
        return []

    def statistics(self) -> dict:
        return {}

    wait_statistics: Any = None  # never asked
    wait_exit: Any = None
    stop: Any = None

    # -- what the kernel shows ---------------------------------------------------------------------

    def status(self, seconds: float = 0.0) -> int | None:
        """The exit status, once it has one."""
        if self._dead is None:
            self._dead = self.running.wait(seconds)
        return self._dead

    def ends_now(self) -> bool:
        """Its sockets are closed a moment before it has ended. Or it goes on, and sleeps."""
        pid, until = self.running.pid, time.monotonic() + ENDS_WITHIN
        while self.running.alive() and not rests(pid) and time.monotonic() < until:
            time.sleep(0.005)
        return self.gone()

    def gone(self) -> bool:
        return self.status() is not None or not self.running.alive()

    def connections(self) -> dict[int, kernel.Socket]:
        """Those that it has accepted and not closed, by the peer's port."""
        return {each.peer_port: each for each in self._sockets() if each.owned}

    def _sockets(self) -> list[kernel.Socket]:
        return [each for each in kernel.sockets(self.address[1]) if each.state != kernel.LISTEN]

    def moving(self, reading: Sequence[int]) -> object:
        """Differs as long as bytes may be under way: between its kernel and these ports, or to itself."""
        there = self._sockets()
        if any(each.unsent and each.peer_port in reading for each in there):
            return object()
        return sorted((each.peer_port, each.state, each.unsent, each.unread) for each in there)

    def open_sockets(self) -> int:
        """The kernel forgets a connection that is over, also if its descriptor was never closed. 0 where nobody may
        look."""
        count = 0
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{self.running.pid}/fd"):
                with contextlib.suppress(FileNotFoundError):
                    count += os.readlink(entry.path).startswith("socket:")
        return count

    def memory(self) -> int:
        with self._looking():
            return kernel.memory_bytes(self.running.pid, "RssAnon")

    @contextlib.contextmanager
    def _looking(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self.gone():
                raise Failure("the server runs", self.end()) from None
            raise HostFault(f"cannot look at process {self.running.pid}: {error}") from None

    # -- what is done to it ------------------------------------------------------------------------

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.running.signal(number)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        self.signal(signal.SIGSTOP)
        stopped = waiting.until(self._stopped, "the server stopped by SIGSTOP")
        try:
            yield
        finally:
            if stopped == "stopped":
                self.signal(signal.SIGCONT)

    def _stopped(self) -> str:
        if self.gone():
            return "gone"
        with contextlib.suppress(OSError):
            return "stopped" if kernel.state(self.running.pid) in ("T", "t") else ""
        return ""

    def leave_room(self, room: int | None) -> None:
        """It can open so many descriptors more; None: as many as at first."""
        with self._looking():
            self._at_first = self._at_first or kernel.descriptor_limits(self.running.pid)
        soft, hard = self._at_first
        if room is not None:
            with self._looking():
                soft = kernel.limit_for(self.running.pid, room)
        with self._looking():
            self.running.limit(resource.RLIMIT_NOFILE, soft, hard)

    # -- how it ended ------------------------------------------------------------------------------

    def end(self) -> str:
        status = self.status(waiting.PATIENCE)
        because = getattr(self.running, "killed_because", "")
        if because:
            return f"the sandbox ended it: {because}"
        return "\n".join([f"the server ended: {ending(status)}", *last_words(self.running.output()[1])])
