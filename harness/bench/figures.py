"""The table of figures: what each one is drawn from, what stands on its axes, how to read it.

One gnuplot script draws each kind of figure (plots/README.md). Everything that differs between two figures of a kind
is in FIGURES, in the order in which the report shows them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import columns, heat, model, percentiles, probes, published
from bench.columns import Line, Table, values, where
from bench.results import BadResults, Results
from bench.rows import Row, factors
from bench.statistics import by_point, value_of

COUNT, TIME, PLAIN = "count", "time", "plain"  # how an axis writes numbers: 10k; 20 ms; 10000
FD_SETSIZE = 1024


@dataclass(frozen=True)
class Kind:
    """An entry of the table. In its texts {active} stands for what the column `active` holds."""

    name: str
    experiment: str
    title: str
    x_label: str
    y_label: str
    reading: str
    points: dict[str, str] = field(default_factory=dict)  # only points with these values
    headline: bool = False
    script: str = ""  # plots/<script>.gp
    lacking: str = ""  # why there may be no figure, unless it is that the experiment has no rows
    load: str = ""  # for the caption: which loop, which payload
    made: str = "run"  # for the caption: what is made again and again
    setsize: float = 0  # where on the x axis FD_SETSIZE stands

    def figures(self, results: Results, folder: Path) -> Iterator[Figure]:
        """One figure, or several that share this entry. `folder` holds the columns that an earlier call wrote."""
        yield Figure(self.name, self, self.table(self.rows(results)), self.headline)

    def rows(self, results: Results) -> list[Row]:
        return where([row for row in results.rows() if row.experiment == self.experiment], **self.points)

    def table(self, rows: Sequence[Row]) -> Table:
        raise NotImplementedError

    def options(self, table: Table) -> dict[str, object]:
        """Variables of the script, besides the texts."""
        return {}

    def notes(self, table: Table) -> list[str]:
        """What the caption must say about this kind."""
        return []


def marks(table: Table) -> list[str]:
    """What the signs at the points of curves mean, those that there are."""
    bounds = {int(str(line.get("bound", 0))) for line in table.lines}
    notes = ["≥: the client was the limit in a run, and the server could do at least this much."] if 1 in bounds else []
    if -1 in bounds:
        notes.append("≤: the client was the limit in a run, and the server's own figure is at most this.")
    return notes + hollow(table, "mark")


def hollow(table: Table, what: str) -> list[str]:
    if any(int(str(line.get("disturbed", 0))) > 0 for line in table.lines):
        return [f"Hollow {what}: something else disturbed the machine in a run."]
    return []


@dataclass(frozen=True)
class Figure:
    name: str  # of its files
    kind: Kind
    table: Table  # without lines where there is no data
    headline: bool = False

    @property
    def missing(self) -> str:
        """Why it cannot be drawn; empty if it can."""
        return "" if self.table.lines else self.kind.lacking or f"no data of {self.kind.experiment}"

    def variables(self) -> dict[str, object]:
        """All variables of the script that concern what is drawn. The figure must have data."""
        held = dict(self.table.lines[0])
        if "limit" in held:
            held["limit_ms"] = f"{float(str(held['limit'])) / 1000:g}"
        texts = {"title": self.kind.title, "x_label": self.kind.x_label, "y_label": self.kind.y_label}
        shared: dict[str, object] = {"setsize": self.kind.setsize} if self.kind.setsize else {}
        return {name: text.format_map(held) for name, text in texts.items()} | shared | self.kind.options(self.table)


@dataclass(frozen=True)
class Curves(Kind):
    """One curve a server."""

    script: str = "curves"
    measure: str = ""  # the column of the rows
    x: Callable[[str], float] = lambda point: value_of(point, "connections")  # of a point
    x_kind: str = COUNT
    y_kind: str = TIME
    logarithmic: bool = True  # the y axis; one that is not begins at zero
    each: tuple[str, str] = ("", "")  # a factor: each of its values has a figure, the one named here is the main one
    common: str = ""  # a factor: only its value with the most points is drawn
    about: dict[str, str] = field(default_factory=dict)  # further columns
    ends: bool = True  # select's curve ends at FD_SETSIZE
    further: dict[str, object] = field(default_factory=dict)  # variables of the script

    def figures(self, results: Results, folder: Path) -> Iterator[Figure]:
        factor, main = self.each
        if not factor:
            yield from super().figures(results, folder)
            return
        rows = self.rows(results)
        # Without rows there is still one figure, so that it is reported as missing.
        found = sorted(values(rows, factor), key=lambda value: value != main) or [""]
        for value in found:
            table = self.table(where(rows, **{factor: value}), **{factor: value})
            ending, headline = ("", self.headline) if value == found[0] else (f"_{value}", False)
            yield Figure(self.name + ending, self, table, headline)

    def table(self, rows: Sequence[Row], **held: str) -> Table:
        if self.common:
            held[self.common] = next(iter(values(rows, self.common)), "")
        return columns.curve(where(rows, **held), self.measure, self.x, self.ends, **self.about, **held)

    def options(self, table: Table) -> dict[str, object]:
        axes = {"x_kind": self.x_kind, "y_kind": self.y_kind, "logarithmic": int(self.logarithmic)}
        return axes | self.further

    def notes(self, table: Table) -> list[str]:
        return marks(table)


@dataclass(frozen=True)
class EachRun(Curves):
    """One mark a run, and a line through the medians."""

    script: str = "runs"

    def table(self, rows: Sequence[Row], **held: str) -> Table:
        held[self.common] = next(iter(values(rows, self.common)), "")
        return columns.each_run(where(rows, **held), self.measure, self.x, **held)

    def notes(self, table: Table) -> list[str]:
        return ["One mark a run; the lines join the medians.", *hollow(table, "mark")]


@dataclass(frozen=True)
class Panels(Curves):
    """Two figures above each other, with one x axis: those of the entries `upper` and `lower` of the table."""

    script: str = "panels"
    upper: str = ""
    lower: str = ""

    def figures(self, results: Results, folder: Path) -> Iterator[Figure]:
        table = Table(columns.CURVE + ("panel", "active", "rate"))
        parts = [next(of(name).figures(results, folder)) for name in (self.upper, self.lower)]
        if all(part.table.lines for part in parts):
            upper, lower = ({line["server"] for line in part.table.lines} for part in parts)
            for panel, part in enumerate(parts, start=1):
                missing = {"panel": panel, "active": "-", "rate": "-"}
                in_both = [line for line in part.table.lines if line["server"] in upper & lower]
                table.lines.extend(missing | line for line in in_both)
                table.summaries.extend(part.table.summaries)
                table.seconds.extend(part.table.seconds)
            held = {name: line[name] for line in table.lines for name in ("active", "rate") if line[name] != "-"}
            for line in table.lines:
                line |= held
        yield Figure(self.name, self, table, self.headline)

    def rows(self, results: Results) -> list[Row]:
        return [row for name in (self.upper, self.lower) for row in of(name).rows(results)]

    def options(self, table: Table) -> dict[str, object]:
        upper, lower = of(self.upper), of(self.lower)
        return {"upper_label": upper.y_label, "lower_label": lower.y_label.format(quantile="p99"), "height": 700,
                "x_kind": COUNT}


@dataclass(frozen=True)
class Work(Kind):
    """The rate of each way of epoll_oneshot, and where it crosses that of one loop."""

    script: str = "work"

    def table(self, rows: Sequence[Row]) -> Table:
        return columns.of_work(rows)

    def notes(self, table: Table) -> list[str]:
        crossed = {str(line["label"]): float(str(line["crossing"])) for line in table.lines if line["crossing"]}
        words = [f"{label}: as fast as one loop at {at:.0f} µs." for label, at in crossed.items()]
        return [*words, *hollow(table, "mark")]


@dataclass(frozen=True)
class Published(Curves):
    """The curves of a few servers beside those that others have published."""

    script: str = "published"

    def table(self, rows: Sequence[Row], **held: str) -> Table:
        ours = super().table([row for row in rows if row.server in published.BESIDE], **held)
        return published.beside(ours, held["active"]) if ours.lines else ours

    def notes(self, table: Table) -> list[str]:
        return [published.SOURCE, *marks(table)]


@dataclass(frozen=True)
class OneProcess(Curves):
    """poll and select watch descriptors of their own process only, and that ends their curves."""

    def notes(self, table: Table) -> list[str]:
        end = "poll ends below the descriptor limit of one process. epoll's descriptors belong to many processes."
        return [end, *marks(table)]


@dataclass(frozen=True)
class Bars(Kind):
    """One bar a server and point, in two parts."""

    script: str = "bars"
    first: str = ""  # columns of the rows
    second: str = ""
    stacked: bool = False  # the second figure comes on top of the first; if not, the first is a part of it
    parts: tuple[str, str] = ("", "")  # their names
    unit: float = 1.0  # the figures are divided by it
    height: int = 460

    def table(self, rows: Sequence[Row]) -> Table:
        return columns.bars(rows, self.first, self.second, self.stacked)

    def options(self, table: Table) -> dict[str, object]:
        first, second = self.parts
        return {"first_part": first, "second_part": second, "unit": self.unit, "height": self.height}

    def notes(self, table: Table) -> list[str]:
        return hollow(table, "bar")


@dataclass(frozen=True)
class MemoryBars(Bars):
    """The caption says in which way the kernel's memory was found."""

    def table(self, rows: Sequence[Row]) -> Table:
        found = super().table(rows)
        ways = {int(row.objects is not None) for row in rows if row.kernel_bytes is not None}
        for line in found.lines:
            line["counted"] = int(ways == {1})
        return Table(found.columns + ("counted",), found.lines, found.summaries, found.seconds)

    def notes(self, table: Table) -> list[str]:
        if all(line["counted"] for line in table.lines):
            return ["Kernel: objects counted in /proc/slabinfo, and TCP's buffers."]
        return ["Kernel: growth of the whole machine's slab (only root may count objects); other programs change it."]


@dataclass(frozen=True)
class Model(Kind):
    """One mark a point: what the cost model says against what was measured."""

    script: str = "model"

    def table(self, rows: Sequence[Row]) -> Table:
        found = Table(columns.MODEL)
        fits = model.fit(rows, "cycle")
        for server in filter(fits.__contains__, columns.SERVERS):
            for point in fits[server].points:
                line: Line = {"server": server, "x": point.measured, "y": point.predicted}
                found.lines.append(line | {"watched": point.watched, "ready": point.ready})
        return found

    def notes(self, table: Table) -> list[str]:
        return ["Each mark is one point of E16, the median of its boots."]

    def options(self, table: Table) -> dict[str, object]:
        return {"x_kind": COUNT, "y_kind": COUNT}


@dataclass(frozen=True)
class Same(Kind):
    """poll over sockets and over duplicates of one: nanoseconds for each descriptor."""

    script: str = "same"

    def table(self, rows: Sequence[Row]) -> Table:
        found = Table(columns.SAME)
        summaries = {point: summary for (_, point), summary in by_point(rows, "wait").items()}
        # Those of one line next to each other: gnuplot joins what follows, and a point of the other line is a gap.
        order = sorted(summaries, key=lambda point: (factors(point).get("of", ""), value_of(point, "watched")))
        for point in order:
            summary = summaries[point]
            watched = value_of(point, "watched")
            line: Line = {"of": factors(point).get("of", ""), "x": watched, "runs": summary.runs}
            for name in ("median", "low", "high"):
                line[name] = 1000 * getattr(summary, name) / watched
            found.lines.append(line)
            found.summaries.append(summary)
        return found


@dataclass(frozen=True)
class Merged(Curves):
    """One run has too few requests for this figure: the histograms of all runs at a point are added up."""

    columns: tuple[str, ...] = ()
    merge: Callable[[Results], Table] = lambda results: Table()

    def figures(self, results: Results, folder: Path) -> Iterator[Figure]:
        """From the load generator's files, or, where they are gone, from the columns that an earlier call wrote."""
        kept = folder / f"{self.name}.dat"
        try:
            found = self.merge(results)
        except BadResults as error:
            if not kept.is_file():
                raise
            print(f"{self.name}: {error}; {kept.name} is used as it is", file=sys.stderr)
            found = Table(self.columns)
        if not found.lines and kept.is_file():
            found = columns.read(kept, self.columns)
        yield Figure(self.name, self, found)

    def notes(self, table: Table) -> list[str]:
        return [f"Histograms of {_runs(table)} runs added up.", *marks(table)]


@dataclass(frozen=True)
class Distribution(Merged):
    def notes(self, table: Table) -> list[str]:
        counts = from_to({int(str(line["n"])) for line in table.lines})
        end = f"a curve ends where fewer than {percentiles.BEYOND} requests are left above it"
        return [f"Histograms of {_runs(table)} runs added up: n = {counts} requests a server; {end}."]


@dataclass(frozen=True)
class Probes(Merged):
    def notes(self, table: Table) -> list[str]:
        most = max(int(str(line["runs"])) for line in table.lines)
        bounds = {int(str(line["bound"])) for line in table.lines}
        signs = ["≥: some requests were never answered, and the p99 is at least this."] if 1 in bounds else []
        signs += ["≤: the client was late itself, and the server's own p99 is at most this."] if -1 in bounds else []
        signs += hollow(table, "mark")
        if most == 1:
            return ["Each mark is one probe of one search.", *signs]
        bars = "bars: least to most, or from 6 on the interval of the median"
        return [f"Each mark is the median of the probes of 1 to {most} searches; {bars}.", *signs]

    def options(self, table: Table) -> dict[str, object]:
        return super().options(table) | {"limit": table.lines[0]["limit"], "limit_text": "the limit"}


@dataclass(frozen=True)
class Heat(Merged):
    def notes(self, table: Table) -> list[str]:
        notes = [f"One run a server, repeat {table.lines[0]['repeat']}: all of them had the same load."]
        if any(str(line["unanswered"]) != "0" for line in table.lines):
            notes.append("Framed: requests that were never answered, at their age.")
        return notes

    def options(self, table: Table) -> dict[str, object]:
        return {"height": 760}


def _runs(table: Table) -> str:
    return from_to({int(str(line["runs"])) for line in table.lines})


def from_to(numbers: set[int]) -> str:
    least, most = min(numbers), max(numbers)
    return str(least) if least == most else f"{least} to {most}"


def of(name: str) -> Kind:
    """The entry of the table with that name."""
    return next(kind for kind in FIGURES if kind.name == name)


def collect(results: Results, folder: Path) -> list[Figure]:
    """All figures in the order of the table; those without data have no lines."""
    return [figure for kind in FIGURES for figure in kind.figures(results, folder)]


def _sum_of(*names: str) -> Callable[[str], float]:
    return lambda point: sum(value_of(point, name) for name in names)


def _percent_ready(point: str) -> float:
    return 100 * value_of(point, "ready") / value_of(point, "watched")


_IDLE_AND_ACTIVE = _sum_of("idle", "active")
_ALL_ACTIVE = "connections, all active"
_AMONG_IDLE = "connections: {active} active, the others idle"
_CLOSED = "Closed loop: one request of 64 bytes under way on each active connection."
_OPEN = "Open loop: requests of 64 bytes at random times (Poisson), over all connections in turn."
_COUNTED = "Counted by an emulator, one instruction a nanosecond of the guest's clock."
_NO_SERVER = "The system call alone, without a server."
_MEMORY = ("the process of the server", "the kernel: both ends, all buffers")

FIGURES: tuple[Kind, ...] = (
    Panels(
        "headline", "E2 and E3-rate", "Throughput and p99 latency against the number of descriptors",
        "connections", "",
        "Above: a few connections are busy in a closed loop, and all others are silent. Below: all connections send at "
        "times that are fixed beforehand, and one request in a hundred waited at least this long. A flat curve means "
        "that a descriptor which is merely open costs nothing.",
        upper="idle_throughput", lower="rate_response_p99", headline=True, setsize=FD_SETSIZE,
        load="Above: {active} connections active in a closed loop, one request of 64 bytes under way on each. Below: "
        "all active in an open loop, {rate} requests of 64 bytes a second at random times (Poisson).",
    ),  # fmt: skip
    Curves(
        "idle_throughput", "E2", "Throughput with {active} active connections among N idle ones", _AMONG_IDLE,
        "replies a second",
        "Only a few connections send requests; the others are open and silent. A flat curve means that a wait costs "
        "nothing for the silent ones. A falling curve means that the server pays for every open descriptor at each "
        "wait.",
        measure="throughput", x=_IDLE_AND_ACTIVE, each=("active", "8"), logarithmic=False, y_kind=COUNT,
        load=_CLOSED, setsize=FD_SETSIZE,
    ),  # fmt: skip
    Curves(
        "idle_p99", "E2", "p99 latency with {active} active connections among N idle ones", _AMONG_IDLE,
        "p99 service time",
        "The same runs. One request in a hundred took at least this long from sending to reply. Both axes are "
        "logarithmic: a straight line upwards is growth by a power of the number of descriptors.",
        measure="service_p99", x=_IDLE_AND_ACTIVE, each=("active", "8"),
        load=_CLOSED, setsize=FD_SETSIZE,
    ),  # fmt: skip
    Curves(
        "idle_cpu", "E2", "CPU time a message with {active} active connections among N idle ones", _AMONG_IDLE,
        "CPU time of the server a message",
        "The CPU time that the server's process used for one message. It shows what a wait costs even where the "
        "client or the network is slower than the server.",
        measure="server_cpu", x=_IDLE_AND_ACTIVE, each=("active", "8"),
        load=_CLOSED, setsize=FD_SETSIZE,
    ),  # fmt: skip
    Bars(
        "idle_pairs", "E2-cost", "CPU time for each message without idle connections, and beside many", "µs a message",
        "",
        "Runs without idle connections and runs with them were made next to each other. The verdict is that of the "
        "pairs' ratios.",
        first="server_cpu", second="server_cpu", parts=("CPU time of the server", ""),
        load="Closed loop: one request of 64 bytes under way on each active connection.",
    ),  # fmt: skip
    Curves(
        "scaling_throughput", "E1", "Throughput when all connections are active", _ALL_ACTIVE, "replies a second",
        "Every connection has one request under way. A wait then returns many ready descriptors, which share its "
        "cost. So the APIs lie much closer together than with idle connections.",
        measure="throughput", logarithmic=False, y_kind=COUNT,
        load=_CLOSED, setsize=FD_SETSIZE,
    ),  # fmt: skip
    Curves(
        "scaling_p99", "E1", "p99 latency when all connections are active", _ALL_ACTIVE, "p99 service time",
        "Every connection always has a request in the queue, so the time in the queue grows with the number of "
        "connections for every server. The broken line has slope 1: proportional to N. The servers differ by the "
        "distance between the curves.",
        measure="service_p99", further={"slope_of": "poll_srv"},
        load=_CLOSED, setsize=FD_SETSIZE,
    ),  # fmt: skip
    Curves(
        "rate_response_p50", "E3-rate", "Response time ({quantile}) at {rate} requests a second", _ALL_ACTIVE,
        "{quantile} response time",
        "All servers get the same number of requests a second, at times that are fixed beforehand. Half of the "
        "requests were answered within this time, counted from when they were due.",
        measure="response_p50", about={"quantile": "median"}, common="rate",
        load=_OPEN, setsize=FD_SETSIZE,
    ),  # fmt: skip
    Curves(
        "rate_response_p99", "E3-rate", "Response time ({quantile}) at {rate} requests a second", _ALL_ACTIVE,
        "{quantile} response time",
        "The same runs. One request in a hundred waited at least this long.",
        measure="response_p99", about={"quantile": "p99"}, common="rate",
        load=_OPEN, setsize=FD_SETSIZE,
    ),  # fmt: skip
    Merged(
        "rate_response_p999", "E3-rate", "Response time ({quantile}) at {rate} requests a second", _ALL_ACTIVE,
        "{quantile} response time",
        "The same runs. One request in a thousand waited at least this long. A single run has too few requests to "
        "say that, so the requests of all runs at a point are added up; there is no interval.",
        lacking="too few requests at every point (10,000 are needed)", columns=columns.TAIL,
        merge=percentiles.tails_of,
        load=_OPEN, setsize=FD_SETSIZE,
    ),  # fmt: skip
    Distribution(
        "percentiles", "E3-rate", "Response times: {connections} connections, {rate} requests a second",
        "percentile of the requests", "response time",
        "The whole distribution at one point of E3. Each step to the right stands for ten times fewer requests: 99% "
        "begins the slowest hundredth. Where a curve turns steeply upwards, a few requests wait very long.",
        script="percentiles", lacking="no run of E3-rate with the load generator's file",
        columns=columns.PERCENTILES, merge=percentiles.lines_of,
        load=_OPEN,
    ),  # fmt: skip
    Heat(
        "heat", "E3-rate", "Response times over one run: {connections} connections, {rate} requests a second",
        "when the request was due, seconds from the beginning of the measured time", "response time",
        "One run of each server at one point of E3. A column is a part of the run, and its colour says how many of the "
        "requests that were due then took so long. A wall is a stall: everything that was due in it waited. A "
        "histogram of the whole run cannot show when the slow requests came.",
        script="heat", lacking="no run of E3-rate with the load generator's timeline", columns=columns.HEAT,
        merge=heat.lines_of, load=_OPEN,
    ),  # fmt: skip
    Curves(
        "capacity", "E3-capacity", "Highest rate with p99 under {limit_ms} ms", _ALL_ACTIVE, "requests a second",
        "The highest rate that was found at which the p99 stays within the limit. A service could promise this rate. "
        "It lies below the throughput of a closed loop.",
        measure="capacity", common="limit", logarithmic=False, y_kind=COUNT,
        load=_OPEN, made="search", setsize=FD_SETSIZE,
    ),  # fmt: skip
    Probes(
        "rate_p99", "E3-capacity", "p99 against the offered rate, {connections} connections",
        "requests a second, offered", "p99 response time",
        "The probes of the searches for the capacity. Where a curve crosses the dotted line, the server's capacity is "
        "reached. Far above it requests pile up, and the time says how long the run was.",
        lacking="no search of E3-capacity with the load generator's files", columns=columns.PROBES,
        merge=probes.lines_of,
        load=_OPEN, made="search",
    ),  # fmt: skip
    Curves(
        "wait_cost", "E4-wait", "One wait, one descriptor ready (the {place})", "descriptors watched",
        "time of the call",
        "The system call alone, without a server. On these axes a slope of 1 (the broken line) means: twice the "
        "descriptors, twice the time. A steeper curve has left the caches. select goes beyond FD_SETSIZE here, because "
        "its bitmaps are on the heap.",
        points={"ready": "1", "place": "last"}, measure="wait", x=_sum_of("watched"), about={"place": "last"},
        ends=False, further={"slope_of": "poll_srv"},
        load=_NO_SERVER, setsize=FD_SETSIZE,
    ),  # fmt: skip
    Curves(
        "wait_cost_first", "E4-wait", "One wait, one descriptor ready (the {place})", "descriptors watched",
        "time of the call",
        "The same, but the first descriptor is ready instead of the last. Where the two curves of an API are equal, "
        "the call looks at all descriptors, whatever it finds.",
        points={"ready": "1", "place": "first"}, measure="wait", x=_sum_of("watched"), about={"place": "first"},
        ends=False,
        load=_NO_SERVER, setsize=FD_SETSIZE,
    ),  # fmt: skip
    Curves(
        "wait_sleeps", "E4-block", "A wait that finds nothing and may sleep for {block} ms", "descriptors watched",
        "time of the call",
        "With 0 ms the call returns at once. With 20 ms it sleeps: poll puts itself on the wait queue of every "
        "descriptor, looks at all of them again, and takes itself off. Of a call that sleeps only the CPU time of the "
        "thread is counted, not the time that passes.",
        points={"ready": "0"}, measure="wait", x=_sum_of("watched"), each=("block", "20"), ends=False,
        load=_NO_SERVER,
    ),  # fmt: skip
    Curves(
        "cycle_active", "E4-cycle", "Wait, scan and read, {watched} descriptors watched",
        "ready, % of the descriptors", "time of the whole cycle",
        "The program waits, finds the ready descriptors and reads from all of them. On the left few are ready, and "
        "the scan of the others is the whole cost. On the right the cost is the reading, and the APIs meet.",
        measure="cycle", x=_percent_ready, x_kind=PLAIN, each=("watched", "9000"), ends=False,
        load=_NO_SERVER,
    ),  # fmt: skip
    Same(
        "same_sockets", "E4-same", "poll: N sockets, and N duplicates of one socket", "descriptors watched",
        "time of a call for each descriptor, ns",
        "The instructions for a descriptor are the same in both lines, and nothing is ready. A duplicate is one more "
        "number for the same socket, so its memory stays in the caches. The rise of the upper line is what the caches "
        "cost.",
    ),  # fmt: skip
    Bars(
        "calls", "E5", "System calls a message", "system calls of the server a message", "",
        "Exact counts, not times. The darker part is the waits for readiness. The number after × is the number of "
        "connections: with more of them one wait serves several messages. The servers of this project are above. "
        "Below (grey) are the ways in which epoll can be used, each in the smallest program that does it.",
        first="waits", second="calls", parts=("waits for readiness", "reads, writes, changes of interest"),
        height=640,
        load="One request of 64 bytes under way on each connection.",
    ),  # fmt: skip
    EachRun(
        "batching", "E6", "Events a wake-up, {idle} idle connections beside", "active connections",
        "events a wake-up",
        "How many events one wait returns. The more connections are active, the more of them are ready at once.",
        measure="events", x=_sum_of("active"), common="idle", y_kind=COUNT,
        load=_CLOSED,
    ),  # fmt: skip
    Curves(
        "event_cost", "E6", "CPU time an event, {idle} idle connections beside", "active connections",
        "CPU time of the server an event",
        "The same runs: the server's CPU time for one event. Many events in one wait share the cost of the scan, so "
        "poll's curve falls where epoll's is flat.",
        measure="event_cpu", x=_sum_of("active"), common="idle",
        load=_CLOSED,
    ),  # fmt: skip
    Curves(
        "chain", "E7", "Chain of pairs: {active} active, {writes} writes", "pairs", "time of the chain",
        "Each pair that becomes readable writes to the next, as in libevent's bench.c. The next figure shows "
        "the published times beside them.",
        measure="chain", x=_sum_of("pairs"), each=("active", "1"), common="writes", ends=False,
        load="No server: one byte is handed on from pair to pair.", setsize=FD_SETSIZE / 2,
    ),  # fmt: skip
    Published(
        "chain_published", "E7", "The same chain as others have measured it: {active} active, {writes} writes", "pairs",
        "time of the chain",
        "The published times are those of whole libraries, on a faster processor. Compare the shapes, not the heights: "
        "where a curve leaves the flat part, and how steep it then is.",
        measure="chain", x=_sum_of("pairs"), each=("active", "1"), common="writes", ends=False,
        load="No server: one byte is handed on from pair to pair.", setsize=FD_SETSIZE / 2,
    ),  # fmt: skip
    MemoryBars(
        "memory_idle", "E8", "Memory for a connection that is idle", "KiB a connection", "",
        "Memory for one open connection that does nothing. The darker part is the memory of the server's process. "
        "The lighter part is the kernel's memory for both ends of the connection, because client and server share "
        "this machine.",
        points={"state": "idle"}, first="server_bytes", second="kernel_bytes", stacked=True, parts=_MEMORY,
        unit=1024.0,
        load="Each connection has exchanged one frame of 64 bytes and is silent.",
    ),  # fmt: skip
    MemoryBars(
        "memory_inflight", "E8", "Memory for a connection with data under way", "KiB a connection", "",
        "The same while every connection has data under way, so that there are buffers.",
        points={"state": "inflight"}, first="server_bytes", second="kernel_bytes", stacked=True, parts=_MEMORY,
        unit=1024.0,
        load="Each connection has four requests of 1 KiB under way.",
    ),  # fmt: skip
    Curves(
        "churn", "E9", "Connections made, served once and ended", "connections at the same time",
        "connections a second",
        "Each connection is made, carries one message and ends. The cost is accepting, adding and removing, and the "
        "kernel's own work for a connection, which is the same for all servers.",
        measure="connects", logarithmic=False, y_kind=COUNT,
        load="Closed loop: one message of 64 bytes on each connection, which is then reset.", setsize=FD_SETSIZE,
    ),  # fmt: skip
    Curves(
        "payload_cpu", "E10", "CPU time a message by its size, {connections} connections", "payload, bytes",
        "CPU time of the server a message",
        "The left part is flat: a small message costs its system calls. The right part grows with the bytes that are "
        "copied. A curve that leaves the others is a cost that has nothing to do with the API.",
        measure="server_cpu", x=_sum_of("payload"), common="connections", ends=False,
        load="Closed loop: one request under way on each connection.",
    ),  # fmt: skip
    Curves(
        "high_numbers", "E11", "One wait for {watched} descriptors, by their numbers", "number of the first descriptor",
        "time of the call",
        "Always as many descriptors, and one of them is ready. select's set is a row of bits, and the kernel looks at "
        "all of them up to the highest number. The others name their descriptors, so the number costs nothing.",
        measure="wait", x=_sum_of("from"), common="watched", logarithmic=False, ends=False,
        load=_NO_SERVER, setsize=FD_SETSIZE,
    ),  # fmt: skip
    Bars(
        "herd", "E12", "Workers that wake up for one connection", "wake-ups a connection", "",
        "Counted, not timed. Connections come one at a time, and the number after × is how many workers wait for them. "
        "The darker part is the wake-ups in which epoll_wait returned an event. In the lighter part a worker woke up "
        "inside the call, found that another had taken the connection, and slept again: the program never sees it.",
        first="waits", second="switches", parts=("epoll_wait returns", "woken up for nothing"), height=700,
    ),  # fmt: skip
    Bars(
        "herd_share", "E12", "Connections that the busiest worker gets", "% of the connections", "",
        "The same runs: all workers are idle when a connection comes. An even share of n workers is 100 / n per cent.",
        first="most_share", second="most_share", parts=("the busiest worker", ""), unit=0.01, height=700,
    ),  # fmt: skip
    Bars(
        "herd_busy", "E12-load", "Connections that wait although a worker is idle", "% of the connections", "",
        "Four connections are open at a time, and each keeps its worker busy until it ends. SO_REUSEPORT chooses a "
        "listener by a hash, also one whose worker is busy. The other ways leave the choice to the idle workers.",
        first="waited", second="waited", parts=("connections that wait", ""), unit=0.01,
    ),  # fmt: skip
    Bars(
        "two_writes", "E13", "Messages that take 20 ms or longer", "% of the messages", "",
        "Each message is a header and a payload, and the sender waits for its answer. Nagle's algorithm holds the "
        "payload until the header is acknowledged, and the receiver puts the acknowledgement off.",
        first="delay", second="delay", parts=("late messages", ""), unit=0.01,
    ),  # fmt: skip
    Bars(
        "two_writes_segments", "E13", "Segments for a message of header and payload", "segments a message", "",
        "The same runs. TCP_NODELAY ends the delay and not the second segment. A single call for both pieces ends the "
        "delay and the second segment.",
        first="segments", second="segments", parts=("segments with data", ""),
    ),  # fmt: skip
    Bars(
        "copies", "E14-copy", "Copies of each byte that is passed on", "copies a byte", "",
        "Bytes go from one connection over loopback to another. recv and send copy what they return. splice passes "
        "pages on: the sink saw what the source wrote into its page afterwards. With MSG_ZEROCOPY the kernel "
        "reports that it copied.",
        first="copied", second="copied", parts=("copies of the relay", ""),
    ),  # fmt: skip
    Bars(
        "relay_calls", "E14-copy", "System calls for a MiB that is passed on", "calls a MiB", "",
        "The same runs. The number is how many bytes the source sends at a time. splice goes through a pipe with 16 "
        "slots, and small pieces fill the slots long before the pipe holds 64 KiB.",
        first="calls_mib", second="calls_mib", parts=("calls of the relay", ""),
    ),  # fmt: skip
    Bars(
        "frame_calls", "E14-frames", "System calls for a small frame", "calls a frame", "",
        "Batches of 16 frames of 68 bytes, with TCP_NODELAY. Only what sends is counted.",
        first="calls", second="calls", parts=("calls to send", ""),
    ),  # fmt: skip
    Bars(
        "frame_segments", "E14-frames", "Segments for a small frame", "segments a frame", "",
        "The same runs. Every segment costs a way through the kernel and a header of 40 bytes or more.",
        first="segments", second="segments", parts=("segments with data", ""),
    ),  # fmt: skip
    Curves(
        "uring_calls", "E17-calls", "System calls a message, by the messages that are ready at once",
        "messages ready at once, one a connection", "system calls of the server a message",
        "Counted, not timed. The server is stopped while the messages come. epoll_et shares a wait among all that are "
        "ready, and makes a receive and a send for each. io_uring shares one call among all three.",
        measure="calls", y_kind=PLAIN, ends=False,
    ),  # fmt: skip
    Bars(
        "uring_cpu", "E17", "CPU time of the server a message, epoll and io_uring", "µs of CPU time a message", "",
        "The number after × is how many connections are busy; messages have 64 bytes if no size is given. Most of a "
        "message is the way through TCP, and the ring has its own bookkeeping. The verdict is that of the pairs' "
        "ratios.",
        first="server_cpu", second="server_cpu", parts=("CPU time", ""), height=560,
        load="Closed loop: one request under way on each busy connection.",
    ),  # fmt: skip
    Bars(
        "loops_herd", "E18", "Sleeps that end for one peer, by --listen", "sleeps a peer", "",
        "Counted, not timed: voluntary context switches of all threads of epoll_loops. With 16 loops the peers come "
        "one at a time, while all loops sleep; with 4 loops 2,000 come as fast as a client connects. The darker part "
        "is waits that returned. In the lighter part a thread woke up inside the call, and slept again.",
        first="waits", second="switches", parts=("the wait returns", "woken up for nothing"), height=700,
    ),  # fmt: skip
    Bars(
        "loops_share", "E18", "Peers that the loop with most of them gets", "% of the peers", "",
        "The same runs. An even share of n loops is 100 / n per cent.",
        first="most_share", second="most_share", parts=("the loop with most", ""), unit=0.01, height=700,
    ),  # fmt: skip
    Work(
        "work", "E19", "Messages a second by the work on each: one loop, or threads", "work on a message, µs",
        "messages a second",
        "Without work the threads only cost: a wake-up, and a call to arm the descriptor again. Where a curve crosses "
        "that of one loop, the second core pays for that. The client has its share of the same cores.",
        load="Closed loop: one request of 64 bytes under way on each of 16 connections.",
    ),  # fmt: skip
    Bars(
        "tls_calls", "E20-calls", "System calls a message, without and with TLS", "calls a message", "",
        "Counted, not timed: all messages are there before the server looks. epoll_lt and tls have the same loop. A "
        "frame of 16 KiB with its header is two records, each of which is sent by a call of its own.",
        first="calls", second="calls", parts=("system calls", ""),
    ),  # fmt: skip
    Bars(
        "tls_cpu", "E20", "CPU time of the server a message, without and with TLS", "µs of CPU time a message", "",
        "With small messages a record costs more than its bytes; with large ones the bytes cost.",
        first="server_cpu", second="server_cpu", parts=("CPU time", ""),
        load="Closed loop: one request under way on each connection.",
    ),  # fmt: skip
    Bars(
        "tls_memory", "E20-memory", "Memory of the process for an idle connection", "KiB", "",
        "Each connection has exchanged one frame of 64 bytes. OpenSSL gives its buffers back; the session stays.",
        first="server_bytes", second="server_bytes", parts=("the server's process", ""), unit=1024,
    ),  # fmt: skip
    Bars(
        "tls_handshakes", "E20-handshakes", "CPU time of the server for a new connection with one message", "µs", "",
        "Each connection is made, carries one message and is replaced. A handshake signs once with a key for P-256.",
        first="server_cpu", second="server_cpu", parts=("CPU time", ""),
    ),  # fmt: skip
    Bars(
        "restarts", "E21", "Connections that a restart loses", "connections a restart", "",
        "Counted, not timed: eight peers connect, send a message, wait for its echo, and come again, while epoll_lt is "
        "restarted a hundred times. A peer that is refused, reset or left without its echo is lost.",
        first="lost", second="lost", parts=("lost connections", ""),
    ),  # fmt: skip
    Curves(
        "count_wait", "E16", "Instructions of one wait, one descriptor ready", "descriptors watched",
        "instructions of the call",
        "Counted in a guest, in kernel and program: no cache and no neighbour takes part. poll and select rise in "
        "proportion to N, epoll does not rise at all.",
        points={"what": "wait", "ready": "1"}, measure="instructions", x=_sum_of("watched"), ends=False, y_kind=COUNT,
        made="count", setsize=FD_SETSIZE, load=_COUNTED,
    ),  # fmt: skip
    Curves(
        "count_cycle", "E16", "Instructions of wait, scan and read, {watched} descriptors watched",
        "ready, % of the descriptors", "instructions of the whole cycle",
        "The same for a whole cycle. On the right all are ready: the reading is nearly all of the cost, and the APIs "
        "meet.",
        points={"what": "cycle"}, measure="instructions", x=_percent_ready, x_kind=PLAIN,
        y_kind=COUNT, each=("watched", "9000"), ends=False, made="count", load=_COUNTED,
    ),  # fmt: skip
    Model(
        "model", "E16", "The fitted model against what was counted", "instructions counted",
        "a + b · watched + c · ready, instructions",
        "The formula of every course: T = a + b · watched + c · ready, for the whole cycle. On the dotted line the "
        "prediction equals what was counted.",
        made="count", load=_COUNTED,
    ),  # fmt: skip
    OneProcess(
        "million", "E15", "One wait, one ready, up to a million watched ({kind})", "descriptors watched",
        "time of the call",
        "With epoll the descriptors belong to many processes that share one epoll, so no limit of a process ends the "
        "curve. select ends at FD_SETSIZE. poll ends at the number of descriptors that one process may have, and its "
        "last point lies below that. Both axes are logarithmic.",
        measure="wait", x=_sum_of("watched"), each=("kind", "eventfd"),
    ),  # fmt: skip
)
