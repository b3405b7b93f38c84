"""The micro programs: system calls alone, without a server."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from typing import Optional

from suite import servers

from bench import process, steal
from bench.cores import Cores
from bench.loads import Failed
from bench.requests import Request, Taken

# Percent of its time that a program may be without a CPU: what the load generator allows its threads.
VERDICT = (servers.ROOT / "harness" / "loadgen" / "verdict.h").read_text(encoding="utf-8")
LIMIT = float(re.findall(r"X\(preempted, ([\d.]+),", VERDICT)[0])


def one_wait(request: Request) -> Taken:
    """E4: the call that waits, alone."""
    return run(request, "microbench_wait", {"wait": "wait_us"}, *_watched(request), "--place", request.point["place"])


def high_numbers(request: Request) -> Taken:
    """E11: the same call, with few descriptors that have high numbers."""
    words = ("--place", request.point["place"], "--from", request.point["from"])
    return run(request, "microbench_wait", {"wait": "wait_us"}, *_watched(request), *words)


def one_cycle(request: Request) -> Taken:
    """E4: the call, the scan for what is ready, and the reading of it."""
    figures = {"cycle": "cycle_us", "wait": "wait_us"}
    return run(request, "microbench_wait", figures, *_watched(request), "--place", "spread", "--cycle")


def of_one_socket(request: Request) -> Taken:
    """E4-same: the call alone, with nothing ready; N sockets, or N duplicates of one."""
    words = ("--same",) if request.point["of"] == "duplicates" else ()
    return run(request, "microbench_wait", {"wait": "wait_us"}, *_watched(request), *words)


def blocking(request: Request) -> Taken:
    """E4-block: the call alone, with nothing ready. It returns at once, or it sleeps: then its CPU time is taken."""
    block = request.point["block"]
    words, figure = (("--block", block), "cpu_us") if block != "0" else ((), "wait_us")
    return run(request, "microbench_wait", {"wait": figure}, *_watched(request), *words)


def _watched(request: Request) -> tuple[object, ...]:
    return (
        "--api", _api(request.server), "--watched", request.point["watched"], "--ready", request.point["ready"],
        "--seed", request.seed, "--seconds", f"{request.times.duration:g}",
    )  # fmt: skip


def chain(request: Request) -> Taken:
    """E7: libevent's bench.c."""
    sizes = [word for name in ("pairs", "active", "writes") for word in (f"--{name}", request.point[name])]
    times = ("--seed", request.seed, "--seconds", f"{request.times.duration:g}")
    words = ("--api", _api(request.server), *sizes, "--kind", "socketpair", *times)
    return run(request, "microbench_chain", {"chain": "chain_us"}, *words)


def _api(server: str) -> str:
    return servers.OF[server].microbench


def yardstick(cores: Cores) -> Optional[float]:
    """Nanoseconds of a fixed system call on the server's core just now; None where the program fails."""
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError, KeyError):
        done = subprocess.run(
            [str(servers.program("microbench_yardstick"))],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=True,
            preexec_fn=process.prepare(cores.server),
        )
        return float(json.loads(done.stdout)["figures"]["call_ns"])
    return None


def run(request: Request, program: str, wanted: dict[str, str], *options: object) -> Taken:
    """`wanted`: for each column of the row the name of the program's figure."""
    command = [str(servers.program(program)), *map(str, options)]
    watch = steal.Watch()
    bound = 8 * request.driver.patience + 10 * request.times.duration
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=bound,
            preexec_fn=process.prepare(request.driver.cores.server),
        )
    except subprocess.TimeoutExpired:
        said = f"{program} did not end within {bound:g} s and was killed"
        raise Failed(f"{said}; the command was: {' '.join(command)}") from None
    except OSError as error:
        raise Failed(f"{program} did not start: {error}") from None
    if result.returncode != 0:
        raise Failed(f"{program} {process.ending(result.returncode, result.stderr.splitlines())}")
    try:
        report = json.loads(result.stdout)
        figures = {column: float(report["figures"][name]) for column, name in wanted.items()}
        disturbed = "; ".join(filter(None, (watch.disturbed(), _preempted(report["figures"].get("preempted", 0)))))
        return Taken("VALID", report["schedule_hash"], [], {**figures}, disturbed)
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(f"{program} printed what cannot be read ({error!r}): {result.stdout[:200]!r}") from None


def _preempted(percent: float) -> str:
    """In the words of the load generator; empty where another program hardly had the core. A program that is not alone
    on its core by itself does not tell."""
    if percent <= LIMIT:
        return ""
    return f"preempted: the program stood ready without a CPU for {percent:.2f}% of the time (limit {LIMIT:g}%)"
