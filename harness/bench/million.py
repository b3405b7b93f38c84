"""python -m bench.million: up to a million watched descriptors, one of them ready (E15), as `make million` runs it.

It is no part of `make bench`: it needs memory, and two minutes of its own. Its rows, verdicts and charts are those of
the other experiments, in a result set of its own or, with --resume, in one that is there.

Exit status: as that of `python -m bench`, but 1 when this machine can make none of the runs."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

from suite import servers

from bench import __main__ as bench
from bench import memory, plan, process, program, rows, statistics, steal
from bench.experiments import Experiment
from bench.loads import Failed
from bench.requests import Request, Taken, Times
from bench.results import BadResults, Results
from bench.session import PATIENCE, Session

PROGRAM = "million"
SERVERS = ("select_srv", "poll_srv", "epoll_lt")
FULL = (100, 1000, 10000, 100000, 1000000)
SMOKE = (100, 1000)
COUNTABLE = 10000  # with fewer, what the rest of the machine does is more than what the descriptors need
# kmalloc-64 has what an eventfd is besides a file.
OBJECTS = {"eventfd": (*memory.OF_FILES, *memory.OF_EPOLL, "kmalloc-64"), "tcp": memory.OF_SOCKETS}
A_SECOND = 4000  # descriptors that even a slow machine makes


def measure(request: Request) -> Taken:
    """E15. The kernel is looked at before anything is made, when all descriptors are made, and when all are watched."""
    watched = request.number("watched")
    words = _words(request.server, request.point) + ["--stages", "--seed", str(request.seed)]
    watch = steal.Watch()
    bytes_before, before = memory.slab(), memory.counted()
    with _started(request, words) as child:
        patience = request.driver.patience + watched / A_SECOND
        _line(child, patience)
        made = memory.counted()
        _go_on(child)
        report = _report(_line(child, patience))
        after, bytes_after = memory.counted(), memory.slab()
        _go_on(child)
        _ended(child, patience)
    of_program = report["figures"]
    figures: dict[str, Optional[float]] = {
        "wait": of_program["wait_us"],
        "events": of_program["events"] / of_program["calls"],
        "register": of_program.get("register_us"),
    }
    if watched >= COUNTABLE:
        if before is None or made is None or after is None:
            figures["kernel_bytes"] = (bytes_after - bytes_before) / watched
        else:
            everything = memory.added(before, after, OBJECTS[request.point["kind"]])
            figures["kernel_bytes"] = memory.bytes_of(everything) / watched
            entries = memory.added(made, after, ("eventpoll_epi",))
            figures["objects"] = memory.objects_of(entries) / watched
    return Taken("VALID", report["schedule_hash"], [], figures, watch.disturbed())


def _words(server: str, point: dict[str, str]) -> list[str]:
    api = servers.OF[server].microbench
    return [
        str(servers.program(PROGRAM)), "--api", api, "--watched", point["watched"], "--kind", point["kind"],
    ]  # fmt: skip


@contextlib.contextmanager
def _started(request: Request, words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """The program. Whatever happens, it and its processes are gone afterwards."""
    try:
        child = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=process.prepare(request.driver.cores.server),
        )
    except OSError as error:
        raise Failed(f"{PROGRAM} did not start: {error}") from None
    with child:
        try:
            yield child
        finally:
            _end(child)


def _end(child: subprocess.Popen[str]) -> None:
    """It ends its own processes first, which takes seconds for a million."""
    child.terminate()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()


def _line(child: subprocess.Popen[str], patience: float) -> str:
    """The next line of its output: it writes one at a time."""
    assert child.stdout is not None and child.stderr is not None
    if not select.select([child.stdout], [], [], patience)[0]:
        child.kill()
        raise Failed(f"{PROGRAM} did not go on within {patience:g} s and was killed")
    line = child.stdout.readline()
    if not line:
        errors = child.stderr.read().splitlines()
        raise Failed(f"{PROGRAM} {process.ending(child.wait(), errors)}")
    return line


def _report(line: str) -> dict[str, Any]:
    try:
        report = json.loads(line)
        report["figures"], report["schedule_hash"]
        return report
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(f"{PROGRAM} printed what cannot be read ({error!r}): {line[:200]!r}") from None


def _go_on(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    try:
        child.stdin.write("\n")
        child.stdin.flush()
    except BrokenPipeError:
        pass  # it has ended; its output says why


def _ended(child: subprocess.Popen[str], patience: float) -> None:
    try:
        status = child.wait(patience)
    except subprocess.TimeoutExpired:
        child.kill()
        raise Failed(f"{PROGRAM} did not end within {patience:g} s and was killed") from None
    if status != 0:
        raise Failed(f"{PROGRAM} {process.ending(status, child.stderr.read().splitlines() if child.stderr else [])}")


def experiment(kind: str) -> Experiment:
    def points(*watched: int) -> tuple[str, ...]:
        return tuple(rows.point(watched=each, kind=kind) for each in watched)

    times = Times(0, 0)  # the program counts rounds
    often = 6 if kind == "eventfd" else 1  # a million connections take a minute
    return Experiment(
        "E15",
        measure,
        {"quick": points(*FULL), "full": points(*FULL), "smoke": points(*SMOKE)},
        {"quick": often, "full": often, "smoke": 1},
        {mode: times for mode in ("quick", "full", "smoke")},
        descriptors=lambda values: 0,  # of one process; the program knows what it needs
        beside=1.5,
        servers=SERVERS,
        programs=(PROGRAM,),
    )


def beyond(run: plan.Run) -> str:
    """Why this machine cannot make the run, in the words of the program; empty if it can."""
    words = _words(run.server, rows.factors(run.point))
    done = subprocess.run([*words, "--check"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else ""


def reachable(runs: list[plan.Run], say: Callable[[str], None]) -> list[plan.Run]:
    """The runs that this machine can make. What it cannot make is said once for each server and point."""
    reasons = {(run.server, run.point): "" for run in runs}
    for run in {(run.server, run.point): run for run in runs}.values():
        reasons[run.server, run.point] = beyond(run)
    for reason in filter(None, reasons.values()):
        say(f"skipped: {re.sub(f'^{PROGRAM}: ', '', reason)}")
    return [run for run in runs if not reasons[run.server, run.point]]


HEAD = ("watched", "one wait, us", "registering one, us", "kernel memory, bytes", "epoll's entries counted")


def table(results: Results, kind: str) -> str:
    """Medians, a line for each server and number."""
    found = [row for row in results.rows() if row.experiment == "E15" and rows.factors(row.point)["kind"] == kind]
    columns = [statistics.by_point(found, name) for name in ("wait", "register", "kernel_bytes", "objects")]
    lines: list[tuple[str, ...]] = [("", *HEAD)]
    for server in SERVERS:
        places = sorted((statistics.value_of(point, "watched"), point) for name, point in columns[0] if name == server)
        for watched, point in places:
            cells = [column.get((server, point)) for column in columns]
            lines.append((server, f"{watched:,.0f}", *_texts([each.median if each else None for each in cells])))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in lines)


def _texts(values: list[Optional[float]]) -> list[str]:
    return ["-" if value is None else f"{value:.4g}" if value < 1000 else f"{value:,.0f}" for value in values]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.million", description="Measures one wait while a million descriptors are watched in one epoll."
    )
    parser.add_argument("--kind", choices=("eventfd", "tcp"), default="eventfd", help="what is watched")
    parser.add_argument("--mode", choices=("full", "smoke"), help="smoke: small numbers, once (default: full)")
    parser.add_argument("--seed", type=int, metavar="N", help="of what is made ready, and of the order of the runs")
    parser.add_argument("--unpinned", action="store_true", help="do not bind the program to a core")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--resume", type=Path, metavar="DIR", help="add the runs to these results")
    place.add_argument("--results-in", type=Path, metavar="DIR", help="where to make the results (default: results/)")
    return parser.parse_args()


def main() -> int:
    options = _parse()
    program.interrupted_by_signals()
    mode = options.mode or (None if options.resume else "full")
    pin = False if options.unpinned else None
    try:
        session = Session(mode, options.seed, pin, options.resume, options.results_in, PATIENCE)
    except BadResults as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    runs = plan.ordered(session.mode, session.seed, chosen=[experiment(options.kind)])
    return program.resumable(lambda: _make(session, runs, options.kind), lambda: session.hint("make million"))


def _others(results: Results) -> bool:
    """Whether there are results of make bench among these."""
    return bool({row.experiment for row in results.rows()} - {"E15"})


def _make(session: Session, runs: list[plan.Run], kind: str) -> int:
    if session.results and _others(session.results):
        print(f"note: {session.results.path} has results of make bench; the runs of E15 are added to them")
    missing = reachable([run for run in runs if session.missing(run)], print)
    return bench.make(session, missing, lambda results: _finish(results, kind, session.limit), nothing=1)


def _finish(results: Results, kind: str, limit: int) -> int:
    # What it prints is about the other experiments too.
    with contextlib.redirect_stdout(io.StringIO()):
        status = bench.finish(results)
    from bench import shapes  # here, because numpy starts threads, which would disturb the runs

    print(table(results, kind))
    print(f"select ends at FD_SETSIZE, {plan.FD_SETSIZE}; poll at the descriptor limit of one process, {limit}")
    print(shapes.text([each for each in shapes.judge(results) if each.experiment == "E15"]))
    print(f"report: {results.path / 'report.html'}")
    return status


if __name__ == "__main__":
    program.run(main)
