"""The plain columns that the figures are drawn from: one file a figure, one line a point.

A figure without data has no lines. plots/README.md describes the columns."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from suite import servers

from bench import files, loops, pools, restarts, statistics, techniques
from bench.results import BadResults
from bench.rows import Row, factors, final
from bench.statistics import POLICIES, Summary

SERVERS = servers.having(protocol="frames")  # in this order; those without a row are not drawn
NAMES = {kind.name: kind.label for kind in servers.KINDS} | {
    "level": "level: wait, read, write",
    "edge_would_block": "edge: read to would-block",
    "edge_short_read": "edge: a short read ends it",
    "one_shot": "one-shot, armed again",
    "add_delete": "added and deleted each time",
} | techniques.LABELS | restarts.LABELS | pools.LABELS | loops.LABELS
# select_srv takes no more connections: FD_SETSIZE is 1024 on Linux, macOS and the BSDs, and the server needs a few
# descriptors for itself.
MOST_FOR_SELECT = 1024 - 16

CURVE = ("server", "x", "median", "low", "high", "runs", "bound", "disturbed", "end")
TAIL = CURVE + ("quantile", "rate")
BARS = ("server", "position", "label", "first", "second", "low", "high", "runs", "disturbed")
EACH = ("server", "x", "y", "median", "repeat", "disturbed")
MODEL = ("server", "x", "y", "watched", "ready")
PERCENTILES = ("server", "x", "y", "connections", "rate", "runs", "n")
PROBES = CURVE + ("connections", "limit")
HEAT = ("server", "from", "to", "low", "high", "requests", "of", "unanswered", "connections", "rate", "repeat")
BOUND = {"at most": -1, "": 0, "at least": 1}
WORK = ("server", "x", "median", "low", "high", "runs", "disturbed", "label", "crossing", "crossing_y")
SAME = ("of", "x", "median", "low", "high", "runs")

Line = dict[str, object]


@dataclass(frozen=True)
class Table:
    """Lines of columns; the summaries, and the seconds that single runs took, for the caption."""

    columns: tuple[str, ...] = CURVE
    lines: list[Line] = field(default_factory=list)
    summaries: list[Summary] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def write(self, path: Path) -> None:
        text = [" ".join(self.columns)]
        text += [" ".join(_word(line[name]) for name in self.columns) for line in self.lines]
        with files.naming(path):
            path.write_text("\n".join(text) + "\n", encoding="utf-8")


def read(path: Path, expected: tuple[str, ...]) -> Table:
    """A file that Table.write has written."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or tuple(lines[0].split()) != expected:
        raise BadResults(f"{path}: line 1: expected the columns {' '.join(expected)}")
    table = Table(expected)
    for number_of_line, line in enumerate(lines[1:], start=2):
        words = shlex.split(line)
        if len(words) != len(expected):
            raise BadResults(f"{path}: line {number_of_line}: {len(words)} columns, expected {len(expected)}")
        table.lines.append(dict(zip(expected, words)))
    return table


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return f"{value:.8g}"
    text = str(value)
    return f'"{text}"' if " " in text or not text else text


def where(rows: Sequence[Row], **wanted: str) -> list[Row]:
    """The rows whose points have these values."""
    return [row for row in rows if wanted.items() <= factors(row.point).items()]


def values(rows: Sequence[Row], name: str) -> list[str]:
    """The values of a factor in these rows: the one with the most points first, the others by size."""
    points = {row.point for row in rows}
    found: dict[str, int] = {}
    for each in points:
        value = factors(each).get(name)
        if value is not None:
            found[value] = found.get(value, 0) + 1
    return sorted(found, key=lambda value: (-found[value], _size(value), value))


def _size(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.inf


def curve(
    rows: Sequence[Row],
    measure: str,
    x: Callable[[str], float],
    ends: bool = True,
    **about: object,
) -> Table:
    """One line a server and point. `x`: of a point. `ends`: select stops at FD_SETSIZE here. `about`: further columns,
    the same in all lines."""
    found = statistics.by_point(rows, measure)
    table = Table(CURVE + tuple(about), seconds=[row.seconds for row in final(list(rows))])
    for server in SERVERS:
        places = [(x(point), summary) for (name, point), summary in found.items() if name == server]
        for place, summary in sorted(places, key=lambda each: each[0]):
            table.lines.append(line_of(server, place, summary) | about)
            table.summaries.append(summary)
    if ends:
        mark_end(table.lines)
    return table


def of_work(rows: Sequence[Row]) -> Table:
    """The rate of each way of epoll_oneshot by the work on a message, and where its curve crosses that of one loop. The
    x axis is logarithmic: no work at all has no place on it."""
    found = statistics.by_point(rows, "throughput")
    table = Table(WORK, seconds=[row.seconds for row in final(list(rows))])
    curves = {
        way: sorted((statistics.value_of(point, "work"), summary) for (name, point), summary in found.items()
                    if name == way and statistics.value_of(point, "work") > 0)
        for way in pools.ALL
    }  # fmt: skip
    alone = {work: summary.median for work, summary in curves["one_loop"]}
    for way, places in curves.items():
        both = [(work, summary.median, alone[work]) for work, summary in places if work in alone]
        at = pools.crossing([work for work, *_ in both], [rate / of_one for _, rate, of_one in both])
        height = _between(at, [(work, rate) for work, rate, _ in both]) if way != "one_loop" else 0.0
        for work, summary in places:
            line: Line = {"server": way, "x": work, "median": summary.median, "low": summary.low, "high": summary.high}
            line |= {"runs": summary.runs, "disturbed": summary.disturbed, "label": pools.LABELS[way]}
            table.lines.append(line | {"crossing": at if height else 0.0, "crossing_y": height})
            table.summaries.append(summary)
    return table


def _between(x: float, places: Sequence[tuple[float, float]]) -> float:
    """The height of the line through these places at x; 0 if x lies outside."""
    for (x0, y0), (x1, y1) in zip(places, places[1:]):
        if x0 < x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return 0.0


def line_of(server: str, x: float, summary: Summary) -> Line:
    """A line of a curve. mark_end() sets its end."""
    line: Line = {"server": server, "x": x, "median": summary.median, "low": summary.low, "high": summary.high}
    return line | {"runs": summary.runs, "bound": BOUND[summary.bound], "disturbed": summary.disturbed, "end": False}


def each_run(rows: Sequence[Row], measure: str, x: Callable[[str], float], **about: object) -> Table:
    """One line a run: for figures in which the spread of the runs is what there is to see."""
    def at(row: Row) -> tuple[str, str]:
        return row.server, row.point

    counted = [row for row in final(list(rows)) if getattr(row, measure) is not None]
    statistics.check_hashes(counted)
    medians = {at(row): median([getattr(each, measure) for each in counted if at(each) == at(row)]) for row in counted}
    table = Table(EACH + tuple(about), seconds=[row.seconds for row in counted])
    for server in SERVERS:
        its = [row for row in counted if row.server == server]
        for row in sorted(its, key=lambda row: (x(row.point), row.repeat)):
            line: Line = {"server": server, "x": x(row.point), "y": getattr(row, measure)}
            line |= {"median": medians[at(row)], "repeat": row.repeat}
            table.lines.append(line | {"disturbed": int(bool(row.disturbed))} | about)
    return table


def mark_end(lines: list[Line]) -> None:
    """Marks the last line of a server with that ceiling, if it cannot hold the next point of the others. A curve may
    also end because the experiments were interrupted; then it gets no mark."""
    for server in servers.five(ceiling="fd_setsize"):
        its = [line for line in lines if line["server"] == server]
        beyond = [line["x"] for line in lines if its and line["x"] > its[-1]["x"]]  # type: ignore[operator]
        if beyond and min(beyond) > MOST_FOR_SELECT:  # type: ignore[type-var, operator]
            its[-1]["end"] = True


def bars(rows: Sequence[Row], first: str, second: str, stacked: bool) -> Table:
    """One bar a server and point, in two parts. `stacked`: the figure `second` comes on top of `first`; if not, it is
    the whole, and `first` is a part of it. Bars of one server stand together."""
    firsts, seconds = statistics.by_point(rows, first), statistics.by_point(rows, second)
    order = {name: place for place, name in enumerate(SERVERS + POLICIES + techniques.ALL + loops.WAYS + restarts.WAYS)}
    keys = [key for key in seconds if key in firsts and key[0] in order]
    keys.sort(key=lambda key: (order[key[0]], [_size(value) for value in factors(key[1]).values()]))
    table, position, before = Table(BARS, seconds=[row.seconds for row in final(list(rows))]), 0.0, ""
    for server, point in keys:
        one, other = firsts[server, point], seconds[server, point]
        below = one.median if stacked else 0.0
        position += 1 if before in ("", server) else 1.4
        before = server
        label = f"{NAMES[server]} × {factors(point).get('connections', '?')}"
        if "idle" in factors(point):
            active = f" × {factors(point)['connections']}" if "connections" in factors(point) else ""
            label = f"{NAMES[server]}{active}, {int(factors(point)['idle']):,} idle"
        if "payload" in factors(point):
            label += f", {factors(point)['payload']} B"
        if server in loops.WAYS:
            label = f"{NAMES[server]}, {factors(point)['loops']} loops"
        elif server in restarts.WAYS:
            label = NAMES[server]
        elif server in techniques.ALL:
            label = techniques.label(server, point)
        line: Line = {"server": server, "position": position, "label": label}
        line |= {"first": one.median, "second": other.median + below - one.median}
        line |= {"low": below + other.low, "high": below + other.high}
        table.lines.append(line | {"runs": other.runs, "disturbed": max(one.disturbed, other.disturbed)})
        table.summaries.append(other)
    return table
