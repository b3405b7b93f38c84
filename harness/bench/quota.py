"""How many CPUs' time the control groups of this process allow (cgroups(7)).

A process with a quota has all CPUs, and is stopped until the next period begins when it has used its share of this
one. Containers are limited in this way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from bench.files import lines

PROC = Path("/proc/self")


def cpus(proc: Path = PROC) -> Optional[float]:
    """The lowest quota of the own group and of the groups above it. None: there is none, or it cannot be read."""
    found = [quota for folder in _folders(proc) if (quota := _quota(folder)) is not None]
    return min(found) if found else None


def _folders(proc: Path) -> Iterator[Path]:
    """The own group and the groups above it, as far up as this process can see, in every hierarchy that has CPUs."""
    groups = dict(_groups(proc))
    for line in lines(proc / "mountinfo"):
        before, _, after = line.partition(" - ")
        mount, kind = before.split(), after.split()
        if len(mount) < 5 or len(kind) < 3 or kind[0] not in ("cgroup", "cgroup2"):
            continue
        own = groups.get("" if kind[0] == "cgroup2" else "cpu")
        if own is None or (kind[0] == "cgroup" and "cpu" not in kind[2].split(",")):
            continue
        top = Path(_unescaped(mount[4]))
        inside = _below(own, _unescaped(mount[3]))
        yield from (top / Path(*inside[:depth]) for depth in range(len(inside), -1, -1))


def _groups(proc: Path) -> Iterator[tuple[str, str]]:
    """The path of the own group: version 2 has the name "", version 1 that of the controller."""
    for line in lines(proc / "cgroup"):
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0" and not controllers:
            yield "", path
        elif "cpu" in controllers.split(","):
            yield "cpu", path


def _below(group: str, root: str) -> tuple[str, ...]:
    """The group's path below the mount's root. A group outside of that root cannot be seen there; then only the root is
    looked at."""
    try:
        return Path(group).relative_to(root).parts
    except ValueError:
        return ()


def _quota(folder: Path) -> Optional[float]:
    """Version 2: cpu.max, "max 100000" or "150000 100000". Version 1: two files, and -1 is no quota. Microseconds."""
    words = " ".join(lines(folder / "cpu.max")).split()
    if not words:
        words = [*lines(folder / "cpu.cfs_quota_us"), *lines(folder / "cpu.cfs_period_us")]
    if len(words) != 2 or not all(word.isdigit() and int(word) > 0 for word in words):
        return None
    return int(words[0]) / int(words[1])


def _unescaped(text: str) -> str:
    """proc(5): mountinfo writes a space in a path as \\040."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
