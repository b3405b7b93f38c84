"""What a server did: a step for each action, and the calls in it."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field

from tracing.calls import Call
from tracing.steady import rounds, steady

MOST_SHOWN = 40  # calls of one step
SAME_ROUNDS = 10  # the same few calls so many times are told once
OFTEN = "   again and again"


@dataclass
class Step:
    """What happened, in words, and the calls that the server made until it slept again."""

    what: str
    calls: list[Call] = field(default_factory=list)
    sleeps: bool = True

    @property
    def lines(self) -> list[str]:
        """A server that does not sleep makes thousands of calls, many of them again and again."""
        texts = [call.text + OFTEN * call.often for call in self.calls]
        found = [(texts[at : at + size], times) for at, size, times in rounds(texts, SAME_ROUNDS)]
        same = itertools.groupby(found, lambda run: run[0])
        runs = [(calls, sum(times for _, times in of_these)) for calls, of_these in same]
        shown = [line for calls, times in runs[:MOST_SHOWN] for line in _told(calls, times)]
        more = sum(len(calls) * times for calls, times in runs[MOST_SHOWN:])
        return shown + [f"and {more:,} calls more"] * (more > 0) + ["it does not sleep"] * (not self.sleeps)


def _told(calls: list[str], times: int) -> list[str]:
    if times == 1:
        return calls
    if len(calls) == 1:
        return [f"{calls[0]}   {times:,} times"]
    return [*calls, f"these {len(calls)} calls: {times:,} times"]


@dataclass
class Trace:
    server: str
    steps: list[Step]

    @property
    def counts(self) -> Counter[str]:
        return Counter(call.name for step in self.steps for call in step.calls)

    def steady(self) -> Trace:
        """What is the same in every run."""
        return Trace(self.server, steady(self.steps))

    def counted(self) -> list[str]:
        often = {call.name for step in self.steps for call in step.calls if call.often}
        return [f"{'many' if name in often else number} {name}" for name, number in sorted(self.counts.items())]

    def text(self) -> str:
        """A line for each step and each call."""
        lines = []
        for step in self.steps:
            lines += [step.what, *(f"    {line}" for line in step.lines)]
        return "\n".join([*lines, f"calls: {', '.join(self.counted())}", ""])
