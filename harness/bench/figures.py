"""Which figures there are, what each is drawn from and how it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench import columns
from bench.columns import NAMES, Place, Table, number, values, where
from bench.rows import Row

MAIN_WATCHED = "9000"  # of E4-cycle: large, and with the most fractions


@dataclass(frozen=True)
class Figure:
    name: str  # of its files
    script: str  # plots/<script>.gp
    experiment: str
    reading: str  # how to read it
    table: Table
    headline: bool = False


def all_figures(rows: Sequence[Row]) -> list[Figure]:
    """In the order in which they are shown; those without data have a table without lines."""
    of: dict[str, list[Row]] = {}
    for row in rows:
        of.setdefault(row.experiment, []).append(row)
    return [
        *_idle(of.get("E2", [])),
        *_scaling(of.get("E1", [])),
        *_rate(of.get("E3-rate", [])),
        _capacity(of.get("E3-capacity", [])),
        *_wait(of.get("E4-wait", [])),
        *_cycle(of.get("E4-cycle", [])),
        _calls(of.get("E5", [])),
        *_batching(of.get("E6", [])),
        *_chain(of.get("E7", [])),
        *_memory(of.get("E8", [])),
        _churn(of.get("E9", [])),
    ]


def _variants(rows: Sequence[Row], factor: str, main: str = "") -> Iterator[tuple[str, str, list[Row]]]:
    """One figure for each value of a factor: (what its name ends with, value, rows). The main one has no
    ending; it is there also without rows, so that the figure is known to be missing."""
    found = values(rows, factor)
    if main in found:
        found.remove(main)
        found.insert(0, main)
    for place, value in enumerate(found or [""]):
        yield ("" if place == 0 else f"_{value}"), value, where(rows, **{factor: value})


def _idle(rows: Sequence[Row]) -> Iterator[Figure]:
    def descriptors(place: Place) -> float:
        return number(place, "idle", "E2") + number(place, "active", "E2")

    def table(part: Sequence[Row], measure: str, active: str) -> Table:
        return columns.curve(part, measure, descriptors, active=active)

    for ending, active, part in _variants(rows, "active", "8"):
        yield Figure(
            f"idle_throughput{ending}",
            "idle_throughput",
            "E2",
            "Only a few connections ask for anything; the others are open and silent. A flat curve means that "
            "waiting costs nothing for those; a falling one that the server pays for every open descriptor at "
            "each wait.",
            table(part, "throughput", active),
            headline=not ending,
        )
        yield Figure(
            f"idle_p99{ending}",
            "idle_p99",
            "E2",
            "The same runs: one request in a hundred took at least so long from sending to reply. Both axes are "
            "logarithmic: a straight line upwards is growth by a power of the number of descriptors.",
            table(part, "service_p99", active),
            headline=not ending,
        )
        yield Figure(
            f"idle_cpu{ending}",
            "idle_cpu",
            "E2",
            "What the server's process used of its CPU for one message. This is where the cost of a wait shows "
            "even when the client or the network is the slower side.",
            table(part, "server_cpu", active),
        )


def _scaling(rows: Sequence[Row]) -> Iterator[Figure]:
    def connections(place: Place) -> float:
        return number(place, "connections", "E1")

    yield Figure(
        "scaling_throughput",
        "scaling_throughput",
        "E1",
        "Every connection keeps one request under way. A wait then returns many ready descriptors, which share "
        "its cost, so that the APIs lie much closer together than with idle connections.",
        columns.curve(rows, "throughput", connections),
    )
    yield Figure(
        "scaling_p99",
        "scaling_p99",
        "E1",
        "With one request a connection always under way, time in the queue grows with their number for every "
        "server; what tells them apart is the distance between the curves.",
        columns.curve(rows, "service_p99", connections),
    )


def _rate(rows: Sequence[Row]) -> Iterator[Figure]:
    rate = next(iter(values(rows, "rate")), "")
    part = where(rows, rate=rate)
    readings = {
        "p50": "All servers are asked for the same number of requests a second, at times fixed beforehand. Half of "
        "the requests were answered within this time, counted from when they were due.",
        "p99": "The same runs: one request in a hundred waited at least so long.",
    }
    for quantile, reading in readings.items():
        yield Figure(
            f"rate_response_{quantile}",
            "rate_response",
            "E3-rate",
            reading,
            columns.curve(
                part,
                f"response_{quantile}",
                lambda place: number(place, "connections", "E3-rate"),
                quantile={"p50": "median", "p99": "p99"}[quantile],
                rate=rate,
            ),
        )


def _capacity(rows: Sequence[Row]) -> Figure:
    limit = next(iter(values(rows, "limit")), "")
    return Figure(
        "capacity",
        "capacity",
        "E3-capacity",
        "The highest rate that was found at which one request in a hundred still stays within the limit. It is "
        "what a service could promise, and lies below the throughput of a closed loop.",
        columns.curve(
            where(rows, limit=limit),
            "capacity",
            lambda place: number(place, "connections", "E3-capacity"),
            limit=limit,
        ),
    )


def _wait(rows: Sequence[Row]) -> Iterator[Figure]:
    one = where(rows, ready="1")

    def table(place: str) -> Table:
        part = where(one, place=place)
        return columns.curve(part, "wait", lambda point: number(point, "watched", "E4-wait"), ends=False, place=place)

    yield Figure(
        "wait_cost",
        "wait_cost",
        "E4-wait",
        "The system call alone, without a server. On these axes a slope of 1 means: twice the descriptors, twice "
        "the time. select goes beyond FD_SETSIZE here, with bitmaps of its own on the heap.",
        table("last"),
    )
    yield Figure(
        "wait_cost_first",
        "wait_cost",
        "E4-wait",
        "The same with the first descriptor ready instead of the last. Where the curves are the same, the call looks "
        "at all descriptors whatever it finds.",
        table("first"),
    )


def _cycle(rows: Sequence[Row]) -> Iterator[Figure]:
    for ending, watched, part in _variants(rows, "watched", MAIN_WATCHED):
        yield Figure(
            f"cycle_active{ending}",
            "cycle_active",
            "E4-cycle",
            "Waiting, finding the ready descriptors and reading from all of them. To the left few are ready and the "
            "scan of the others is all the cost; to the right the reading is, and the APIs meet.",
            columns.curve(
                part,
                "cycle",
                lambda place: 100 * number(place, "ready", "E4-cycle") / number(place, "watched", "E4-cycle"),
                ends=False,
                watched=watched,
            ),
        )


def _calls(rows: Sequence[Row]) -> Figure:
    def label(server: str, place: Place) -> str:
        return f"{NAMES[server]} × {place.get('connections', '?')}"

    return Figure(
        "calls",
        "calls",
        "E5",
        "Exact counts, not times. The darker part are waits for readiness. The number after × is that of "
        "connections: with more of them one wait serves several messages. Above the servers of this project, "
        "below the ways in which epoll can be used, each in the smallest program that does it (grey).",
        columns.bars(rows, "waits", "calls", False, label),
    )


def _batching(rows: Sequence[Row]) -> Iterator[Figure]:
    idle = next(iter(values(rows, "idle")), "")
    part = where(rows, idle=idle)

    def active(place: Place) -> float:
        return number(place, "active", "E6")

    yield Figure(
        "batching",
        "batching",
        "E6",
        "How many events one wait brings. The more connections are busy, the more of them are ready at once.",
        columns.curve(part, "events", active, idle=idle),
    )
    yield Figure(
        "event_cost",
        "event_cost",
        "E6",
        "The same runs: the server's CPU time for one event. A large batch shares the cost of the scan, so that "
        "poll falls where epoll is flat.",
        columns.curve(part, "event_cpu", active, idle=idle),
    )


def _chain(rows: Sequence[Row]) -> Iterator[Figure]:
    for ending, active, part in _variants(rows, "active", "1"):
        writes = next(iter(values(part, "writes")), "")
        yield Figure(
            f"chain{ending}",
            "chain",
            "E7",
            "Each pair that becomes readable writes to the next, as in libevent's bench.c; the times can be laid "
            "beside the published ones.",
            columns.curve(
                where(part, writes=writes),
                "chain",
                lambda place: number(place, "pairs", "E7"),
                ends=False,
                active=active,
                writes=writes,
            ),
        )


def _memory(rows: Sequence[Row]) -> Iterator[Figure]:
    def label(server: str, place: Place) -> str:
        return f"{NAMES[server]} × {place.get('connections', '?')}"

    readings = {
        "idle": "Memory for one open connection that does nothing. The darker part is the server's process, the "
        "lighter one the kernel's: both ends of the connection, since client and server share this machine.",
        "inflight": "The same with data under way on every connection: now there are buffers.",
    }
    for state, reading in readings.items():
        part = where(rows, state=state)
        table = columns.bars(part, "server_bytes", "kernel_bytes", True, label)
        yield Figure(f"memory_{state}", f"memory_{state}", "E8", reading, table)


def _churn(rows: Sequence[Row]) -> Figure:
    return Figure(
        "churn",
        "churn",
        "E9",
        "Each connection is made, carries one message and ends. What counts is accept, adding and removing, and "
        "the kernel's own work for a connection, which is the same for all.",
        columns.curve(rows, "connects", lambda place: number(place, "connections", "E9")),
    )
