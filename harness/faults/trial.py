"""One run of a scenario, with one fault or none, and the verdict on it."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from faults import calls, scenarios, sites, wire
from faults.scenario import Broken, Gone, Scenario, Subject
from faults.sites import Report, Site
from suite import servers, tls

# Log lines that a scenario causes: a refused peer, an oversize announcement.
USUAL = re.compile(
    r"\{.*\}$|\w+: \S+: (refused, as more will be until connections end|a message above)|"
    r"\w+: (no restart: |process \d+ listens now)|\w+: open \S+/stats: Is a directory$|"
    rf"\w+: \S+: handshake: malloc failure$|{tls.READ_AGAIN.pattern}"
)
UNNOTICED, CUT, REFUSED, STOPPED = "unnoticed", "one connection closed", "one peer refused", "stopped with one line"
OUTCOMES = (UNNOTICED, CUT, REFUSED, STOPPED)


@dataclass(frozen=True)
class Pair:
    """A site and a fault: the call fails when this site is reached for the nth time."""

    server: str
    scenario: str
    site: Site
    name: str  # of the site
    functions: tuple[str, ...]  # on the path to the site, innermost first
    fault: str
    nth: int = 1
    after: Pair | None = None  # the pair that must fail first, so that the server reaches this site

    @property
    def faults(self) -> str:
        """The faults in the form that the injector takes."""
        before = f"{self.after.faults} " if self.after else ""
        return f"{before}{self.site.call}:{self.site.frames}:{calls.number_of(self.fault)}:{self.nth}"

    @property
    def depth(self) -> int:
        return 1 + (self.after.depth if self.after else 0)

    @property
    def may_cut(self) -> int:
        """How many connections the fault may cost."""
        nobodys = (*calls.PASSING, *calls.OF_THE_GONE.get(self.site.call, ()))
        passing = self.fault in nobodys or self.site.call == "close"
        costs = not passing and self.site.call in calls.OF_ONE_CONNECTION
        costs |= self.fault == "EAGAIN" and set(calls.LAST_WORD) <= set(self.functions)
        return int(costs) + (self.after.may_cut if self.after else 0)

    @property
    def may_stop(self) -> bool:
        """Whether the server may stop, with one line."""
        of_one = set(self.functions) & set(calls.SERVING)
        return not of_one or (self.after is not None and self.after.may_stop)


@dataclass
class Run:
    """What happened in one run."""

    status: int | None = None
    ready: bool = False
    gone: str = ""  # if the server stopped in the middle of the run: when that was noticed
    broken: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)  # of standard error, without the usual ones
    finals: dict | None = None
    cut: list[str] = field(default_factory=list)
    received: int = 0
    steps: list[str] = field(default_factory=list)
    report: Report | None = None


def play(program: Path, scenario: str, fault: str = "") -> Run:
    """Runs a scenario. `fault` is the value of FAULT, as harness/faults/inject.h describes it."""
    with tempfile.TemporaryDirectory(prefix="fault-") as name:
        directory = Path(name)
        secure = tls.options(program.name)
        played = scenarios.ALL[scenario]
        paths = {"stats": directory / "stats", "root": directory / "root"}
        options = [*secure, *(each.format(**paths) for each in played.options)]
        options += played.over_tls if secure else ()
        played.prepare(paths["root"])
        environment = {
            "FAULT": fault or "none:*:0:1",
            "FAULT_REPORT": str(directory / "report"),
            "FAULT_SEND_BUFFER": "16384",
            # The ledger is stricter than the leak detector: it also counts what the program can still reach.
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        }
        run = Run()
        server = Subject(program, options, directory, environment, played.wrapper)
        server.secure = bool(secure)
        server.wire = wire.of(program.name)
        try:
            _play(server, played, run)
        finally:
            server.end()
        run.steps = server.steps
        run.lines = [line for line in server.lines() if not USUAL.match(line)]
        run.finals = _finals(directory / "stats", server.lines())
        run.report = sites.read_report(directory / "report")
        return run


def _play(server: Subject, scenario: type[Scenario], run: Run) -> None:
    try:
        try:
            line = scenario.first(server)
            said = scenario.first_line.fullmatch(line)
            if said is not None:
                run.ready = True
                scenario(server, said).run()
            elif line:
                raise Broken(f"the first line is {line!r}")
        except Gone as gone:
            run.gone = str(gone)
        run.status = server.wait_exit()
    except Broken as broken:
        run.broken.append(str(broken))
        if server.process.poll() is not None:
            run.status = server.process.returncode
    run.cut = [client.name for client in server.clients if client.cut or client.refused]
    run.received = sum(len(client.came) for client in server.clients)


def _finals(path: Path, lines: list[str]) -> dict | None:
    texts = path.read_text().splitlines() if path.exists() else [line for line in lines if line.startswith("{")]
    try:
        return json.loads(texts[-1]) if texts else None
    except ValueError:
        return {"unreadable": texts[-1]}


def _wrong_statistics(run: Run, may_cut: int, errors: int) -> list[str]:
    finals = run.finals
    if not finals or "unreadable" in finals or "closed" not in finals:
        return [f"the final statistics are {finals}"]
    wrong = []
    if sum(finals["closed"].values()) != finals["accepted"]:
        wrong.append(f"accepted {finals['accepted']}, closed {finals['closed']}")
    if finals["connections"] or finals["buffers"]:
        wrong.append(f"{finals['connections']} connections and {finals['buffers']} buffers are still held")
    if finals["bytes_out"] < run.received:
        wrong.append(f"bytes_out {finals['bytes_out']}, but the peers received {run.received}")
    # One reset and one refusal belong to the scenario: the peer that resets, and the peer when no descriptor is left.
    usual = (finals["closed"]["error"], errors), (finals["closed"]["reset"], 1), (finals["refused"], 1)
    failed = sum(max(0, number - expected) for number, expected in usual)
    if failed > may_cut:
        wrong.append(f"{failed} connections failed: closed {finals['closed']}, refused {finals['refused']}")
    return wrong


def _lost(report: Report | None, names: sites.Names) -> list[str]:
    if report is None:
        return ["the program did not reach its end: no report"]
    return [
        *(f"memory lost, from {names.of(site)}" for site in report.memory),
        # poll without ppoll: its signal handler writes to this pipe for as long as the process lives. And the end of a
        # process that could not begin says so by READY_FD: whoever waits then finds its exit status.
        *(f"a descriptor lost, from {names.of(site)}" for site in report.descriptors
          if "signals_pipe" not in names.functions(site) and site.call != "READY_FD"),
        *report.wrong,
    ]


def judge(run: Run, names: sites.Names, scenario: str, pair: Pair | None = None) -> tuple[str, list[str]]:
    """The outcome of a run, and everything that is wrong with it. Without a pair, nothing was made to fail."""
    wrong = list(run.broken) + _lost(run.report, names)
    serves, errors = scenarios.ALL[scenario].serves, scenarios.ALL[scenario].errors
    if run.status in ((1,) if serves else (1, 2)):
        if pair is None or (run.ready and not pair.may_stop):
            wrong.append("the server stopped, though it could have gone on")
        if len(run.lines) != (0 if pair is not None and pair.site.call == "fprintf" else 1):
            wrong.append(f"the server stopped with {len(run.lines)} lines: {run.lines}")
        return STOPPED, wrong
    if run.status != 0:
        wrong.append(f"exit status {run.status}; standard error: {run.lines}")
        return STOPPED, wrong
    if run.lines:
        wrong.append(f"unexpected lines: {run.lines}")
    if run.gone or not run.ready:
        wrong.append(f"the server ended and did not say why: {run.gone or 'before its first line'}")
    may_cut = pair.may_cut if pair else 0
    if serves:
        wrong += _wrong_statistics(run, may_cut, errors)
    if len(run.cut) > may_cut:
        wrong.append(f"cut off: {', '.join(run.cut)}")
    closed = (run.finals or {}).get("closed", {})
    if closed.get("error", 0) > errors or closed.get("reset", 0) > 1:
        return CUT, wrong
    return (REFUSED if run.cut else UNNOTICED), wrong


def program_of(server: str) -> Path:
    """The server with the injector, as `make faults-servers` builds it below the build directory."""
    return servers.build_dir() / "faults" / server


def try_pair(pair: Pair) -> Run:
    return play(program_of(pair.server), pair.scenario, pair.faults)
