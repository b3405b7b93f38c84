"""What became of a submission: lab-result/1 (labs/result.md)."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from labkit.lab import PARTS

SCHEMA = "lab-result/1"
FILE = "result.json"


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """An error of write(2) names no file by itself. In here it names this one. An error that has a name keeps it."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None


@dataclass
class Item:
    """One thing that is graded."""

    name: str
    part: str  # a key of labkit.lab.PARTS
    title: str
    of: int
    points: int = 0
    passed: bool = False
    steps: list[str] = field(default_factory=list)  # what was done, to the failure
    expected: str = ""
    came: str = ""
    cause: str = ""  # a possible one
    pitfall: str = ""
    trace: str = ""  # the calls, beside those of the reference
    note: str = ""  # for example: repeated, because the host was busy


@dataclass
class Outcome:
    """What a player says of one script or case."""

    passed: bool
    steps: list[str] = field(default_factory=list)
    expected: str = ""
    came: str = ""
    noisy: bool = False  # the host was busy: try again before it costs points
    late: bool = False  # it took the longest time that a test may take


@dataclass
class Result:
    lab: int
    variant: str
    submission: str
    sandbox: str  # "bubblewrap", "weak: why", "none: your own machine"
    items: list[Item] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    title: str = ""
    complete: bool = False  # every item has been graded
    fault: str = ""  # of the grader or of the machine: there are no points then

    @property
    def points(self) -> int:
        return sum(item.points for item in self.items)

    def of_part(self, part: str) -> tuple[int, int]:
        """What it got, and what there was to get so far."""
        items = [item for item in self.items if item.part == part]
        return sum(item.points for item in items), sum(item.of for item in items)

    def as_json(self) -> dict[str, Any]:
        parts = {part: dict(zip(("points", "of"), (self.of_part(part)[0], of))) for part, of in PARTS.items()}
        own = {name: value for name, value in asdict(self).items() if name not in ("items", "notes")}
        return {
            "schema": SCHEMA,
            **own,
            "points": None if self.fault else self.points,
            "of": sum(PARTS.values()),
            "parts": parts,
            "items": [asdict(item) for item in self.items],
            "notes": self.notes,
        }

    def save(self, folder: Path) -> None:
        """Whoever reads it finds the one before or this one, never a part."""
        new = folder / f"{FILE}.new"
        text = json.dumps(self.as_json(), indent=1, ensure_ascii=False)
        try:
            new.write_text(text.encode("utf-8", "backslashreplace").decode() + "\n", encoding="utf-8")
            os.replace(new, folder / FILE)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise OSError(error.errno, error.strerror, str(folder / FILE)) from None


class BadResult(Exception):
    """What is wrong with a result file, in one line."""


def load(path: Path) -> Result:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise BadResult(f"{path}: its schema is {content['schema']!r}, not {SCHEMA}")
        known = {name: value for name, value in content.items() if name not in ("schema", "points", "of", "parts")}
        known["items"] = [Item(**each) for each in content["items"]]
        return Result(**known)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadResult(f"{path}: {error}") from None
