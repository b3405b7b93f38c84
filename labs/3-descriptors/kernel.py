"""One process in which the operations of a case are really made (lab 3). expected.py starts the first one; the others
are its children.

It takes lines from a socket, and answers each with a line. The arguments are the number of the process and, at the
start, the descriptors of the sockets of all of them. All calls are the C library's own: Python's would set FD_CLOEXEC.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import select
import signal
import sys

NUMBERS = 32  # model.h
CONTROL = 100  # the socket of process N is CONTROL + N
ABOVE = 200  # of all that is open at the start nothing stays here

C = ctypes.CDLL(None, use_errno=True)
EVENTS = {"in": 1, "out": 4, "hup": 16, "err": 8}  # as <sys/epoll.h> has them
EDGE = 1 << 31
ADD, DEL, MOD = 1, 2, 3
F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL = range(5)
CLOEXEC = 1
NESTED = "nested"  # no part of the lab: expected.py refuses the case


class Event(ctypes.Structure):
    """struct epoll_event; packed on x86-64 only (epoll_wait(2))."""

    _pack_ = 1 if os.uname().machine == "x86_64" else 0
    _fields_ = [("events", ctypes.c_uint32), ("data", ctypes.c_uint64)]


class Failed(Exception):
    pass


def called(result: int) -> int:
    if result < 0:
        raise Failed(errno.errorcode.get(ctypes.get_errno(), "another error"))
    return result


def pipe() -> str:
    ends = (ctypes.c_int * 2)()
    called(C.pipe(ends))
    return f"{ends[0]} {ends[1]}"


def read(number: int, count: int) -> str:
    flags = called(C.fcntl(number, F_GETFL))
    if not flags & os.O_NONBLOCK and flags & os.O_ACCMODE != os.O_WRONLY:
        poller = select.poll()
        poller.register(number, select.POLLIN)
        if not poller.poll(0) and os.readlink(f"/proc/self/fd/{number}").startswith("pipe:"):
            return "blocks"
    return str(called(C.read(number, ctypes.create_string_buffer(count), count)))


def flags(number: int) -> str:
    names = ["nonblock"] if called(C.fcntl(number, F_GETFL)) & os.O_NONBLOCK else []
    names += ["cloexec"] if called(C.fcntl(number, F_GETFD)) & CLOEXEC else []
    return " ".join(names) or "none"


def nonblock(number: int, on: bool) -> str:
    before = called(C.fcntl(number, F_GETFL))
    return str(called(C.fcntl(number, F_SETFL, before | os.O_NONBLOCK if on else before & ~os.O_NONBLOCK)))


def is_set(number: int) -> bool:
    return C.fcntl(number, F_GETFD) >= 0 and os.readlink(f"/proc/self/fd/{number}") == "anon_inode:[eventpoll]"


def control(what: int, epoll: int, number: int, words: list[str]) -> str:
    if epoll != number and is_set(epoll) and is_set(number):
        return NESTED
    mask = sum(EVENTS[each] for each in words[0].split("+")) if words else 0
    event = Event(mask | (EDGE if words[1:] == ["edge"] else 0), number)
    return str(called(C.epoll_ctl(epoll, what, number, ctypes.byref(event))))


def wait(epoll: int) -> str:
    """In the order of the numbers: the kernel's own order is that of its list."""
    events = (Event * NUMBERS)()
    count = called(C.epoll_wait(epoll, events, NUMBERS, 0))
    came = []
    for each in events[:count]:
        came.append((each.data, "+".join(name for name, bit in EVENTS.items() if each.events & bit)))
    order = ["in", "out", "hup", "err"]
    came.sort(key=lambda one: (one[0], sum(1 << order.index(name) for name in one[1].split("+"))))
    return " ".join(f"{number}:{names}" for number, names in came) or "none"


def fork(child: int) -> str | None:
    """In the child, None: it waits for words of its own from now on."""
    if os.fork() > 0:
        return str(child)
    sys.argv[1] = str(child)
    return None


def operate(what: str, words: list[str]) -> str:
    numbers = [int(word) for word in words if word.lstrip("-").isdigit()]
    on = words[-1:] == ["on"]
    if what == "open":
        return str(called(C.open(b"/dev/null", os.O_RDWR)))
    if what == "pipe":
        return pipe()
    if what == "epoll":
        return str(called(C.epoll_create1(0)))
    if what == "dup":
        return str(called(C.dup(numbers[0])))
    if what == "dup2":
        return str(called(C.dup2(numbers[0], numbers[1])))
    if what == "close":
        return str(called(C.close(numbers[0])))
    if what == "write":
        return str(called(C.write(numbers[0], bytes(numbers[1]), numbers[1])))
    if what == "read":
        return read(numbers[0], numbers[1])
    if what == "nonblock":
        return nonblock(numbers[0], on)
    if what == "cloexec":
        return str(called(C.fcntl(numbers[0], F_SETFD, CLOEXEC if on else 0)))
    if what == "flags":
        return flags(numbers[0])
    if what == "wait":
        return wait(numbers[0])
    return control({"add": ADD, "mod": MOD, "del": DEL}[what], numbers[0], numbers[1], words[2:])


def limit(numbers: int) -> None:
    """The next descriptor has a number below this."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(numbers, hard), hard))


def begin(sockets: list[int]) -> None:
    """0, 1 and 2 lead to /dev/null, and below the limit nothing else is open. What stands above it stays."""
    for number in range(3):
        C.close(number)
    for _ in range(3):
        called(C.open(b"/dev/null", os.O_RDWR))
    for at, number in enumerate([called(C.fcntl(each, F_DUPFD, ABOVE)) for each in sockets]):
        called(C.dup2(number, CONTROL + at))
    os.closerange(3, CONTROL)
    os.closerange(CONTROL + len(sockets), 4096)
    limit(NUMBERS)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def say(text: str) -> None:
    line = text.encode() + b"\n"
    called(C.send(CONTROL + int(sys.argv[1]), line, len(line), 0))


def hear() -> list[str]:
    buffer = ctypes.create_string_buffer(256)
    count = C.recv(CONTROL + int(sys.argv[1]), buffer, 256, 0)
    return buffer.raw[: max(count, 0)].decode().split()


def end() -> None:
    """Closed before the answer, so that whoever reads it finds them closed."""
    os.closerange(0, NUMBERS)
    say("0")


def main() -> None:
    rest = sys.argv[2:]
    if rest == ["again"]:
        limit(NUMBERS)
        say("0")
    else:
        begin([int(number) for number in rest])
    while line := hear():
        what, *words = line
        if what == "exec":
            limit(ABOVE)  # Python opens files when it starts, and all numbers may be taken
            os.execv(sys.executable, [sys.executable, "-I", "-S", __file__, sys.argv[1], "again"])
        if what == "exit":
            end()
            break
        if what == "fork":
            answer = fork(int(words[0]))
            if answer is not None:
                say(answer)
        else:
            try:
                say(operate(what, words))
            except Failed as failure:
                say(str(failure))


main()
