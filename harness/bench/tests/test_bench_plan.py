"""Which runs are made, in which order; the time that is left; the search for a capacity."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from bench import experiments, plan, shapes
from bench.capacity import Probe, Search, rate_of
from bench.judging import Place, Ratio, Slope
from bench.plan import Run
from bench.progress import Progress
from bench.rows import Row
from bench.shape import Shape
from bench.shapes import OWN_COMMAND
from bench.statistics import COUNTS, value_of
from suite import servers

# -- the plan --------------------------------------------------------------------------------------


def test_the_order_follows_from_the_seed() -> None:
    assert plan.ordered("quick", 5) == plan.ordered("quick", 5)
    assert plan.ordered("quick", 5) != plan.ordered("quick", 6)
    names = {run.name for run in plan.ordered("quick", 5)}
    assert names == {run.name for run in plan.ordered("quick", 6)}
    assert len(names) == len(plan.ordered("quick", 5)), "a run is there twice"


def rounds(mode: str = "full", seed: int = 5) -> dict[tuple[str, int], list[Run]]:
    """The runs of each experiment and repeat, in their order."""
    found: dict[tuple[str, int], list[Run]] = {}
    for each in plan.ordered(mode, seed):
        found.setdefault((each.experiment.name, each.repeat), []).append(each)
    return found


STAND_INS = servers.five(stand_in=True)


def timed() -> list[tuple[Shape, Ratio | Slope]]:
    """What is compared by times; a count needs no neighbour."""
    return [
        (shape, part)
        for shape in shapes.made()
        if shape.experiment not in OWN_COMMAND and not (shape.native_kqueue_only and sys.platform == "linux")
        for part in shape.parts
        if isinstance(part, (Ratio, Slope)) and part.column not in COUNTS
    ]


def test_a_round_is_made_in_one_go_and_has_every_place_once() -> None:
    order = [(each.experiment.name, each.repeat) for each in plan.ordered("full", 5)]
    assert len([1 for one, other in zip(order, order[1:]) if one != other]) == len(set(order)) - 1
    for made in rounds().values():
        assert len({(each.server, each.point) for each in made}) == len(made)


@pytest.mark.parametrize("mode", ["quick", "full"])
def test_what_is_compared_follows_each_other_one_way_and_then_the_other(mode: str) -> None:
    """A B, B A: neither profits from coming second. A place with several partners has two of them as neighbours."""
    pairs = [(shape, part) for shape, part in timed() if isinstance(part, Ratio)]
    turns: dict[str, list[bool]] = {}
    for shape, part in pairs:
        for repeat in range(1, 7):
            made = [Place(each.server, each.point) for each in rounds(mode)[shape.experiment, repeat]]
            if part.above not in made:
                assert part.above.server in STAND_INS
                continue
            apart = made.index(part.above) - made.index(part.below)
            assert 1 <= abs(apart) <= 2, (shape.name, repeat, apart)
            turns.setdefault(shape.name, []).append(apart > 0)
    assert len(turns) > 15
    for name, turn in turns.items():
        assert all(one != other for one, other in zip(turn, turn[1:])), name


def test_what_decides_is_run_six_times_also_in_a_quick_run() -> None:
    for mode in ("quick", "full"):
        counts = Counter((each.experiment.name, each.server, each.point) for each in plan.ordered(mode, 1))
        for shape, part in timed():
            for place in part.places:
                count = counts[shape.experiment, place.server, place.point]
                assert count >= 6 or place.server in STAND_INS, (mode, shape.name, place)
        near_one = [count for (name, _, _), count in counts.items() if name == "E2-cost"]
        assert min(near_one) >= 12, "what lies near 1 needs more"


def test_chains_and_blocks_come_in_an_order_of_their_own() -> None:
    orders = [tuple(each.point for each in made) for (name, _), made in rounds().items() if name == "E1"]
    assert len(orders) == 6 and len(set(orders)) > 3
    servers_of_a_block = {
        tuple(each.server for each in made if each.point == "connections=100")
        for (name, _), made in rounds().items()
        if name == "E1"
    }
    assert len(servers_of_a_block) > 3


def test_places_with_one_point_get_one_load_and_others_different_ones() -> None:
    for seed in (5, 6):
        loads: dict[tuple[str, str, int], set[int]] = {}
        for each in plan.ordered("quick", seed):
            loads.setdefault((each.experiment.name, each.point, each.repeat), set()).add(each.seed)
        assert all(len(seeds) == 1 for seeds in loads.values())
        assert len({min(seeds) for seeds in loads.values()}) == len(loads)
    assert {each.seed for each in plan.ordered("quick", 5)}.isdisjoint(each.seed for each in plan.ordered("quick", 6))


def test_a_full_run_of_a_fixed_rate_reaches_every_connection() -> None:
    (experiment,) = [each for each in experiments.made() if each.name == "E3-rate"]
    for point in experiment.points["full"]:
        assert experiment.times_at("full", point).duration * experiments.RATE >= value_of(point, "connections")
    assert experiment.times_at("quick", "connections=16000 rate=2000").duration == 0.5


def a_run(name: str) -> Run:
    return next(each for each in plan.ordered("full", 1) if each.name == name)


def test_what_the_machine_cannot_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*servers.FIVE, "loadgen"):
        (tmp_path / name).touch()
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    monkeypatch.setattr(servers, "absent", lambda name: None)
    assert a_run("E1-poll_srv-connections=19000-r1").unreachable(20000) is None
    assert "descriptors" in str(a_run("E1-poll_srv-connections=19000-r1").unreachable(19000))
    assert a_run("E2-select_srv-idle=1000,active=8-r1").unreachable(20000) is None
    assert "FD_SETSIZE" in str(a_run("E2-select_srv-idle=2000,active=8-r1").unreachable(20000))
    wait = a_run("E4-wait-select_srv-watched=16000,ready=1,place=last-r1")
    assert wait.unreachable(20000) == "microbench_wait is not built"
    (tmp_path / "microbench_wait").touch()
    assert wait.unreachable(20000) is None, "the call alone is not bound to FD_SETSIZE"
    monkeypatch.setattr(servers, "absent", lambda name: "needs another system")
    assert a_run("E1-epoll_lt-connections=10-r1").unreachable(20000) == "epoll_lt: needs another system"


def chosen(*words: str) -> list[str]:
    return [run.name for run in plan.choose(plan.ordered("smoke", 1), words)]


def test_words_choose_runs_in_the_order_of_the_plan() -> None:
    runs = plan.ordered("smoke", 1)
    assert plan.choose(runs, []) == runs
    assert chosen("poll_srv", "E1") == chosen("E1", "poll_srv") == chosen("E1-poll_srv-*")
    assert chosen("E1", "E9", "poll_srv") == [name for name in chosen("poll_srv") if name[:3] in ("E1-", "E9-")]
    assert {name.split("-")[1] for name in chosen("E3")} == {"rate", "capacity"}
    assert chosen("E2-epoll_lt-idle=0,active=8-r1") == ["E2-epoll_lt-idle=0,active=8-r1"]
    assert chosen("E2", "epoll_lt", "*idle=0,*", "*idle=100,*") == chosen("E2", "epoll_lt")


def test_words_that_choose_nothing_are_refused() -> None:
    with pytest.raises(plan.BadChoice, match="^'E' is no experiment, no server .* E1, .*poll_srv"):
        chosen("E1", "E")
    with pytest.raises(plan.BadChoice, match="^no run fits E6 select_srv together$"):
        chosen("E6", "select_srv")


def test_a_server_beyond_the_five_takes_part_if_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "BEYOND", ("other",))
    made = experiments.made(20000)

    def taking_part(*words: str) -> set[str]:
        return {each.experiment.name for each in plan.ordered("smoke", 1, chosen=plan.joined(made, words))
                if each.server == "other"}

    assert taking_part() == taking_part("E1", "epoll_lt") == set()
    assert taking_part("other") == taking_part("E1-other-*") >= {"E1", "E2", "E3-rate", "E8", "E9", "E10"}
    assert not taking_part("other") & {"E4-wait", "E12", "E13"}, "micro programs, which start no server"


# -- progress --------------------------------------------------------------------------------------


def test_the_time_left_follows_what_runs_took() -> None:
    runs = [each for each in plan.ordered("quick", 1) if each.experiment.name in ("E1", "E4-wait")]
    progress = Progress(runs)
    assert progress.seconds_left() == pytest.approx(sum(each.guess for each in runs))
    first, second = runs[0], next(each for each in runs if each.experiment.name == "E4-wait")
    progress.over(first, 2 * first.guess)
    rest = sum(each.guess for each in runs[1:])
    assert progress.seconds_left() == pytest.approx(2 * rest), "no other experiment is known yet: it counts for all"
    progress.over(second, second.guess / 2)
    of_first = sum(each.guess for each in runs[1:] if each.experiment is first.experiment)
    of_second = rest - of_first - second.guess
    assert progress.seconds_left() == pytest.approx(2 * of_first + of_second / 2)


def test_a_line_says_what_was_run_and_what_came_of_it() -> None:
    runs = [each for each in plan.ordered("quick", 1) if each.experiment.name == "E1"]
    progress = Progress(runs)
    row = Row(*runs[0].key, 1, runs[0].seed, "NOISY_HOST", throughput=12345.6)
    first = progress.line(row, again=True)
    assert "again" in first and "[ 1/" in first
    progress.over(runs[0], runs[0].guess)
    line = progress.line(row, again=False)
    for word in ("[ 1/", f"/{len(runs)}]", runs[0].server, runs[0].point, "12,346 replies/s", "NOISY_HOST", "left"):
        assert word in line, (word, line)


# -- the search for a capacity ---------------------------------------------------------------------


class Model:
    """A server that holds every rate below its capacity. `verdicts` come first, at any rate; the first probes are
    `disturbed`."""

    def __init__(
        self,
        capacity: float,
        too_much: str = "OVERLOADED",
        verdicts: tuple[str, ...] = (),
        disturbed: tuple[str, ...] = (),
    ):
        self.capacity = capacity
        self.too_much = too_much
        self.verdicts = list(verdicts)
        self.disturbed = list(disturbed)
        self.rates: list[float] = []

    def probe(self, rate: float) -> Probe:
        self.rates.append(rate)
        disturbed = self.disturbed.pop(0) if self.disturbed else ""
        if self.verdicts:
            return Probe(self.verdicts.pop(0), 50_000.0, disturbed)
        fits = rate < self.capacity
        return Probe("VALID" if fits else self.too_much, 100.0 if fits else 50_000.0, disturbed)


def searched(model: Model, guess: float = 3000) -> tuple[Search, float]:
    """The search, and what it found; 0 for nothing."""
    search = Search(model.probe, 10_000)
    search.run(guess)
    return search, search.found or 0


@pytest.mark.parametrize("capacity", [150, 5000, 61234, 900000])
@pytest.mark.parametrize("guess", [0.1, 0.7, 1, 10])
def test_a_capacity_is_found_from_any_guess(capacity: float, guess: float) -> None:
    model = Model(capacity)
    search, found = searched(model, guess * capacity)
    assert search.verdict == "VALID", search.reasons
    assert found < capacity <= found * 2 ** (1 / 8) + 2
    assert len(model.rates) == len(set(model.rates)), "a rate was probed twice without a reason"
    assert len(model.rates) <= 12


def test_a_p99_above_the_limit_is_too_much() -> None:
    model = Model(5000, too_much="VALID")
    search, found = searched(model)
    assert search.verdict == "VALID" and 4500 < found < 5000


def test_a_disturbed_probe_is_made_again() -> None:
    model = Model(5000, disturbed=("steal", "witness"))
    search, found = searched(model)
    assert model.rates[0] == model.rates[1] == model.rates[2] != model.rates[3]
    assert search.verdict == "VALID" and 4500 < found < 5000 and not search.disturbed


@pytest.mark.parametrize("verdict", ["NOISY_HOST", "UNSTABLE"])
def test_a_probe_is_not_made_again_for_its_outcome(verdict: str) -> None:
    model = Model(5000, verdicts=(verdict,))
    searched(model)
    assert len(model.rates) == len(set(model.rates))


def test_a_capacity_beside_disturbed_probes_says_so() -> None:
    search, found = searched(Model(5000, disturbed=("steal",) * 100))
    assert search.disturbed == "steal" and 4500 < found < 5000


def test_where_the_client_was_the_limit_it_is_said() -> None:
    search, found = searched(Model(5000, too_much="CLIENT_BOUND"))
    assert search.verdict == "CLIENT_BOUND" and 4500 < found < 5000
    assert "at least" in search.reasons[0]


def test_no_rate_at_all() -> None:
    search, _ = searched(Model(0))
    assert search.verdict == "OVERLOADED" and search.found is None


def test_the_rates_are_the_same_for_every_server() -> None:
    rates = []
    for capacity in (3000, 50000):
        model = Model(capacity)
        searched(model, 0.7 * capacity)
        rates += model.rates
    assert {rate for rate in rates} <= {rate_of(step) for step in range(200)}


@pytest.mark.parametrize(
    "word, command", [("E15", "make million"), ("E16", "make bench-count"), ("E22", "make bench-nginx")]
)
def test_an_experiment_with_a_command_of_its_own_is_named_with_it(word, command):
    with pytest.raises(plan.BadChoice, match=f"{word} is no part of make bench: {command} makes it"):
        plan.choose(plan.ordered("quick", 1), [word])


def test_what_there_is_is_said_in_one_order_whatever_the_seed():
    def said(seed: int) -> str:
        with pytest.raises(plan.BadChoice) as told:
            plan.choose(plan.ordered("quick", seed), ["nonsense"])
        return str(told.value)

    assert said(1) == said(2)
    assert "there are E1, E2, E2-cost, E3-" in said(1) and said(1).index("E9,") < said(1).index("E10,")
    assert said(1).index("E21,") < said(1).index("add_delete,"), "experiments come first"
