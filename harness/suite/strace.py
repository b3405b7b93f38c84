"""The system calls of a program, as strace(1) sees them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from suite.script import SAME, Script

UNDER_STRACE = {"ASAN_OPTIONS": "detect_leaks=0"}  # LeakSanitizer wants ptrace for itself


def can_trace() -> str | None:
    """Why strace cannot be used here, or None. It is tried: a system call filter, a security module or a setting may
    forbid ptrace(2), and no file tells of all of them."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-f", "-o", os.devnull, "true"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=60,
    )  # fmt: skip
    if tried.returncode != 0:
        said = tried.stderr.strip().splitlines() or [f"exit status {tried.returncode}"]
        return f"strace does not work here ({said[0]})"
    return None


NO_TRACE = can_trace()
CALL = re.compile(r"^(\w+)\((.*?)\) += (-?\d+|\?)(?: (E\w+))?")
UNFINISHED = " <unfinished ...>"
RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")


def faults(script: Script) -> tuple[str, ...]:
    """The `inject` actions of a script, as strace's --inject takes them. It leaves out names that this machine's kernel
    does not have."""
    found = []
    for action in script.actions:
        if action.do == "inject":
            names = ",".join(f"?{name}" for name in SAME.get(action.call, (action.call,)))
            last = f"..{action.when + (action.times - 1) * action.every}" if action.times else ""
            found.append(f"{names}:error={action.error}:when={action.when}{last}+{action.every}")
    return tuple(found)


def failing(call: str, error: str, when: int | str = 1) -> list[str]:
    """The words before a program under which the call of that number fails; "1+": each (strace(1), inject=)."""
    inject = f"inject={call}:error={error}:when={when}"
    return ["strace", "-f", "-o", os.devnull, "-e", f"trace={call}", "-e", inject]


def whole_lines(lines: Iterable[str]) -> Iterator[str]:
    """Each call and signal as one piece of text, without the number of its thread, in the order of their ends. One that
    was interrupted, by a signal or because another thread made a call meanwhile, is put together again: so a wait
    stands beside what ended it."""
    begun: dict[str, str] = {}
    for line in lines:
        thread, _, text = line.partition(" ")
        text = text.strip()
        if text.endswith(UNFINISHED):
            begun[thread] = text.removesuffix(UNFINISHED)
        elif resumed := RESUMED.match(text):
            yield begun.pop(thread, "") + resumed[1]
        else:
            yield text


def calls_of(trace: Path) -> list[tuple[str, str, int, str]]:
    """(name, arguments, result, errno) of each call; the result is -1 if a signal ended it."""
    found = map(CALL.match, whole_lines(trace.read_text().splitlines()))
    return [(m[1], m[2], -1 if m[3] == "?" else int(m[3]), m[4] or "") for m in found if m]
