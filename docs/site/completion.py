"""The steps of the server on io_uring(7). strace sees how many entries each call hands over; a model says which ones
they are, and the build fails where the numbers do not agree with the trace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from page import BadSite, sentence
from readiness import CLOSE, SENDS, Steps
from stepping import BUFFERS, FILES, KEPT_KERNEL, TABLE, Frame, Place, Rows, Scene

WAIT = Place("beyond/uring/ring.c", "return done(ring, io_uring_submit_and_wait_timeout(")
ACCEPTING = Place("beyond/uring/accepting.c", "loop_admit(loop, fd);")
RECEIVING = Place("beyond/uring/flight.c", "io_uring_prep_recv_multishot(entry")
SENDING = Place("beyond/uring/flight.c", "io_uring_prep_send(entry")
ENTER = re.compile(r"io_uring_enter\((no entry|\d+) ?(?:entry|entries)?\)(?:   (\d+) times)?")


@dataclass
class Ring(Scene):
    entries: list[str] = field(default_factory=lambda: ["read: signals", "accept: listener, stays armed"])
    armed: list[str] = field(default_factory=list)
    done: list[tuple[str, str]] = field(default_factory=list)  # completions that the server has not seen
    open: list[str] = field(default_factory=list)

    def kept(self) -> Iterator[tuple[str, Rows]]:
        base = [("0, 1, 2", "standard streams"), ("listener", "listening socket"), ("ring", "the ring")]
        yield TABLE, [*base, *((name, f"socket of {name}") for name in self.open)]
        files = [("listening socket", "1 descriptor, and the accept that is armed"), ("the ring", "1 descriptor")]
        armed = {each.split(": ")[1].split(",")[0] for each in self.armed}
        words = {True: "1 descriptor, and the receive that is armed", False: "1 descriptor"}
        yield FILES, [*files, *((f"socket of {name}", words[name in armed]) for name in self.open)]
        yield BUFFERS, [(name, "0 bytes unread") for name in self.open]
        kept = [(each.split(": ")[1].split(",")[0], each.split(": ")[0] + " armed") for each in self.armed]
        queue = ", ".join(f"{name}: {what}" for name, what in self.done)
        yield KEPT_KERNEL, [*kept, ("completion queue", queue or "empty")]

    def play(self, steps: Steps) -> list[Frame]:
        handed = self._enter()
        for (what, _), calls in steps.items():
            enters = [count for line in calls for count in _counts(line)]
            self._peers_do(what)
            for at, expected in enumerate(enters):
                if handed != expected:
                    raise BadSite(f"steps: {what}: the model hands over {handed} entries, the trace {expected}")
                self._woken(handed)
                if at < len(enters) - 1:
                    handed = self._enter()
            self._close_ended([line for line in calls if line.startswith("close(")])
            if self.open:
                handed = self._enter()
        return self.frames

    def _enter(self) -> int:
        """Hands over what has gathered, and waits."""
        count = len(self.entries)
        self.hands = [(each.split(": ")[1].split(",")[0], each) for each in self.entries]
        self.walks = list(self.hands)
        self.back = []
        for each in self.entries:
            kind, name = each.split(": ", 1)
            if kind == "send":
                self.done.append((name.split(",")[0], f"send, {name.split(', ')[1]}"))
            else:
                self.armed.append(each)
        self.entries = []
        many = {0: "no entry", 1: "1 entry"}.get(count, f"{count} entries")
        text = f"One call hands over {many}, and waits for a completion."
        text += " The send is done within the call." if self.done else " There is none yet: the server sleeps."
        self.show("server", text, "", WAIT)
        return count

    def _peers_do(self, what: str) -> None:
        self.walks, self.back = [], []
        for word in what.split("; "):
            sends = SENDS.match(word)
            if sends:
                self.done.append((sends[1], f"receive, {int(sends[2]) + 4} bytes"))
            elif word.endswith(" connects"):
                self.done.append(("listener", f"accept, {word.removesuffix(' connects')}"))
            else:
                self.done += [(name, "receive, 0 bytes") for name in self.open]
        self.walks = [(name, "its armed entry is done") for name, _ in self.done]
        text = "The kernel does what is armed: it accepts, or copies the bytes into a buffer that the server has"
        self.show("peers", f"{sentence(what)}. {text} provided, and puts a completion into the queue.")

    def _woken(self, handed: int) -> None:
        many = {0: "no entry", 1: "1 entry"}.get(handed, f"{handed} entries")
        self.back, self.done, self.hands, self.walks = list(self.done), [], [], []
        text, place = "", WAIT
        for name, what in self.back:
            kind, result = what.split(", ")
            if kind == "accept":
                self.open.append(result)
                self.entries.append(f"receive: {result}, stays armed")
                text += f" {sentence(result)} is accepted already. An entry will receive from it."
                place = ACCEPTING
            elif kind == "receive" and result != "0 bytes":
                self.entries.append(f"send: {name}, {result}")
                text += f" {result} of {name} are in the server's memory already. An entry will send them."
                place = SENDING
            elif kind == "receive":
                self.armed = [each for each in self.armed if each.split(": ")[1].split(",")[0] != name]
                text += f" {sentence(name)} has ended its stream."
                place = RECEIVING
            else:
                text += f" {result} are on their way to {name}."
        number = "1 completion" if len(self.back) == 1 else f"{len(self.back)} completions"
        self.show("kernel", f"The call returns: {number}.{text}", f"io_uring_enter({many})", place)

    def _close_ended(self, calls: list[str]) -> None:
        for line in calls:
            self.back = []
            self.open.remove(line.removeprefix("close(").removesuffix(")"))
            self.show("server", "Nothing of this socket is in flight, so close ends it.", line, CLOSE)


def _counts(line: str) -> list[int]:
    match = ENTER.match(line)
    return [0 if match[1] == "no entry" else int(match[1])] * int(match[2] or 1) if match else []
