"""Hands a case to a program's standard input, and compares its standard output with what is right.

expected.py of the lab makes both: stdin(case, protocol) and expected(case, protocol). It may have explain(case,
protocol, came): lines that say of this case what was expected and what came."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from suite import waiting
from suite.protocol import Protocol

from grader.host import MOST_OUTPUT, Host, HostFault, Launch, Running
from grader.result import Outcome
from grader.stillness import Stillness
from grader.telling import ending, last_words

MOST_FILE = 1 << 16  # bytes of a case
COMPUTES = 10.0  # seconds of processor time
LONGEST = 3  # times the patience with a wait
MOST_SHOWN = 12  # lines of an explanation


class BadCase(Exception):
    """What is wrong with a case, in one line."""


def load(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_FILE:
            raise BadCase(f"{path}: larger than {MOST_FILE:,} bytes")
        content = json.loads(path.read_text(encoding="utf-8-sig"))  # an editor may put a mark first
    except (OSError, ValueError, RecursionError) as error:
        raise BadCase(f"{path}: {' '.join(str(error).split())[:200] or type(error).__name__}") from None
    if not isinstance(content, dict):
        raise BadCase(f"{path}: no case: it has to be an object, in braces")
    return content


def run(host: Host, program: Path, case_path: Path, expected: Any, protocol: Protocol) -> Outcome:
    """Raises BadCase, too: the caller says whose case it is. `expected`: the module."""
    case = load(case_path)
    try:
        stdin, right = expected.stdin(case, protocol), expected.expected(case, protocol)
    except BadCase as bad:
        raise BadCase(f"{case_path}: {bad}") from None
    steps = [f"the program reads {len(stdin):,} bytes: the case {case_path.stem}{_about(case)}"]
    if len(right) >= MOST_OUTPUT:
        raise BadCase(f"{case_path}: a right program prints {len(right):,} bytes; {MOST_OUTPUT - 1:,} are the most")
    try:
        with host.start(program, Launch(stdin=stdin)) as running:
            why, late = _wait(running)
            out, err = running.output()
            status = running.wait(0.0)
            because = getattr(running, "killed_because", "")
    except OSError as error:
        raise HostFault(f"{type(error).__name__}: {error}") from None
    if because:
        return Outcome(False, steps, "the program ends by itself", f"the sandbox ended it: {because}")
    if why:
        return Outcome(False, steps, "the program ends", f"it does not: {why}", late, late)
    if status != 0:
        return Outcome(False, steps, "exit status 0", "\n".join([ending(status), *last_words(err)]))
    if out == right:
        return Outcome(True, steps)
    told = getattr(expected, "explain", None)
    more = [str(line)[:300] for line in told(case, protocol, out)][:MOST_SHOWN] if told is not None else []
    return Outcome(False, steps + more, *difference(right, out))


def _about(case: dict[str, Any]) -> str:
    about = case.get("about")
    return f" ({about[:200]})" if isinstance(about, str) and about else ""


def _wait(running: Running) -> tuple[str, bool]:
    """Why it does not end, if so; and whether it took so long that the machine may be the reason."""
    still = Stillness(running.pid, computes=COMPUTES)
    longest = waiting.PATIENCE * (1 if running.hurry else LONGEST)
    until = time.monotonic() + longest
    while running.wait(0.01) is None:
        why = still.look(len(running.output()[0]))
        if why:
            return why, False
        if time.monotonic() > until:
            return f"it runs, after {longest:.0f} s", True
    return "", False


def difference(right: bytes, came: bytes) -> tuple[str, str]:
    """The first line that differs: as it should be, and as it came."""
    rights, lines = _lines(right), _lines(came)
    at = next((i for i, (one, other) in enumerate(zip(rights, lines)) if one != other), min(len(rights), len(lines)))
    return _line(rights, at), _line(lines, at)


def _lines(text: bytes) -> list[str]:
    return text.decode(errors="backslashreplace").splitlines(keepends=True)


def _line(lines: list[str], at: int) -> str:
    if at >= len(lines):
        return f"no line {at + 1}: {len(lines)} line{'s' * (len(lines) != 1)} in all"
    text = lines[at].removesuffix("\n")
    shown = text if text.isprintable() else repr(text)[1:-1]
    end = "" if lines[at].endswith("\n") else " (without a newline at its end)"
    return f"line {at + 1}: {shown[:300]}{end}"
