"""What the kernel knows of a process: CPU time, memory, descriptors (proc(5))."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

HAS_PROC = sys.platform.startswith("linux")
NO_PROC = "reads /proc, which only Linux has"


def state(pid: int) -> str:
    """The letter of a process's state: R running, S asleep, T stopped by a signal, t under a tracer."""
    if HAS_PROC:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True).stdout[:1]


def cpu_seconds(pid: int) -> float:
    """User and system time used so far, to the nanosecond where schedstat has it."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except OSError:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_bytes(pid: int, which: str) -> int:
    """VmRSS: resident; VmData: reserved for data, touched or not."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{which}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no {which}")


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def raise_descriptor_limit() -> int:
    """Soft limit to the hard one, for this process. Returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
