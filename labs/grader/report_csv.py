"""The results of a class as a table: a row for each submission."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from labkit.lab import PARTS

from grader.result import Result

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
# Some of them end a line for some programs. A surrogate stands for a byte that is no UTF-8.
CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff]")


def convert(results: Sequence[Result]) -> str:
    items = [item for result in results for item in result.items]
    names = list(dict.fromkeys(item.name for item in items if item.part != "build"))  # the part is one item
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["submission", "lab", "variant", "points", *PARTS, *names, "sandbox", "fault", "notes"])
    for result in results:
        points = {item.name: item.points for item in result.items}
        sums: list[object] = [result.points, *(result.of_part(part)[0] for part in PARTS)]
        if result.fault:  # nobody takes it for a 0
            sums = [""] * len(sums)
        row: list[object] = [
            *(result.submission, result.lab, result.variant),
            *sums,
            *(points.get(name, "") for name in names),
            *(result.sandbox, result.fault, "; ".join(result.notes)),
        ]
        writer.writerow(map(_cell, row))
    return table.getvalue()


def _cell(value: object) -> object:
    """A program that opens the table must not take a submission's name for a formula, and a row is one line."""
    if not isinstance(value, str):
        return value
    formula = value.startswith(FORMULA) or value.lstrip().startswith(FORMULA)
    return "'" * formula + CONTROL.sub(lambda found: ascii(found[0])[1:-1], value)
