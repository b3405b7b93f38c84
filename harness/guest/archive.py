"""The guest's first file system: a cpio archive in the format "newc" (cpio(5)), which the kernel unpacks into memory.

Device files are entries of an archive like any other, so nobody needs to be root to make one."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    name: str  # without a slash at its beginning
    mode: int  # type and permissions, as in st_mode
    data: bytes = b""
    device: tuple[int, int] = (0, 0)  # major and minor


def program(name: str, data: bytes) -> Entry:
    return Entry(name, stat.S_IFREG | 0o755, data)


def text(name: str, content: str) -> Entry:
    return Entry(name, stat.S_IFREG | 0o644, content.encode())


def directory(name: str) -> Entry:
    return Entry(name, stat.S_IFDIR | 0o755)


def device(name: str, major: int, minor: int) -> Entry:
    return Entry(name, stat.S_IFCHR | 0o600, device=(major, minor))


def pack(entries: Iterable[Entry]) -> bytes:
    """The archive. A directory must stand before what is in it."""
    parts = [_packed(number, entry) for number, entry in enumerate(entries, start=1)]
    return b"".join([*parts, _packed(0, Entry("TRAILER!!!", 0))])


def _packed(number: int, entry: Entry) -> bytes:
    name = entry.name.encode() + b"\0"
    # inode, mode, owner, group, links, time, size, major and minor of the disk and of itself, size of name, checksum
    fields = (number, entry.mode, 0, 0, 1, 0, len(entry.data), 0, 0, *entry.device, len(name), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
    return _padded(head) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
