"""What a server did: a step for each action, and the calls in it."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field

from tracing.calls import Call
from tracing.steady import steady

MOST_SHOWN = 40  # calls of one step
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
        runs = [(text, len(list(same))) for text, same in itertools.groupby(texts)]
        shown = [text if times == 1 else f"{text}   {times:,} times" for text, times in runs[:MOST_SHOWN]]
        more = sum(times for _, times in runs[MOST_SHOWN:])
        return shown + [f"and {more:,} calls more"] * (more > 0) + ["it does not sleep"] * (not self.sleeps)


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
