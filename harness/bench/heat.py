"""Response times over a run: from the load generator's timeline, for one run a server at one point of E3-rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loadgen import histogram

from bench.columns import HEAT, SERVERS, Table
from bench.percentiles import files_of, place_of, rows_of
from bench.probes import read
from bench.results import BadResults, Results
from bench.rows import factors


def lines_of(results: Results) -> Table:
    """One line a cell: so many requests that were due in [from, to) seconds took between low and high microseconds, of
    so many that were due then. At the point of the percentiles, and of the repeat that most servers have, so that all
    of them had the same load. Without lines where there are no files."""
    rows = rows_of(results)
    place = place_of(files_of(results, rows))
    here = [row for row in rows if row.point == place]
    have = [row.repeat for row in here]
    repeat = min(have, key=lambda each: (-have.count(each), each), default=0)
    chosen = [row for row in here if row.repeat == repeat]
    found = Table(HEAT, seconds=[row.seconds for row in chosen])
    held = {name: factors(place).get(name, "?") for name in ("connections", "rate")} | {"repeat": repeat}
    for server in SERVERS:
        for paths in (files_of(results, [row]).get((server, place), []) for row in chosen):
            found.lines.extend({"server": server, **cell, **held} for path in paths for cell in _cells_of(path))
    return found


def _cells_of(path: Path) -> list[dict[str, float]]:
    report = read(path)
    try:
        return _cells(report)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        said = f"{type(error).__name__}: {error}"
        raise BadResults(f"{path}: timeline: not what the load generator writes: {said}") from None


def _cells(report: dict[str, Any]) -> list[dict[str, float]]:
    timeline = report.get("timeline") or {}  # there is none in a sum of runs
    counts = [(*cell, 0) for cell in timeline.get("answered", [])]
    counts += [(*cell, 1) for cell in timeline.get("unanswered", [])]
    due: dict[int, int] = {}
    for interval, _, count, _ in counts:
        due[interval] = due.get(interval, 0) + count
    seconds = timeline.get("interval_ns", 0) / 1e9
    cells = []
    for interval, row, count, unanswered in counts:
        if min(interval, row, count) < 0:
            raise ValueError(f"{[interval, row, count]}: below 0")
        low, high = _limits(row, timeline["step_bits"])
        cell = {"from": interval * seconds, "to": (interval + 1) * seconds, "low": low, "high": high}
        cells.append(cell | {"requests": count, "of": due[interval], "unanswered": unanswered})
    return cells


def _limits(row: int, step_bits: int) -> tuple[float, float]:
    """Of a row, in microseconds. It holds several slots of a histogram."""
    slots = 1 << (histogram.STEP_BITS - step_bits)
    first, last = row * slots, min((row + 1) * slots, histogram.SLOTS) - 1
    return int(histogram.LOWEST[first]) / 1e3, (int(histogram.HIGHEST[last]) + 1) / 1e3
