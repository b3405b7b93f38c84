"""Compares two result sets, from before and after a change: each run of B is divided by the run of A with its load.

    python -m bench.compare A B

Both runs of a pair have the same load, so that their ratio varies less than their figures. If the loads of a pair
differ, nothing is compared. What cannot be compared, because one of the sets has no figure there, is told: a server
that crashes has none."""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterator, Sequence
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
    lacking: str  # why it has fewer pairs than there are repeats; empty if it has all

    @property
    def mark(self) -> str:
        """better or worse if the interval of the ratio excludes 1; with a ? if that is only the range, or if a run only
        bounds the figure. Rounded as it is printed: a count that differs in its fifth digit is the same."""
        low, high = round(self.ratio.low, 3), round(self.ratio.high, 3)
        # What was never there before, or was there and is gone in some runs, has no ratio that 1 could be near.
        appeared = low == 1 and high == math.inf
        vanished = low == 0 and high == 1
        if low <= 1 <= high and not appeared and not vanished:
            return ""
        word = "better" if (low > 1 or appeared) == self.figure.more_is_better else "worse"
        certain = self.ratio.interval and not self.ratio.bound and not appeared and not vanished
        return word if certain else f"{word}?"


Place = tuple[str, str, str]  # experiment, server, point
Runs = list[Row]


def compare(before: Runs, after: Runs) -> list[Comparison]:
    """One comparison for each experiment, server and point, in the order of `before`. Raises BadResults if two rows
    with one key had different loads, and if there is no pair."""
    ours, others = _by_place(before), _by_place(after)
    compared = []
    for place, its in ours.items():
        found = _compare(its, others[place]) if place in others else None
        if found is not None:
            compared.append(found)
    if not compared:
        raise BadResults("the two result sets have no run with figures in common: nothing to compare")
    return compared


def _by_place(rows: Runs) -> dict[Place, Runs]:
    places: dict[Place, Runs] = {}
    for row in table.final(rows):
        places.setdefault(row.key[:3], []).append(row)
    return places


def apart(before: Runs, after: Runs) -> list[str]:
    """What compare() cannot pair at all, in lines: points with runs in one set only, and points that have no pair with
    figures."""
    ours, others = _by_place(before), _by_place(after)
    alone: Counter[tuple[str, str, str]] = Counter()
    lines = []
    for place in dict.fromkeys((*ours, *others)):
        its, those = ours.get(place, []), others.get(place, [])
        if not its or not those:
            alone[(*place[:2], "A" if its else "B")] += 1
        elif place[0] in MAIN_FIGURE and _compare(its, those) is None:
            figure = MAIN_FIGURE[place[0]]
            lines.append(f"{' '.join(place)}: {_having(its, figure, 'A')}; {_having(those, figure, 'B')}")
    for (experiment, server, one), count in alone.items():
        have = "point has" if count == 1 else "points have"
        lines.append(f"{experiment} {server}: {count} {have} runs in {one} only")
    return lines


def _having(rows: Runs, figure: Figure, name: str) -> str:
    """How many runs have a figure, and how the others ended."""
    ended = Counter(row.verdict for row in rows if _value(row, figure) is None)
    why = f" ({', '.join(f'{count} {verdict}' for verdict, count in ended.items())})" if ended else ""
    return f"{name} has a figure in {len(rows) - sum(ended.values())} of {len(rows)} runs{why}"


def _same_load(one: Row, other: Row) -> None:
    if one.schedule_hash != other.schedule_hash and one.schedule_hash and other.schedule_hash:
        raise BadResults(
            f"{one.experiment} {one.server} {one.point} repeat {one.repeat}: A was asked for load "
            f"{one.schedule_hash} (seed {one.seed}), B for {other.schedule_hash} (seed {other.seed}); "
            "they cannot be compared"
        )


def _compare(before: Runs, after: Runs) -> Optional[Comparison]:
    """Of the runs at one place. None if there is no pair with figures."""
    first = before[0]
    figure = MAIN_FIGURE.get(first.experiment)
    if figure is None:
        return None
    others = {row.repeat: row for row in after}
    pairs = [(row, others[row.repeat]) for row in before if row.repeat in others]
    for one, other in pairs:
        _same_load(one, other)
    measured = [(a, b, one, other) for one, other in pairs
                if (a := _value(one, figure)) is not None and (b := _value(other, figure)) is not None]  # fmt: skip
    if not measured:
        return None
    repeats = len({row.repeat for row in (*before, *after)})
    lacking = f"{len(measured)} of {repeats} pairs: {_having(before, figure, 'A')}, {_having(after, figure, 'B')}"
    bounds = {statistics.bound(row, figure.column) for *_, one, other in measured for row in (one, other)} - {""}
    disturbed = sum(bool(one.disturbed or other.disturbed) for *_, one, other in measured)
    return Comparison(
        first.experiment,
        first.server,
        first.point,
        figure,
        statistics.summarise([a for a, *_ in measured]).median,
        statistics.summarise([b for _, b, *_ in measured]).median,
        statistics.summarise([_ratio(a, b) for a, b, *_ in measured], min(bounds, default=""), disturbed),
        lacking if len(measured) < repeats else "",
    )


def _ratio(before: float, after: float) -> float:
    """Twice nothing is the same; something after nothing is without bounds."""
    if before == 0:
        return 1.0 if after == 0 else math.inf
    return after / before


def _value(row: Row, figure: Figure) -> Optional[float]:
    value: Optional[float] = getattr(row, figure.column)
    return value


def text(compared: list[Comparison]) -> str:
    lines = [
        f"{'experiment':12}{'server':17}{'point':34}{'figure':15}{'A':>12}{'B':>12}{'B/A':>8}{'low':>8}{'high':>8}"
        f"{'pairs':>6}"
    ]
    for each in compared:
        doubt = "  some figures are bounds" if each.ratio.bound else ""
        doubt += f"  {each.ratio.disturbed} disturbed" if each.ratio.disturbed else ""
        doubt += f"  {each.lacking}" if each.lacking else ""
        lines.append(
            f"{each.experiment:12}{each.server:17}{each.point:34}{each.figure.column:15}"
            f"{each.before:12.5g}{each.after:12.5g}{each.ratio.median:8.3f}{each.ratio.low:8.3f}{each.ratio.high:8.3f}"
            f"{each.ratio.runs:6}  {each.mark}{doubt}".rstrip()
        )
    return "\n".join([*lines, "", *_explained(compared)])


def _explained(compared: list[Comparison]) -> list[str]:
    marked = sum(bool(each.mark) for each in compared)
    lines = [f"{marked} of {len(compared)} points are marked: their low and high lie on one side of 1."]
    short = sum(bool(each.lacking) for each in compared)
    if short:
        lines.append(f"{short} of {len(compared)} points lack pairs, where one of the sets has no figure.")
    if all(each.ratio.interval for each in compared):
        lines.append("low, high: interval of the median ratio, at least 95%. Of 20 points without any change")
        lines.append("one would be marked by chance.")
    else:
        lines.append("low, high: interval of the median ratio, at least 95%, from six pairs on; with fewer the")
        lines.append("range, which proves less (marked with ?).")
    return lines


SAME = "the same machine, build and settings"


def differences(before: Results, after: Results) -> list[str]:
    """What else differs, and may be the cause: of the settings, and of what the runs of a pair were made under."""
    settings: list[tuple[str, Any, Any]] = [
        (name, before.settings.get(name), after.settings.get(name))
        for name in ("mode", "pinned", "seed", "descriptors")
    ]
    found = [each for each in settings if each[1] != each[2]]
    lines = [f"{name}: {one} -> {other}" for name, one, other in found]
    pairs = _pairs_with_figures(before, after)
    counts: Counter[str] = Counter()
    for origins, count in Counter(_made_under(before, after, pairs)).items():
        one, other = (each.fingerprints[origin] for each, origin in zip((before, after), origins))
        counts.update(dict.fromkeys(fingerprint.changes(one, other), count))
    lines += [line if count == len(pairs) else f"{line} (in {count} of {len(pairs)} pairs)"
              for line, count in counts.items()]  # fmt: skip
    rows = zip(*pairs)
    several = [f"{name} has runs of {count} machines or builds" for name, each, its in zip("AB", (before, after), rows)
               if (count := len(each.origins(its))) > 1]  # fmt: skip
    return (lines or [SAME]) + ([f"{', '.join(several)}: each run is compared with its own pair"] if several else [])


def _pairs_with_figures(before: Results, after: Results) -> list[tuple[Row, Row]]:
    others = {row.key: row for row in table.final(after.rows())}
    pairs = [(row, others[row.key]) for row in table.final(before.rows()) if row.key in others]
    figures = [(one, other, MAIN_FIGURE.get(one.experiment)) for one, other in pairs]
    return [(one, other) for one, other, figure in figures
            if figure and _value(one, figure) is not None and _value(other, figure) is not None]  # fmt: skip


def _made_under(before: Results, after: Results, pairs: Sequence[tuple[Row, Row]]) -> Iterator[tuple[str, str]]:
    """Of each pair the names of both fingerprints, but not where both are one run: a set and its copy have it."""
    for one, other in pairs:
        if not (one.started and one == other):
            yield before.origin(one), after.origin(other)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bench.compare", description="Ratios B/A of two result sets, pair by pair, with intervals."
    )
    parser.add_argument("before", type=Path, metavar="A", help="a directory of results")
    parser.add_argument("after", type=Path, metavar="B", help="another one")
    arguments = parser.parse_args()
    before, after = Results.open(arguments.before), Results.open(arguments.after)
    compared, lone = compare(before.rows(), after.rows()), apart(before.rows(), after.rows())
    print(f"A: {before.path}\nB: {after.path}")
    for line in differences(before, after):
        print(f"   {line}")
    print(f"\n{text(compared)}")
    if lone:
        print("\n".join(("", "Not compared:", *(f"   {line}" for line in lone))))
    return 0


if __name__ == "__main__":
    program.run(main)
