"""Compares two result sets, from before and after a change: each run of B is divided by the run of A with its load.

    python -m bench.compare A B

Both runs of a pair have the same load, so that their ratio varies less than their figures. If the loads of a pair
differ, nothing is compared."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from bench import fingerprint, program, statistics
from bench import rows as table
from bench.results import BadResults, Results
from bench.rows import Row
from bench.statistics import MAIN_FIGURE, Figure, Summary


@dataclass(frozen=True)
class Comparison:
    experiment: str
    server: str
    point: str
    figure: Figure
    before: float  # median of the runs of A that are in a pair
    after: float
    ratio: Summary  # of after / before, over the pairs

    @property
    def mark(self) -> str:
        """better or worse if the interval of the ratio excludes 1; with a ? if that is only the range, or if a run only
        bounds the figure."""
        if self.ratio.low <= 1 <= self.ratio.high:
            return ""
        word = "better" if (self.ratio.low > 1) == self.figure.more_is_better else "worse"
        return word if self.ratio.interval and not self.ratio.bound else f"{word}?"


def compare(before: list[Row], after: list[Row]) -> list[Comparison]:
    """One comparison for each experiment, server and point, in the order of `before`. Raises BadResults if two rows
    with one key had different loads, and if there is no pair."""
    others = {row.key: row for row in table.final(after)}
    groups: dict[tuple[str, str, str], list[tuple[Row, Row]]] = {}
    for row in table.final(before):
        other = others.get(row.key)
        if other is not None:
            _same_load(row, other)
            groups.setdefault(row.key[:3], []).append((row, other))
    compared = [found for pairs in groups.values() if (found := _compare(pairs)) is not None]
    if not compared:
        raise BadResults("the two result sets have no run with figures in common: nothing to compare")
    return compared


def _same_load(one: Row, other: Row) -> None:
    if one.schedule_hash != other.schedule_hash and one.schedule_hash and other.schedule_hash:
        raise BadResults(
            f"{one.experiment} {one.server} {one.point} repeat {one.repeat}: A was asked for load "
            f"{one.schedule_hash} (seed {one.seed}), B for {other.schedule_hash} (seed {other.seed}); "
            "they cannot be compared"
        )


def _compare(pairs: list[tuple[Row, Row]]) -> Optional[Comparison]:
    first = pairs[0][0]
    figure = MAIN_FIGURE.get(first.experiment)
    if figure is None:
        return None
    measured = [(one, other) for one, other in pairs if _value(one, figure) and _value(other, figure)]
    if not measured:
        return None
    befores = [_value(one, figure) for one, _ in measured]
    afters = [_value(other, figure) for _, other in measured]
    bounds = {statistics.bound(row, figure.column) for pair in measured for row in pair} - {""}
    disturbed = sum(any(row.disturbed for row in pair) for pair in measured)
    return Comparison(
        first.experiment,
        first.server,
        first.point,
        figure,
        statistics.summarise(befores).median,
        statistics.summarise(afters).median,
        statistics.summarise([b / a for a, b in zip(befores, afters)], min(bounds, default=""), disturbed),
    )


def _value(row: Row, figure: Figure) -> float:
    """0 if there is none: no ratio can be made with 0 either."""
    return getattr(row, figure.column) or 0.0


def text(compared: list[Comparison]) -> str:
    lines = [
        f"{'experiment':12}{'server':17}{'point':34}{'figure':15}{'A':>12}{'B':>12}{'B/A':>8}{'low':>8}{'high':>8}"
        f"{'pairs':>6}"
    ]
    for each in compared:
        doubt = "  some figures are bounds" if each.ratio.bound else ""
        doubt += f"  {each.ratio.disturbed} disturbed" if each.ratio.disturbed else ""
        lines.append(
            f"{each.experiment:12}{each.server:17}{each.point:34}{each.figure.column:15}"
            f"{each.before:12.5g}{each.after:12.5g}{each.ratio.median:8.3f}{each.ratio.low:8.3f}{each.ratio.high:8.3f}"
            f"{each.ratio.runs:6}  {each.mark}{doubt}".rstrip()
        )
    return "\n".join([*lines, "", *_explained(compared)])


def _explained(compared: list[Comparison]) -> list[str]:
    marked = sum(bool(each.mark) for each in compared)
    lines = [f"{marked} of {len(compared)} points are marked: their low and high lie on one side of 1."]
    if all(each.ratio.interval for each in compared):
        lines.append("low, high: interval of the median ratio, at least 95%. Of 20 points without any change")
        lines.append("one would be marked by chance.")
    else:
        lines.append("low, high: interval of the median ratio, at least 95%, from six pairs on; with fewer the")
        lines.append("range, which proves less (marked with ?).")
    return lines


def differences(before: Results, after: Results) -> list[str]:
    """What else differs, and may be the cause."""
    settings: list[tuple[str, Any, Any]] = [
        (name, before.settings.get(name), after.settings.get(name))
        for name in ("mode", "pinned", "seed", "descriptors")
    ]
    found = [each for each in settings if each[1] != each[2]]
    machines = (list(each.origins(each.rows()).values()) for each in (before, after))
    return [f"{name}: {one} -> {other}" for name, one, other in found] + fingerprint.changes_between(*machines)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bench.compare", description="Ratios B/A of two result sets, pair by pair, with intervals."
    )
    parser.add_argument("before", type=Path, metavar="A", help="a directory of results")
    parser.add_argument("after", type=Path, metavar="B", help="another one")
    arguments = parser.parse_args()
    before, after = Results.open(arguments.before), Results.open(arguments.after)
    compared = compare(before.rows(), after.rows())
    print(f"A: {before.path}\nB: {after.path}")
    for line in differences(before, after) or ["the same machine, build and settings"]:
        print(f"   {line}")
    print(f"\n{text(compared)}")
    return 0


if __name__ == "__main__":
    program.run(main)
