"""The table of a run, from its rows (lab 8): by sorting, without a histogram. stdin.py beside it has the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labkit import modules
from suite.protocol import Protocol

rows = modules.load(Path(__file__).with_name("stdin.py"))
Row, Run, run_of, stdin, MOST_NS = rows.Row, rows.Run, rows.run_of, rows.stdin, rows.MOST_NS

SLOT_BITS, VALUE_BITS = 10, 37  # histogram.h
COLUMNS = {"p50": 50_000, "p90": 90_000, "p99": 99_000, "p99.9": 99_900, "p99.99": 99_990}


def slot_highest(value: int) -> int:
    """Of the slot that holds the value. The last slot has no end."""
    if value >= 1 << VALUE_BITS:
        return MOST_NS
    dropped = max(value.bit_length() - SLOT_BITS - 1, 0)
    highest = (((value >> dropped) + 1) << dropped) - 1
    return MOST_NS if highest == (1 << VALUE_BITS) - 1 else highest


def figures(name: str, done: list[int], unanswered: list[int]) -> list[str]:
    """Of one time: of the answered, and of the unanswered at their age."""
    together = sorted(done + unanswered)
    lines = []
    for column, thousandths in COLUMNS.items():
        rank = max(-(-len(together) * thousandths // 100_000), 1)
        if not together or thousandths > 99_000 and len(together) < 1_000_000 // (100_000 - thousandths):
            lines.append(f"{name} {column} -")
            continue
        highest = slot_highest(together[rank - 1])
        mark = ">" if any(slot_highest(age) <= highest for age in unanswered) else ""
        lines.append(f"{name} {column} {mark}{min(highest, together[-1])}")
    mark = ">" if unanswered else ""
    if not together:
        return [*lines, f"{name} max -", f"{name} mean -"]
    return [*lines, f"{name} max {mark}{together[-1]}", f"{name} mean {mark}{sum(together) / len(together):.0f}"]


def table(run: Any) -> list[str]:
    answered = [row for row in run.rows if row.received is not None]
    open_ = [row for row in run.rows if row.received is None]
    response = [row.received - row.scheduled for row in answered if row.received is not None]
    service = [row.received - row.sent for row in answered if row.received is not None and row.sent is not None]
    return [
        f"answered {len(answered)}",
        f"unanswered {len(open_)}",
        *figures("response", response, [run.end - row.scheduled for row in open_]),
        *figures("service", service, [run.end - row.sent for row in open_ if row.sent is not None]),
    ]


def expected(case: dict[str, Any], protocol: Protocol) -> bytes:
    del protocol
    return "".join(f"{line}\n" for line in table(run_of(case))).encode()
