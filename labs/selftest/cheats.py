"""Submissions that want points which they do not deserve, or that want to do harm. Each is a directory in cheats/:

cheat.toml   tries = "what it tries", lab = its number, loses = ["visible", "a-test"]: parts and items that it must not
             get; it has the full points of everything else that it hands in.
             Optional: whole = true: with all own tests and answers, and not the program alone; variant, of = words: it
             hands in the solution of another variant; archive = "zip" or "tar.gz": make.py makes one; trick, bomb =
             true: trick.c or bomb.c stands before what it adds; works_outside = true: where nothing holds it, the trick
             works; leaves_nothing: names that nobody may find beside the result.
files/       are put over the right solution        behind/   are added at the end of a file of the right solution
make.py      make(directory, facts): what Git cannot keep, and what only a run knows
"""

from __future__ import annotations

import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import lab as labs
from labkit import modules
from labkit.lab import BadLab, Lab

from selftest import solutions

CHEATS = Path(__file__).parent / "cheats"
MARK = "labs-cheat"  # the name of processes and files that would be left over


@dataclass(frozen=True)
class Cheat:
    name: str
    tries: str
    lab: int
    loses: tuple[str, ...]
    whole: bool = False
    trick: bool = False
    bomb: bool = False
    works_outside: bool = False
    variant: str = ""
    of: str | None = None
    archive: str = ""
    leaves_nothing: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        return CHEATS / self.name


@dataclass(frozen=True)
class Facts:
    """What only a run knows."""

    root: Path  # of the project
    lab: Lab
    out: Path  # where the result goes
    own: Path  # own tests that catch everything
    archive: Path  # what is handed in, of a cheat that hands in an archive
    neighbour: int  # a port of this machine, behind which somebody answers


def all_of_them() -> list[Cheat]:
    return [_read(path.parent) for path in sorted(CHEATS.glob("*/cheat.toml"))]


def _read(directory: Path) -> Cheat:
    content = tomllib.loads((directory / "cheat.toml").read_text())
    try:
        lists = {name: tuple(content[name]) for name in ("loses", "leaves_nothing") if name in content}
        values: dict[str, Any] = {"name": directory.name, **content, **lists}
        return Cheat(**values)
    except TypeError as error:
        raise BadLab(f"{directory}/cheat.toml: {error}") from None


def write(cheat: Cheat, into: Path, out: Path, neighbour: int) -> Path:
    """What is handed in: a directory, or an archive."""
    lab = labs.load(cheat.lab)
    submission = into / cheat.name
    word = cheat.variant if cheat.of is None else cheat.of
    solutions.reference(lab, word, submission)
    if cheat.whole:
        solutions.add_the_rest(lab, word, submission)
    if (cheat.directory / "files").is_dir():
        shutil.copytree(cheat.directory / "files", submission, dirs_exist_ok=True)
    for path in sorted((cheat.directory / "behind").glob("*")):
        before = [CHEATS / f"{kind}.c" for kind in ("trick", "bomb") if getattr(cheat, kind)]
        with open(submission / path.name, "a") as file:
            file.writelines(each.read_text() for each in (*before, path))
    archive = into / f"{cheat.name}.{cheat.archive}"
    if (cheat.directory / "make.py").is_file():
        facts = Facts(labs.ROOT, lab, out, solutions.own_tests(lab), archive, neighbour)
        modules.load(cheat.directory / "make.py").make(submission, facts)
    return archive if cheat.archive else submission


def must_lose(cheat: Cheat, lab: Lab) -> dict[str, bool]:
    """Of each item by its name: must it be lost? Otherwise it must be had."""
    parts = {"build": "build", **{test.name: "hidden" if test.hidden else "visible" for test in lab.tests}}
    parts |= {bug.name: "own" for bug in lab.bugs} | {each.name: "questions" for each in lab.questions}
    unknown = set(cheat.loses) - set(parts) - set(parts.values())
    if unknown:
        raise BadLab(f"{cheat.name}: loses {', '.join(sorted(unknown))}: lab {lab.number} has no such part or item")
    not_there = () if cheat.whole else ("own", "questions")
    return {
        name: name in cheat.loses or part in cheat.loses or part in not_there for name, part in parts.items()
    }
