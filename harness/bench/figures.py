"""The table of figures: what each one is drawn from, what stands on its axes, how to read it.

One gnuplot script draws each kind of figure (plots/README.md). Everything that differs between two figures of a kind
is in FIGURES, in the order in which the report shows them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import columns, model, percentiles
from bench.columns import Line, Table, values, where
from bench.results import BadResults, Results
from bench.rows import Row
from bench.statistics import value_of

COUNTS, TIMES = "%.0s%c", "%.10g"  # numbers on an axis: 10k for 10000, and 10000 as it is


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

    def figures(self, results: Results, folder: Path) -> Iterator[Figure]:
        """One figure, or several that share this entry. `folder` holds the columns that an earlier call wrote."""
        yield Figure(self.name, self, self.table(self.rows(results)), self.headline)

    def rows(self, results: Results) -> list[Row]:
        return where([row for row in results.rows() if row.experiment == self.experiment], **self.points)

    def table(self, rows: Sequence[Row]) -> Table:
        raise NotImplementedError

    def options(self) -> dict[str, object]:
        """Variables of the script, besides the texts."""
        return {}

    def notes(self, table: Table) -> list[str]:
        """What the caption must say about this kind."""
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
        return {name: text.format_map(held) for name, text in texts.items()} | self.kind.options()


@dataclass(frozen=True)
class Curves(Kind):
    """One curve a server."""

    script: str = "curves"
    measure: str = ""  # the column of the rows
    x: Callable[[str], float] = lambda point: value_of(point, "connections")  # of a point
    x_format: str = COUNTS
    logarithmic: bool = True  # the y axis; one that is not begins at zero
    each: tuple[str, str] = ("", "")  # a factor: each of its values has a figure, the one named here is the main one
    common: str = ""  # a factor: only its value with the most points is drawn
    about: dict[str, str] = field(default_factory=dict)  # further columns
    ends: bool = True  # select's curve ends at FD_SETSIZE

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

    def options(self) -> dict[str, object]:
        y_format = TIMES if self.logarithmic else COUNTS
        return {"x_format": self.x_format, "y_format": y_format, "logarithmic": int(self.logarithmic)}


@dataclass(frozen=True)
class OneProcess(Curves):
    """poll and select watch descriptors of their own process only, and that ends their curves."""

    def notes(self, table: Table) -> list[str]:
        return ["poll ends below the descriptor limit of one process. epoll's descriptors belong to many processes."]


@dataclass(frozen=True)
class Bars(Kind):
    """One bar a server and point, in two parts."""

    script: str = "bars"
    first: str = ""  # columns of the rows
    second: str = ""
    stacked: bool = False  # the second figure comes on top of the first; if not, the first is a part of it
    parts: tuple[str, str] = ("", "")  # their names
    unit: float = 1.0  # the figures are divided by it
    height: int = 520

    def table(self, rows: Sequence[Row]) -> Table:
        return columns.bars(rows, self.first, self.second, self.stacked)

    def options(self) -> dict[str, object]:
        first, second = self.parts
        return {"first_part": first, "second_part": second, "unit": self.unit, "height": self.height}


@dataclass(frozen=True)
class MemoryBars(Bars):
    """The caption says in which way the kernel's memory was found."""

    def table(self, rows: Sequence[Row]) -> Table:
        found = super().table(rows)
        ways = {int(row.objects is not None) for row in rows if row.kernel_bytes is not None}
        for line in found.lines:
            line["counted"] = int(ways == {1})
        return Table(found.columns + ("counted",), found.lines, found.summaries)

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
        return ["Each mark is one point of E4, the median of its runs."]


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
        notes = [f"Histograms of {from_to({int(str(line['runs'])) for line in table.lines})} runs added up."]
        if any(str(line.get("valid", 1)) in ("0", "False") for line in table.lines):
            notes.append("Hollow: no VALID run at this point.")
        return notes


def from_to(numbers: set[int]) -> str:
    least, most = min(numbers), max(numbers)
    return str(least) if least == most else f"{least} to {most}"


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
_MEMORY = ("the process of the server", "the kernel: both ends, all buffers")

FIGURES: tuple[Kind, ...] = (
    Curves(
        "idle_throughput", "E2", "Throughput with {active} active connections among N idle ones", _AMONG_IDLE,
        "replies a second",
        "Only a few connections send requests; the others are open and silent. A flat curve means that a wait costs "
        "nothing for the silent ones. A falling curve means that the server pays for every open descriptor at each "
        "wait.",
        measure="throughput", x=_IDLE_AND_ACTIVE, each=("active", "8"), logarithmic=False, headline=True,
    ),  # fmt: skip
    Curves(
        "idle_p99", "E2", "p99 latency with {active} active connections among N idle ones", _AMONG_IDLE,
        "p99 service time, µs",
        "The same runs. One request in a hundred took at least this long from sending to reply. Both axes are "
        "logarithmic: a straight line upwards is growth by a power of the number of descriptors.",
        measure="service_p99", x=_IDLE_AND_ACTIVE, each=("active", "8"), headline=True,
    ),  # fmt: skip
    Curves(
        "idle_cpu", "E2", "CPU time a message with {active} active connections among N idle ones", _AMONG_IDLE,
        "CPU time of the server a message, µs",
        "The CPU time that the server's process used for one message. It shows what a wait costs even where the "
        "client or the network is slower than the server.",
        measure="server_cpu", x=_IDLE_AND_ACTIVE, each=("active", "8"),
    ),  # fmt: skip
    Curves(
        "scaling_throughput", "E1", "Throughput when all connections are active", _ALL_ACTIVE, "replies a second",
        "Every connection has one request under way. A wait then returns many ready descriptors, which share its "
        "cost. So the APIs lie much closer together than with idle connections.",
        measure="throughput", logarithmic=False,
    ),  # fmt: skip
    Curves(
        "scaling_p99", "E1", "p99 latency when all connections are active", _ALL_ACTIVE, "p99 service time, µs",
        "Every connection always has a request in the queue, so the time in the queue grows with the number of "
        "connections for every server. The servers differ by the distance between the curves.",
        measure="service_p99",
    ),  # fmt: skip
    Curves(
        "rate_response_p50", "E3-rate", "Response time ({quantile}) at {rate} requests a second", _ALL_ACTIVE,
        "{quantile} response time, µs",
        "All servers get the same number of requests a second, at times that are fixed beforehand. Half of the "
        "requests were answered within this time, counted from when they were due.",
        measure="response_p50", about={"quantile": "median"}, common="rate",
    ),  # fmt: skip
    Curves(
        "rate_response_p99", "E3-rate", "Response time ({quantile}) at {rate} requests a second", _ALL_ACTIVE,
        "{quantile} response time, µs",
        "The same runs. One request in a hundred waited at least this long.",
        measure="response_p99", about={"quantile": "p99"}, common="rate",
    ),  # fmt: skip
    Merged(
        "rate_response_p999", "E3-rate", "Response time ({quantile}) at {rate} requests a second", _ALL_ACTIVE,
        "{quantile} response time, µs",
        "The same runs. One request in a thousand waited at least this long. A single run has too few requests to "
        "say that, so the requests of all runs at a point are added up; there is no interval.",
        lacking="too few requests at every point (10,000 are needed)", columns=columns.TAIL,
        merge=percentiles.tails_of,
    ),  # fmt: skip
    Merged(
        "percentiles", "E3-rate", "Response times: {connections} connections, {rate} requests a second",
        "percentile of the requests", "response time, µs",
        "The whole distribution at one point of E3. Each step to the right stands for ten times fewer requests: 99% "
        "begins the slowest hundredth. Where a curve turns steeply upwards, a few requests wait very long.",
        script="percentiles", lacking="no VALID run of E3-rate with the load generator's file",
        columns=columns.PERCENTILES, merge=percentiles.lines_of,
    ),  # fmt: skip
    Curves(
        "capacity", "E3-capacity", "Highest rate with p99 under {limit_ms} ms", _ALL_ACTIVE, "requests a second",
        "The highest rate that was found at which the p99 stays within the limit. A service could promise this rate. "
        "It lies below the throughput of a closed loop.",
        measure="capacity", common="limit", logarithmic=False,
    ),  # fmt: skip
    Curves(
        "wait_cost", "E4-wait", "One wait, one descriptor ready (the {place})", "descriptors watched",
        "time of the call, µs",
        "The system call alone, without a server. On these axes a slope of 1 means: twice the descriptors, twice the "
        "time. select goes beyond FD_SETSIZE here, because its bitmaps are on the heap.",
        points={"ready": "1", "place": "last"}, measure="wait", x=_sum_of("watched"), about={"place": "last"},
        ends=False,
    ),  # fmt: skip
    Curves(
        "wait_cost_first", "E4-wait", "One wait, one descriptor ready (the {place})", "descriptors watched",
        "time of the call, µs",
        "The same, but the first descriptor is ready instead of the last. Where the two curves of an API are equal, "
        "the call looks at all descriptors, whatever it finds.",
        points={"ready": "1", "place": "first"}, measure="wait", x=_sum_of("watched"), about={"place": "first"},
        ends=False,
    ),  # fmt: skip
    Curves(
        "cycle_active", "E4-cycle", "Wait, scan and read, {watched} descriptors watched",
        "ready, % of the descriptors", "time of the whole cycle, µs",
        "The program waits, finds the ready descriptors and reads from all of them. On the left few are ready, and "
        "the scan of the others is the whole cost. On the right the cost is the reading, and the APIs meet.",
        measure="cycle", x=_percent_ready, x_format=TIMES, each=("watched", "9000"), ends=False,
    ),  # fmt: skip
    Model(
        "model", "E4-cycle", "The fitted model against what was measured", "measured, µs",
        "a + b · watched + c · ready, µs",
        "The formula of every course: T = a + b · watched + c · ready. On the dotted line the prediction equals what "
        "was measured; above the line it is too high.",
    ),  # fmt: skip
    Bars(
        "calls", "E5", "System calls a message", "system calls of the server a message", "",
        "Exact counts, not times. The darker part is the waits for readiness. The number after × is the number of "
        "connections: with more of them one wait serves several messages. The servers of this project are above. "
        "Below (grey) are the ways in which epoll can be used, each in the smallest program that does it.",
        first="waits", second="calls", parts=("waits for readiness", "reads, writes, changes of interest"),
        height=700,
    ),  # fmt: skip
    Curves(
        "batching", "E6", "Events a wake-up, {idle} idle connections beside", "active connections",
        "events a wake-up",
        "How many events one wait returns. The more connections are active, the more of them are ready at once.",
        measure="events", x=_sum_of("active"), common="idle",
    ),  # fmt: skip
    Curves(
        "event_cost", "E6", "CPU time an event, {idle} idle connections beside", "active connections",
        "CPU time of the server an event, µs",
        "The same runs: the server's CPU time for one event. Many events in one wait share the cost of the scan, so "
        "poll's curve falls where epoll's is flat.",
        measure="event_cpu", x=_sum_of("active"), common="idle",
    ),  # fmt: skip
    Curves(
        "chain", "E7", "Chain of pairs: {active} active, {writes} writes", "pairs", "time of the chain, µs",
        "Each pair that becomes readable writes to the next, as in libevent's bench.c. The times can be compared "
        "with the published ones.",
        measure="chain", x=_sum_of("pairs"), each=("active", "1"), common="writes", ends=False,
    ),  # fmt: skip
    MemoryBars(
        "memory_idle", "E8", "Memory for a connection that is idle", "KiB a connection", "",
        "Memory for one open connection that does nothing. The darker part is the memory of the server's process. "
        "The lighter part is the kernel's memory for both ends of the connection, because client and server share "
        "this machine.",
        points={"state": "idle"}, first="server_bytes", second="kernel_bytes", stacked=True, parts=_MEMORY,
        unit=1024.0,
    ),  # fmt: skip
    MemoryBars(
        "memory_inflight", "E8", "Memory for a connection with data under way", "KiB a connection", "",
        "The same while every connection has data under way, so that there are buffers.",
        points={"state": "inflight"}, first="server_bytes", second="kernel_bytes", stacked=True, parts=_MEMORY,
        unit=1024.0,
    ),  # fmt: skip
    Curves(
        "churn", "E9", "Connections made, served once and ended", "connections at the same time",
        "connections a second",
        "Each connection is made, carries one message and ends. The cost is accepting, adding and removing, and the "
        "kernel's own work for a connection, which is the same for all servers.",
        measure="connects", logarithmic=False,
    ),  # fmt: skip
    Curves(
        "payload_cpu", "E10", "CPU time a message by its size, {connections} connections", "payload, bytes",
        "CPU time of the server a message, µs",
        "The left part is flat: a small message costs its system calls. The right part grows with the bytes that are "
        "copied. A curve that leaves the others is a cost that has nothing to do with the API.",
        measure="server_cpu", x=_sum_of("payload"), common="connections", ends=False,
    ),  # fmt: skip
    Curves(
        "high_numbers", "E11", "One wait for {watched} descriptors, by their numbers", "number of the first descriptor",
        "time of the call, µs",
        "Always as many descriptors, and one of them is ready. select's set is a row of bits, and the kernel looks at "
        "all of them up to the highest number. The others name their descriptors, so the number costs nothing.",
        measure="wait", x=_sum_of("from"), common="watched", logarithmic=False, ends=False,
    ),  # fmt: skip
    OneProcess(
        "million", "E15", "One wait, one ready, up to a million watched ({kind})", "descriptors watched",
        "time of the call, µs",
        "With epoll the descriptors belong to many processes that share one epoll, so no limit of a process ends the "
        "curve. select ends at FD_SETSIZE. poll ends at the number of descriptors that one process may have, and its "
        "last point lies below that. Both axes are logarithmic.",
        measure="wait", x=_sum_of("watched"), each=("kind", "eventfd"),
    ),  # fmt: skip
)
