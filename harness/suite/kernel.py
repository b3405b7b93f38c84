"""What the kernel knows of a process: CPU time, memory, descriptors, sockets (proc(5))."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import os
import resource
import shutil
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: close(2) resets, which leaves no TIME_WAIT behind

HAS_PROC = sys.platform.startswith("linux")
NO_PROC = "reads /proc, which only Linux has"


def state(pid: int) -> str:
    """The letter of a process's state: R running, S asleep, T stopped by a signal, t under a tracer."""
    if HAS_PROC:
        return letter(Path(f"/proc/{pid}"))
    return subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True).stdout[:1]


def letter(task: Path) -> str:
    """Of a process or a thread, by its directory in /proc."""
    return _stat(task)[0]


def _stat(task: Path) -> list[str]:
    """The fields of its stat from the state on. Before that stands its name, which may be any bytes (proc(5))."""
    return (task / "stat").read_text(errors="replace").rsplit(")", 1)[1].split()


def is_gone(pid: int) -> bool:
    """Has it ended, whether or not somebody has asked for its status?"""
    try:
        return state(pid) == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def group_is_gone(group: int) -> bool:
    """Have all processes of a process group ended? One that nobody has asked for its status yet has: killpg(2) still
    finds it, and when its parent was killed it may stay so for as long as this process lives (adopt_orphans)."""
    if not HAS_PROC:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, 0)
            return False
        return True
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            letter, _parent, of = _stat(entry)[:3]
            if int(of) == group and letter not in ("Z", "X"):
                return False
    return True


PR_SET_CHILD_SUBREAPER = 36


@functools.cache
def adopt_orphans() -> None:
    """A process whose parent has ended becomes a child of this one (prctl(2), Linux), which can wait for it."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def threads(pid: int) -> Iterator[Path]:
    """The directories in /proc of all threads of a process and of its descendants."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield task
        for child in (task / "children").read_text().split():
            yield from threads(int(child))


def command_lines() -> Iterator[str]:
    """Of all processes that have not ended, words separated by blanks."""
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if state(int(entry.name)) not in ("Z", "X"):
                yield line
        except (OSError, IndexError, ValueError):  # no process, or one that has just ended
            continue


def ran(pid: int, asleep: str = "S") -> int | None:
    """How often the threads of a process and of its descendants have run, if all of them sleep now; else None.
    `asleep`: the states that count as sleep (proc(5))."""
    times = 0
    try:
        for task in threads(pid):
            if letter(task) not in asleep:
                return None
            times += int((task / "schedstat").read_text().split()[2])
    except OSError:  # one of them has just ended
        return None
    return times


def rests(pid: int, look: Callable[[int], int | None] = ran) -> bool:
    """Does it sleep in two looks in a row, without having run in between?"""
    before = look(pid)
    time.sleep(0.001)
    return before is not None and look(pid) == before


def cpu_seconds(pid: int) -> float:
    """User and system time used so far by all threads, to the nanosecond where schedstat has it."""
    try:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in threads(pid)) / 1e9
    except OSError:
        fields = _stat(Path(f"/proc/{pid}"))
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def unacknowledged(connected: socket.socket) -> int:
    """Bytes that the other end's kernel does not have for sure (tcp(7): SIOCOUTQ)."""
    return int(struct.unpack("i", fcntl.ioctl(connected, termios.TIOCOUTQ, struct.pack("i", 0)))[0])


SND_WND, INT = 228, 4  # where tcpi_snd_wnd stands in struct tcp_info (linux/tcp.h), since Linux 5.4


def will_be_sent(connected: socket.socket) -> int:
    """Bytes that this end's kernel will send although nobody does anything: the other end has room for them. While
    that room is smaller than a segment, Linux sends only when the persist timer is over, after 0.2 s or more (RFC 9293,
    3.8.6.1). 0 where the kernel does not tell."""
    waiting = unacknowledged(connected)
    if waiting == 0 or not sys.platform.startswith("linux"):
        return 0
    info = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, SND_WND + INT)
    room = struct.unpack_from("I", info, SND_WND)[0] if len(info) == SND_WND + INT else 0
    return min(waiting, int(room))


LISTEN, TIME_WAIT = "0A", "06"  # states of a socket, as /proc/net/tcp has them


@dataclass(frozen=True)
class Socket:
    """A line of /proc/net/tcp: one end of a connection, or a listener."""

    peer_port: int
    state: str
    unsent: int  # bytes that the other end has not acknowledged
    unread: int  # bytes that the program has not received; of a listener, peers that are not accepted
    owned: bool  # by a program: neither waiting to be accepted nor closed already


def side_of(port: int, peer_port: int) -> Socket:
    """A server's end of one connection. An earlier one with the same two ports may still be there (TIME_WAIT), and the
    kernel may show an entry twice when the table changes while it is read."""
    return [each for each in sockets(port) if each.peer_port == peer_port and each.state != TIME_WAIT][-1]


def waiting_peers(port: int) -> int:
    """How many have connected and are not accepted yet, in the queues of all listeners with this port."""
    return sum(each.unread for each in sockets(port) if each.state == LISTEN)


def sockets(port: int) -> list[Socket]:
    """All TCP sockets whose own port this is: a server's listener and its ends of its connections."""
    found = []
    for table in ("tcp", "tcp6"):
        path = Path(f"/proc/net/{table}")
        if not path.exists():
            continue
        for line in path.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1].endswith(f":{port:04X}"):
                unsent, unread = (int(number, 16) for number in fields[4].split(":"))
                peer = int(fields[2].rpartition(":")[2], 16)
                found.append(Socket(peer, fields[3], unsent, unread, fields[9] != "0"))
    return found


def memory_bytes(pid: int, which: str) -> int:
    """VmRSS: resident; RssAnon: of that, what no file backs; VmData: reserved for data, touched or not. If we may,
    we read the first two in smaps_rollup: in status Linux 6.2 to 6.15 leaves out up to 31 pages of each CPU."""
    exact = {"VmRSS": "Rss", "RssAnon": "Anonymous"}.get(which)
    with contextlib.suppress(OSError):
        if exact is not None:
            return _memory_line(pid, "smaps_rollup", exact)
    return _memory_line(pid, "status", which)


def _memory_line(pid: int, file: str, which: str) -> int:
    """The number on that line is of kilobytes."""
    for line in Path(f"/proc/{pid}/{file}").read_text(errors="replace").splitlines():
        if line.startswith(f"{which}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no {which}")


def page_faults(pid: int) -> int:
    """Minor ones: each maps a page, and a new page is filled with zeros first."""
    return int(_stat(Path(f"/proc/{pid}"))[7])


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def open_files(pid: int) -> list[str]:
    """The names of what its descriptors stand for, one for each."""
    names = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it has just been closed
            names.append(os.readlink(descriptor))
    return names


def limit_for(pid: int, room: int) -> int:
    """RLIMIT_NOFILE with which it can open so many descriptors more. The numbers that it has may have gaps."""
    taken = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    free = (number for number in range(len(taken) + room + 1) if number not in taken)
    return [number for number, _ in zip(free, range(room + 1))][-1]


def descriptor_limits(pid: int) -> tuple[int, int]:
    """Soft and hard, also of another user's process."""
    for line in Path(f"/proc/{pid}/limits").read_text().splitlines():
        if line.startswith("Max open files"):
            soft, hard = (sys.maxsize if word == "unlimited" else int(word) for word in line.split()[3:5])
            return soft, hard
    raise AssertionError(f"process {pid} has no limit of open files")


SOMAXCONN = Path("/proc/sys/net/core/somaxconn")
BACKLOG_CAPS = ("kern.ipc.somaxconn", "kern.ipc.soacceptqueue", "kern.somaxconn")  # macOS, FreeBSD, OpenBSD


def most_backlog() -> int:
    """How many connections a listener can hold that are not accepted yet, whatever listen(2) is given. 128 on a BSD
    where nobody has raised it; NetBSD has it compiled in."""
    if SOMAXCONN.exists():
        return int(SOMAXCONN.read_text())
    return next((cap for cap in map(_sysctl, BACKLOG_CAPS) if cap is not None), 128)


def window(connected: socket.socket) -> int | None:
    """How many bytes the kernel of the other end takes now (tcp(7): TCP_INFO, tcpi_snd_wnd of linux/tcp.h). None where
    the kernel does not say: Linux does since 5.4."""
    at, size = 228, 4
    if not HAS_PROC:
        return None
    told = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, at + size)
    return struct.unpack_from("I", told, at)[0] if len(told) == at + size else None


@functools.cache
def in_flight() -> int:
    """How many bytes a connection takes from a sender while nobody receives: megabytes on Linux, whose buffers grow,
    and some 32 KiB where they are small."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as sender,
        listener.accept()[0],
    ):
        sender.setblocking(False)
        taken = 0
        try:
            while taken < 1 << 24:
                taken += sender.send(bytes(1 << 16))
        except BlockingIOError:
            pass
        return taken


def raise_descriptor_limit() -> int:
    """Soft limit to the hard one, for this process. Returns it. macOS may report no hard limit, and then still refuses
    a soft one above kern.maxfilesperproc (setrlimit(2))."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    except (OSError, ValueError):
        most = _sysctl("kern.maxfilesperproc")
        if most is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def _sysctl(name: str) -> int | None:
    """None: there is no such number here."""
    if shutil.which("sysctl") is None:
        return None
    done = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True)
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip().isdigit() else None


def _no_ipv6() -> str | None:
    """Why nothing can listen on ::1 here, or None. It is tried: a kernel may lack IPv6, or have it switched off."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        return f"no IPv6 here ({os.strerror(error.errno or 0)})"
    return None


NO_IPV6 = _no_ipv6()


def _no_rings() -> str | None:
    """Why no ring of io_uring(7) can be made here, or None. It is tried: a setting or a filter may forbid it."""
    if not sys.platform.startswith("linux"):
        return "needs Linux"
    setup, parameters = 425, ctypes.create_string_buffer(120)  # io_uring_setup(2), struct io_uring_params
    ring = ctypes.CDLL(None, use_errno=True).syscall(setup, 1, parameters)
    if ring < 0:
        return f"no io_uring here ({os.strerror(ctypes.get_errno())})"
    os.close(ring)
    return None


NO_RINGS = _no_rings()
