"""The traces of planted bugs that are kept as files, and whether a bug still leaves the same ones."""

from __future__ import annotations

import contextlib
import difflib
import functools
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from suite import ending

from tracing import golden
from tracing.claims import CLAIMS, Claim, of_bug
from tracing.record import record


def path_of(claim: Claim, server: str) -> Path:
    return golden.HERE / "golden" / "planted" / claim.bug / f"{server}.txt"


def whole_of(claim: Claim, server: str) -> str:
    """The trace of the server without the bug."""
    return golden.path_of(claim.script, server).read_text(encoding="utf-8")


def bugs() -> list[str]:
    return list(dict.fromkeys(claim.bug for claim in CLAIMS))


def expected() -> set[Path]:
    return {path_of(claim, server) for claim in CLAIMS for server in claim.servers}


@contextlib.contextmanager
def programs_in(build: Path) -> Iterator[None]:
    before = os.environ.get("BUILD_DIR")
    os.environ["BUILD_DIR"] = str(build)
    try:
        yield
    finally:
        os.environ.pop("BUILD_DIR")
        if before is not None:
            os.environ["BUILD_DIR"] = before


TRIES = 3  # of a trace that differs each time: the kernel may cut a flood so that the bug does not show


def again(bug: str, build: Path) -> list[str]:
    """Records the program with the bug that is in `build`. What differs from the files, a text for each trace."""
    found = []
    for claim in of_bug(bug):
        for server in claim.servers:
            found += _again(claim, server, build)
    return found


def _again(claim: Claim, server: str, build: Path) -> list[str]:
    found: list[str] = []
    for _ in range(1 if claim.same_each_time else TRIES):
        with programs_in(build):
            text = record(server, golden.script(claim.script)).steady().text()
        found = _differs(claim, server, text)
        if not found:
            break
    return found


def _differs(claim: Claim, server: str, text: str) -> list[str]:
    name = f"{claim.bug} ({server}, {claim.script})"
    if not claim.shown_by(whole_of(claim, server), text):
        return [f"{name}: no {claim.what} call {claim.call} in the trace:\n{text}"]
    kept = path_of(claim, server).read_text(encoding="utf-8")
    if not claim.same_each_time or kept == text:
        return []
    lines = difflib.unified_diff(kept.splitlines(), text.splitlines(), "accepted", "now", lineterm="", n=2)
    return ["\n".join([f"{name}: another trace than the accepted one (make trace-accept BUG={claim.bug})", *lines])]


def _is_shown(claim: Claim, server: str, text: str) -> bool:
    return claim.shown_by(whole_of(claim, server), text)


def accept(bug: str, build: Path, names: Sequence[str], accepted: golden.Accepted) -> None:
    for claim in of_bug(bug):
        for server in sorted({*claim.servers} & {*names}):
            path, holds = path_of(claim, server), functools.partial(_is_shown, claim, server)
            if accepted.leaves(path, claim.same_each_time, holds):
                continue
            with programs_in(build):
                text = record(server, golden.script(claim.script)).steady().text()
            accepted.take(path, text)


def main(words: list[str]) -> int:
    """python -m tracing.planted BUG DIRECTORY: the runner of the planted bugs calls it."""
    bug, directory = words
    found = again(bug, Path(directory))
    print("\n\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    ending.run(lambda: main(sys.argv[1:]), "planted", unread=1)
