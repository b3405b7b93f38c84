"""The loads on a server, by loadgen or, for HTTP, by http_load.py. Several run at once. Each checks every echo."""

from __future__ import annotations

import json
import subprocess
import sys

from soak import http_load
from suite import servers, tls
from suite.server import Server

# The purpose of each load, and its options. The closed loops use all the CPU that they get; the open loop keeps its
# own rate beside them.
LOADS: dict[str, tuple[str, ...]] = {
    "small frames in pieces, beside trickling peers": (
        "--connections", "120", "--active", "40", "--idle", "trickle", "--payload", "64*9,4096-8192*1",
        "--pipeline", "8", "--fragment", "--churn", "500",
    ),
    "frames of all sizes, beside peers with half a frame": (
        "--connections", "60", "--active", "20", "--idle", "half-frame", "--payload", "0-70000", "--churn", "200",
        "--close", "fin", "--rate", "400", "--arrivals", "poisson",
    ),
    "the largest frames, beside peers that do not read": (
        "--connections", "20", "--active", "4", "--idle", "not-reading", "--payload", "200000-1048576",
        "--pipeline", "2", "--churn", "50",
    ),
}
CANNOT_RUN, BAD_OPTION, ERRORS = 1, 2, 3


def start(server: Server, seconds: float, seed: int) -> dict[str, subprocess.Popen]:
    """Starts every load in a session of its own, so that Ctrl-C at the terminal reaches only us. By their names."""
    return {
        name: subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )
        for name, command in commands(server, f"{seconds:.1f}", str(seed)).items()
    }


def speaks_http(name: str) -> bool:
    return servers.OF[name].protocol == "http"


def commands(server: Server, seconds: str, seed: str) -> dict[str, list[str]]:
    port = str(server.address[1])
    if speaks_http(server.name):
        return {load: [sys.executable, "-m", "soak.http_load", port, seconds, seed, load] for load in http_load.LOADS}
    always = [
        str(servers.program("loadgen")), "--port", port, "--duration", seconds, "--warmup", "0", "--drain", "30",
        "--seed", seed, "--quiet", "--json", "-", *tls.of_loadgen(server.name),
    ]  # fmt: skip
    return {name: [*always, *options] for name, options in LOADS.items()}


def finish(loads: dict[str, subprocess.Popen], seconds: float) -> tuple[int, list[str]]:
    """Waits until the loads end. Returns how many echoes they checked, and what was wrong."""
    checked = 0
    wrong = []
    for name, process in loads.items():
        try:
            out, errors = process.communicate(timeout=seconds + 120)
        except subprocess.TimeoutExpired:
            process.kill()
            wrong.append(f"load ({name}): it did not end: {process.communicate()[1].strip()}")
            continue
        if process.returncode in (CANNOT_RUN, BAD_OPTION) or process.returncode < 0:
            wrong.append(f"load ({name}): exit status {process.returncode}: {errors.strip()}")
            continue
        report = json.loads(out)
        checked += report["counts"]["answered"]
        counted = {kind: count for kind, count in report["errors"].items() if count}
        if report["counts"]["unanswered"]:
            counted["unanswered"] = report["counts"]["unanswered"]
        if counted or process.returncode == ERRORS:
            wrong.append(f"load ({name}): {counted} {report['error_examples']}")
    return checked, wrong


def end(loads: dict[str, subprocess.Popen]) -> None:
    for process in loads.values():
        if process.poll() is None:
            process.kill()
        process.communicate()
