"""The kernel is asked about each case of lab 3 (kernel.py), and the right program gives the same answers."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from grader.cases import BadCase
from grader.host import Launch
from grader.local import LocalHost
from labkit import lab as labs
from labkit import modules, tree
from suite.protocol import ECHO

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the lab is about Linux")

LAB = labs.load(3)
EXPECTED = modules.load(LAB.directory / "expected.py")
FULL = ["0 open"] * 30  # 3 to 31, and then there is no number left


@pytest.fixture(scope="module")
def program() -> Path:
    return tree.reference(LAB, ECHO)


def said(program: Path, lines: list[str]) -> list[str]:
    with LocalHost().start(program, Launch(stdin=EXPECTED.stdin({"operations": lines}, ECHO))) as running:
        assert running.wait(60) == 0
        return running.output()[0].decode().splitlines()


@pytest.mark.parametrize(
    "lines",
    (
        [*FULL, "0 exec", "0 open", "0 close 9", "0 open", "0 exec", "0 open"],
        [*FULL, "0 fork", "1 exec", "1 close 5", "1 pipe", "1 close 6", "1 pipe", "0 open"],
        ["0 close 0", "0 close 1", "0 close 2", "0 exec", "0 pipe", "0 epoll", "0 exec", "0 flags 0"],
        [*FULL, "0 cloexec 7 on", "0 cloexec 31 on", "0 exec", "0 open", "0 open", "0 open"],
    ),
    ids=("full", "full-in-a-child", "without-streams", "full-with-room-after-it"),
)
def test_a_process_without_a_free_number_may_exec(program, lines):
    """Python, which plays the processes, opens files when it starts."""
    answers = EXPECTED.answers(lines)
    assert said(program, lines) == answers
    assert answers[lines.index(next(line for line in lines if line.endswith(" exec")))] == "0"


def any_case(seed: int) -> list[str]:
    """Operations that the grammar allows, on few numbers, so that they meet."""
    chance = random.Random(seed)
    alive, lines = [True, False, False, False], []
    for _ in range(80):
        process = chance.choice([number for number, lives in enumerate(alive) if lives])
        one, other = (chance.choice((*range(9), 31, 32, -1)) for _ in range(2))
        what = chance.choice(
            ["open", "pipe", "epoll", "fork", "exec", "exit", *["dup", "close", "flags"] * 2, "dup2", "nonblock",
             "cloexec", "write", "read", *["add", "mod", "del", "wait"] * 2]
        )  # fmt: skip
        if what == "fork":
            if all(alive):
                continue
            alive[alive.index(False)] = True
        elif what == "exit":
            if alive.count(True) == 1:
                continue
            alive[process] = False
        after = {"dup": f" {one}", "close": f" {one}", "flags": f" {one}", "wait": f" {one}",
                 "dup2": f" {one} {other}", "nonblock": f" {one} {chance.choice(('on', 'off'))}",
                 "cloexec": f" {one} {chance.choice(('on', 'off'))}", "write": f" {one} {chance.randint(1, 50)}",
                 "read": f" {one} {chance.randint(1, 50)}", "del": f" {one} {other}"}  # fmt: skip
        events = f" {one} {other} {chance.choice(('in', 'out', 'in+out'))}{chance.choice(('', ' edge'))}"
        lines.append(f"{process} {what}{events if what in ('add', 'mod') else after.get(what, '')}")
    return lines


@pytest.mark.parametrize("seed", range(12))
def test_the_kernel_and_the_right_program_agree(program, seed):
    lines = any_case(seed)
    for _ in range(len(lines)):
        try:
            answers = EXPECTED.answers(lines)
            break
        except BadCase as bad:  # one set in another is no part of the lab
            assert "one epoll set inside another" in str(bad)
            del lines[int(str(bad).split()[1].rstrip(":")) - 1]
    assert said(program, lines) == answers
