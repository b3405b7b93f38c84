"""E16: the instructions of one wait, and of a whole cycle, counted in a guest (harness/guest/).

The programs and the points are those of E4. Everything is counted twice, in two boots, each with another seed and in
another order: what comes out the second time says how far the figures repeat."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from guest import kernel, machine
from suite import servers

from bench import experiments, plan, program, rows
from bench.progress import key_figure
from bench.results import ENOUGH, Results
from bench.rows import Row, point

NAME = "E16"
BOOTS = 2
PATIENCE = 300.0  # seconds without an answer, after which a guest is ended; an answer takes up to ten
SPAN = 0.01  # seconds of the guest's clock for a measurement: ten million instructions, or the program's least number
COUNTED = tuple(kind.name for kind in servers.KINDS if kind.microbench != "none" and not kind.stand_in)
POLL_AND_EPOLL = ("poll_srv", "epoll_lt")


@dataclass(frozen=True)
class Count:
    """One measurement in the guest."""

    server: str
    point: str
    seed: int

    def words(self) -> list[object]:
        """The command."""
        of = rows.factors(self.point)
        words: list[object] = ["microbench_wait", "--api", servers.OF[self.server].microbench]
        words += ["--watched", of["watched"], "--ready", of["ready"], "--seed", self.seed, "--seconds", SPAN]
        if of["what"] == "cycle":
            return [*words, "--place", "spread", "--cycle"]
        if of["what"] == "block":
            return [*words, "--block", experiments.SLEEP]
        return [*words, "--same"] if of.get("of") == "duplicates" else words

    @property
    def figure(self) -> str:
        """The program's figure. Its microseconds are thousands of instructions."""
        return {"wait": "wait_us", "cycle": "cycle_us", "block": "cpu_us"}[rows.factors(self.point)["what"]]


def _each(names: Sequence[str], *points: str) -> list[tuple[str, str]]:
    return list(itertools.product(names, points))


def _waits(*watched: int) -> list[str]:
    return [point(watched=each, ready=1, place="last", what="wait") for each in watched]


def _all_ready(watched: int) -> list[str]:
    return [point(watched=watched, ready=watched, place="last", what="wait")]


def _cycles(watched: int, *ready: int) -> list[str]:
    return [point(watched=watched, ready=each, what="cycle") for each in ready]


def _nothing_ready(of: str, *watched: int) -> list[str]:
    return [point(watched=each, ready=0, of=of, what="wait") for each in watched]


def _blocks(*watched: int) -> list[str]:
    return [point(watched=each, ready=0, what="block") for each in watched]


WHOLE = [
    *_each(COUNTED, *_waits(100, 1000, 9000), *_all_ready(1000), *_cycles(1000, 1, 10, 1000), *_cycles(9000, 1)),
    *_each(POLL_AND_EPOLL, *_waits(4000, 16000), *_cycles(9000, 90, 9000)),
    *_each(("poll_srv",), *_nothing_ready("duplicates", 1000, 16000), *_nothing_ready("sockets", 16000)),
    *_each(POLL_AND_EPOLL, *_nothing_ready("sockets", 1000), *_blocks(1000)),
]
SMOKE = _each(POLL_AND_EPOLL, *_waits(10, 100), *_cycles(100, 1, 100), *_blocks(10))


def planned(what: Sequence[tuple[str, str]], seed: int, repeat: int) -> list[Count]:
    """The measurements of one boot, in its order."""
    counts = [
        Count(server, where, plan.derive_seed(seed, "load", NAME, where, repeat)) for server, where in what
    ]
    random.Random(plan.derive_seed(seed, "order", NAME, repeat)).shuffle(counts)
    return counts


def row_of(count: Count, repeat: int, status: int, output: str) -> Row:
    """The row of a measurement that the guest has answered."""
    row = Row(NAME, count.server, count.point, repeat, 1, count.seed, "FAILED", reasons=output)
    if status == 0:
        try:
            report = json.loads(output)
            row.instructions = 1000 * float(report["figures"][count.figure])
            row.schedule_hash = report["schedule_hash"]
            row.verdict, row.reasons = "VALID", ""
        except (ValueError, KeyError, TypeError) as error:
            row.reasons = f"the guest printed what cannot be read ({error!r}): {output[:200]!r}"
    return row


class Boot:
    """One guest, and what it is to count."""

    def __init__(self, repeat: int, counts: Sequence[Count], image: Path):
        self.repeat = repeat
        self.counts = counts
        self._scratch = tempfile.TemporaryDirectory(prefix="guest-")
        commands = [count.words() for count in counts]
        programs = servers.build_dir() / "guest"
        self.guest = machine.Guest(Path(self._scratch.name), image, programs, commands)
        self._answered: set[int] = set()
        self._began = time.time()

    def __enter__(self) -> Boot:
        return self

    def __exit__(self, *exception: object) -> None:
        self.guest.close()
        self._scratch.cleanup()

    def row(self, answer: machine.Answer) -> Row:
        self._answered.add(answer.number)
        return self._timed(row_of(self.counts[answer.number], self.repeat, answer.status, answer.output))

    def lacking(self) -> list[Row]:
        """The rows of what was not answered, when the guest has ended."""
        left = [count for number, count in enumerate(self.counts) if number not in self._answered]
        return [self._timed(row_of(count, self.repeat, 1, self.guest.ended)) for count in left]

    def _timed(self, row: Row) -> Row:
        now = time.time()
        row.started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._began))
        row.seconds = now - self._began
        self._began = now
        return row


def count(boots: Sequence[tuple[int, Sequence[Count]]], image: Path, patience: float) -> Iterator[Row]:
    """Makes these boots (their repeat, what they count), as many at a time as there are cores: no figure depends on
    it."""
    at_once = len(os.sched_getaffinity(0))
    for first in range(0, len(boots), at_once):
        with contextlib.ExitStack() as stack:
            begun = [
                stack.enter_context(Boot(repeat, counts, image)) for repeat, counts in boots[first : first + at_once]
            ]
            of = {id(boot.guest): boot for boot in begun}
            for guest, answer in machine.answers([boot.guest for boot in begun], patience):
                yield of[id(guest)].row(answer)
            for boot in begun:
                yield from boot.lacking()


def _create(parent: Path, mode: str, seed: int, guest: dict[str, str]) -> Results:
    # The guest has one processor, so both sides are bound to it, and as many descriptors as the points need.
    results = Results.create(parent, mode, seed, pinned=True, descriptors=ENOUGH)
    results.describe("guest", guest)
    return results


def _make(arguments: argparse.Namespace) -> int:
    image = kernel.find(arguments.kernel, servers.build_dir() / "guest")
    guest = {"kernel": kernel.version(image), "emulator": machine.version()}
    results = _create(arguments.results_in, "smoke" if arguments.smoke else "full", arguments.seed, guest)
    what, repeats = (SMOKE, 1) if arguments.smoke else (WHOLE, BOOTS)
    boots = [(repeat, planned(what, arguments.seed, repeat)) for repeat in range(1, repeats + 1)]
    total = repeats * len(what)
    ended = "counts cannot be continued; begin again: make bench-count"
    try:
        print(f"results: {results.path}\n{total} counts, a few minutes; {guest['kernel']}", flush=True)
        failed = _add(results, count(boots, image, arguments.patience), total)
    except KeyboardInterrupt:
        print(f"interrupted after {len(results.rows())} of {total}: {ended}", file=sys.stderr)
        return 130
    except OSError as error:
        return program.failed(error, ended)
    finally:
        if not results.rows():
            results.remove()
    from bench.__main__ import draw  # imported here, as there: numpy starts threads

    return 0 if draw(results) and not failed else 1


def _add(results: Results, answers: Iterator[Row], total: int) -> int:
    """Keeps and prints each count as it comes. Returns how many failed."""
    failed, reasons = 0, ""
    for number, row in enumerate(answers, start=1):
        results.add(row)
        failed += row.verdict == "FAILED"
        if row.reasons and row.reasons == reasons:
            continue  # what a guest did not answer all has the same reason
        reasons = row.reasons
        found = reasons or key_figure(row)
        place = f"[{number:{len(str(total))}}/{total}]"
        print(f"{place} {row.server:<10} {row.point:<48} r{row.repeat}  {found}", flush=True)
    if failed:
        print(f"{failed} of {total} counts failed")
    return failed


def main() -> int:
    arguments = _parse()
    program.interrupted_by_signals()
    why = machine.missing()
    try:
        if not why:
            return _make(arguments)
    except kernel.Absent as absent:
        why = str(absent)
    except kernel.BadKernel as bad:
        print(f"bench-count: the guest's kernel: {bad}", file=sys.stderr)
        return 2
    print(f"skipped: bench-count ({why})")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.counts", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, metavar="N", default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--kernel", default="", metavar="PATH", help="the guest's kernel (default: one of this system)")
    parser.add_argument("--results-in", type=Path, metavar="DIR", default=servers.ROOT / "results")
    patience = "how long a guest may be silent before it is ended (default: %(default)g)"
    parser.add_argument("--patience", type=program.seconds, default=PATIENCE, metavar="SECONDS", help=patience)
    parser.add_argument("--smoke", action="store_true", help="a few small counts in one boot, to see that it works")
    return parser.parse_args()


if __name__ == "__main__":
    program.run(main)
