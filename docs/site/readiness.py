"""The steps of a server that waits for readiness: drawn from its trace, with a model of what the kernel keeps.

The model says what each wait must report, and the build fails where the trace says something else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from page import BadSite, sentence
from stepping import BUFFERS, FILES, KEPT_KERNEL, KEPT_USER, TABLE, Frame, Place, Rows, Scene

Steps = dict[tuple[str, int], list[str]]
LISTENER = "listener"
SENDS = re.compile(r"(peer \d+) sends a frame of ([\d,]+) bytes?")
CALL = re.compile(r"(\w+)\((.*?)\)(?: = (.*))?$")


@dataclass(frozen=True)
class Api:
    """How one of them works."""

    name: str  # "select", "poll", "level", "edge", "oneshot", "kqueue"
    wait: Place
    register: Place
    arm: Place | None = None

    @property
    def keeps(self) -> bool:
        """Does the kernel keep the set, or does each wait bring it?"""
        return self.name not in ("select", "poll")

    @property
    def queue(self) -> str:
        return "active notes" if self.name == "kqueue" else "ready list"


ACCEPT = Place("common/listener.c", "return accept4(listening")
RECV = Place("common/transport.c", "count = recv(connection->watch.fd")
SEND = Place("common/transport.c", "count = send(connection->watch.fd")
CLOSE = Place("common/connections.c", "(void)close(connection->watch.fd);")


@dataclass
class Peer:
    unread: int = 0
    ended: bool = False


@dataclass
class Machine(Scene):
    api: Api = field(kw_only=True)
    waiting: list[str] = field(default_factory=list)  # peers in the queue of the listener
    peers: dict[str, Peer] = field(default_factory=dict)  # that are accepted and open
    early: dict[str, Peer] = field(default_factory=dict)  # connected, not accepted
    watched: dict[str, str] = field(default_factory=lambda: {LISTENER: "IN"})
    ready: list[str] = field(default_factory=list)  # the kernel's list

    # -- the state as tables -------------------------------------------------------------------

    def kept(self) -> Iterator[tuple[str, Rows]]:
        kept = {"kqueue": "kqueue"}.get(self.api.name, "epoll") if self.api.keeps else ""
        table = [("0, 1, 2", "standard streams"), (LISTENER, "listening socket")]
        table += [(kept, "the set")] if kept else []
        yield TABLE, [*table, *((name, f"socket of {name}") for name in self.peers)]
        files = [("listening socket", "1 descriptor")] + ([("the set", "1 descriptor")] if kept else [])
        yield FILES, [*files, *((f"socket of {name}", "1 descriptor") for name in self.peers)]
        queue = ", ".join(self.waiting) or "nobody"
        buffers = [(LISTENER, f"waiting to be accepted: {queue}")]
        for name, peer in {**self.peers, **self.early}.items():
            buffers.append((name, f"{peer.unread} bytes unread" + (", then the end" if peer.ended else "")))
        yield BUFFERS, buffers
        if self.api.keeps:
            yield KEPT_KERNEL, [*self.watched.items(), (self.api.queue, ", ".join(self.ready) or "empty")]
        else:
            yield KEPT_USER, list(self.watched.items())

    # -- what happens --------------------------------------------------------------------------

    def play(self, steps: Steps) -> list[Frame]:
        self._sleep()
        for (what, _), calls in steps.items():
            self._peers_do(what)
            for at, call in enumerate(calls):
                self._call(call, waits_first=at == 0)
            if self.peers or at_start(what):
                self._sleep()
        return self.frames

    def _peers_do(self, what: str) -> None:
        self.hands, self.walks, self.back = self.hands, [], []
        named = []
        for word in what.split("; "):
            sends = SENDS.match(word)
            if sends:
                self._of(sends[1]).unread += int(sends[2].replace(",", "")) + 4
                named.append(sends[1])
            elif word.endswith(" connects"):
                name = word.removesuffix(" connects")
                self.waiting.append(name)
                self.early[name] = Peer()
                named.append(LISTENER)
            elif word.startswith("every peer"):
                for name, peer in self.peers.items():
                    peer.ended = True
                    named.append(name)
            else:
                raise BadSite(f"steps: nobody knows what happens when '{word}'")
        for name in named:
            self._arrived(name)
        text = f"{sentence(what)}. "
        if self.api.keeps:
            text += f"The kernel puts {_and(named)} on the {self.api.queue} and wakes the server."
        else:
            text += "The kernel wakes the server, which sleeps in its wait."
        self.show("peers", text)

    def _of(self, name: str) -> Peer:
        return self.peers.get(name) or self.early[name]

    def _arrived(self, name: str) -> None:
        if self.api.keeps and "disarmed" not in self.watched[name] and name not in self.ready:
            self.ready.append(name)

    def _is_ready(self, name: str) -> bool:
        if name == LISTENER:
            return bool(self.waiting)
        return self.peers[name].unread > 0 or self.peers[name].ended

    def _handed(self) -> list[tuple[str, str]]:
        if self.api.keeps:
            return [("the set", "its descriptor, and room for events")]
        words = {"select": "its bit is set", "poll": "an entry: IN"}[self.api.name]
        return [(name, words) for name in self.watched]

    def _sleep(self) -> None:
        """The wait begins. Its end is in the next step of the trace."""
        self.hands, self.back = self._handed(), []
        text = "The server waits. "
        if not self.api.keeps:
            self.walks = [(name, "not ready") for name in self.watched]
            text += f"The kernel asks all {len(self.watched)} descriptors, and none is ready. The server sleeps."
        else:
            self.walks = [(name, self._asked(name)) for name in self.ready]
            self.ready = []
            asked = f"The kernel asks what is on the {self.api.queue}, and takes it off. " if self.walks else ""
            text += asked + f"The {self.api.queue} is empty. The server sleeps."
        self.show("server", text, "", self.api.wait)

    def _asked(self, name: str) -> str:
        if self.api.name == "edge" and "OUT" in self.watched[name]:
            return "OUT: reported once; the server has nothing to send, and waits again"
        return "nothing any more: taken off"

    def _call(self, line: str, waits_first: bool) -> None:
        match = CALL.match(line)
        if match is None:
            raise BadSite(f"steps: '{line}' is no call")
        name, arguments, result = match[1], match[2], match[3] or ""
        if name in ("epoll_wait", "ppoll", "pselect"):
            if not waits_first:
                raise BadSite(f"steps: '{line}': a second wait in a step")
            self._woken(line, result)
        else:
            self.hands, self.walks, self.back = [], [], []
            getattr(self, f"_{name}")(line, arguments, result)

    def _woken(self, line: str, result: str) -> None:
        reported = {name: "|".join(events) for name, events in _reported(result).items()}
        expected = {name for name in self.watched if self._is_ready(name)}
        if set(reported) != expected:
            raise BadSite(f"steps: {line}: the model expects {sorted(expected)}")
        self.walks = [(name, "ready" if name in expected else "not ready") for name in self.watched]
        if self.api.keeps:
            self.walks = [(name, "ready") for name in self.ready]
            if self.api.name in ("edge", "oneshot"):
                self.ready = []
            if self.api.name == "oneshot":
                self.watched |= {name: "disarmed" for name in reported if name != LISTENER}
        self.back = list(reported.items())
        self.show("kernel", self._told(len(reported)), self._as_called(line), self.api.wait)

    def _told(self, count: int) -> str:
        many = "1 event" if count == 1 else f"{count} events"
        if not self.api.keeps:
            more = "It writes its answer over the set" if self.api.name == "select" else "It fills in each entry"
            return f"The kernel asks all {len(self.watched)} descriptors once more. {more}: {many}."
        stays = {
            "level": "The entry goes back to the ready list: the next wait asks again.",
            "kqueue": "The note goes back to the list: the next wait asks again.",
            "edge": "The entry does not go back: only something new is reported.",
            "oneshot": "The entry is disarmed: nothing more is reported until it is armed again.",
        }[self.api.name]
        return f"The kernel walks its {self.api.queue} only, and copies out {many}. {stays}"

    def _as_called(self, line: str) -> str:
        if self.api.name != "kqueue":
            return line
        return line.replace("epoll_wait", "kevent").replace(": IN", ": EVFILT_READ")

    def _accept(self, line: str, _: str, result: str) -> None:
        if result == "EAGAIN":
            self.show("server", "Nobody waits any more.", line, ACCEPT)
            return
        self.waiting.remove(result)
        self.peers[result] = self.early.pop(result)
        text = f"A new descriptor leads to the socket of {result}."
        if not self.api.keeps:
            self.watched[result] = "IN"
            text += " The server notes it in its own set, without a call."
            self.show("server", text, line, ACCEPT)
            return
        self.show("server", text, line, ACCEPT)
        if self.api.name == "oneshot":
            return

    def _epoll_ctl(self, line: str, arguments: str, _: str) -> None:
        how, name, events = arguments.split(", ")
        self.watched[name] = events
        if self.api.name == "kqueue":
            self.watched[name] = "EVFILT_READ"
            line = f"kevent(EV_ADD, {name}, EVFILT_READ)"
        self.hands = [(name, self.watched[name])]
        if how == "MOD":
            text = f"{name} is armed again, as the last thing of its turn."
            self.show("server", sentence(text), line, self.api.arm)
            return
        if self.api.name == "edge":
            self.ready.append(name)
        text = f"The kernel keeps {name} in the set from now on. No wait has to name it."
        if self.api.name == "edge":
            text += " It has room to send, so it is on the ready list at once."
        self.show("server", text, line, self.api.register)

    def _recv(self, line: str, arguments: str, result: str) -> None:
        name = arguments.split(",")[0]
        if result == "0":
            self.show("server", f"{sentence(name)} has ended its stream, and all is read.", line, RECV)
            return
        self.peers[name].unread -= int(result)
        self.show("server", f"{result} bytes go from the socket's buffer to the server.", line, RECV)

    def _send(self, line: str, arguments: str, result: str) -> None:
        self.show("server", f"{result} bytes go to {arguments.split(',')[0]}.", line, SEND)

    def _close(self, line: str, name: str, _: str) -> None:
        if self.api.name == "kqueue":
            del self.watched[name]
            self.hands = [(name, "EVFILT_READ: delete")]
            self.show("server", f"The filter of {name} goes.", f"kevent(EV_DELETE, {name}, EVFILT_READ)",
                      self.api.register)  # fmt: skip
            self.hands = []
        del self.peers[name]
        self.watched.pop(name, None)
        self.ready = [each for each in self.ready if each != name]
        text = "The last descriptor of this socket is gone, and so is the socket."
        text += " It leaves the set with it." if self.api.keeps and self.api.name != "kqueue" else ""
        self.show("server", text, line, CLOSE)


def at_start(what: str) -> bool:
    return what.endswith(" connects")


def _reported(result: str) -> dict[str, list[str]]:
    """`peer 0: IN, peer 1: IN`, or as select says it: `read: peer 0, peer 1`."""
    if result.startswith("read: "):
        return {name: ["IN"] for name in result.removeprefix("read: ").split(", ")}
    return {name: events.split("|") for name, events in (each.split(": ") for each in result.split(", "))}


def _and(names: Sequence[str]) -> str:
    return " and ".join(names)
