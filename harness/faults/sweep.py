"""Makes every call of every server fail, with every error that it can have: one run each. Checks the outcome.

usage: harness/faults/run [--sites | --each] [SERVER...]
       harness/faults/run SERVER SITE FAULT N [SITE FAULT N...]

The first form sweeps over the servers that are named, or over all of them. --each also prints the outcome of
each pair of a site and a fault. --sites only lists where the servers make calls.

The second form repeats one pair. SITE is a site as a finding names it, FAULT is an error such as ENOMEM, or
"short" for a transfer of one byte, and N says that the N-th call at this site fails. More sites may follow:
sites that the server reaches only after the failure before them.

The environment variable BUILD_DIR names the build directory, if `make faults-servers` used another than build.
Exit status: 0; 1 if a promise is broken, or a server cannot be run; 2 for bad usage."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from faults import calls, scenarios, sites, trial
from faults.sites import CannotRun, Names, Site
from faults.trial import Pair, Run
from suite import ending, servers

OPTIONS = ("--sites", "--each")
COUNTINGS = 2  # timing may hide a site in one run; another run shows it
GENERATIONS = 2  # first the sites of a run without faults, then those that a fault leads to
TRIES = 5  # a run may make fewer calls at a site than the count found; then try again


class BadUsage(CannotRun):
    """Its text says in one line which argument is wrong, and why."""


@dataclass
class Map:
    """Where a server makes its calls. Each site has its scenario, its count, and the fault that leads to it."""

    server: str
    sites: dict[Site, Reached]
    names: Names
    calls: dict[str, tuple[str, str]]  # all calls in the program: (function, call) by return address

    def add(self, found: dict[Site, Reached]) -> None:
        self.sites.update(found)
        self.names = Names(trial.program_of(self.server), self.sites)

    def pairs(self, site: Site, each_call: bool = True) -> Iterator[Pair]:
        """Pairs for the first, the second and the last call at the site, or for the first only, with each fault."""
        reached = self.sites[site]
        last = reached.count if each_call and reached.after is None else 1
        about = (self.names.of(site), tuple(self.names.functions(site)))
        for fault in calls.FAULTS.get(site.call, ()):
            for nth in sorted({1, min(2, last), last}):
                yield Pair(self.server, reached.scenario, site, *about, fault, nth, reached.after)


@dataclass
class Reached:
    scenario: str
    count: int
    after: Pair | None = None


@dataclass
class Finding:
    """A pair that broke a promise."""

    pair: Pair
    step: str
    wrong: list[str]
    place: str

    @classmethod
    def of(cls, where: Map, pair: Pair, run: Run, wrong: list[str]) -> Finding:
        return cls(pair, run.steps[-1] if run.steps else "start", wrong, where.names.place(pair.site))


@dataclass
class Tally:
    """The outcomes of one server's pairs."""

    calls: int = 0
    visited: set[str] = field(default_factory=set)  # return addresses
    sites: set[Site] = field(default_factory=set)
    came: list[tuple[Pair, str]] = field(default_factory=list)
    missed: list[Pair] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)

    @property
    def pairs(self) -> int:
        return len(self.came)

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(outcome for _, outcome in self.came)

    @property
    def failed(self) -> int:
        return len(self.findings) + len(self.unexplained)


def _not_built(path: Path) -> CannotRun:
    shown = path.relative_to(servers.ROOT) if path.is_relative_to(servers.ROOT) else path
    return CannotRun(f"{shown} does not exist; run: make faults-servers")


def count(server: str, only: Iterable[str] = (), times: int = COUNTINGS) -> Map:
    """Runs the scenarios without a fault: all that concern the server, if none is named. Raises CannotRun if something
    goes wrong even so."""
    program = trial.program_of(server)
    if not program.exists():
        raise _not_built(program)
    found: dict[Site, Reached] = {}
    runs: list[tuple[str, Run]] = []
    for each in only or scenarios.of(server):
        for _ in range(times):
            run = trial.play(program, each)
            runs.append((each, run))
            for site, number in run.report.calls.items() if run.report else ():
                found.setdefault(site, Reached(each, number))
    names = Names(program, found)
    for each, run in runs:
        _, wrong = trial.judge(run, names, each)
        if wrong:
            raise CannotRun(f"{server}: wrong even without a fault, at {run.steps[-1:]}: {'; '.join(wrong)}")
    sites.check_known(list(found))
    return Map(server, found, names, sites.all_calls(program))


def visit(pair: Pair) -> tuple[Pair, Run]:
    """Runs the pair until its fault has happened: how often a run reaches a site depends slightly on timing."""
    for _ in range(TRIES):
        run = trial.try_pair(pair)
        if run.report is None or not missed(pair, run):
            break
        pair = replace(pair, nth=max(1, min(pair.nth, run.report.calls[pair.site])))
    return pair, run


def missed(pair: Pair, run: Run) -> bool:
    return run.report is not None and run.report.happened < pair.depth and not run.broken


def visit_all(where: Map, pairs: Iterable[Pair], pool: ProcessPoolExecutor, tally: Tally) -> dict[Site, Reached]:
    """Runs and judges every pair. Returns the sites that only a fault led to."""
    found: dict[Site, Reached] = {}
    for pair, run in pool.map(visit, pairs):
        if missed(pair, run):
            tally.missed.append(pair)
            continue
        outcome, wrong = trial.judge(run, where.names, pair.scenario, pair)
        tally.came.append((pair, outcome))
        tally.sites.add(pair.site)
        tally.visited.add(pair.site.address)
        if wrong:
            tally.findings.append(Finding.of(where, pair, run, wrong))
            continue  # do not examine what follows from a broken promise
        for site in run.report.calls if run.report else ():
            if site not in where.sites:
                found.setdefault(site, Reached(pair.scenario, 1, pair))
    return found


def sweep(where: Map, pool: ProcessPoolExecutor) -> Tally:
    tally = Tally(calls=len(where.calls))
    fresh = dict(where.sites)
    for _ in range(GENERATIONS):
        found = visit_all(where, [pair for site in fresh for pair in where.pairs(site)], pool, tally)
        where.add(found)
        fresh = found
    left = {each for address, each in where.calls.items() if address not in tally.visited}
    explained = {*calls.NOT_REACHED, *calls.NOT_REACHED_IN.get(where.server, ())}
    if not servers.OF[where.server].restarts:
        explained |= calls.OF_A_RESTART
    tally.unexplained = sorted(f"{call} in {function}" for function, call in left - explained)
    return tally


def share(where: Map, first: int, each: int) -> list[str]:
    """Runs and judges every `each`-th pair from the `first` on, of the first call at each site. Returns what broke."""
    pairs = [pair for site in where.sites for pair in where.pairs(site, each_call=False)]
    assert len(pairs) > 100
    findings = []
    for pair, run in map(visit, pairs[first::each]):
        _, wrong = trial.judge(run, where.names, pair.scenario, pair)
        if wrong:
            findings.append(describe(Finding.of(where, pair, run, wrong)))
    return findings


def repeat_command(pair: Pair) -> str:
    words: list[str] = []
    each: Pair | None = pair
    while each is not None:
        words = [each.name, each.fault, str(each.nth), *words]
        each = each.after
    build = os.environ.get("BUILD_DIR")
    prefix = f"BUILD_DIR={shlex.quote(build)} " if build else ""
    return f"{prefix}harness/faults/run {' '.join(map(shlex.quote, [pair.server, *words]))}"


def describe(finding: Finding) -> str:
    pair = finding.pair
    lines = [
        f"{pair.server}: {pair.site.call} number {pair.nth} at {finding.place}: {calls.explain(pair.fault)}",
        f"    on the way   {pair.name}",
        *([f"    after        {pair.after.name} {pair.after.fault} {pair.after.nth}"] if pair.after else []),
        f"    scenario     {pair.scenario}, at: {finding.step}",
        *(f"    wrong        {each}" for each in finding.wrong),
        f"    to repeat    {repeat_command(pair)}",
    ]
    return "\n".join(lines)


HEADS = ("server", "calls in it", "visited", "sites", "pairs", *trial.OUTCOMES)


def row(server: str, tally: Tally) -> str:
    numbers = (tally.calls, len(tally.visited), len(tally.sites), tally.pairs)
    cells = (server, *numbers, *(tally.outcomes[each] for each in trial.OUTCOMES))
    return f"| {' | '.join(map(str, cells))} |"


def print_each(tally: Tally) -> None:
    for pair, outcome in tally.came:
        after = f" after {pair.after.name} {pair.after.fault} {pair.after.nth}" if pair.after else ""
        print(f"{pair.server} {outcome}: {pair.name} {pair.fault} {pair.nth}{after}")


def print_findings(server: str, tally: Tally) -> None:
    for finding in tally.findings:
        print(describe(finding))
    for each in tally.unexplained:
        print(f"{server}: no fault visited {each}, and NOT_REACHED in harness/faults/calls.py does not say why")
    for pair in tally.missed:
        print(f"{server}: reached in the count, but not again: {pair.name} {pair.fault} {pair.nth}")
    print(f"{server}: {tally.pairs} pairs, {len(tally.findings)} of them broke a promise", flush=True)


def check_complete(names: Iterable[str]) -> None:
    """Checks that the tables cover every function that a server calls."""
    build = servers.build_dir() / "faults"
    if not (build / "wrap").exists():
        raise _not_built(build)
    wrapped = {line.removeprefix("--wrap=") for line in (build / "wrap").read_text().split()}
    objects = [each for name in ("common", *names) for each in sorted((build / "obj" / name).rglob("*.o"))]
    sites.check_complete([each for each in objects if each.stem != "test_emulation"], wrapped)


def sweep_all(names: list[str], each: bool = False) -> int:
    check_complete(names)
    tallies: dict[str, Tally] = {}
    began = time.monotonic()
    # One more run than there are cores, because a run sometimes waits for a timeout.
    with ProcessPoolExecutor((os.cpu_count() or 1) + 1) as pool:
        for name in names:
            tallies[name] = sweep(count(name), pool)
            if each:
                print_each(tallies[name])
            print_findings(name, tallies[name])
    print(f"\n| {' | '.join(HEADS)} |\n|{' --- |' * len(HEADS)}")
    for name, tally in tallies.items():
        print(row(name, tally))
    for name, tally in tallies.items():
        if tally.failed:  # again, for whoever sees only the end of a long log
            print()
            print_findings(name, tally)
    print(f"\n{sum(tally.pairs for tally in tallies.values())} pairs in {time.monotonic() - began:.0f} s")
    return 1 if any(tally.failed for tally in tallies.values()) else 0


def find_pair(where: Map, words: list[str]) -> Pair:
    """The pair that the words name. Three words are a site, a fault and N; they lead to the site of the next three."""
    pair: Pair | None = None
    for name, fault, nth in zip(words[::3], words[1::3], words[2::3]):
        site = where.names.site(name)
        if site is None:
            raise BadUsage(f"{where.server} has no site {name}; list: harness/faults/run --sites {where.server}")
        pair = next((each for each in where.pairs(site) if each.fault == fault), None)
        if pair is None or not nth.isdecimal() or int(nth) < 1:
            known = ", ".join(calls.FAULTS.get(site.call, ()))
            raise BadUsage(f"{fault} {nth}: {site.call} can fail with {known}, and N starts at 1")
        pair = replace(pair, nth=int(nth))
        if len(words) > 3:
            run = trial.try_pair(pair)
            new = [each for each in (run.report.calls if run.report else ()) if each not in where.sites]
            where.add({each: Reached(pair.scenario, 1, pair) for each in new})
    assert pair is not None
    return pair


def repeat(server: str, words: list[str]) -> int:
    where = count(server)
    pair = find_pair(where, words)
    run = trial.try_pair(pair)
    outcome, wrong = trial.judge(run, where.names, pair.scenario, pair)
    for step in run.steps:
        print(f"    {step}")
    print(f"exit status {run.status}; standard error: {run.lines}; cut off: {run.cut or 'nobody'}")
    if missed(pair, run):
        wrong.append("the fault did not happen")
    if wrong:
        print(describe(Finding.of(where, pair, run, wrong)))
        return 1
    print(f"as it should be: {outcome}")
    return 0


def list_sites(names: list[str]) -> int:
    for name in names:
        where = count(name)
        for site, reached in where.sites.items():
            print(f"{name} {reached.scenario} {reached.count:5} {where.names.of(site)}")
    return 0


def main(arguments: list[str]) -> int:
    if "--help" in arguments:
        print(__doc__)
        return 0
    option = arguments[0] if arguments[:1] and arguments[0] in OPTIONS else None
    names = arguments[1:] if option else arguments
    for each in names:
        if each.startswith("-"):
            why = f"only one of {' and '.join(OPTIONS)}, before the servers" if each in OPTIONS else "no such option"
            raise BadUsage(f"'{each}': {why}; see --help")
    if len(names) > 1 and ">" in names[1] and names[0] in servers.WHOLE:
        if option or len(names) % 3 != 1:
            raise BadUsage("to repeat a pair takes SERVER and three words for each site, SITE FAULT N; see --help")
        return repeat(names[0], names[1:])
    for each in names:
        if each not in servers.WHOLE:
            raise BadUsage(f"'{each}': expected a server ({', '.join(servers.WHOLE)}); see --help")
    names = names or [each for each in servers.WHOLE if servers.absent(each) is None]
    return list_sites(names) if option == "--sites" else sweep_all(names, each=option == "--each")


def told(words: list[str]) -> int:
    try:
        return main(words)
    except CannotRun as reason:
        print(f"faults: {reason}", file=sys.stderr)
        return 2 if isinstance(reason, BadUsage) else 1


if __name__ == "__main__":
    ending.run(lambda: told(sys.argv[1:]), "faults", unread=1)
