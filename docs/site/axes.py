"""An axis of a chart: where a value stands, which ticks it has, how its numbers are written.

The rules are those of plots/style.gp, so that a chart on a page reads like the one that gnuplot draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

STEPS = ((200, (1,)), (8, (1, 2, 5)), (0, (1, 1.5, 2, 3, 4, 5, 6, 8)))  # labels in a decade, by what the axis spans
LINEAR_TICKS = 5  # about so many
ROOM = 1.3  # beside the outermost points of a logarithmic axis
PERCENTILES = {1: "0%", 2: "50%", 10: "90%", 100: "99%", 1e3: "99.9%", 1e4: "99.99%", 1e5: "99.999%"}


@dataclass(frozen=True)
class Tick:
    at: float  # pixels
    text: str  # empty: a mark without a number


@dataclass(frozen=True)
class Axis:
    """From `least` to `most` on `pixels` pixels, the first of which is `start`. A negative length runs backwards."""

    logarithmic: bool
    least: float
    most: float
    kind: str
    start: float
    pixels: float

    def at(self, value: float) -> float:
        """In pixels; what lies outside stands at the end."""
        inside = min(max(value, self.least), self.most)
        if self.logarithmic:
            share = math.log(inside / self.least) / math.log(self.most / self.least)
        else:
            share = (inside - self.least) / (self.most - self.least)
        return round(self.start + share * self.pixels, 1)

    def holds(self, value: float) -> bool:
        return self.least <= value <= self.most

    def ticks(self) -> list[Tick]:
        if self.kind == "percentile":
            return [Tick(self.at(value), text) for value, text in PERCENTILES.items() if self.holds(value)]
        return self._logarithmic_ticks() if self.logarithmic else self._linear_ticks()

    def _logarithmic_ticks(self) -> list[Tick]:
        by = next(steps for span, steps in STEPS if self.most / self.least > span)
        ticks = []
        for power in range(math.floor(math.log10(self.least)), math.ceil(math.log10(self.most)) + 1):
            for step in sorted({*by, *range(1, 10)}):
                value = step * 10.0**power
                if self.holds(value):
                    ticks.append(Tick(self.at(value), number(self.kind, value) if step in by else ""))
        return ticks

    def _linear_ticks(self) -> list[Tick]:
        rough = (self.most - self.least) / LINEAR_TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(each * power for each in (1, 2, 5, 10) if each * power >= rough)
        count = math.floor(self.most / step)
        return [Tick(self.at(step * place), number(self.kind, step * place)) for place in range(count + 1)]


def axis(values: Iterable[float], logarithmic: bool, kind: str, start: float, pixels: float) -> Axis:
    """An axis that all values fit on. A linear one begins at zero; a logarithmic one has positive values only."""
    found = list(values)
    if not logarithmic:
        return Axis(False, 0, max(found) * 1.06, kind, start, pixels)
    positive = [value for value in found if value > 0]
    room = 1.0 if kind == "percentile" else ROOM
    return Axis(True, min(positive) / room, max(positive) * ROOM, kind, start, pixels)


def time_text(microseconds: float) -> str:
    for limit, factor, unit in ((1, 1e3, "ns"), (1e3, 1, "µs"), (1e6, 1e-3, "ms")):
        if microseconds < limit:
            return f"{microseconds * factor:.4g} {unit}" if microseconds else "0"
    return f"{microseconds / 1e6:.4g} s"


def count_text(value: float) -> str:
    for limit, factor, unit in ((1e4, 1, ""), (1e6, 1e-3, "k")):
        if value < limit:
            return f"{value * factor:.4g}{unit}"
    return f"{value / 1e6:.4g}M"


def percentile_text(value: float) -> str:
    """Of 1/(1-q): 100 is 99%."""
    return f"{100 * (1 - 1 / value):.6g}%"


def number(kind: str, value: float) -> str:
    writers: dict[str, Callable[[float], str]] = {
        "time": time_text, "count": count_text, "percentile": percentile_text,
    }  # fmt: skip
    return writers.get(kind, lambda other: f"{other:.4g}")(value)
