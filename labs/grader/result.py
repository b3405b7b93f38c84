"""What became of a submission: lab-result/1 (labs/result.md)."""

from __future__ import annotations

from dataclasses import dataclass, field

SCHEMA = "lab-result/1"


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


@dataclass
class Result:
    lab: int
    variant: str
    submission: str
    sandbox: str  # "bubblewrap", "weak: why", "none: your own machine"
    items: list[Item] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def points(self) -> int:
        return sum(item.points for item in self.items)
