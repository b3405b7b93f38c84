"""One line a run: its number, its outcome, how long the rest will take."""

from __future__ import annotations

from collections.abc import Iterable

from bench.plan import Run
from bench.rows import Row
from bench.statistics import MAIN_FIGURE


class Progress:
    def __init__(self, runs: Iterable[Run]):
        """`runs`: those that will be made."""
        self.left = {run.key: run for run in runs}
        self.total = len(self.left)
        self._guessed: dict[str, float] = {}  # seconds, by experiment, of the runs that are over
        self._taken: dict[str, float] = {}

    def seconds_left(self) -> float:
        """The guesses, corrected by how long runs of the same experiment took, or all runs if it has had none yet."""
        guessed, taken = sum(self._guessed.values()), sum(self._taken.values())
        overall = taken / guessed if guessed else 1.0
        left = 0.0
        for run in self.left.values():
            name = run.experiment.name
            known = self._guessed.get(name)
            left += run.guess * (self._taken[name] / known if known else overall)
        return left

    def over(self, run: Run, seconds: float) -> None:
        """`seconds`: all its attempts."""
        self.left.pop(run.key, None)
        name = run.experiment.name
        self._guessed[name] = self._guessed.get(name, 0.0) + run.guess
        self._taken[name] = self._taken.get(name, 0.0) + seconds

    def line(self, row: Row, again: bool) -> str:
        """For one attempt; `again`: another one follows. Before the line of the last attempt call over()."""
        number = self.total - len(self.left) + again
        what = f"{row.experiment:<11} {row.server:<16} {row.point:<34} r{row.repeat}"
        end = "again" if again else f"{duration(self.seconds_left())} left"
        count = f"[{number:{len(str(self.total))}}/{self.total}]"
        return f"{count} {what}  {key_figure(row):>24}  {row.verdict:<12} {end}"


def key_figure(row: Row) -> str:
    main = MAIN_FIGURE[row.experiment]
    value = getattr(row, main.column)
    if value is None:
        return "no figure"
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2
    return f"{value:,.{digits}f} {main.unit}"


def duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
