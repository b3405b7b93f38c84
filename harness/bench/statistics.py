"""Summaries of a few runs. Each run is one sample; the summary is their median, with an interval that assumes nothing
about the distribution."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional

from bench import rows as table
from bench.results import BadResults
from bench.rows import Row

CONFIDENCE = 0.95
# If the client was the limit (CLIENT_BOUND), the server's own figure is at least, or at most, the measured one.
AT_LEAST = ("throughput", "capacity", "connects")
AT_MOST = ("event_cpu", "response_p50", "response_p99", "response_p999")  # a late client adds to a response
# How the reasons begin that make a client the limit. Another reason may take precedence in the verdict.
OF_THE_CLIENT = ("busy:", "batches:", "lag:", "ceiling:", "little:")
# Figures that are counted. The clock has no part in them, but for `delay`: an answer is late from 20 ms on, where the
# kernel delays for 40 ms and a prompt answer takes microseconds.
COUNTS = (
    "calls", "waits", "scanned", "faults", "server_bytes", "instructions", "switches", "would_block", "most_share",
    "waited", "segments", "delay", "copied", "calls_mib", "objects", "lost", "ring_bytes",
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """The column that an experiment is about."""

    column: str
    more_is_better: bool
    unit: str


MAIN_FIGURE: dict[str, Figure] = {
    "E1": Figure("throughput", True, "replies/s"),
    "E2": Figure("throughput", True, "replies/s"),
    "E2-cost": Figure("server_cpu", False, "us/message"),
    "E3-rate": Figure("response_p99", False, "us"),
    "E3-capacity": Figure("capacity", True, "requests/s"),
    "E4-wait": Figure("wait", False, "us"),
    "E4-cycle": Figure("cycle", False, "us"),
    "E5": Figure("calls", False, "calls/message"),
    "E6": Figure("event_cpu", False, "us/event"),
    "E7": Figure("chain", False, "us"),
    "E8": Figure("server_bytes", False, "bytes/connection"),
    "E9": Figure("connects", True, "connections/s"),
    "E10": Figure("server_cpu", False, "us/message"),
    "E11": Figure("wait", False, "us"),
    "E12": Figure("switches", False, "switches/connection"),
    "E12-load": Figure("most_share", False, "of the connections"),
    "E13": Figure("segments", False, "segments/message"),
    "E14-copy": Figure("calls_mib", False, "calls/MiB"),
    "E14-frames": Figure("segments", False, "segments/frame"),
    "E19": Figure("throughput", True, "messages/s"),
    "E19-calls": Figure("calls", False, "calls/message"),
    "E4-same": Figure("wait", False, "us"),
    "E4-block": Figure("wait", False, "us"),
    "E16": Figure("instructions", False, "instructions"),
    "E15": Figure("wait", False, "us"),
    "E17": Figure("server_cpu", False, "us/message"),
    "E17-calls": Figure("calls", False, "calls/message"),
    "E17-memory": Figure("server_bytes", False, "bytes/connection"),
    "E18": Figure("switches", False, "switches/connection"),
    "E20": Figure("server_cpu", False, "us/message"),
    "E20-calls": Figure("calls", False, "calls/message"),
    "E20-memory": Figure("server_bytes", False, "bytes/connection"),
    "E20-handshakes": Figure("server_cpu", False, "us/message"),
    "E21": Figure("lost", False, "connections/restart"),
}
# In E5 these stand in the place of a server. They have another load than the servers.
POLICIES = ("level", "edge_would_block", "edge_short_read", "one_shot", "add_delete")


@dataclass(frozen=True)
class Summary:
    median: float
    low: float  # of the interval of the median, or of the range
    high: float
    runs: int
    interval: bool  # True: low and high hold the true median with at least 95%; False: least and most
    bound: str = ""  # "at least" or "at most", where the client was the limit in a run
    disturbed: int = 0  # in how many of these runs the machine was disturbed


def median_ranks(runs: int) -> Optional[tuple[int, int]]:
    """The order statistics (from 1) that enclose the true median with at least 95%, or None for too few.

    How many of n runs fall below the median is binomial(n, 1/2), whatever the distribution; ranks k and
    n + 1 - k miss it with twice the probability of fewer than k (Conover, Practical Nonparametric
    Statistics, 3.2)."""
    found, below = 0, 0
    for rank in range(1, runs // 2 + 1):
        below += math.comb(runs, rank - 1)
        if 1 - 2 * below / 2**runs < CONFIDENCE:
            break
        found = rank
    return (found, runs + 1 - found) if found else None


def interval(values: Sequence[float]) -> Optional[tuple[float, float]]:
    """Of the median, with at least 95%; None for too few values."""
    ordered, ranks = sorted(values), median_ranks(len(values))
    return (ordered[ranks[0] - 1], ordered[ranks[1] - 1]) if ranks else None


def summarise(values: Sequence[float], bound: str = "", disturbed: int = 0) -> Summary:
    if not values:
        raise ValueError("no values to summarise")
    found = interval(values)
    low, high = found or (min(values), max(values))
    return Summary(statistics.median(values), low, high, len(values), found is not None, bound, disturbed)


def of_the_client(reasons: str) -> bool:
    """Whether one of these reasons, as a row has them, says that the client was the limit."""
    return any(reason.startswith(OF_THE_CLIENT) for reason in reasons.split("; "))


def bound(row: Row, column: str) -> str:
    """What a figure of a row is, if not the server's own: "at least" or "at most" this."""
    if row.verdict != "CLIENT_BOUND" and not of_the_client(row.reasons):
        return ""
    return "at least" if column in AT_LEAST else "at most" if column in AT_MOST else ""


def value_of(point: str, name: str) -> float:
    """The value of a factor of a point. Raises BadResults if it is missing or no number."""
    text = table.factors(point).get(name)
    try:
        value = float(text or "nan")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadResults(f"point {point!r}: {name} is {'missing' if text is None else repr(text)}, expected a number")
    return value


def check_hashes(rows: Iterable[Row]) -> None:
    """Raises BadResults if rows that are compared with each other had different loads."""
    asked: dict[tuple[str, str, int, bool], Row] = {}
    for row in rows:
        if not row.schedule_hash:
            continue
        other = asked.setdefault((row.experiment, row.point, row.repeat, row.server in POLICIES), row)
        if other.schedule_hash != row.schedule_hash:
            raise BadResults(
                f"{row.experiment} {row.point} repeat {row.repeat}: {other.server} was asked for load "
                f"{other.schedule_hash}, {row.server} for {row.schedule_hash}; they cannot be compared"
            )


def by_point(rows: Iterable[Row], measure: str) -> dict[tuple[str, str], Summary]:
    """For each (server, point) that has figures in the column `measure`, over its repeats. `rows` are
    those of one experiment. Every run counts, whatever came out: leaving runs out by their outcome would choose among
    the figures."""
    counted = table.final(list(rows))
    experiments = sorted({row.experiment for row in counted})
    if len(experiments) > 1:
        raise BadResults(f"rows of several experiments cannot be summarised together: {', '.join(experiments)}")
    check_hashes(counted)
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in counted:
        if getattr(row, measure) is not None:
            groups.setdefault((row.server, row.point), []).append(row)
    return {where: _of_repeats(group, measure) for where, group in groups.items()}


def _of_repeats(rows: list[Row], measure: str) -> Summary:
    bounds = {bound(row, measure) for row in rows} - {""}
    values = [getattr(row, measure) for row in rows]
    return summarise(values, min(bounds, default=""), sum(bool(row.disturbed) for row in rows))


def log_log_slope(points: Sequence[tuple[float, float]]) -> float:
    """The exponent k of y ~ x^k by least squares on logarithms: 0 is flat, 1 proportional."""
    if len({x for x, _ in points}) < 2 or any(x <= 0 or y <= 0 for x, y in points):
        raise ValueError("a slope needs two places at least, and positive values")
    xs = [math.log(x) for x, _ in points]
    ys = [math.log(y) for _, y in points]
    middle_x, middle_y = statistics.fmean(xs), statistics.fmean(ys)
    rise = sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys))
    return rise / sum((x - middle_x) ** 2 for x in xs)
