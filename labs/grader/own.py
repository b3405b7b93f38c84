"""Grades a student's own tests. They are data: scripts, or cases of a program. The player plays them on programs of the
lab, never on the student's: first on right ones, where each has to pass, then on one program for each planted bug. A
bug is caught by a test that fails with it."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit import tree
from labkit.lab import ROOT, Bug, Lab
from suite import servers
from suite.protocol import Protocol
from suite.script import MOST_WAITING_OF_ALL, OF_LABS, BadScript, load

from grader import cases, one_test
from grader.local import LocalHost
from grader.result import Item, Outcome

TRIES = 3  # of a test that fails: it counts when it fails twice
PARTS_OF_A_VERDICT = (
    *("labs/grader/" + name for name in ("play.py", "subject.py", "cases.py", "stillness.py", "own.py", "local.py")),
    *("harness/suite/" + name for name in ("play.py", "script.py", "model.py", "protocol.py", "waiting.py")),
    "harness/suite/kernel.py",
)


@dataclass(frozen=True)
class Refusal:
    """Why a set of tests gets no points."""

    test: str
    why: str
    steps: tuple[str, ...] = ()
    expected: str = ""
    came: str = ""


def grade(lab: Lab, protocol: Protocol, own_paths: Sequence[Path]) -> list[Item]:
    """An item for each planted bug."""
    if not own_paths:
        return [_item(bug, came="you handed in no test of your own") for bug in lab.bugs]
    judge = Judge(lab, protocol)
    refusal = judge.refusal(own_paths)
    if refusal is not None:
        return [_refused(bug, refusal) for bug in lab.bugs]
    return [_graded(bug, judge.catches(bug, own_paths), len(own_paths)) for bug in lab.bugs]


def _item(bug: Bug, came: str = "", note: str = "") -> Item:
    expected = "one of your tests fails with this bug"
    return Item(bug.name, "own", bug.title, bug.points, expected=expected, came=came, note=note)


def _refused(bug: Bug, refusal: Refusal) -> Item:
    nothing = "no points for any bug, until all own tests are right"
    item = _item(bug, came=f"{refusal.test}: {refusal.why}", note=nothing)
    item.steps = list(refusal.steps)
    if refusal.came:
        item.came += f"\nThe test expects: {refusal.expected}\nA right program gives: {refusal.came}"
    return item


def _graded(bug: Bug, by: str, count: int) -> Item:
    if not by:
        tests = "your test passes" if count == 1 else f"your {count} tests all pass"
        return _item(bug, came=f"{tests} with it")
    item = _item(bug, note=f"caught by {by}")
    item.passed, item.points, item.expected = True, item.of, ""
    return item


def of_waiting(seconds: float) -> str:
    most = f"{MOST_WAITING_OF_ALL:g} seconds are the most"
    return f"with this test, your tests wait for {seconds:g} seconds in all; {most}"


class Judge:
    """Of one lab, in one variant."""

    def __init__(self, lab: Lab, protocol: Protocol):
        self.lab = lab
        self.protocol = protocol

    def refusal(self, paths: Iterable[Path]) -> Refusal | None:
        """The first test that cannot be played, with which they wait too long, or that fails on a right program."""
        waited = 0.0
        for path in paths:
            try:
                waited += self._waits(path)
                if waited > MOST_WAITING_OF_ALL:
                    return Refusal(path.name, of_waiting(waited))
                outcome = next((bad for right in self.rights if not (bad := self.verdict(path, right)).passed), None)
            except (BadScript, cases.BadCase) as error:
                return Refusal(path.name, str(error).removeprefix(f"{path}: "))
            if outcome is not None:
                why = "fails on a right program"
                return Refusal(path.name, why, tuple(outcome.steps), outcome.expected, outcome.came)
        return None

    def _waits(self, path: Path) -> float:
        return load(path, self.protocol, accepted=(OF_LABS,)).waits if self.lab.kind == "server" else 0

    def catches(self, bug: Bug, paths: Iterable[Path]) -> str:
        """The name of the first test that does; "" if none does."""
        program = tree.patched(self.lab, self.protocol, bug)
        return next((path.name for path in paths if not self.verdict(path, program).passed), "")

    @functools.cached_property
    def rights(self) -> list[Path]:
        """The project's own program, and those of the self-test, which are written otherwise."""
        from selftest import solutions

        found = [tree.reference(self.lab, self.protocol)]
        for solution in solutions.right_ones(self.lab):
            with tempfile.TemporaryDirectory(prefix="right-") as folder:
                solutions.right_files(self.lab, self.protocol, solution, Path(folder))
                found.append(tree.built(self.lab, self.protocol, Path(folder)))
        return found

    # -- one test, one program ---------------------------------------------------------------------

    def verdict(self, path: Path, program: Path) -> Outcome:
        """What the most of up to three tries say. It is kept: the next one who hands in this test need not wait."""
        kept = _cache() / f"{self._key(path, program)}.json"
        with contextlib.suppress(OSError, ValueError, TypeError):
            return Outcome(**json.loads(kept.read_text()))
        tries = [self._play(path, program)]
        while tries[-1].passed != tries[0].passed or not tries[0].passed and len(tries) < 2:
            tries.append(self._play(path, program))
            if len(tries) == TRIES:
                break
        passed = [each.passed for each in tries].count(True) * 2 > len(tries)
        outcome = next(each for each in reversed(tries) if each.passed == passed)
        if not outcome.noisy:
            _keep(kept, outcome)
        return outcome

    def _play(self, path: Path, program: Path) -> Outcome:
        return one_test.run(self.lab, LocalHost(), program, path, self.protocol)

    def _key(self, path: Path, program: Path) -> str:
        what = hashlib.sha256(f"{_of_player()}\0{self.lab.name}\0{self.protocol}\0{path.stem}\0".encode())
        with contextlib.suppress(OSError):  # what cannot be read is found out when it is played
            what.update(hashlib.sha256(path.read_bytes()).digest())
        what.update(program.read_bytes())
        expected = self.lab.directory / "expected.py"
        what.update(expected.read_bytes() if self.lab.kind == "program" else b"")
        return what.hexdigest()


@functools.cache
def _of_player() -> str:
    """Another player may say something else."""
    return hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in PARTS_OF_A_VERDICT)).hexdigest()


def _cache() -> Path:
    return servers.build_dir() / "labs" / "cache"


def _keep(path: Path, outcome: Outcome) -> None:
    """Whole or not at all: two graders may run at once."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(descriptor, "w") as stream:
            json.dump(asdict(outcome), stream)
        os.replace(name, path)
