"""Memory of a process and of the kernel (proc(5)): by counting the kernel's objects where /proc/slabinfo can be read,
which needs root, else by the growth of the whole slab."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from suite import kernel

SLABINFO = Path("/proc/slabinfo")
CACHES = Path("/sys/kernel/slab")

# The caches of what Linux keeps. For a file: itself, its directory entry, what security modules add. For an entry in
# an epoll: itself, its place in the queue of those that wait for the file, the list of the epolls that hold the file.
OF_FILES = ("filp", "dentry", "lsm_file_cache")
OF_EPOLL = ("eventpoll_epi", "eventpoll_pwq", "ep_head")
# For a receive that io_uring has armed: its entry, what it will receive into, its place in the socket's queue.
OF_RINGS = ("io_kiocb", "kmalloc-512", "kmalloc-96")
# Besides, for each end of a connection: the socket, its inode, what security modules add to that; for the end that
# connected: its port, twice. Buffers are not among them: TCP counts those by itself.
OF_SOCKETS = (
    *OF_FILES, *OF_EPOLL, "TCP", "TCPv6", "sock_inode_cache", "lsm_inode_cache", "tcp_bind_bucket", "tcp_bind2_bucket",
)  # fmt: skip


@dataclass(frozen=True)
class Cache:
    """One kind of object."""

    objects: int  # in use on the whole machine
    size: int  # bytes of one


Caches = Mapping[str, Cache]


@dataclass(frozen=True)
class Memory:
    resident: Optional[int]  # bytes of the process that are in memory; None if there is no /proc
    faults: Optional[int]  # page faults since the process began
    slab: Optional[int]  # bytes of the kernel's objects on the whole machine
    buffers: Optional[int]  # bytes of TCP's buffers on the whole machine
    sockets: Optional[int]  # of TCP, on the whole machine
    caches: Optional[Caches] = None  # None if they were not looked at, or cannot be read


@dataclass(frozen=True)
class Growth:
    """Of the kernel's memory, for each of so many things."""

    bytes: float
    objects: Optional[float]  # from which the bytes were computed; None: they are the growth of the whole slab
    ring_bytes: Optional[float] = None  # of the bytes, what io_uring keeps; None if it was not asked for


def look(pid: int, counting: bool = False) -> Memory:
    """`counting`: also the kernel's objects. The kernel then goes through its lists, so only runs that need it ask."""
    try:
        caches = counted() if counting else None
        return Memory(_resident(pid), kernel.page_faults(pid), slab(), *_tcp(), caches)
    except (OSError, ValueError, IndexError, StopIteration):
        return Memory(None, None, None, None, None)


def growth(then: Memory, now: Memory, number: int, ring: bool = False) -> Optional[Growth]:
    """What each of `number` connections has added, with its buffers. None if the system does not tell. `ring`: the
    server has a receive armed on each."""
    if then.slab is None or then.buffers is None or now.slab is None or now.buffers is None:
        return None
    buffers = (now.buffers - then.buffers) / number
    if then.caches is None or now.caches is None:
        # What is queued in small pieces lies in the slab too and is counted twice: an upper bound.
        return Growth((now.slab - then.slab) / number + buffers, None)
    of_ring = added(then.caches, now.caches, OF_RINGS) if ring else {}
    grown = added(then.caches, now.caches, OF_SOCKETS) | of_ring
    ring_bytes = bytes_of(of_ring) / number if ring else None
    return Growth(bytes_of(grown) / number + buffers, objects_of(grown) / number, ring_bytes)


def strangers(then: Memory, now: Memory, number: int) -> int:
    """How many sockets other programs have opened (below 0: closed) while `number` connections were made. All figures
    of the kernel are those of the whole machine, so they count too."""
    if then.sockets is None or now.sockets is None:
        return 0
    return now.sockets - then.sockets - 2 * number


def counted() -> Optional[Caches]:
    """All caches of the kernel by their names; None where they cannot be read."""
    try:
        lines = SLABINFO.read_text().splitlines()
        words = [line.split() for line in lines if not line.startswith(("slabinfo", "#"))]
        return {each[0]: Cache(int(each[1]), int(each[3])) for each in words}
    except (OSError, ValueError, IndexError):
        return None


def added(then: Caches, now: Caches, names: Iterable[str]) -> dict[str, Cache]:
    """How many objects came between two looks. The kernel merges caches whose objects have the same size, and
    slabinfo has one line for them: the line is found by any of their names and counted once."""
    lines = {_merged(line): line for line in now}
    wanted = dict.fromkeys(lines[_merged(name)] for name in names if _merged(name) in lines)
    grown = {
        line: Cache(now[line].objects - (then[line].objects if line in then else 0), now[line].size) for line in wanted
    }
    # A socket or an eventfd has a directory entry of its own. They cannot be counted: the cache holds one for every
    # name that any program on the machine has looked up, and hundreds of thousands of them come and go.
    if "dentry" in grown and "filp" in grown:
        grown["dentry"] = Cache(grown["filp"].objects, grown["dentry"].size)
    return grown


def _merged(name: str) -> str:
    """A name that merged caches have in common: that of the directory to which their links lead."""
    try:
        return os.readlink(CACHES / name)
    except OSError:
        return name


def objects_of(grown: Caches) -> int:
    return sum(cache.objects for cache in grown.values())


def bytes_of(grown: Caches) -> int:
    return sum(cache.objects * cache.size for cache in grown.values())


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def slab() -> int:
    """The whole slab, because the kernel counts socket inodes as reclaimable."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Slab:")).split()[1]) * 1024


def _tcp() -> tuple[int, int]:
    """Bytes of the pages that TCP has charged for queued data in both directions, and the number of its sockets."""
    lines = Path("/proc/net/sockstat").read_text().splitlines()
    words = next(line for line in lines if line.startswith("TCP:")).split()
    return int(words[words.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE"), int(words[words.index("alloc") + 1])
