"""What a shape is: an expectation that was written down before, with its limits."""

from __future__ import annotations

from dataclasses import dataclass

from bench.judging import ENDLESS, Part

# Where a limit comes from.
PILOTS = "the source gives the shape, pilot runs the limits"
SOURCE = "from the source"
GOAL = "a goal of this project"


@dataclass(frozen=True)
class Shape:
    name: str
    experiment: str
    claim: str
    limits_from: str
    parts: tuple[Part, ...]  # all must hold
    native_kqueue_only: bool = False  # elsewhere its figures are those of a stand-in over epoll


def limits_text(low: float, high: float) -> str:
    return f"at least {low:g}" if high == ENDLESS else f"at most {high:g}" if low == 0 else f"{low:g} to {high:g}"
