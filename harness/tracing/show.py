"""Traces as text: a column for each server, or one below the other where the line is too short for that."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence

from tracing.trace import Trace

GAP = "  "
NARROWEST = 24  # of a column: below that the servers stand one below the other


def table(traces: Sequence[Trace], width: int) -> str:
    most = (width - len(GAP) * len(traces)) // len(traces)
    if len(traces) == 1 or most < NARROWEST:
        return "\n".join(f"== {trace.server}\n{trace.text()}" for trace in traces)
    return _beside(traces, [min(most, max(map(len, _cells(trace)))) for trace in traces])


def _cells(trace: Trace) -> list[str]:
    calls = [line for step in trace.steps for line in step.lines]
    return [trace.server, *calls, *trace.counted()]


def _beside(traces: Sequence[Trace], columns: Sequence[int]) -> str:
    """The peers did the same to all of them, so all have the same steps."""

    def rows(cells: Sequence[str]) -> list[str]:
        """A cell that is too long for its column goes on below."""
        folded = [textwrap.wrap(cell, size, subsequent_indent="    ") for cell, size in zip(cells, columns)]
        return [
            (GAP + GAP.join(part.ljust(size) for part, size in zip(parts, columns))).rstrip()
            for parts in itertools.zip_longest(*folded, fillvalue="")
        ]

    lines = [*rows([trace.server for trace in traces]), *rows(["-" * size for size in columns])]
    for steps in itertools.zip_longest(*(trace.steps for trace in traces)):
        lines.append(next(step.what for step in steps if step))
        of_each = [step.lines if step else [] for step in steps]
        lines += [line for cells in itertools.zip_longest(*of_each, fillvalue="") for line in rows(cells)]
    lines.append("calls in all")
    counts = itertools.zip_longest(*(trace.counted() for trace in traces), fillvalue="")
    lines += [line for cells in counts for line in rows(cells)]
    return "\n".join(lines) + "\n"
