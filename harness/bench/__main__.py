"""python -m bench: makes the runs of the experiments, then judges, draws and reports the results.

Exit status: 0 when all went well, also when a shape was not reproduced; 1 when a run, a chart or the report failed;
2 for bad usage; 130 when interrupted."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

from bench import plan, program, rows
from bench.results import MODES, BadResults, Results
from bench.session import PATIENCE, Session

STEPS = ("shapes", "charts", "report")


def main() -> int:
    arguments = _parse()
    program.interrupted_by_signals()
    try:
        pin = False if arguments.unpinned else None
        session = Session(
            arguments.mode,
            arguments.seed,
            pin,
            arguments.resume,
            arguments.results_in,
            arguments.patience,
            arguments.only,
            writes=not arguments.list,
        )
        if session.results and {row.experiment for row in session.results.rows()} == {"E15"}:
            where = arguments.resume
            raise BadResults(f"{where}: made by make million; to continue: make million RESUME={where}")
        runs = plan.choose(session.runs, arguments.only)
        runs = [run for run in runs if session.missing(run)]
        if arguments.list:
            return _list(session, runs)
    except (BadResults, plan.BadChoice) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return program.resumable(lambda: make(session, runs, finish), lambda: session.hint("make bench"))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description="Makes the runs of the experiments, then judges, draws and reports the results."
    )
    parser.add_argument("--mode", choices=MODES, help="how many points, how often, how long (default: quick)")
    seed = "of all loads and of the order of the runs (default: random)"
    parser.add_argument("--seed", type=int, metavar="N", help=seed)
    parser.add_argument("--unpinned", action="store_true", help="do not bind server and client to a core each")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--resume", type=Path, metavar="DIR", help="make the runs that these results lack")
    parent = "where to make the directory of the results (default: results/)"
    place.add_argument("--results-in", type=Path, metavar="DIR", help=parent)
    patience = "how long a program may take to start, answer or stop before it counts as hung (default: %(default)g)"
    parser.add_argument("--patience", type=program.seconds, default=PATIENCE, metavar="SECONDS", help=patience)
    only = (
        "make only these runs. A word is an experiment, a server, or a run's name, in which * and ? stand for any "
        "text: --only E2 poll_srv makes the runs of E2 with poll_srv. A server beyond the five joins if it is named"
    )
    parser.add_argument("--only", nargs="+", action="extend", default=[], metavar="WORD", help=only)
    parser.add_argument("--list", action="store_true", help="print the names of the runs and make none")
    return parser.parse_args()


def _list(session: Session, runs: list[plan.Run]) -> int:
    for run in runs:
        reason = run.unreachable(session.limit)
        print(f"{run.name}  skipped: {reason}" if reason else run.name)
    return 0


def make(session: Session, runs: list[plan.Run], take: Callable[[Results], int], nothing: int = 0) -> int:
    """Makes the runs, and hands all results to `take`. `nothing`: the exit status where there are none."""
    try:
        session.make(runs)
    except BadResults as error:  # there is no place for the results
        print(f"bench: {error}", file=sys.stderr)
        return 2
    if session.results is None:
        print("nothing was run, so there is nothing to draw", file=sys.stderr)
        return nothing
    return take(session.results)


def finish(results: Results) -> int:
    """Judges, draws and reports what was run. Returns the exit status."""
    drawn = draw(results)
    return 0 if not _broken(results) and drawn else 1


def draw(results: Results) -> bool:
    """Takes every step, also after one that failed."""
    drawn = True
    for name in STEPS:
        # Imported here: numpy starts threads, which would disturb the runs.
        step = importlib.import_module(f"bench.{name}")
        if program.status_of(lambda: step.run(results)) != 0:
            print(f"bench: bench.{name} failed", file=sys.stderr)
            drawn = False
    report = results.path / "report.html"
    if report.exists():
        print(f"report: {report}")
    return drawn


def _broken(results: Results) -> bool:
    """Names the runs that failed, those before an interruption included."""
    broken = [row for row in rows.final(results.rows()) if row.verdict in rows.BROKEN]
    for row in broken:
        print(f"{row.verdict}: {row.experiment} {row.server} {row.point} repeat {row.repeat}: {row.reasons}")
    return bool(broken)


if __name__ == "__main__":
    program.run(main)
