"""The system calls of a program, as strace(1) sees them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

UNDER_STRACE = {"ASAN_OPTIONS": "detect_leaks=0"}  # LeakSanitizer wants ptrace for itself


def can_trace() -> str | None:
    if shutil.which("strace") is None:
        return "strace is not installed"
    status = Path("/proc/sys/kernel/yama/ptrace_scope")
    if status.exists() and int(status.read_text()) > 2:
        return "ptrace is not allowed here (kernel.yama.ptrace_scope)"
    return None


NO_TRACE = can_trace()
CALL = re.compile(r"^\d+ +(\w+)\((.*?)\) += (-?\d+|\?)(?: (E\w+))?", re.MULTILINE)


def calls_of(trace: Path) -> list[tuple[str, str, int, str]]:
    """(name, arguments, result, errno) of each call; one that was interrupted is put together again, and has
    result -1 if a signal ended it."""
    text = re.sub(r" <unfinished \.\.\.>\n(\d+) +<\.\.\. \w+ resumed>", "", trace.read_text())
    return [(m[1], m[2], -1 if m[3] == "?" else int(m[3]), m[4] or "") for m in CALL.finditer(text)]
