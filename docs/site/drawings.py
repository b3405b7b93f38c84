"""The diagrams of the story: a wake-up, a watched descriptor, a turn, a connection."""

from __future__ import annotations

from diagrams import Diagram, State, Step
from suite.servers import Kind

WAKE_UP = Diagram(
    "wake-up", "One wake-up of the loop", 940, 250,
    (
        State("wait", 80, 70, "mux_wait"), State("walk", 270, 70, "loop_ready, serve"),
        State("signals", 470, 70, "take_signals"), State("expiry", 660, 70, "expire"),
        State("reap", 850, 70, "close, free"), State("accept", 660, 195, "at most 64"),
    ),
    (
        Step("wait", "walk", "ready", shift=(0, -12)), Step("walk", "signals", "all seen", shift=(0, -12)),
        Step("signals", "expiry", "stats, stop", shift=(0, -42)),
        Step("expiry", "reap", "what is due ended", shift=(0, -42)),
        Step("reap", "accept", "numbers are\nfree again", shift=(50, 12)),
        Step("accept", "wait", "the API is told what is wanted now", bend=40, shift=(-20, 26)),
    ),
)  # fmt: skip

CONNECTION = Diagram(
    "connection", "The states of a connection", 900, 300,
    (
        State("OPEN", 90, 60, "takes frames"), State("FLUSHING", 430, 60, "output leaves"),
        State("LINGERING", 770, 60, "FIN is sent"), State("CLOSED", 430, 240, "retired, then closed"),
    ),
    (
        Step("OPEN", "FLUSHING", "the input ends, oversize,\nstop, lifetime", shift=(0, -22)),
        Step("FLUSHING", "LINGERING", "all output sent:\nFIN follows", shift=(0, -22)),
        Step("OPEN", "CLOSED", "a call fails,\nor it is idle", shift=(-50, 14)),
        Step("FLUSHING", "CLOSED", "output sent,\ninput ended", shift=(54, 0)),
        Step("LINGERING", "CLOSED", "the input ends,\nor time is up", shift=(66, 14)),
    ),
)  # fmt: skip

TURN_OF_LEVEL = Diagram(
    "turn", "A turn, level-triggered: one read, one write", 900, 270,
    (
        State("ready", 70, 60), State("recv", 270, 60, "one call"), State("send", 520, 60, "at once"),
        State("settle", 790, 60, "what is wanted now?"), State("next wait", 520, 220, "reports what is left"),
    ),
    (
        Step("ready", "recv", "READABLE", shift=(0, -12)), Step("recv", "send", "whole frames", shift=(0, -12)),
        Step("send", "settle", "all sent", shift=(-20, -12)),
        Step("recv", "next wait", "a part of a frame,\nor EAGAIN", shift=(-70, 14)),
        Step("send", "next wait", "a short count:\nwants WRITABLE", shift=(60, -14)),
        Step("settle", "next wait", "mux_update", shift=(62, 24)),
    ),
)  # fmt: skip

TURN_OF_EDGE = Diagram(
    "turn", "A turn, edge-triggered: until EAGAIN, or until the budget is used up", 920, 300,
    (
        State("ready", 70, 60), State("recv", 280, 60, "again and again"), State("send", 560, 60, "at once"),
        State("settle", 800, 60, "what is wanted now?"), State("queue", 800, 240, "ours: it is not reported again"),
        State("next wait", 280, 240, "only something new"),
    ),
    (
        Step("ready", "recv", "READABLE", shift=(0, -12)),
        Step("recv", "send", "whole frames", bend=14, shift=(0, -14)),
        Step("send", "recv", "more may wait", bend=14, shift=(0, 20)),
        Step("send", "settle", "done", shift=(-16, -12)),
        Step("recv", "next wait", "EAGAIN, or\na short read", shift=(-60, 0)),
        Step("settle", "queue", "budget used up,\nor read on after a pause", shift=(-100, 4)),
        Step("settle", "next wait", "nothing is left", shift=(-70, 6)),
        Step("queue", "next wait", "it does not sleep, and serves the queue", shift=(-10, 16)),
    ),
)  # fmt: skip

TURN_OF_ONESHOT = Diagram(
    "turn", "A turn of a worker: alone with the connection until it is armed again", 900, 270,
    (
        State("event", 70, 60, "disarms"), State("recv", 290, 60, "again if it was full"),
        State("send", 540, 60, "at once"), State("settle", 790, 60, "what is wanted now?"),
        State("armed", 540, 220, "any worker may get it"),
    ),
    (
        Step("event", "recv", "take", shift=(0, -12)), Step("recv", "send", "frames", bend=12, shift=(0, -14)),
        Step("send", "recv", "the room was full", bend=12, shift=(0, 22)),
        Step("send", "settle", "done", shift=(-20, -12)),
        Step("settle", "armed", "EPOLL_CTL_MOD,\nthe last thing", shift=(70, 14)),
    ),
)  # fmt: skip

TURN_OF_COMPLETION = Diagram(
    "turn", "Completion: the kernel has received, and is asked to send", 900, 270,
    (
        State("receive", 110, 60, "armed, multishot"), State("completion", 360, 60, "bytes in a landing"),
        State("send", 600, 60, "an entry"), State("submitted", 800, 200, "with the next wait"),
        State("sent", 430, 220, "its completion"),
    ),
    (
        Step("receive", "completion", "bytes come", shift=(0, -40)),
        Step("completion", "send", "whole frames", shift=(0, -40)),
        Step("send", "submitted", "ring_wait", shift=(44, -8)), Step("submitted", "sent", "done", shift=(0, -12)),
        Step("sent", "send", "more output came", shift=(-70, 0)),
        Step("completion", "receive", "it ended: no landing was free,\narmed again", bend=70, shift=(0, 20)),
    ),
)  # fmt: skip

API_OF_ARRAYS = Diagram(
    "api", "A descriptor, as select and poll see it", 900, 250,
    (
        State("not watched", 90, 60), State("in our array", 340, 60, "the kernel knows nothing"),
        State("asked", 640, 60, "during one wait"), State("reported", 640, 200, "in the answer"),
    ),
    (
        Step("not watched", "in our array", "mux_add:\na store", shift=(0, -32)),
        Step("in our array", "asked", "each wait takes\nall of it along", bend=20, shift=(0, -20)),
        Step("asked", "in our array", "not ready", bend=20, shift=(0, 14)),
        Step("asked", "reported", "ready", shift=(30, 0)),
        Step("reported", "in our array", "served. What is left\nis found again", shift=(-90, 18)),
    ),
)  # fmt: skip

API_OF_LEVEL = Diagram(
    "api", "A descriptor in an epoll set, level-triggered", 900, 250,
    (
        State("not watched", 90, 60), State("in the set", 340, 60, "the kernel remembers"),
        State("ready list", 640, 60, "the kernel's"), State("reported", 640, 200, "and back at the tail"),
    ),
    (
        Step("not watched", "in the set", "EPOLL_CTL_ADD,\nonce", shift=(0, -32)),
        Step("in the set", "ready list", "bytes come", bend=20, shift=(0, -10)),
        Step("ready list", "in the set", "asked once more:\nnot ready", bend=20, shift=(0, 24)),
        Step("ready list", "reported", "epoll_wait", bend=16, shift=(46, 0)),
        Step("reported", "ready list", "always", bend=16, shift=(-34, 0)),
        Step("in the set", "not watched", "close(2)", bend=40, shift=(0, 10)),
    ),
)  # fmt: skip

API_OF_EDGE = Diagram(
    "api", "A descriptor in an epoll set, edge-triggered", 900, 250,
    (
        State("not watched", 90, 60), State("in the set", 340, 60, "the kernel remembers"),
        State("ready list", 640, 60, "the kernel's"), State("reported", 640, 200, "and off the list"),
        State("our queue", 300, 200, "work is left"),
    ),
    (
        Step("not watched", "in the set", "EPOLL_CTL_ADD,\nonce", shift=(0, -32)),
        Step("in the set", "ready list", "something\nnew comes", shift=(0, -20)),
        Step("ready list", "reported", "epoll_wait", shift=(50, 0)),
        Step("reported", "in the set", "served to EAGAIN", shift=(40, -2)),
        Step("reported", "our queue", "budget used up, or paused", bend=-14, shift=(0, 14)),
        Step("our queue", "in the set", "served", shift=(-40, 2)),
    ),
)  # fmt: skip

API_OF_FILTERS = Diagram(
    "api", "A filter of kqueue: one question about one descriptor", 900, 250,
    (
        State("no filter", 90, 60), State("a note", 340, 60, "it hangs on the socket"),
        State("active", 640, 60, "in the kernel's list"), State("reported", 640, 200, "an event"),
    ),
    (
        Step("no filter", "a note", "EV_ADD", shift=(0, -12)),
        Step("a note", "active", "bytes come", bend=20, shift=(0, -10)),
        Step("active", "a note", "asked once more:\nnot true", bend=20, shift=(0, 24)),
        Step("active", "reported", "kevent", bend=16, shift=(36, 0)),
        Step("reported", "active", "without EV_CLEAR", bend=16, shift=(-68, 0)),
        Step("a note", "no filter", "EV_DELETE, or close(2)", bend=40, shift=(0, 10)),
    ),
)  # fmt: skip

API_OF_ONESHOT = Diagram(
    "api", "A descriptor with EPOLLONESHOT", 900, 250,
    (
        State("not watched", 90, 60), State("armed", 370, 60, "in the set"),
        State("ready list", 640, 60, "the kernel's"), State("disarmed", 370, 200, "one worker has it"),
    ),
    (
        Step("not watched", "armed", "EPOLL_CTL_ADD", shift=(0, -12)),
        Step("armed", "ready list", "bytes come", shift=(0, -12)),
        Step("ready list", "disarmed", "one epoll_wait\nof one thread", shift=(66, 14)),
        Step("disarmed", "armed", "EPOLL_CTL_MOD", shift=(62, 0)),
        Step("disarmed", "not watched", "closed by the loop", shift=(-80, 16)),
    ),
)  # fmt: skip

API_OF_COMPLETION = Diagram(
    "api", "A receive of io_uring", 900, 250,
    (
        State("nothing in flight", 110, 60), State("an entry", 360, 60, "in the shared queue"),
        State("in flight", 640, 60, "the kernel has it"), State("completed", 640, 200, "taken from the queue"),
    ),
    (
        Step("nothing in flight", "an entry", "mux_add", shift=(0, -12)),
        Step("an entry", "in flight", "io_uring_enter", shift=(0, -12)),
        Step("in flight", "completed", "bytes come", bend=16, shift=(50, 0)),
        Step("completed", "in flight", "multishot", bend=16, shift=(-46, 0)),
        Step("completed", "nothing in flight", "cancelled, ended, or failed", shift=(-60, 16)),
    ),
)  # fmt: skip


def api_of(kind: Kind) -> Diagram:
    by_trigger = {"edge": API_OF_EDGE, "oneshot": API_OF_ONESHOT, "completion": API_OF_COMPLETION}
    if kind.trigger in by_trigger:
        return by_trigger[kind.trigger]
    if kind.interest == "store":
        return API_OF_ARRAYS
    return API_OF_FILTERS if kind.wait == "kevent" else API_OF_LEVEL


def turn_of(kind: Kind) -> Diagram:
    by_trigger = {"edge": TURN_OF_EDGE, "oneshot": TURN_OF_ONESHOT, "completion": TURN_OF_COMPLETION}
    return by_trigger.get(kind.trigger, TURN_OF_LEVEL)
