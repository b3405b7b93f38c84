"""Puts M minutes of mixed load on each server, one server after the other. The load is three loadgens at once (for
HTTP three http_load.py), each of which checks every echo, and two threads of peers that break the rules. Once a
minute the load stops and starts again. In between, the server must hold no more connections, buffers and descriptors
than at the start, and no more memory in use than after the first minute. `make soak MINUTES=M` calls it.

Exit status: 0, or 1 if something was lost, wrong or kept, or 130 after an interrupt.
"""

from __future__ import annotations

import argparse
import dataclasses
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from suite import ending, kernel, preload, servers, waiting
from suite.adversaries import Footprint, descriptors
from suite.server import Server

from soak import http_load, load
from soak.rude import Rude
from soak.rude_http import RudeHttp

ROUND_SECONDS = 60.0
LEAST_ROUNDS = 3  # the others are compared with the first
RUDE_PEERS = 2

# What a server has from malloc(3) and has not given back: in_use.c. A server's tables double when more peers are there
# at once than ever before. A leak of one byte a frame, or of one struct a connection, exceeds this within a minute.
IN_USE_SLACK = 128 * 1024
# What is free stays resident up to this (BUFFERS_KEPT_BYTES in common/buffer.h), and differs from round to round.
RESIDENT_SLACK = 32 * 1024 * 1024 + IN_USE_SLACK


@dataclasses.dataclass
class Sample:
    """What a server holds, and what it has done so far. Taken while it has no load."""

    seconds: float
    frames: int
    accepted: int
    in_use: int
    resident: int
    descriptors: int
    cpu_seconds: float

    def line(self) -> str:
        return (
            f"{self.seconds:7.0f} s  {self.frames:12,} frames  {self.accepted:10,} connections  "
            f"{self.in_use / 1024:8,.0f} KiB in use  {self.resident / 1024:8,.0f} KiB resident  "
            f"{self.descriptors:4} descriptors  {self.cpu_seconds:8.1f} s CPU"
        )


@dataclasses.dataclass
class Result:
    name: str
    samples: list[Sample] = dataclasses.field(default_factory=list)
    echoes: int = 0  # checked by the load
    visits: Counter[str] = dataclasses.field(default_factory=Counter)  # by rude peers, of each kind
    wrong: list[str] = dataclasses.field(default_factory=list)
    interrupted: bool = False

    @property
    def grown(self) -> int:
        return self.samples[-1].in_use - self.samples[0].in_use if self.samples else 0

    def judge(self) -> None:
        """Adds to `wrong` what only all samples together can show."""
        if self.grown > IN_USE_SLACK:
            self.wrong.append(f"memory: {self.grown} bytes more than after the first round (limit {IN_USE_SLACK})")
        resident = self.samples[-1].resident - self.samples[0].resident if self.samples else 0
        if resident > RESIDENT_SLACK:
            self.wrong.append(f"resident memory: {resident} bytes more than after the first (limit {RESIDENT_SLACK})")
        if len({sample.descriptors for sample in self.samples}) > 1:
            self.wrong.append("the number of open descriptors did not stay the same")

    def judge_end(self, final: dict) -> None:
        """HTTP counts a request that it refuses as an error."""
        closed, refused = final["closed"], self.visits["refused"]
        if closed["error"] != refused or sum(closed.values()) != final["accepted"]:
            self.wrong.append(f"connections closed by an error ({refused} had to be), or not counted: {closed}")


class Counted(Server):
    """A server whose memory in use is counted."""

    def __init__(self, name: str, *options: str):
        self._counts = tempfile.NamedTemporaryFile(prefix="in-use-")
        self._counts.truncate(16)
        library = servers.build_dir() / "soak" / "in_use.so"
        super().__init__(name, *options, environment={"LD_PRELOAD": str(library), "IN_USE": self._counts.name})

    def in_use(self) -> int:
        """In bytes."""
        _blocks, size = struct.unpack("=qq", Path(self._counts.name).read_bytes())
        return size

    def kill(self) -> None:
        super().kill()
        self._counts.close()

    def __enter__(self) -> Counted:
        return self


def sample(server: Counted, began: float) -> Sample:
    statistics = server.statistics()
    # Pages of the program itself come in when first touched: they are not counted.
    resident = kernel.memory_bytes(server.pid, "RssAnon")
    return Sample(
        time.monotonic() - began, statistics["frames"], statistics["accepted"], server.in_use(), resident,
        descriptors(server), kernel.cpu_seconds(server.pid),
    )


def one_round(server: Server, result: Result, seconds: float, seed: int) -> None:
    """Runs load and rude peers for `seconds`, and waits until all of them have gone."""
    loads = load.start(server, seconds, seed)
    kind = RudeHttp if load.speaks_http(server.name) else Rude
    rude = [kind(server, seed * RUDE_PEERS + i) for i in range(RUDE_PEERS)]
    for each in rude:
        each.start()
    try:
        checked, wrong = load.finish(loads, seconds)
        result.echoes += checked
        result.wrong += wrong
    finally:
        for each in rude:
            each.end()
            result.visits += each.visits
            result.wrong += [each.failure] if each.failure else []
        load.end(loads)


def soak(server: Counted, result: Result, minutes: float) -> None:
    start = Footprint.of(server)
    began = time.monotonic()
    seconds = min(ROUND_SECONDS, minutes * 60 / LEAST_ROUNDS)
    seed = 0
    while not result.wrong and (seed < LEAST_ROUNDS or time.monotonic() - began < minutes * 60 - seconds / 2):
        seed += 1
        one_round(server, result, seconds, seed)
        if server.process.poll() is not None:
            result.wrong.append(f"the server has ended, status {server.process.returncode}: {server.errors()[-3:]}")
            return
        start.expect_back()
        result.samples.append(sample(server, began))
        print(f"{server.name:10}  {result.samples[-1].line()}", flush=True)


def run(name: str, minutes: float) -> Result:
    result = Result(name)
    try:
        with tempfile.TemporaryDirectory(prefix="soak-") as root:
            of_http = ("--root", root) if load.speaks_http(name) else ()
            if of_http:
                http_load.make_root(Path(root))
            with Counted(name, "--drain-timeout", "2", *of_http) as server:
                soak(server, result, minutes)
                if server.process.poll() is None:
                    result.judge_end(server.stop())
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        result.wrong.append(str(error))
    except KeyboardInterrupt:
        result.interrupted = True
    result.judge()
    return result


def summary(results: list[Result]) -> None:
    print()
    for result in results:
        outcome = "WRONG" if result.wrong else "nothing lost or kept"
        print(f"{result.name}: {result.echoes:,} echoes checked, {result.visits.total():,} visits by rude peers, "
              f"{len(result.samples)} rounds, memory {result.grown / 1024:+,.0f} KiB since the first: {outcome}"
              f"{', interrupted' if result.interrupted else ''}")
        for each in result.wrong:
            print(f"    {each}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="minutes for each server (default 5)")
    parser.add_argument("servers", nargs="*", metavar="SERVER", help=", ".join(servers.WHOLE))
    given = parser.parse_args()
    if not 0.1 <= given.minutes <= 100_000:
        parser.error(f"--minutes {given.minutes:g}: expected a number from 0.1 to 100000")
    for name in given.servers:
        if name not in servers.WHOLE:
            parser.error(f"{name}: no such server; choose from {', '.join(servers.WHOLE)}")
    return given


def main() -> int:
    given = arguments()
    if reason := preload.absent():  # which needs Linux, as all that reads /proc does
        print(f"soak: cannot count memory in use: {reason}", file=sys.stderr)
        return 1
    waiting.PATIENCE = 60.0
    names = [name for name in given.servers or servers.WHOLE if servers.absent(name) is None]
    missing = [name for name in (*names, "loadgen") if not servers.program(name).exists()]
    if missing:
        print(f"soak: not built: {', '.join(missing)}; run: make all", file=sys.stderr)
        return 1
    print(f"{len(names)} servers, one after the other, {given.minutes:g} minutes each", flush=True)
    results: list[Result] = []
    for name in names:
        results.append(run(name, given.minutes))
        if results[-1].interrupted:
            break
    summary(results)
    if any(result.wrong for result in results):
        return 1
    return 130 if results[-1].interrupted else 0


if __name__ == "__main__":
    ending.run(main, "soak", unread=1)
