"""The machine: which CPUs the two sides get, the quota, the clock's speed, and what is said about them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench import cores, fingerprint, quota


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return folder


class Machine:
    """What Linux shows below /sys/devices: written there, CPU by CPU."""

    def __init__(self, folder: Path):
        self.folder = folder

    def cpu(self, number: int, threads: str = "", node: int | None = 0, **files: object) -> None:
        place = f"system/cpu/cpu{number}"
        write(self.folder, {f"{place}/{name.replace('__', '/')}": str(text) for name, text in files.items()})
        if threads:
            write(self.folder, {f"{place}/topology/thread_siblings_list": threads})
        if node is not None:
            (self.folder / place / f"node{node}").mkdir(parents=True)

    def choose(self, *allowed: int) -> cores.Cores:
        return cores.choose(cores.read_cpus(allowed, self.folder))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "devices")


def pair(found: cores.Cores) -> tuple[int | None, int | None]:
    return (found.server, found.client)


# -- the pair --------------------------------------------------------------------------------------


def test_two_cores_without_threads(machine: Machine) -> None:
    for number in range(2):
        machine.cpu(number, str(number))
    found = machine.choose(0, 1)
    assert pair(found) == (0, 1)
    assert str(found) == "server on CPU 0, load generator on CPU 1: two physical cores"


@pytest.mark.parametrize("siblings", [lambda n: f"{n & ~1}-{n | 1}", lambda n: f"{n % 4},{n % 4 + 4}"])
def test_hardware_threads_are_neighbours_or_far_apart(machine: Machine, siblings) -> None:
    for number in range(8):
        machine.cpu(number, siblings(number))
    first, second = pair(machine.choose(*range(8)))
    assert first == 0 and siblings(first) != siblings(second)
    assert str(machine.choose(*range(8))).endswith(": two physical cores")


def test_an_affinity_that_allows_one_thread_of_each_core_but_one(machine: Machine) -> None:
    for number in range(8):
        machine.cpu(number, f"{number % 4},{number % 4 + 4}")
    assert pair(machine.choose(1, 5, 6)) == (1, 6)


def test_one_core_of_two_threads_is_pinned_and_said(machine: Machine) -> None:
    for number in range(2):
        machine.cpu(number, "0-1")
    found = machine.choose(0, 1)
    assert pair(found) == (0, 1)
    assert "two hardware threads of one physical core, so that each slows the other down" in str(found)


def test_a_machine_that_shows_numbers_of_cores_only(machine: Machine) -> None:
    """CPU 0 and 1 are threads; core_id counts anew in each package."""
    for number, (package, core) in enumerate([(0, 0), (0, 0), (0, 1), (1, 0)]):
        machine.cpu(number, topology__physical_package_id=package, topology__core_id=core, node=None)
    assert pair(machine.choose(0, 1, 2, 3)) == (0, 2)
    assert pair(machine.choose(0, 1, 3)) == (0, 3)
    assert "two hardware threads" in str(machine.choose(0, 1))


def test_a_hybrid_laptop(machine: Machine) -> None:
    """Two fast cores of two threads, four slow ones; the affinity may leave one of each."""
    for number in range(8):
        fast = number < 4
        siblings = f"{number & ~1}-{number | 1}" if fast else str(number)
        machine.cpu(number, siblings, cpufreq__cpuinfo_max_freq=4_800_000 if fast else 3_600_000)
    assert pair(machine.choose(*range(8))) == (0, 2)
    assert pair(machine.choose(0, 1, 4, 5)) == (4, 5), "two slow cores, and not two threads of a fast one"
    found = machine.choose(2, 3, 6)
    assert pair(found) == (6, 2), "the client is never the slower one"
    assert "of different kinds (speed 3600000 and speed 4800000), the load generator has the faster one" in str(found)


def test_kinds_by_the_names_that_intel_gives(machine: Machine) -> None:
    """In a virtual machine without frequencies."""
    for number in range(4):
        machine.cpu(number, str(number))
    write(machine.folder, {"cpu_core/cpus": "0", "cpu_atom/cpus": "1-3"})
    assert pair(machine.choose(*range(4))) == (1, 2)
    assert "of different kinds (performance and efficiency)" in str(machine.choose(0, 1))
    assert cores.kinds_of(cores.read_cpus(range(4), machine.folder)) == {"performance": 1, "efficiency": 3}


def test_the_capacity_counts_before_the_frequency(machine: Machine) -> None:
    """arm64: a small core may run at a high frequency."""
    for number, capacity in enumerate([446, 446, 1024, 1024]):
        machine.cpu(number, str(number), cpu_capacity=capacity, cpufreq__cpuinfo_max_freq=2_000_000)
    assert pair(machine.choose(*range(4))) == (2, 3)
    assert cores.kinds_of(cores.read_cpus(range(4), machine.folder)) == {"speed 446": 2, "speed 1024": 2}


def test_cores_of_one_kind_may_differ_a_little(machine: Machine) -> None:
    """The maker allows some of them a higher frequency."""
    for number, speed in enumerate([5_100_000, 5_300_000, 5_100_000, 5_300_000]):
        machine.cpu(number, str(number), cpufreq__cpuinfo_max_freq=speed)
    assert pair(machine.choose(0, 1)) == (0, 1) and str(machine.choose(0, 1)).endswith(": two physical cores")
    assert pair(machine.choose(0, 1, 2, 3)) == (1, 3)
    assert cores.kinds_of(cores.read_cpus(range(4), machine.folder)) == {}


def test_two_sockets(machine: Machine) -> None:
    """Their CPUs take turns in the numbering."""
    for number in range(4):
        machine.cpu(number, str(number), node=number % 2)
    assert pair(machine.choose(*range(4))) == (0, 2)
    found = machine.choose(1, 2)
    assert pair(found) == (1, 2)
    assert "two physical cores, on different NUMA nodes (1 and 0), so that each byte crosses over" in str(found)


def test_offline_cpus_get_nobody(machine: Machine) -> None:
    for number in range(4):
        machine.cpu(number, str(number))
    write(machine.folder, {"system/cpu/online": "0,3"})
    assert pair(machine.choose(*range(4))) == (0, 3)


def test_a_container_that_hides_everything(machine: Machine) -> None:
    found = machine.choose(3, 7)
    assert pair(found) == (3, 7)
    assert "this system does not show whether they are two physical cores" in str(found)


def test_one_cpu_is_not_pinned(machine: Machine) -> None:
    machine.cpu(0, "0")
    found = machine.choose(0)
    assert not found.pinned
    assert str(found) == "server and load generator not pinned to CPUs (this process may use one CPU only)"


@pytest.mark.parametrize(("system", "why"), [("darwin", "macOS binds no process"), ("freebsd14", "on Linux only")])
def test_systems_without_affinity(monkeypatch: pytest.MonkeyPatch, system: str, why: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    assert why in str(cores.choose_cores(True))
    assert "as was asked" in str(cores.choose_cores(False))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinity")
def test_the_pair_of_this_machine_is_one_that_it_allows() -> None:
    found = cores.choose_cores(True)
    assert found.pinned == (len(os.sched_getaffinity(0)) > 1)
    assert not found.pinned or {found.server, found.client} <= os.sched_getaffinity(0)


@pytest.mark.parametrize("text", [None, "", "x", "1-", "-1", "1,,2", "0x1"])
def test_what_is_no_list_of_cpus(text: str | None) -> None:
    assert cores.numbers_in(text) == frozenset()


# -- the quota -------------------------------------------------------------------------------------

V1 = "30 26 0:28 {root} {mount} rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct"
V2 = "40 30 0:37 {root} {mount} rw,relatime - cgroup2 cgroup2 rw,nsdelegate"


def limited(tmp_path: Path, line: str, group: str, files: dict[str, str], root: str = "/", mount: str = "fs") -> Path:
    """A /proc/self, and a mounted hierarchy with these files."""
    top = write(tmp_path / mount, files)
    escaped = str(top).replace(" ", "\\040")
    others = "21 26 0:20 / /proc rw - proc proc rw\n31 26 0:29 / /memory rw - cgroup cgroup rw,memory\n"
    mountinfo = others + line.format(root=root, mount=escaped)
    return write(tmp_path / "proc", {"cgroup": f"9:memory:/elsewhere\n{group}", "mountinfo": mountinfo})


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"a/b/cpu.max": "150000 100000"}, 1.5),
        ({"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000", "cpu.max": "max 100000"}, 0.5),
        ({"a/b/cpu.max": "400000 100000", "a/cpu.max": "250000 100000"}, 2.5),
        ({"a/b/cpu.max": "max 100000"}, None),
        ({"a/b/cpu.max": "nonsense"}, None),
        ({"other/cpu.max": "1000 100000"}, None),
        ({}, None),
    ],
)
def test_the_lowest_quota_of_version_2_counts(tmp_path: Path, files: dict[str, str], found: float | None) -> None:
    assert quota.cpus(limited(tmp_path, V2, "0::/a/b", files)) == found


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"a/b/cpu.cfs_quota_us": "-1", "a/b/cpu.cfs_period_us": "100000"}, None),
        ({"a/b/cpu.cfs_quota_us": "120000", "a/b/cpu.cfs_period_us": "100000"}, 1.2),
        ({"a/cpu.cfs_quota_us": "10000", "a/cpu.cfs_period_us": "20000"}, 0.5),
        ({"a/cpu.cfs_quota_us": "10000"}, None),
    ],
)
def test_the_lowest_quota_of_version_1_counts(tmp_path: Path, files: dict[str, str], found: float | None) -> None:
    assert quota.cpus(limited(tmp_path, V1, "4:cpu,cpuacct:/a/b", files)) == found


def test_a_container_sees_its_group_as_the_root(tmp_path: Path) -> None:
    """The paths of /proc/self/cgroup are those of the host, or lead out of the container."""
    files = {"cpu.max": "80000 100000"}
    for group, root in (("/docker/1f", "/docker/1f"), ("/docker/1f/x", "/docker/1f"), ("/../up", "/"), ("/x", "/y")):
        assert quota.cpus(limited(tmp_path, V2, f"0::{group}", files, root)) == 0.8, group


def test_a_mount_point_with_a_space(tmp_path: Path) -> None:
    assert quota.cpus(limited(tmp_path, V2, "0::/", {"cpu.max": "80000 100000"}, mount="my fs")) == 0.8


def test_a_system_without_groups(tmp_path: Path) -> None:
    assert quota.cpus(tmp_path / "nothing") is None


# -- the clock's speed -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "turbo"),
    [
        ({"intel_pstate/no_turbo": "0"}, "on"),
        ({"intel_pstate/no_turbo": "1", "cpufreq/boost": "1"}, "off"),
        ({"cpufreq/boost": "0"}, "off"),
        ({"cpu0/cpufreq/boost": "0", "cpu1/cpufreq/boost": "1"}, "on"),
        ({"cpu0/cpufreq/boost": "0", "cpu1/cpufreq/boost": "0"}, "off"),
        ({}, None),
    ],
)
def test_turbo(tmp_path: Path, files: dict[str, str], turbo: str | None) -> None:
    assert fingerprint.frequency(write(tmp_path, files))["turbo"] == turbo


def test_governors_of_all_cpus(tmp_path: Path) -> None:
    for number, governor in enumerate(["powersave", "performance", "powersave"]):
        driver = {f"cpu{number}/cpufreq/scaling_driver": "intel_pstate"}
        write(tmp_path, {f"cpu{number}/cpufreq/scaling_governor": governor, **driver})
    found = fingerprint.frequency(tmp_path)
    assert found == {"driver": "intel_pstate", "governor": "performance, powersave", "turbo": None}


FIXED = {"driver": "x", "governor": "performance", "turbo": "off"}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"cpu_quota": None, "frequency": FIXED}, []),
        ({"cpu_quota": 2.0, "frequency": FIXED}, []),
        ({"cpu_quota": 1.5, "frequency": FIXED}, ["the CPU quota is 1.5 CPUs, but server and load generator need two"]),
        ({"frequency": FIXED | {"turbo": "on"}}, ["the clock changes its speed with load and heat: turbo is on"]),
        ({"frequency": FIXED | {"governor": "powersave"}}, ["with load and heat: the frequency governor is powersave"]),
        ({"frequency": dict.fromkeys(FIXED)}, ["no frequency governor and no turbo switch can be seen"]),
        ({}, ["no frequency governor"]),
    ],
)
def test_what_is_said_of_a_machine(found: dict[str, object], said: list[str]) -> None:
    remarks = fingerprint.remarks(found)
    assert len(remarks) == len(said)
    assert all(words in remark for words, remark in zip(said, remarks))


PAIR = "server on CPU 0, load generator on CPU 1: two hardware threads of one physical core"
ALONE = "server and load generator not pinned to CPUs (this process may use one CPU only)"


@pytest.mark.parametrize(
    ("pair", "pinned", "said"),
    [
        (PAIR, True, PAIR),
        (PAIR, False, "server and load generator not pinned to CPUs"),
        (ALONE, False, ALONE),
        (None, True, "server and load generator pinned to different CPUs"),
    ],
)
def test_where_a_result_set_ran(pair: str | None, pinned: bool, said: str) -> None:
    assert fingerprint.pinning({"cpu_pair": pair}, pinned) == said


def test_the_start_and_the_report_say_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """What they say of the CPUs, the quota and the clock."""
    pytest.importorskip("jinja2")
    from bench import report, session

    machine = {"schema": fingerprint.SCHEMA, "cpu_pair": str(cores.choose_cores(True)), "cpu_quota": 0.75}
    machine |= {"frequency": FIXED | {"turbo": "on"}}
    monkeypatch.setattr("bench.results.fingerprints.collect", lambda: machine)
    made = session.Session("smoke", 1, results_in=tmp_path)
    made._begin(made.runs[:1])
    assert made.results is not None
    (made.results.path / "charts").mkdir()
    for text in (capsys.readouterr().out, report.page(made.results).split('id="fingerprint"')[0]):
        for words in (machine["cpu_pair"], "the CPU quota is 0.75 CPUs", "turbo is on"):
            assert str(words) in text


APPLE = {
    "hw.nperflevels": "2",
    "hw.perflevel0.name": "Performance", "hw.perflevel0.logicalcpu": "8",
    "hw.perflevel1.name": "Efficiency", "hw.perflevel1.logicalcpu": "4",
    "hw.logicalcpu_max": "12", "hw.physicalcpu_max": "12",
}  # fmt: skip
INTEL_MAC = {"hw.nperflevels": "1", "hw.logicalcpu_max": "8", "hw.physicalcpu_max": "4"}


@pytest.mark.parametrize(
    ("answers", "kinds", "threads"),
    [
        (APPLE, {"Performance": 8, "Efficiency": 4}, 1),
        (INTEL_MAC, {}, 2),
        ({"kern.smp.threads_per_core": "2"}, {}, 2),
        ({}, {}, None),
    ],
    ids=("apple", "intel-mac", "freebsd", "unknown"),
)
def test_cores_where_sysctl_describes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: dict[str, str], kinds: dict[str, int], threads: int | None
) -> None:
    cases = "\n".join(f"{name}) echo {text} ;;" for name, text in answers.items())
    program = write(tmp_path, {"sysctl": f"#!/bin/sh\ncase $2 in\n{cases}\n*) exit 1 ;;\nesac"}) / "sysctl"
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert fingerprint.core_kinds() == kinds
    assert fingerprint.threads_per_core(tmp_path) == threads
