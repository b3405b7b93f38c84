"""The checks of one lab."""

from __future__ import annotations

import argparse
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from grader import one_test
from grader.local import LocalHost
from grader.noise import Noise
from grader.result import Result
from labkit import tree
from labkit.lab import Lab, Mistake, Test
from labkit.protocol import of_word

from selftest import cheats, solutions
from selftest.bench import Bench, as_graded, busy_machine, shown
from selftest.cheats import Cheat

TRIES = 3  # as the grader does: of a test that fails while the machine is busy
LEFT_OVER_WITHIN = 10.0  # seconds, for the kernel to end what was killed


# -- those whose points are known --------------------------------------------------------------------------------


def solutions_of(bench: Bench, lab: Lab, options: argparse.Namespace) -> None:
    def whole(name: str, write: Callable[[Path], None]) -> None:
        submission = bench.place(name)
        write(submission)
        solutions.add_the_rest(lab, bench.word, submission)
        expect_all(bench, lab, name, bench.grade(lab, bench.word, submission))

    whole("reference", lambda into: solutions.reference(lab, bench.word, into))
    for number, right in enumerate(solutions.right_ones(lab), 1):
        name = right.name if right.parent.name == lab.name else "another-frame"
        print(f"lab {lab.number}: the right solution {name}", flush=True)
        whole(f"right-{number}", lambda into: solutions.right(lab, bench.word, right, into))
    submission = bench.place("starter")
    solutions.starter(lab, bench.word, submission)
    result = bench.grade(lab, bench.word, submission)
    bench.row(lab, "starter", _points(result))
    _sane(bench, lab, "starter", result)
    for test in lab.tests:  # what even a program without an answer passes would weigh nothing
        if any(item.passed for item in result.items if item.name == test.name):
            bench.wrong(lab, "starter", f"passes '{test.name}', so that test weighs nothing")
    if result.points != lab.starter:
        bench.wrong(lab, "starter", f"has {result.points} points, and lab.toml says {lab.starter}")


def _points(result: Result) -> str:
    return "not graded" if result.fault else str(result.points)


def expect_all(bench: Bench, lab: Lab, who: str, result: Result) -> None:
    bench.row(lab, who, _points(result))
    _sane(bench, lab, who, result)
    for item in result.items:
        if item.points != item.of:
            bench.wrong(lab, who, shown(item))


def _sane(bench: Bench, lab: Lab, who: str, result: Result) -> None:
    """Everything is counted once, and weighs what lab.toml says."""
    if result.fault:
        bench.wrong(lab, who, f"not graded: {result.fault}")
        return
    weights = [("build", 5), *((test.name, test.points) for test in lab.tests)]
    weights += [(bug.name, bug.points) for bug in lab.bugs] + [(each.name, each.points) for each in lab.questions]
    if sorted((item.name, item.of) for item in result.items) != sorted(weights):
        bench.wrong(lab, who, "the items are not those of lab.toml, each once")
    for item in result.items:
        if item.points != (item.of if item.passed else 0):
            bench.wrong(lab, who, f"'{item.name}' has {item.points} of {item.of} points, passed: {item.passed}")


# -- planted bugs ------------------------------------------------------------------------------------------------


def bugs_of(bench: Bench, lab: Lab, options: argparse.Namespace) -> None:
    """The tests alone: what own tests catch shows in the points of the reference. That each test is lost by one of them
    is seen to by labs/tests/test_selftest.py."""
    for bug in lab.planted:
        if options.bugs and bug.name not in options.bugs:
            continue
        program = tree.patched(lab, of_word(bench.word), bug)

        def fails(test: Test) -> bool:
            return _fails(bench, lab, bug, test, program)

        lost = {test.name for test, fail in zip(lab.tests, bench.in_parallel(fails, lab.tests)) if fail}
        bench.row(lab, f"bug {bug.name}", str(60 + 5 - sum(test.points for test in lab.tests if test.name in lost)))
        for name in sorted(lost - {*bug.loses, *bug.may_lose}):
            bench.wrong(lab, bug.name, f"loses '{name}', which lab.toml does not list")
        for name in sorted(set(bug.loses) - lost):
            bench.wrong(lab, bug.name, f"does not lose '{name}', which lab.toml lists")


def _fails(bench: Bench, lab: Lab, bug: Mistake, test: Test, program: Path) -> bool:
    """A failure that lab.toml does not list has to come again when the machine was busy."""
    for _ in range(TRIES):
        noise = Noise()
        bench.played += 1
        outcome = one_test.run(lab, LocalHost(), program, lab.script_path(test), of_word(bench.word))
        if outcome.passed or test.name in bug.loses or not (outcome.noisy or noise.seen()):
            break
    return not outcome.passed


# -- repeats -----------------------------------------------------------------------------------------------------


def repeats_of(bench: Bench, lab: Lab, options: argparse.Namespace) -> None:
    """The reference, of which every item passes; and, a quarter as often, the starter, of which most fail."""
    for write, times in ((solutions.reference, options.repeat), (solutions.starter, options.repeat // 4)):
        submission = bench.place(write.__name__)
        write(lab, bench.word, submission)
        if write is solutions.reference:
            solutions.add_the_rest(lab, bench.word, submission)
        _repeat(bench, lab, submission, times)


def _repeat(bench: Bench, lab: Lab, submission: Path, times: int) -> None:
    who = f"{submission.name}, {times} times"

    def once(_: int) -> Result:
        return bench.grade(lab, bench.word, submission)

    results = [once(0) for _ in range(times - times // 2)]
    with busy_machine():
        results += bench.in_parallel(once, range(times // 2))
    different = [result for result in results if as_graded(result) != as_graded(results[0])]
    if results:
        bench.row(lab, who, f"{len(different)} differ")
    for result in (result for result in results if result.fault):
        bench.wrong(lab, who, f"not graded: {result.fault}")
    for result in different:
        for item, first in zip(result.items, results[0].items):
            if item.passed != first.passed:
                bench.wrong(lab, who, f"not as the first time: {shown(item)}")


# -- cheats ------------------------------------------------------------------------------------------------------


def cheats_of(bench: Bench, lab: Lab, options: argparse.Namespace) -> None:
    """Bombs go off while somebody honest is graded beside them."""
    chosen = [
        cheat
        for cheat in cheats.all_of_them()
        if cheat.lab == lab.number and (not options.cheats or cheat.name in options.cheats)
    ]
    honest = bench.place("honest")
    solutions.reference(lab, "", honest)
    with neighbour() as port:
        bench.in_parallel(lambda cheat: cheat_of(bench, lab, cheat, port), [c for c in chosen if not c.bomb])
        for cheat in (each for each in chosen if each.bomb):
            if bench.level.why_weak:
                print(f"lab {lab.number}: cheat {cheat.name}: left out: only a full sandbox holds it", flush=True)
                continue
            _beside_a_bomb(bench, lab, cheat, port, honest)


def _beside_a_bomb(bench: Bench, lab: Lab, cheat: Cheat, port: int, honest: Path) -> None:
    results: list[Result] = []
    beside = threading.Thread(target=lambda: results.append(bench.grade(lab, "", honest)))
    beside.start()
    cheat_of(bench, lab, cheat, port)
    beside.join()
    lost = [item for result in results for item in result.items if not item.passed]
    lost = [item for item in lost if item.part not in ("own", "questions")]
    if not results or results[0].fault or lost:
        words = "; ".join(map(shown, lost)) or (results[0].fault if results else "no result")
        bench.wrong(lab, cheat.name, f"an honest one beside it lost something: {words}")


def cheat_of(bench: Bench, lab: Lab, cheat: Cheat, port: int) -> None:
    into, out = bench.place("cheats"), bench.place("out") / "result"
    into.mkdir()
    out.mkdir(parents=True)
    began = time.monotonic()
    submission = cheats.write(cheat, into, out, port)
    result = bench.grade(lab, cheat.variant, submission, out)
    bench.row(lab, f"cheat {cheat.name}", _points(result))
    print(f"  {time.monotonic() - began:.0f} s", flush=True)
    _sane(bench, lab, cheat.name, result)
    lost = cheats.must_lose(cheat, lab)
    for item in result.items:
        if item.passed == lost.get(item.name, False):
            bench.wrong(lab, cheat.name, f"must {'not have' if item.passed else 'have'} its points: {shown(item)}")
    for left in _left_over(cheat, out):
        bench.wrong(lab, cheat.name, f"left {left}")


def _left_over(cheat: Cheat, out: Path) -> Iterator[str]:
    deadline = time.monotonic() + LEFT_OVER_WITHIN
    while cheat.bomb and (processes := _processes()) and time.monotonic() < deadline:
        time.sleep(0.2)
    if cheat.bomb and processes:
        yield f"{len(processes)} processes"
    yield from (str(out / name) for name in cheat.leaves_nothing if (out / name).exists())
    yield from map(str, Path("/tmp").glob(f"{cheats.MARK}*"))


def _processes() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if path.read_text().strip() == cheats.MARK:
                found.append(path.parent.name)
    return found


@contextlib.contextmanager
def neighbour() -> Iterator[int]:
    """Somebody who answers on this machine, by a port and by a name in the abstract namespace (unix(7))."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as port, socket.socket(socket.AF_UNIX) as name:
        number: int = port.getsockname()[1]
        name.bind(f"\0labs-neighbour-{number}")
        name.listen(128)
        yield number
