"""E22: build/http beside nginx, by wrk: requests a second and CPU time a request, as ratios.

Both serve the same small file, and answer the same POST with as many bytes as it has: nginx by a fixed text, since it
has no echo. One worker each, no access log, fresh processes for each run. The two runs of a pair follow each other, A B
in odd pairs and B A in even ones. Each pair is one sample of the ratio."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from suite import servers

from bench import cores, process, program, statistics, steal

LEAST_PAIRS = 6  # an interval of the median takes so many
CONNECTIONS = 50
FILE_BYTES = 1024
BODY_BYTES = 64
STARTS_WITHIN = 10.0  # seconds
# Stated before any run. Both make the same calls for a request; nginx reads more of one, and says more in a reply.
RATE_AT_LEAST = 0.9
CPU_AT_MOST = 1.1

# A file of 1 KiB in place of a log and of a cache: what is measured is the loop, the parser and the calls.
NGINX = """
daemon off; worker_processes 1; pid {root}/pid; error_log {root}/errors crit;
{user}
events {{ worker_connections 1000; }}
http {{
    access_log off; sendfile on; keepalive_requests 1000000000; types {{ text/plain txt; }}
    client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
    uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {root}/files;
        location = /echo {{ default_type application/octet-stream; return 200 "{body}"; }}
    }}
}}
"""
POST = """
wrk.method = "POST"
wrk.body = "{body}"
"""
BODY = "x" * BODY_BYTES
PATHS = {"file": "/small.txt", "echo": "/echo"}


class CannotRun(Exception):
    """The text is the line to print."""


@dataclass(frozen=True)
class Sample:
    case: str
    pair: int
    server: str
    rate: float  # requests a second
    cpu_us: float  # of the server, a request
    disturbed: str


@dataclass(frozen=True)
class Started:
    process: subprocess.Popen
    port: int

    def worker(self) -> int:
        """The process that serves: nginx has one above it."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        children = path.read_text().split()
        return int(children[0]) if children else self.process.pid

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STARTS_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def start(server: str, place: Path, core: Optional[int]) -> Started:
    port = free_port()
    if server == "nginx":
        user = "user root;" if os.geteuid() == 0 else ""  # else nobody, who cannot read the directory
        (place / "nginx.conf").write_text(NGINX.format(root=place, port=port, body=BODY, user=user))
        words = ["nginx", "-e", str(place / "errors"), "-c", str(place / "nginx.conf")]
    else:
        words = [str(servers.program("http")), "--port", str(port), "--root", str(place / "files")]
    with (place / f"{server}.out").open("wb") as out:
        started = Started(subprocess.Popen(words, stdout=out, stderr=out, preexec_fn=process.prepare(core)), port)
    deadline = time.monotonic() + STARTS_WITHIN
    while not answers(port):
        if started.process.poll() is not None or time.monotonic() > deadline:
            lines = (place / f"{server}.out").read_text(errors="replace").splitlines()
            started.stop()
            raise CannotRun(f"{server}: {process.ending(started.process.poll(), lines)}")
        time.sleep(0.01)
    return started


def load(case: str, port: int, seconds: float, place: Path, core: Optional[int]) -> float:
    """Requests that wrk has made in so many seconds. An error of one is an error of the run."""
    script = place / "post.lua"
    script.write_text(POST.format(body=BODY))
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s"]
    words += ["-s", str(script)] if case == "echo" else []
    words += [f"http://127.0.0.1:{port}{PATHS[case]}"]
    done = subprocess.run(words, capture_output=True, text=True, preexec_fn=process.prepare(core))
    found = re.search(r"(\d+) requests in ", done.stdout)
    if done.returncode != 0 or found is None or "Socket errors" in done.stdout or "Non-2xx" in done.stdout:
        raise CannotRun(f"wrk: {' | '.join(done.stdout.splitlines()[-4:])} {done.stderr.strip()}")
    return float(found[1])


def sample(case: str, pair: int, server: str, seconds: float, place: Path, where: cores.Cores) -> Sample:
    started = start(server, place, where.server)
    try:
        load(case, started.port, 1, place, where.client)  # both sides warm, and the worker of nginx is there
        worker = started.worker()
        watch, before, began = steal.Watch(), process.cpu_ns(worker), time.monotonic()
        requests = load(case, started.port, seconds, place, where.client)
        took, after = time.monotonic() - began, process.cpu_ns(worker)
    finally:
        started.stop()
    if before is None or after is None:
        raise CannotRun(f"{server}: its CPU time cannot be read")
    return Sample(case, pair, server, requests / took, (after - before) / 1000 / requests, watch.disturbed())


def ratios(samples: Sequence[Sample], case: str, figure: str) -> list[float]:
    of = {(each.server, each.pair): getattr(each, figure) for each in samples if each.case == case}
    return [of["http", pair] / of["nginx", pair] for server, pair in of if server == "http" and ("nginx", pair) in of]


def verdict(values: Sequence[float], low: float, high: float) -> str:
    """By the rule of the experiments: the interval lies within the limits, outside, or across one of them."""
    found = statistics.interval(values)
    if found is None:
        return "inconclusive"
    if low <= found[0] and found[1] <= high:
        return "reproduced"
    return "not reproduced" if found[1] < low or found[0] > high else "inconclusive"


def report(samples: Sequence[Sample]) -> list[str]:
    lines = [f"{'E22':8} {'ratio http/nginx':24} {'median':>7}  {'interval':15} limit      verdict"]
    for case in dict.fromkeys(each.case for each in samples):
        for figure, text, low, high, limit in (
            ("rate", "requests a second", RATE_AT_LEAST, float("inf"), f">= {RATE_AT_LEAST:g}"),
            ("cpu_us", "CPU time a request", 0.0, CPU_AT_MOST, f"<= {CPU_AT_MOST:g}"),
        ):
            values = ratios(samples, case, figure)
            found = statistics.summarise(values)
            lines.append(f"{case:8} {text:24} {found.median:7.3f}  {found.low:.3f} to {found.high:.3f}  {limit:9}  "
                         f"{verdict(values, low, high)}")  # fmt: skip
    disturbed = sum(bool(each.disturbed) for each in samples)
    return lines + ([f"{disturbed} of {len(samples)} runs were disturbed (steal)"] if disturbed else [])


def absent() -> Optional[str]:
    missing = [each for each in ("nginx", "wrk") if shutil.which(each) is None]
    if missing:
        return f"needs {' and '.join(missing)}"
    if not servers.program("http").exists():
        return servers.absent("http") or f"{servers.program('http')} is not built"
    return None


def arguments(words: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-nginx", description=__doc__)
    parser.add_argument("--pairs", metavar="N", type=int, default=8, help="of runs, for each case (default 8)")
    parser.add_argument("--seconds", metavar="S", type=program.seconds, default=3, help="of each run (default 3)")
    parser.add_argument("--output", metavar="FILE", type=Path, help="all samples, as JSON")
    parser.add_argument("--unpinned", action="store_true", help="bind the processes to no CPU")
    given = parser.parse_args(words)
    if given.pairs < LEAST_PAIRS or given.seconds < 1:
        parser.error(f"--pairs: at least {LEAST_PAIRS}, for an interval; --seconds: at least 1")
    return given


def main(words: Optional[Sequence[str]] = None) -> int:
    given = arguments(words)
    if reason := absent():
        print(f"skipped: E22 ({reason})")
        return 0
    where = cores.choose_cores(not given.unpinned)
    samples: list[Sample] = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            (place / "files").mkdir()
            (place / "files" / "small.txt").write_text("x" * FILE_BYTES)
            for pair in range(1, given.pairs + 1):
                for case in PATHS:
                    for server in ("http", "nginx") if pair % 2 else ("nginx", "http"):
                        samples.append(sample(case, pair, server, given.seconds, place, where))
    except CannotRun as error:
        print(f"bench-nginx: {error}", file=sys.stderr)
        return 1
    if given.output:
        given.output.write_text(json.dumps([asdict(each) for each in samples], indent=1) + "\n")
    version = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr.strip()
    print(f"{where}; {version}", *report(samples), sep="\n")
    return 0


if __name__ == "__main__":
    program.run(main)
