"""The traces that are expected: a change of what a server asks of the kernel is seen in review."""

from __future__ import annotations

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


def write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CannotTrace(f"{path}: cannot be written: {error.strerror}") from None
