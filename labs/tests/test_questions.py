"""What people write for a right answer is taken, and the usual wrong answers are not. No answer breaks the grader."""

from __future__ import annotations

import dataclasses
import datetime
import time
import tomllib
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from grader import questions
from grader.cases import BadCase
from grader.host import HostFault
from grader.questions import Answer, Unreadable
from labkit import lab as labs
from labkit import modules
from labkit.lab import Lab, Question
from suite.protocol import ECHO

NESTED: Any = []
for _ in range(100_000):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    "given, right",
    [
        (3, 3), ("3", 3), ("3.0", 3), (3.0, 3), (" 3 ", 3), ("+3", 3), ("3.", 3), ("= 3", 3), ("0x3", 3), (0x3, 3),
        ("0b11", 3), ("3 peers", 3), ("3 calls", 3), ("-3", -3), ("about 3", 3), ("003", 3),
        ("1,001", 1001), ("1 001", 1001), ("1_001", 1001), ("1'001", 1001), ("1\u202f001", 1001),
        ("1,234,567", 1234567),
        ("1,001.5", Fraction(2003, 2)), (0.1, Fraction(1, 10)), ("0.1", Fraction(1, 10)),
        ("3 recv()", 3),
        ("'49'", 49), ("**49**", 49), ("(49)", 49), ("~49", 49), ("≈ 49", 49), ("exactly 49", 49),
        ([49], 49), (["49"], 49), ("`(49)`", 49), ("About 49.", 49),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(given, right):
    assert questions.number(given)[0] == right


@pytest.mark.parametrize(
    "given",
    [
        True, False, "", "three", "3 or 4", "3-4", "2..3", "3,4", "1,00", "4 KiB", "4k", "2 s", "2 seconds", "3 MB",
        "1e3", "10 thousand", "0x", "0xg", "--3", "3 bytes each", float("nan"), float("inf"), [3, 4], [],
        [[3]], "(3, 4)", "(3) (4)", {"a": 3}, NESTED,
        "9" * 3000, "3\n4", "½", "³", "٣ ٤", "3 bits", "3 bytes", "3 ms", "3 ns", "3 microseconds",
        "()", "((", "'", "3 days",
    ],
)  # fmt: skip
def test_what_is_no_number(given):
    with pytest.raises(Unreadable):
        questions.number(given)


@pytest.mark.parametrize(
    "unit, given",
    [
        ("ms", "2 ms"), ("ms", "2 milliseconds"), ("ms", "2ms"), ("ns", "2 ns"), ("ns", "2 nanoseconds"),
        ("bytes", "2 bytes"), ("bytes", "2 B"), ("ms", "2"), ("ms", 2), ("", "2 connections"),
    ],
)  # fmt: skip
def test_a_number_may_have_the_unit_that_is_asked_for(unit, given):
    assert questions.number(given, unit)[0] == 2


@pytest.mark.parametrize("unit", ["", "bytes", "ms", "ns"])
@pytest.mark.parametrize(
    "given",
    ["2 microseconds", "2 nanoseconds", "2 days", "2 us", "2 usec", "2 s", "2 hours", "2 hrs", "2 weeks", "2 percent",
     "2 bytes", "2 ms", "2 Milliseconds", "2 ns", "2 KiB", "2 terabytes", "2 bits", "2 pairs", "2 octets"],
)  # fmt: skip
def test_a_unit_of_another_kind_is_refused(unit, given):
    if unit and questions.UNITS[unit].fullmatch(given.split()[1]):
        return
    with pytest.raises(Unreadable, match="does not ask for"):
        questions.number(given, unit)


@pytest.mark.parametrize(
    "given",
    [
        "00 03 61", "000361", "00:03:61", "00-03-61", "0x00 0x03 0x61", "0x00, 0x03, 0x61", "0x000361", "0x000x030x61",
        "[0x00, 0x03, 0x61]", "{0x00,0x03,0x61}", "0 3 61", "00 03 61 ", "00  03\n61", "0003 61", r"\x00\x03a",
        r"\x00\x03\x61", r"\0\3a", r"b'\x00\x03a'", r'"\x00\3a"', [0, 3, 97], "00h 03h 61h", "00.03.61",
        ["00", "03", "61"], ["0x00", "0x03", "0x61"], ["0", "3", "61"], "00 03 61 (hex)", "00 03 61 (3 bytes)",
        "000361 (in hexadecimal).", r"\x00\x03a (3 bytes)", "0x00, 0x03, 0x61 (Hex)",
    ],
)  # fmt: skip
def test_bytes_as_people_write_them(given):
    assert questions.as_bytes(given)[0] == b"\0\3a"


@pytest.mark.parametrize(
    "given",
    ["", "abc", "0", "00 03 zz", "00 03 a61", r"\x0", r"\400", "\\", "é\\0", 361, True, [256], [-1], [True],
     ["00 03 61", "00 03 62"], ["zz"], ["00", 3], [""], "00 03 61 (4 bytes)", "(hex)", "(3 bytes)", {}, NESTED,
     "00 03 61 or 00 03 62", "6" * 3000, "a"],
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
     ("recv system call", "recv"), (["EPOLLHUP"], "EPOLLHUP")],
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


@pytest.mark.parametrize(
    "given", [3, True, ["EPOLLHUP", "EPOLLERR"], [["EPOLLHUP"]], {}, NESTED, "", " . ", "the", "x" * 3000]
)
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
        "flag": Answer("word", ("EPOLLRDHUP", "RDHUP"), beside=("8192",)),
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
    ("RDHUP, EPOLLRDHUP, HUP", 0), ("RDHUP - EPOLLRDHUP", 2), ("RDHUP – HUP", 0),
    ("RDHUP (8192: EPOLLRDHUP)", 2),
    ("RDHUP = 8192", 2), ("8192", 0), ("8192, 8192", 0), ("RDHUP = 8193", 0), ("RDHUP == 8192", 0),
    ("RDHUP:", 2), ("RDHUP,,", 2), ("RDHUP, ", 2), (":,:", 0),
    ("(RDHUP)", 0), ("RDHUP ()", 2), ("RDHUP (.)", 0), ("(.) (.)", 0), ("RDHUP (", 0), ("()()", 0),
])  # fmt: skip
def test_an_answer_that_says_the_same_twice(tmp_path, given, points):
    assert graded(tmp_path, f'flag = "{given}"')[3] == points


def test_wrong_answers_have_none(tmp_path):
    assert graded(tmp_path, 'count = 6\nfigure = 11\nframe = "01 00 00 00 61"\nflag = "EPOLLHUP"\nmore = 3') == [0] * 4
    assert graded(tmp_path, "") == [0] * 4
    assert graded(tmp_path, 'count = [5, 6]\nfigure = {a = 10}\nframe = 97\nflag = ["RDHUP", "HUP"]\n') == [0] * 4


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


ODD = (
    NESTED, 10**5000, -(10**5000), float("nan"), float("-inf"), b"\0", None, object(), {"a": NESTED}, "\ud800", "\0",
    -0.0, 1e308, 5e-324, datetime.date(2024, 1, 1), [""], [[]], [{}], [None], [float("nan")], [10**5000], [NESTED],
)  # fmt: skip
ODD_TEXTS = ("9", "9,999", "0", "f", "(", ")", "[", "<", "'", '"', "\\", "\\x", "\\7", ",", ":", "=", ".", "-",
             " ", "\n", "é", "İ", "ß", "²", "٣", "½", "\ud800", "\0", "a", "the ", "a:", "(a)", "0x", "*", "h", "~",
             "_")  # fmt: skip


def test_any_value_is_graded(tmp_path):
    texts = [before + each * count + after for each in ODD_TEXTS for count in (1, 2, 3, 200, 400, 498, 3000)
             for before in ("", "-", "0x", "(") for after in ("", ".5", ")", " (7 bytes)")]  # fmt: skip
    for value in (*ODD, *texts, *([text, text] for text in texts[::7])):
        items = questions.grade(lab(tmp_path), ECHO, "", dict.fromkeys(("count", "figure", "frame", "flag"), value))
        assert [item.points for item in items if item.name != "figure"] == [0] * 3  # "9.5" is a right figure
        assert all(len(item.came) < 300 for item in items)


def test_a_long_answer_takes_no_time(tmp_path):
    """It took 11 seconds of CPU, and an answer may be anything. Here each is tried at every length."""
    begun = time.process_time()
    for length in (*range(1, 250, 8), 990):
        for text in ("a" * length + "," + "a" * length + ":b", "(" * length + "a:" * length, "the " * length):
            questions.grade(lab(tmp_path), ECHO, "", dict.fromkeys(("count", "figure", "frame", "flag"), text))
    assert time.process_time() - begun < 10


# -- the file --------------------------------------------------------------------------------------------------


def test_a_byte_order_mark_is_no_mistake():
    assert questions.parsed(b"\xef\xbb\xbfcount = 5\n") == ({"count": 5}, "")


@pytest.mark.parametrize("content, why", [
    (b"count = 5\nflag = RDHUP\n", "line 2"), (b"count = 5\n\n\xff\n", "line 3"), (b"a = " + b"9" * 5000, "too long"),
    (b"a = " + b"[" * 5000, "too deep"), (b"count = 5\ncount = 6\n", "line 2"),
])  # fmt: skip
def test_each_item_says_why_the_file_cannot_be_read(tmp_path, content, why):
    answers, unreadable = questions.parsed(content)
    items = questions.grade(lab(tmp_path), ECHO, "", answers, unreadable)
    assert answers == {} and [item.points for item in items] == [0] * 4
    assert all(item.came.startswith("answers.toml cannot be read: ") and why in item.came for item in items)


def test_what_answers_no_question_is_named(tmp_path):
    answers = questions.parsed(b"count = 5\nfalg = 'RDHUP'\n[answers]\nflag = 'RDHUP'\n")[0]
    assert questions.notes(lab(tmp_path), answers) == [
        "no question has the name 'falg'", "the table [answers] is not read: take its header away",
    ]  # fmt: skip
    assert questions.notes(lab(tmp_path), {"count": 3}) == []
    assert len(questions.notes(lab(tmp_path), dict.fromkeys(map(str, range(1000)), 1))) == questions.MOST_NOTES + 1


# -- the labs ----------------------------------------------------------------------------------------------------


def points(number: int, name: str, given: Any) -> int:
    items = questions.grade(labs.load(number), ECHO, "", {name: given})
    return sum(item.points for item in items)


@pytest.mark.parametrize("number, name, given", [
    *((6, "error_of_the_process", given) for given in ("EMFILE (errno 24)", "EMFILE - Too many open files")),
    (6, "error_of_the_process", "EMFILE=24"),
    *((5, "how", given) for given in ("SHUT_WR, 1", "SHUT_WR = 1", "SHUT_WR (1)")),
    (5, "fin_or_reset", "connection reset"), (5, "fin_or_reset", "RST (a connection reset)"),
    (2, "hangup", "POLLHUP (0x10)"), (4, "flag", "EPOLLRDHUP = 0x2000"), (4, "timeout", "0 ms"),
    (6, "milliseconds", "2 ms"), (2, "bytes", "8000 bytes"),
])  # fmt: skip
def test_right_answers_of_the_labs(number, name, given):
    assert points(number, name, given) > 0


@pytest.mark.parametrize("number, name, given", [
    (6, "error_of_the_process", "24"), (6, "error_of_the_process", "EMFILE - ENFILE"), (5, "how", "1"),
    (6, "error_of_the_process", "EMFILE (errno 23)"), (5, "how", "SHUT_WR, 2"), (5, "fin_or_reset", "RST - FIN"),
    (6, "milliseconds", "2 microseconds"), (6, "milliseconds", "2 nanoseconds"), (6, "milliseconds", "2 days"),
])  # fmt: skip
def test_wrong_answers_of_the_labs(number, name, given):
    assert points(number, name, given) == 0


@pytest.mark.parametrize("form", [
    "{}", "table {}", "{} table", "result set {}", "results/{}", "{}.rows", "set {}", "{}.table", "the table {}.",
    "results/{}.table",
])  # fmt: skip
def test_a_result_set_by_each_of_its_names(form):
    right = labs.load(8)
    for word in ("", "anna", "bert", "carla", "dora", "emil"):
        of_each = [
            sum(item.points for item in questions.grade(right, ECHO, word, {"dishonest_set": form.format(name)}))
            for name in ("A", "B", "C", "D", "E", "")
        ]
        assert sorted(of_each) == [0, 0, 0, 0, 0, 3]


# -- a case of lab 8 ----------------------------------------------------------------------------------------------


def test_a_case_whose_sums_overflow_is_refused():
    case = {"end": 10**15, "rows": [
        {"count": 200_000, "from": 1, "every": 1, "sent_after": 0, "answered_after": 999_999_999_000_000},
    ]}  # fmt: skip
    rows = modules.load(labs.load(8).directory / "stdin.py")
    with pytest.raises(BadCase, match="together are more than 9,007,199,254,740,992"):
        rows.run_of(case)
    case["rows"] = [{"count": 200_000, "from": 1, "every": 1}]  # never answered: their age counts
    with pytest.raises(BadCase, match="together"):
        rows.run_of(case)
    case["rows"] = [{"count": 9, "from": 1, "every": 1}]
    assert len(rows.run_of(case).rows) == 9


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
