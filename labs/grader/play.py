"""Plays a script against a program that nobody trusts. What counts is what its peers get, and what the kernel and
strace show of it (subject.py)."""

from __future__ import annotations

import errno
import re
import signal
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite import kernel, waiting
from suite import play as player
from suite.protocol import ECHO, Protocol
from suite.script import OF_LABS, Action, Script, load
from suite.strace import faults

from grader import scratch, telling
from grader.host import Host, HostFault, Launch, Refused
from grader.result import Outcome
from grader.stillness import SILENCE, STOPPED, Stillness, cpu_seconds, rests, stays_asleep, stopped
from grader.subject import Failure, Subject
from grader.telling import ending, last_words

if TYPE_CHECKING:
    from tracing.calls import Call
    from tracing.reader import Reader

# A program that has answered all, and has then used so many seconds of processor time, or made calls that strace needs
# so many bytes for, or slept and woken up again so many times, does not fall asleep.
BUSY, TRACED, RESTLESS = 0.3, 1 << 20, 50
TRACE = 64 << 10  # bytes that must be left when strace has written its lines
KNOWN = 10  # once that is known, a part of it is enough
MUCH_TRACE = 5 << 20  # bytes of strace's lines while something is due, and nothing moves
LONGEST = 4  # times the patience with one wait, for all waits of a script
REFUSAL = 1.5  # seconds: a server without a descriptor tries again after one
PERSISTS = 3.0  # seconds that we wait for the persist timer of a peer's kernel
PORTS_COME_BACK = 5.0  # seconds after whoever had taken them has ended
MOST_SHOWN = 6  # calls
OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL)  # the observer's own trouble

# Calls on a socket that do what the call of that name does.
OF_SOCKETS = {"recv": ("read", "readv", "recvmsg", "recvmmsg"), "send": ("write", "writev", "sendmsg", "sendmmsg")}
NO_ROOM = ("EMFILE", "ENFILE", "ENOBUFS", "ENOMEM")  # of accept(2): the peer waits, or is refused
HARMLESS = ("EINTR", "EAGAIN", "ECONNABORTED")


class LabPeer(player.ScriptedPeer):
    """It may be refused where the script has left the server no descriptor, or a fault has cost it its connection."""

    def __init__(self, number: int, server: Any, script: Script, protocol: Protocol = ECHO):
        self.subject: Subject = server
        self.lifetime = script.max_lifetime
        self.may_be_refused = False
        self.optional = False  # nobody waits for it: it may be in the queue
        super().__init__(number, server, script, protocol)
        self.port = self.socket.getsockname()[1]

    def _over(self, error: OSError | None) -> None:
        old = self.lifetime and time.monotonic() - self._connected >= self.lifetime
        refused = self.may_be_refused and not self.model.received
        refused &= error is not None or self.model.due > 0 or not self.model.ends
        if old and error is None:
            self.model.stopped, self.model.owed_at_stop = True, False
        if refused:
            self._lost("refused")
        elif error is not None and self.subject.may_cut and not self.model.stopped:
            self.subject.may_cut -= 1
            self._lost("reset")
        elif error is None and self.subject.may_cut and not self.model.ends:
            self.subject.may_cut -= 1
            self._lost("end of stream")
        else:
            super()._over(error)

    def _lost(self, end: str) -> None:
        self.moved += 1
        self.end = end
        self.model.refused = end == "refused"
        self.model.cut = True
        self.socket.close()
        self.gone = True

    def pull(self) -> None:
        super().pull()
        if self.model.received:
            self.may_be_refused = self.optional = False

    def answered(self) -> bool:
        return self.optional or super().answered()

    def delivered(self) -> bool:
        return self.optional or super().delivered()


class LabPlay(player.Play):
    kind_of_peer = LabPeer
    peers: dict[int, LabPeer]  # type: ignore[assignment]
    server: Subject

    def __init__(
        self, subject: Subject, script: Script, protocol: Protocol, reader: Reader | None, ports: dict[int, str]
    ):
        self.steps: list[str] = []
        self.noisy = self.late = False
        self._reader = reader
        self._ports = ports
        self._window: list[Call] = []  # that have been counted, or will be
        self._counted = False
        self._short = False  # of descriptors
        self._ended = False  # no peer is looked at any more
        self._stop_heard = False  # it has slept since the signal that began the stop
        self._restless = False
        self._longest = waiting.PATIENCE * (1 if subject.running.hurry else LONGEST)
        self._until_when = time.monotonic() + self._longest
        self._moved = (-1, 0)  # bytes of the peers, and of the trace at that time
        self._status: int | None = None  # that it has to end with
        super().__init__(subject, script, protocol=protocol)
        silence = SILENCE + script.idle_timeout + script.max_lifetime
        silence += REFUSAL * any(_takes_room(action) for action in script.actions)
        self._still = Stillness(subject.running.pid, silence, self._around)
        self._rest()
        self._memory = subject.memory()
        self._sockets = subject.open_sockets()
        if script.room is not None:
            self._limit(script.room)

    # -- actions -----------------------------------------------------------------------------------

    def _peer(self, number: int) -> LabPeer:
        if number not in self.peers:
            try:
                peer = super()._peer(number)
            except OSError as error:
                if error.errno in OURS:
                    raise
                raise Failure(f"peer {number} can connect", error.strerror or str(error)) from None
            assert isinstance(peer, LabPeer)
            peer.may_be_refused = peer.optional = self._short
            self._ports[peer.port] = peer.name
        return self.peers[number]

    def _act(self, action: Action) -> None:
        if action.of_peer and self.server.stops and action.peer not in self.peers:
            return  # nobody listens
        self.steps.append(telling.step(action))
        if time.monotonic() > self._until_when:
            self._in_vain("the script comes to its end", self._too_long())
        if self._counted and action.do != "expect_calls":
            self._window, self._counted = [], False
        extra = getattr(self, f"_do_{action.do}", None)
        if extra is not None:
            extra(action)
        else:
            super()._act(action)

    def _send(self, peer: player.ScriptedPeer, action: Action) -> None:
        if self.server.stops and action.do not in ("half_close", "urgent"):
            return  # it would be discarded
        if action.do == "undersize" and self.protocol.counts_itself:
            peer.send(self.protocol.number(self.protocol.overhead - 1) + b"more")
        elif action.do == "wrong_check" and self.protocol.check:
            whole = peer.compose(action.size)
            peer.send(whole[:-1] + bytes([whole[-1] ^ 1]))
        else:
            super()._send(peer, action)

    def _do_limit(self, action: Action) -> None:
        self._rest()
        self._limit(action.descriptors)

    def _limit(self, room: int | None) -> None:
        self._short = room is not None
        self.server.leave_room(room)

    def _do_inject(self, action: Action) -> None:
        """strace does it, and has been told so at the start."""
        of_accept = action.call in ("accept", "accept4")
        self._short |= of_accept and action.error in NO_ROOM
        if not of_accept and action.error not in HARMLESS:
            self.server.may_cut += action.times or 1 << 16

    def _do_signal(self, action: Action) -> None:
        self._signal(signal.Signals[action.name])

    def _do_stop(self, action: Action) -> None:
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        """One that asks it to stop comes after all that the peers have sent. A second one ends it at once."""
        if number not in (signal.SIGTERM, signal.SIGINT):
            self.server.signal(number)
        elif self.server.stops:
            self.server.signal(number)
            self._thaw(wait=False)
            self._end_all(close=not self._stop_heard)
        else:
            self._stop_by(number)
        self.server.stops += number in (signal.SIGTERM, signal.SIGINT)

    def _stop_by(self, number: signal.Signals) -> None:
        self._until(lambda: all(each.delivered() for each in self.peers.values()), "all that was sent has arrived")
        if self._frozen is None:
            self._look()
        self._stopping = True
        self.server.signal(number)
        for peer in self.peers.values():
            if not peer.gone and not peer.model.saw_end:
                peer.stop()
        self._thaw()

    def _end_all(self, close: bool = True) -> None:
        """Two signals that come together may be one, and then the server ends when its peers do. If they cannot have
        come together, the peers stay, so that nothing but the second signal ends it."""
        self._ended = True
        for peer in self.peers.values():
            peer.gone = True
            if close:
                peer.socket.close()

    def _idle(self) -> None:
        """What the server has begun to end is under drain-timeout, which outlasts us: there the peer answers."""
        self._thaw()
        for peer in self.peers.values():
            if self.script.max_lifetime or peer.model.oversize:
                peer.reading = True
            if peer.model.oversize and not peer.gone:
                peer.half_close()
        self._until(self._all_timed_out, "the server closes every connection that is idle or too old")
        for peer in self.peers.values():
            if not peer.gone and not peer.model.saw_end:
                peer.model.idled = True
                peer.socket.close()
                peer.gone = True

    def _all_timed_out(self) -> bool:
        for peer in self.peers.values():
            if peer.model.saw_end and not peer.gone:
                peer.socket.close()
                peer.gone = True
        return not self.server.connections()

    # -- what is expected --------------------------------------------------------------------------

    def _do_expect_asleep(self, action: Action) -> None:
        self._settle()
        awake = self._rest(strict=True)
        if awake:
            raise Failure("the server sleeps: it has answered all", awake)
        self._stop_heard = self.server.stops > 0

    def _do_expect_alive(self, action: Action) -> None:
        self._settle()
        if self.server.gone():
            raise Failure("the server runs", self.server.end())

    def _do_expect_memory(self, action: Action) -> None:
        self._settle()
        grown = self.server.memory() - self._memory
        if action.most is not None and grown > action.most:
            raise Failure(f"the server holds {telling.of_memory(action)}", f"{grown:,} bytes more")

    def _do_expect_served(self, action: Action) -> None:
        peer = self._peer(action.peer)
        peer.may_be_refused = peer.optional = False
        self._until(
            lambda: peer.answered() and (peer.gone or peer.model.saw_end or peer.port in self.server.connections()),
            f"the server serves {peer.name}",
        )
        if peer.model.refused:
            raise Failure(f"the server serves {peer.name}", "it was refused")
        if peer.model.idled:
            raise Failure(f"the server serves {peer.name}", "it was closed as idle")

    def _do_expect_refused(self, action: Action) -> None:
        peer = self._peer(action.peer)
        peer.may_be_refused = True
        self._until(lambda: peer.gone or peer.model.received > 0, f"the server refuses {peer.name}")
        if not peer.model.refused:
            raise Failure(f"the server refuses {peer.name}", f"{peer.model.received} bytes came to it")

    def _do_expect_exit(self, action: Action) -> None:
        self._thaw()
        if self.server.stops < 2 and self.server.stops:
            self._finish()
        if not self._ended:
            self._end_all()
        self._status = action.status
        self._ends_with(action.status)
        self._end_all()

    def _ends_with(self, status: int) -> None:
        self._until(lambda: self.server.status() is not None, "the server ends", dead=False)
        if self.server.status() != status:
            raise Failure(f"the server ends: {ending(status)}", self.server.end())

    def _do_count(self, action: Action) -> None:
        self._look_at_calls()
        self._window = []

    def _do_expect_calls(self, action: Action) -> None:
        self._look_at_calls()
        self._counted = True
        found = [call for call in self._window if is_call(call, action.name) and action.text in call.text]
        most = len(found) if action.most is None else action.most
        if not action.least <= len(found) <= most:
            first = "; ".join(call.text for call in found[:MOST_SHOWN])
            came = f"{len(found)} call{'s' * (len(found) != 1)}"
            raise Failure(telling.of_calls(action), f"{came}: {first}" if found else came)

    def _look_at_calls(self) -> None:
        self._settle()
        self._rest()
        if self._reader is None:
            raise HostFault("calls are to be counted, and there is no trace")
        self._window += self._reader.calls()

    # -- waiting -----------------------------------------------------------------------------------

    def _around(self) -> object:
        return self.server.moving([peer.port for peer in self.peers.values() if peer.reading and not peer.gone])

    def _until(self, condition: Any, what: str, dead: bool = True) -> None:
        """Gives up when the server has ended, unless that is what is waited for (`dead`)."""
        self._for_the_dead = dead
        if time.monotonic() > self._until_when:
            self._in_vain(what, self._too_long())
        try:
            super()._until(condition, what)
        finally:
            self._for_the_dead = True

    _for_the_dead = True

    def _hopeless(self) -> str:
        if self._for_the_dead and self.server.gone():
            return self.server.end()
        if time.monotonic() > self._until_when:
            return self._too_long()
        moved = sum(peer.moved for peer in self.peers.values())
        # While we have stopped it, nothing says that it does not go on.
        why = self._still.look(moved if self._frozen is None else object()) or self._calls_for_nothing(moved)
        return f"the server does not go on: {why}" if why else ""

    def _calls_for_nothing(self, moved: int) -> str:
        written = self._reader.written() if self._reader else 0
        if moved != self._moved[0]:
            self._moved = moved, written
        return "it makes calls again and again" if written - self._moved[1] > MUCH_TRACE else ""

    def _too_long(self) -> str:
        self.late = True
        return f"the script as a whole took more than {self._longest:.0f} s"

    def _in_vain(self, what: str, why: str) -> str:
        self.noisy = self.late or not why
        lacking = telling.missing([(each.name, each.model) for each in self.peers.values() if not each.gone])
        raise Failure(what, f"{lacking}{'; ' * bool(lacking)}{why or f'nothing more within {self.patience:.0f} s'}")

    def _settle(self) -> None:
        """Who has been accepted is waited for."""
        waiting_for = -1
        while self._frozen is None and waiting_for != (now := sum(not peer.optional for peer in self.peers.values())):
            waiting_for = now
            super()._settle()

    def _look(self) -> None:
        """By now the server has accepted those that it can accept."""
        self._rest()
        accepted = self.server.connections()
        for peer in self.peers.values():
            peer.queued = not peer.gone and peer.port not in accepted
            if not peer.queued:
                peer.optional = peer.may_be_refused = False

    def _rest(self, strict: bool = False) -> str:
        """Waits until it has nothing to do. Why it does not come to that, if so; `strict`: it does not wake up for
        nothing either."""
        if self._frozen is not None:
            return ""
        pid, until, woke = self.server.running.pid, time.monotonic() + waiting.PATIENCE, 0
        sends_until = time.monotonic() + PERSISTS
        began, written = cpu_seconds(pid), self._reader.written() if self._reader else 0
        share = KNOWN if self._restless and not strict else 1
        while not self.server.gone():
            self._pump()
            before = self._under_way()
            still = stays_asleep(pid) if strict else rests(pid)
            self._pump()
            sends = time.monotonic() < sends_until and any(count for _, count in before)
            if still and not sends and self._under_way() == before:
                return STOPPED if strict and stopped(pid) else ""
            woke += strict and still is False
            calls = self._reader.written() - written if self._reader else 0
            self._restless = cpu_seconds(pid) - began > BUSY / share or calls > TRACED / share or woke > RESTLESS
            if self._restless:
                return "it wakes up again and again" if woke > RESTLESS else "it runs, and has nothing to do"
            if time.monotonic() > until:
                self.noisy = True
                return f"it does not sleep within {waiting.PATIENCE:.0f} s"
        return ""

    def _under_way(self) -> list[tuple[int, int]]:
        """Of each peer: what it has moved, and what its kernel will send by itself. A server that has caught up with
        its peers sleeps, too. It is at rest only when nothing more can come to it."""
        return [(each.moved, kernel.will_be_sent(each.socket)) for each in self.peers.values() if not each.gone]

    # -- the end -----------------------------------------------------------------------------------

    def _finish(self) -> None:
        if self._ended:
            return
        self.steps.append("every peer that is left reads to the end" if self.server.stops else
                          "every peer that is left ends its stream, and reads to the end")
        for peer in self.peers.values():
            peer.optional = False
        super()._finish()

    def _compare_statistics(self) -> None:
        """Nobody asks for statistics. What is over is closed, and the server is there."""
        if self._status is not None:
            return
        if self.server.stops:
            self._ends_with(0)
            return
        self._until(lambda: not self.server.connections(), "the server closes each connection that is over")
        self._rest()
        if self.server.gone():
            raise Failure("the server runs", self.server.end())
        more = self.server.open_sockets() - self._sockets
        if more > 0:
            came = f"{more} socket{'s' * (more > 1)} more than at the start {'are' if more > 1 else 'is'} open"
            raise Failure("the server closes the descriptor of each connection that is over", came)


def _takes_room(action: Action) -> bool:
    return action.do == "limit" or action.do == "inject" and action.error in NO_ROOM


def is_call(call: Call, name: str) -> bool:
    """By what it does: read(2) of a socket is a recv(2)."""
    from tracing.calls import SHORT

    if name == "wait":
        return call.waits
    short = SHORT.get(name, name)
    if call.name in OF_SOCKETS.get(short, ()):
        return call.text.startswith((f"{call.name}(peer ", f"{call.name}(a peer"))
    return call.name == short or call.name == "fork" and name in ("clone", "clone3")


# -- one script ----------------------------------------------------------------------------------------------


def options(script: Script, protocol: Protocol) -> tuple[str, ...]:
    return ("--port", "0", *player.options(script, protocol), "--max-lifetime", f"{script.max_lifetime:g}")


def traced(script: Script) -> bool:
    return any(action.do in ("inject", "count", "expect_calls") for action in script.actions)


def play_script(
    host: Host, program: Path, script: Script, protocol: Protocol = ECHO, more: Sequence[str] = ()
) -> Outcome:
    """`more`: options of the program. Raises HostFault alone, whatever the program does."""
    with tempfile.TemporaryDirectory(prefix="play-") as folder:
        trace = Path(folder) / "trace" if traced(script) else None
        launch = Launch((*options(script, protocol), *more), trace, faults(script))
        outcome = _played(host, program, script, protocol, launch)
        if trace is not None:  # strace drops in silence what it cannot write
            scratch.must_hold(trace.parent, TRACE)
        return outcome


class _NoPort(Exception):
    """A peer of ours has no port to connect from. Whoever has taken them must end before that can be told."""

    def __init__(self, steps: list[str]):
        super().__init__("no port is left for a peer")
        self.steps = steps


def _a_port_is_free() -> bool:
    try:
        socket.create_server(("127.0.0.1", 0)).close()
    except OSError:
        return False
    return True


def _played(host: Host, program: Path, script: Script, protocol: Protocol, launch: Launch) -> Outcome:
    steps = [" ".join(["the server starts:", *launch.options])]
    try:
        with host.start(program, launch) as running:
            try:
                subject = Subject(running)
            except Refused as refused:
                said = "\n".join([str(refused), *last_words(refused.err)])
                return Outcome(False, steps, "the server starts, and listens", said)
            return _run(subject, script, protocol, launch, steps)
    except _NoPort as none:
        try:
            waiting.until(_a_port_is_free, "a free port", PORTS_COME_BACK)
        except AssertionError:
            raise HostFault(f"{none}, nor after the program has ended") from None
        return Outcome(False, none.steps, "a peer can connect", f"{none}: the program had taken them all")
    except OSError as error:
        raise HostFault(f"{type(error).__name__}: {error}") from None


def _run(subject: Subject, script: Script, protocol: Protocol, launch: Launch, steps: list[str]) -> Outcome:
    ports: dict[int, str] = {}
    reader = _reader(launch, ports)
    game: LabPlay | None = None
    try:
        game = LabPlay(subject, script, protocol, reader, ports)
        game.steps[:0] = steps
        game.run()
    except AssertionError as failure:
        expected, came = _explained(failure, subject)
        told = telling.steps(game.steps) if game else steps
        return Outcome(False, told, expected, came, game is not None and game.noisy, game is not None and game.late)
    except OSError as error:
        told = telling.steps(game.steps) if game else steps
        if error.errno == errno.EADDRNOTAVAIL:
            raise _NoPort(told) from error
        if error.errno in OURS or not subject.gone():
            raise
        return Outcome(False, told, "the server runs", subject.end())
    return Outcome(True, telling.steps(game.steps))


def _reader(launch: Launch, ports: dict[int, str]) -> Reader | None:
    if launch.trace is None:
        return None
    from tracing.reader import Reader

    return Reader(launch.trace, ports)


BYTES_DIFFER = re.compile(r"(peer \d+): differs from byte (\d+) on: expected ([0-9a-f ]*), came ([0-9a-f ]*)")
TOO_EARLY = re.compile(r"(peer \d+): (\d+ bytes came, only \d+ make up whole frames so far: .*)")


def _explained(failure: AssertionError, subject: Subject) -> tuple[str, str]:
    """What was expected, and what came. A server that crashes resets its connections: that it has crashed says more."""
    ended = "reset" in str(failure) or "ended the stream" in str(failure)
    if subject.stops == 0 and (subject.gone() or ended and subject.ends_now()):
        return (failure.expected if isinstance(failure, Failure) else "the server runs"), subject.end()
    if isinstance(failure, Failure):
        return failure.expected, failure.came
    said = str(failure)
    if found := BYTES_DIFFER.fullmatch(said):
        return f"{found[1]} gets, from byte {found[2]} on: {found[3]}", found[4]
    if found := TOO_EARLY.fullmatch(said):
        return f"{found[1]} gets no byte but those of replies to whole frames", found[2]
    return "each peer gets all that it must get, and then the end of the stream", said


def play(
    host: Host, program: Path, script_path: Path, protocol: Protocol = ECHO, more: Sequence[str] = ()
) -> Outcome:
    """Raises BadScript, too: the caller says whose script it is."""
    return play_script(host, program, load(script_path, protocol, accepted=(OF_LABS,)), protocol, more)
