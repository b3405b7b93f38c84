"""What adversaries send, what a server must have given back when they are gone, and a link that can be taken
away."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable, TypeVar

from suite import kernel, servers, waiting
from suite.frames import HEADER, frame, header
from suite.server import Server

Value = TypeVar("Value")

# malloc(3) keeps what was freed for the next time, in lists by size and up to the last block in use. Told so
# (mallopt(3), and glibc's tunables), it keeps no lists, and gives large blocks and the end of its heap back.
RETURNS_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "16384", "MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_TOP_PAD_": "0",
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0",
}
RESIDENT_SLACK = 128 * 1024


@dataclass
class Footprint:
    """What a server holds: taken at the start, compared when all is over."""

    server: Server
    connections: int
    descriptors: int

    @classmethod
    def of(cls, server: Server) -> Footprint:
        return cls(server, server.statistics()["connections"], descriptors(server))

    def expect_back(self) -> None:
        """Waits until connections, buffers and descriptors are as they were."""
        self.server.wait_statistics(
            lambda s: s["connections"] == self.connections and s["buffers"] == 0, "connections and buffers as before"
        )
        waiting.until(lambda: descriptors(self.server) == self.descriptors,
                      f"{self.descriptors} descriptors again, there are {descriptors(self.server)}")


def descriptors(server: Server) -> int:
    return kernel.descriptors(server.pid) if kernel.HAS_PROC else 0


def can_weigh(server: Server) -> bool:
    """Does the resident size say anything? A sanitizer pads memory, and keeps what was freed; a stranger's server may
    have another allocator, and collect garbage when it likes."""
    return kernel.HAS_PROC and servers.sanitizer() is None and server.name in servers.OF


def resident(server: Server) -> int:
    return kernel.memory_bytes(server.pid, "VmRSS")


def again_and_again(server: Server, attack: Callable[[], None], least: int = 3, most: int = 8) -> int:
    """At first, memory may grow to what the attack needs and to the holes that it leaves; then two attacks must
    take no more of it. What is lost each time is lost in all of them. The server is to be started with
    RETURNS_MEMORY. Returns how many attacks there were."""
    before = Footprint.of(server)
    sizes: list[int] = []
    while len(sizes) < least or (sizes[-1] - sizes[-3] > RESIDENT_SLACK and len(sizes) < most):
        attack()
        before.expect_back()
        sizes.append(resident(server) if can_weigh(server) else 0)
    assert sizes[-1] - sizes[-3] <= RESIDENT_SLACK, f"resident after each of the same attacks: {sizes}"
    return len(sizes)


# -- bytes that are no frames ----------------------------------------------------------------------


def what_is_due(stream: bytes, max_frame: int) -> tuple[bytes, str]:
    """The echoes that docs/protocol.md promises for any bytes followed by an end, and the reason counted."""
    at = 0
    while len(stream) - at >= HEADER.size:
        (length,) = HEADER.unpack_from(stream, at)
        if length > max_frame:
            return stream[:at], "oversize"
        if length > len(stream) - at - HEADER.size:
            break
        at += HEADER.size + length
    return stream[:at], "end" if at == len(stream) else "truncated"


def garbage(dice: random.Random, max_frame: int) -> bytes:
    """Any bytes; or frames, of which most are followed by something else, or cut."""
    if dice.random() < 0.3:
        return dice.randbytes(dice.randrange(0, 5000))
    frames = b"".join(frame(dice.randbytes(dice.randrange(0, max_frame + 1))) for _ in range(dice.randrange(0, 12)))
    how = dice.randrange(4)
    if how == 0:
        return frames
    if how == 1:
        return frames[: dice.randrange(0, len(frames) + 1)]
    if how == 2:  # too long, by little
        return frames + header(max_frame + dice.randrange(1, 10)) + dice.randbytes(max_frame + 10)
    return frames + dice.randbytes(dice.randrange(1, 100))


# -- another network -------------------------------------------------------------------------------

CLONE_NEWNET = 0x40000000


def _ip(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True)


class Link:
    """A pair of virtual interfaces: `here` is an address of this system, the other end is in a network
    namespace of its own."""

    def __init__(self, number: int):
        self.space = f"echo-peers-{number}"
        self.inner, self.outer = f"ein{number}", f"eout{number}"
        net = f"198.18.{number // 64 % 256}"  # RFC 2544: for tests of network devices
        host = number % 64 * 4
        self.here, self.there = f"{net}.{host + 1}", f"{net}.{host + 2}"

    def _make(self) -> str | None:
        """Returns why it cannot be made, or None."""
        for command in (
            ("netns", "add", self.space),
            ("link", "add", self.outer, "type", "veth", "peer", "name", self.inner, "netns", self.space),
            ("addr", "add", f"{self.here}/30", "dev", self.outer),
            ("link", "set", self.outer, "up"),
            ("-n", self.space, "addr", "add", f"{self.there}/30", "dev", self.inner),
            ("-n", self.space, "link", "set", self.inner, "up"),
        ):
            done = _ip(*command)
            if done.returncode != 0:
                return f"ip {' '.join(command)}: {done.stderr.strip()}"
        return None

    def down(self) -> None:
        """From now on nothing passes: no FIN, no reset, no acknowledgement."""
        assert _ip("-n", self.space, "link", "set", self.inner, "down").returncode == 0

    def up(self) -> None:
        assert _ip("-n", self.space, "link", "set", self.inner, "up").returncode == 0

    def inside(self, action: Callable[[], Value]) -> Value:
        """Runs action in a thread that has moved into the namespace: its sockets stay there."""
        results: list[Value] = []
        failures: list[BaseException] = []

        def move_and_run() -> None:
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                space = os.open(f"/run/netns/{self.space}", os.O_RDONLY)
                try:
                    if libc.setns(space, CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                finally:
                    os.close(space)
                results.append(action())
            except BaseException as error:  # handed on to the thread that asked
                failures.append(error)

        thread = threading.Thread(target=move_and_run)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]
        return results[0]

    def _remove(self) -> None:
        _ip("link", "del", self.outer)
        _ip("netns", "del", self.space)


def cannot_link() -> str | None:
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "only root may make a network namespace"
    if shutil.which("ip") is None:
        return "ip (iproute2) is not installed"
    return None


@contextlib.contextmanager
def link() -> Iterator[Link | str]:
    """A link, or why there is none. It is gone at the end."""
    if reason := cannot_link():
        yield reason
        return
    one = Link(os.getpid() % 16384)
    try:
        yield one._make() or one
    finally:
        one._remove()
