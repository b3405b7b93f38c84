"""The load generator's histograms (histogram.h) as arrays: adding them up, and percentiles as outcome.c has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

import numpy

STEP_BITS, VALUE_BITS = 10, 37
SLOTS = (VALUE_BITS - STEP_BITS - 1 + 2) << STEP_BITS


def _limits() -> tuple[numpy.ndarray, numpy.ndarray]:
    """The lowest and the highest value of each slot. Slots below 2,048 hold one value each; from there on 1,024 slots
    make an octave."""
    slots = numpy.arange(SLOTS, dtype=numpy.int64)
    dropped = numpy.maximum((slots >> STEP_BITS) - 1, 0)
    lowest = (slots - (dropped << STEP_BITS)) << dropped
    return lowest, lowest + (1 << dropped) - 1


LOWEST, HIGHEST = _limits()


@dataclass
class Histogram:
    """Times in nanoseconds. The sums and limits are of the values as they were, not as the slots hold them."""

    slots: numpy.ndarray = field(default_factory=lambda: numpy.zeros(SLOTS, dtype=numpy.int64))
    sum_ns: int = 0
    least_ns: int = 0  # 0 when there is none
    most_ns: int = 0
    clamped: int = 0

    @property
    def count(self) -> int:
        return int(self.slots.sum())

    @property
    def mean_ns(self) -> float:
        return self.sum_ns / self.count if self.count else 0.0

    def contradiction(self) -> Optional[str]:
        """What the sums and limits say against the slots."""
        used = [(int(slot), int(self.slots[slot])) for slot in self.slots.nonzero()[0]]
        if not used:
            return "it is empty, and is not" if self.sum_ns or self.least_ns or self.most_ns or self.clamped else None
        (first, _), (last, in_last) = used[0], used[-1]
        beyond = last == SLOTS - 1 and self.most_ns > HIGHEST[last]  # the last slot holds all that is above it, too
        if not LOWEST[first] <= self.least_ns <= (self.most_ns if first == SLOTS - 1 else HIGHEST[first]):
            return "least_ns is not in its first slot"
        if not (beyond or LOWEST[last] <= self.most_ns <= HIGHEST[last]):
            return "most_ns is not in its last slot"
        if (self.clamped > 0) != beyond or self.clamped > (in_last if beyond else 0):
            return "clamped is not what its last slot says"
        least = sum(count * int(LOWEST[slot]) for slot, count in used)
        most = sum(count * int(self.most_ns if slot == SLOTS - 1 else HIGHEST[slot]) for slot, count in used)
        return None if least <= self.sum_ns <= most else "sum_ns is not what its slots add up to"

    def __add__(self, other: Histogram) -> Histogram:
        least = [each.least_ns for each in (self, other) if each.count]
        return Histogram(
            self.slots + other.slots,
            self.sum_ns + other.sum_ns,
            min(least, default=0),
            max(self.most_ns, other.most_ns),
            self.clamped + other.clamped,
        )

    def at_rank(self, rank: int) -> int:
        """The highest value of the slot that holds the value of that rank, but never above the greatest recorded.
        The last slot also holds what is above all slots."""
        slot = min(int(numpy.searchsorted(self.slots.cumsum(), max(rank, 1))), SLOTS - 1)
        return self.most_ns if slot == SLOTS - 1 else min(int(HIGHEST[slot]), self.most_ns)

    def count_up_to(self, value_ns: int) -> int:
        """How many values are at most value_ns, to the slot."""
        return int(self.slots[LOWEST <= value_ns].sum())

    def deviation_ns(self) -> float:
        count = self.count
        middle = (LOWEST + HIGHEST) / 2
        return float(numpy.sqrt((self.slots * (middle - self.mean_ns) ** 2).sum() / count)) if count else 0.0


@dataclass(frozen=True)
class Figure:
    """Of answered and unanswered requests together."""

    ns: int
    known: bool  # there are enough requests for it: 10,000 for p99.9, 100,000 for p99.99
    at_least: bool  # it lies among the unanswered: the true value is higher


@dataclass(frozen=True)
class Timing:
    """One time, as it is printed: of the answered requests, and of the unanswered at their age."""

    done: Histogram
    censored: Optional[Histogram]  # None: the time ends before the answer

    @property
    def joint(self) -> Histogram:
        return self.done if self.censored is None else self.done + self.censored

    @property
    def unanswered(self) -> int:
        return 0 if self.censored is None else self.censored.count

    @property
    def most(self) -> Figure:
        joint = self.joint
        return Figure(joint.most_ns, joint.count > 0, self.unanswered > 0)


def timing(times: dict[str, Histogram], name: str) -> Timing:
    censored = {"response": "censored", "service": "censored_service"}
    return Timing(times[name], times[censored[name]] if name in censored else None)


def percentile(done: Histogram, censored: Optional[Histogram], thousandths: int) -> Figure:
    """In thousandths of a percent: p99.9 is 99,900. Both histograms together are the population."""
    unanswered = censored.count if censored is not None else 0
    count = done.count + unanswered
    known = count > 0 and (thousandths <= 99000 or count >= 1000000 // (100000 - thousandths))
    if count == 0:
        return Figure(0, False, False)
    rank = max(1, -(-count * thousandths // 100000))
    if censored is None or unanswered == 0:
        return Figure(done.at_rank(rank), known, False)
    joint = done + censored
    slot = min(int(numpy.searchsorted(joint.slots.cumsum(), rank)), SLOTS - 1)
    # Each unanswered one at or below may really belong above, and push the percentile up.
    return Figure(joint.at_rank(rank), known, bool(censored.slots[: slot + 1].any()))
