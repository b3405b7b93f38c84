"""A lab, as its lab.toml says it (labs/format.md).

labs/4-edge/ and its like hold lab.toml, handout.md, instructor.md, tests/ and hidden/ (scripts or cases), bugs/
(patches that harness/mutants/ does not have), answers.py, and for a program expected.py.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LABS = Path(__file__).resolve().parent.parent
ROOT = LABS.parent

PARTS = {"build": 5, "visible": 35, "hidden": 25, "own": 25, "questions": 10}


class BadLab(Exception):
    """What is wrong with a lab, in one line."""


@dataclass(frozen=True)
class Cut:
    """A function whose body the student writes."""

    function: str
    task: str  # the comment in the empty body: what to write, one or two sentences
    body: str  # statements, so that the starter compiles without a warning and runs


@dataclass(frozen=True)
class HandIn:
    """A C file that the student hands in."""

    path: str  # in the kit and in the submission: "server.c"
    source: str  # in the project: "epoll_et/server.c"; where it stands in the tree that is built, too
    cut: tuple[Cut, ...]


@dataclass(frozen=True)
class Test:
    name: str
    title: str  # what the program does when it is right: "echoes a frame of any size"
    points: int
    hidden: bool
    script: str  # a file in tests/, or in hidden/
    cause: str  # a possible cause of a failure, one sentence
    pitfall: str  # a page in docs/pitfalls/, without ".md"; "" if there is none


@dataclass(frozen=True)
class Mistake:
    """What a student may do wrong. The self-test grades it, and nobody gets points for it."""

    name: str  # of a patch in the lab's bugs/, or in harness/mutants/
    title: str
    loses: tuple[str, ...]  # the tests that fail with it, no others
    may_lose: tuple[str, ...] = ()  # tests that chance decides: how many bytes one recv(2) brings


@dataclass(frozen=True)
class Bug(Mistake):
    """A planted bug. The student's own tests catch it, and the self-test grades it."""

    points: int = field(kw_only=True)  # of "own"


@dataclass(frozen=True)
class Question:
    name: str
    text: str
    points: int
    kind: str  # "number", "bytes" or "word"


@dataclass(frozen=True)
class Lab:
    number: int
    directory: Path
    title: str
    about: str
    hours: int
    kind: str  # "server": plays scripts to it; "program": hands cases to its standard input
    program: str  # a server of harness/servers.toml, or the name of the program that [build] makes
    sources: tuple[str, ...]  # of a program: further C files of the project
    starter: int  # the points of the starter as it is
    files: tuple[HandIn, ...]
    tests: tuple[Test, ...]
    bugs: tuple[Bug, ...]
    questions: tuple[Question, ...]
    needs: tuple[str, ...]  # functions that the hand-in files call: what the lab is about
    refuses: tuple[str, ...]  # functions that they do not call: another API than that of the lab
    mistakes: tuple[Mistake, ...] = ()

    @property
    def name(self) -> str:
        return self.directory.name

    def script_path(self, test: Test) -> Path:
        return self.directory / ("hidden" if test.hidden else "tests") / test.script

    @property
    def planted(self) -> tuple[Mistake, ...]:
        """All wrong programs that the self-test grades."""
        return (*self.bugs, *self.mistakes)

    def patch(self, bug: Mistake) -> Path:
        own = self.directory / "bugs" / f"{bug.name}.patch"
        return own if own.exists() else ROOT / "harness" / "mutants" / f"{bug.name}.patch"


def directories() -> list[Path]:
    return sorted(path.parent for path in LABS.glob("[0-9]*/lab.toml"))


def load(number: int) -> Lab:
    for directory in directories():
        if directory.name.split("-")[0] == str(number):
            return read(directory)
    there = ", ".join(directory.name.split("-")[0] for directory in directories())
    raise BadLab(f"LAB={number}: there is no such lab; there are {there}")


def read(directory: Path) -> Lab:
    path = directory / "lab.toml"
    try:
        content = tomllib.loads(path.read_text())
        lab = _lab(directory, content)
    except (OSError, tomllib.TOMLDecodeError, TypeError, KeyError) as error:
        raise BadLab(f"{path}: {error if not isinstance(error, KeyError) else f'{error} is missing'}") from None
    _check(path, lab)
    return lab


def _lab(directory: Path, content: dict[str, Any]) -> Lab:
    return Lab(
        **{name: content[name] for name in ("number", "title", "about", "hours", "kind", "program", "starter")},
        directory=directory,
        sources=tuple(content.get("sources", ())),
        needs=tuple(content.get("needs", ())),
        refuses=tuple(content.get("refuses", ())),
        files=tuple(
            HandIn(each["path"], each["source"], tuple(Cut(**cut) for cut in each.get("cut", ())))
            for each in content["file"]
        ),
        tests=tuple(Test(**_with(each, pitfall=each.get("pitfall", ""))) for each in content["test"]),
        bugs=tuple(Bug(**_tuples(each)) for each in content["bug"]),
        mistakes=tuple(Mistake(**_tuples(each)) for each in content.get("mistake", ())),
        questions=tuple(Question(**each) for each in content["question"]),
    )


def _with(entry: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {**entry, **values}


def _tuples(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}


def _check(path: Path, lab: Lab) -> None:
    """The points add up, every name is there once, and every file is there."""
    sums = {
        "visible": sum(test.points for test in lab.tests if not test.hidden),
        "hidden": sum(test.points for test in lab.tests if test.hidden),
        "own": sum(bug.points for bug in lab.bugs),
        "questions": sum(question.points for question in lab.questions),
    }
    for part, points in sums.items():
        if points != PARTS[part]:
            raise BadLab(f"{path}: the points of '{part}' are {points} in all, not {PARTS[part]}")
    graded: list[Test | Bug | Question] = [*lab.tests, *lab.bugs, *lab.questions]
    names = [each.name for each in (*graded, *lab.mistakes)]
    for name in names:
        if not name or names.count(name) > 1:
            raise BadLab(f"{path}: the name '{name}' stands there more than once, or is empty")
    for each in graded:
        if each.points < 1:
            raise BadLab(f"{path}: '{each.name}' has {each.points} points: everything that is graded weighs something")
    for test in lab.tests:
        if not lab.script_path(test).is_file():
            raise BadLab(f"{path}: '{test.name}': there is no {lab.script_path(test).relative_to(ROOT)}")
        if test.pitfall and not (ROOT / "docs" / "pitfalls" / f"{test.pitfall}.md").is_file():
            raise BadLab(f"{path}: '{test.name}': there is no pitfall '{test.pitfall}'")
    tests = {test.name for test in lab.tests}
    for bug in lab.planted:
        if not lab.patch(bug).is_file():
            raise BadLab(f"{path}: there is no patch of '{bug.name}'")
        if not bug.loses or not tests.issuperset((*bug.loses, *bug.may_lose)):
            lost = [*bug.loses, *bug.may_lose]
            raise BadLab(f"{path}: '{bug.name}' loses {lost}: name at least one test of this lab")
