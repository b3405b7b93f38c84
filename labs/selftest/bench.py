"""What the checks have in common: a place for submissions, the grader, and what was found."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from grader.level import Level
from grader.result import Item, Result
from grader.session import Order, run
from labkit.lab import Lab

Work = TypeVar("Work")
Done = TypeVar("Done")
BUSY_PROCESSES = 3


@dataclass
class Bench:
    scratch: Path
    level: Level
    word: str
    jobs: int
    faults: list[str] = field(default_factory=list)
    rows: dict[str, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    graded: int = 0
    played: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    # -- grading -------------------------------------------------------------------------------------

    def place(self, name: str) -> Path:
        """A new directory whose last part is `name`."""
        place = self.scratch / f"{next(self._numbers)}" / name
        place.parent.mkdir()
        return place

    def grade(self, lab: Lab, word: str, source: Path, out: Path | None = None) -> Result:
        name = source.name.partition(".")[0]
        result = run(Order(lab, word, source, out or self.place("result"), name), self.level)
        self.graded += 1
        return result

    def in_parallel(self, function: Callable[[Work], Done], work: Iterable[Work]) -> list[Done]:
        with ThreadPoolExecutor(self.jobs) as pool:
            return list(pool.map(function, work))

    # -- what was found ------------------------------------------------------------------------------

    def wrong(self, lab: Lab, who: str, what: str) -> None:
        self.faults.append(f"lab {lab.number}: {who}: {what}")
        print(f"  WRONG: {what}", flush=True)

    def row(self, lab: Lab, who: str, result: str) -> None:
        self.rows[who][lab.number] = result
        print(f"lab {lab.number}: {who}: {result}", flush=True)

    def table(self, chosen: Sequence[Lab]) -> str:
        head = ["solution", *(lab.name for lab in chosen)]
        rows = [[who, *(points.get(lab.number, "") for lab in chosen)] for who, points in self.rows.items()]
        return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] + ["---:"] * len(chosen), *rows])


def as_graded(result: Result) -> list[tuple[str, str, int, int, bool]]:
    """What must be the same each time. A note says how often an item was tried, which may differ."""
    return [(item.name, item.part, item.of, item.points, item.passed) for item in result.items]


def shown(item: Item) -> str:
    """A failed item in one line."""
    words = [f"'{item.name}' has {item.points} of {item.of}"]
    if item.expected or item.came:
        words.append(f"expected {item.expected}; came {item.came}".replace("\n", " "))
    return ": ".join(words)[:400]


@contextlib.contextmanager
def busy_machine() -> Iterator[None]:
    """More processes want to run than there are processors."""
    spin = [sys.executable, "-c", "while True: pass"]
    spinning = [subprocess.Popen(spin) for _ in range(BUSY_PROCESSES)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()
