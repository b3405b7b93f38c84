"""Which CPUs server and load generator get: two physical cores of one kind, near to each other.

A CPU is what the kernel schedules on: one hardware thread. Linux describes the CPUs below /sys/devices/system
(Documentation/admin-guide/cputopology.rst in its sources). Containers and virtual machines often hide a part of it."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Optional

from bench.files import first_line

DEVICES = Path("/sys/devices")
# Cores of one kind differ a little in their highest frequency, because the maker sorts them. A small core has three
# quarters of a large one's, or less.
ALIKE = 0.9
KINDS = {"cpu_core": "performance", "cpu_atom": "efficiency", "cpu_lowpower": "low-power"}  # Intel's hybrid processors


@dataclass(frozen=True)
class Cores:
    """The CPUs of server and load generator. None: the scheduler chooses."""

    server: Optional[int] = None
    client: Optional[int] = None
    why_not: str = ""
    relation: str = ""  # what the two have to do with each other

    @property
    def pinned(self) -> bool:
        return self.server is not None

    def __str__(self) -> str:
        if self.pinned:
            return f"server on CPU {self.server}, load generator on CPU {self.client}: {self.relation}"
        return f"server and load generator not pinned to CPUs ({self.why_not})"


@dataclass(frozen=True)
class Cpu:
    number: int
    core: Optional[object]  # equal for the hardware threads of one physical core; None: not shown
    node: Optional[int]  # of memory (NUMA); None: not shown
    kind: str  # performance, efficiency; "": not shown
    speed: int  # cpu_capacity or the highest frequency, to compare CPUs of one machine; 0: not shown

    def alike(self, other: Cpu) -> bool:
        slower, faster = sorted((self.speed, other.speed))
        return self.kind == other.kind and slower >= ALIKE * faster


def choose_cores(pin: bool, devices: Path = DEVICES) -> Cores:
    """A CPU for each side. On one CPU the two would take turns, and the figures would be the scheduler's."""
    if not pin:
        return Cores(why_not="as was asked")
    if sys.platform == "darwin":
        return Cores(why_not="macOS binds no process to a core")
    if not sys.platform.startswith("linux"):
        return Cores(why_not="loadgen binds its threads on Linux only")
    return choose(read_cpus(os.sched_getaffinity(0), devices))


def choose(cpus: Iterable[Cpu]) -> Cores:
    """The best pair. Two hardware threads of one core, or two unlike cores, are pinned as well where there is nothing
    better: the scheduler has no other CPUs either, and would also move the processes. The relation says so."""
    pairs = list(combinations(sorted(cpus, key=lambda cpu: cpu.number), 2))
    if not pairs:
        return Cores(why_not="this process may use one CPU only")
    server, client = min(pairs, key=_drawbacks)
    if not server.alike(client) and server.speed > client.speed:
        server, client = client, server  # a client that is slower than the server would be the limit
    return Cores(server.number, client.number, relation=_relation(server, client))


def read_cpus(numbers: Iterable[int], devices: Path = DEVICES) -> list[Cpu]:
    """Those of the numbers that are online, as far as the system describes them."""
    online = numbers_in(first_line(devices / "system/cpu/online"))
    kinds: dict[int, str] = {}
    for name, kind in KINDS.items():
        kinds |= dict.fromkeys(numbers_in(first_line(devices / name / "cpus")), kind)
    return [_read_cpu(number, devices, kinds.get(number, "")) for number in numbers if not online or number in online]


def kinds_of(cpus: Iterable[Cpu]) -> dict[str, int]:
    """How many CPUs there are of each kind, if there is more than one kind."""
    known = list(cpus)
    if all(one.alike(other) for one, other in combinations(known, 2)):
        return {}
    return dict(Counter(map(_kind, known)))


def _read_cpu(number: int, devices: Path, kind: str) -> Cpu:
    folder = devices / f"system/cpu/cpu{number}"
    nodes = [int(path.name[4:]) for path in folder.glob("node[0-9]*")]
    speeds = (first_line(folder / name) for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"))
    speed = next((int(text) for text in speeds if text and text.isdigit()), 0)
    return Cpu(number, _physical_core(folder / "topology"), nodes[0] if nodes else None, kind, speed)


def _physical_core(topology: Path) -> Optional[object]:
    for name in ("core_cpus_list", "thread_siblings_list"):  # the new name and the old one of the same list
        threads = numbers_in(first_line(topology / name))
        if threads:
            return threads
    package, core = first_line(topology / "physical_package_id"), first_line(topology / "core_id")
    return (package, core) if package and core else None


def _drawbacks(pair: tuple[Cpu, Cpu]) -> tuple[int, ...]:
    """Sorts pairs, the best first: by what would harm most, then by speed. min() takes the first of equals, which is
    the one with the lowest numbers."""
    one, other = pair
    shared = 1 if None in (one.core, other.core) else 2 * (one.core == other.core)
    return (shared, not one.alike(other), one.node != other.node, -min(one.speed, other.speed))


def _relation(server: Cpu, client: Cpu) -> str:
    words = []
    if None in (server.core, client.core):
        words.append("this system does not show whether they are two physical cores")
    elif server.core == client.core:
        words.append("two hardware threads of one physical core, so that each slows the other down")
    else:
        words.append("two physical cores")
    if not server.alike(client):
        words.append(f"of different kinds ({_kind(server)} and {_kind(client)}), the load generator has the faster one")
    if server.node != client.node:
        words.append(f"on different NUMA nodes ({server.node} and {client.node}), so that each byte crosses over")
    return ", ".join(words)


def _kind(cpu: Cpu) -> str:
    return cpu.kind or f"speed {cpu.speed}"


def numbers_in(text: Optional[str]) -> frozenset[int]:
    """Of a list as the kernel writes them: "0-3,8". Empty for a text that is none."""
    found: set[int] = set()
    for part in (text or "").split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if not (first.isdigit() and last.isdigit()):
            return frozenset()
        found.update(range(int(first), int(last) + 1))
    return frozenset(found)
