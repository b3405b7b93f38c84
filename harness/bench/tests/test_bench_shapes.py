"""Shapes: judged by the figures, and only if the figures allow it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bench import experiments, rows, shapes
from bench.judging import Value
from bench.results import BadResults, Results
from bench.rows import Row
from bench.shapes import Verdict
from bench.statistics import COUNTS, MAIN_FIGURE
from suite import module


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    machine = {"schema": "fingerprint/1", "kqueue": "emulation"}
    monkeypatch.setattr("bench.results.fingerprints.collect", lambda: machine)
    return Results.create(tmp_path, "quick", 1, True, 20000)


def add(results: Results, experiment: str, server: str, point: str, *values: float, **more: Any) -> None:
    """One run for each value of the main column of the experiment."""
    column = more.pop("column", MAIN_FIGURE[experiment].column)
    for repeat, value in enumerate(values, start=1):
        fields: dict[str, Any] = {"verdict": "VALID", "attempt": 1, "seed": 1, column: value, **more}
        results.add(Row(experiment=experiment, server=server, point=point, repeat=repeat, **fields))


def add_waits(results: Results, server: str, times: dict[int, float], place: str = "last", **more: Any) -> None:
    for watched, time in times.items():
        add(results, "E4-wait", server, f"watched={watched} ready=1 place={place}", *[time] * 6, **more)


def judged(results: Results, name: str) -> Verdict:
    (found,) = [verdict for verdict in shapes.judge(results) if verdict.name == name]
    return found


def outcome(results: Results, name: str) -> str:
    return judged(results, name).outcome


def test_nothing_is_measured_at_first(results):
    verdicts = shapes.judge(results)
    names = [verdict.name for verdict in verdicts]
    assert len(names) == len(set(names)) >= 39
    assert {"wait-slope-poll", "idle-cost-epoll_lt", "scanned-poll", "cycle-all"} <= set(names)
    assert {verdict.outcome for verdict in verdicts} == {"not measured"}
    assert judged(results, "wait-slope-poll").figures == "no run of poll_srv watched=1000 ready=1 place=last"


def test_kqueue_takes_part_only_where_it_is_native(results):
    def of_kqueue() -> list[str]:
        return [verdict.name for verdict in shapes.judge(results) if "kqueue" in verdict.name]

    for stand_in in ("emulation", "libkqueue", None):
        results.fingerprint["kqueue"] = stand_in
        assert of_kqueue() == []
    results.fingerprint["kqueue"] = "native"
    assert {"wait-flat-kqueue_srv", "idle-bytes-kqueue_srv", "faults-kqueue_srv"} <= set(of_kqueue())


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
    assert verdict.figures.startswith(f"slope {slope:.2f} (6 repeats; ") and verdict.figures.endswith(" at 16000)")


@pytest.mark.parametrize("missing", [1000, 4000, 16000])
def test_a_slope_needs_all_its_places(results, missing):
    add_waits(results, "poll_srv", {n: float(n) for n in (1000, 4000, 16000) if n != missing})
    verdict = judged(results, "wait-slope-poll")
    assert verdict.outcome == "not measured"
    assert verdict.figures == f"no run of poll_srv watched={missing} ready=1 place=last"


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ((0.0,), "reproduced"),  # a count needs no six runs
        ((0.0, 0.004, 0.0), "reproduced"),
        ((0.0, 0.09, 2.0), "inconclusive"),
        ((0.2, 12.0, 0.3), "not reproduced"),
    ],
)
def test_all_runs_of_a_count_must_lie_within(results, faults, expected):
    add(results, "E10", "epoll_lt", "payload=65536 connections=10", *faults, column="faults")
    add(results, "E10", "epoll_lt", "payload=200000 connections=10", 0.0, column="faults")
    assert outcome(results, "faults-epoll_lt") == expected


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
        ("churn-cost", "E9", "connections=100", 2.1, "not reproduced"),
        ("active-cost", "E1", "connections=10000", 1.4, "reproduced"),
    ],
)
def test_poll_against_epoll(results, name, experiment, point, poll, expected):
    column = {"E9": "server_cpu", "E1": "server_cpu"}.get(experiment, MAIN_FIGURE[experiment].column)
    add(results, experiment, "poll_srv", point, *[2 * poll] * 6, column=column)
    assert outcome(results, name) == "not measured"
    add(results, experiment, "epoll_lt", point, *[2.0] * 6, column=column)
    verdict = judged(results, name)
    assert verdict.outcome == expected
    assert verdict.figures.endswith(f" (6 pairs; {2 * poll:.4g} / 2)")


@pytest.mark.parametrize(
    ("name", "experiment", "server", "idle", "share", "expected"),
    [
        ("idle-cost-epoll_lt", "E2-cost", "epoll_lt", 16000, 1.14, "reproduced"),
        ("idle-cost-epoll_lt", "E2-cost", "epoll_lt", 16000, 1.16, "not reproduced"),
        ("idle-cost-epoll_et", "E2-cost", "epoll_et", 16000, 0.8, "reproduced"),
        ("idle-poll-2000", "E2", "poll_srv", 2000, 0.74, "reproduced"),
        ("idle-poll-2000", "E2", "poll_srv", 2000, 0.76, "not reproduced"),
        ("idle-poll-8000", "E2", "poll_srv", 8000, 0.49, "reproduced"),
        ("idle-poll-8000", "E2", "poll_srv", 8000, 0.51, "not reproduced"),
    ],
)
def test_idle_connections(results, name, experiment, server, idle, share, expected):
    alone = [90000, 100000, 110000, 95000, 105000, 100000]
    add(results, experiment, server, "idle=0 active=8", *alone)
    add(results, experiment, server, "idle=0 active=100", 1.0)
    add(results, experiment, server, f"idle={idle} active=8", *[share * each for each in alone])
    assert outcome(results, name) == expected


@pytest.mark.parametrize(("scanned", "expected"), [((1001.0, 1004.0), "reproduced"), ((1001.0, 1200.0), "inconclusive"),
                                                   ((3.0, 4.0), "not reproduced")])  # fmt: skip
def test_descriptors_that_poll_looks_at(results, scanned, expected):
    add(results, "E2", "poll_srv", "idle=8000 active=8", *scanned, column="scanned")
    assert outcome(results, "scanned-poll") == expected


@pytest.mark.parametrize(
    ("policy", "calls"),
    [("level", 3), ("edge_would_block", 4), ("edge_short_read", 3), ("one_shot", 4), ("add_delete", 5)],
)
def test_calls(results, policy, calls):
    name = f"calls-{policy}"
    for value, expected in ((calls * 1.049, "reproduced"), (calls * 0.951, "reproduced"), (calls, "reproduced")):
        add(results, "E5", policy, "connections=1", value)
        assert outcome(results, name) == expected
    for value in (calls * 1.051, calls * 0.949):
        add(results, "E5", policy, "connections=1", value)
        assert outcome(results, name) == "not reproduced"
    assert judged(results, name).figures == f"{calls * 0.949:.2f} (1 run)"


# Instructions, duplicates, calls that sleep


def add_counts(results: Results, counts: dict[tuple[str, str], float]) -> None:
    for (server, point), value in counts.items():
        add(results, "E16", server, point, value, value)


WAIT = "watched={} ready=1 place=last what=wait"
CYCLE = "watched=9000 ready={} what=cycle"
EXPECTED = {  # as a pilot run counted them
    **{(server, WAIT.format(n)): 2000 + 227.7 * n for server in ("poll_srv", "select_srv") for n in (100, 1000, 9000)},
    **{(server, WAIT.format(n)): 830.0 for server in ("epoll_lt", "epoll_et") for n in (100, 1000, 9000)},
    **{("poll_srv", CYCLE.format(ready)): 2.1e6 + 2000.0 * ready for ready in (1, 90, 9000)},
    **{("epoll_lt", CYCLE.format(ready)): 500 + 2100.0 * ready for ready in (1, 90, 9000)},
    ("poll_srv", "watched=16000 ready=0 of=sockets what=wait"): 3.6e6,
    ("poll_srv", "watched=16000 ready=0 of=duplicates what=wait"): 3.6e6,
    ("poll_srv", "watched=1000 ready=0 of=sockets what=wait"): 228000.0,
    ("poll_srv", "watched=1000 ready=0 what=block"): 684000.0,
}
COUNTED = [
    "count-slope-poll", "count-slope-select", "count-flat-epoll_lt", "count-flat-epoll_et", "count-ratio-1000",
    "count-ratio-9000", "count-cycle-one", "count-cycle-1-percent", "count-cycle-all", "count-same", "count-block",
]  # fmt: skip


def test_counts_are_judged_alone_where_nothing_else_was_made(results):
    add_counts(results, EXPECTED)
    assert {verdict.name: verdict.outcome for verdict in shapes.judge(results)} == dict.fromkeys(COUNTED, "reproduced")
    add(results, "E5", "level", "connections=1", 3.0)
    assert len(shapes.judge(results)) > len(COUNTED) and outcome(results, "calls-level") == "reproduced"


@pytest.mark.parametrize(
    "name, server, point, factor",
    [
        ("count-slope-poll", "poll_srv", WAIT.format(9000), 1.1),
        ("count-slope-select", "select_srv", WAIT.format(1000), 1.1),
        ("count-flat-epoll_lt", "epoll_lt", WAIT.format(9000), 1.02),
        ("count-flat-epoll_et", "epoll_et", WAIT.format(100), 1.02),
        ("count-ratio-1000", "poll_srv", WAIT.format(1000), 0.5),
        ("count-ratio-9000", "epoll_lt", WAIT.format(9000), 1.3),
        ("count-cycle-one", "poll_srv", CYCLE.format(1), 0.5),
        ("count-cycle-1-percent", "epoll_lt", CYCLE.format(90), 2),
        ("count-cycle-all", "poll_srv", CYCLE.format(9000), 1.2),
        ("count-same", "poll_srv", "watched=16000 ready=0 of=sockets what=wait", 1.02),
        ("count-block", "poll_srv", "watched=1000 ready=0 what=block", 0.5),
    ],
)
def test_a_count_beside_its_limits_is_not_reproduced(results, name, server, point, factor):
    add_counts(results, {**EXPECTED, (server, point): factor * EXPECTED[server, point]})
    assert outcome(results, name) == "not reproduced"


@pytest.mark.parametrize(
    "sockets, duplicates, sleeping, expected",
    [
        ((60.0, 2400.0), (40.0, 640.0), 240.0, ("reproduced", "reproduced", "reproduced")),
        ((60.0, 960.0), (40.0, 640.0), 100.0, ("reproduced", "not reproduced", "not reproduced")),
        ((60.0, 2400.0), (40.0, 1280.0), 240.0, ("not reproduced", "reproduced", "reproduced")),
    ],
)
def test_duplicates_and_sleeping_calls(results, sockets, duplicates, sleeping, expected):
    for of, times in (("sockets", sockets), ("duplicates", duplicates)):
        for watched, time in zip((1000, 16000), times):
            add(results, "E4-same", "poll_srv", f"watched={watched} ready=0 of={of}", *6 * [time])
    for block, time in ((0, 80.0), (20, sleeping)):
        add(results, "E4-block", "poll_srv", f"watched=1000 ready=0 block={block}", *6 * [time])
    assert tuple(outcome(results, name) for name in ("same-slope", "same-ratio", "block-poll")) == expected


# A million


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


# What the interval decides, and nothing else


def add_pairs(results: Results, *ratios: float, **more: Any) -> None:
    """Pairs of cycle-one, whose limit is 50. Their level moves by a factor of a hundred from pair to pair."""
    levels = [1.0, 10.0, 100.0, 2.0, 50.0, 5.0, 1.0, 10.0, 100.0, 2.0, 50.0, 5.0][: len(ratios)]
    add(results, "E4-cycle", "epoll_lt", "watched=9000 ready=1", *levels)
    times = [ratio * level for ratio, level in zip(ratios, levels)]
    add(results, "E4-cycle", "poll_srv", "watched=9000 ready=1", *times, **more)


@pytest.mark.parametrize(
    ("ratios", "expected", "shown"),
    [
        ((51, 55, 60, 65, 70, 500), "reproduced", "51 to 500 (6 pairs; "),
        ((49, 55, 60, 65, 70, 500), "inconclusive", "49 to 500 (6 pairs; "),
        ((10, 20, 30, 40, 45, 49), "not reproduced", "10 to 49 (6 pairs; "),
        ((51, 55, 60, 65, 70), "inconclusive", "only 5 pairs: six are needed"),
        ((49, 49, *[51] * 10), "reproduced", "51 (12 pairs; "),  # of twelve the third of either side
        ((49, 49, 49, *[51] * 9), "inconclusive", "49 to 51 (12 pairs; "),
    ],
)
def test_the_interval_of_the_pairs_decides(results, ratios, expected, shown):
    """However far the figures themselves are apart: what a slow minute does to both runs of a pair cancels."""
    add_pairs(results, *ratios)
    verdict = judged(results, "cycle-one")
    assert verdict.outcome == expected and verdict.figures.startswith(shown)


def test_runs_are_paired_by_their_repeat(results):
    """The medians alone say 100."""
    add(results, "E4-cycle", "epoll_lt", "watched=9000 ready=1", 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    add(results, "E4-cycle", "poll_srv", "watched=9000 ready=1", 600, 500, 400, 300, 200, 100)
    assert judged(results, "cycle-one").figures.startswith("16.7 to 600 (6 pairs; 350 / 3.5)")


# Runs without a figure


def lose(results: Results, experiment: str, server: str, point: str, *repeats: int, verdict: str = "FAILED") -> None:
    """The last attempt at these runs has no figure."""
    for repeat in repeats:
        results.add(Row(experiment, server, point, repeat, 2, 1, verdict))


@pytest.mark.parametrize("verdict", ["FAILED", "ERRORS", "VALID"])
def test_a_crash_is_not_left_out(results, verdict):
    """Whoever drops the pair that lies beyond the limit says that the limit, 50, is kept."""
    add_pairs(results, 40, 60, 60, 60, 60, 60, 60)
    assert outcome(results, "cycle-one") == "inconclusive"
    lose(results, "E4-cycle", "poll_srv", "watched=9000 ready=1", 1, verdict=verdict)
    found = judged(results, "cycle-one")
    assert found.outcome == "inconclusive"
    how = "without a figure" if verdict == "VALID" else verdict
    assert found.figures.startswith(f"60 where measured (6 of 7 pairs; 1 run {how}; ")


@pytest.mark.parametrize("lost, expected", [((), "reproduced"), ((3, 9), "reproduced"), ((3, 9, 11), "inconclusive")])
def test_a_pair_without_a_figure_could_have_had_any_ratio(results, lost, expected):
    """Of twelve pairs the third of either side decides, so two of them may be anything."""
    add_pairs(results, *[60] * 12)
    lose(results, "E4-cycle", "epoll_lt", "watched=9000 ready=1", *lost)
    found = judged(results, "cycle-one")
    assert found.outcome == expected
    shown = {0: "60 (12 pairs; ", 2: "60 (10 of 12 pairs; 2 runs FAILED; "}
    assert found.figures.startswith(shown.get(len(lost), "60 where measured (9 of 12 pairs; 3 runs FAILED; "))


def test_runs_without_a_figure_do_not_hide_what_is_refuted(results):
    add_pairs(results, *[10] * 12)
    lose(results, "E4-cycle", "poll_srv", "watched=9000 ready=1", 1, 2)
    assert outcome(results, "cycle-one") == "not reproduced"


def test_too_few_pairs_say_why(results):
    add_pairs(results, *[60] * 6)
    lose(results, "E4-cycle", "poll_srv", "watched=9000 ready=1", 1)
    lose(results, "E4-cycle", "epoll_lt", "watched=9000 ready=1", 1, 2, verdict="ERRORS")
    found = judged(results, "cycle-one")
    assert found.outcome == "inconclusive"
    assert found.figures == "only 4 of 6 pairs: six are needed (2 runs ERRORS, 1 run FAILED)"


def test_half_a_pair_is_no_pair(results):
    add(results, "E4-cycle", "poll_srv", "watched=9000 ready=1", *[60.0] * 7)
    add(results, "E4-cycle", "epoll_lt", "watched=9000 ready=1", *[1.0] * 6)
    found = judged(results, "cycle-one")
    assert found.outcome == "inconclusive" and "(6 of 7 pairs; 1 run not made; " in found.figures


def test_a_count_needs_the_figures_of_all_its_runs(results):
    add(results, "E5", "level", "connections=1", 3.0, 3.0)
    assert outcome(results, "calls-level") == "reproduced"
    lose(results, "E5", "level", "connections=1", 2)
    found = judged(results, "calls-level")
    assert (found.outcome, found.figures) == ("inconclusive", "3.00 where measured (1 of 2 runs; 1 run FAILED)")


def test_a_slope_needs_the_figures_of_all_its_repeats(results):
    add_waits(results, "poll_srv", {n: float(n) for n in (1000, 4000, 16000)})
    add(results, "E4-wait", "poll_srv", "watched=4000 ready=1 place=last", *[4000.0] * 7)
    assert judged(results, "wait-slope-poll").figures.startswith(
        "slope 1.00 where measured (6 of 7 repeats; 2 runs not made; "
    )
    assert outcome(results, "wait-slope-poll") == "inconclusive"


def test_an_outcome_leaves_no_run_out(results):
    """The planted filter: a client that flags the fast half of the runs. Whoever drops these says that the limit, 50,
    is kept."""
    add_pairs(results, *[60.0] * 6)
    for repeat, level in enumerate((1.0, 2.0, 3.0, 4.0, 5.0, 6.0), start=7):
        for server, time, verdict in (("epoll_lt", level, "VALID"), ("poll_srv", 40 * level, "CLIENT_BOUND")):
            results.add(Row("E4-cycle", server, "watched=9000 ready=1", repeat, 1, 1, verdict, cycle=time))
    found = judged(results, "cycle-one")
    assert found.outcome == "inconclusive" and found.figures.startswith("40 to 60 (12 pairs; ")


@pytest.mark.parametrize("verdict", ["VALID", "NOISY_HOST", "UNSTABLE", "OVERLOADED"])
@pytest.mark.parametrize("disturbed", ["", "steal"])
def test_every_verdict_counts_alike(results, verdict, disturbed):
    add_pairs(results, *[51.0] * 6, verdict=verdict, disturbed=disturbed)
    assert outcome(results, "cycle-one") == "reproduced"


# What only bounds a figure


@pytest.mark.parametrize(
    ("busy", "alone", "name", "expected"),
    [
        ("VALID", "CLIENT_BOUND", "idle-poll-2000", "reproduced"),  # at most 0.7
        ("CLIENT_BOUND", "VALID", "idle-poll-2000", "inconclusive"),  # at least 0.7
        ("CLIENT_BOUND", "CLIENT_BOUND", "idle-poll-2000", "inconclusive"),
    ],
)
def test_a_client_at_its_limit_bounds_the_figure(results, busy, alone, name, expected):
    add(results, "E2", "poll_srv", "idle=2000 active=8", *[70.0] * 6, verdict=busy)
    add(results, "E2", "poll_srv", "idle=0 active=8", *[100.0] * 6, verdict=alone)
    assert outcome(results, name) == expected


def test_a_bound_can_refute(results):
    add(results, "E2", "poll_srv", "idle=2000 active=8", *[80.0] * 6, verdict="CLIENT_BOUND")
    add(results, "E2", "poll_srv", "idle=0 active=8", *[100.0] * 6)
    verdict = judged(results, "idle-poll-2000")
    assert verdict.outcome == "not reproduced" and verdict.figures == "at least 0.80 (6 pairs; ≥80 / 100)"


@pytest.mark.parametrize(("lag", "expected"), [(5000.0, "reproduced"), (8500.0, "inconclusive")])
def test_a_late_client_bounds_a_response_by_its_lateness(results, lag, expected):
    """At 16000 at most 8800, and at least that without the lag; at 100 exactly 100; the limit is 10 times."""
    late = {"verdict": "CLIENT_BOUND", "lag_p99": lag}
    add(results, "E3-rate", "poll_srv", "connections=16000 rate=2000", *[8800.0] * 6, column="response_p50", **late)
    add(results, "E3-rate", "poll_srv", "connections=100 rate=2000", *[100.0] * 6, column="response_p50")
    assert outcome(results, "rate-poll_srv") == expected


def test_a_time_of_a_client_at_its_limit_is_no_bound(results):
    add_pairs(results, *[51.0] * 6, verdict="CLIENT_BOUND")
    assert outcome(results, "cycle-one") == "reproduced"


@pytest.mark.parametrize("zero", ["poll_srv", "epoll_lt"])
def test_a_figure_of_zero_has_no_ratio(results, zero):
    for server in ("poll_srv", "epoll_lt"):
        add(results, "E4-cycle", server, "watched=9000 ready=1", *[0.0 if server == zero else 1.0] * 6)
    assert judged(results, "cycle-one").outcome == "inconclusive"


def test_a_part_that_fails_decides(results):
    add(results, "E10", "epoll_lt", "payload=65536 connections=10", 5.0, column="faults")
    verdict = judged(results, "faults-epoll_lt")
    assert verdict.outcome == "not reproduced" and "; no run of epoll_lt payload=200000" in verdict.figures


def test_different_loads_are_not_compared(results):
    add(results, "E4-cycle", "epoll_lt", "watched=9000 ready=1", 1.0, schedule_hash="aa")
    add(results, "E4-cycle", "poll_srv", "watched=9000 ready=1", 1.0, schedule_hash="bb")
    with pytest.raises(BadResults, match="cannot be compared"):
        shapes.judge(results)


# Smaller machines


@pytest.mark.parametrize("descriptors", [256, 1024, 4096, 20000, 1 << 30])
def test_every_shape_lies_within_reach(descriptors):
    """Its places are in the quick and in the full run, and each run of them is within the limit."""
    made = {each.name: each for each in experiments.made(descriptors)}
    names = [shape.name for shape in shapes.made(descriptors)]
    assert len(names) == len(set(names))
    for shape in shapes.made(descriptors):
        if shape.experiment in shapes.OWN_COMMAND:
            continue
        experiment = made[shape.experiment]
        for place in (place for part in shape.parts for place in part.places):
            if place.server == "kqueue_srv" and place.server not in experiment.servers:
                continue  # a stand-in
            assert place.server in experiment.servers, (shape.name, place)
            for mode in ("quick", "full"):
                assert place.point in experiment.points[mode], (shape.name, place, mode)
            needed = experiment.descriptors(rows.factors(place.point)) + experiments.OWN_DESCRIPTORS
            assert needed <= descriptors, (shape.name, place)


def test_a_single_figure_is_a_count():
    """A time alone says nothing."""
    for shape in shapes.made():
        for part in (part for part in shape.parts if isinstance(part, Value)):
            assert part.column in COUNTS or (shape.experiment, part.column) == ("E15", "events"), shape.name


def test_an_interval_without_an_end_is_null(results):
    add(results, "E2", "poll_srv", "idle=2000 active=8", *[80.0] * 6, verdict="CLIENT_BOUND")
    add(results, "E2", "poll_srv", "idle=0 active=8", *[100.0] * 6)
    shapes.write(results.path / "verdicts.json", shapes.judge(results))
    written = {each["name"]: each for each in json.loads((results.path / "verdicts.json").read_text())["verdicts"]}
    assert written["idle-poll-2000"]["parts"][0]["interval"] == [0.8, None]


def test_pairs_that_were_no_neighbours_are_said(results):
    for server, time, clock in (("poll_srv", 60.0, "10:00:00"), ("epoll_lt", 1.0, "10:20:00")):
        add(results, "E4-cycle", server, "watched=9000 ready=1", *[time] * 6, started=f"2026-01-01T{clock}Z")
    verdict = judged(results, "cycle-one")
    assert verdict.outcome == "reproduced" and "6 pairs made more than ten minutes apart" in verdict.figures


def test_a_time_without_a_zone_is_no_time(results):
    for server, time, zone in (("poll_srv", 60.0, ""), ("epoll_lt", 1.0, "Z")):
        add(results, "E4-cycle", server, "watched=9000 ready=1", *[time] * 6, started=f"2026-01-01T10:00:00{zone}")
    assert outcome(results, "cycle-one") == "reproduced"


def test_limits_follow_the_sizes():
    def ratio(descriptors: int) -> float:
        (found,) = [each for each in shapes.made(descriptors) if each.name.startswith("wait-ratio-4000")]
        return found.parts[0].low

    assert ratio(4096) == 75, "300 at 16000"


# The programs


def test_the_program_prints_and_writes_what_was_judged(results):
    add_waits(results, "poll_srv", {n: 0.05 * n for n in (1000, 4000, 16000)})
    add(results, "E5", "level", "connections=1", 5.0)
    done = module.run("bench.shapes", results.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == (
        "reproduced      wait-slope-poll    poll, one ready: slope 0.85 to 1.9 on log-log axes from 1000 watched on"
    )
    judged_now = shapes.judge(Results.open(results.path))
    last = f"1 reproduced, 1 not reproduced, 0 inconclusive, {len(judged_now) - 2} not measured"
    assert done.stdout.splitlines()[-1] == last
    document = json.loads((results.path / "verdicts.json").read_text())
    assert document["schema"] == "verdicts/2"
    written = document["verdicts"]
    assert [(each["name"], each["outcome"], each["figures"]) for each in written] == [
        (each.name, each.outcome, each.figures) for each in judged_now
    ]
    first = written[0]["parts"][0]
    assert (first["kind"], first["part"]["low"], first["samples"]) == ("slope", 0.85, 6)
    assert first["interval"] == pytest.approx([1.0, 1.0])
    assert written[[each["name"] for each in written].index("cycle-one")]["parts"][0]["part"]["high"] is None
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
    assert (done.returncode, done.stderr) == (0, "")


def test_the_model_program_prints_costs_and_residuals(results):
    for watched in (1000, 9000):
        for ready in (1, 90, 900):
            instructions = 2 + 0.05 * watched + 0.7 * ready
            add(results, "E16", "poll_srv", f"watched={watched} ready={ready} what=cycle", instructions)
    done = module.run("bench.model", results.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert ["poll_srv", "2.0", "0.0500", "0.70"] in [line.split()[:4] for line in done.stdout.splitlines()]
    assert "no points enough" in done.stdout  # for the wait alone
