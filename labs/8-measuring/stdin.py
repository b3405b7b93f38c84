"""What the program of lab 8 reads: a run, row by row.

A case is {"about": "…", "end": NS, "rows": [...]}. A row is [scheduled, sent, received] in nanoseconds, with null for
what never happened, or stands for many:

    {"count": 100, "from": NS, "every": NS, "sent_after": NS, "answered_after": NS}

Both "after" count from when each request was due; without one of them, that never happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from grader.cases import BadCase
from suite.protocol import Protocol

MOST_ROWS = 200_000
MOST_NS = 10**15
MOST_SUM = 2**53  # a mean comes from a double, which holds every whole number up to here


@dataclass(frozen=True)
class Row:
    scheduled: int
    sent: int | None
    received: int | None


@dataclass(frozen=True)
class Run:
    end: int
    rows: tuple[Row, ...]

    def text(self) -> str:
        """As the program reads it."""
        lines = [f"end {self.end}"]
        for row in self.rows:
            times = (row.scheduled, row.sent, row.received)
            lines.append(" ".join("-" if each is None else str(each) for each in times))
        return "\n".join([*lines, ""])


# -- cases ----------------------------------------------------------------------------------------------------


def run_of(case: dict[str, Any]) -> Run:
    end = _time(case.get("end"), '"end"')
    given = case.get("rows")
    if not isinstance(given, list) or not given:
        raise BadCase('"rows" is not a list of rows')
    rows: list[Row] = []
    for number, each in enumerate(given, 1):
        where = f"row {number}"
        rows += _rows(each, where) if isinstance(each, dict) else [_row(each, where)]
        if len(rows) > MOST_ROWS:
            raise BadCase(f"{where}: more than {MOST_ROWS:,} requests")
    for row in rows:
        _in_order(row, end)
    if sum((end if row.received is None else row.received) - row.scheduled for row in rows) > MOST_SUM:
        raise BadCase(f"all response times and ages together are more than {MOST_SUM:,} nanoseconds")
    return Run(end, tuple(rows))


def _time(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MOST_NS:
        raise BadCase(f"{what}: {value!r} is not a number of nanoseconds from 1 to {MOST_NS:,}")
    return value


def _row(value: Any, where: str) -> Row:
    if not isinstance(value, list) or len(value) != 3:
        raise BadCase(f"{where}: not [scheduled, sent, received], nor an object with a count")
    times = [None if each is None else _time(each, where) for each in value]
    if times[0] is None:
        raise BadCase(f"{where}: every request has a time when it is due")
    return Row(times[0], times[1], times[2])


def _rows(value: dict[str, Any], where: str) -> Iterator[Row]:
    names = {"count", "from", "every", "sent_after", "answered_after"}
    if set(value) - names or not {"count", "from", "every"} <= set(value):
        raise BadCase(f"{where}: needs count, from and every, and takes sent_after and answered_after")
    if _time(value["count"], f"{where}: count") > MOST_ROWS:
        raise BadCase(f"{where}: more than {MOST_ROWS:,} requests")
    begin, every = _time(value["from"], f"{where}: from"), _time(value["every"], f"{where}: every")
    after = {name: value.get(name) for name in ("sent_after", "answered_after")}
    for name, each in after.items():
        if each is not None and (isinstance(each, bool) or not isinstance(each, int) or not 0 <= each <= MOST_NS):
            raise BadCase(f"{where}: {name}: {each!r} is not a number of nanoseconds")
    for number in range(value["count"]):
        due = begin + number * every
        sent, received = (None if each is None else due + each for each in after.values())
        yield Row(due, sent, received)


def _in_order(row: Row, end: int) -> None:
    times = [row.scheduled] + [each for each in (row.sent, row.received) if each is not None]
    if row.received is not None and row.sent is None:
        raise BadCase(f"the request due at {row.scheduled}: answered, but never sent")
    if sorted(times) != times or times[-1] > end:
        raise BadCase(f"the request due at {row.scheduled}: scheduled, sent, received and end are not in this order")


def stdin(case: dict[str, Any], protocol: Protocol) -> bytes:
    del protocol  # this lab has no frames
    return run_of(case).text().encode()
