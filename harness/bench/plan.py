"""Which runs there are, in which order, and which of them this machine cannot make."""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Optional

from suite import servers

from bench import experiments, rows, shapes
from bench.experiments import OWN_DESCRIPTORS, Experiment
from bench.judging import Place, Ratio, Slope
from bench.results import ENOUGH
from bench.statistics import POLICIES

BEYOND = tuple(name for name in servers.having(protocol="frames") if name not in servers.FIVE)
ELSEWHERE = {"E15": "make million", "E16": "make bench-count", "E22": "make bench-nginx"}
FD_SETSIZE = 1024
SELECT_KEEPS = 16  # descriptors that a server with that ceiling keeps for itself; its --max-conns says so


class BadChoice(Exception):
    """A word that chooses no run: which one, and what it could be."""


@dataclass(frozen=True)
class Run:
    experiment: Experiment
    server: str
    point: str
    repeat: int
    seed: int
    mode: str

    @property
    def key(self) -> tuple[str, str, str, int]:
        """The key of its row."""
        return (self.experiment.name, self.server, self.point, self.repeat)

    @property
    def name(self) -> str:
        return f"{self.experiment.name}-{self.server}-{self.point.replace(' ', ',')}-r{self.repeat}"

    @property
    def guess(self) -> float:
        """Seconds that it will take, as far as one can say before any run of its experiment."""
        return self.experiment.seconds(self.mode, self.point)

    @property
    def programs(self) -> tuple[str, ...]:
        if self.experiment.name == "E5" and self.server not in POLICIES:
            return (self.server, "loadgen")
        return self.experiment.programs or (self.server, "loadgen")

    def unreachable(self, descriptor_limit: int) -> Optional[str]:
        """Why this machine cannot make it, or None. The reason names no point, so that equal reasons can be counted."""
        absent = servers.absent(self.server)
        if absent:
            return f"{self.server}: {absent}"
        for program in self.programs:
            if not servers.program(program).exists():
                return f"{program} is not built"
        needed = self.experiment.descriptors(rows.factors(self.point))
        bounded = self.server in servers.having(ceiling="fd_setsize") and self.server in self.programs
        if bounded and needed > FD_SETSIZE - SELECT_KEEPS:
            return f"{self.server}: more connections than FD_SETSIZE, {FD_SETSIZE}, allows"
        if needed + OWN_DESCRIPTORS > descriptor_limit:
            return f"more descriptors than the limit, {descriptor_limit}, allows"
        return None


def derive_seed(seed: int, *what: object) -> int:
    """The seed of one load or one shuffle: each has another one, which is the same at every call."""
    text = "/".join(map(str, (seed, *what)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def ordered(
    mode: str, seed: int, descriptors: int = ENOUGH, chosen: Optional[Sequence[Experiment]] = None
) -> list[Run]:
    """All runs, as far as this limit of descriptors lets one process go. The repeats of a run are far apart: every
    experiment is made once before the second repeat begins. `chosen`: other experiments than those of make bench."""
    chosen = experiments.made(descriptors) if chosen is None else chosen
    most = max(each.repeats_of(mode, True) for each in chosen)
    rounds = ((repeat, each) for repeat in range(1, most + 1) for each in chosen)
    return [run for repeat, each in rounds for run in _round(each, mode, seed, repeat, descriptors)]


def joined(chosen: Sequence[Experiment], words: Sequence[str]) -> list[Experiment]:
    """The experiments, with the servers beyond the five that a word names: they take part in what the five do, if they
    are asked for. All of them in every run of make bench would take more time than a reader has. For the same reason
    an experiment about one of them is made only if a word names it."""
    named = tuple(name for name in BEYOND if any(name == word or f"-{name}-" in word for word in words))
    asked = [each for each in experiments.ON_REQUEST if any(_names(word, each.name) for word in words)]
    return [replace(each, servers=each.servers + named) if _compares(each) else each for each in [*chosen, *asked]]


def _names(word: str, experiment: str) -> bool:
    """Does the word choose this experiment, or runs of it?"""
    return experiment == word or experiment.startswith(f"{word}-") or word.startswith(f"{experiment}-")


def _compares(experiment: Experiment) -> bool:
    """Does it start each of the five, or all but those with a ceiling?"""
    return not experiment.programs and set(experiments.WITHOUT_CEILING) <= set(experiment.servers)


def _round(experiment: Experiment, mode: str, seed: int, repeat: int, descriptors: int) -> list[Run]:
    """One repeat of an experiment. Runs that a shape compares follow each other, so that a change of the machine hits
    both: A B in odd repeats, B A in even ones, so that neither profits from coming second. The other runs come in
    blocks: one point, all its servers in random order. Chains and blocks are in random order too."""
    pairs, deciding = _pairs(experiment.name, descriptors)
    random_order = random.Random(derive_seed(seed, "order", experiment.name, repeat))
    points = experiment.points[mode]
    places = [Place(server, point) for point in points for server in experiment.servers]
    places = [each for each in places if repeat <= experiment.repeats_of(mode, each in deciding)]
    units = [chain if repeat % 2 else chain[::-1] for chain in _chains(pairs, places)]
    chained = {place for chain in units for place in chain}
    for point in points:
        block = [place for place in places if place.point == point and place not in chained]
        random_order.shuffle(block)
        units += [block] if block else []
    random_order.shuffle(units)
    return [_run(experiment, place, mode, seed, repeat) for unit in units for place in unit]


def _run(experiment: Experiment, place: Place, mode: str, seed: int, repeat: int) -> Run:
    of_load = derive_seed(seed, "load", experiment.name, place.point, repeat)
    return Run(experiment, place.server, place.point, repeat, of_load, mode)


def _pairs(experiment: str, descriptors: int) -> tuple[list[tuple[Place, Place]], set[Place]]:
    """Which places are compared with each other, and all that a shape needs."""
    judged = [
        shape
        for shape in shapes.made(descriptors)
        if shape.experiment == experiment and not (shape.native_kqueue_only and sys.platform == "linux")
    ]
    parts = [part for shape in judged for part in shape.parts]
    compared = [(part.above, part.below) for part in parts if isinstance(part, Ratio)]
    needed = {place for part in parts if isinstance(part, (Ratio, Slope)) for place in part.places}
    return compared, needed


def _chains(pairs: list[tuple[Place, Place]], places: list[Place]) -> list[list[Place]]:
    """Each set of places that are compared with each other, in an order in which partners are neighbours as far as that
    can be: a place with three partners has two of them beside it and the third two places away."""
    partners: dict[Place, list[Place]] = {}
    for one, other in pairs:
        if one in places and other in places:
            partners.setdefault(one, []).append(other)
            partners.setdefault(other, []).append(one)
    chains: list[list[Place]] = []
    seen: set[Place] = set()
    for start in sorted(partners, key=lambda place: (len(partners[place]), str(place))):
        chain: list[Place] = []
        _walk(start, partners, seen, chain)
        if chain:
            chains.append(chain)
    return chains


def _walk(place: Place, partners: dict[Place, list[Place]], seen: set[Place], chain: list[Place]) -> None:
    if place in seen:
        return
    seen.add(place)
    chain.append(place)
    for partner in sorted(partners[place], key=lambda each: (len(partners[each]), str(each))):
        _walk(partner, partners, seen, chain)


def choose(runs: Sequence[Run], words: Sequence[str]) -> list[Run]:
    """The runs that fit the words, in their order; all runs if there are no words. A word is an experiment (E3 stands
    for all whose names begin with E3-), a server, or a pattern of a run's name. A run must fit one word of each kind
    that is given. Raises BadChoice for a word that fits no run, and for words that fit none together."""
    kinds: dict[str, set[str]] = {}
    for word in words:
        kind, names = _fitting(runs, word)
        kinds.setdefault(kind, set()).update(names)
    chosen = [run for run in runs if all(run.name in names for names in kinds.values())]
    if runs and not chosen:
        raise BadChoice(f"no run fits {' '.join(words)} together")
    return chosen


def _fitting(runs: Sequence[Run], word: str) -> tuple[str, list[str]]:
    """The kind of a word, and the names of the runs that fit it."""
    kinds: dict[str, Callable[[Run], bool]] = {
        "experiment": lambda run: run.experiment.name == word or run.experiment.name.startswith(f"{word}-"),
        "server": lambda run: run.server == word,
        "name": lambda run: fnmatchcase(run.name, word),
    }
    for kind, fits in kinds.items():
        names = [run.name for run in runs if fits(run)]
        if names:
            return kind, names
    if word in ELSEWHERE:
        raise BadChoice(f"{word} is no part of make bench: {ELSEWHERE[word]} makes it")
    made = {run.experiment.name for run in runs} | {each.name for each in experiments.ON_REQUEST}
    known = [*sorted(made, key=_by_number), *sorted({run.server for run in runs} | set(BEYOND))]
    raise BadChoice(f"{word!r} is no experiment, no server and fits no run's name; there are {', '.join(known)}")


def _by_number(experiment: str) -> tuple[int, str]:
    """E2 comes before E10."""
    digits = experiment.removeprefix("E").partition("-")[0]
    return (int(digits) if digits.isdigit() else 0, experiment)
