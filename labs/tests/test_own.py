"""Own tests have points for the bugs that they catch, and none at all if one of them is wrong. Cases of programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import wrong_server

from grader import cases, own, stillness
from grader.local import LocalHost
from labkit import tree
from labkit.lab import Bug, Lab
from suite.protocol import ECHO

BUGS = (
    Bug("silent", "answers nothing", ("one",), points=10),
    Bug("early", "answers too early", ("one",), points=15),
)

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the labs are graded on Linux")


def program(directory: Path, fault: str) -> Path:
    """wrong_server.py with a fault."""
    return wrong_server.written(directory / f"server-{fault}", fault)


def lab(directory: Path, kind: str = "server") -> Lab:
    return Lab(
        9, directory, "", "", 1, kind, "server", sources=(), needs=(), refuses=(), starter=0, files=(), tests=(),
        bugs=BUGS, questions=(),
    )  # fmt: skip


@pytest.fixture
def grade(tmp_path, monkeypatch):
    """Grades scripts. The right programs and those with bugs are Python's."""
    rights = [program(tmp_path, "none")]
    monkeypatch.setattr(own, "_cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(own.Judge, "rights", rights)
    monkeypatch.setattr(tree, "patched", lambda lab, protocol, bug: program(tmp_path, bug.name))

    def graded(**scripts: Any) -> dict[str, Any]:
        paths = []
        for name, content in scripts.items():
            paths.append(tmp_path / f"{name}.json")
            whole = {"schema": "script/2", "actions": content} if isinstance(content, list) else content
            paths[-1].write_text(whole if isinstance(whole, str) else json.dumps(whole))
        return {item.name: item for item in own.grade(lab(tmp_path), ECHO, paths)}

    graded.rights = rights  # type: ignore[attr-defined]
    return graded


WHOLE = [{"do": "send", "frames": [5]}, {"do": "settle"}]
HALF = [{"do": "send", "frames": [5], "hold": 2}, {"do": "settle"}, {"do": "half_close"}]
NOTHING = [{"do": "connect"}, {"do": "settle"}]


def test_a_bug_is_caught_by_a_test_that_fails_with_it(grade):
    items = grade(whole=WHOLE)  # "early" sends back what came: right, if it came at once
    assert (items["silent"].points, items["silent"].note) == (10, "caught by whole.json")
    assert items["early"].points == 0 and items["early"].came == "your test passes with it"
    items = grade(nothing=NOTHING, half=HALF)
    assert (items["early"].points, items["early"].note) == (15, "caught by half.json")
    assert items["silent"].points == 0 and items["silent"].came == "your 2 tests all pass with it"


def test_a_byte_order_mark_costs_nothing(grade, tmp_path):
    """Editors on Windows put it first. In answers.toml it costs nothing either."""
    assert grade(whole="\ufeff" + json.dumps({"schema": "script/2", "actions": WHOLE}))["silent"].points == 10
    (tmp_path / "case.json").write_text('\ufeff{"text": "a"}')
    assert cases.load(tmp_path / "case.json") == {"text": "a"}


def test_no_tests_have_no_points(grade):
    items = grade()
    assert [item.points for item in items.values()] == [0, 0] and "no test of your own" in items["early"].came


@pytest.mark.parametrize(
    "wrong, why",
    [
        ([{"do": "expect_exit"}], "fails on a right program"),
        ([{"do": "sned"}], "action 1: 'sned' is not one of"),
        ("{", "Expecting"),
        pytest.param("[" * 50_000, "Expecting" if sys.version_info >= (3, 14) else "recursion", id="nested"),
        ('{"schema": "script/1", "actions": [{"do": "settle"}]}', 'no script: "schema" is not "script/2"'),
        ('{"schema": ["script/2"], "actions": [{"do": "settle"}]}', 'no script: "schema" is not "script/2"'),
        ('{"schema": "script/2", "actions": [{"do": "wait"}]}', "action 1:"),
    ],
)
def test_one_wrong_test_costs_all_points_and_says_why(grade, wrong, why):
    items = grade(whole=WHOLE, half=HALF, zz=wrong)
    for item in items.values():
        assert item.points == 0 and not item.passed and item.came.startswith("zz.json: ")
        assert why in item.came and "no points for any bug" in item.note
        assert "/" not in item.came.splitlines()[0].replace('"script/2"', "")


def test_tests_that_wait_too_long_together_are_refused_by_what_they_say(grade, monkeypatch):
    """Not by a clock. Each alone may wait that long."""
    monkeypatch.setattr(own.Judge, "_play", lambda *_: own.Outcome(True))
    waits = {"schema": "script/2", "idle_timeout": 5, "actions": [{"do": "stall"}, {"do": "idle"}]}
    assert all("seconds" not in item.came for item in grade(a=waits, b=waits, c=WHOLE).values())
    for item in grade(a=waits, b=waits, c=waits, d=WHOLE).values():
        told = "with this test, your tests wait for 30 seconds in all; 24 seconds are the most"
        assert item.points == 0 and item.came == f"c.json: {told}"


def test_a_test_must_pass_on_each_right_program(grade, tmp_path):
    """One that only the project's own program passes is wrong: another right one may do it otherwise."""
    grade.rights.append(program(tmp_path, "holds"))
    few = [*WHOLE, {"do": "expect_memory", "most": 1 << 20}]
    items = grade(few=few)
    assert [item.points for item in items.values()] == [0, 0]
    assert "A right program gives: " in items["silent"].came and items["silent"].steps


def test_a_verdict_is_kept_by_what_is_played(grade, monkeypatch, tmp_path):
    first = grade(whole=WHOLE)
    assert len(list((tmp_path / "cache").iterdir())) == 3  # the right one, and each bug
    monkeypatch.setattr(own.Judge, "_play", None)
    assert grade(whole=WHOLE) == first
    with pytest.raises(TypeError):  # another test is played
        grade(whole=HALF)


def test_what_fails_once_is_tried_again(grade, monkeypatch):
    told = iter([True, False, True, True, False, False, False, True, False])
    outcomes: list[bool] = []

    def play(self: own.Judge, path: Path, program: Path) -> Any:
        outcomes.append(next(told))
        return own.Outcome(outcomes[-1])

    monkeypatch.setattr(own.Judge, "_play", play)
    items = grade(whole=WHOLE)
    # right: True; the first bug: False, True, True; the second one: False, False
    assert outcomes == [True, False, True, True, False, False]
    assert [items["silent"].points, items["early"].points] == [0, 15]


# -- cases ---------------------------------------------------------------------------------------------------


def _stdin(case: dict[str, Any], protocol: Any) -> bytes:
    if "text" not in case:
        raise cases.BadCase("there is no text")
    return str(case["text"]).encode()


UPPER = SimpleNamespace(stdin=_stdin, expected=lambda case, protocol: str(case["text"]).upper().encode())
PROGRAMS = {
    "right": "import sys; sys.stdout.write(sys.stdin.read().upper())",
    "wrong": "import sys; sys.stdout.write(sys.stdin.read())",
    "short": "import sys; sys.stdout.write(sys.stdin.read().upper()[:4])",
    "more": "import sys; sys.stdout.write(sys.stdin.read().upper() + 'more')",
    "status": "import sys; print(sys.stdin.read().upper(), flush=True); print('why', file=sys.stderr); sys.exit(3)",
    "crash": "import os, sys; sys.stdout.write(sys.stdin.read().upper()); sys.stdout.flush(); os.abort()",
    "sleeps": "import time; time.sleep(600)",
    "loud": "import os\nwhile True: os.write(1, b'x' * 65536)",
    "reads-nothing": "print('A\\nB')",
}


def run_case(directory: Path, name: str, text: str = "a\nb\n") -> Any:
    path = directory / name
    path.write_text(f"#!{sys.executable}\n{PROGRAMS[name]}\n")
    path.chmod(0o755)
    case = directory / "case.json"
    case.write_text(json.dumps({"text": text, "about": "letters"}))
    return cases.run(LocalHost(), path, case, UPPER, ECHO)


def test_a_program_is_right_when_its_output_is(tmp_path):
    outcome = run_case(tmp_path, "right")
    assert outcome.passed and outcome.steps == ["the program reads 4 bytes: the case case (letters)"]
    assert run_case(tmp_path, "reads-nothing").passed


@pytest.mark.parametrize(
    "name, expected, came",
    [
        ("wrong", "line 1: A", "line 1: a"),
        ("short", "line 3: C", "no line 3: 2 lines in all"),
        ("more", "no line 3: 2 lines in all", "line 3: more (without a newline at its end)"),
        ("status", "exit status 0", "exit status 3\nwhy"),
        ("crash", "exit status 0", "SIGABRT"),
        ("sleeps", "the program ends", "it does not: it sleeps"),
    ],
)
def test_a_program_is_wrong_when_its_output_is(tmp_path, name, expected, came):
    outcome = run_case(tmp_path, name, "a\nb\nc\nd\n" if name == "short" else "a\nb\n")
    assert not outcome.passed and not outcome.noisy
    assert (outcome.expected, outcome.came) == (expected, came)


def test_output_without_end_is_read_and_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(cases, "COMPUTES", 0.3)
    monkeypatch.setattr(stillness, "WAKES", 1_000_000)  # on a busy machine it sleeps often: noticed first
    outcome = run_case(tmp_path, "loud")
    assert not outcome.passed and "processor time" in outcome.came


@pytest.mark.parametrize("content", ["[", "[1]", "{}", '"x"', "[" * 50_000, '{"text": 1' + "0" * 5000 + "}"])
def test_a_bad_case_costs_one_line(tmp_path, content):
    path = tmp_path / "case.json"
    path.write_text(content)
    with pytest.raises(cases.BadCase) as caught:
        cases.run(LocalHost(), Path("/bin/cat"), path, UPPER, ECHO)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_lines_that_cannot_be_printed_are_escaped():
    assert cases.difference(b"a\n", b"\xff\n") == ("line 1: a", "line 1: \\xff")
    assert cases.difference(b"a\n", b"a\0\n") == ("line 1: a", "line 1: a\\x00")
