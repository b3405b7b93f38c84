"""Makes the runs of a plan: settings, result set, the attempts at each run."""

from __future__ import annotations

import random
import textwrap
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from suite import kernel, servers

from bench import alone, experiments, fingerprint, microbench, plan, rows
from bench.cores import Cores, choose_cores
from bench.loads import Driver, Failed
from bench.plan import Run
from bench.progress import Progress, duration
from bench.requests import Request, Taken
from bench.results import ENOUGH, BadResults, Results, hold, needs_another
from bench.rows import Row

PATIENCE = 15.0  # seconds that a program may take to start, answer or stop


class Session:
    def __init__(
        self,
        mode: Optional[str] = None,
        seed: Optional[int] = None,
        pin: Optional[bool] = None,
        resume: Optional[Path] = None,
        results_in: Optional[Path] = None,
        patience: float = PATIENCE,
        only: Sequence[str] = (),
        writes: bool = True,
    ):
        """None: not given. `writes`: runs will be made. Raises BadResults if results cannot be resumed, or were made
        with other settings."""
        self.parent = results_in or servers.ROOT / "results"
        self.results: Optional[Results] = None
        if resume is not None:
            if writes:
                hold(resume)  # before the rows are read, so that none is missed
            self.results = Results.open(resume)
            if "guest" in self.results.fingerprint:
                raise BadResults(f"{resume}: counts of make bench-count, which cannot be continued")
            settings = self.results.settings
            for name, value in {"mode": mode, "seed": seed, "pinned": pin}.items():
                if value is not None and value != settings[name]:
                    has = f"{name} {settings[name]!r}, not {value!r}"
                    raise BadResults(f"{resume}: has {has}: results are resumed with the settings that they have")
            mode, seed, pin = settings["mode"], settings["seed"], settings["pinned"]
        self.mode = mode or "quick"
        self.seed: int = random.SystemRandom().randrange(2**31) if seed is None else seed
        self.cores: Cores = choose_cores(pin is not False)
        if self.results is not None and pin and not self.cores.pinned:
            raise BadResults(f"{resume}: was made with both sides pinned to cores; here they are {self.cores}")
        self.limit = kernel.raise_descriptor_limit()
        descriptors = self.results.settings["descriptors"] if self.results else min(self.limit, ENOUGH)
        self.runs = plan.ordered(self.mode, self.seed, descriptors, plan.joined(experiments.made(descriptors), only))
        self.descriptors = descriptors
        self.driver = Driver(self.cores, patience)
        self.progress = Progress([])
        self._finished = self.results.finished() if self.results else set()

    def hint(self, command: str) -> str:
        """How to go on when something has ended the session; empty if it has not begun."""
        return f"to continue: {command} RESUME={self.results.path}" if self.results else ""

    def missing(self, run: Run) -> bool:
        return run.key not in self._finished

    def make(self, runs: Sequence[Run]) -> None:
        """Makes these runs, except those that are out of this machine's reach. Raises BadResults when no directory of
        results can be made."""
        reasons = [run.unreachable(self.limit) for run in runs]
        for reason, count in Counter(filter(None, reasons)).items():
            _say(f"skipped: {count} {'run' if count == 1 else 'runs'}: {reason}")
        within_reach = [run for run, reason in zip(runs, reasons) if reason is None]
        if self.results is not None and not runs:
            _say("no run is missing")
        if within_reach:
            self._begin(within_reach)
        for run in within_reach:
            self._perform(run)

    def _begin(self, runs: Sequence[Run]) -> None:
        """From here on there is a result set."""
        self.progress = Progress(runs)
        self._alone = alone.hold()
        if self.results is None:
            self.results = Results.create(
                self.parent, self.mode, self.seed, self.cores.pinned, self.descriptors
            )
            hold(self.results.path)
        else:
            for change in self.results.go_on():
                _say(f"note: changed since the last session: {change}")
        _say(f"results: {_short(self.results.path)}")
        _say(f"{self.mode} run, seed {self.seed}, {self.cores}")
        if self._alone is None:
            _say(f"note: {alone.OTHER}")
        for remark in fingerprint.remarks(self.results.newest):
            _say(f"note: {remark}")
        _say(f"{len(runs)} runs, about {duration(self.progress.seconds_left())}; after an interruption it can continue")

    def _perform(self, run: Run) -> None:
        """Makes attempts at a run until one counts. Attempts from before an interruption are counted too."""
        assert self.results is not None
        attempts = self.results.attempts(run.key)
        began = time.monotonic()
        while True:
            row = self._attempt(run, len(attempts) + 1)
            self.results.add(row)
            attempts.append(row)
            again = needs_another(attempts, self.mode)
            if not again:
                self.progress.over(run, time.monotonic() - began)
            _say(self.progress.line(row, again))
            reasons = row.reasons or row.disturbed
            if reasons:
                _say(f"    {reasons if row.verdict in rows.BROKEN else textwrap.shorten(reasons, 150)}")
            if not again:
                return

    def _attempt(self, run: Run, number: int) -> Row:
        assert self.results is not None
        results = self.results
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        row = Row(*run.key, number, run.seed, "FAILED", started=started)
        request = Request(
            self.driver,
            run.server,
            rows.factors(run.point),
            run.seed,
            run.experiment.times_at(run.mode, run.point),
            lambda load: results.loadgen_json(row, load),
            judged=run.mode != "smoke",
        )
        began = time.monotonic()
        row.yardstick_before = microbench.yardstick(self.cores)
        try:
            _fill(row, run.experiment.measure(request))
        except Failed as failure:
            row.reasons = " ".join(str(failure).split())
        row.yardstick_after = microbench.yardstick(self.cores)
        row.seconds = time.monotonic() - began
        return row


def _fill(row: Row, taken: Taken) -> None:
    row.verdict = taken.verdict
    row.reasons = "; ".join(taken.reasons)
    row.disturbed = taken.disturbed
    row.schedule_hash = taken.schedule_hash
    if taken.verdict == "ERRORS":
        return
    for name, value in taken.figures.items():
        setattr(row, name, value)


def _short(path: Path) -> Path:
    """Relative to the working directory if the path is below it."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path


def _say(text: str) -> None:
    print(text, flush=True)
