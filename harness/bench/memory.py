"""Memory of a process and of the kernel's sockets (proc(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from suite import kernel


@dataclass(frozen=True)
class Memory:
    resident: Optional[int]  # bytes of the process that are in memory; None if there is no /proc
    faults: Optional[int]  # page faults since the process began
    kernel: Optional[int]  # bytes of the kernel's objects and of TCP's buffers on the whole machine


def look(pid: int) -> Memory:
    try:
        return Memory(_resident(pid), kernel.page_faults(pid), _slab() + _tcp_buffers())
    except (OSError, ValueError, IndexError, StopIteration):
        return Memory(None, None, None)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _slab() -> int:
    """The whole slab, because the kernel counts socket inodes as reclaimable."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Slab:")).split()[1]) * 1024


def _tcp_buffers() -> int:
    """The pages that TCP has charged for queued data in both directions. Small pieces lie in the slab and are counted
    twice, so that with data in flight the sum is an upper bound."""
    lines = Path("/proc/net/sockstat").read_text().splitlines()
    words = next(line for line in lines if line.startswith("TCP:")).split()
    return int(words[words.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE")
