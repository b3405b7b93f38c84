"""What the self-test is made of: cheats that would work if nothing held them, and solutions that are really right."""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from grader import one_test
from grader.local import LocalHost
from grader.result import Item, Outcome, Result
from labkit import lab as labs
from labkit import tree
from labkit.protocol import SHAPES, of_word
from labkit.sources import text
from selftest import bench, cheats, checks, frames, solutions
from suite import servers
from suite.protocol import ECHO, Protocol

STRICT = ("-std=c17", "-O1", *servers.warnings())
CHEATS = cheats.all_of_them()
LABS = [labs.read(path) for path in labs.directories()]


# -- cheats ------------------------------------------------------------------------------------------------------


def test_there_are_enough_cheats():
    assert len(CHEATS) >= 16
    assert len({cheat.tries for cheat in CHEATS}) == len(CHEATS)
    assert all(cheat.loses for cheat in CHEATS), "a cheat that loses nothing is none"


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.name)
def test_a_cheat_names_what_its_lab_has(cheat):
    if cheat.lab not in [lab.number for lab in LABS]:
        pytest.skip(f"lab {cheat.lab} is not there")
    assert any(cheats.must_lose(cheat, labs.load(cheat.lab)).values())


def _first_test(lab: labs.Lab) -> labs.Test:
    return next(test for test in lab.tests if not test.hidden)


def _outcome(lab: labs.Lab, program: Path) -> Outcome:
    return one_test.run(lab, LocalHost(), program, lab.script_path(_first_test(lab)), ECHO)


@pytest.mark.parametrize("cheat", [cheat for cheat in CHEATS if cheat.works_outside], ids=lambda cheat: cheat.name)
def test_a_trick_works_where_nothing_holds_it(cheat, tmp_path, monkeypatch):
    """Otherwise its failure in the sandbox would say nothing about the sandbox."""
    lab = labs.load(cheat.lab)
    monkeypatch.chdir(tmp_path)  # where one that remembers leaves its note
    with checks.neighbour() as port:
        submission = cheats.write(cheat, tmp_path, tmp_path / "out", port)
        program = tree.built(lab, ECHO, submission)
        outcomes = [_outcome(lab, program) for _ in range(2)]  # one that remembers works the second time
    assert outcomes[-1].passed, outcomes[-1].came


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    for path in (*Path("/tmp").glob(f"{cheats.MARK}*"), *Path("/dev/shm").glob(f"{cheats.MARK}*")):
        path.unlink(missing_ok=True)  # another worker of a parallel run may have been here
    subprocess.run(["ipcrm", "-M", "0x6c616273"], capture_output=True)


# -- planted bugs ------------------------------------------------------------------------------------------------

# Items that a program can lose and that no planted bug loses, with the reason.
NO_BUG_LOSES = {
    "build": "a planted bug is a patch that compiles; cheats such as silences-warnings lose this item",
}
# Items that are lost only together with most of the others, with the reason.
LOST_WITH_MOST = {
    "one-frame": "who cannot answer one frame can answer no other",
    "one-peer": "who cannot serve one peer can serve no other",
    "silent-peers": "who waits for one peer alone serves no other, whatever that one does",
    "half-close": "each script ends with a half-close of whoever is left",
    "served": "who does not serve three peers at rest serves none in trouble",
}


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_each_item_is_lost_by_a_planted_bug(lab):
    """A test that none fails may be one that no program fails. That each bug loses what is listed for it is the
    self-test's question. Own tests and answers are no program's to lose."""
    lost = {name for bug in lab.planted for name in bug.loses}
    assert {"build", *(test.name for test in lab.tests)} - lost == set(NO_BUG_LOSES)


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_each_item_is_lost_by_a_bug_that_is_about_it(lab):
    """One bug that fails every test would be enough for the test above, and would say nothing of any."""
    names = {test.name for test in lab.tests}
    lost = {name for bug in lab.planted if 4 * len(bug.loses) <= 3 * len(names) for name in bug.loses}
    assert names - lost == names & set(LOST_WITH_MOST)


@pytest.mark.parametrize("item", NO_BUG_LOSES)
def test_what_no_bug_loses_a_cheat_does(item):
    assert any(item in cheat.loses for cheat in CHEATS)


# -- right solutions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
@pytest.mark.parametrize("word", ["", "another-word"])
def test_right_solutions_compile_without_a_warning(lab, word, tmp_path):
    """tree.built() would not mind one: only the grader counts it."""
    protocol = of_word(word)
    for number, solution in enumerate(solutions.right_ones(lab)):
        into = tmp_path / f"{number}"
        solutions.right_files(lab, protocol, solution, into)
        out = into / "out"
        out.mkdir()
        for command in tree.compile_commands(lab, str(tree.given(lab, protocol)), str(into), str(out)):
            said = subprocess.run(command, capture_output=True, text=True)
            assert (said.returncode, said.stderr) == (0, ""), said.stderr


def test_each_lab_has_a_right_solution_and_two_are_whole_files():
    whole = {path.parent.parent.name for path in (solutions.HERE / "right").glob("*/*/server.c")}
    assert len(whole) >= 2
    assert all(solutions.right_ones(lab) for lab in LABS)


def test_a_function_that_no_file_has_is_an_error(tmp_path):
    solution = tmp_path / "solution"
    solution.mkdir()
    (solution / "no_such_function.c").write_text("int no_such_function(void)\n{\n    return 0;\n}\n")
    with pytest.raises(labs.BadLab, match="no_such_function"):
        solutions.right_files(labs.load(1), ECHO, solution, tmp_path / "into")


class CScan(ctypes.Structure):
    _fields_ = [("whole", ctypes.c_size_t), ("frames", ctypes.c_uint64), ("oversize", ctypes.c_bool)]


def _function(protocol: Protocol, folder: Path):
    header = text(protocol, "common/frame.h")
    (folder / "frame.h").write_text(header)
    (folder / "frame.c").write_text(frames.right(protocol, header))
    command = ["cc", *STRICT, "-Werror", "-shared", "-fPIC", "-o", folder / "frame.so", folder / "frame.c"]
    said = subprocess.run(command, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    function = ctypes.CDLL(str(folder / "frame.so")).frame_scan
    function.restype = CScan
    return function


SAMPLE = SHAPES if os.environ.get("ALL_SHAPES") else SHAPES[::9]  # 9 and the factors of 128 share none


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("protocol", SAMPLE, ids=str)
def test_the_other_frame_c_says_what_the_model_says(protocol, tmp_path):
    protocol = replace(protocol, max_frame=300)
    scan, dice = _function(protocol, tmp_path), random.Random(15)
    for _ in range(100):
        stream = b"".join(protocol.frame(dice.randbytes(dice.choice([0, 1, 2, 5, 300]))) for _ in range(3))
        stream += dice.choice([b"", protocol.header(301), protocol.header(9) + b"x", dice.randbytes(20)])
        stream = stream[: dice.randint(0, len(stream))] if dice.random() < 0.4 else stream
        held = ctypes.create_string_buffer(stream, max(len(stream), 1))
        came = scan(held, ctypes.c_size_t(len(stream)), ctypes.c_uint32(300))
        assert (came.whole, came.frames, came.oversize) == tuple(protocol.scan(stream))
        assert held.raw[: came.whole] == protocol.replies(stream)


@pytest.mark.parametrize("page", ["README.md", "instructors.md"])
@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_the_pages_say_how_long_a_lab_takes(lab, page):
    rows = [line.split("|") for line in (labs.LABS / page).read_text().splitlines() if line.startswith("| ")]
    mine = [row for row in rows if row[1].strip().lstrip("[").startswith(f"{lab.number} ")]
    assert [row[-2].strip() if page == "README.md" else row[3].strip() for row in mine] == [f"{lab.hours}"]


# -- the runner --------------------------------------------------------------------------------------------------


def _bench(tmp_path: Path) -> bench.Bench:
    return bench.Bench(tmp_path, None, "", 1)  # type: ignore[arg-type]


def _result(lab: labs.Lab, lost: str = "") -> Result:
    """As if graded: everything had, but for one item."""
    parts = [("build", "build", 5)] + [(t.name, "hidden" if t.hidden else "visible", t.points) for t in lab.tests]
    parts += [(each.name, "own", each.points) for each in lab.bugs]
    parts += [(each.name, "questions", each.points) for each in lab.questions]
    items = [Item(name, part, name, of, 0 if name == lost else of, name != lost) for name, part, of in parts]
    return Result(lab.number, "", "x", "none", items)


def test_a_whole_result_is_right_and_one_without_an_item_is_not(tmp_path):
    lab = LABS[0]
    held = _bench(tmp_path)
    checks.expect_all(held, lab, "reference", _result(lab))
    assert held.faults == []
    checks.expect_all(held, lab, "reference", _result(lab, lost=lab.tests[0].name))
    assert len(held.faults) == 1 and lab.tests[0].name in held.faults[0]


def test_an_item_that_is_counted_twice_is_found(tmp_path):
    lab, held = LABS[0], _bench(tmp_path)
    result = _result(lab)
    result.items.append(result.items[-1])
    checks.expect_all(held, lab, "reference", result)
    assert any("each once" in fault for fault in held.faults)


def test_points_that_do_not_follow_from_passing_are_found(tmp_path):
    lab, held = LABS[0], _bench(tmp_path)
    result = _result(lab)
    result.items[1].passed = False
    checks.expect_all(held, lab, "reference", result)
    assert any("passed: False" in fault for fault in held.faults)


def test_a_fault_of_the_grader_is_no_score(tmp_path):
    lab, held = LABS[0], _bench(tmp_path)
    result = _result(lab)
    result.fault = "no room on the disk"
    checks.expect_all(held, lab, "reference", result)
    assert held.rows["reference"][lab.number] == "not graded"
    assert "no room on the disk" in held.faults[0]


def test_a_cheat_that_gets_its_points_is_found(tmp_path, monkeypatch):
    lab, held = labs.load(1), _bench(tmp_path)
    cheat = next(cheat for cheat in CHEATS if cheat.name == "prints-pass")
    monkeypatch.setattr(held, "grade", lambda *_: _result(lab))
    checks.cheat_of(held, lab, cheat, 9)
    assert len([fault for fault in held.faults if "must not have" in fault]) == len(
        [*lab.tests, *lab.bugs, *lab.questions]
    )


def test_repeats_that_differ_are_found(tmp_path, monkeypatch):
    lab, held = labs.load(1), _bench(tmp_path)
    results = iter([_result(lab), _result(lab, lost=lab.tests[2].name), *[_result(lab)] * 6])
    monkeypatch.setattr(held, "grade", lambda *_: next(results))
    monkeypatch.setattr(solutions, "add_the_rest", lambda *_: None)
    checks.repeats_of(held, lab, argparse.Namespace(repeat=4))
    assert len(held.faults) == 1 and lab.tests[2].name in held.faults[0]


def test_the_table_has_a_row_for_each_solution(tmp_path):
    held = _bench(tmp_path)
    held.row(LABS[0], "reference", "100")
    assert held.table(LABS[:1]).splitlines()[-1] == "| reference | 100 |"
