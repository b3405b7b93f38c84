"""Plays a script against a server, and compares what every peer gets with the model."""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any
from typing import Protocol as Interface

from suite import frames, kernel, steps, waiting
from suite.model import PeerModel, possible
from suite.protocol import ECHO, Protocol
from suite.script import Action, Script

MAX_FRAME, HIGH_WATER, LOW_WATER = ECHO.max_frame, ECHO.high_water, ECHO.low_water
NARROW_WINDOW, NARROW_SEGMENT = 4096, 536  # the server's send buffer stays small then
CERTAIN_TO_FIT = 16_000  # bytes that the kernel of a stopped server takes for it


def options(script: Script, protocol: Protocol = ECHO) -> tuple[str, ...]:
    """Of the server that a script is played against. drain-timeout outlasts every script."""
    marks = ("--high-water", protocol.high_water, "--low-water", protocol.low_water)
    times = ("--drain-timeout", 600, "--idle-timeout", f"{script.idle_timeout:g}")
    return tuple(map(str, ("--max-frame", protocol.max_frame, *marks, *times)))


class Target(Interface):
    """What a script is played against: suite.server.Server and its like."""

    tells: bool
    secure: bool  # it speaks TLS
    implementation: str

    @property
    def address(self) -> tuple[str, int]: ...
    def over(self, connected: socket.socket) -> socket.socket: ...
    def frozen(self) -> contextlib.AbstractContextManager[None]: ...
    def signal(self, number: signal.Signals) -> None: ...
    def errors(self) -> list[str]: ...
    def statistics(self) -> Any: ...
    def wait_statistics(self, condition: Callable[[Any], bool], what: str) -> Any: ...
    def wait_exit(self) -> int: ...
    def stop(self) -> Any: ...


class ScriptedPeer:
    """A peer that never blocks: what its kernel does not take waits in its outbox."""

    def __init__(self, number: int, server: Target, script: Script, protocol: Protocol = ECHO):
        self.name = f"peer {number}"
        self.protocol = protocol
        self.model = PeerModel(protocol)
        self.number = number
        self.may_idle = script.idle_timeout
        self.reading = True
        self.gone = False  # the socket is closed
        self.ending = False  # half-closes when the outbox is empty
        self.urged = False
        self.end = "none before its own"
        self.queued = True  # connected, but perhaps not accepted yet
        self.waits = False  # for an echo of what it sent while the server was stopped
        self.moved = 0
        self._composed = 0
        self._held = b""
        self._outbox = bytearray()
        self._connected = time.monotonic()
        self.socket = socket.socket(socket.AF_INET6 if ":" in server.address[0] else socket.AF_INET)
        if number in script.narrow:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW_WINDOW)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, NARROW_SEGMENT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(waiting.PATIENCE)
        self.socket.connect(server.address)
        self.socket = server.over(self.socket)
        self.socket.setblocking(False)

    # -- what it does --------------------------------------------------------------------------

    def shake(self) -> None:
        """Over TLS, makes the handshake."""
        self.socket.shake()  # type: ignore[attr-defined]

    @property
    def sends(self) -> bool:
        return not self.gone and not self.ending

    def compose(self, size: int) -> bytes:
        self._composed += 1
        return self.protocol.frame(frames.payload(size, f"{self.number}/{self._composed}"))

    def send(self, data: bytes, hold: int = 0) -> None:
        data = self._held + data
        cut = max(len(data) - hold, 0)
        self._outbox += data[:cut]
        self._held = data[cut:]
        self.push()

    def urge(self) -> None:
        """Once: Linux makes an urgent byte that nobody has read an ordinary one when another one comes (tcp(7))."""
        if not self.urged and not self._outbox:
            with contextlib.suppress(OSError):
                self.urged = self.socket.send(b"!", socket.MSG_OOB) == 1

    def stop(self) -> None:
        """The server gets SIGTERM now. Whatever of this peer it had certainly read is due, in full."""
        sure = not self._outbox and len(self.model.sent) - self.model.received <= CERTAIN_TO_FIT
        self.model.stopped = True
        self.model.owed_at_stop = sure
        self._outbox.clear()

    def half_close(self) -> None:
        self.ending = True
        self.push()

    def reset(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, kernel.RESET_AT_CLOSE)
        self.close()
        self.model.half_closed = self.ending and not self._outbox

    def close(self) -> None:
        """The model's half-close too: what was sent may have been taken in full before the end."""
        self.socket.close()
        self.gone = True
        self.model.cut = True
        self.model.half_closed = True

    # -- what happens --------------------------------------------------------------------------

    def _over(self, error: OSError | None) -> None:
        """The server has ended the stream, or reset it: may it?"""
        self.moved += 1
        self.end = "reset" if error is not None else "end of stream"
        if self.queued and self.model.stopped and error is not None:
            self.model.refused = True
        elif self.may_idle and time.monotonic() - self._connected >= self.may_idle:
            assert not self.waits or not self.model.due, f"{self.name}: closed as idle, with a request waiting"
            self.model.idled = True
        elif error is not None:
            reset = isinstance(error, (ConnectionResetError, BrokenPipeError))
            why = "the server has reset the connection" if reset else str(error)
            raise AssertionError(f"{self.name}: {why}, with {self.model.due} bytes due") from None
        else:
            try:
                self.model.end()
            except AssertionError as failure:
                raise AssertionError(f"{self.name}: {failure}") from None
        if self.model.idled or self.model.refused or error is not None:
            self.socket.close()
            self.gone = True

    def push(self) -> None:
        """Sends what the kernel takes, and the end after it."""
        try:
            while self._outbox and not self.gone:
                count = self.socket.send(self._outbox[:65536])
                self.model.send(bytes(self._outbox[:count]))
                del self._outbox[:count]
                self.moved += count
        except BlockingIOError:
            return
        except OSError as error:
            self._over(error)
            return
        if self.ending and not self.gone and not self.model.half_closed and not self.model.stopped:
            self.model.half_closed = True
            with contextlib.suppress(OSError):  # the server may have closed already, as oversize
                self.socket.shutdown(socket.SHUT_WR)

    def pull(self) -> None:
        """Receives what is there, if it reads; every byte is compared."""
        while self.reading and not self.gone and not self.model.saw_end:
            try:
                data = self.socket.recv(1 << 18)
            except BlockingIOError:
                return
            except OSError as error:
                self._over(error)
                return
            if not data:
                self._over(None)
                return
            self.moved += len(data)
            try:
                self.model.receive(data)
            except AssertionError as failure:
                raise AssertionError(f"{self.name}: {failure}") from None

    def interest(self) -> int:
        """What there is to wait for (poll(2))."""
        reads = self.reading and not self.model.saw_end
        return (select.POLLIN if reads else 0) | (select.POLLOUT if self._outbox else 0)

    def answered(self) -> bool:
        """Has it all that it can have? What it does not read it cannot have."""
        if self.gone or not self.reading:
            return True
        if self._outbox or self.model.due:
            return False
        return self.model.saw_end or not self.model.ends

    def delivered(self) -> bool:
        """Is all that it sent in the server's kernel (tcp(7): SIOCOUTQ)? True where that cannot be said."""
        if self.gone or self._outbox or not sys.platform.startswith("linux"):
            return True
        if len(self.model.sent) - self.model.received > CERTAIN_TO_FIT:
            return True
        held = getattr(self.socket, "undelivered", None)  # a stream over TLS has it
        if held is not None and held():
            return False
        return kernel.unacknowledged(self.socket) == 0


class Play:
    """One script, one server that has no connections before it and none after it."""

    kind_of_peer: type[ScriptedPeer] = ScriptedPeer

    def __init__(
        self, server: Target, script: Script, patience: float = waiting.PATIENCE, protocol: Protocol = ECHO
    ):
        self.server = server
        self.script = script
        self.protocol = protocol
        self.patience = patience
        self.peers: dict[int, ScriptedPeer] = {}
        self._frozen: contextlib.AbstractContextManager | None = None
        self._stopping = False
        self.closed: dict[str, int] = {}  # by reason, when the script has been played
        self._before = server.statistics()
        self._lines_before = self._oversize_lines()

    def run(self) -> None:
        try:
            if self.server.secure:
                self._shake_hands()
            for number, action in enumerate(self.script.actions, 1):
                steps.note(f"action {number}: {action.as_json()}")
                self._act(action)
                self._pump()
            self._finish()
            self._compare_statistics()
        finally:
            self._thaw(wait=False)
            for peer in self.peers.values():
                if not peer.gone:
                    peer.reset()

    def _shake_hands(self) -> None:
        """While the server is stopped, only a peer whose handshake is over can send. So all of them come first."""
        for number in sorted({action.peer for action in self.script.actions if action.of_peer}):
            self._peer(number).shake()

    # -- actions -------------------------------------------------------------------------------

    def _peer(self, number: int) -> ScriptedPeer:
        if number not in self.peers:
            self.peers[number] = self.kind_of_peer(number, self.server, self.script, self.protocol)
        return self.peers[number]

    def _act(self, action: Action) -> None:
        if action.do == "freeze":
            self._freeze()
        elif action.do == "thaw":
            self._thaw()
        elif action.do == "settle":
            self._settle()
        elif action.do == "stall":
            self._stall()
        elif action.do == "stop":
            self._stop()
        elif action.do == "idle":
            self._idle()
        else:
            self._act_on(self._peer(action.peer), action)

    def _act_on(self, peer: ScriptedPeer, action: Action) -> None:
        if action.do == "stop_reading":
            peer.reading = False
        elif action.do == "read_again":
            peer.reading = True
        elif action.do == "reset" and not peer.gone:
            peer.reset()
        elif action.do == "close" and not peer.gone:
            peer.close()
        elif peer.sends and not peer.gone:
            self._send(peer, action)

    def _send(self, peer: ScriptedPeer, action: Action) -> None:
        if action.do == "send":
            peer.send(b"".join(peer.compose(size) for size in action.frames), action.hold)
        elif action.do == "flood":
            count = action.bytes // (action.size + self.protocol.overhead)
            peer.send(b"".join(peer.compose(action.size) for _ in range(count)))
        elif action.do == "oversize":
            announced = min(self.protocol.max_frame + action.size, self.protocol.most)
            peer.send(self.protocol.header(announced) + b"\0\0\0\1more")
        elif action.do == "raw":
            peer.send(bytes.fromhex(action.hex))
        elif action.do == "half_close":
            peer.half_close()
        elif action.do == "urgent":
            peer.urge()

    def _freeze(self) -> None:
        if self._frozen is None:
            self._frozen = self.server.frozen()
            self._frozen.__enter__()

    def _thaw(self, wait: bool = True) -> None:
        if self._frozen is None:
            return
        try:
            if wait:
                self._until(lambda: all(each.delivered() for each in self.peers.values()), "delivery")
        finally:
            frozen, self._frozen = self._frozen, None
            frozen.__exit__(None, None, None)

    def _settle(self) -> None:
        """The statistics are printed at the end of a wake-up that came after all was delivered, so what
        needs no answer, as the beginning of a frame, has been read too."""
        if self._frozen is not None:
            return
        everyone = self.peers.values()
        self._until(lambda: all(each.answered() for each in everyone), "every reply that is due")
        self._until(lambda: all(each.delivered() for each in everyone), "delivery")
        self._look()

    def _look(self) -> None:
        """By now the server has accepted everyone."""
        if not self.server.tells:
            return
        total = self._before["accepted"] + len(self.peers)
        self.server.wait_statistics(lambda s: s["accepted"] == total, "every connection accepted")
        for peer in self.peers.values():
            peer.queued = False

    def _stall(self) -> None:
        """Those that have sent nothing meanwhile may be called idle. Those that have may not."""
        if self._frozen is None or not self.script.idle_timeout:
            return
        time.sleep(1.2 * self.script.idle_timeout)
        for peer in self.peers.values():
            peer.waits = peer.reading and not peer.gone
        self._thaw()
        self._settle()
        for peer in self.peers.values():
            peer.waits = False

    def _stop(self) -> None:
        """The server gets the signal after it has got everything that the peers have sent."""
        self._until(lambda: all(each.delivered() for each in self.peers.values()), "delivery")
        if self._frozen is None:
            self._look()
        self._stopping = True
        self.server.signal(signal.SIGTERM)
        for peer in self.peers.values():
            if not peer.gone and not peer.model.saw_end:
                peer.stop()
        self._thaw()

    def _idle(self) -> None:
        """What the server has begun to end is under drain-timeout, which outlasts us: there the peer answers. Its
        oversize header may leave only now, behind much else."""
        self._thaw()

        def all_over() -> bool:
            for peer in self.peers.values():
                if peer.model.oversize and not peer.ending and not peer.gone:
                    peer.reading = True
                    peer.half_close()
            return self._over(self.server.statistics())

        self._until(all_over, "every connection accepted and closed")
        ending = [peer for peer in self.peers.values() if peer.model.oversize]
        self._until(lambda: all(peer.answered() for peer in ending), "the end after an oversize header")
        for peer in self.peers.values():
            if not peer.gone and not peer.model.saw_end:
                peer.model.idled = True
                peer.socket.close()
                peer.gone = True

    # -- waiting -------------------------------------------------------------------------------

    def _pump(self) -> None:
        for peer in self.peers.values():
            peer.push()
            peer.pull()

    def _state(self) -> str:
        return "; ".join(
            f"{peer.name}: {peer.model.received} of {peer.model.whole} bytes came back"
            f"{', ended' if peer.model.saw_end else ', its end awaited' if peer.model.ends else ''}"
            for peer in self.peers.values()
            if not peer.gone
        )

    def _hopeless(self) -> str:
        """Why nothing will come any more, if that is known before patience has run out."""
        return ""

    def _in_vain(self, what: str, why: str) -> str:
        return f"waited in vain for {what}: {self._state()}{f'; {why}' if why else ''}"

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        """Moves bytes until the condition holds; gives up when nothing has moved for long."""
        moved, deadline = -1, 0.0
        while True:
            self._pump()
            if condition():
                return
            total = sum(peer.moved for peer in self.peers.values())
            if total != moved:
                moved, deadline = total, time.monotonic() + self.patience
            hopeless = self._hopeless()
            assert not hopeless and time.monotonic() < deadline, self._in_vain(what, hopeless)
            poller = select.poll()
            for peer in self.peers.values():
                if not peer.gone and peer.interest():
                    poller.register(peer.socket, peer.interest())
            poller.poll(10)  # ms; not every state is told by a socket of ours

    # -- the end -------------------------------------------------------------------------------

    def _finish(self) -> None:
        self._thaw()
        for peer in self.peers.values():
            peer.reading = True
            if not peer.gone and not self._stopping:
                peer.half_close()
        self._until(lambda: all(each.answered() for each in self.peers.values()), "every reply and every end")
        for peer in self.peers.values():
            peer.socket.close()
            peer.gone = True

    def _oversize_lines(self) -> int:
        return sum("a message above" in line for line in self.server.errors())

    def _compare_statistics(self) -> None:
        last = self._last_statistics()
        if not self.server.tells:
            return
        grown = self._grown(last)
        before = self._before["closed"]
        closed = self.closed = {reason: count - before[reason] for reason, count in last["closed"].items()}
        counted = [peer for peer in self.peers.values() if not peer.model.refused]
        models = [peer.model for peer in counted]
        allowed = [peer.model.reasons() | ({""} if self._missed(peer) else set()) for peer in counted]
        if self.server.implementation == "libkqueue":  # there recv may answer 0 after a reset
            allowed = [each | {"end", "truncated"} if model.cut else each for each, model in zip(allowed, models)]
        assert possible(closed, allowed), f"closed {closed}, expected one reason of each of {allowed}"
        certain = [model for model in models if model.exact]
        all_read = [model for model in models if model.all_read]
        self._between("frames", grown["frames"], certain, models, lambda model: model.frames)
        self._between("bytes_in", grown["bytes_in"], all_read, models, lambda model: len(model.sent))
        self._between("bytes_out", grown["bytes_out"], certain, models, lambda model: model.whole)
        lines = self._oversize_lines() - self._lines_before + grown["log_lines_left_out"]
        self._between("oversize lines", lines, certain, models, lambda model: model.oversize)
        assert last["buffers"] == 0, f"{last['buffers']} buffers are held, without a connection"

    def _last_statistics(self) -> dict:
        if not self._stopping:
            return self.server.wait_statistics(self._over, "every connection accepted and closed")
        if self.server.tells:
            self.server.wait_exit()  # a second signal would end it before it has read what the peers have sent
        finals = self.server.stop()
        if self.server.tells:
            assert self._over(finals), f"not every connection accepted and closed: {finals}"
        return finals

    def _missed(self, peer: ScriptedPeer) -> bool:
        """The server may have been stopped before it accepted this one."""
        return self._stopping and peer.queued

    def _over(self, statistics: dict) -> bool:
        accepted = statistics["accepted"] - self._before["accepted"]
        surely = sum(not self._missed(peer) for peer in self.peers.values())
        return statistics["connections"] == 0 and surely <= accepted <= len(self.peers)

    def _grown(self, statistics: dict) -> dict[str, int]:
        return {
            name: value - self._before[name] for name, value in statistics.items() if isinstance(value, int)
        }

    @staticmethod
    def _between(
        name: str, count: int, certain: list[PeerModel], models: list[PeerModel], of: Callable[[PeerModel], int]
    ) -> None:
        """Exact where nothing was cut; of a cut connection the server may have seen any part."""
        least = sum(map(of, certain))
        most = sum(map(of, models))
        assert least <= count <= most, f"{name}: {count} counted, expected {least} to {most}"
