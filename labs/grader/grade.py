"""Grades one submission. This runs in the submission's own network namespace (level.py), so that its programs and the
peers that we play meet nobody else's."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labkit.lab import PARTS, ROOT, Lab, Test
from labkit.protocol import Protocol, of_word

from grader import explain, one_test, own, questions
from grader import submission as submissions
from grader.build import build
from grader.host import HostFault
from grader.level import Level, can_read
from grader.noise import Noise
from grader.profile import PROGRAM, SERVER
from grader.result import Item, Outcome, Result
from grader.sandbox import SandboxHost
from grader.sandboxed import LATE
from grader.submission import Submission

TRIES = 3  # of an item that fails while the machine is busy
Progress = Callable[[Result], None]


@dataclass
class Task:
    """One submission, and what all its items need."""

    lab: Lab
    word: str
    source: Path
    name: str
    level: Level
    progress: Progress  # called after each item

    def __post_init__(self) -> None:
        self.protocol: Protocol = of_word(self.word)
        self.result = Result(
            self.lab.number, self.word, self.name, self.level.name, title=self.lab.title
        )
        profile = SERVER if self.lab.kind == "server" else PROGRAM
        self.host = SandboxHost(self.level, profile)

    def add(self, *items: Item) -> None:
        self.result.items += items
        self.progress(self.result)


def grade(task: Task) -> Result:
    """Everything that the submission does costs it points at most. HostFault, and any other exception, is the fault of
    the grader or of the machine."""
    submission = submissions.take(task.source, task.lab)
    task.result.notes += submission.notes
    if task.level.why_weak and (task.level.user is None or can_read(ROOT)):
        task.result.notes.append(f"the submission can read the tests, because any user can enter {ROOT}")
    with build(task.lab, task.protocol, submission, task.level) as built:
        task.add(built.item)
        for test in sorted(task.lab.tests, key=lambda test: test.hidden):
            task.add(_test(task, test, built.program))
    _own(task, submission)
    _questions(task, submission)
    _check(task)
    task.result.complete = True
    task.progress(task.result)
    return task.result


# -- a test ----------------------------------------------------------------------------------------------------


def _test(task: Task, test: Test, program: Path | None) -> Item:
    item = Item(test.name, "hidden" if test.hidden else "visible", test.title, test.points)
    item.cause = test.cause
    item.pitfall = f"docs/pitfalls/{test.pitfall}.md" if test.pitfall else ""
    if program is None:
        item.came = "there is no program: it was not built"
        return item
    refused = task.host.refused
    outcome, item.note = _played(task, test, program)
    item.passed = outcome.passed
    item.points = item.of if outcome.passed else 0
    item.steps, item.expected, item.came = outcome.steps, outcome.expected, outcome.came
    if item.passed:
        item.cause = item.pitfall = ""
    elif not test.hidden and task.lab.kind == "server" and task.host.refused == refused and not outcome.late:
        item.trace = explain.trace(task.lab, task.protocol, task.host, program, task.lab.script_path(test))
    return item


def _played(task: Task, test: Test, program: Path) -> tuple[Outcome, str]:
    """What fails while the machine is busy is tried again, until it passes, or fails in the same way twice, or
    thrice. A program whose tests last again and again is not worth that."""
    before: list[Outcome] = []
    while True:
        noise = Noise()
        outcome = _play(task, test, program)
        task.host.late_tests += outcome.late
        seen = noise.seen() or ("the player saw that the machine was busy" if outcome.noisy else "")
        over = outcome.passed or not seen or outcome in before or len(before) + 1 == TRIES
        if over or outcome.late and task.host.late_tests >= LATE:
            tries = len(before) + 1
            return outcome, f"tried {tries} times, because the machine was busy" if tries > 1 else ""
        before.append(outcome)


def _play(task: Task, test: Test, program: Path) -> Outcome:
    return one_test.run(task.lab, task.host, program, task.lab.script_path(test), task.protocol)


# -- what needs no program of the submission -------------------------------------------------------------------


def _own(task: Task, submission: Submission) -> None:
    with tempfile.TemporaryDirectory(prefix="lab-own-") as folder:
        paths = []
        for name, content in sorted(submission.scripts.items()):
            path = Path(folder) / name
            path.write_bytes(content)
            paths.append(path)
        for item in own.grade(task.lab, task.protocol, paths):
            task.add(item)


def _questions(task: Task, submission: Submission) -> None:
    answers, why = questions.parsed(submission.answers or b"")
    notes = [f"cannot be read: {why}"] if why else questions.notes(task.lab, answers)
    task.result.notes += [f"{submissions.ANSWERS}: {note}" for note in notes]
    for item in questions.grade(task.lab, task.protocol, task.word, answers, why):
        task.add(item)


def _check(task: Task) -> None:
    """A part that is not whole would be points that nobody could get."""
    for part, of in PARTS.items():
        there = task.result.of_part(part)[1]
        if there != of:
            raise HostFault(f"the items of '{part}' are worth {there}, not {of}")
