"""What a sanitizer needs of the machine."""

from __future__ import annotations

import os
import subprocess

from suite import servers

WITH_LEAKS, WITHOUT_LEAKS = "detect_leaks=1", "detect_leaks=0"


def options(more: str) -> str:
    """ASAN_OPTIONS with this added: a later word wins."""
    return ":".join(filter(None, (os.environ.get("ASAN_OPTIONS", ""), more)))


def _no_leak_check() -> str | None:
    """Why no leak can be looked for, or None. LeakSanitizer stops all threads with ptrace(2) when a program ends; where
    that is forbidden, it ends each program with an error. It is tried, on the first program that has it."""
    folder = servers.build_dir() if servers.sanitizer() == "asan" else servers.build_dir() / "faults"
    program = next((path for name in servers.ALL if (path := folder / name).exists()), None)
    if program is None or servers.foreign():
        return None

    def tried(setting: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(program), "--help"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            env={**os.environ, "ASAN_OPTIONS": options(setting)},
        )  # fmt: skip

    usual = tried(WITH_LEAKS)
    if usual.returncode == 0 or tried(WITHOUT_LEAKS).returncode != 0:
        return None  # it works, or something else is wrong: the tests will tell
    said = next((line for line in usual.stderr.splitlines() if "LeakSanitizer" in line), "")
    return f"LeakSanitizer does not work here ({said.strip('= ') or usual.returncode})"


NO_LEAK_CHECK = _no_leak_check()
