"""The traces that are expected: a change of what a server asks of the kernel is seen in review."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from suite import servers
from suite.script import Script, load


class CannotTrace(Exception):
    """Its text says why, in one line."""


HERE = Path(__file__).parent
SCRIPTS = {path.stem: path for path in sorted((HERE / "scripts").glob("*.json"))}
# The kernel decides how a flood is cut into pieces: another trace each time.
RECORDINGS = {"flood", "more-than-a-read", "short-send"}
EXPECTED = tuple(name for name in SCRIPTS if name not in RECORDINGS)
# Those whose calls strace sees, in an order that does not depend on which thread runs first.
TRACED = tuple(
    kind.name for kind in servers.KINDS
    if kind.waits and kind.protocol == "frames" and kind.transport == "plain" and kind.threads == "one"
    and kind.trigger != "completion"
)  # fmt: skip
# Two more for the steppers of the site, on one script: without workers one-shot has one order, and of io_uring(7)
# strace sees when entries are handed over, and how many.
STEPPED = "two-peers-at-once"
OF_STEPS = {"epoll_oneshot": ("--workers", "0"), "uring": ()}


def script(name: str) -> Script:
    return load(SCRIPTS[name], may_replace=True)


def path_of(name: str, server: str) -> Path:
    return HERE / "golden" / name / f"{server}.txt"


@dataclass
class Accepted:
    """What --accept has done with the traces, and does with the next. `named`: who calls it has named what is written;
    otherwise a trace that no two runs have in common is left alone as long as it holds."""

    named: bool = True
    written: list[Path] = field(default_factory=list)  # they are other than before
    same: int = 0
    left: list[Path] = field(default_factory=list)

    def leaves(self, path: Path, same_each_time: bool, holds: Callable[[str], bool] = bool) -> bool:
        """Whether the file at `path` stays as it is, without a look at what the server does now."""
        if self.named or same_each_time or not path.exists() or not holds(path.read_text(encoding="utf-8")):
            return False
        self.left.append(path)
        return True

    def take(self, path: Path, text: str) -> None:
        if path.exists() and path.read_text(encoding="utf-8") == text:
            self.same += 1
            return
        write(path, text)
        self.written.append(path)

    def said(self) -> list[str]:
        lines = [f"{path.relative_to(HERE)}: written" for path in self.written]
        lines.append(f"written: {len(self.written)} traces; the same as before: {self.same}")
        if self.left:
            lines.append(f"left alone, as no two runs leave the same: {len(self.left)}; SCRIPT=, BUG=, S= write them")
        return lines


def write(path: Path, text: str) -> None:
    """The whole of it, or nothing: whoever interrupts leaves the old file."""
    unfinished = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise CannotTrace(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()
