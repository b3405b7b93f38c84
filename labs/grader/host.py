"""Where a program runs. The observer stays outside of it: it has the program's process number and its address, and
believes what it sees at the sockets, in /proc and by strace(1)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol as Interface

MOST_OUTPUT = 65536  # bytes of a program's own output that are kept; the rest is read and dropped


@dataclass(frozen=True)
class Launch:
    """How a program is started."""

    options: tuple[str, ...] = ()
    trace: Path | None = None  # strace's lines go here
    inject: tuple[str, ...] = ()  # strace's --inject=…: needs trace
    stdin: bytes = b""  # of a program; a server gets none


class Running(Interface):
    """A program that runs."""

    pid: int  # in the observer's process namespace

    @property
    def hurry(self) -> bool:
        """Tests of this submission have taken very long: the next ones get less time."""
        ...

    @property
    def address(self) -> tuple[str, int]:
        """Of a server: where it listens, as the kernel says (/proc/net), not as the program says. Waits until it does,
        or raises Refused."""
        ...

    def alive(self) -> bool: ...
    def signal(self, number: int) -> None: ...  # to the program alone
    def limit(self, which: int, soft: int, hard: int) -> None: ...  # resource.prlimit of it
    def wait(self, seconds: float) -> int | None: ...  # its exit status, negative for a signal; None: it still runs
    def output(self) -> tuple[bytes, bytes]: ...  # standard output and standard error so far, bounded


class Host(Interface):
    """Starts programs: LocalHost runs them as they are (our own), a sandbox those that nobody trusts."""

    def start(self, program: Path, launch: Launch) -> AbstractContextManager[Running]:
        """Leaving the context ends every process that the program has started."""
        ...


class HostFault(Exception):
    """The machine or the grader failed, not the submission: exit status 1, and no points are taken."""


class Refused(Exception):
    """The program did not start to listen, or ended at once. The text says what was seen. It costs the item."""

    def __init__(self, why: str, out: bytes = b"", err: bytes = b""):
        super().__init__(why)
        self.out, self.err = out, err


__all__: Sequence[str] = ("Host", "HostFault", "Launch", "MOST_OUTPUT", "Refused", "Running")
