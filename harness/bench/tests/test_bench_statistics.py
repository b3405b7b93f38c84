"""Statistics and the cost model against answers that are known."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from bench import model, statistics
from bench.results import BadResults
from bench.rows import Row


def row(server: str, point: str, repeat: int, value: float | None = None, **more: Any) -> Row:
    values: dict[str, Any] = {"attempt": 1, "seed": 1, "verdict": "VALID", "experiment": "E1", "throughput": value}
    return Row(server=server, point=point, repeat=repeat, **(values | more))


# Medians and their intervals


@pytest.mark.parametrize(
    ("runs", "ranks", "coverage"),
    [
        (5, None, None),
        (6, (1, 6), 0.96875),
        (8, (1, 8), 0.9921875),
        (9, (2, 8), 0.9609375),
        (10, (2, 9), 0.978515625),
        (12, (3, 10), 0.96142578125),
        (20, (6, 15), 0.95861053466796875),
        (100, (40, 61), 0.9647997997822952),
    ],
)
def test_ranks_of_the_interval_of_a_median(runs, ranks, coverage):
    """The values are in the tables of the sign test, for example Conover, table A3."""
    assert statistics.median_ranks(runs) == ranks
    if ranks:
        missed = 2 * sum(math.comb(runs, below) for below in range(ranks[0])) / 2**runs
        assert 1 - missed == pytest.approx(coverage, rel=1e-12)


def test_the_interval_holds_the_median_as_often_as_it_says():
    """All 2^9 ways in which nine values can fall below or above the median, counted out."""
    low, high = statistics.median_ranks(9) or (0, 0)
    hits = sum(low <= sum(below) < high for below in itertools.product((0, 1), repeat=9))
    assert hits / 2**9 == 0.9609375


def test_six_runs_give_an_interval():
    summary = statistics.summarise([5, 1, 4, 2, 6, 3])
    assert (summary.median, summary.low, summary.high) == (3.5, 1, 6)
    assert summary.runs == 6 and summary.interval and not summary.bound


def test_ten_runs_leave_the_outermost_out():
    summary = statistics.summarise([1000, *range(2, 10), -1000])
    assert (summary.median, summary.low, summary.high) == (5.5, 2, 9) and summary.interval


def test_fewer_runs_give_the_range():
    summary = statistics.summarise([30.0, 10.0, 20.0])
    assert (summary.median, summary.low, summary.high) == (20, 10, 30) and not summary.interval
    one = statistics.summarise([7.0])
    assert (one.median, one.low, one.high, one.runs) == (7, 7, 7, 1)
    with pytest.raises(ValueError):
        statistics.summarise([])


def test_an_interval_takes_six_values():
    assert statistics.interval([1.0, 2.0, 3.0, 4.0, 5.0]) is None
    assert statistics.interval([6.0, 2.0, 3.0, 4.0, 5.0, 1.0]) == (1, 6)
    assert statistics.interval(list(range(12))) == (2, 9)


# By point


def test_by_point_takes_the_last_attempts_whatever_came_out():
    here = "connections=10"
    rows = [
        row("poll_srv", here, 1, 999.0, verdict="NOISY_HOST", disturbed="steal: 5%"),
        row("poll_srv", here, 1, 10.0, attempt=2),
        row("poll_srv", here, 2, 20.0, disturbed="steal: 2%"),
        row("poll_srv", here, 3, 5000.0, verdict="UNSTABLE"),
        row("poll_srv", here, 4, verdict="FAILED"),
        row("poll_srv", "connections=100", 1, 7.0, verdict="CLIENT_BOUND"),
        row("poll_srv", "connections=100", 2, 9.0),
        row("poll_srv", "connections=1000", 1, verdict="FAILED"),
        row("epoll_lt", here, 1, 30.0),
    ]
    found = statistics.by_point(rows, "throughput")
    assert set(found) == {("poll_srv", here), ("poll_srv", "connections=100"), ("epoll_lt", here)}
    mixed = found["poll_srv", here]
    assert (mixed.median, mixed.runs, mixed.bound, mixed.disturbed) == (20, 3, "", 1)
    bound = found["poll_srv", "connections=100"]
    assert (bound.median, bound.runs, bound.bound, bound.disturbed) == (8, 2, "at least", 0)
    assert statistics.by_point(rows, "cycle") == {}


def test_a_client_that_flags_the_fast_runs_changes_no_median():
    """The planted filter: dropping what is flagged would say 20 in place of 15."""
    rows = [
        row("poll_srv", "connections=10", repeat, value, verdict="CLIENT_BOUND" if value < 15 else "VALID")
        for repeat, value in enumerate((10.0, 20.0, 10.0, 20.0), start=1)
    ]
    assert statistics.by_point(rows, "throughput")["poll_srv", "connections=10"].median == 15


@pytest.mark.parametrize(
    ("column", "verdict", "bound"),
    [
        ("throughput", "CLIENT_BOUND", "at least"),
        ("capacity", "CLIENT_BOUND", "at least"),
        ("event_cpu", "CLIENT_BOUND", "at most"),
        ("service_p99", "CLIENT_BOUND", ""),
        ("response_p99", "CLIENT_BOUND", "at most"),
        ("throughput", "OVERLOADED", ""),
    ],
)
def test_what_is_a_bound(column, verdict, bound):
    assert statistics.bound(row("poll_srv", "connections=1", 1, verdict=verdict), column) == bound


@pytest.mark.parametrize(
    ("reasons", "bound"),
    [
        ("preempted: 9% (limit 5%); busy: a client thread used 99.0% of a CPU", "at least"),
        ("steal: 2.00% of the machine's time; lag: p99 2000.0 us", "at least"),
        ("steal: 2.00% of the machine's time; steady: 1 replies", ""),
        ("", ""),
    ],
)
def test_a_noisy_host_hides_no_bound(reasons, bound):
    """The load generator says the verdict of highest precedence only, and all reasons."""
    noisy = row("poll_srv", "connections=1", 1, verdict="NOISY_HOST", reasons=reasons)
    assert statistics.bound(noisy, "throughput") == bound


def test_zero_is_a_figure():
    found = statistics.by_point([row("poll_srv", "connections=1", 1, 0.0)], "throughput")
    assert found["poll_srv", "connections=1"].median == 0


def test_different_loads_are_not_laid_side_by_side():
    rows = [
        row("poll_srv", "connections=10", 1, 1.0, schedule_hash="aaaa"),
        row("epoll_lt", "connections=10", 2, 1.0, schedule_hash="bbbb"),
        row("epoll_lt", "connections=10", 1, 1.0, schedule_hash="cccc"),
    ]
    statistics.by_point(rows[:2], "throughput")
    with pytest.raises(BadResults) as refusal:
        statistics.by_point(rows, "throughput")
    assert str(refusal.value) == (
        "E1 connections=10 repeat 1: poll_srv was asked for load aaaa, epoll_lt for cccc; they cannot be compared"
    )


def test_policies_have_a_load_of_their_own():
    def calls(server: str, schedule_hash: str) -> Row:
        return row(server, "connections=1", 1, experiment="E5", calls=3.0, schedule_hash=schedule_hash)

    apart = [calls("poll_srv", "aaaa"), calls("level", "bbbb"), calls("one_shot", "bbbb")]
    assert len(statistics.by_point(apart, "calls")) == 3
    with pytest.raises(BadResults):
        statistics.by_point([*apart, calls("add_delete", "cccc")], "calls")


def test_experiments_are_not_mixed():
    rows = [row("poll_srv", "connections=1", 1, 1.0), row("poll_srv", "connections=1", 1, 1.0, experiment="E9")]
    with pytest.raises(BadResults, match="E1, E9"):
        statistics.by_point(rows, "throughput")


# Slopes


@pytest.mark.parametrize("exponent", [-0.5, 0.0, 1.0, 1.5])
def test_slope_of_a_power_law(exponent):
    points = [(x, 3.7 * x**exponent) for x in (100, 1000, 4000, 16000)]
    assert statistics.log_log_slope(points) == pytest.approx(exponent, abs=1e-12)


def test_slope_is_that_of_least_squares():
    """By hand: logarithms (base e) 0, 1, 2 and 0, 2, 1 have the slope 1/2."""
    e = math.e
    assert statistics.log_log_slope([(1, 1), (e, e**2), (e**2, e)]) == pytest.approx(0.5)


@pytest.mark.parametrize("points", [[], [(1, 1)], [(2, 1), (2, 3)], [(1, 0), (2, 1)], [(0, 1), (2, 1)]])
def test_no_slope_without_two_places(points):
    with pytest.raises(ValueError):
        statistics.log_log_slope(points)


# The cost model


def cycles(server: str, a: float, b: float, c: float, sizes: tuple[int, ...] = (1000, 9000)) -> list[Row]:
    return [
        row(server, f"watched={n} ready={k} what=cycle", 1, experiment="E16", instructions=a + b * n + c * k)
        for n in sizes
        for k in (1, 90, 900)
    ]


def test_the_model_finds_the_costs_that_made_the_counts():
    fits = model.fit([*cycles("poll_srv", 2.0, 0.05, 0.7), *cycles("epoll_lt", 1.5, 0.0, 0.8)])
    poll, epoll = fits["poll_srv"], fits["epoll_lt"]
    assert (poll.a, poll.b, poll.c) == pytest.approx((2.0, 0.05, 0.7))
    assert (epoll.a, epoll.b, epoll.c) == pytest.approx((1.5, 0.0, 0.8), abs=1e-9)
    assert abs(poll.worst.residual) < 1e-9 and poll.notes == ()
    assert poll.a + poll.b * 4000 + poll.c * 10 == pytest.approx(209)
    assert len(poll.points) == 6 and (poll.points[0].watched, poll.points[0].ready) == (1000, 1)


def test_the_cheap_end_counts_as_much_as_the_dear_one():
    """One at one, a thousand at a thousand, and 10% off at the expensive end only. The fit must not move
    this error to the cheap end, where it would be 100%."""
    rows = [
        row("poll_srv", f"watched={n} ready=1 what=cycle", 1, experiment="E16", instructions=time)
        for n, time in ((10, 1.0), (100, 10.0), (1000, 110.0), (10000, 900.0))
    ]
    fit = model.fit(rows)["poll_srv"]
    assert abs(fit.points[0].residual) < 0.1
    assert abs(fit.worst.residual) < 0.15


def test_a_factor_that_does_not_vary_is_said():
    fit = model.fit(cycles("poll_srv", 2.0, 0.05, 0.7, sizes=(9000,)))["poll_srv"]
    assert (fit.a, fit.b, fit.c) == pytest.approx((452.0, 0.0, 0.7))
    assert fit.notes == ("watched is 9000 everywhere: a holds b * watched too",)


def test_a_poor_fit_is_said_and_not_hidden():
    rows = cycles("poll_srv", 2.0, 0.05, 0.7) + [
        row("poll_srv", "watched=18000 ready=1 what=cycle", 1, experiment="E16", instructions=5000.0)
    ]
    fit = model.fit(rows)["poll_srv"]
    assert fit.worst.residual == min(point.residual for point in fit.points) < -model.POOR
    assert any(note.startswith("poor: -") and "watched=18000 ready=1" in note for note in fit.notes)
    assert "poor: -" in model.table({"poll_srv": fit})


def test_negative_costs_are_said():
    rows = [
        row("poll_srv", f"watched={n} ready=1 what=cycle", 1, experiment="E16", instructions=time)
        for n, time in ((10, 1.0), (20, 3.0), (30, 5.0))
    ]
    assert any("a below 0" in note for note in model.fit(rows)["poll_srv"].notes)


def test_a_negative_cost_that_nobody_sees_is_not_said():
    rows = [
        row("epoll_lt", f"watched={n} ready={k} what=cycle", 1, experiment="E16", instructions=2 - 1e-6 * n + k / 2)
        for n, k in ((100, 1), (1000, 10), (9000, 1), (9000, 100))
    ]
    fit = model.fit(rows)["epoll_lt"]
    assert fit.b == pytest.approx(-1e-6) and fit.notes == ()


def test_too_few_points_give_no_fit():
    assert model.fit(cycles("poll_srv", 2, 0.05, 0.7)[:1]) == {}
    diagonal = [
        row("poll_srv", f"watched={n} ready={n} what=cycle", 1, experiment="E16", instructions=float(n))
        for n in (10, 20, 30)
    ]
    assert model.fit(diagonal) == {}
    assert model.fit([]) == {}


def test_exactly_enough_points_are_said():
    rows = cycles("poll_srv", 2.0, 0.05, 0.7)
    fit = model.fit([rows[0], rows[1], rows[3]])["poll_srv"]
    assert fit.notes == ("3 numbers from 3 points: nothing is left over to judge the fit by",)


def test_wait_and_cycle_are_fitted_apart_and_duplicates_and_times_are_left_out():
    def counted(point: str, instructions: float) -> Row:
        return row("poll_srv", point, 1, experiment="E16", instructions=instructions)

    rows = [
        counted("watched=100 ready=1 place=last what=wait", 7.1),
        counted("watched=1000 ready=0 of=sockets what=wait", 52.0),
        counted("watched=1000 ready=0 of=duplicates what=wait", 9999.0),
        counted("watched=1000 ready=0 what=block", 8888.0),
        counted("watched=9000 ready=900 place=last what=wait", 542.0),
        counted("watched=9000 ready=90 place=last what=wait", 461.0),
        *cycles("poll_srv", 7.0, 0.5, 0.2),
        row("poll_srv", "watched=9000 ready=1", 1, experiment="E4-cycle", cycle=1e6),
    ]
    fit = model.fit(rows, "wait")["poll_srv"]
    assert (fit.a, fit.b, fit.c) == pytest.approx((2.0, 0.05, 0.1))
    assert len(fit.points) == 4
    whole = model.fit(rows, "cycle")["poll_srv"]
    assert (whole.a, whole.b, whole.c) == pytest.approx((7.0, 0.5, 0.2)) and len(whole.points) == 6
