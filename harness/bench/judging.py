"""Judges an expected shape by the medians of VALID runs.

It is *inconclusive* if the repeats of a point that it needs differ by more than a factor of two, or if none of them is
VALID. A single figure, such as a count, is judged by the interval of its runs instead: across a limit is inconclusive.
It is *not measured* if such a point is missing. A run that was CLIENT_BOUND still bounds what the server can do: if the
shape holds for every value within the bound, or for none, it is judged all the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional, Union

from bench import rows as table
from bench import statistics
from bench.rows import Row
from bench.statistics import Summary

REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
INCONCLUSIVE, NOT_MEASURED = "inconclusive", "not measured"
OUTCOMES = (REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE, NOT_MEASURED)
ENDLESS = math.inf

# If the client is the limit (CLIENT_BOUND), the server's own figure is at least, or at most, the one that was measured.
AT_LEAST = ("throughput", "capacity", "connects")
AT_MOST = ("event_cpu",)


@dataclass(frozen=True)
class Place:
    """A server at a point: it has one figure in each column."""

    server: str
    point: str

    def __str__(self) -> str:
        return f"{self.server} {self.point}"


@dataclass(frozen=True)
class Value:
    """One figure lies in [low, high]."""

    column: str
    place: Place
    low: float
    high: float


@dataclass(frozen=True)
class Ratio:
    """One figure divided by another lies in [low, high]. `beside`: a column that is shown but not judged."""

    column: str
    above: Place
    below: Place
    low: float
    high: float
    beside: str = ""


@dataclass(frozen=True)
class Slope:
    """On log-log axes over what `over` counts, from `first` on, the least-squares slope lies in [low, high].
    The places `needed` must be among those measured."""

    column: str
    server: str
    over: str
    held: str  # the rest of the point
    first: float
    needed: tuple[int, ...]
    low: float
    high: float


Part = Union[Value, Ratio, Slope]


class Unusable(Exception):
    """A point that a shape needs cannot be used: the outcome that follows, and why."""

    def __init__(self, outcome: str, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome


def within(truth: tuple[float, float], low: float, high: float) -> str:
    """Whether [low, high] holds a figure that is known to lie in `truth`."""
    if low <= truth[0] and truth[1] <= high:
        return REPRODUCED
    return NOT_REPRODUCED if truth[1] < low or truth[0] > high else INCONCLUSIVE


@dataclass(frozen=True)
class Known:
    """What the runs say about a figure: its true value lies in [low, high]."""

    summary: Summary
    low: float
    high: float
    shaky: str = ""  # why the figure proves nothing; empty if it does

    @property
    def median(self) -> float:
        return self.summary.median

    def __str__(self) -> str:
        bound = "at least " if self.high > self.median else "at most " if self.low < self.median else ""
        low, high = _digits(self.summary.low), _digits(self.summary.high)
        spread = "" if self.summary.runs == 1 else f" [{low}, {high}]"
        return f"{bound}{_digits(self.median)}{spread}{', CLIENT_BOUND' if bound else ''}"


def _digits(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


class Figures:
    """The summaries of one experiment, by column and place."""

    def __init__(self, rows: list[Row], experiment: str) -> None:
        self._rows = [row for row in rows if row.experiment == experiment]
        self._columns: dict[str, dict[tuple[str, str], Summary]] = {}

    def column(self, name: str) -> dict[tuple[str, str], Summary]:
        if name not in self._columns:
            self._columns[name] = statistics.by_point(self._rows, name)
        return self._columns[name]

    def summary(self, column: str, place: Place) -> Optional[Summary]:
        return self.column(column).get((place.server, place.point))

    def known(self, column: str, place: Place) -> Known:
        summary = self.summary(column, place)
        if summary is None:
            raise Unusable(NOT_MEASURED, f"no figure for {place}")
        if summary.inconclusive:
            why = f"repeats differ by a factor of {summary.ratio:.3g} for {place}"
            return Known(summary, summary.median, summary.median, why)
        if summary.valid:
            return Known(summary, summary.median, summary.median)
        if _only_client_bound(summary) and column in AT_LEAST:
            return Known(summary, summary.median, math.inf)
        if _only_client_bound(summary) and column in AT_MOST:
            return Known(summary, 0, summary.median)
        raise Unusable(INCONCLUSIVE, f"no VALID run for {place}: {', '.join(summary.verdicts)}")


def _only_client_bound(summary: Summary) -> bool:
    # A run that failed has no figures, so it is not among those summarised.
    return set(summary.verdicts) - {"FAILED", "ERRORS"} == {"CLIENT_BOUND"}


def judge(part: Part, figures: Figures) -> tuple[str, str]:
    """The outcome, and the figures in words."""
    try:
        if isinstance(part, Slope):
            return _judge_slope(part, figures)
        return _judge_ratio(part, figures) if isinstance(part, Ratio) else _judge_value(part, figures)
    except Unusable as unusable:
        return unusable.outcome, str(unusable)


def _settled(outcome: str, shown: str, *known: Known) -> tuple[str, str]:
    """A figure that proves nothing makes the outcome inconclusive; the reader still sees what the medians say."""
    shaky = [each.shaky for each in known if each.shaky]
    return (INCONCLUSIVE, f"{', '.join(shaky)}; by the medians {shown}") if shaky else (outcome, shown)


def _judge_value(value: Value, figures: Figures) -> tuple[str, str]:
    """By the interval of the runs: repeats may differ by any factor as long as all lie on one side of a limit."""
    known = figures.known(value.column, value.place)
    truth = (min(known.low, known.summary.low), max(known.high, known.summary.high))
    return within(truth, value.low, value.high), f"{known} ({_runs(known)})"


def _judge_ratio(ratio: Ratio, figures: Figures) -> tuple[str, str]:
    above, below = figures.known(ratio.column, ratio.above), figures.known(ratio.column, ratio.below)
    if below.median <= 0:
        raise Unusable(INCONCLUSIVE, f"{below.median:g} for {ratio.below}: no ratio")
    least = 0.0 if below.high == math.inf else above.low / below.high
    most = above.high / below.low if below.low > 0 else math.inf
    found = above.median / below.median
    shown = f"{found:.0f}" if found >= 1000 else f"{found:.3g}"
    shown += f" = {above} / {below} ({_runs(above, below)})"
    return _settled(within((least, most), ratio.low, ratio.high), shown + _beside(ratio, figures), above, below)


def _beside(ratio: Ratio, figures: Figures) -> str:
    if not ratio.beside:
        return ""
    above, below = figures.summary(ratio.beside, ratio.above), figures.summary(ratio.beside, ratio.below)
    if above is None or below is None:
        return ""
    return f"; {ratio.beside} {above.median:.4g} / {below.median:.4g} us a message"


def _judge_slope(slope: Slope, figures: Figures) -> tuple[str, str]:
    held, places = table.factors(slope.held), {}
    for server, point in figures.column(slope.column):
        values = table.factors(point)
        values.pop(slope.over, None)
        if server == slope.server and values == held:
            places[statistics.value_of(point, slope.over)] = Place(server, point)
    places = {where: place for where, place in places.items() if where >= slope.first}
    for needed in slope.needed:
        if needed not in places:
            raise Unusable(NOT_MEASURED, f"no figure for {slope.server} {slope.over}={needed} {slope.held}")
    known = {where: figures.known(slope.column, places[where]) for where in sorted(places)}
    if any(each.median <= 0 for each in known.values()):
        raise Unusable(INCONCLUSIVE, f"{slope.server}: a time of 0 has no logarithm")
    found = statistics.log_log_slope([(where, each.median) for where, each in known.items()])
    shown = ", ".join(f"{_digits(each.median)} at {where:g}" for where, each in known.items())
    # A figure that is only a bound says nothing about a slope.
    exact = all(each.low == each.high for each in known.values())
    outcome = within((found, found), slope.low, slope.high) if exact else INCONCLUSIVE
    figures_shown = f"slope {round(found, 2) + 0.0:.2f}: {shown} ({_runs(*known.values())})"
    return _settled(outcome, figures_shown, *known.values())


def _runs(*known: Known) -> str:
    counts = [each.summary.runs for each in known]
    least, most = min(counts), max(counts)
    if least < most:
        return f"{least} to {most} runs each"
    return "1 run" if most == 1 else f"{most} runs"
