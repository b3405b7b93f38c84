"""lab-result/1, and what is made of it: the terminal's report, Gradescope's file, JUnit XML, the table of a class."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest

from grader import gradescope, report_csv, report_gradescope, report_junit, report_text
from grader.result import FILE, BadResult, Item, Result, load
from labkit.lab import LABS, PARTS

HERE = Path(__file__).parent
SCHEMA = json.loads((LABS / "result.schema.json").read_text())
GRADESCOPE = json.loads((HERE / "gradescope.schema.json").read_text())
SECRET = "what the hidden test did"
ODD = "\0 \x1b[31m <&>\ud800 \ufffe 'ünïcode'"


def failed(part: str, **more: object) -> Item:
    item = Item(f"{part}-1", part, f"does {part} right", PARTS[part] - 1, steps=["connect", "send 3 bytes"])
    item.expected, item.came = f"3 bytes\n{ODD}", f"nothing {ODD}"
    item.cause, item.pitfall, item.trace = "it forgot", "docs/pitfalls/partial-header-lost.md", "recv(peer 0) = 3"
    for name, value in more.items():
        setattr(item, name, value)
    return item


@pytest.fixture
def result() -> Result:
    """One item of each part passes, and one does not."""
    items = [item for part in PARTS for item in (Item(f"{part}-0", part, "is right", 1, 1, True), failed(part))]
    result = Result(4, "autumn-alice", "alice", "bubblewrap", items, title="From level to edge", complete=True)
    next(item for item in items if item.name == "hidden-1").steps = [SECRET]
    next(item for item in items if item.name == "hidden-1").came = SECRET
    next(item for item in items if item.name == "visible-0").note = "tried 2 times, because the machine was busy"
    result.notes = ["own/: 14 scripts; only the first 12 are taken"]
    return result


def fault() -> Result:
    return Result(4, "", "bob", "weak: no network namespace here", [failed("build")], fault="strace: not found")


def as_written(result: Result, folder: Path) -> dict:
    result.save(folder)
    return json.loads((folder / FILE).read_text())


# -- result.json -------------------------------------------------------------------------------------------------


def test_the_schema_is_one_and_takes_results(result, tmp_path):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(as_written(result, tmp_path), SCHEMA)
    jsonschema.validate(as_written(fault(), tmp_path), SCHEMA)
    jsonschema.validate(as_written(Result(1, "", "x", "bubblewrap"), tmp_path), SCHEMA)


@pytest.mark.parametrize("change", (
    {"points": None}, {"points": 101}, {"sandbox": "none"}, {"more": 1}, {"schema": "lab-result/2"}, {"fault": "x"},
    {"items": [{"name": "x"}]}, {"parts": {}},
))  # fmt: skip
def test_the_schema_refuses_others(change, result, tmp_path):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(as_written(result, tmp_path) | change, SCHEMA)


def test_the_documentation_names_every_field(result, tmp_path):
    text = (LABS / "result.md").read_text()
    content = as_written(result, tmp_path)
    for name in {*content, *content["items"][0]} - {"schema"}:
        assert f"`{name}`" in text, name


def test_what_is_written_can_be_read_again(result, tmp_path):
    result.save(tmp_path)
    again = load(tmp_path / FILE)
    assert again.points == 5 and again.items[0] == result.items[0] and again.notes == result.notes
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("text", ("", "{", "[]", "{}", '{"schema": "lab-result/0"}', '{"schema": "lab-result/1"}'))
def test_what_is_no_result_is_one_line(text, tmp_path):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(BadResult) as bad:
        load(tmp_path / FILE)
    assert str(bad.value).startswith(f"{tmp_path / FILE}: ") and "\n" not in str(bad.value)


def test_a_fault_has_no_points():
    content = fault().as_json()
    assert content["points"] is None and not content["complete"]


# -- reports -----------------------------------------------------------------------------------------------------


def test_a_failure_shows_steps_expectation_cause_page_and_trace(result):
    text = report_text.report(result)
    for words in (
        *("1. connect", "expected: 3 bytes", "came: nothing", "possible cause: it forgot", "recv(peer 0) = 3"),
        *("read: docs/pitfalls/partial-header-lost.md", "note: own/: 14 scripts"),
    ):
        assert words in text
    assert text.endswith("Points            5 of 100")
    assert r"\x1b[31m" in text and "\x1b" not in text and "\0" not in text


def test_a_hidden_failure_names_its_page_and_nothing_else(result):
    lines = report_text.failure(next(item for item in result.items if item.name == "hidden-1"))
    assert lines == ["hidden-1: does hidden right", "  read: docs/pitfalls/partial-header-lost.md", ""]
    assert SECRET not in report_text.report(result) + report_junit.convert([result])
    assert SECRET not in json.dumps(report_gradescope.convert(result))


def test_a_fault_is_never_a_0(tmp_path):
    assert "NOT GRADED: strace: not found" in report_text.report(fault())
    gradescope.write(fault(), tmp_path / "results.json")
    assert not (tmp_path / "results.json").exists()
    rows = list(csv.DictReader(io.StringIO(report_csv.convert([fault()]))))
    assert rows[0]["points"] == "" and rows[0]["build"] == "" and rows[0]["fault"] == "strace: not found"


def test_gradescope_gets_the_fields_that_it_documents(result, tmp_path):
    gradescope.write(result, tmp_path / "results" / "results.json")
    content = json.loads((tmp_path / "results" / "results.json").read_text())
    jsonschema.Draft202012Validator.check_schema(GRADESCOPE)
    jsonschema.validate(content, GRADESCOPE)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content | {"comment": ""}, GRADESCOPE)


def test_gradescope_s_scores_add_up_and_hidden_ones_are_announced(result):
    tests = report_gradescope.convert(result)["tests"]
    assert sum(test["score"] for test in tests) == result.points
    assert sum(test["max_score"] for test in tests) == 100
    later = [test for test in tests if test["visibility"] == "after_published"]
    assert {test["tags"][0] for test in later} == {"hidden"} and len(later) == 2
    told = tests[-1]
    assert told["visibility"] == "visible" and "25 points come later" in told["name"] and told["max_score"] == 0
    assert [test["number"] for test in tests] == [str(number) for number in range(1, len(tests) + 1)]


@pytest.mark.skipif(shutil.which("xmllint") is None, reason="xmllint is not installed")
def test_junit_xml_keeps_to_its_schema(result, tmp_path):
    (tmp_path / "junit.xml").write_text(report_junit.convert([result, fault()]), encoding="utf-8")
    command = ["xmllint", "--noout", "--schema", str(HERE / "junit.xsd"), str(tmp_path / "junit.xml")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (tmp_path / "junit.xml").write_text('<testsuites><testsuite name="no counts"/></testsuites>')
    assert subprocess.run(command, capture_output=True).returncode != 0


def test_junit_xml_counts_and_tells_a_fault_from_a_failure(result):
    text = report_junit.convert([result, fault()])
    assert 'tests="10" failures="5" errors="0"' in text and 'tests="2" failures="1" errors="1"' in text


def test_the_table_of_a_class_has_a_row_each_and_no_formula(result):
    other = Result(4, "=1+1", '@SUM(A1)"', "bubblewrap", complete=True)
    text = report_csv.convert([result, other])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["submission"] for row in rows] == ["alice", "'@SUM(A1)\""] and rows[1]["variant"] == "'=1+1"
    head = text.splitlines()[0].split(",")
    assert head[:10] == "submission,lab,variant,points,build,visible,hidden,own,questions,visible-0".split(",")
    assert rows[0]["points"] == "5" and rows[0]["visible-1"] == "0" and rows[1]["visible-1"] == ""


@pytest.mark.parametrize("name", ("a\rb", "a\nb", "a\0b", "a\x85b", "a\u2028b", "a\udcffb"))
def test_a_name_in_the_table_of_a_class_stays_in_its_row(name):
    text = report_csv.convert([Result(4, "", name, "bubblewrap", complete=True)])
    assert len(text.splitlines()) == 2 and text.encode()
    assert text.splitlines()[1].split(",")[0] == ascii(name)[1:-1]


@pytest.mark.parametrize("before", ("", " ", "\t", "\r", "\n", "\r\n"))
def test_blanks_before_a_formula_make_no_text_of_it(before):
    text = report_csv.convert([Result(4, "", f"{before}=1+1", "bubblewrap", complete=True)])
    assert text.splitlines()[1].startswith("'")
