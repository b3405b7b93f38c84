"""Checks that the tests named in the manifest notice every planted bug, and that the unpatched servers pass them."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from mutants import build, checks, matrix
from mutants.manifest import MUTANTS, Mutant
from suite import ending, servers
from tracing import claims

AT_A_TIME = 4  # they mostly wait for something that the planted bug prevents, so more run than there are cores
PAGES = servers.ROOT / "docs" / "pitfalls"
LINES_OF_A_REASON = 12
PATIENCE = 6.0  # seconds; the unpatched servers pass the same tests with it, so a test does not fail for want of time
# Programs whose tests all pass without a bug. A draft does not have that (harness/servers.toml).
WHOLE = {"loadgen", *(kind.name for kind in servers.KINDS if not kind.draft)}


@dataclass
class Verdict:
    """The result of one mutant on one server, over all repetitions. If mutant is None: of the unpatched server."""

    mutant: Mutant | None
    server: str
    expected: dict[str, str]
    runs: list[checks.Run] = field(default_factory=list)
    trouble: str = ""

    @property
    def subject(self) -> str:
        return f"{self.mutant.name if self.mutant else 'unpatched'} ({self.server})"

    def wrong(self) -> list[str]:
        """For each test with an outcome that was not expected: how often that happened, and what pytest said of it."""
        found = []
        told = ""
        for test, outcome in self.expected.items():
            others = [run for run in self.runs if run.outcomes[test] != outcome]
            if not others:
                continue
            found.append(f"{others[0].outcomes[test]}, in {len(others)} of {len(self.runs)} runs: {test}")
            reason = others[0].reasons[test]
            if reason != told:  # if pytest itself ends, it does so for all
                found += reason.splitlines()[:LINES_OF_A_REASON]
            told = reason
        return found

    def line(self) -> str:
        right = sum(all(run.outcomes[test] == outcome for test, outcome in self.expected.items()) for run in self.runs)
        times = f" {right}/{len(self.runs)}" if len(self.runs) > 1 else ""
        if self.trouble:
            return f"TROUBLE   {self.subject}: {self.trouble}"
        if self.mutant is None:
            return f"{'FAILS   ' if self.wrong() else 'passes  '}{times}  {self.subject}: {len(self.expected)} tests"
        named = ", ".join(self.mutant.named)
        survived = any(run.outcomes[test] != checks.FAILED for run in self.runs for test in self.mutant.named)
        return f"{'SURVIVED' if survived else 'caught  '}{times}  {self.subject}: {named}"

    def text(self) -> str:
        return "\n          ".join([self.line(), *self.wrong()])

    @property
    def bad(self) -> bool:
        return bool(self.trouble or self.wrong())


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="harness/mutants/run", description=__doc__)
    parser.add_argument("-k", metavar="WORD", default="", help="only the mutants whose name contains WORD")
    parser.add_argument("--on", metavar="PROGRAM", nargs="+", default=[], help="only the mutants of these programs")
    parser.add_argument("--times", metavar="N", type=int, default=1, help="run everything N times (default 1)")
    parser.add_argument("--unpatched", action="store_true", help="run the same tests, on the unpatched servers only")
    parser.add_argument("--busy", action="store_true", help="run two busy loops at the same time")
    parser.add_argument("--build", metavar="DIR", default="build/mutants",
                        help="scratch directory below the project (default %(default)s)")
    parser.add_argument("--patience", metavar="S", type=float, default=PATIENCE,
                        help="seconds that a test waits for something before it fails (default %(default)g)")
    parser.add_argument("--matrix", metavar="FILE", default="docs/pitfalls/matrix.md",
                        help="file for the table of results (default %(default)s)")
    chosen = parser.parse_args(words)
    if chosen.times < 1 or chosen.patience <= 0:
        parser.error("--times and --patience must be greater than 0")
    known = {name for mutant in MUTANTS for name in mutant.servers}
    for name in set(chosen.on) - known:
        parser.error(f"--on {name}: no mutant is one of this program; there are {', '.join(sorted(known))}")
    if not any(chosen.k in mutant.name for mutant in MUTANTS):
        parser.error(f"-k {chosen.k}: no mutant has this in its name")
    if servers.ROOT not in (servers.ROOT / chosen.build).resolve().parents:
        parser.error(f"--build {chosen.build}: not a directory below the project")
    return chosen


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def unpatched(chosen: Sequence[Mutant]) -> list[tuple[str, Verdict]]:
    """(kind of build, verdict) for each kind and server. It expects every test that runs on one of their mutants."""
    tests: dict[tuple[str, str], dict[str, str]] = {}
    for mutant in chosen:
        for server in mutant.servers:
            needed = tests.setdefault((mutant.sanitize, server), {})
            needed.update(dict.fromkeys((*mutant.named, *mutant.blind), checks.PASSED))
    return [(kind, Verdict(None, server, expected)) for (kind, server), expected in tests.items()]


def of_mutant(mutant: Mutant, server: str) -> Verdict:
    expected = dict.fromkeys(mutant.blind, checks.PASSED) | dict.fromkeys(mutant.named, checks.FAILED)
    return Verdict(mutant, server, expected)


def repeat(verdict: Verdict, programs: Path, kind: str, options: argparse.Namespace) -> Verdict:
    for _ in range(options.times):
        verdict.runs.append(
            checks.run(programs, verdict.server, list(verdict.expected), options.patience, kind != "")
        )
    return verdict


def try_mutant(mutant: Mutant, base: Path, scratch: Path, options: argparse.Namespace) -> list[Verdict]:
    verdicts = [of_mutant(mutant, server) for server in mutant.servers]
    try:
        tree = build.make_mutant(scratch, base, mutant)
    except build.CannotBuild as error:
        for verdict in verdicts:
            verdict.trouble = str(error)
        return verdicts
    for verdict in verdicts:
        repeat(verdict, build.programs_of(tree, mutant.sanitize), mutant.sanitize, options)
    if claims.of_bug(mutant.name):
        verdicts[-1].trouble = checks.trace(mutant.name, build.programs_of(tree, mutant.sanitize))
    shutil.rmtree(tree)
    return verdicts


@contextlib.contextmanager
def alone(scratch: Path) -> Iterator[None]:
    """Lets only one run use the scratch directory: two would overwrite each other's trees."""
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        lock_file = open(scratch / "lock", "w", encoding="ascii")
    except OSError as error:
        raise build.CannotBuild(f"{error.filename}: cannot be written: {error.strerror}") from None
    with lock_file as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            place = scratch.relative_to(servers.ROOT)
            raise build.CannotBuild(f"another run is using {place}: wait for it, or name another --build") from None
        yield


def run(options: argparse.Namespace) -> list[Verdict]:
    """Prints each verdict as soon as it is known. Returns all of them in the order of the manifest."""
    scratch = (servers.ROOT / options.build).resolve()
    chosen = [
        each for each in MUTANTS
        if options.k in each.name and not set(each.servers) - set(options.on or WHOLE)
    ]  # fmt: skip
    baselines = unpatched(chosen)
    bases = {
        kind: build.make_base(scratch, kind, [verdict.server for other, verdict in baselines if other == kind])
        for kind in dict.fromkeys(kind for kind, _ in baselines)
    }

    def tell(done: Future) -> None:
        if done.exception() is None:
            for verdict in done.result():
                print(verdict.text(), flush=True)

    def baseline(kind: str, verdict: Verdict) -> list[Verdict]:
        return [repeat(verdict, build.programs_of(bases[kind], kind), kind, options)]

    with ThreadPoolExecutor(AT_A_TIME) as pool, busy_loops(2 if options.busy else 0):
        jobs = [pool.submit(baseline, kind, verdict) for kind, verdict in baselines]
        if not options.unpatched:
            jobs += [pool.submit(try_mutant, each, bases[each.sanitize], scratch, options) for each in chosen]
        for job in jobs:
            job.add_done_callback(tell)
        try:
            return [verdict for job in jobs for verdict in job.result()]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # after an interrupt, start no more of them


def untold() -> list[str]:
    """What is missing in the pages or in the manifest. The list is empty when they agree."""
    found = []
    for mutant in MUTANTS:
        page = PAGES / f"{mutant.name}.md"
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        found += [f"docs/pitfalls/{page.name} does not name {test}" for test in mutant.named if test not in text]
        if f"({page.name})" not in (PAGES / "README.md").read_text(encoding="utf-8"):
            found.append(f"docs/pitfalls/README.md has no link to {page.name}")
    names = {mutant.name for mutant in MUTANTS}
    patches = sorted(build.HERE.glob("*.patch"))
    found += [f"{patch.name} is not in the manifest" for patch in patches if patch.stem not in names]
    return found


def main(words: Sequence[str] | None = None) -> int:
    options = arguments(words)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the processes which run now are ended, too
    whole = not (options.k or options.on or options.unpatched)
    page = servers.ROOT / options.matrix
    if whole and not os.access(page if page.exists() else page.parent, os.W_OK):
        print(f"mutants: {page}: cannot be written, and the run would end with it", file=sys.stderr)
        return 1
    try:
        with alone((servers.ROOT / options.build).resolve()):
            verdicts = run(options)
    except build.CannotBuild as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 1
    gaps = untold()
    for gap in gaps:
        print(f"TROUBLE   {gap}")
    bad = [verdict for verdict in verdicts if verdict.bad]
    mutants = [verdict for verdict in verdicts if verdict.mutant]
    if bad:  # again, for whoever sees only the end of a long log
        print("\nunexpected:", *(verdict.text() for verdict in bad), sep="\n", end="\n\n")
    print(f"{len(mutants)} mutants (counted per server), {len(verdicts) - len(mutants)} unpatched servers, "
          f"{len(bad)} unexpected results")
    if whole and not bad:
        seen = [(each.mutant, each.server, each.runs[0].outcomes) for each in verdicts if each.mutant]
        matrix.write(page, seen)
    return 1 if bad or gaps else 0


if __name__ == "__main__":
    ending.run(main, "mutants", unread=1)
