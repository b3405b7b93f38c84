"""Shapes: judged by the figures, and only if the figures allow it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bench import shapes
from bench.results import BadResults, Results
from bench.rows import Row
from bench.shapes import Verdict
from suite import module


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.setattr("bench.results.fingerprints.collect", lambda: {"kqueue": "emulation"})
    return Results.create(tmp_path, "quick", 1, True)


def add(results: Results, experiment: str, server: str, point: str, *values: float, **more: Any) -> None:
    """One run for each value of the main column of the experiment."""
    column = {"E2": "throughput", "E4-wait": "wait", "E4-cycle": "cycle", "E5": "calls", "E6": "event_cpu",
              "E10": "faults"}[experiment]  # fmt: skip
    for repeat, value in enumerate(values, start=1):
        fields: dict[str, Any] = {"verdict": "VALID", "attempt": 1, "seed": 1, column: value, **more}
        results.add(Row(experiment=experiment, server=server, point=point, repeat=repeat, **fields))


def add_waits(results: Results, server: str, times: dict[int, float], place: str = "last", **more: Any) -> None:
    for watched, time in times.items():
        add(results, "E4-wait", server, f"watched={watched} ready=1 place={place}", time, time, time, **more)


def judged(results: Results, name: str) -> Verdict:
    (found,) = [verdict for verdict in shapes.judge(results) if verdict.name == name]
    return found


def outcome(results: Results, name: str) -> str:
    return judged(results, name).outcome


def test_names_are_these_and_nothing_is_measured_at_first(results):
    verdicts = shapes.judge(results)
    assert [verdict.name for verdict in verdicts] == [
        "wait-slope-poll",
        "wait-slope-select",
        "wait-flat-epoll_lt",
        "wait-flat-epoll_et",
        "wait-ratio-1000",
        "wait-ratio-16000",
        "cycle-one",
        "cycle-1-percent",
        "cycle-all",
        "idle-epoll_lt",
        "idle-epoll_et",
        "idle-poll-2000",
        "idle-poll-8000",
        "calls-level",
        "calls-edge_would_block",
        "calls-edge_short_read",
        "calls-one_shot",
        "batching-poll",
        *(f"faults-{name}" for name in ("select_srv", "poll_srv", "epoll_lt", "epoll_et")),
        "payload-65536",
        "payload-200000",
        *(f"numbers-{name}" for name in ("select_srv", "poll_srv", "epoll_lt")),
        "million-flat",
        "million-objects",
    ]
    assert {verdict.outcome for verdict in verdicts} == {"not measured"}
    assert judged(results, "wait-slope-poll").figures == "no figure for poll_srv watched=1000 ready=1 place=last"


def test_kqueue_takes_part_only_where_it_is_native(results):
    def of_kqueue() -> list[str]:
        return [verdict.name for verdict in shapes.judge(results) if "kqueue" in verdict.name]

    for stand_in in ("emulation", "libkqueue", None):
        results.fingerprint["kqueue"] = stand_in
        assert of_kqueue() == []
    results.fingerprint["kqueue"] = "native"
    assert of_kqueue() == ["wait-flat-kqueue_srv", "idle-kqueue_srv", "faults-kqueue_srv"]


# Limits: each shape just inside and just outside


@pytest.mark.parametrize(
    ("slope", "expected"),
    [(0.84, "not reproduced"), (0.86, "reproduced"), (1.89, "reproduced"), (1.91, "not reproduced")],
)
@pytest.mark.parametrize("api", ["poll", "select"])
def test_slopes(results, api, slope, expected):
    add_waits(results, f"{api}_srv", {n: 0.01 * n**slope for n in (1000, 4000, 16000)} | {100: 500.0})
    add_waits(results, f"{api}_srv", {1000: 1.0, 16000: 1.0}, place="first")  # another question
    verdict = judged(results, f"wait-slope-{api}")
    assert verdict.outcome == expected and verdict.experiment == "E4-wait"
    assert verdict.figures.startswith(f"slope {slope:.2f}: ") and verdict.figures.endswith(" at 16000 (3 runs)")


@pytest.mark.parametrize("missing", [1000, 16000])
def test_a_slope_needs_both_ends(results, missing):
    add_waits(results, "poll_srv", {n: float(n) for n in (1000, 2000, 4000, 9000, 16000) if n != missing})
    verdict = judged(results, "wait-slope-poll")
    assert verdict.outcome == "not measured"
    assert verdict.figures == f"no figure for poll_srv watched={missing} ready=1 place=last"


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ((0.0, 0.0, 0.0), "reproduced"),
        ((0.0, 0.004, 0.0), "reproduced"),  # a factor without end, far below the limit
        ((0.0, 0.09, 2.0), "inconclusive"),
        ((0.2, 12.0, 0.3), "not reproduced"),
    ],
)
def test_a_single_figure_is_judged_by_its_interval(results, faults, expected):
    add(results, "E10", "epoll_lt", "payload=65536 connections=10", *faults)
    add(results, "E10", "epoll_lt", "payload=200000 connections=10", 0.0, 0.0, 0.0)
    assert outcome(results, "faults-epoll_lt") == expected


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({100: 1.0, 1000: 1.0, 16000: 1.0}, "reproduced"),
        ({100: 1.0, 1000: 1.3, 16000: 1.95}, "reproduced"),
        ({100: 1.0, 1000: 1.4, 16000: 2.05}, "not reproduced"),  # the slope is 0.14 still
        ({100: 1.0, 1000: 1.2, 4000: 2.2, 16000: 1.99}, "not reproduced"),  # by its slope only
        ({100: 3.0, 1000: 2.0, 16000: 1.0}, "not reproduced"),  # falls
        ({1000: 1.0, 16000: 1.0}, "not measured"),
    ],
)
@pytest.mark.parametrize("server", ["epoll_lt", "epoll_et"])
def test_flat(results, server, times, expected):
    add_waits(results, server, times)
    assert outcome(results, f"wait-flat-{server}") == expected


def test_flat_says_both_figures(results):
    add_waits(results, "epoll_lt", {100: 1.0, 16000: 1.5})
    assert judged(results, "wait-flat-epoll_lt").figures == (
        "slope 0.08: 1 at 100, 1.5 at 16000 (3 runs); "
        "1.5 = 1.5 [1.5, 1.5] / 1 [1, 1] (3 runs)"
    )


@pytest.mark.parametrize(
    ("name", "experiment", "point", "poll", "expected"),
    [
        ("wait-ratio-1000", "E4-wait", "watched=1000 ready=1 place=last", 20.1, "reproduced"),
        ("wait-ratio-1000", "E4-wait", "watched=1000 ready=1 place=last", 19.9, "not reproduced"),
        ("wait-ratio-16000", "E4-wait", "watched=16000 ready=1 place=last", 301, "reproduced"),
        ("wait-ratio-16000", "E4-wait", "watched=16000 ready=1 place=last", 299, "not reproduced"),
        ("cycle-one", "E4-cycle", "watched=9000 ready=1", 50.1, "reproduced"),
        ("cycle-one", "E4-cycle", "watched=9000 ready=1", 49.9, "not reproduced"),
        ("cycle-1-percent", "E4-cycle", "watched=9000 ready=90", 5.1, "reproduced"),
        ("cycle-1-percent", "E4-cycle", "watched=9000 ready=90", 4.9, "not reproduced"),
        ("cycle-all", "E4-cycle", "watched=9000 ready=9000", 0.59, "not reproduced"),
        ("cycle-all", "E4-cycle", "watched=9000 ready=9000", 0.61, "reproduced"),
        ("cycle-all", "E4-cycle", "watched=9000 ready=9000", 1.69, "reproduced"),
        ("cycle-all", "E4-cycle", "watched=9000 ready=9000", 1.71, "not reproduced"),
    ],
)
def test_poll_against_epoll(results, name, experiment, point, poll, expected):
    add(results, experiment, "poll_srv", point, 2 * poll)
    assert outcome(results, name) == "not measured"
    add(results, experiment, "epoll_lt", point, 2.0)
    verdict = judged(results, name)
    assert verdict.outcome == expected
    assert verdict.figures == f"{poll:.3g} = {2 * poll:.4g} / 2 (1 run)"


@pytest.mark.parametrize(
    ("name", "server", "idle", "kept", "expected"),
    [
        ("idle-epoll_lt", "epoll_lt", 16000, 0.86, "reproduced"),
        ("idle-epoll_lt", "epoll_lt", 16000, 0.84, "not reproduced"),
        ("idle-epoll_et", "epoll_et", 16000, 1.2, "reproduced"),
        ("idle-epoll_et", "epoll_et", 16000, 0.84, "not reproduced"),
        ("idle-poll-2000", "poll_srv", 2000, 0.74, "reproduced"),
        ("idle-poll-2000", "poll_srv", 2000, 0.76, "not reproduced"),
        ("idle-poll-8000", "poll_srv", 8000, 0.49, "reproduced"),
        ("idle-poll-8000", "poll_srv", 8000, 0.51, "not reproduced"),
    ],
)
def test_idle_connections(results, name, server, idle, kept, expected):
    add(results, "E2", server, "idle=0 active=8", 90000, 100000, 110000, server_cpu=5.0)
    add(results, "E2", server, "idle=0 active=100", 1.0)
    add(results, "E2", server, f"idle={idle} active=8", *[100000 * kept] * 3, server_cpu=7.5)
    verdict = judged(results, name)
    assert verdict.outcome == expected
    assert "/ 100000 [90000, 110000] (3 runs); server_cpu 7.5 / 5 us a message" in verdict.figures


@pytest.mark.parametrize(
    ("policy", "calls"), [("level", 3), ("edge_would_block", 4), ("edge_short_read", 3), ("one_shot", 4)]
)
def test_calls(results, policy, calls):
    name = f"calls-{policy}"
    for value, expected in ((calls * 1.049, "reproduced"), (calls * 0.951, "reproduced"), (calls, "reproduced")):
        add(results, "E5", policy, "connections=1", value)
        assert outcome(results, name) == expected
    for value in (calls * 1.051, calls * 0.949):
        add(results, "E5", policy, "connections=1", value)
        assert outcome(results, name) == "not reproduced"
    assert judged(results, name).figures == f"{calls * 0.949:.4g} (1 run)"


@pytest.mark.parametrize(("at_1000", "expected"), [(29.0, "reproduced"), (31.0, "not reproduced")])
def test_batching(results, at_1000, expected):
    add(results, "E6", "poll_srv", "idle=8000 active=1", 300.0)
    add(results, "E6", "poll_srv", "idle=8000 active=1000", at_1000)
    assert outcome(results, "batching-poll") == expected


# Where the figures do not allow a judgement


def test_repeats_that_differ_by_more_than_twice_are_inconclusive(results):
    add(results, "E4-cycle", "epoll_lt", "watched=9000 ready=1", 1.0, 1.0, 1.0)
    add(results, "E4-cycle", "poll_srv", "watched=9000 ready=1", 100, 200, 201)
    verdict = judged(results, "cycle-one")
    assert verdict.outcome == "inconclusive"
    assert verdict.figures == (
        "repeats differ by a factor of 2.01 for poll_srv watched=9000 ready=1; "
        "by the medians 200 = 200 [100, 201] / 1 [1, 1] (3 runs)"
    )
    add(results, "E4-cycle", "poll_srv", "watched=9000 ready=1", 101, 200, 201)
    assert outcome(results, "cycle-one") == "reproduced"


def test_a_slope_with_one_shaky_point_is_inconclusive(results):
    add_waits(results, "poll_srv", {n: 0.05 * n for n in (1000, 4000, 16000)})
    assert outcome(results, "wait-slope-poll") == "reproduced"
    add(results, "E4-wait", "poll_srv", "watched=4000 ready=1 place=last", 100, 200, 300)
    verdict = judged(results, "wait-slope-poll")
    assert verdict.outcome == "inconclusive"
    assert verdict.figures == (
        "repeats differ by a factor of 3 for poll_srv watched=4000 ready=1 place=last; "
        "by the medians slope 1.00: 50 at 1000, 200 at 4000, 800 at 16000 (3 runs)"
    )


def test_a_part_that_fails_decides_though_the_other_is_shaky(results):
    add_waits(results, "epoll_lt", {100: 1.0, 16000: 4.0})
    add(results, "E4-wait", "epoll_lt", "watched=1000 ready=1 place=last", 1.0, 9.0)
    verdict = judged(results, "wait-flat-epoll_lt")
    assert verdict.outcome == "not reproduced"
    assert "repeats differ by a factor of 9" in verdict.figures and "4 = 4" in verdict.figures


@pytest.mark.parametrize("verdict", ["NOISY_HOST", "UNSTABLE", "OVERLOADED", "CLIENT_BOUND"])
def test_times_without_a_valid_run_are_inconclusive(results, verdict):
    add(results, "E4-cycle", "epoll_lt", "watched=9000 ready=1", 1.0)
    add(results, "E4-cycle", "poll_srv", "watched=9000 ready=1", 100, verdict=verdict)
    found = judged(results, "cycle-one")
    assert found.outcome == "inconclusive"
    assert found.figures == f"no VALID run for poll_srv watched=9000 ready=1: {verdict}"


def test_the_last_attempt_is_what_counts(results):
    add(results, "E4-cycle", "epoll_lt", "watched=9000 ready=1", 1.0)
    add(results, "E4-cycle", "poll_srv", "watched=9000 ready=1", 1.0, verdict="NOISY_HOST")
    add(results, "E4-cycle", "poll_srv", "watched=9000 ready=1", 100.0, attempt=2)
    assert outcome(results, "cycle-one") == "reproduced"


BOUND = "CLIENT_BOUND"


@pytest.mark.parametrize(
    ("alone", "busy", "kept", "epoll", "poll"),
    [
        # What is known of the ratio:              epoll >= 0.85     poll <= 0.5
        ("VALID", "VALID", 0.9, "reproduced", "not reproduced"),
        (BOUND, "VALID", 0.9, "inconclusive", "inconclusive"),  # at most 0.9
        (BOUND, "VALID", 0.4, "not reproduced", "reproduced"),  # at most 0.4
        ("VALID", BOUND, 0.9, "reproduced", "not reproduced"),  # at least 0.9
        ("VALID", BOUND, 0.4, "inconclusive", "inconclusive"),  # at least 0.4
        (BOUND, BOUND, 0.9, "inconclusive", "inconclusive"),  # nothing
        (BOUND, BOUND, 0.4, "inconclusive", "inconclusive"),
        ("NOISY_HOST", "VALID", 0.4, "inconclusive", "inconclusive"),
    ],
)
def test_what_a_client_that_was_the_limit_still_shows(results, alone, busy, kept, epoll, poll):
    for server, idle in (("epoll_lt", 16000), ("poll_srv", 8000)):
        add(results, "E2", server, "idle=0 active=8", 100000, verdict=alone)
        add(results, "E2", server, f"idle={idle} active=8", 100000 * kept, verdict=busy)
    assert outcome(results, "idle-epoll_lt") == epoll
    assert outcome(results, "idle-poll-8000") == poll
    if BOUND in (alone, busy):
        assert "CLIENT_BOUND" in judged(results, "idle-epoll_lt").figures


def test_a_client_that_was_the_limit_makes_events_dearer_and_never_cheaper(results):
    add(results, "E6", "poll_srv", "idle=8000 active=1", 300.0)
    add(results, "E6", "poll_srv", "idle=8000 active=1000", 29.0, verdict=BOUND)
    assert outcome(results, "batching-poll") == "reproduced"
    add(results, "E6", "poll_srv", "idle=8000 active=1000", 31.0, verdict=BOUND)
    assert outcome(results, "batching-poll") == "inconclusive"
    add(results, "E6", "poll_srv", "idle=8000 active=1000", 29.0, verdict="NOISY_HOST")
    assert outcome(results, "batching-poll") == "inconclusive"


def test_different_loads_are_refused(results):
    add(results, "E4-cycle", "epoll_lt", "watched=9000 ready=1", 1.0, schedule_hash="aaaa")
    add(results, "E4-cycle", "poll_srv", "watched=9000 ready=1", 100.0, schedule_hash="bbbb")
    with pytest.raises(BadResults, match="cannot be compared"):
        shapes.judge(results)


def test_a_point_without_its_number_is_refused(results):
    add(results, "E4-wait", "poll_srv", "watched=many ready=1 place=last", 1.0)
    with pytest.raises(BadResults, match="'many', expected a number"):
        shapes.judge(results)


MANY = "watched=1000000 kind=eventfd"


@pytest.mark.parametrize(
    ("wait", "events", "objects", "flat", "counted"),
    (
        (2.6, 1.0, 1.0, "reproduced", "reproduced"),
        (0.7, 1.0, 0.96, "reproduced", "reproduced"),
        (2.8, 1.0, 1.04, "not reproduced", "reproduced"),
        (0.6, 1.0, 1.06, "not reproduced", "not reproduced"),
        (1.4, 1.5, None, "not reproduced", "not measured"),
    ),
)
def test_a_million(results, wait, events, objects, flat, counted):
    for repeat in range(1, 7):
        results.add(Row("E15", "epoll_lt", "watched=100 kind=eventfd", repeat, 1, 1, "VALID", wait=1.35, events=1.0))
        many = {"wait": wait, "events": events, "objects": objects}
        results.add(Row("E15", "epoll_lt", MANY, repeat, 1, 1, "VALID", **many))
    assert judged(results, "million-flat").outcome == flat
    assert judged(results, "million-objects").outcome == counted


# The program


def test_the_program_prints_and_writes_the_verdicts(results):
    add_waits(results, "poll_srv", {n: 0.05 * n for n in (1000, 4000, 16000)})
    add(results, "E5", "level", "connections=1", 5.0)
    done = module.run("bench.shapes", results.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == (
        "reproduced      wait-slope-poll    poll, one ready: slope 0.85 to 1.9 on log-log axes from 1000 watched on"
    )
    assert done.stdout.splitlines()[-1] == "1 reproduced, 1 not reproduced, 0 inconclusive, 27 not measured"
    document = json.loads((results.path / "verdicts.json").read_text())
    assert document["schema"] == "verdicts/1"
    assert [Verdict(**each) for each in document["verdicts"]] == shapes.judge(Results.open(results.path))
    assert not list(results.path.glob(".*"))


@pytest.mark.parametrize("program", ["bench.shapes", "bench.model"])
def test_programs_refuse_in_one_line(tmp_path, program):
    done = module.run(program, tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == f"bench: {tmp_path}/settings.json: missing; {tmp_path} is no result set\n"
    assert module.run(program).returncode == 2
    assert module.run(program, "--help").returncode == 0


def test_what_cannot_be_written_is_said_in_one_line(results):
    (results.path / "verdicts.json" / "in-the-way").mkdir(parents=True)
    done = module.run("bench.shapes", results.path)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"bench: {results.path}/") and done.stderr.count("\n") == 1


def test_a_reader_that_has_seen_enough_gets_no_traceback(results):
    read, write = os.pipe()
    os.close(read)
    with open(write, "wb") as nobody:
        done = subprocess.run(
            module.command("bench.shapes", results.path),
            env=module.environment(),
            stdout=nobody,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (1, "")


def test_the_model_program_prints_costs_and_residuals(results):
    for watched in (1000, 9000):
        for ready in (1, 90, 900):
            time = 2 + 0.05 * watched + 0.7 * ready
            add(results, "E4-cycle", "poll_srv", f"watched={watched} ready={ready}", time)
    done = module.run("bench.model", results.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert ["poll_srv", "2.000", "0.050000", "0.7000"] in [line.split()[:4] for line in done.stdout.splitlines()]
    assert "no points enough" in done.stdout  # for the wait alone
