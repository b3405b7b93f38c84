"""What `make check`, `make own` and `make hand-in` of a kit run. It is Python 3.11 or later and nothing else."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from grader import cases, play, questions, report_text
from grader.host import HostFault, Launch
from grader.local import LocalHost
from grader.result import Item, Outcome
from labkit import calls, modules
from suite import ending
from suite.protocol import Protocol
from suite.script import MOST_WAITING_OF_ALL, OF_LABS, BadScript
from suite.script import load as load_script

TOOLS = Path(__file__).resolve().parent.parent
KIT = TOOLS.parent
EXPECTED = TOOLS / "lab" / "expected.py"  # what the cases of a program become
EXAMPLE = "example.json"
MOST_OWN = 12
NO_TEST = "this is no test"


@dataclass(frozen=True)
class Kit:
    """kit.json: what there is to play, and to hand in."""

    lab: int
    title: str
    kind: str
    program: str
    variant: str
    protocol: Protocol
    files: list[str]
    tests: list[dict[str, Any]]
    questions: dict[str, str]  # their kinds
    needs: list[str]
    refuses: list[str]


def load() -> Kit:
    content = json.loads((TOOLS / "kit.json").read_text())
    content["protocol"] = Protocol(**content["protocol"])
    return Kit(**content)


# -- playing -----------------------------------------------------------------------------------------


def _play(kit: Kit, path: Path) -> Outcome:
    """Of a script, or of a case."""
    program = KIT / "build" / kit.program
    if kit.kind == "server":
        return play.play(LocalHost(), program, path, kit.protocol)
    return cases.run(LocalHost(), program, path, _expected(path), kit.protocol)


def _expected(path: Path) -> Any:
    """What a case becomes. Where that would be the answer, the kit has no program for it. A case of ours has two files
    beside it."""
    if EXPECTED.exists():
        return modules.load(EXPECTED)
    return SimpleNamespace(
        stdin=lambda case, protocol: path.with_suffix(".in").read_bytes(),
        expected=lambda case, protocol: path.with_suffix(".out").read_bytes(),
    )


def _graded(kit: Kit, item: Item, path: Path) -> Item:
    try:
        outcome = _play(kit, path)
    except HostFault as fault:  # the program is not to blame
        outcome = Outcome(False, came=f"the test could not be played: {fault}")
        item.cause = item.pitfall = ""
    except (BadScript, cases.BadCase) as error:
        outcome = Outcome(False, came=f"{NO_TEST}: {error}")
    item.passed, item.steps, item.expected, item.came = outcome.passed, outcome.steps, outcome.expected, outcome.came
    item.points = item.of if item.passed else 0
    if item.passed:
        item.cause = item.pitfall = ""
    elif outcome.noisy:
        item.note = "the machine was busy: try again"
    return item


# -- make check --------------------------------------------------------------------------------------


def check(kit: Kit, names: list[str]) -> int:
    known = [test["name"] for test in kit.tests]
    if unknown := [name for name in names if name not in known]:
        return _refuse(f"T={unknown[0]}: there is no such test; there are {', '.join(known)}")
    print(_head(kit))
    if why := _another_lab(kit):
        print(f"Your program is not what this lab is about: {why}.")
        return 1
    items = []
    for test in kit.tests:
        if not names or test["name"] in names:
            pitfall = f"pitfalls/{test['pitfall']}.md" if test["pitfall"] else ""
            item = Item(test["name"], "visible", test["title"], test["points"], cause=test["cause"], pitfall=pitfall)
            items.append(_graded(kit, item, KIT / "tests" / test["script"]))
            print(f"  {report_text.line(items[-1])}", flush=True)
    failed = [item for item in items if not item.passed]
    print()
    for item in failed:
        print("\n".join(report_text.failure(item)))
    print(f"Visible tests: {sum(item.points for item in items)} of {sum(item.of for item in items)} points.")
    print(_next_after_check(kit, failed, items))
    return 1 if failed else 0


def _another_lab(kit: Kit) -> str:
    """The grader looks at this, too."""
    objects = [f"build/{name.removesuffix('.c')}.o" for name in kit.files]
    if not shutil.which(calls.NM[0]):
        return ""
    symbols = subprocess.run([*calls.NM, *objects], cwd=KIT, capture_output=True, text=True).stdout
    return calls.another_lab(symbols, kit.needs, kit.refuses)


def _head(kit: Kit) -> str:
    return f"Lab {kit.lab}, {kit.title} (variant {kit.variant})\n"


def _next_after_check(kit: Kit, failed: list[Item], items: list[Item]) -> str:
    if failed:
        read = f" Read {failed[0].pitfall}." if failed[0].pitfall else ""
        return f"Next: {failed[0].name}. `make check T={failed[0].name}` plays that test alone.{read}"
    if len(items) < len(kit.tests):
        return "Next: `make check` plays all tests."
    return "\n".join(["There are hidden tests, too: the same ideas in other combinations.", *_still_to_do(kit)])


def _still_to_do(kit: Kit) -> list[str]:
    """What the rest of the points hangs on."""
    lines = []
    if [each.name for each in _own_tests()] in ([], [EXAMPLE]):
        lines.append("Next: write tests of your own in own/. They score for each planted bug that they catch.")
    if empty := _empty_answers(kit):
        lines.append(f"Next: answer the questions in answers.toml. Without an answer: {', '.join(empty)}.")
    lines += [f"Next: write {why}" for why in _unreadable_answers(kit)]
    return lines or ["Next: `make hand-in`."]


def _answers() -> tuple[dict[str, Any], str]:
    """As the grader reads them; or why it cannot."""
    try:
        return questions.parsed((KIT / "answers.toml").read_bytes())
    except OSError as error:
        return {}, str(error.strerror)


def _empty_answers(kit: Kit) -> list[str]:
    answers, why = _answers()
    if why:
        return [f"all of them: answers.toml: {why}"]
    return [name for name in kit.questions if answers.get(name, "") == ""]


def _unreadable_answers(kit: Kit) -> list[str]:
    """Whether one is right, the grader alone knows. Whether it is a number, anybody can say."""
    answers, _ = _answers()
    found = []
    for name, kind in kit.questions.items():
        try:
            if answers.get(name, "") != "":
                questions.READERS[kind](answers[name])
        except questions.Unreadable as why:
            found.append(f"'{name}' in answers.toml otherwise ({why}): {questions.HOW[kind].removeprefix('write ')}.")
    return found


# -- make own ----------------------------------------------------------------------------------------


def _own_tests() -> list[Path]:
    return sorted((KIT / "own").glob("*.json"))


def own(kit: Kit, names: list[str]) -> int:
    paths = _own_tests()
    if unknown := [name for name in names if name not in [path.stem for path in paths]]:
        return _refuse(f"T={unknown[0]}: there is no own/{unknown[0]}.json")
    if len(paths) > MOST_OWN:
        print(f"own/ has {len(paths)} tests; only the first {MOST_OWN}, by name, are taken.")
    if kit.kind == "program" and not EXPECTED.exists():
        return _show(kit, paths)
    print(_head(kit))
    items = []
    for path in paths[:MOST_OWN]:
        if not names or path.stem in names:
            items.append(_graded(kit, Item(path.stem, "own", "on your own program", 0), path))
            print(f"  {'pass' if items[-1].passed else 'FAIL'}  own/{path.name}", flush=True)
    failed = [item for item in items if not item.passed]
    print()
    for item in failed:
        print("\n".join(report_text.failure(item)))
    waits = _waits(kit, paths[:MOST_OWN])
    if waits > MOST_WAITING_OF_ALL:
        most = f"{MOST_WAITING_OF_ALL:g} seconds are the most"
        print(f"Your tests wait for {waits:g} seconds in all; {most}.")
    print(
        "The grader plays them on right programs, where each must pass, and then on programs with planted bugs.\n"
        "A test scores for each bug with which it fails. If one of your tests fails on a right program, none scores."
    )
    if waits > MOST_WAITING_OF_ALL:
        print("Next: let them wait for less. Otherwise no test scores.")
    elif any(item.came.startswith(NO_TEST) for item in failed):
        print("Next: write what is no test anew. With one of them in own/, no test scores.")
    elif failed:
        print("Next: has the test found a mistake in your program, or does it expect too much?")
    else:
        print("Next: put a planted bug into your own program. If no test fails, none catches it. Take it out again.")
    return 1 if failed or waits > MOST_WAITING_OF_ALL else 0


def _waits(kit: Kit, paths: list[Path]) -> float:
    """Seconds, of those that can be read."""
    seconds = 0.0
    for path in paths if kit.kind == "server" else ():
        with contextlib.suppress(BadScript):
            seconds += load_script(path, kit.protocol, accepted=(OF_LABS,)).waits
    return seconds


def _show(kit: Kit, paths: list[Path]) -> int:
    """The right output would be the answer of the lab: the grader has it, the kit does not."""
    module, wrong = modules.load(EXPECTED.with_name("stdin.py")), 0
    for path in paths:
        print(f"own/{path.name}: your program prints")
        try:
            data = module.stdin(cases.load(path), kit.protocol)
            with LocalHost().start(KIT / "build" / kit.program, Launch(stdin=data)) as running:
                running.wait(60.0)
                print("".join(f"    {line}\n" for line in running.output()[0].decode(errors="replace").splitlines()))
        except (OSError, ValueError, cases.BadCase) as error:
            print(f"    this is no case: {error}")
            wrong = 1
    print("Work the right output out by hand, and compare. The grader knows it.")
    return wrong


# -- make hand-in ------------------------------------------------------------------------------------


def hand_in(kit: Kit) -> int:
    paths = [KIT / name for name in kit.files] + [KIT / "answers.toml"]
    if missing := [path.name for path in paths if not path.is_file()]:
        return _refuse(f"{missing[0]} is missing: it is a part of what you hand in")
    paths += _own_tests()[:MOST_OWN]
    archive = KIT / "hand-in.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for path in paths:
            tar.add(path, str(path.relative_to(KIT)))
    print(f"{archive.name}: {', '.join(str(path.relative_to(KIT)) for path in paths)}")
    print("\n".join(line for line in _still_to_do(kit) if "hand-in" not in line) or "Nothing is missing.")
    return 0


def _refuse(why: str) -> int:
    print(why, file=sys.stderr)
    return 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="make")
    parser.add_argument("what", choices=("check", "own", "hand-in"))
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    kit = load()
    if arguments.what == "hand-in":
        return hand_in(kit)
    return (check if arguments.what == "check" else own)(kit, arguments.names)


if __name__ == "__main__":
    ending.run(main, "check", unread=1)
