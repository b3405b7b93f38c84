"""How each call can fail, by its manual page, and what a server may do then.

Errors that only a mistake of the program can bring (EBADF, EFAULT, EINVAL, ENOTSOCK) are left out
where the call has others. Where it has none, but its result is looked at, one stands for them all."""

from __future__ import annotations

import errno
import os
import socket


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


SHORT = "short"  # moves one byte only

OUT_OF_DESCRIPTORS = ("EMFILE", "ENFILE", "ENOMEM")
NETWORK = ("ENETDOWN", "EHOSTUNREACH", "ENETUNREACH", "EOPNOTSUPP")  # accept(2), "Error handling"
DISK = ("ENOSPC", "EIO", "EPIPE")
ACCEPT = ("EINTR", "EAGAIN", "ECONNABORTED", "EPROTO", "EPERM", "ENOBUFS", *OUT_OF_DESCRIPTORS, *NETWORK)

FAULTS: dict[str, tuple[str, ...]] = {
    "accept": ACCEPT,
    "accept4": ACCEPT,
    "bind": ("EADDRINUSE", "EACCES"),
    "calloc": ("ENOMEM",),
    "close": ("EINTR", "EIO"),
    "epoll_create1": OUT_OF_DESCRIPTORS,
    "epoll_ctl_add": ("ENOMEM", "ENOSPC"),
    "epoll_ctl_del": ("ENOMEM",),
    "epoll_ctl_mod": ("ENOMEM",),
    "epoll_pwait2": ("EINTR", "EINVAL", "ENOSYS", "EPERM"),
    "epoll_wait": ("EINTR", "EINVAL"),
    "eventfd": OUT_OF_DESCRIPTORS,
    "fclose": ("ENOSPC", "EIO", "EINTR"),
    "fcntl": ("EPERM",),
    "fflush": DISK,
    "fopen": ("EINTR", "EACCES", "ENOSPC", *OUT_OF_DESCRIPTORS),
    "fprintf": DISK,
    "fprintf_memory": ("ENOMEM",),
    "fputs": DISK,
    "fputs_memory": ("ENOMEM",),
    "fwrite": DISK,
    "fwrite_memory": ("ENOMEM",),
    "getaddrinfo": ("EAI_MEMORY", "EAI_SYSTEM"),
    "getnameinfo": ("EAI_MEMORY",),
    "getpeername": ("ENOBUFS", "ENOTCONN"),
    "getrlimit": ("EINVAL",),
    "getsockname": ("ENOBUFS",),
    "getsockopt": ("ENOPROTOOPT", "ENOBUFS"),
    "ioctl": ("EINVAL",),
    "kevent_change": ("ENOMEM", "ENOENT", "EACCES"),
    "kevent_wait": ("EINTR", "ENOMEM"),
    "kqueue": OUT_OF_DESCRIPTORS,
    "listen": ("EADDRINUSE",),
    "malloc": ("ENOMEM",),
    "open": ("EINTR", "EACCES", *OUT_OF_DESCRIPTORS),
    "open_memstream": ("ENOMEM",),
    "pipe": OUT_OF_DESCRIPTORS,
    "poll": ("EINTR", "EAGAIN", "ENOMEM"),
    "ppoll": ("EINTR", "EAGAIN", "ENOMEM"),
    "printf": ("ENOMEM", *DISK),
    "pselect": ("EINTR", "ENOMEM"),
    "pthread_sigmask": ("EINVAL",),
    "read": ("EINTR", "EAGAIN"),
    "realloc": ("ENOMEM",),
    "recv": ("EINTR", "EAGAIN", "ECONNRESET", "ETIMEDOUT", "ENOMEM", "ENOBUFS", SHORT),
    "send": ("EINTR", "EAGAIN", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOMEM", "ENOBUFS", SHORT),
    "setrlimit": ("EPERM",),
    "setsockopt": ("ENOPROTOOPT", "ENOMEM", "ENOBUFS"),
    "shutdown": ("ENOTCONN",),
    "sigaction": ("EINVAL",),
    "signalfd": ("ENODEV", *OUT_OF_DESCRIPTORS),
    "signalfd_change": ("EINVAL",),
    "sigprocmask": ("EINVAL",),
    "socket": ("EAFNOSUPPORT", "EACCES", "ENOBUFS", *OUT_OF_DESCRIPTORS),
    "timerfd_create": ("ENODEV", *OUT_OF_DESCRIPTORS),
    "timerfd_settime": ("EINVAL",),
    "write": ("EINTR", "EAGAIN"),
}

# What the servers call and nobody makes fail. A function in neither table stops the sweep.
CANNOT_FAIL: dict[str, tuple[str, ...]] = {
    "frees, and answers nothing": ("free", "freeaddrinfo"),
    "works in memory of the caller's": (
        "memcmp", "memcpy", "memmove", "memset", "strcmp", "strpbrk", "strtod", "strtoull", "snprintf",
        "vsnprintf", "sigaddset", "sigdelset", "sigemptyset", "sigfillset", "sigismember", "__ctype_b_loc",
        "__libc_current_sigrtmax", "__errno_location", "getopt_long", "inet_ntop",
    ),
    "gives a string, a made-up one if need be": ("gai_strerror", "strerror"),
    "fails only for a clock that is not there": ("clock_gettime",),
    "the mutex is a plain one, locked by the only thread": ("pthread_mutex_lock", "pthread_mutex_unlock"),
    "ends the program": ("__stack_chk_fail", "__fdelt_chk"),
    "is data": ("optarg", "opterr", "optind", "stderr", "stdout"),
}  # fmt: skip

# Calls that are in a program and that nothing here reaches, by function and call.
NOT_REACHED: dict[tuple[str, str], str] = {
    ("note", "write"): "writes to a pipe that only poll without ppoll has: -DWITHOUT_PPOLL",
    ("empty_pipe", "read"): "reads from that pipe",
    ("unwatch_lost", "signalfd"): "the server never deletes a signal's filter",
    ("unwatch_lost", "pthread_sigmask"): "the server never deletes a signal's filter",
    ("doorbell_update", "write"): "the server's array has room for every event, so none is left over",
    ("doorbell_update", "read"): "the server's array has room for every event, so none is left over",
    ("pipe_space", "ioctl"): "the server watches no pipe for writing",
}
if not has_ipv6():
    NOT_REACHED["bind_and_listen", "setsockopt"] = "IPV6_V6ONLY; there is no IPv6 here"

# Nobody may notice these: what they stop is done in the next moment.
PASSING = ("EINTR", "EAGAIN", SHORT)
# … and these are the misfortune of a peer that has gone, not of one that waits.
OF_THE_GONE = {call: ("ECONNABORTED", "EPROTO", *NETWORK) for call in ("accept", "accept4")}
# With any other fault these may cost the connection that they were made for.
OF_ONE_CONNECTION = (
    "accept", "accept4", "calloc", "epoll_ctl_add", "epoll_ctl_del", "epoll_ctl_mod", "kevent_change", "malloc",
    "realloc", "recv", "send", "shutdown",
)  # fmt: skip
# A server may stop, with one line, when a call fails on the way to these and not on that to SERVING.
SERVING = ("serve", "accept_peers", "connections_reap")


def number_of(fault: str) -> str:
    """WHAT of the injector for a fault by name."""
    if fault == SHORT:
        return fault
    table = socket if fault.startswith("EAI_") else errno
    return str(int(getattr(table, fault)))


def explain(fault: str) -> str:
    if fault == SHORT:
        return "one byte only"
    return fault if fault.startswith("EAI_") else f"{fault} ({os.strerror(int(number_of(fault)))})"
