"""Memory of a process and of the kernel's sockets (proc(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional


@dataclass(frozen=True)
class Memory:
    resident: Optional[int]  # bytes of the process that lie in memory; None where there is no /proc
    kernel: Optional[int]  # bytes of the kernel's objects and of TCP's buffers, of the whole machine


def look(pid: int) -> Memory:
    try:
        return Memory(_resident(pid), _slab() + _tcp_buffers())
    except (OSError, ValueError, IndexError, StopIteration):
        return Memory(None, None)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _slab() -> int:
    """Slab, all of it: the kernel counts socket inodes as reclaimable."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Slab:")).split()[1]) * 1024


def _tcp_buffers() -> int:
    """What TCP has charged for data that is queued, either way, in pages. Small pieces of it lie in the slab and
    are counted in both; with data in flight the sum is therefore an upper bound."""
    lines = Path("/proc/net/sockstat").read_text().splitlines()
    words = next(line for line in lines if line.startswith("TCP:")).split()
    return int(words[words.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE")
