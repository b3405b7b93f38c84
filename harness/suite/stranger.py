"""A server that is not in the list. It prints no statistics of ours, and SIGUSR1 would end it: so what a test asks the
server for is taken from the kernel, and what only the server could tell agrees with whatever the test asserts of it.
All that a peer can see is asserted as it is of the other servers."""

from __future__ import annotations

import functools
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from suite import kernel, peer, servers, steps, waiting
from suite.server import Server, ending

READY_WITHIN = 10.0  # seconds
HELP_WITHIN = 5.0


class Unknown:
    """A figure that nobody can tell: equal to any other, and above and below it. So is what is computed from it."""

    def _itself(self, *_: object) -> Unknown:
        return self

    def _agrees(self, _: object) -> bool:
        return True

    __getitem__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __floordiv__ = values = _itself
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _agrees
    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[Unknown]:
        yield self  # so that the sum of its values is unknown, too

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = Unknown()


class Shown:
    """In place of statistics: `connections`, and `pauses`, which is how many of them have input that the server leaves
    unread. Nothing else is known."""

    def __init__(self, server: Server):
        self.server = server

    def __getitem__(self, name: str) -> int | Unknown:
        if name not in ("connections", "pauses"):
            return UNKNOWN
        if not kernel.HAS_PROC:
            pytest.skip(f"what becomes of the connections of a server that tells nothing: {kernel.NO_PROC}")
        owned = [each for each in kernel.sockets(self.server.address[1]) if each.owned and each.state != kernel.LISTEN]
        return len(owned) if name == "connections" else sum(each.unread > 0 for each in owned)


class StrangersServer(Server):
    """What a test can do with it is what it can do with any other."""

    tells = False
    memory_slack = 256 << 20

    def __init__(self, name: str, *options: str, if_taken: tuple[str, ...] = (), **how: object):
        given = servers.stranger()
        taken = options_of(given)
        lacking = [option for option in options if option.startswith("--") and option not in taken]
        if lacking or how.get("wrapper"):
            pytest.skip(f"{name} takes no {lacking[0]}" if lacking else "looks into the server")
        surer = [word for i, word in enumerate(if_taken) if if_taken[i - i % 2] in taken]
        self.backlog = given.backlog
        super().__init__(name, *options, *surer, **{"ready_within": READY_WITHIN, **how})

    # -- what it does, seen from outside -----------------------------------------------------------

    def at_rest(self) -> None:
        """Waits until it has nothing to do: it sleeps in two looks in a row, and has not run in between."""
        if not kernel.HAS_PROC:
            with peer.Peer(self.address, "asks whether it is through") as one:
                one.echo(b"")
            return

        def still() -> bool:
            return self.process.poll() is not None or kernel.rests(self.process.pid)

        waiting.until(still, f"{self.name}: nothing to do; it does not sleep")

    def statistics(self) -> Shown:
        self.at_rest()
        return Shown(self)

    def wait_statistics(self, condition: Callable[[Shown], bool], what: str) -> Shown:
        waiting.until(lambda: condition(self.statistics()), f"{self.name}: {what}")
        steps.note(f"{self.name}: the kernel shows {what}, as far as it can")
        return Shown(self)

    def wait_error(self, pattern: str, count: int = 1) -> list[str]:
        """What it writes to its log is its own affair."""
        self.at_rest()
        return []

    def expect_errors(self, pattern: str, count: int = 1) -> list[str]:
        return self.wait_error(pattern)

    # -- peers and the end -------------------------------------------------------------------------

    def connect_many(self, count: int) -> list[peer.Peer]:
        """One by one: its queue may be short."""
        new = [peer.Peer(self.address, f"{i + 1} of many") for i in range(count)]
        self._many += new
        self.at_rest()
        return new

    def stop(self) -> Shown:
        """As of the others, but that a server which SIGTERM just ends will do: what a stop has to do has its tests."""
        self._close_peers()
        crashed = self.crash()
        assert not crashed, crashed
        if self.process.poll() is None:
            if not stops(self.name):
                self.kill()
                return Shown(self)
            self.ask_to_stop()
        status = self.wait_exit()
        said = "\n".join(self.report())
        assert status in (0, -signal.SIGTERM), f"{self.name}: {ending(status)} after SIGTERM\n{said}"
        return Shown(self)


@functools.cache
def options_of(given: servers.Stranger) -> frozenset[str]:
    """The options that it takes: as its server.toml says, or else those that its --help names."""
    if given.options is not None:
        return frozenset(given.options)
    try:
        told = subprocess.run(
            [str(given.program), "--help"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=HELP_WITHIN, errors="replace",
        )
    except subprocess.TimeoutExpired:  # it has no --help, and serves
        return frozenset()
    return frozenset(re.findall(r"--[a-z][a-z-]*", told.stdout + told.stderr))


@functools.cache
def stops(name: str) -> bool:
    """Does SIGTERM end it at all, when it has nothing to do?"""
    with StrangersServer(name) as server:
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        while server.process.poll() is None and time.monotonic() - began < READY_WITHIN:
            time.sleep(0.01)
        return server.process.poll() is not None
