"""What a run must do, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from bench.loads import Driver


@dataclass(frozen=True)
class Times:
    """Seconds of a load; of a micro program only `duration`."""

    warmup: float
    duration: float


@dataclass(frozen=True)
class Request:
    """One attempt at one run."""

    driver: Driver
    server: str
    point: dict[str, str]
    seed: int
    times: Times
    json_path: Callable[[int], Path]  # where the load generator's JSON number N of this attempt goes
    judged: bool = True  # False in a smoke run, which only proves that everything works, also on a noisy machine

    def number(self, name: str) -> int:
        return int(self.point[name])


@dataclass
class Taken:
    """What came of a request."""

    verdict: str
    schedule_hash: str
    reasons: list[str] = field(default_factory=list)
    figures: dict[str, Optional[float]] = field(default_factory=dict)
    disturbed: str = ""  # what disturbed the machine meanwhile
