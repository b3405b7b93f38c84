"""The highest rate at which the p99 of response stays under a limit, by a bracketed search.

The rates are steps of one geometric scale that all servers share, so that a probe of a rate is the same load for every
server. Each probe runs a new server under a new open loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Optional

STEPS_A_DOUBLING = 8  # neighbouring rates are 9% apart, and the figure is no more exact than that
LOWEST = 100.0  # requests a second, at step 0
STEPS = 18 * STEPS_A_DOUBLING  # up to 26 million
TRIES = 3  # of a probe that the machine disturbed


def rate_of(step: int) -> float:
    return round(LOWEST * 2 ** (step / STEPS_A_DOUBLING))


def step_of(rate: float) -> int:
    """The highest step not above the rate."""
    step = 0
    while step + 1 < STEPS and rate_of(step + 1) <= rate:
        step += 1
    return step


@dataclass(frozen=True)
class Probe:
    verdict: str
    response_p99: Optional[float]  # microseconds
    disturbed: str = ""  # what disturbed the machine


@dataclass
class Search:
    """`probe(rate)` makes one probe. `found` is the highest rate that kept the limit, or None."""

    probe: Callable[[float], Probe]
    limit: float  # of response_p99, microseconds
    found: Optional[float] = None
    verdict: str = "VALID"
    reasons: list[str] = field(default_factory=list)
    disturbed: str = ""  # what disturbed the machine in the probes next to the figure, in every try
    _probes: dict[int, Probe] = field(default_factory=dict)  # by step

    def run(self, guess: float) -> None:
        """Goes from the guess in growing strides until the answer changes, then halves the interval."""
        low, high = self._bracket(step_of(guess))
        while high - low > 1:
            middle = (low + high) // 2
            if self._holds(middle):
                low = middle
            else:
                high = middle
        self._conclude(low, high)

    def _bracket(self, step: int) -> tuple[int, int]:
        """The last step that keeps the limit (-1: none) and the first that does not."""
        stride = 2
        if self._holds(step):
            low, high = step, step + stride
            while high < STEPS and self._holds(high):
                stride *= 2
                low, high = high, high + stride
            return low, min(high, STEPS)
        low, high = step - stride, step
        while low >= 0 and not self._holds(low):
            stride *= 2
            low, high = low - stride, low
        return max(low, -1), high

    def _holds(self, step: int) -> bool:
        """Whether a rate keeps the limit. A probe that the machine disturbed is made again; OVERLOADED is an answer."""
        for _ in range(TRIES):
            probe = self.probe(rate_of(step))
            if not probe.disturbed:
                break
        self._probes[step] = probe
        within = probe.response_p99 is not None and probe.response_p99 <= self.limit
        return within and probe.verdict != "OVERLOADED"

    def _conclude(self, low: int, high: int) -> None:
        """The verdict. Only the probes of the two rates next to the figure decide whether it can be trusted."""
        self.found = rate_of(low) if low >= 0 else None
        above = self._probes.get(high)
        if low < 0:
            self.verdict = "OVERLOADED"
            self.reasons.append(f"even {LOWEST:g} requests a second were too many")
        elif above is None or above.verdict == "CLIENT_BOUND":
            self.verdict = "CLIENT_BOUND"
            limit = f"at {rate_of(high):g} a second the client was the limit"
            self.reasons.append(f"{limit}: the capacity is at least this")
        beside = [probe.disturbed for probe in (self._probes.get(low), above) if probe is not None and probe.disturbed]
        self.disturbed = "; ".join(dict.fromkeys(beside))
