"""Pages of planted bugs (docs/pitfalls/) that say that a server makes a call too few or too many, and where a trace
shows it. Each other bug of a server that is traced is in NOT_SHOWN, with the reason."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mutants.manifest import MUTANTS
from tracing import golden

MISSING, EXTRA = "missing", "extra"


@dataclass(frozen=True)
class Claim:
    bug: str
    servers: tuple[str, ...]
    script: str
    what: str  # MISSING or EXTRA
    call: str  # a regular expression that finds the call in its line
    step: str = ""  # how the step begins in which the call is missing or extra; "": counted in all steps
    says: str = ""  # to the reader of the trace
    settled: bool = True  # the rest of the trace is the same each time, too

    @property
    def same_each_time(self) -> bool:
        return self.settled and self.script not in golden.RECORDINGS

    def shown_by(self, whole: str, wrong: str) -> bool:
        """Two traces as text: of the server without the bug, and with it."""
        here, there = self.number(whole), self.number(wrong)
        return there < here if self.what == MISSING else there > here

    def number(self, text: str) -> int:
        """Of the lines with the call. Where the bug is counted, so are the calls that a long step does not show."""
        if self.step == "calls":
            found = re.search(rf"(\d+) {self.call}\b", text.splitlines()[-1])
            return int(found[1]) if found else 0
        steps = re.findall(r"^(\S.*)\n((?:    .*\n)*)", text, re.MULTILINE)
        lines = "".join(calls for what, calls in steps if what.startswith(self.step))
        return sum(MANY if OFTEN in line else 1 for line in lines.splitlines() if re.search(self.call, line))


OFTEN = "again and again"
MANY = 1000


def _recv(peer: int = 0) -> str:
    return rf"recv\(peer {peer}, "


FIVE = ("select_srv", "poll_srv", "epoll_lt", "epoll_et")  # without kqueue_srv, whose calls are a stand-in's
EPOLL = ("epoll_lt", "epoll_et")
SETS = ("select_srv", "poll_srv")
WAIT = r"(epoll_wait|ppoll|pselect)\("

CLAIMS = (
    Claim("edge-reads-once", ("epoll_et",), "begun-frame", MISSING, _recv(), "peer 0 sends 24",
          "recv is not called again, and no edge announces the rest."),
    Claim("edge-accepts-once", ("epoll_et",), "two-connect-at-once", MISSING, r"accept\(listener\) = peer 1", "",
          "accept is not called again: the second peer waits in the queue."),
    Claim("edge-forgets-waiting-peers", ("epoll_et",), "more-peers-than-a-turn", MISSING, "accept", "calls",
          "accept is called 64 times. No edge announces the two peers that are left."),
    Claim("edge-forgets-after-pause", ("epoll_et",), "flood", MISSING, _recv(), "peer 0 reads again",
          "recv is not called when reading resumes: the edge for this input came during the pause."),
    Claim("edge-never-told-of-room", ("epoll_et",), "flood", MISSING, r"send\(", "peer 0 reads again",
          "send is not called again: no event tells of the room."),
    Claim("edge-short-read-hides-the-end", ("epoll_et",), "data-and-end", MISSING, _recv() + r"\d+\) = 0", "",
          "The recv that returns 0 is missing, so the close is missing, too."),
    Claim("urgent-byte-ends-the-read", ("epoll_et",), "urgent-byte", MISSING, _recv(),
          "peer 0 sends a frame of 5 bytes; peer 0 sends an urgent",
          "recv is not called behind the urgent byte."),
    Claim("close-at-hangup", ("epoll_et",), "data-and-end", MISSING, _recv(), "peer 0 sends a frame of 5",
          "The server closes at RDHUP. It never receives the last frame."),
    Claim("write-interest-always-on", ("select_srv", "poll_srv", "epoll_lt"), "one-echo", EXTRA, WAIT, "",
          "The socket has room, so every wait returns at once."),
    Claim("write-interest-never-again", ("epoll_lt",), "flood", MISSING, r"epoll_ctl\(MOD, peer 0, [A-Z|]*OUT", "",
          "Nobody asks for OUT after the short send."),
    Claim("write-interest-never-again", ("select_srv",), "flood", MISSING, r"pselect\(.*write: peer 0.*\)", "",
          "The wait never asks for writing."),
    Claim("waits-before-it-writes", ("epoll_lt",), "one-echo", EXTRA, r"epoll_(ctl\(MOD|wait\()", "peer 0 sends",
          "Three more calls for one echo: OUT on, a wait, OUT off."),
    Claim("waits-before-it-writes", ("poll_srv",), "one-echo", EXTRA, WAIT, "peer 0 sends",
          "One more wait for one echo."),
    Claim("unbounded-output", ("epoll_lt",), "flood", MISSING, r"epoll_ctl\(MOD, peer 0, OUT\)", "peer 0 sends 300,000",
          "Nobody takes IN away. So recv is called until nothing is left, although the peer reads nothing."),
    Claim("never-resumes", ("poll_srv",), "flood", MISSING, _recv(), "peer 0 reads again",
          "The output is gone, and recv is not called again."),
    Claim("eintr-in-the-wait", ("epoll_lt",), "two-peers-at-once", EXTRA, r"close\(listener\)",
          "peer 0 sends a frame of 5 bytes; peer 1",
          "EINTR is taken for an error: the server closes everything and ends."),
    Claim("close-with-unread-input", ("epoll_lt",), "oversize", MISSING, r"shutdown\(peer 0, WR\)", "",
          "shutdown is missing, and so is the recv that discards what comes."),
    Claim("emfile-spins", ("poll_srv", "epoll_lt"), "out-of-descriptors", EXTRA, r"accept\(listener\) = EMFILE", "",
          "accept fails again and again."),
    Claim("listener-does-not-rest", ("poll_srv", "epoll_lt"), "out-of-descriptors", EXTRA, WAIT, "",
          "The wait returns at once for the peer that is still in the queue.",
          settled=False),  # the clock says whether the one refusal of a second falls into the step
    Claim("free-descriptor-unnoticed", SETS, "out-of-descriptors", MISSING, r"accept\(listener\) = peer 2",
          "peer 0 ends", "A descriptor is free, and accept is not called.", settled=False),
    Claim("refused-not-closed", ("epoll_lt",), "out-of-descriptors", MISSING, r"close\(peer 1\)", "",
          "close of the refused peer is missing. So there is no descriptor for the spare."),
    Claim("swap-remove-skips", ("poll_srv",), "one-ends-another-sends", EXTRA, WAIT, "peer 0 ends its stream (FIN); ",
          "The entry that moved is skipped. It takes one more wait to serve peer 1."),
    Claim("nfds-too-low", ("select_srv",), "one-ends-another-sends", MISSING, _recv(1),
          "peer 1 sends a frame of 5", "select does not look at peer 1 any more, so recv is missing."),
    Claim("fd-set-not-copied", ("select_srv",), "two-peers-at-once", MISSING, r"accept\(listener\) = peer 1", "",
          "The set lacks the listener, so accept is missing."),
    Claim("timeout-rounded-to-0", SETS, "idle-timeout", EXTRA, "no wait", "nobody",
          "The last part of the time is rounded to 0: the wait returns at once, again and again."),
    Claim("timer-set-at-every-wait", ("epoll_lt",), "echo-with-a-deadline", EXTRA, "timerfd_settime", "peer 0 sends",
          "One more call for each message."),
    Claim("timer-not-set-again", EPOLL, "half-a-header", MISSING, "timerfd_settime", "peer 0 sends",
          "The timer has fired too early, and is not set again. Nobody closes the peer."),
    Claim("half-a-header-is-not-idle", ("epoll_lt",), "half-a-header", MISSING, r"close\(peer 0\)", "nobody",
          "close is missing: the peer is never idle."),
    Claim("expiry-before-data", FIVE, "idle-timeout", MISSING, _recv(), "nobody",
          "The last recv before the close is missing: what has come is not looked for."),
    Claim("deaf-when-busy", SETS, "more-peers-than-a-turn", MISSING, "sigprocmask", "calls",
          "The two calls that let signals in are missing."),
    Claim("no-last-read-at-stop", EPOLL, "stop-with-a-request", MISSING, _recv() + r"\d+\) = EAGAIN",
          "peer 0 sends a frame of 5", "The recv that looks for what came after the last wait is missing."),
    Claim("no-last-read-at-stop", SETS, "stop-with-a-request", MISSING, r"send\(", "peer 0 sends a frame of 5",
          "The request is not looked for, so its echo is missing."),
    Claim("last-turn-reads-a-part", ("epoll_lt",), "stop-with-an-urgent-byte", MISSING, _recv() + r"\d+\) = EAGAIN",
          "peer 0 sends a frame of 5", "recv is not repeated until nothing is left."),
    Claim("last-turn-reads-a-part", SETS, "stop-with-an-urgent-byte", MISSING, r"send\(", "peer 0 sends a frame of 5",
          "The second recv before the stop is missing, and its echo with it."),
    Claim("listener-left-in-epoll", EPOLL, "stop-with-a-request", MISSING, r"epoll_ctl\(DEL, listener\)", "",
          "EPOLL_CTL_DEL is missing before the close."),
    Claim("edge-budget-without-ready-list", ("epoll_et",), "long-turn", MISSING, _recv(), "peer 0 sends 16 frames",
          "recv is called 16 times, and then never again: nobody has queued the connection."),
    Claim("edge-sleeps-on-queued-work", ("epoll_et",), "long-turn", MISSING, r"epoll_wait\(no wait\)", "",
          "The wait that must not sleep is missing: this one sleeps, and what is queued waits."),
    Claim("edge-reads-without-budget", ("epoll_et",), "long-turn", MISSING, r"epoll_wait\(no wait\)", "",
          "No wait comes between the calls of recv: nobody else would be looked at."),
    Claim("short-write-drops-the-rest", EPOLL, "short-send", MISSING, r"send\(", "",
          "The last send is missing: nobody sends the rest."),
    Claim("blocking-socket", ("epoll_lt",), "short-send", MISSING, r"epoll_ctl\(MOD, peer 0, IN\|OUT\)", "",
          "send itself waits until there is room for all. So nobody asks for OUT, and nobody else is served."),
    Claim("eintr-in-a-call", ("epoll_lt",), "calls-that-fail", MISSING, _recv(), "recv fails",
          "recv is not called again after EINTR. The server closes the connection."),
    Claim("eagain-is-an-error", ("poll_srv",), "calls-that-fail", MISSING, r"send\(", "recv fails",
          "send is not called again after EAGAIN. The server closes the connection."),
    Claim("sigpipe-is-fatal", ("epoll_lt",), "end-and-reset", MISSING, r"close\(peer 0\)", "",
          "close is missing, and all that would follow: the signal ends the server in send."),
    Claim("length-in-host-order", ("select_srv",), "one-echo", MISSING, r"send\(", "",
          "The length 5 is read as 83,886,080, which is too long. So the send is missing."),
    Claim("length-not-limited", ("epoll_lt",), "oversize", MISSING, r"shutdown\(peer 0, WR\)", "",
          "shutdown is missing: the server waits for four gigabytes."),
    Claim("length-wraps-at-32-bits", ("epoll_lt",), "oversize", EXTRA, r"send\(", "peer 0 announces",
          "The length plus 4 is 3 in 32 bits. So three bytes are taken for a frame and sent back."),
    Claim("partial-header-lost", ("epoll_lt",), "frame-in-pieces", MISSING, r"send\(", "",
          "The first two bytes are dropped, and the next four are taken for a header. So the send is missing."),
    Claim("log-that-blocks", FIVE, "oversize", MISSING, r"poll\(standard error", "",
          "Nobody asks whether the write would wait."),
    Claim("restart-stops-accepting-first", FIVE, "restart", MISSING, r"accept\(listener\) = peer 1", "peer 1 connects",
          "The listener is closed before the new program listens. So accept is missing: peer 1 waits in the queue."),
    Claim("restart-ends-old-connections", FIVE, "restart", EXTRA, r"shutdown\(peer 0, WR\)", "the new program",
          "The old server ends the connection as soon as the new program listens.",
          settled=False),  # the edge for room on peer 1 comes with the next bytes of peer 0, or before them
    Claim("restart-runs-the-old-program", FIVE, "restart", MISSING, r"child: execve\(argv\[0\]\)", "another program",
          "The child becomes the file that runs already, not the one that has taken its place.",
          settled=False),  # that one closes the pipe behind its word: the old server finds it closed, or not yet
    Claim("signals-blocked-in-the-new-program", FIVE, "restart", MISSING, r"child: sigprocmask\(SETMASK\)",
          "another program", "Nobody gives the signal mask back between fork and execve."),
)  # fmt: skip

_START = "the calls of a server's start are no part of a trace, and "
NOT_SHOWN = {
    "timer-restarted": "a peer must send again before the idle-timeout is over; no script waits for less than that",
    "read-without-room": "it begins at 64 KiB of one frame, and servers that play scripts take 30,000 bytes at most",
    "stale-event": "a lifetime must end while the wait returns: a script can stop a server in the wait, not behind it",
    "signal-lost": "the signal must come between two calls: that of a script always comes in the wait",
    "fd-set-beyond-fd-setsize": "a thousand descriptors are needed; and what is wrong is written to memory",
    "hidden-progress": "the question is asked, and its answer is not used; how slowly a peer reads is a matter of time",
    "counter-forgotten": "a number in the statistics is wrong; the calls are the same",
    "spare-lost-for-good": "somebody else must take the spare's slot between two calls: no step of a script does that",
    "freed-memory-goes-back": "calls for memory are no part of a trace",
    "restart-truncates-statistics": _START + "here the new program opens the file of the statistics",
    "listen-pid-not-checked": _START + "here it takes a listener over that is not meant for it",
    "inherited-listener-as-it-comes": _START + "here it takes a listener over without setting its options",
}

# A bug is planted in more than one server, and this one does not show it.
NOT_IN = {("last-turn-reads-a-part", "epoll_et"): "one turn of it reads until nothing is left anyway"}


def of_bug(name: str) -> list[Claim]:
    return [claim for claim in CLAIMS if claim.bug == name]


def servers_of(bug: str) -> set[str]:
    return {name for claim in of_bug(bug) for name in claim.servers}


def why_not(name: str) -> str:
    """Why no trace shows this bug; "": one does."""
    if of_bug(name):
        return ""
    mutant = next(each for each in MUTANTS if each.name == name)
    if mutant.sanitize:
        return "what it does shows in memory, not in system calls"
    if not set(mutant.servers) & set(golden.TRACED):
        return "its program is none of those that are traced"
    return NOT_SHOWN[name]
