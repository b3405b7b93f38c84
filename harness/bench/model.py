"""The cost of a wait as courses teach it, T = a + b * watched + c * ready, fitted to the instructions that E16 counts.

a is the cost of the call itself, b of each descriptor watched, c of each one ready. It is not fitted to times: b and c
then depend on what is in the caches, and no straight line fits. The fit makes the *relative* residuals small, so that
a cheap wait counts as much as an expensive one."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy

from bench import program, statistics
from bench import rows as table_of_rows
from bench.results import Results
from bench.rows import Row

SEEN = 0.1  # a cost that is a smaller part of every count is not judged
POOR = 0.25  # a prediction that is off by more than this part of what was counted gets a note
EXPERIMENT = "E16"
TITLES = {"cycle": "the whole cycle: the call, the scan, the reading", "wait": "the call that waits, alone"}


@dataclass(frozen=True)
class Point:
    watched: float
    ready: float
    measured: float  # instructions, median of the boots
    predicted: float

    @property
    def residual(self) -> float:
        """Relative: 0.1 where the prediction is a tenth too high."""
        return self.predicted / self.measured - 1


@dataclass(frozen=True)
class Fit:
    server: str
    measure: str
    a: float  # instructions: once a call
    b: float  # for each descriptor watched
    c: float  # for each one ready
    points: tuple[Point, ...]
    notes: tuple[str, ...]  # what the reader must know before believing it

    @property
    def worst(self) -> Point:
        return max(self.points, key=lambda point: abs(point.residual))


def fit(rows: Iterable[Row], measure: str = "cycle") -> dict[str, Fit]:
    """The model of each API that has points enough, for `measure`: "cycle" or "wait"."""
    fits = {server: _fit(server, measure, points) for server, points in _points(list(rows), measure).items()}
    return {server: found for server, found in fits.items() if found is not None}


def _points(rows: list[Row], measure: str) -> dict[str, list[tuple[float, float, float]]]:
    """For each server (watched, ready, median). Duplicates of one socket are left out: they ask another question."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    summaries = statistics.by_point([row for row in rows if row.experiment == EXPERIMENT], "instructions")
    for (server, point), summary in summaries.items():
        factors = table_of_rows.factors(point)
        if factors.get("what") == measure and factors.get("of") != "duplicates" and summary.median > 0:
            watched, ready = (statistics.value_of(point, name) for name in ("watched", "ready"))
            found.setdefault(server, []).append((watched, ready, summary.median))
    return found


def _fit(server: str, measure: str, measured: list[tuple[float, float, float]]) -> Optional[Fit]:
    watched, ready, counts = numpy.array(sorted(measured)).T
    notes = []
    terms = {"a": numpy.ones_like(counts), "b": watched, "c": ready}
    for name, word in (("b", "watched"), ("c", "ready")):
        if len(set(terms[name])) == 1:
            notes.append(f"{word} is {terms[name][0]:g} everywhere: a holds {name} * {word} too")
            del terms[name]
    design = numpy.column_stack(list(terms.values())) / counts[:, None]
    solution, _, rank, _ = numpy.linalg.lstsq(design, numpy.ones_like(counts), rcond=None)
    if rank < len(terms) or len(counts) == 1:
        return None
    costs = {"a": 0.0, "b": 0.0, "c": 0.0} | dict(zip(terms, map(float, solution)))
    predicted = costs["a"] + costs["b"] * watched + costs["c"] * ready
    points = tuple(Point(*map(float, each)) for each in zip(watched, ready, counts, predicted))
    notes += _doubts(costs, points, len(terms))
    return Fit(server, measure, costs["a"], costs["b"], costs["c"], points, tuple(notes))


def _doubts(costs: dict[str, float], points: tuple[Point, ...], terms: int) -> list[str]:
    doubts = []
    if len(points) == terms:
        doubts.append(f"{terms} numbers from {terms} points: nothing is left over to judge the fit by")
    negative = [name for name, cost in costs.items() if cost < 0 and _weighs(name, cost, points)]
    if negative:
        doubts.append(f"{' and '.join(negative)} below 0: no cost is, so the straight line does not fit")
    worst = max(points, key=lambda point: abs(point.residual))
    if abs(worst.residual) > POOR:
        doubts.append(
            f"poor: {worst.residual:+.0%} at watched={worst.watched:g} ready={worst.ready:g}; "
            "the cost of one descriptor is not the same everywhere"
        )
    return doubts


def _weighs(name: str, cost: float, points: tuple[Point, ...]) -> bool:
    """Whether a cost is a visible part of any count."""
    counts = {"a": lambda point: 1.0, "b": lambda point: point.watched, "c": lambda point: point.ready}
    return any(abs(cost) * counts[name](point) > SEEN * point.measured for point in points)


def _percent(part: float) -> str:
    return f"{round(part, 2) + 0.0:+.0%}"  # + 0.0: no "-0%"


def table(fits: dict[str, Fit]) -> str:
    """For people: the costs of each API, the doubts, and each prediction beside what was counted."""
    lines = [f"{'':12} {'a':>10} {'b, watched':>13} {'c, ready':>12} {'worst':>7}"]
    for each in fits.values():
        worst = _percent(each.worst.residual)
        lines.append(f"{each.server:12} {each.a:10.1f} {each.b:13.4f} {each.c:12.2f} {worst:>7}")
        lines += [f"{'':12}   {note}" for note in each.notes]
    lines += ["", f"{'':12} {'watched':>8} {'ready':>6} {'counted':>12} {'predicted':>13} {'off':>6}"]
    for each in fits.values():
        for point in each.points:
            lines.append(
                f"{each.server:12} {point.watched:8g} {point.ready:6g} {point.measured:12.0f} "
                f"{point.predicted:13.0f} {_percent(point.residual):>6}"
            )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bench.model", description="Fits T = a + b*watched + c*ready to the instructions of E16."
    )
    parser.add_argument("results", type=Path, help="a directory of results")
    rows = Results.open(parser.parse_args().results).rows()
    for measure, title in TITLES.items():
        fits = fit(rows, measure)
        print(f"instructions = a + b*watched + c*ready for {title}")
        print(f"{table(fits)}\n" if fits else "no points enough\n")
    return 0


if __name__ == "__main__":
    program.run(main)
