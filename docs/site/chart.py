"""What a chart shows, taken from a figure of the benchmarks: series of points, or bars, or the cells of a heat map.

The numbers are those of plots/reference, through the same code that draws the figures with gnuplot
(harness/bench/figures.py). How they are drawn is in drawing.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from bench import charts as captions
from bench.columns import Line
from bench.figures import Figure
from bench.results import Results
from suite import servers

GREY = "#808080"
LIBRARIES = {"here": "measured here", "libevent": "libevent, published", "coroio": "coroio, published"}
OF_SAME = {"sockets": "N sockets", "duplicates": "N duplicates of one socket"}
BOUNDS = {1: "≥ ", -1: "≤ ", 0: ""}


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    low: float
    high: float
    bound: int = 0  # 1: at least, -1: at most
    hollow: bool = False  # the machine was disturbed
    end: bool = False  # select takes no more descriptors
    note: str = ""


@dataclass(frozen=True)
class Look:
    """How a series is told apart, in colour and without it."""

    colour: str
    mark: int  # gnuplot's number of a point type
    dashed: bool = False


# Ways of one server, so they have no look in servers.toml. plots/work.gp has the same.
OF_WORK = {"one_loop": Look("#0072B2", 9), "pool": Look("#D55E00", 7), "one_for_all": Look("#009E73", 5)}


@dataclass(frozen=True)
class Series:
    label: str
    look: Look
    points: tuple[Point, ...]
    joined: bool = True


@dataclass(frozen=True)
class Bar:
    label: str
    look: Look
    first: float
    second: float
    low: float
    high: float
    hollow: bool


@dataclass(frozen=True)
class Cell:
    """Of a heat map: so many requests that were due between two moments took so long (microseconds)."""

    begin: float
    end: float
    low: float
    high: float
    requests: int
    share: float  # of all that were due then


@dataclass(frozen=True)
class Heat:
    label: str
    look: Look
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Chart:
    name: str
    title: str
    x_label: str
    y_label: str
    reading: str  # how to read it
    caption: str  # where the numbers come from
    x_kind: str = "plain"
    y_kind: str = "plain"
    logarithmic: bool = True  # what is shown first
    series: tuple[Series, ...] = ()
    bars: tuple[Bar, ...] = ()
    heats: tuple[Heat, ...] = ()
    parts: tuple[str, ...] = ()  # names of the parts of a bar
    unit: float = 1.0  # the figures of the bars are divided by it
    setsize: float = 0  # where on the x axis FD_SETSIZE stands
    limit: float = 0  # a horizontal line
    slope_of: str = ""  # a line of proportional growth begins at this series' first point
    equal: bool = False  # a line on which y equals x
    labels: tuple[tuple[str, Look], ...] = field(default=())  # of the groups of bars


def of_figure(results: Results, figure: Figure) -> Chart:
    """The figure must have data."""
    texts = figure.variables()
    chart = Chart(
        figure.name, str(texts["title"]), str(texts["x_label"]), str(texts["y_label"]), figure.kind.reading,
        " ".join(captions.caption(results, figure).split("\n")), str(texts.get("x_kind", "plain")),
        str(texts.get("y_kind", "time")), bool(texts.get("logarithmic", 1)),
    )  # fmt: skip
    kqueue = captions.kqueue_name(results.fingerprint)
    lines = figure.table.lines
    if figure.kind.script == "bars":
        return _with_bars(chart, lines, texts, kqueue)
    if figure.kind.script == "heat":
        return replace(chart, heats=tuple(_heats(lines, kqueue)))
    readers: dict[str, Callable[[Sequence[Line], str], list[Series]]] = {
        "runs": _each_run, "published": _published, "same": _same, "percentiles": _percentiles, "model": _model,
        "work": _work,
    }  # fmt: skip
    chart = replace(chart, series=tuple(readers.get(figure.kind.script, _curves)(lines, kqueue)))
    slope_of = str(texts.get("slope_of", ""))
    chart = replace(
        chart, setsize=_number(texts.get("setsize", 0)), limit=_number(texts.get("limit", 0)),
        slope_of=label_of(slope_of, kqueue) if slope_of else "",
    )  # fmt: skip
    kinds = {"percentiles": ("percentile", "time"), "same": ("count", "plain"), "work": ("plain", "count")}
    if figure.kind.script in kinds:
        x_kind, y_kind = kinds[figure.kind.script]
        chart = replace(chart, x_kind=x_kind, y_kind=y_kind)
    return replace(chart, equal=figure.kind.script == "model")


def label_of(server: str, kqueue: str) -> str:
    kind = servers.OF[server]
    return kqueue if kind.stand_in else kind.label


def look_of(server: str, kqueue: str) -> Look:
    """A stand-in is grey and dashed: nobody must take it for the real thing."""
    kind = servers.OF.get(server)
    if kind is None:
        return Look(GREY, 7)
    if kind.stand_in and "(" in kqueue:
        return Look(GREY, kind.mark, dashed=True)
    return Look(kind.colour, kind.mark)


def _number(value: object) -> float:
    return float(str(value))


def _groups(lines: Sequence[Line], *names: str) -> dict[tuple[str, ...], list[Line]]:
    found: dict[tuple[str, ...], list[Line]] = {}
    for line in lines:
        found.setdefault(tuple(str(line[name]) for name in names), []).append(line)
    return found


def _point(line: Line, y: str = "median") -> Point:
    low, high = line.get("low", line[y]), line.get("high", line[y])
    return Point(
        _number(line["x"]), _number(line[y]), _number(low), _number(high), int(_number(line.get("bound", 0))),
        _number(line.get("disturbed", 0)) > 0, str(line.get("end", "0")) in ("1", "True"),
    )  # fmt: skip


def _points(lines: Sequence[Line], y: str = "median") -> tuple[Point, ...]:
    return tuple(_point(line, y) for line in lines)


def _curves(lines: Sequence[Line], kqueue: str) -> list[Series]:
    groups = _groups(lines, "server").items()
    return [Series(label_of(name, kqueue), look_of(name, kqueue), _points(its)) for (name,), its in groups]


def _each_run(lines: Sequence[Line], kqueue: str) -> list[Series]:
    """The median of the runs at an x, with the least and the greatest of them."""
    found = []
    for (name,), its in _groups(lines, "server").items():
        points = []
        for _, at in _groups(its, "x").items():
            heights = [_number(line["y"]) for line in at]
            points.append(replace(_point(at[0]), low=min(heights), high=max(heights)))
        found.append(Series(label_of(name, kqueue), look_of(name, kqueue), tuple(points)))
    return found


def _published(lines: Sequence[Line], kqueue: str) -> list[Series]:
    found = []
    for (name, library), its in _groups(lines, "server", "library").items():
        look, api = look_of(name, kqueue), label_of(name, kqueue).split(",")[0]
        ours = library == "here"
        label = f"{api}: {LIBRARIES.get(library, library)}"
        found.append(Series(label, look if ours else replace(look, mark=0, dashed=library == "libevent"), _points(its)))
    return found


def _same(lines: Sequence[Line], kqueue: str) -> list[Series]:
    look = look_of("poll_srv", kqueue)
    looks = {"sockets": look, "duplicates": replace(look, mark=6, dashed=True)}
    return [Series(OF_SAME[of], looks[of], _points(its)) for (of,), its in sorted(_groups(lines, "of").items())]


def _percentiles(lines: Sequence[Line], kqueue: str) -> list[Series]:
    """Marks would touch each other: there are none."""
    groups = _groups(lines, "server").items()
    return [
        Series(label_of(name, kqueue), look_of(name, kqueue), _points(its, "y")) for (name,), its in groups
    ]  # fmt: skip


def _model(lines: Sequence[Line], kqueue: str) -> list[Series]:
    found = []
    for (name,), its in _groups(lines, "server").items():
        points = [replace(_point(line, "y"), note=f"{line['ready']} of {line['watched']} ready") for line in its]
        found.append(Series(label_of(name, kqueue), look_of(name, kqueue), tuple(points), joined=False))
    return found


def _work(lines: Sequence[Line], kqueue: str) -> list[Series]:
    groups = _groups(lines, "server", "label").items()
    return [Series(label, OF_WORK[name], _points(its)) for (name, label), its in groups]


def _with_bars(chart: Chart, lines: Sequence[Line], texts: dict[str, object], kqueue: str) -> Chart:
    """Bars of servers are told apart by their colours; those of techniques are grey."""
    bars, groups = [], {}
    for line in lines:
        name, label = str(line["server"]), str(line["label"])
        look = look_of(name, kqueue)
        if name in servers.OF and servers.OF[name].stand_in:
            label = label.replace(servers.OF[name].label, kqueue, 1)
        first, second, low, high = (
            _number(line[each]) / _number(texts["unit"]) for each in ("first", "second", "low", "high")
        )  # fmt: skip
        bars.append(Bar(label, look, first, second, low, high, _number(line["disturbed"]) > 0))
        groups[label.split(" × ")[0]] = look
    parts = tuple(str(texts[name]) for name in ("first_part", "second_part") if texts[name])
    return replace(chart, bars=tuple(bars), parts=parts, labels=tuple(groups.items()))


def _heats(lines: Sequence[Line], kqueue: str) -> list[Heat]:
    found = []
    for (name,), its in _groups(lines, "server").items():
        cells = []
        for line in its:
            begin, end, low, high, requests, due = (
                _number(line[each]) for each in ("from", "to", "low", "high", "requests", "of")
            )  # fmt: skip
            cells.append(Cell(begin, end, low, high, int(requests), requests / due))
        found.append(Heat(label_of(name, kqueue), look_of(name, kqueue), tuple(cells)))
    return found
