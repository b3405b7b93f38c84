"""What people write for a right answer is taken, and the usual wrong answers are not. No answer breaks the grader."""

from __future__ import annotations

import dataclasses
import tomllib
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from grader import questions
from grader.host import HostFault
from grader.questions import Answer, Unreadable
from labkit.lab import Lab, Question
from suite.protocol import ECHO

NESTED: Any = []
for _ in range(100_000):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    "given, right",
    [
        (3, 3), ("3", 3), ("3.0", 3), (3.0, 3), (" 3 ", 3), ("+3", 3), ("3.", 3), ("= 3", 3), ("0x3", 3), (0x3, 3),
        ("0b11", 3), ("3 bytes", 3), ("3 calls", 3), ("3 ms", 3), ("-3", -3), ("about 3", 3), ("003", 3),
        ("1,001", 1001), ("1 001", 1001), ("1_001", 1001), ("1'001", 1001), ("1\u202f001", 1001),
        ("1,234,567", 1234567),
        ("1,001.5", Fraction(2003, 2)), (0.1, Fraction(1, 10)), ("0.1", Fraction(1, 10)), ("3 recv()", 3),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(given, right):
    assert questions.number(given)[0] == right


@pytest.mark.parametrize(
    "given",
    [
        True, False, "", "three", "3 or 4", "3-4", "2..3", "3,4", "1,00", "4 KiB", "4k", "2 s", "2 seconds", "3 MB",
        "1e3", "10 thousand", "0x", "0xg", "--3", "3 bytes each", float("nan"), float("inf"), [3], {"a": 3}, NESTED,
        "9" * 3000, "3\n4", "½", "³", "٣ ٤", "3 bits",
    ],
)  # fmt: skip
def test_what_is_no_number(given):
    with pytest.raises(Unreadable):
        questions.number(given)


@pytest.mark.parametrize(
    "given",
    [
        "00 03 61", "000361", "00:03:61", "00-03-61", "0x00 0x03 0x61", "0x00, 0x03, 0x61", "0x000361", "0x000x030x61",
        "[0x00, 0x03, 0x61]", "{0x00,0x03,0x61}", "0 3 61", "00 03 61 ", "00  03\n61", "0003 61", r"\x00\x03a",
        r"\x00\x03\x61", r"\0\3a", r"b'\x00\x03a'", r'"\x00\3a"', [0, 3, 97], "00h 03h 61h", "00.03.61",
    ],
)  # fmt: skip
def test_bytes_as_people_write_them(given):
    assert questions.as_bytes(given)[0] == b"\0\3a"


@pytest.mark.parametrize(
    "given",
    ["", "abc", "0", "00 03 zz", "00 03 a61", r"\x0", r"\400", "\\", "é\\0", 361, True, [256], [-1], [True],
     ["61"], {}, NESTED, "00 03 61 or 00 03 62", "6" * 3000, "a"],
)  # fmt: skip
def test_what_is_no_bytes(given):
    with pytest.raises(Unreadable):
        questions.as_bytes(given)


@pytest.mark.parametrize("given", ["00 61 03", "0 0 3 61", "3 97", "61 03 00", r"\x00\x03A", "0361", [0, 3, 61]])
def test_wrong_bytes_are_read_and_are_not_right(given):
    assert questions.as_bytes(given)[0] != b"\0\3a"


@pytest.mark.parametrize(
    "given",
    ["EPOLLHUP", "epollhup", " EpollHup ", "`EPOLLHUP`", "'EPOLLHUP'", "the EPOLLHUP", "EPOLLHUP.", "The epollhup!"],
)
def test_words_as_people_write_them(given):
    assert questions.word(given)[0] == "epollhup"


@pytest.mark.parametrize(
    "given, same",
    [("recv(2)", "recv"), ("recv()", "recv"), ("in the recv(2) system call.", "recv"), ("recvfrom syscall", "recvfrom"),
     ("the EPOLLHUP flag", "EPOLLHUP"), ("EPOLLHUP event", "EPOLLHUP"), ("half close", "half-close"),
     ("A  listen   queue", "listen queue"), ("“level triggered”", "level-triggered"), ("the EMFILE error", "EMFILE"),
     ("errno EMFILE", "emfile"), ("EV_CLEAR flag.", "EV_CLEAR"), ("flag EV_CLEAR", "EV_CLEAR"), ("RST packet", "RST"),
     ("recv system call", "recv")],
)  # fmt: skip
def test_words_that_are_the_same(given, same):
    assert questions.word(given)[0] == questions.word(same)[0]


@pytest.mark.parametrize("given", ["flag", "the error", "event", "packet"])
def test_a_word_that_names_a_kind_alone_stays(given):
    assert questions.word(given)[0] == given.removeprefix("the ")


def test_wrong_words_are_not_right():
    wrong = ("EPOLLHUP EPOLLERR", "EPOLLHUP or EPOLLERR", "EPOLLRDHUP", "not EPOLLHUP", "HUP EPOLL", "no EPOLLHUP flag")
    for given in (*wrong, "EPOLLRDHUP flag", "EPOLLHUP or EPOLLERR event"):
        assert questions.word(given)[0] != "epollhup"


@pytest.mark.parametrize("given", [3, True, ["EPOLLHUP"], {}, NESTED, "", " . ", "the", "x" * 3000])
def test_what_is_no_word(given):
    if given == "the":
        assert questions.word(given)[0] == "the"
        return
    with pytest.raises(Unreadable):
        questions.word(given)


# -- a lab's questions ---------------------------------------------------------------------------------------

ANSWERS = """
from grader.questions import Answer
def answers(protocol, word):
    return {
        "count": Answer("number", 5),
        "figure": Answer("number", (10, 12), within=0.5),
        "frame": Answer("bytes", protocol.frame(b"a")),
        "flag": Answer("word", ("EPOLLRDHUP", "RDHUP")),
    }
"""
QUESTIONS = (
    Question("count", "How many?", 3, "number"), Question("figure", "How many\nabout?", 2, "number"),
    Question("frame", "Which bytes?", 3, "bytes"), Question("flag", "Which flag?", 2, "word"),
)  # fmt: skip


def lab(directory: Path, answers: str = ANSWERS) -> Lab:
    (directory / "answers.py").write_text(answers)
    return Lab(
        1, directory, "", "", 1, "server", "epoll_lt", sources=(), needs=(), refuses=(), starter=0, files=(), tests=(),
        bugs=(), questions=QUESTIONS,
    )  # fmt: skip


def graded(directory: Path, toml: str) -> list[int]:
    return [item.points for item in questions.grade(lab(directory), ECHO, "", tomllib.loads(toml))]


def test_right_answers_have_all_points(tmp_path):
    right = 'count = 5\nfigure = "11.6"\nframe = "00 00 00 01 61"\nflag = "rdhup"\n'
    assert graded(tmp_path, right) == [3, 2, 3, 2]
    assert graded(tmp_path, 'count = "5"\nfigure = 10\nframe = [0, 0, 0, 1, 97]\nflag = "EPOLLRDHUP"\n') == [3, 2, 3, 2]


@pytest.mark.parametrize("given, points", [
    ("RDHUP (EPOLLRDHUP)", 2), ("the EPOLLRDHUP (the RDHUP).", 2), ("EPOLLRDHUP(RDHUP)", 2),
    ("RDHUP (or EPOLLHUP)", 0), ("EPOLLRDHUP (not EPOLLHUP)", 0), ("EPOLLHUP (RDHUP)", 0),
    ("RDHUP (EPOLLRDHUP) (x)", 0),
    ("RDHUP: EPOLLRDHUP", 2), ("EPOLLRDHUP, RDHUP", 2), ("RDHUP, EPOLLHUP", 0), ("RDHUP, not EPOLLHUP", 0),
    ("RDHUP, EPOLLRDHUP, HUP", 0), ("RDHUP:", 2), ("RDHUP,,", 2), ("RDHUP, ", 2), (":,:", 0),
    ("(RDHUP)", 0), ("RDHUP ()", 2), ("RDHUP (.)", 0), ("(.) (.)", 0), ("RDHUP (", 0), ("()()", 0),
])  # fmt: skip
def test_an_answer_that_says_the_same_twice(tmp_path, given, points):
    assert graded(tmp_path, f'flag = "{given}"')[3] == points


def test_wrong_answers_have_none(tmp_path):
    assert graded(tmp_path, 'count = 6\nfigure = 11\nframe = "01 00 00 00 61"\nflag = "EPOLLHUP"\nmore = 3') == [0] * 4
    assert graded(tmp_path, "") == [0] * 4
    assert graded(tmp_path, 'count = [5]\nfigure = {a = 10}\nframe = 97\nflag = ["RDHUP"]\n') == [0] * 4


def test_no_item_says_what_is_right(tmp_path):
    for toml in ("", 'count = 6\nfigure = 1\nframe = "00"\nflag = "HUP"', 'count = "x"\nframe = "x"\n'):
        for item in questions.grade(lab(tmp_path), ECHO, "", tomllib.loads(toml)):
            said = f"{item.expected} {item.came} {item.cause} {item.note} {item.steps}"
            assert "RDHUP" not in said and "00 00 00 01 61" not in said and item.points == 0
            assert not item.passed and item.expected and item.came


def test_an_answer_says_how_it_was_read(tmp_path):
    items = questions.grade(lab(tmp_path), ECHO, "", {"count": "1,001", "frame": "0 3 61", "flag": 3})
    came = {item.name: item.came for item in items}
    assert came["count"] == "'1,001', read as 1,001" and came["frame"] == "'0 3 61', read as 00 03 61"
    assert came["figure"] == "no answer" and "no text" in came["flag"]


def test_any_value_is_graded(tmp_path):
    for value in (NESTED, 10**5000, float("nan"), b"\0", None, object(), {"a": NESTED}, "\ud800", "\0", -0.0):
        items = questions.grade(lab(tmp_path), ECHO, "", dict.fromkeys(("count", "figure", "frame", "flag"), value))
        assert [item.points for item in items] == [0] * 4


@pytest.mark.parametrize(
    "answers",
    ["def answers(protocol, word): return {}", ANSWERS.replace('"word", (', '"bytes", (')],
    ids=["none", "kind"],
)
def test_a_lab_without_an_answer_is_the_graders_fault(tmp_path, answers):
    with pytest.raises(HostFault, match="is not there, or is not of the kind"):
        questions.grade(lab(tmp_path, answers), ECHO, "", {})


def test_several_forms():
    assert Answer("word", ("a", "b")).forms() == ("a", "b") and Answer("bytes", b"ab").forms() == (b"ab",)
    assert dataclasses.replace(Answer("number", 3), right=[1, 2]).forms() == (1, 2)
