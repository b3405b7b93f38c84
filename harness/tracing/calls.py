"""Lines of strace become calls with names in place of numbers: `recv(peer 0, 65536) = 9`.

The numbers of descriptors, addresses and times differ from run to run, and nobody learns from them. What stays is the
same in every run, so that two traces can be compared as text."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass

# strace: -f threads; -yy what a descriptor is; -v whole arrays; -s 4 the first bytes of data, of a signal its number.
STRACE = ("strace", "-f", "-yy", "-v", "-s", "4")
# A child is followed until it has become another program.
UNTIL_EXECVE = ("-b", "execve")

WAITS = ("select", "pselect6", "poll", "ppoll", "epoll_wait", "epoll_pwait", "epoll_pwait2", "kevent", "io_uring_enter")
# Memory, the C library's own affairs, and what only the way back from a signal handler needs.
LEFT_OUT = {
    "brk", "mmap", "munmap", "madvise", "mprotect", "mremap", "rt_sigreturn", "rt_sigaction", "futex",
    "restart_syscall", "newfstatat", "fstat", "getrandom", "clock_gettime", "exit_group", "exit", "getrusage", "lseek",
    "set_robust_list",
}  # fmt: skip
SHORT = {
    "accept4": "accept", "recvfrom": "recv", "sendto": "send", "pselect6": "pselect", "epoll_pwait": "epoll_wait",
    "epoll_pwait2": "epoll_wait", "rt_sigprocmask": "sigprocmask", "pipe2": "pipe", "vfork": "fork", "dup3": "dup2",
    "fcntl64": "fcntl", "wait4": "waitpid",
}  # fmt: skip

ANNOTATION = re.compile(r"\b(\d+)<((?:->|-(?!>)|[^<>-]|<[^<>]*>)*)>")
CALL = re.compile(r"^(\w+)\((.*)\) += (-?\d+|\?|0x[0-9a-f]+)(?: (E\w+))?(.*)$", re.DOTALL)
# An epoll_event. Its data is {u32=..., u64=...} in older versions of strace, and one number in newer ones.
EVENT = r"\{events=([\w|]+), data=(\{.*?\}|\w+)\}"
ESCAPES = {r"\t": "\t", r"\n": "\n", r"\v": "\v", r"\f": "\f", r"\r": "\r"}
PORTS = re.compile(r"->.*:(\d+)\]$")


@dataclass(frozen=True)
class Call:
    name: str  # as the program's author calls it
    text: str
    waits: bool = False
    fails: str = ""  # the error, if any
    often: bool = False  # it stands for many that are the same: how many is a matter of time


@dataclass(frozen=True)
class Signal:
    """A signal that reached the process."""

    name: str


class Namer:
    """Knows what each number stands for, by the calls that made it. One for each process."""

    def __init__(self, peer_of_port: Mapping[int, str], program: str = ""):
        self.peer_of_port = peer_of_port
        self.program = program  # the path that it was started by
        self.pipes: list[str] = []  # in the order of their making
        self.children: set[str] = set()  # the numbers of their processes
        self.names: dict[int, str] = {0: "standard input", 1: "standard output", 2: "standard error"}
        self.streams: dict[str, str] = {}  # those that are pipes, and their names
        self.data: dict[str, str] = {}  # what epoll hands back, and the descriptor that it was registered for

    def take(self, text: str) -> Call | Signal | None:
        """None: a line that tells nothing here."""
        if text.startswith("--- "):
            return Signal(text.split()[1]) if text.split()[1].startswith("SIG") else None
        match = CALL.match(text)
        if match is None or match[1] in LEFT_OUT:
            return None
        name, result, error = match[1], match[3], match[4] or ""
        for number, what in ANNOTATION.findall(f"{match[2]} {result}{match[5]}"):
            self._learn(int(number), what, renew=name in ("accept", "accept4") and number == result)
        arguments = ANNOTATION.sub(r"\1", match[2])
        short = _short(name, arguments)
        say = getattr(self, f"_{short}", None)
        told = say(arguments, result, error) if say else self._other(arguments)
        failed = result in ("-1", "?")
        error = ("EINTR" if result == "?" else error) if failed else ""
        outcome = error if failed else self._outcome(name, arguments, result, match[5])
        if name == "close":
            self.names.pop(int(arguments), None)
        if short == "fork":
            self.children.add(result)
        waits = name in WAITS and not self._is_of_log(name, arguments)
        return Call(short, f"{short}({told})" + (f" = {outcome}" if outcome else ""), waits, error)

    # -- names ---------------------------------------------------------------------------------

    def _learn(self, number: int, what: str, renew: bool) -> None:
        if number <= 2 and what.startswith("pipe"):
            self.streams.setdefault(what, self.names.get(number, ""))
        if number in self.names and not renew:
            return
        port = PORTS.search(what)
        if port is not None:
            self.names[number] = self.peer_of_port.get(int(port[1]), "a peer")
        elif what.startswith("TCP"):
            self.names[number] = "listener"
        elif what in self.streams:  # a copy of one
            self.names[number] = self.streams[what]
        elif what.startswith("pipe"):
            self.pipes += [what] * (what not in self.pipes)
            self.names[number] = f"pipe {self.pipes.index(what)}"
        else:
            kinds = {"signalfd": "signals", "timerfd": "timer", "eventpoll": "epoll", "eventfd": "eventfd",
                     "/dev/null": "spare"}  # fmt: skip
            self.names[number] = next((name for word, name in kinds.items() if word in what), what)

    def forked(self) -> Namer:
        """Of a child, which begins with the same descriptors."""
        child = Namer(self.peer_of_port, self.program)
        child.pipes, child.names, child.data = self.pipes, dict(self.names), dict(self.data)
        child.streams = self.streams
        return child

    def of(self, number: str) -> str:
        return self.names.get(int(number), f"descriptor {number}")

    @staticmethod
    def _is_of_log(name: str, arguments: str) -> bool:
        """poll(2) asks whether a write to standard error would wait: that is no wait of the loop."""
        return name == "poll" and re.match(r"\[\{fd=[12],", arguments) is not None

    # -- one function for each kind of call: its arguments ----------------------------------------

    def _accept(self, arguments: str, *_: str) -> str:
        return self.of(arguments.split(",")[0])

    def _recv(self, arguments: str, *_: str) -> str:
        size = re.search(r", (\d+), [\w|]+, NULL, NULL$", arguments)
        return f"{self.of(arguments.split(',')[0])}, {size[1] if size else '?'}"

    def _send(self, arguments: str, *_: str) -> str:
        size = re.search(r", (\d+), [\w|]+, NULL, 0$", arguments)
        return f"{self.of(arguments.split(',')[0])}, {size[1] if size else '?'}"

    def _epoll_ctl(self, arguments: str, result: str, _: str) -> str:
        match = re.match(rf"\d+, EPOLL_CTL_(\w+), (\d+)(?:, {EVENT})?", arguments)
        if match is None:
            return arguments
        if match[4] and result == "0":
            self.data[match[4]] = self.of(match[2])
        return f"{match[1]}, {self.of(match[2])}" + (f", {_events(match[3])}" if match[3] else "")

    def _epoll_wait(self, arguments: str, *_: str) -> str:
        wait = re.search(r"\], \d+, (-?\d+)", arguments) or re.search(r", \d+, (-?\d+)", arguments)
        return "" if wait is None or wait[1] == "-1" else "no wait" if wait[1] == "0" else "at most a time"

    def _ppoll(self, arguments: str, *_: str) -> str:
        watched, rest = (arguments + "], ").split("], ", 1)
        each = re.findall(r"\{fd=(-?\d+)(?:, events=([\w|]+))?", watched)
        limit = re.search(r"\{tv_sec=(\d+), tv_nsec=(\d+)\}", rest)
        names = [f"{self.of(fd)}: {_events(events or '0')}" for fd, events in each if int(fd) >= 0]
        return ", ".join(names) + _limit(limit)

    _poll = _ppoll

    def _pselect(self, arguments: str, *_: str) -> str:
        sets = re.findall(r"\[([\d ]*)\]|NULL", arguments.split("{")[0])
        limit = re.search(r"\{tv_sec=(\d+), tv_nsec=(\d+)\}", arguments)
        parts = [f"{word} {self._list(numbers)}" for word, numbers in zip(("read:", "write:"), sets) if numbers.strip()]
        return "; ".join(parts) + _limit(limit)

    def _list(self, numbers: str) -> str:
        return ", ".join(map(self.of, numbers.split()))

    def _timerfd_settime(self, arguments: str, *_: str) -> str:
        value = arguments[arguments.find("it_value=") :]
        return "timer, " + ("off" if re.match(r"it_value=\{tv_sec=0, tv_nsec=0\}", value) else "a time")

    def _shutdown(self, arguments: str, *_: str) -> str:
        number, how = arguments.split(", ")[:2]
        return f"{self.of(number)}, {how.removeprefix('SHUT_')}"

    def _getsockopt(self, arguments: str, *_: str) -> str:
        words = arguments.split(", ")
        return f"{self.of(words[0])}, {words[2]}"

    _setsockopt = _getsockopt

    def _io_uring_enter(self, arguments: str, *_: str) -> str:
        count = arguments.split(", ")[1]
        return "no entry" if count == "0" else "1 entry" if count == "1" else f"{count} entries"

    def _sigprocmask(self, arguments: str, *_: str) -> str:
        return arguments.split(",")[0].removeprefix("SIG_")

    def _fcntl(self, arguments: str, *_: str) -> str:
        number, command = arguments.split(", ")[:2]
        return f"{self.of(number)}, {command.removeprefix('F_')}"

    def _dup2(self, arguments: str, *_: str) -> str:
        number, wanted = arguments.split(", ")[:2]
        return f"{self.of(number)}, {wanted}"

    def _execve(self, arguments: str, *_: str) -> str:
        path = re.match(r'"([^"]*)"', arguments)
        return "" if path is None else "argv[0]" if path[1] == self.program else path[1]

    def _kill(self, arguments: str, *_: str) -> str:
        number, which = arguments.split(", ")
        return f"{'child' if number in self.children else 'a process'}, {which}"

    def _waitpid(self, *_: str) -> str:
        return "child"

    def _other(self, arguments: str) -> str:
        """A descriptor, if that is what the first argument is."""
        first = arguments.split(",")[0]
        return self.of(first) if first.isdigit() and int(first) in self.names else ""

    # -- and what it returned -------------------------------------------------------------------

    def _outcome(self, name: str, arguments: str, result: str, rest: str) -> str:
        short = SHORT.get(name, name)
        if short == "accept":
            return self.of(result)
        if short == "epoll_wait":
            found = re.findall(EVENT, arguments)
            return _happened([f"{self.data.get(data, '?')}: {_events(events)}" for events, data in found])
        if short in ("poll", "ppoll"):
            found = re.findall(r"\{fd=(\d+), revents=([\w|]+)\}", rest)
            return _happened([f"{self.of(number)}: {_events(events)}" for number, events in found])
        if short in ("select", "pselect"):
            found = re.findall(r"(in|out) \[([\d ]*)\]", rest)
            return _happened([f"{'read' if way == 'in' else 'write'}: {self._list(which)}" for way, which in found])
        if short in ("recv", "send", "splice", "sendfile"):
            return result
        if short == "pipe":
            return self.of(arguments.split(",")[0].strip("["))
        if short == "read":
            return self._was_read(arguments, result)
        return ""

    def _was_read(self, arguments: str, result: str) -> str:
        read = self.of(arguments.split(",")[0])
        if read != "signals":
            return result if read.startswith("pipe") else ""
        first = re.search(r'"(?:\\(\d+)|(\\?.))', arguments)
        letter = ESCAPES.get(first[2], first[2]) if first else "\0"
        number = int(first[1], 8) if first and first[1] else ord(letter)
        return signal.Signals(number).name if number else result


def _short(name: str, arguments: str) -> str:
    made = name in ("clone", "clone3") and "CLONE_THREAD" not in arguments
    return "fork" if made else SHORT.get(name, name)


def _events(words: str) -> str:
    names = [re.sub(r"^E?POLL", "", word) for word in words.split("|")]
    return "|".join("nothing" if name == "0" else name for name in names)


def _happened(names: list[str]) -> str:
    return ", ".join(names) or "nothing"


def _limit(match: re.Match[str] | None) -> str:
    if match is None:
        return ""
    return "; no wait" if match[1] == match[2] == "0" else "; at most a time"
