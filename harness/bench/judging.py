"""Judges an expected shape: reproduced, not reproduced or inconclusive.

What decides is an interval, and nothing else. Within the limits of the shape it is *reproduced*, outside *not
reproduced*, across a limit *inconclusive*.

A ratio of two places is judged by its pairs. A pair is the two runs of one repeat, which were made one after the other
(plan.py), so that a slow minute of the machine slows both. The interval is that of the median of the pairs' ratios,
with at least 95% confidence, whatever the distribution: of six pairs the least and the greatest (96.9%), of twelve the
third of either side. Fewer than six pairs decide nothing. A slope is judged in the same way: each repeat has one.

A count is the same on a fast and on a slow machine. All its runs must lie within the limits; one is enough.

A run that has no figure, as after a crash, is not left out. Its figure could have been anything, so its pair is one
whose ratio lies anywhere: such a pair makes the interval wider, and of a count it leaves none.

Where the client was the limit (CLIENT_BOUND) a figure of the server is a bound. A pair with a bound says that the ratio
is at least, or at most, this; such pairs are used like all others."""

from __future__ import annotations

import math
import statistics as of_numbers
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Optional, Union

from bench import rows as table
from bench import statistics
from bench.rows import Row
from bench.statistics import COUNTS

REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
INCONCLUSIVE, NOT_MEASURED = "inconclusive", "not measured"
OUTCOMES = (REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE, NOT_MEASURED)
ENDLESS = math.inf

Span = tuple[float, float]  # a true value lies between these two


@dataclass(frozen=True)
class Place:
    """A server at a point: it has one figure in each column."""

    server: str
    point: str

    def __str__(self) -> str:
        return f"{self.server} {self.point}"


@dataclass(frozen=True)
class Value:
    """One figure lies in [low, high]. A count; a time says nothing without another time beside it."""

    column: str
    place: Place
    low: float
    high: float

    @property
    def places(self) -> tuple[Place, ...]:
        return (self.place,)


@dataclass(frozen=True)
class Ratio:
    """One figure divided by another lies in [low, high]."""

    column: str
    above: Place
    below: Place
    low: float
    high: float

    @property
    def places(self) -> tuple[Place, ...]:
        return (self.above, self.below)


@dataclass(frozen=True)
class Slope:
    """On log-log axes the least-squares slope of the column over the factor `over` lies in [low, high]."""

    column: str
    over: str
    places: tuple[Place, ...]  # of one server, by ascending `over`
    low: float
    high: float


Part = Union[Value, Ratio, Slope]


@dataclass(frozen=True)
class Judged:
    """What became of a part, and by which numbers."""

    part: Part
    outcome: str
    figures: str  # in words
    interval: Optional[Span] = None
    samples: int = 0  # pairs, slopes, or runs of a count that have figures


class Unusable(Exception):
    """A part has no interval: the outcome that follows, and why."""

    def __init__(self, outcome: str, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome


def within(truth: Span, low: float, high: float) -> str:
    """Whether [low, high] holds a figure that is known to lie in `truth`."""
    if low <= truth[0] and truth[1] <= high:
        return REPRODUCED
    return NOT_REPRODUCED if truth[1] < low or truth[0] > high else INCONCLUSIVE


class Figures:
    """The rows of one experiment that count, by place and repeat."""

    def __init__(self, rows: list[Row], experiment: str, origin: Callable[[Row], str] = lambda row: "") -> None:
        """`origin`: which machine and build made a row."""
        self.origin = origin
        self.rows = [row for row in table.final(rows) if row.experiment == experiment]
        statistics.check_hashes(self.rows)

    def at(self, place: Place, column: str) -> dict[int, Row]:
        """By repeat. Raises Unusable if there is no figure."""
        made = [row for row in self.rows if (row.server, row.point) == (place.server, place.point)]
        found = {row.repeat: row for row in made if getattr(row, column) is not None}
        if not made:
            raise Unusable(NOT_MEASURED, f"no run of {place}")
        if not found:
            # What a VALID run lacks this system does not tell, such as objects of the kernel to one who is not root.
            ended = dict.fromkeys(row.verdict for row in made if row.verdict != "VALID")
            outcome, why = (INCONCLUSIVE, f": {', '.join(ended)}") if ended else (NOT_MEASURED, "")
            raise Unusable(outcome, f"no figure of {place}{why}")
        return found

    def mixed(self, samples: Sequence[Sequence[Row]], what: str) -> str:
        """What to say of samples whose own runs come from different machines or builds."""
        count = sum(len({self.origin(row) for row in rows}) > 1 for rows in samples)
        return f"; {_count(range(count), what)} made on different machines or builds" if count else ""

    def made(self, part: Part) -> list[Row]:
        return [row for row in self.rows if Place(row.server, row.point) in part.places]

    def repeats(self, part: Part) -> int:
        """In how many repeats a run was made for the part."""
        return len({row.repeat for row in self.made(part)})

    def lacking(self, part: Part) -> str:
        """The runs without a figure, and those that were not made beside one that was; empty if there are none."""
        made = self.made(part)
        ended = Counter(row.verdict if row.verdict in table.BROKEN else "without a figure"
                        for row in made if getattr(row, part.column) is None)  # fmt: skip
        ended["not made"] = len(part.places) * self.repeats(part) - len(made)
        return ", ".join(f"{_count(range(runs), 'run')} {how}" for how, runs in ended.items() if runs)


def judge(part: Part, figures: Figures) -> Judged:
    judges: dict[type, Callable[..., Judged]] = {Value: _judge_value, Ratio: _judge_ratio, Slope: _judge_slope}
    try:
        return judges[type(part)](part, figures)
    except Unusable as unusable:
        return Judged(part, unusable.outcome, str(unusable))


def _judge_value(part: Value, figures: Figures) -> Judged:
    found = list(figures.at(part.place, part.column).values())
    spans = [_span(row, part.column) for row in found]
    sources = len({figures.origin(row) for row in found})
    note = f"from {sources} machines or builds" if sources > 1 else ""
    return _judged(part, figures, spans, (0, math.inf), "run", note)


def _judged(part: Part, figures: Figures, spans: list[Span], anything: Span, what: str, more: str = "") -> Judged:
    """`spans`: one for each repeat that has all its figures. `anything`: where the sample of another one may lie."""
    repeats, lacking = figures.repeats(part), figures.lacking(part)
    share = f"{len(spans)} of {_count(range(repeats), what)}" if len(spans) < repeats else _count(spans, what)
    seen = _interval(spans, part, what)
    if seen is None:
        raise Unusable(INCONCLUSIVE, f"only {share}: six are needed{f' ({lacking})' if lacking else ''}")
    truth = _interval([*spans, *[anything] * (repeats - len(spans))], part, what) or anything
    shown = f"{_span_text(seen)} where measured" if truth == anything != seen else _span_text(truth)
    kind = "slope " if isinstance(part, Slope) else ""
    words = f"{kind}{shown} ({'; '.join(each for each in (share, lacking, more) if each)})"
    return Judged(part, within(truth, part.low, part.high), words, truth, len(spans))


def _judge_ratio(part: Ratio, figures: Figures) -> Judged:
    above, below = figures.at(part.above, part.column), figures.at(part.below, part.column)
    repeats = sorted(above.keys() & below.keys())
    pairs = [_quotient(_span(above[each], part.column), _span(below[each], part.column)) for each in repeats]
    medians = f"{_median(above, part.column)} / {_median(below, part.column)}"
    far = sum(_apart(above[each], below[each]) for each in repeats)
    note = f"; {_count(range(far), 'pair')} made more than ten minutes apart" if far else ""
    note += figures.mixed([(above[each], below[each]) for each in repeats], "pair")
    return _judged(part, figures, pairs, (0, math.inf), "pair", medians + note)


def _apart(one: Row, other: Row) -> bool:
    """Whether the two runs of a pair were no neighbours, as after an interruption: then a change of the machine may lie
    between them."""
    try:
        moments = [datetime.fromisoformat(row.started.replace("Z", "+00:00")) for row in (one, other)]
        return abs(moments[0] - moments[1]).total_seconds() > 600
    except (ValueError, TypeError):
        return False  # made up


def _quotient(above: Span, below: Span) -> Span:
    if min(below[1], above[1]) <= 0:
        raise Unusable(INCONCLUSIVE, "a figure of 0 has no ratio")
    return (above[0] / below[1], above[1] / below[0] if below[0] > 0 else math.inf)


def _judge_slope(part: Slope, figures: Figures) -> Judged:
    if len(part.places) < 2:
        raise Unusable(NOT_MEASURED, f"a slope needs two values of {part.over}, and this machine reaches one")
    found = [figures.at(place, part.column) for place in part.places]
    repeats = sorted(set(found[0]).intersection(*found[1:]))
    where = [statistics.value_of(place.point, part.over) for place in part.places]
    slopes = []
    if any(statistics.bound(row, part.column) for rows in found for row in rows.values()):
        raise Unusable(INCONCLUSIVE, "a figure that is a bound has no place on a slope")
    for repeat in repeats:
        heights = [getattr(rows[repeat], part.column) for rows in found]
        if min(heights) <= 0:
            raise Unusable(INCONCLUSIVE, "a figure of 0 has no logarithm")
        slopes.append(statistics.log_log_slope(list(zip(where, heights))))
    shown = ", ".join(f"{_median(rows, part.column)} at {x:g}" for x, rows in zip(where, found))
    mixed = figures.mixed([[rows[repeat] for rows in found] for repeat in repeats], "repeat")
    spans = [(slope, slope) for slope in slopes]
    return _judged(part, figures, spans, (-math.inf, math.inf), "repeat", shown + mixed)


def _span(row: Row, column: str) -> Span:
    """What a row says about the server's own figure. Of a response that a late client made longer, all but one in a
    hundred are longer by the p99 of the lag at most."""
    value, bound = getattr(row, column), statistics.bound(row, column)
    if bound == "at least":
        return (value, math.inf)
    if bound == "at most":
        late = row.lag_p99 if column.startswith("response") else None
        return (0.0 if late is None else max(0.0, value - late), value)
    return (value, value)


def _interval(spans: Sequence[Span], part: Part, what: str) -> Optional[Span]:
    """That of the median; None for too few. Spans that are bounds make it wider on their side."""
    if not spans:
        raise Unusable(INCONCLUSIVE, f"no {what}")
    if isinstance(part, Value) or part.column in COUNTS:
        return (min(low for low, _ in spans), max(high for _, high in spans))
    lows = statistics.interval([low for low, _ in spans])
    highs = statistics.interval([high for _, high in spans])
    return None if lows is None or highs is None else (lows[0], highs[1])


def _median(rows: dict[int, Row], column: str) -> str:
    bound = min({statistics.bound(row, column) for row in rows.values()} - {""}, default="")
    sign = {"": "", "at least": "≥", "at most": "≤"}[bound]
    return sign + digits(of_numbers.median(getattr(row, column) for row in rows.values()))


def digits(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _span_text(span: Span) -> str:
    low, high = (f"{round(value, 2) + 0.0:.2f}" if 0.1 <= abs(value) < 10 else f"{value:.3g}" if abs(value) < 1000
                 else f"{value:.0f}" for value in span)  # fmt: skip
    if span[1] == math.inf:
        return f"at least {low}"
    if span[0] == -math.inf:
        return f"at most {high}"
    return low if low == high else f"{low} to {high}"


def _count(samples: Sequence[object], what: str) -> str:
    return f"{len(samples)} {what}{'' if len(samples) == 1 else 's'}"
