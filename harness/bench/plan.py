"""Which runs there are, in which order, and which of them this machine cannot make."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Optional

from suite import servers

from bench import experiments, rows
from bench.experiments import Experiment
from bench.statistics import POLICIES

OWN_DESCRIPTORS = 24  # of a server or a client besides its connections
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
        return self.experiment.seconds(self.mode)

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


def ordered(mode: str, seed: int, chosen: Iterable[Experiment] = experiments.ALL) -> list[Run]:
    """All runs. A block is one point with all its servers in random order, so that a change on the machine hits all of
    them. The blocks of an experiment are in random order too. The repeats of a run are far apart: every experiment is
    made once before the second repeat begins."""
    chosen = list(chosen)
    runs: list[Run] = []
    for repeat in range(1, max(each.repeats[mode] for each in chosen) + 1):
        for experiment in chosen:
            if repeat <= experiment.repeats[mode]:
                runs += _round(experiment, mode, seed, repeat)
    return runs


def _round(experiment: Experiment, mode: str, seed: int, repeat: int) -> list[Run]:
    shuffle = random.Random(derive_seed(seed, "order", experiment.name, repeat)).shuffle
    points = list(experiment.points[mode])
    shuffle(points)
    runs = []
    for point in points:
        names = list(experiment.servers)
        shuffle(names)
        of_load = derive_seed(seed, "load", experiment.name, point, repeat)
        runs += [Run(experiment, name, point, repeat, of_load, mode) for name in names]
    return runs


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
    known = dict.fromkeys([run.experiment.name for run in runs] + [run.server for run in runs])
    raise BadChoice(f"{word!r} is no experiment, no server and fits no run's name; there are {', '.join(known)}")
