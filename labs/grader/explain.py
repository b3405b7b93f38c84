"""What a server did while it failed a test: its system calls, beside those of the project's own server. The tools are
those of the site's traces (harness/tracing)."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

from labkit import tree
from labkit.lab import Lab
from suite.protocol import Protocol
from suite.script import Action, Script, describe, load
from suite.strace import NO_TRACE, faults

from grader.host import Host, HostFault, Launch, Refused
from grader.local import LocalHost
from grader.play import LabPeer, LabPlay, options
from grader.subject import Subject
from tracing.calls import Call
from tracing.reader import Reader
from tracing.show import table
from tracing.trace import Step, Trace

WIDTH = 118
MOST_STEPS = 5  # the last ones, of which the last one of all has failed
MOST_CALLS = 14  # of a step


class Recorded(LabPlay):
    """Plays a script, and puts down the calls of each step."""

    def __init__(self, subject: Subject, script: Script, protocol: Protocol, reader: Reader, ports: dict[int, str]):
        self.recorded: list[Step] = []
        self._meanwhile: list[str] = []
        super().__init__(subject, script, protocol, reader, ports)
        self._calls = reader.calls
        self._calls()  # those of the start name the descriptors

    def _peer(self, number: int) -> LabPeer:
        new = number not in self.peers
        peer = super()._peer(number)
        if new:
            self._put_down(f"peer {number} connects")
        return peer

    def _act(self, action: Action) -> None:
        if action.do.startswith("expect_") or action.do == "count":
            self._settle()
            return
        try:
            super()._act(action)
            self._pump()
        finally:
            self._put_down(describe(action))

    def _put_down(self, what: str) -> None:
        """What the peers do while the server is stopped is one step, which begins when it goes on."""
        if what:
            self._meanwhile.append(what)
        if self._frozen is None and self._meanwhile:
            self._finish_step()

    def _finish_step(self) -> None:
        awake = self._rest()
        self.recorded.append(Step("; ".join(self._meanwhile), self._calls(), not awake))
        self._meanwhile = []

    def run(self) -> None:
        try:
            super().run()
        except AssertionError:
            return  # what comes then is the end of the player
        self._meanwhile.append("every peer that is left ends its stream")
        self._finish_step()


def trace(lab: Lab, protocol: Protocol, host: Host, program: Path, script_path: Path) -> str:
    """"" if there is nothing to show."""
    if lab.kind != "server" or NO_TRACE is not None:
        return ""
    script = load(script_path, protocol)
    with contextlib.suppress(HostFault, Refused, OSError, AssertionError):
        wrong = _record("yours", host, program, script, protocol)
        right = _record("the project's", LocalHost(), tree.reference(lab, protocol), script, protocol)
        return _beside(wrong, right)
    return ""


def _record(name: str, host: Host, program: Path, script: Script, protocol: Protocol) -> Trace:
    with tempfile.TemporaryDirectory(prefix="trace-") as folder:
        path = Path(folder) / "trace"
        with host.start(program, Launch(options(script, protocol), path, faults(script))) as running:
            ports: dict[int, str] = {}
            game = Recorded(Subject(running), script, protocol, Reader(path, ports), ports)
            game.run()
            return Trace(name, game.recorded).steady()


def _beside(wrong: Trace, right: Trace) -> str:
    """The last steps of the one that has failed."""
    last = max(len(wrong.steps) - MOST_STEPS, 0)
    pairs = list(zip(wrong.steps, right.steps))[last:]
    if not pairs:
        return ""
    traces = [Trace(each.server, [_short(step) for step in steps]) for each, steps in zip((wrong, right), zip(*pairs))]
    return "\n".join(_lines(traces))


def _short(step: Step) -> Step:
    more = len(step.calls) - MOST_CALLS
    rest = [Call("", f"and {more:,} calls more")] if more > 0 else []
    return dataclasses.replace(step, calls=[*step.calls[:MOST_CALLS], *rest])


def _lines(traces: list[Trace]) -> Iterator[str]:
    """Without the counts: those of a part say nothing."""
    for line in table(traces, WIDTH).splitlines():
        if line == "calls in all" or line.startswith("calls: "):
            return
        yield line
