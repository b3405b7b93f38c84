"""The verdicts of the published runs, recomputed from their rows.

This is a second implementation of the rule in docs/experiments.md. It shares no code with the first one: it reads
runs.csv with the standard library, and of verdicts.json only what was asked (columns, places, limits) and what was
concluded."""

from __future__ import annotations

import csv
import json
import math
import shutil
import statistics
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suite import servers

REFERENCE = servers.ROOT / "plots" / "reference"
SETS = sorted(path.parent for path in REFERENCE.rglob("verdicts.json"))
NO_CLOCK = ("calls", "waits", "scanned", "faults", "server_bytes")  # and what ends so: counts
LOWER = ("throughput", "capacity", "connects")
UPPER = ("event_cpu", "response_p50", "response_p99", "response_p999")
CLIENT = ("busy:", "batches:", "lag:", "ceiling:", "little:")

Rows = list[dict[str, str]]
Span = tuple[float, float]


def rows_of(folder: Path) -> Rows:
    with (folder / "runs.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def verdicts_of(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))["verdicts"]


def spans(rows: Rows, experiment: str, place: dict[str, str], column: str) -> dict[int, Span]:
    """By repeat what the last attempt says of the server's own figure. The file is in the order of the attempts."""
    found: dict[int, Span] = {}
    for row in rows:
        if (row["experiment"], row["server"], row["point"]) == (experiment, place["server"], place["point"]):
            found.pop(int(row["repeat"]), None)
            if row[column]:
                client = any(reason.startswith(CLIENT) for reason in row["reasons"].split("; "))
                value, bound = float(row[column]), client or row["verdict"] == "CLIENT_BOUND"
                low = value
                if bound and column in UPPER:
                    late = float(row["lag_p99"] or "inf") if column.startswith("response") else math.inf
                    low = max(0.0, value - late)
                found[int(row["repeat"])] = (low, math.inf if bound and column in LOWER else value)
    return found


def made(rows: Rows, experiment: str, places: list[dict[str, str]]) -> set[int]:
    """The repeats in which one of the places was run."""
    named = [(experiment, place["server"], place["point"]) for place in places]
    return {int(row["repeat"]) for row in rows if (row["experiment"], row["server"], row["point"]) in named}


def middle(values: list[float]) -> Span | None:
    """The narrowest symmetric pair of order statistics that misses the median with at most 5%."""
    ordered, n = sorted(values), len(values)
    best = None
    for left_out in range((n + 1) // 2):
        missed = 2 * sum(math.comb(n, below) for below in range(left_out + 1)) / 2**n
        if missed <= 0.05:
            best = (ordered[left_out], ordered[n - 1 - left_out])
    return best


def interval(samples: list[Span], exact: bool) -> Span | None:
    if exact:
        return (min(low for low, _ in samples), max(high for _, high in samples)) if samples else None
    lows, highs = middle([low for low, _ in samples]), middle([high for _, high in samples])
    return (lows[0], highs[1]) if lows and highs else None


def places_of(part: dict[str, Any], kind: str) -> list[dict[str, str]]:
    names = {"value": ["place"], "ratio": ["above", "below"]}
    return part["places"] if kind == "slope" else [part[name] for name in names[kind]]


def samples_of(part: dict[str, Any], kind: str, experiment: str, rows: Rows) -> list[Span]:
    """A repeat with a run that has no figure could have given anything."""
    found = measured_samples(part, kind, experiment, rows)
    anything = (-math.inf if kind == "slope" else 0.0, math.inf)
    lacking = len(made(rows, experiment, places_of(part, kind))) - len(found)
    return found + [anything] * lacking if found else []


def measured_samples(part: dict[str, Any], kind: str, experiment: str, rows: Rows) -> list[Span]:
    column = part["column"]
    if kind == "value":
        return list(spans(rows, experiment, part["place"], column).values())
    if kind == "ratio":
        above, below = (spans(rows, experiment, part[name], column) for name in ("above", "below"))
        return [
            (above[each][0] / below[each][1], above[each][1] / below[each][0] if below[each][0] else math.inf)
            for each in above.keys() & below.keys()
        ]
    curves = [spans(rows, experiment, place, column) for place in part["places"]]
    x = [math.log(float(dict(pair.split("=") for pair in place["point"].split())[part["over"]]))
         for place in part["places"]]  # fmt: skip
    found = []
    for repeat in set(curves[0]).intersection(*curves[1:]):
        slope = statistics.linear_regression(x, [math.log(curve[repeat][0]) for curve in curves]).slope
        found.append((slope, slope))
    return found


def outcome(verdict: dict[str, Any], rows: Rows, counts: tuple[str, ...]) -> str:
    """Of the parts, the worst."""
    found = []
    for judged in verdict["parts"]:
        part = judged["part"]
        exact = judged["kind"] == "value" or part["column"] in counts
        truth = interval(samples_of(part, judged["kind"], verdict["experiment"], rows), exact)
        high = math.inf if part["high"] is None else part["high"]
        if truth is None:
            found.append("inconclusive")
        elif part["low"] <= truth[0] and truth[1] <= high:
            found.append("reproduced")
        else:
            found.append("not reproduced" if truth[1] < part["low"] or truth[0] > high else "inconclusive")
    return next(each for each in ("not reproduced", "inconclusive", "reproduced") if each in found)


def measured(folder: Path) -> list[dict[str, Any]]:
    return [each for each in verdicts_of(folder) if each["outcome"] != "not measured"]


@pytest.fixture(scope="module")
def counts() -> tuple[str, ...]:
    """Which columns are counts is a decision, not a computation."""
    from bench.statistics import COUNTS

    assert set(NO_CLOCK) <= set(COUNTS)
    return COUNTS


@pytest.mark.parametrize("folder", SETS, ids=lambda path: path.name)
def test_the_published_verdicts_follow_from_the_published_rows(folder: Path, counts: tuple[str, ...]) -> None:
    rows = rows_of(folder)
    found = {each["name"]: outcome(each, rows, counts) for each in measured(folder)}
    assert found == {each["name"]: each["outcome"] for each in measured(folder)}


def spoil(rows: Rows, experiment: str, place: dict[str, str], column: str) -> Rows:
    """The rows with the figure of one run of a place a thousand times too large, and one too small."""
    spoilt, factors = [], [1e3, 1e-3]
    for row in rows:
        here = (row["experiment"], row["server"], row["point"]) == (experiment, place["server"], place["point"])
        if here and row[column] and factors:
            row = row | {column: str((float(row[column]) or 1.0) * factors.pop())}
        spoilt.append(row)
    return spoilt


PLACE: dict[str, Callable[[dict[str, Any]], dict[str, str]]] = {
    "value": lambda part: part["place"],
    "ratio": lambda part: part["above"],
    "slope": lambda part: part["places"][-1],
}


@pytest.mark.parametrize("kind", PLACE)
def test_an_error_in_a_row_changes_the_verdict(kind: str, counts: tuple[str, ...]) -> None:
    """Of each shape that six samples decide: one row too many or too few of them lies on the wrong side."""
    rows, changed = rows_of(REFERENCE), 0
    for verdict in measured(REFERENCE):
        judged = verdict["parts"][0]
        if verdict["outcome"] != "reproduced" or judged["kind"] != kind or judged["samples"] > 8:
            continue
        part = judged["part"]
        spoilt = spoil(rows, verdict["experiment"], PLACE[kind](part), part["column"])
        assert outcome(verdict, spoilt, counts) != "reproduced", verdict["name"]
        changed += 1
    assert changed, f"no {kind} was reproduced"


def crash(rows: Rows, experiment: str, place: dict[str, str], count: int) -> Rows:
    """The rows with the last repeats of a place without figures, as a crash leaves them."""
    crashed = []
    for row in rows:
        here = (row["experiment"], row["server"], row["point"]) == (experiment, place["server"], place["point"])
        if here and int(row["repeat"]) <= count:
            figures = list(row)[list(row).index("throughput") :]
            row = row | dict.fromkeys(figures, "") | {"verdict": "FAILED", "reasons": "ended with signal 11"}
        crashed.append(row)
    return crashed


@pytest.mark.parametrize("folder", SETS, ids=lambda path: path.name)
def test_crashes_make_both_rules_say_the_same(folder: Path, tmp_path: Path, counts: tuple[str, ...]) -> None:
    """A crash in one run of each place of a shape, and crashes in a third of them."""
    from bench import shapes
    from bench.results import Results

    rows, copy, before = rows_of(folder), tmp_path / "copy", measured(folder)
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("charts", "counts", "loadgen"))
    for count in (1, 4):
        crashed = rows
        for verdict in before:
            for judged in verdict["parts"]:
                place = places_of(judged["part"], judged["kind"])[0]
                crashed = crash(crashed, verdict["experiment"], place, count)
        with (copy / "runs.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(crashed)
        found = {each.name: each.outcome for each in shapes.judge(Results.open(copy))}
        some_left = [each for each in before if any(part["samples"] > count for part in each["parts"])]
        assert {each["name"]: found[each["name"]] for each in some_left} == {
            each["name"]: outcome(each, crashed, counts) for each in some_left
        }
        assert Counter(found.values())["reproduced"] < Counter(each["outcome"] for each in before)["reproduced"]


def line_of(verdict: dict[str, Any]) -> str:
    """Of the table in docs/experiments.md."""
    observed = "; ".join(dict.fromkeys(judged["figures"].split(" (")[0] for judged in verdict["parts"]))
    said = verdict["outcome"] if verdict["outcome"] == "reproduced" else f"**{verdict['outcome']}**"
    return f"| {verdict['name']} | {verdict['claim']} | {observed} | {said} |"


@pytest.mark.parametrize("folder", SETS, ids=lambda path: path.name)
def test_the_page_has_every_verdict_as_it_was_given(folder: Path) -> None:
    page = (servers.ROOT / "docs" / "experiments.md").read_text(encoding="utf-8").splitlines()
    missing = [line_of(each) for each in measured(folder) if line_of(each) not in page]
    assert not missing, "\n".join(missing)
