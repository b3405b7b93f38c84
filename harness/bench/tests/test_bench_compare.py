"""Before and after: ratios of pairs, and the refusal to pair runs with different loads."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import compare, fingerprint
from bench.results import BadResults, Results
from bench.rows import Row
from bench.statistics import MAIN_FIGURE
from suite import module, servers

POINT = "idle=8000 active=8"


def row(repeat: int, value: float | None, experiment: str = "E2", server: str = "poll_srv", **more: Any) -> Row:
    figure = {MAIN_FIGURE[experiment].column: value} if experiment in MAIN_FIGURE else {}
    fields: dict[str, Any] = {"point": POINT, "attempt": 1, "seed": 5, "verdict": "VALID", "schedule_hash": "aa"}
    fields |= figure | more
    return Row(experiment=experiment, server=server, repeat=repeat, **fields)


def runs(*values: float, **more: Any) -> list[Row]:
    return [row(repeat, value, **more) for repeat, value in enumerate(values, start=1)]


def test_ratios_are_of_pairs():
    """The runs of a set differ a lot, but each is 10% faster than its partner."""
    before = runs(100, 200, 300, 400, 500, 600)
    after = runs(110, 220, 330, 440, 550, 660)[::-1]  # the order of a file says nothing
    (found,) = compare.compare(before, after)
    assert (found.experiment, found.server, found.point) == ("E2", "poll_srv", POINT)
    assert (found.before, found.after) == (350, 385)
    assert (found.ratio.median, found.ratio.low, found.ratio.high) == pytest.approx((1.1, 1.1, 1.1))
    assert found.ratio.interval and found.mark == "better"


@pytest.mark.parametrize(
    ("experiment", "factors", "mark"),
    [
        ("E2", (1.1, 1.2, 1.3, 1.1, 1.2, 1.3), "better"),
        ("E2", (0.9, 0.8, 0.7, 0.9, 0.8, 0.7), "worse"),
        ("E2", (0.9, 1.2, 1.3, 1.1, 1.2, 1.3), ""),
        ("E2", (1.0, 1.2, 1.3, 1.1, 1.2, 1.3), ""),
        ("E2", (1.1, 1.2, 1.3), "better?"),  # three pairs: the range
        ("E3-rate", (1.1, 1.2, 1.3, 1.1, 1.2, 1.3), "worse"),
        ("E3-rate", (0.5, 0.6, 0.7, 0.5, 0.6, 0.7), "better"),
        ("E9", (1.1, 1.2, 1.3, 1.1, 1.2, 1.3), "better"),
        ("E8", (1.1, 1.2), "worse?"),
    ],
)
def test_what_is_marked(experiment, factors, mark):
    after = runs(*[1000 * factor for factor in factors], experiment=experiment)
    (found,) = compare.compare(runs(*[1000.0] * len(factors), experiment=experiment), after)
    assert found.mark == mark


def test_the_main_figures_are_columns_and_cover_the_experiments():
    assert set(MAIN_FIGURE) == {
        "E1", "E2", "E2-cost", "E3-rate", "E3-capacity", "E4-wait", "E4-cycle", "E5", "E6", "E7", "E8", "E9", "E10",
        "E11", "E12", "E12-load", "E13", "E14-copy", "E14-frames",
        "E4-same", "E4-block", "E15", "E16", "E17", "E17-calls", "E17-memory", "E18", "E19", "E19-calls",
        "E20", "E20-calls", "E20-memory", "E20-handshakes", "E21",
    }  # fmt: skip
    assert all(hasattr(row(1, None), figure.column) for figure in MAIN_FIGURE.values())
    more = {name for name, figure in MAIN_FIGURE.items() if figure.more_is_better}
    assert more == {"E1", "E2", "E3-capacity", "E9", "E19"}


def test_only_what_both_have_is_paired():
    before = runs(100, 100, 100) + runs(7, server="epoll_lt") + runs(9, point="idle=0 active=8")
    after = runs(200, 200) + runs(7, server="epoll_et")
    (found,) = compare.compare(before, after)
    assert found.ratio.runs == 2 and found.ratio.median == 2


def test_every_pair_with_figures_counts():
    before = [row(1, 100), row(2, 100), row(3, 100, verdict="NOISY_HOST", disturbed="steal"), row(4, None)]
    after = [row(1, 150), row(2, 170, verdict="UNSTABLE"), row(3, 160), row(4, 100)]
    (found,) = compare.compare(before, after)
    assert (found.ratio.runs, found.ratio.median, found.mark) == (3, 1.6, "better?")
    assert "1 disturbed" in compare.text([found])


def test_a_bound_is_doubted():
    (found,) = compare.compare(runs(*[100.0] * 6), runs(*[110.0] * 6, verdict="CLIENT_BOUND"))
    assert found.ratio.interval and found.mark == "better?"
    assert "some figures are bounds" in compare.text([found])


def test_the_last_attempts_are_paired():
    before = [row(1, 1, verdict="NOISY_HOST", schedule_hash="other"), row(1, 100, attempt=2)]
    (found,) = compare.compare(before, [row(1, 300)])
    assert found.ratio.median == 3


def test_different_loads_are_refused():
    with pytest.raises(BadResults) as refusal:
        compare.compare(runs(1, 2), [row(1, 1), row(2, 2, schedule_hash="bb", seed=6)])
    assert str(refusal.value) == (
        f"E2 poll_srv {POINT} repeat 2: A was asked for load aa (seed 5), B for bb (seed 6); they cannot be compared"
    )


@pytest.mark.parametrize("after", [[], runs(1, server="epoll_lt"), [row(1, None, verdict="FAILED")]])
def test_nothing_in_common_is_refused(after):
    with pytest.raises(BadResults, match="no run with figures in common"):
        compare.compare(runs(1), after)


@pytest.mark.parametrize(
    ("before", "after", "mark", "low", "high"),
    [
        ([0] * 6, [7] * 6, "worse", math.inf, math.inf),
        ([0] * 6, [0] * 5 + [7], "worse?", 1, math.inf),
        ([7] * 6, [0] * 6, "better", 0, 0),
        ([7] + [0] * 5, [0] * 6, "better?", 0, 1),
        ([0] * 6, [0] * 6, "", 1, 1),
        ([0, 0, 0, 0, 7, 7], [0, 0, 7, 7, 0, 0], "", 0, math.inf),
        ([0], [7], "worse?", math.inf, math.inf),
    ],
)
def test_a_count_of_0_is_a_figure_like_others(before, after, mark, low, high):
    (found,) = compare.compare(runs(*before, experiment="E21"), runs(*after, experiment="E21"))
    assert (found.mark, found.ratio.low, found.ratio.high) == (mark, low, high)
    assert "nan" not in compare.text([found])


def test_a_rate_that_fell_to_0_is_worse():
    (found,) = compare.compare(runs(*[100.0] * 6), runs(*[0.0] * 6))
    assert (found.after, found.mark) == (0, "worse")


def test_a_difference_that_is_not_printed_is_no_difference():
    (found,) = compare.compare(runs(3.0002, experiment="E5"), runs(3.00018, experiment="E5"))
    assert found.mark == ""


def test_pairs_that_lack_a_figure_are_told():
    after = runs(150, 150, 150) + [row(4, None, verdict="FAILED"), row(5, None, verdict="ERRORS")]
    (found,) = compare.compare(runs(*[100.0] * 6), after)
    assert found.ratio.runs == 3
    said = "3 of 6 pairs: A has a figure in 6 of 6 runs, B has a figure in 3 of 5 runs (1 FAILED, 1 ERRORS)"
    assert said in compare.text([found]) and "1 of 1 points lack pairs" in compare.text([found])
    (found,) = compare.compare(after, runs(*[100.0] * 6))
    assert "A has a figure in 3 of 5 runs (1 FAILED, 1 ERRORS), B has" in compare.text([found])
    assert " of " not in compare.text(compare.compare(runs(1, 2), runs(1, 2))).splitlines()[1]


def test_what_cannot_be_paired_is_told():
    """A server that fails everywhere, and points, servers and experiments that one set has alone."""
    failed = [row(repeat, None, experiment="E1", verdict="FAILED") for repeat in (1, 2)]
    before = runs(1, 2) + runs(1, 2, experiment="E1") + runs(1, server="epoll_lt")
    after = runs(1, 2) + failed + runs(5, experiment="E5") + runs(5, experiment="E5", point="connections=2")
    assert compare.apart(before, after) == [
        f"E1 poll_srv {POINT}: A has a figure in 2 of 2 runs; B has a figure in 0 of 2 runs (2 FAILED)",
        "E2 epoll_lt: 1 point has runs in A only",
        "E5 poll_srv: 2 points have runs in B only",
    ]
    assert len(compare.compare(before, after)) == 1
    assert compare.apart(runs(1, 2), runs(1, 2)) == []


def test_an_experiment_without_a_main_figure_is_left_out():
    assert len(compare.compare(runs(1) + runs(1, experiment="X1"), runs(1) + runs(1, experiment="X1"))) == 1


# The program

EARLIER, LATER = "2026-03-01", "2026-03-02"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Results]:
    """made(rows, seed=1, **machine): a result set on the disk, with this fingerprint. A row whose `started` begins with
    LATER belongs to another machine."""

    def make(rows: list[Row], seed: int = 1, **machine: object) -> Results:
        here: dict[str, Any] = {"schema": fingerprint.SCHEMA, **machine}
        monkeypatch.setattr("bench.results.fingerprints.collect", lambda: here)
        results = Results.create(tmp_path, "full", seed, True, 20000)
        for each in rows:
            results.add(each)
        if any(each.started.startswith(LATER) for each in rows):
            elsewhere = results.path / f"fingerprint-{LATER.replace('-', '')}T000000Z.json"
            elsewhere.write_text(json.dumps({**here, "cpu": "another"}))
        return Results.open(results.path)

    return make


def test_the_program_prints_ratios_and_what_else_differs(made):
    before = made(runs(*[100.0] * 6), kernel="6.1", limits={"descriptors": 1})
    after = made(runs(*[90.0] * 6), seed=2, kernel="6.2", limits={"descriptors": 2})
    done = module.run("bench.compare", before.path, after.path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert {"seed: 1 -> 2", "kernel: 6.1 -> 6.2", "limits.descriptors: 1 -> 2"} <= set(lines)
    (line,) = [line for line in lines if line.startswith("E2")]
    assert line.split() == [
        "E2", "poll_srv", "idle=8000", "active=8", "throughput", "100", "90", "0.900", "0.900", "0.900", "6", "worse"
    ]  # fmt: skip
    assert "1 of 1 points are marked: their low and high lie on one side of 1." in lines
    lines = module.run("bench.compare", before.path, before.path).stdout.splitlines()
    assert "Not compared:" not in "\n".join(lines)


def test_the_same_build_is_said_only_where_it_is_known(made):
    """Most changes that are measured are not committed yet."""
    def said(one: Results, other: Results) -> str:
        return module.run("bench.compare", one.path, other.path).stdout.splitlines()[2].strip()

    commit = {"commit": "c0ffee", "dirty": True}
    one, other, older = (made(runs(1.0), **commit, **more) for more in (
        {"programs": {"poll_srv": "aa"}}, {"programs": {"poll_srv": "bb"}}, {}
    ))  # fmt: skip
    assert said(one, one) == "the same machine, build and settings"
    assert said(one, other) == "programs: another build of poll_srv"
    assert said(one, older) == said(older, older) == "programs: whether they are the same is not known"


def said_to_differ(one: Results, other: Results) -> list[str]:
    lines = module.run("bench.compare", one.path, other.path).stdout.splitlines()
    return [line.strip() for line in lines[2 : lines.index("")]]


def of_two_days(**more: Any) -> list[Row]:
    return [row(repeat, 1.0, started=f"{day}T0{repeat}:00:00Z", **more)
            for repeat, day in enumerate((EARLIER, EARLIER, LATER, LATER), start=1)]  # fmt: skip


TWICE = "A has runs of 2 machines or builds, B has runs of 2 machines or builds: each run is compared with its own pair"


def test_a_set_of_two_machines_is_the_same_as_itself(made):
    """Whatever its fingerprints lack: a run was made by the program that it was made by."""
    whole, older = made(of_two_days(), cpu="one", programs={"poll_srv": "aa"}), made(of_two_days(), cpu="one")
    assert said_to_differ(whole, whole) == ["the same machine, build and settings", TWICE]
    assert said_to_differ(older, older) == ["the same machine, build and settings", TWICE]
    reference = Results.open(servers.ROOT / "plots/reference")
    assert compare.differences(reference, reference) == ["the same machine, build and settings", TWICE]


def test_what_differs_between_the_runs_of_a_pair_is_told(made):
    """And only that: which machines there are besides says nothing about these runs."""
    programs = {"programs": {"poll_srv": "aa"}}
    before, after = made(of_two_days(), cpu="one", **programs), made(of_two_days(seed=6), cpu="two", **programs)
    assert said_to_differ(before, after) == ["cpu: one -> two (in 2 of 4 pairs)", TWICE]
    first = made(of_two_days()[:2], cpu="two", **programs)
    alone = "B has runs of 2 machines or builds: each run is compared with its own pair"
    assert said_to_differ(first, after) == ["the same machine, build and settings"]
    early = made([row(repeat, 1.0, started=f"{EARLIER}T09:00:00Z") for repeat in range(1, 5)], cpu="one", **programs)
    found = said_to_differ(early, after)
    assert sorted(found[:2]) == ["cpu: one -> another (in 2 of 4 pairs)", "cpu: one -> two (in 2 of 4 pairs)"]
    assert found[2:] == [alone]


def test_the_program_names_what_it_does_not_compare(made):
    """A crash is no figure, and nothing that a change broke may be missing in silence."""
    before, after = made(runs(1) + runs(1, experiment="E1")), made(runs(1) + [row(1, None, "E1", verdict="FAILED")])
    done = module.run("bench.compare", before.path, after.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-2:] == [
        "Not compared:",
        f"   E1 poll_srv {POINT}: A has a figure in 1 of 1 runs; B has a figure in 0 of 1 runs (1 FAILED)",
    ]


def test_the_program_refuses_in_one_line(made, tmp_path):
    one = made(runs(1))
    other = made(runs(1, schedule_hash="bb"))
    done = module.run("bench.compare", one.path, other.path)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("bench: E2 poll_srv") and done.stderr.count("\n") == 1
    done = module.run("bench.compare", one.path, tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"bench: {tmp_path}/settings.json: missing; {tmp_path} is no result set\n"
    assert module.run("bench.compare", one.path).returncode == 2
    assert module.run("bench.compare", "--help").returncode == 0
