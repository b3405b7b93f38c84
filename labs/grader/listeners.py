"""Where a program listens, as the kernel says (proc(5): net/tcp, fd), whatever the program says."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

LISTEN = "0A"
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def listening(pids: Iterable[int], user: int | None = None) -> tuple[str, int] | None:
    """The address of the first TCP listener that one of these processes holds, such that it can be connected to.
    `user`: a listener of this user counts, too; for a container in which nobody may see another's descriptors."""
    found = []
    for table in ("tcp", "tcp6"):
        rows = [line.split() for line in _lines(table)]
        found += [(*_address(row[1]), row[7], row[9]) for row in rows if row[3] == LISTEN]
    # A program may hold thousands of descriptors. They are looked at only when somebody listens.
    held = {inode for pid in pids for inode in _inodes(pid)} if found else set()
    for address, port, owner, inode in found:
        if inode in held or user is not None and owner == str(user):
            return LOOPBACK.get(address, address), port
    return None


def descendants(pid: int) -> list[int]:
    """The process itself, and all that it and its children have started."""
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):  # it has just ended
            for task in Path(f"/proc/{each}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _lines(table: str) -> list[str]:
    try:
        return Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    except FileNotFoundError:  # no IPv6
        return []


def _inodes(pid: int) -> Iterable[str]:
    """Of the sockets that it has open."""
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except OSError:  # it has just ended, or nobody may look
        return
    for number in numbers:
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/{pid}/fd/{number}")
            if target.startswith("socket:["):
                yield target[8:-1]


def _address(text: str) -> tuple[str, int]:
    """The kernel writes the address in words of its own byte order."""
    address, _, port = text.partition(":")
    words = [int(address[i : i + 8], 16) for i in range(0, len(address), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words)), int(port, 16)
