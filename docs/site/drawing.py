"""A chart as shapes and as a table: what the template chart.html writes. Each scale is drawn apart, so that a page can
switch from one to the other by its style sheet alone.

All lines of a series are one path, and so are all its marks: the pages stay small."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from axes import Axis, Tick, axis, number
from chart import BOUNDS, Bar, Cell, Chart, Heat, Look, Point, Series

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 380, 66, 14, 20, 48
HEAT_HEIGHT = 190
STEP_ASIDE = 2.2  # pixels between the marks that several series have at one x
LEVELS = 6  # of a heat map
# gnuplot's point types that the servers have, as paths around (0, 0)
MARKS = {
    0: "",
    5: "m-3.2-3.2h6.4v6.4h-6.4z",
    6: "m-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0-7.2 0z",
    7: "m-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0-7.2 0z",
    9: "m0-4.4l4.2 7.4h-8.4z",
    11: "m0 4.4l4.2-7.4h-8.4z",
    13: "m0-4.8l4.2 4.8l-4.2 4.8l-4.2-4.8z",
}
OPEN_MARKS = (6,)
MOST_MARKS = 40  # a line with more points has none
# (name, x axis, y axis): what can be chosen, the first one first
LOGARITHMIC = (("both axes logarithmic", True, True), ("both axes linear", False, False))
RATES = (("x axis logarithmic", True, False), *LOGARITHMIC)
DISTRIBUTION = (("y axis logarithmic", True, True), ("y axis linear", True, False))


@dataclass(frozen=True)
class Curve:
    line: str
    whiskers: str
    marks: str
    hollow: str
    bounds: list[tuple[float, float, str]]
    ends: str


@dataclass(frozen=True)
class Guide:
    """A line that is no series, with its name."""

    path: str
    text: str
    x: float
    y: float
    anchor: str
    angle: float = 0  # degrees


@dataclass(frozen=True)
class Plot:
    """One chart in one scale."""

    scale: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    curves: list[Curve]
    guides: list[Guide]
    places: str  # where the rows of the table stand on the x axis, in pixels


@dataclass(frozen=True)
class Key:
    label: str
    look: Look
    sign: str  # the path of its mark


@dataclass(frozen=True)
class Row:
    name: str
    cells: list[str]


@dataclass(frozen=True)
class HeatPlot:
    label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    levels: list[tuple[float, str]]  # opacity, path


@dataclass(frozen=True)
class BarRow:
    bar: Bar
    group: int  # which key it belongs to
    first: float  # per cent of the width
    second: float
    low: float
    wide: float  # of the interval
    value: str
    interval: str


def keys(chart: Chart) -> list[Key]:
    looks = list(chart.labels)
    looks += [(series.label, series.look) for series in chart.series]
    looks += [(heat.label, heat.look) for heat in chart.heats]
    return [Key(label, look, MARKS.get(look.mark, MARKS[7])) for label, look in looks]


def scales(chart: Chart) -> Sequence[tuple[str, bool, bool]]:
    if chart.bars or chart.heats:
        return ()
    if chart.x_kind == "percentile":
        return DISTRIBUTION
    return LOGARITHMIC if chart.logarithmic else RATES


def plots(chart: Chart) -> list[Plot]:
    return [_plot(chart, *scale) for scale in scales(chart)]


def _plot(chart: Chart, scale: str, x_logarithmic: bool, y_logarithmic: bool) -> Plot:
    points = [point for series in chart.series for point in series.points]
    heights = [value for point in points for value in (point.y, point.low, point.high)]
    if chart.equal:
        heights = [point.x for point in points] + [point.y for point in points]
    x = axis((point.x for point in points), x_logarithmic, chart.x_kind, LEFT, WIDTH - LEFT - RIGHT)
    y = axis([*heights, *([chart.limit] if chart.limit else [])], y_logarithmic, chart.y_kind, HEIGHT - BOTTOM,
             TOP + BOTTOM - HEIGHT)  # fmt: skip
    count = len(chart.series)
    curves = [_curve(series, x, y, (place - (count - 1) / 2) * STEP_ASIDE) for place, series in enumerate(chart.series)]
    places = " ".join(f"{x.at(value):g}" for value in _places(chart))
    return Plot(scale, x.ticks(), y.ticks(), curves, _guides(chart, x, y), places)


def _curve(series: Series, x: Axis, y: Axis, aside: float) -> Curve:
    """A series is moved aside by a few pixels, so that its intervals do not lie on those of others."""
    if len(series.points) > MOST_MARKS:
        aside = 0
    drawn = [(point, round(x.at(point.x) + aside, 1), y.at(point.y)) for point in series.points if _visible(point, y)]
    sign = MARKS.get(series.look.mark, MARKS[7]) if len(drawn) <= MOST_MARKS else ""
    is_open = series.look.mark in OPEN_MARKS
    line = "M" + "L".join(f"{left:g} {top:g}" for _, left, top in drawn) if series.joined and len(drawn) > 1 else ""
    return Curve(
        line,
        "".join(f"M{left:g} {y.at(p.low):g}V{y.at(p.high):g}" for p, left, _ in drawn if p.low < p.high),
        "".join(f"M{left:g} {top:g}{sign}" for point, left, top in drawn if sign and not (point.hollow or is_open)),
        "".join(f"M{left:g} {top:g}{sign}" for point, left, top in drawn if sign and (point.hollow or is_open)),
        [(left, round(top - 9, 1), BOUNDS[point.bound].strip()) for point, left, top in drawn if point.bound],
        "".join(f"M{left:g} {top - 9:g}v18" for point, left, top in drawn if point.end),
    )


def _visible(point: Point, y: Axis) -> bool:
    return point.y > 0 or not y.logarithmic


def _guides(chart: Chart, x: Axis, y: Axis) -> list[Guide]:
    found = []
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    if chart.setsize and x.holds(chart.setsize):
        at = x.at(chart.setsize)
        found.append(Guide(f"M{at:g} {TOP}V{bottom}", "FD_SETSIZE", at, TOP - 6, "middle"))
    if chart.limit:
        at = y.at(chart.limit)
        found.append(Guide(f"M{LEFT} {at:g}H{right}", "the limit", LEFT + 6, at - 5, "start"))
    start = next((each.points[0] for each in chart.series if each.label == chart.slope_of), None)
    if start and x.logarithmic == y.logarithmic:
        found.append(_proportional(start.y / start.x, start.x, x, y, "in proportion to N"))
    if chart.equal:
        found.append(_proportional(1, x.least, x, y, "as counted"))
    return found


def _proportional(factor: float, begin: float, x: Axis, y: Axis, text: str) -> Guide:
    """y = factor · x, from `begin` to where it leaves the chart."""
    begin = max(begin, y.least / factor)
    end = min(x.most, y.most / factor)
    left, top = x.at(end), y.at(end * factor)
    run, rise = left - x.at(begin), top - y.at(begin * factor)
    path = f"M{x.at(begin):g} {y.at(begin * factor):g}L{left:g} {top:g}"
    return Guide(path, text, left, top, "end", round(math.degrees(math.atan2(rise, run)), 1))


def _places(chart: Chart) -> list[float]:
    return sorted({point.x for series in chart.series for point in series.points})


def rows(chart: Chart) -> list[Row]:
    """The table of the same numbers: a row for each x, a column for each series."""
    if chart.heats:
        return _heat_rows(chart.heats)
    found = []
    for place in _places(chart):
        cells = [[_cell(chart, point) for point in series.points if point.x == place] for series in chart.series]
        found.append(Row(number(chart.x_kind, place), ["; ".join(each) for each in cells]))
    return found


def _cell(chart: Chart, point: Point) -> str:
    text = BOUNDS[point.bound] + number(chart.y_kind, point.y)
    if point.low < point.high:
        text += f" ({number(chart.y_kind, point.low)} to {number(chart.y_kind, point.high)})"
    remarks = [point.note, "disturbed" if point.hollow else "", "its end: FD_SETSIZE" if point.end else ""]
    return ", ".join([text, *(each for each in remarks if each)])


def bar_rows(chart: Chart) -> list[BarRow]:
    most = max(bar.high for bar in chart.bars) or 1.0
    groups = [label for label, _ in chart.labels]

    def part(value: float) -> float:
        return round(100 * value / most, 2)

    found = []
    for bar in chart.bars:
        end = bar.first + bar.second
        varies = bar.low < bar.high
        interval = f"{plain(bar.low)} to {plain(bar.high)}" if varies else ""
        found.append(BarRow(
            bar, groups.index(bar.label.split(" × ")[0]), part(bar.first), part(bar.second), part(bar.low),
            part(bar.high - bar.low) if varies else 0, plain(end), interval,
        ))  # fmt: skip
    return found


def plain(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def heat_plots(chart: Chart) -> list[HeatPlot]:
    cells = [cell for heat in chart.heats for cell in heat.cells]
    bottom = HEAT_HEIGHT - BOTTOM
    x = Axis(False, 0, max(cell.end for cell in cells), "plain", LEFT, WIDTH - LEFT - RIGHT)
    y = axis([value for cell in cells for value in (cell.low, cell.high)], True, "time", bottom, TOP - bottom)
    return [HeatPlot(heat.label, x.ticks(), y.ticks(), _levels(heat, x, y)) for heat in chart.heats]


def _levels(heat: Heat, x: Axis, y: Axis) -> list[tuple[float, str]]:
    """The cells by how dark they are, which follows the logarithm of their share: 1 in 200 is the lightest. Neighbours
    in time that look the same are one rectangle: they are most of the page."""
    paths = [""] * LEVELS
    runs: list[tuple[int, float, float, float, float]] = []  # level, low, high, begin, end
    for cell in sorted(heat.cells, key=lambda cell: (cell.low, cell.begin)):
        level = round((LEVELS - 1) * (1 + max(math.log(cell.share, 200), -1)))
        before = runs[-1] if runs else None
        if before is not None and before[:3] == (level, cell.low, cell.high) and before[4] == cell.begin:
            runs[-1] = (*before[:4], cell.end)
        else:
            runs.append((level, cell.low, cell.high, cell.begin, cell.end))
    for level, low, high, begin, end in runs:
        left, top = x.at(begin), y.at(high)
        down = y.at(max(low, y.least)) - top
        paths[level] += f"M{left:g} {top:g}h{x.at(end) - left:.4g}v{down:.3g}H{left:g}z"
    return [(round(0.2 + 0.8 * level / (LEVELS - 1), 2), path) for level, path in enumerate(paths) if path]


def _heat_rows(heats: Sequence[Heat]) -> list[Row]:
    begins = sorted({cell.begin for heat in heats for cell in heat.cells})
    by_begin: list[dict[float, list[Cell]]] = []
    for heat in heats:
        found: dict[float, list[Cell]] = {}
        for cell in heat.cells:
            found.setdefault(cell.begin, []).append(cell)
        by_begin.append(found)
    return [Row(f"{begin:g} s", [_cells(each.get(begin, [])) for each in by_begin]) for begin in begins]


def _cells(cells: Sequence[Cell]) -> str:
    """All requests of a moment, by their times: the upper limit of each band, in microseconds."""
    return " ".join(f"{cell.requests}×{cell.high:.0f}" for cell in cells)
