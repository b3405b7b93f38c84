"""What the figures depend on besides the servers: the machine, the kernel, the build.

It is published with the results, so it names no host, no user and no absolute path. A value that the system does not
tell is null."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Any, Optional

from suite import ending, servers

from bench import cores, quota
from bench.files import first_line, lines

SCHEMA = "fingerprint/1"
CPUS = Path("/sys/devices/system/cpu")
# What no run depends on: how the fingerprint is written, what draws the pictures.
BESIDE = ("schema", "gnuplot")
# What the programs of the bench count on, if it is there.
KINDS: dict[tuple[type, ...], tuple[str, tuple[str, ...]]] = {
    (dict,): (
        "a table", ("caches", "core_kinds", "frequency", "guest", "limits", "mitigations", "programs", "sysctls")
    ),
    (int, float): ("a number", ("cpu_quota", "memory_bytes", "cores", "usable_cores")),
    (str,): ("a text", ("system", "kernel", "machine", "cpu", "cpu_pair", "kqueue", "commit")),
}
SYSCTLS = (
    "net.core.somaxconn",
    "net.core.netdev_max_backlog",
    "net.core.rmem_default",
    "net.core.wmem_default",
    "net.core.busy_poll",
    "net.core.bpf_jit_enable",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_autocorking",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.ip_local_port_range",
    "fs.nr_open",
    "fs.file-max",
    "fs.epoll.max_user_watches",
    "kernel.sched_autogroup_enabled",
    "kernel.numa_balancing",
    "kernel.perf_event_paranoid",
    "dev.cpu.0.freq",
    "hw.perfpolicy",
    "hw.setperf",
    "kern.ipc.somaxconn",
    "kern.maxfilesperproc",
    "net.inet.tcp.sendspace",
    "net.inet.tcp.recvspace",
    "net.inet.ip.portrange.first",
)


def collect() -> dict[str, Any]:
    flags = first_line(servers.build_dir() / "flags")
    return {
        "schema": SCHEMA,
        "system": platform.system(),
        "kernel": platform.release(),
        "kernel_build": platform.version() if platform.system() == "Linux" else None,
        "machine": platform.machine(),
        "distribution": distribution(),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "threads_per_core": threads_per_core(),
        "core_kinds": core_kinds(),
        "cpu_pair": str(cores.choose_cores(True)),
        "cpu_quota": quota.cpus(),
        "caches": caches(),
        "memory_bytes": _memory(),
        "frequency": frequency(),
        "mitigations": mitigations(),
        "clocksource": _clocksource(),
        "virtualisation": virtualisation(),
        "container": _detect("--container"),
        "limits": _limits(),
        "sysctls": sysctls(),
        "compiler": without_paths(_output(*_compiler(flags), "--version")),
        "flags": without_paths(flags),
        "kqueue": kqueue(flags),
        "libc": " ".join(platform.libc_ver()).strip() or None,
        "python": platform.python_version(),
        "gnuplot": _output("gnuplot", "--version"),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": _dirty(),
        "programs": programs(servers.build_dir()),
    }


def programs(build: Path) -> dict[str, str]:
    """A hash of each program that is measured, or that measures: a change that nobody has committed is seen."""
    names = [*servers.ALL, "loadgen", "million", *(path.name for path in build.glob("microbench_*"))]
    found = [build / name for name in names] + list(build.glob("guest/microbench_*"))
    return {
        path.relative_to(build).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in sorted(found)
        if path.is_file() and os.access(path, os.X_OK)
    }


def damaged(found: dict[str, Any]) -> str:
    """What is wrong with a fingerprint that was read; empty if nothing is. Each entry may be null or missing: nobody
    wrote it down."""
    if found.get("schema") != SCHEMA:
        return f"schema {found.get('schema')!r}, expected {SCHEMA!r}"
    for kind, (said, names) in KINDS.items():
        for name in names:
            if type(found.get(name)) not in (*kind, type(None)):  # True is an int to isinstance()
                return f"{name}: {found[name]!r}, expected {said}"
    return ""


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """What differs between two fingerprints: (name, in one, in the other)."""
    found = []
    for name in dict.fromkeys([*one, *other]):
        left, right = one.get(name), other.get(name)
        if isinstance(left, dict) and isinstance(right, dict):
            found += [(f"{name}.{inner}", a, b) for inner, a, b in differences(left, right)]
        elif left != right:
            found.append((name, left, right))
    return found


def changes(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """In what two sessions differ that their runs may depend on, in words. Empty: the same machine and build."""
    found = [f"{name}: {left} -> {right}" for name, left, right in differences(_without(one), _without(other))]
    left, right = (each.get("programs") or {} for each in (one, other))
    both = left.keys() & right.keys()  # a program that only one of them has made no run of the other
    if not both:
        return [*found, "programs: whether they are the same is not known"]
    changed = sorted(name for name in both if left[name] != right[name])
    return [*found, f"programs: another build of {', '.join(changed)}"] if changed else found


def _without(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in (*BESIDE, "programs")}


def remarks(found: dict[str, Any]) -> list[str]:
    """What on this machine can disturb the figures, in sentences."""
    said = []
    allowed = found.get("cpu_quota")
    if allowed is not None and allowed < 2:
        stops = "when it is used up, the kernel stops both of them for the rest of a period"
        said.append(f"the CPU quota is {allowed:.3g} CPUs, but server and load generator need two: {stops}")
    said += _about_frequency(found.get("frequency") or {})
    return said


def _about_frequency(found: dict[str, Optional[str]]) -> list[str]:
    governor, turbo = found.get("governor"), found.get("turbo")
    if governor is None and turbo is None:
        return ["no frequency governor and no turbo switch can be seen: the clock may change its speed unnoticed"]
    causes = []
    if governor not in (None, "performance"):
        causes.append(f"the frequency governor is {governor}")
    if turbo == "on":
        causes.append("turbo is on")
    return [f"the clock changes its speed with load and heat: {', '.join(causes)}"] if causes else []


def pinning(found: dict[str, Any], pinned: bool) -> str:
    """Where server and load generator of a result set ran, by its fingerprint and its setting."""
    pair = str(found.get("cpu_pair") or "")
    if pinned:
        return pair or "server and load generator pinned to different CPUs"
    return pair if "not pinned" in pair else "server and load generator not pinned to CPUs"


def without_paths(text: Optional[str]) -> Optional[str]:
    """The text, with each absolute path cut down to its last part."""
    if text is None:
        return None
    text = text.replace(f"{servers.ROOT}/", "")
    return re.sub(r"((?:^|[\s=:,'\"])(?:-[A-Za-z]+)?)/(?:[^\s/=:,'\"]+/)*", r"\1…/", text)


def kqueue(flags: Optional[str]) -> Optional[str]:
    """Who provides kqueue: native, libkqueue or emulation. The Makefile's record of flags ends with this word."""
    word = flags.split()[-1] if flags and flags.split() else None
    return word if word in ("native", "libkqueue", "emulation") else None


def distribution() -> Optional[str]:
    if platform.system() == "Darwin":
        return f"macOS {platform.mac_ver()[0]}"
    for line in lines(Path("/etc/os-release")):
        if line.startswith("PRETTY_NAME="):
            return line.split("=", 1)[1].strip('"')
    return None


def cpu_model() -> Optional[str]:
    for line in lines(Path("/proc/cpuinfo")):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    for line in (_output("lscpu", whole=True) or "").splitlines():
        if line.startswith("Model name:"):
            return line.split(":", 1)[1].strip()
    return _sysctl("machdep.cpu.brand_string") or _sysctl("hw.model")


def caches() -> dict[str, str]:
    """Of the first core, for example {"L1 Data": "32K"}."""
    found = {}
    for index in sorted((CPUS / "cpu0/cache").glob("index*")):
        level, kind, size = (first_line(index / name) for name in ("level", "type", "size"))
        if level and kind and size:
            found[f"L{level} {kind}"] = size
    if not found:
        for name in ("l1dcachesize", "l1icachesize", "l2cachesize", "l3cachesize"):
            size = _sysctl(f"hw.{name}") if platform.system() != "Linux" else None
            if size:
                found[name] = size
    return found


def core_kinds() -> dict[str, int]:
    """CPUs of each kind, if there are several kinds."""
    if hasattr(os, "sched_getaffinity"):
        return cores.kinds_of(cores.read_cpus(os.sched_getaffinity(0)))
    found = {}
    for level in range(int(_sysctl("hw.nperflevels") or 0)):  # macOS; the fastest is level 0
        count = _sysctl(f"hw.perflevel{level}.logicalcpu")
        found[_sysctl(f"hw.perflevel{level}.name") or f"level {level}"] = int(count or 0)
    return found if len(found) > 1 else {}


def frequency(cpus: Path = CPUS) -> dict[str, Optional[str]]:
    """What sets the clock's speed: the kernel's driver, its governor, and whether turbo is allowed (Linux,
    Documentation/admin-guide/pm/cpufreq.rst). Of all CPUs together; null is not shown here."""
    return {
        "driver": _of_all(cpus, "cpufreq/scaling_driver"),
        "governor": _of_all(cpus, "cpufreq/scaling_governor"),
        "turbo": _turbo(cpus),
    }


def _of_all(cpus: Path, name: str) -> Optional[str]:
    values = {first_line(path) for path in cpus.glob(f"cpu[0-9]*/{name}")} - {None}
    return ", ".join(sorted(map(str, values))) or None


def _turbo(cpus: Path) -> Optional[str]:
    """Intel's driver has a switch that forbids turbo, others have one that allows it, for all CPUs or for each."""
    forbidden = first_line(cpus / "intel_pstate/no_turbo")
    if forbidden in ("0", "1"):
        return "off" if forbidden == "1" else "on"
    allowed = first_line(cpus / "cpufreq/boost") or _of_all(cpus, "cpufreq/boost")
    return {"1": "on", "0": "off", "0, 1": "on"}.get(allowed or "")


def mitigations() -> dict[str, str]:
    folder = CPUS / "vulnerabilities"
    texts = {path.name: first_line(path) for path in sorted(folder.glob("*"))}
    return {name: text for name, text in texts.items() if text}


def virtualisation() -> Optional[str]:
    found = _detect("--vm")
    if found:
        return found
    if platform.system() == "Darwin":
        return {"1": "vm", "0": "none"}.get(_sysctl("kern.hv_vmm_present") or "")
    flags = [line for line in lines(Path("/proc/cpuinfo")) if line.startswith("flags")]
    if not flags:
        return _sysctl("kern.vm_guest")
    return "hypervisor" if "hypervisor" in flags[0].split() else "none"


def sysctls() -> dict[str, str]:
    found = {}
    for name in SYSCTLS:
        if platform.system() == "Linux":
            value = first_line(Path("/proc/sys") / name.replace(".", "/"))
        else:
            value = _sysctl(name)
        if value:
            found[name] = " ".join(value.split())
    return found


def _detect(kind: str) -> Optional[str]:
    # It prints "none" and fails if there is none; that is an answer too.
    return _output("systemd-detect-virt", kind, failing=True)


def _clocksource() -> Optional[str]:
    here = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    return first_line(here) or _sysctl("kern.timecounter.hardware")


def threads_per_core(cpus: Path = CPUS) -> Optional[int]:
    """Of the first core."""
    siblings = cores.numbers_in(first_line(cpus / "cpu0/topology/thread_siblings_list"))
    if siblings:
        return len(siblings)
    logical, physical = _sysctl("hw.logicalcpu_max"), _sysctl("hw.physicalcpu_max")  # macOS
    if logical and physical:
        return int(logical) // int(physical)
    return int(_sysctl("kern.smp.threads_per_core") or 0) or None  # FreeBSD


def _sysctl(name: str) -> Optional[str]:
    return _output("sysctl", "-n", name)


def _memory() -> Optional[int]:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def _limits() -> dict[str, Optional[int]]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {
        "descriptors_soft": None if soft == resource.RLIM_INFINITY else soft,
        "descriptors_hard": None if hard == resource.RLIM_INFINITY else hard,
    }


def _compiler(flags: Optional[str]) -> list[str]:
    """The compiler as the Makefile called it: the words before the first option."""
    words: list[str] = []
    for word in (flags or "").split():
        if word.startswith("-"):
            break
        words.append(word)
    return words or ["cc"]


def _dirty() -> Optional[bool]:
    changed = _git("status", "--porcelain")
    return None if changed is None else bool(changed)


def _git(*arguments: str) -> Optional[str]:
    """None if the tree is no git work tree of its own, also if it lies inside another work tree."""
    top = _output("git", "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != servers.ROOT:
        return None
    return _output("git", "--no-optional-locks", *arguments, empty=True)


def _output(*command: str, whole: bool = False, empty: bool = False, failing: bool = False) -> Optional[str]:
    """The first line (or all) that a command prints. None if it does not exist or fails."""
    if shutil.which(command[0]) is None:
        return None
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, cwd=servers.ROOT, env=environment, capture_output=True, text=True, errors="replace", timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0 and not failing:
        return None
    text = done.stdout.strip()
    if empty or whole:
        return text
    return text.splitlines()[0] if text else None


def main() -> int:
    argparse.ArgumentParser(prog="bench.fingerprint", description=__doc__.split("\n")[0]).parse_args()
    print(json.dumps(collect(), indent=2))
    return 0


if __name__ == "__main__":
    ending.run(main, "bench")
