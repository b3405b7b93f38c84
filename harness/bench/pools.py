"""Measures epoll_oneshot in its three ways, E19: one loop, a pool behind a dispatcher, all workers on one epoll.

A way stands in the place of a server in the rows. Server and client may use every core, as threads are the point."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from suite import limits, servers
from suite.server import Server

from bench.loads import Failed, Load
from bench.requests import Request, Taken

SERVER = "epoll_oneshot"
OPTIONS = {
    "one_loop": ("--workers", "0"),
    "pool": ("--workers", "2"),
    "one_for_all": ("--workers", "2", "--wait", "shared"),
}
ALL = tuple(OPTIONS)
LABELS = {
    "one_loop": "one-shot in one loop",
    "pool": "a dispatcher and 2 workers",
    "one_for_all": "2 workers on one epoll",
}
NOT_JUDGED = tuple(limits.options())  # the client shares its cores with the server, and is no limit of its own
SYSTEM_CALLS = "raw_syscalls:sys_enter"


def rate(request: Request) -> Taken:
    """E19: closed loop; the server computes for `work` microseconds on each message."""
    words = (*OPTIONS[request.server], "--work", request.point["work"])
    times = (request.times.warmup, request.times.duration)
    load = Load(SERVER, NOT_JUDGED, request.number("connections"), request.seed, *times, False, words, True)
    outcome = request.driver.run(load, request.json_path(0))
    figures = {"throughput": outcome.report["achieved"]}
    return Taken(
        outcome.verdict, outcome.report["schedule_hash"], outcome.reasons(), dict(figures), outcome.disturbed()
    )


def calls(request: Request) -> Taken:
    """E19-calls: all system calls of the server a message, also those by which threads wake each other, which the
    server's own statistics do not know. The kernel counts them (perf-stat(1)). Where it may not be asked there is no
    figure."""
    command = ["perf", "stat", "-x", ",", "-e", SYSTEM_CALLS]
    figures: dict[str, float | None] = {}
    if _counts([*command, "true"]) is not None:
        with Server(SERVER, *OPTIONS[request.server], ready_within=request.driver.patience) as server:
            counted = _counts([*command, "-p", str(server.pid), *_loadgen(request, server)])
            frames = server.stop()["frames"]
        if counted is None or frames == 0:
            raise Failed(f"perf stat did not count the system calls of {SERVER}")
        figures["calls"] = counted / frames
    return Taken("VALID", f"calls {request.point}", figures=figures)


def _loadgen(request: Request, server: Server) -> list[str]:
    host, port = server.address
    return [
        str(servers.program("loadgen")), "--quiet", "--host", host, "--port", str(port),
        "--connections", request.point["connections"], "--seed", str(request.seed), *NOT_JUDGED,
        "--warmup", f"{request.times.warmup:g}", "--duration", f"{request.times.duration:g}",
    ]  # fmt: skip


def _counts(command: Sequence[str]) -> float | None:
    """What perf counted while its command ran; None if it cannot or may not count."""
    if shutil.which("perf") is None:
        return None
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    lines = [line.split(",") for line in done.stderr.splitlines() if SYSTEM_CALLS in line]
    return float(lines[-1][0]) if lines and lines[-1][0].isdigit() else None


def crossing(works: Sequence[float], ratios: Sequence[float]) -> float:
    """At which work a way becomes as fast as one loop, between two points of the curve; 0 if it never does, or always
    is. The works are in ascending order."""
    for (x0, r0), (x1, r1) in zip(zip(works, ratios), zip(works[1:], ratios[1:])):
        if r0 < 1 <= r1:
            return x0 + (x1 - x0) * (1 - r0) / (r1 - r0)
    return 0.0
