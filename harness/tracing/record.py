"""Plays a script against a server under strace, and puts down what the server did after each action.

An action is over when every peer has its answers and the server sleeps. The wait in which it then sleeps has not ended:
it belongs to the next action, which ends it."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from suite import kernel, servers, waiting
from suite.play import Play, ScriptedPeer, options
from suite.replaced import StandIn
from suite.script import MOST_TOLD, Action, Script, describe
from suite.strace import UNDER_STRACE, faults
from suite.stranger import StrangersServer

from tracing.calls import STRACE, UNTIL_EXECVE
from tracing.reader import Reader
from tracing.trace import Step, Trace

SILENCE = 0.5  # seconds without an answer, while the server sleeps
RESTLESS = 3.0  # seconds in which a server that has nothing to do falls asleep, if it ever does
MUCH = 100_000  # bytes of strace's lines: one that only gets no processor writes less
RESTLESS_STILL = 0.5  # the same for one that did not in the step before
HANGS_LONG = ("--restart-timeout", "600")  # a new program that is told nothing meanwhile
UNANSWERED = 2.0  # seconds more than idle-timeout, in which a server with a bug may close a silent peer


class TracedServer(StrangersServer):
    """Of the list or a stranger's: nothing is asked of it, since an answer would be more calls. What the kernel shows
    is enough."""

    def __init__(
        self, name: str, trace: Path, *words: str, inject: Sequence[str] = (), stand_in: StandIn | None = None
    ):
        """With a stand-in for its program, the server and all that it starts are a process group."""
        self.stand_in = stand_in
        taken = name in servers.OF
        followed = UNTIL_EXECVE if stand_in else ()
        wrapper = (*STRACE, *followed, *(f"--inject={each}" for each in inject), "-o", str(trace))
        super(StrangersServer, self).__init__(
            name, *(words if taken else ()), wrapper=wrapper, environment=UNDER_STRACE,
            preexec=os.setsid if stand_in else None, program=stand_in.path if stand_in else None,
        )  # fmt: skip

    def kill(self) -> None:
        """A new program may be another server, which nobody stops."""
        if self.stand_in:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        super().kill()

    def __enter__(self) -> TracedServer:
        return self


class Watcher(ScriptedPeer):
    """A peer that puts up with everything: a recording shows what a server does, also if it is wrong."""

    def _over(self, error: OSError | None) -> None:
        with contextlib.suppress(AssertionError):
            super()._over(error)
        self.model.saw_end = True
        if error is not None:  # nothing more can be sent
            self._outbox.clear()
            self.socket.close()
            self.gone = True

    def pull(self) -> None:
        try:
            super().pull()
        except AssertionError:  # other bytes than those that are due
            self.model.saw_end = True


class Recording(Play):
    """One script, one server."""

    server: TracedServer
    kind_of_peer = Watcher

    def __init__(self, server: TracedServer, script: Script, trace: Path):
        self.steps: list[Step] = []
        self._meanwhile: list[str] = []
        self._ports: dict[int, str] = {}
        self._reader = Reader(trace, self._ports, server.pid if script.replaces else None, server.program)
        super().__init__(server, script)
        self._reader.calls()  # those of the start are left out, but they name the descriptors
        self._at_first = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        if script.room is not None:
            self._leave_room(script.room)

    def run(self) -> None:
        try:
            for action in self.script.actions:
                self._do(action)
            if not self._stopping and any(not peer.gone and not peer.model.saw_end for peer in self.peers.values()):
                self._all_end()
        finally:
            self._thaw(wait=False)
            for peer in self.peers.values():
                peer.socket.close()

    def _do(self, action: Action) -> None:
        what = describe(action)
        if action.do == "freeze":
            self._act(action)
            return
        if action.do in ("inject", "replace"):  # strace has been told of faults at the start
            self._act(action)
            self._meanwhile.append(what)
            return
        if action.of_peer and action.peer not in self.peers:
            self._peer(action.peer)
            self._answered(f"peer {action.peer} connects")
        self._act(action)
        self._pump()
        if action.do != "settle":
            self._answered(what)
        if action.do == "stop" and self.server.process.poll() is None:
            self._all_close()

    def _act(self, action: Action) -> None:
        """What a test counts or expects is nothing that happens to a server."""
        if action.do == "limit":
            self._leave_room(action.descriptors)
        elif action.do == "signal":
            self.server.signal(signal.Signals[action.name])
        elif action.do == "replace" and self.server.stand_in:
            self.server.stand_in.take_its_place()
        elif action.do == "new_program" and self.server.stand_in:
            self.server.stand_in.tell(action.does)
        elif action.do not in ("count", "inject") and not action.do.startswith("expect_"):
            super()._act(action)

    def _leave_room(self, room: int | None) -> None:
        """The server can open so many descriptors more; None: as many as at first."""
        soft, hard = self._at_first
        if room is not None:
            soft = kernel.limit_for(self.server.pid, room)
        resource.prlimit(self.server.pid, resource.RLIMIT_NOFILE, (soft, hard))

    def _thaw(self, wait: bool = True) -> None:
        """What surely fits into the server's kernel has arrived then, and so has more, if it fits."""
        until = time.monotonic() + SILENCE
        while wait and self._frozen is not None and time.monotonic() < until:
            self._pump()
            if all(map(_has_arrived, self.peers.values())):
                break
            time.sleep(0.001)
        super()._thaw(wait)

    def _answered(self, what: str) -> None:
        """What the peers do while the server is stopped is one step, which begins when it goes on."""
        if what:
            self._meanwhile.append(what)
        if self._frozen is None and self._meanwhile:
            self._settle()
            sleeps = self._at_rest()
            self._note(_together(self._meanwhile))
            self.steps[-1].sleeps = sleeps

    def _settle(self) -> None:
        """Every peer has its answers; or nothing has moved for a while although the server sleeps: none will come. Nor
        will one come from a server that runs and runs, and moves nothing."""
        if self._frozen is not None:
            return
        moved, since, rested, written = -1, 0.0, 0.0, 0
        while not all(_through(peer) for peer in self.peers.values()):
            self._pump()
            now, total = time.monotonic(), sum(peer.moved for peer in self.peers.values())
            if total != moved:
                moved, since, written = total, now, self._reader.written()
            if kernel.ran(self.server.process.pid) is None:
                rested = now
            runs = now - since > RESTLESS and self._reader.written() - written > MUCH
            if runs or now - max(since, rested) > SILENCE or self.server.process.poll() is not None:
                break
            time.sleep(0.001)

    def _at_rest(self) -> bool:
        """Does it sleep within a while?"""
        before = not self.steps or self.steps[-1].sleeps
        until = time.monotonic() + (RESTLESS if before else RESTLESS_STILL)
        written = self._reader.written()
        while time.monotonic() < until or self._reader.written() - written < MUCH:
            if self.server.process.poll() is not None or kernel.rests(self.server.process.pid):
                return True
            time.sleep(0.001)
        return False

    def _note(self, what: str) -> None:
        self._meanwhile = []
        self.steps.append(Step(what, self._reader.calls()))

    def _idle(self) -> None:
        """One with a bug may close nobody."""
        self._thaw()
        until = time.monotonic() + max(self.script.idle_timeout, self.script.max_lifetime) + UNANSWERED
        while not all(peer.gone or peer.model.saw_end for peer in self.peers.values()):
            self._pump()
            rests = kernel.rests(self.server.process.pid)
            if time.monotonic() > until and (rests or time.monotonic() > until + RESTLESS):
                return
            time.sleep(0.01)

    def _all_end(self) -> None:
        """In one wake-up: how many wake-ups it takes would else be a matter of chance."""
        self._freeze()
        for peer in self.peers.values():
            peer.reading = True
            if not peer.gone:
                peer.half_close()
        self._thaw()
        self._answered("every peer that is left ends its stream, and reads what is due")

    def _all_close(self) -> None:
        """At a stop the server waits until its peers close, too."""
        for peer in self.peers.values():
            peer.socket.close()
            peer.gone = True
        waiting.until(lambda: self.server.process.poll() is not None, "the end of the server")
        self._note("every peer closes")

    # -- what the server did -------------------------------------------------------------------

    def _peer(self, number: int) -> ScriptedPeer:
        if number not in self.peers:
            self._ports[super()._peer(number).socket.getsockname()[1]] = f"peer {number}"
        return self.peers[number]


def _together(happened: list[str]) -> str:
    most = len(happened) > MOST_TOLD
    return f"{len(happened)} peers connect" if most and all("connects" in each for each in happened) \
        else "; ".join(happened)


def _through(peer: ScriptedPeer) -> bool:
    """Has it sent everything, and got everything that it can have?"""
    return peer.answered() and peer.delivered() and not peer.interest() & select.POLLOUT


def _has_arrived(peer: ScriptedPeer) -> bool:
    return peer.gone or kernel.unacknowledged(peer.socket) == 0


def _stand_in_for(name: str, script: Script, folder: Path) -> AbstractContextManager[StandIn | None]:
    return contextlib.closing(StandIn(name, folder)) if script.replaces else contextlib.nullcontext()


def record(name: str, script: Script, *more: str) -> Trace:
    """Starts the server, plays the script, stops the server."""
    with tempfile.TemporaryDirectory() as folder, _stand_in_for(name, script, Path(folder)) as stand_in:
        trace = Path(folder) / "trace"
        lifetime = ("--max-lifetime", f"{script.max_lifetime:g}") if script.max_lifetime else ()
        words = (*options(script), *lifetime, *(HANGS_LONG if stand_in else ()), *more)
        with TracedServer(name, trace, *words, inject=faults(script), stand_in=stand_in) as server:
            recording = Recording(server, script, trace)
            recording.run()
            server.ask_to_stop()
            waiting.until(lambda: server.process.poll() is not None, f"{name}: the end")
            return Trace(name, recording.steps)
