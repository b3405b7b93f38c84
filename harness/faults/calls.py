"""How each call can fail according to its manual page, and what a server may do then.

The table leaves out errors that only a mistake in the program can cause (EBADF, EFAULT, EINVAL, ENOTSOCK), if the call
has other errors. If it has none, but the server checks its result, one of these errors stands for all of them."""

from __future__ import annotations

import errno
import os
import socket

from suite import kernel

SHORT = "short"  # the call transfers one byte only

OUT_OF_DESCRIPTORS = ("EMFILE", "ENFILE", "ENOMEM")
NETWORK = ("ENETDOWN", "EHOSTUNREACH", "ENETUNREACH", "EOPNOTSUPP")  # accept(2), "Error handling"
DISK = ("ENOSPC", "EIO", "EPIPE")
ACCEPT = ("EINTR", "EAGAIN", "ECONNABORTED", "EPROTO", "EPERM", "ENOBUFS", *OUT_OF_DESCRIPTORS, *NETWORK)

FAULTS: dict[str, tuple[str, ...]] = {
    "BIO_meth_new": ("ENOMEM",),
    "BIO_new": ("ENOMEM",),
    "SSL_CTX_check_private_key": ("ENOMEM",),
    "SSL_CTX_new": ("ENOMEM",),
    "SSL_CTX_set_cipher_list": ("ENOMEM",),
    "SSL_CTX_set_ciphersuites": ("ENOMEM",),
    "SSL_CTX_use_PrivateKey_file": ("ENOMEM",),
    "SSL_CTX_use_certificate_chain_file": ("ENOMEM",),
    "SSL_new": ("ENOMEM",),
    "SSL_read_ex": ("ENOMEM",),
    "SSL_shutdown": ("ENOMEM",),
    "SSL_write_ex": ("ENOMEM",),
    "accept": ACCEPT,
    "accept4": ACCEPT,
    "access": ("EACCES", "ENOENT"),
    "bind": ("EADDRINUSE", "EACCES"),
    "calloc": ("ENOMEM",),
    "close": ("EINTR", "EIO"),
    "dup2": ("EBUSY",),
    "epoll_create1": OUT_OF_DESCRIPTORS,
    "epoll_ctl_add": ("ENOMEM", "ENOSPC"),
    "epoll_ctl_del": ("ENOMEM",),
    "epoll_ctl_mod": ("ENOMEM",),
    "epoll_pwait2": ("EINTR", "EINVAL", "ENOSYS", "EPERM"),
    "epoll_wait": ("EINTR", "EINVAL"),
    "eventfd": OUT_OF_DESCRIPTORS,
    "execve": ("ENOENT", "EACCES", "ENOEXEC", "E2BIG", "ENOMEM"),
    "fclose": ("ENOSPC", "EIO", "EINTR"),
    "fcntl": ("EPERM",),
    "fflush": DISK,
    "fdopen": ("ENOMEM",),
    "fork": ("EAGAIN", "ENOMEM"),
    "fprintf": DISK,
    "fprintf_memory": ("ENOMEM",),
    "fputs": DISK,
    "fputs_memory": ("ENOMEM",),
    "fstat": ("ENOMEM", "EOVERFLOW"),
    "fwrite": DISK,
    "fwrite_memory": ("ENOMEM",),
    "getaddrinfo": ("EAI_MEMORY", "EAI_SYSTEM"),
    "getnameinfo": ("EAI_MEMORY",),
    "getpeername": ("ENOBUFS", "ENOTCONN"),
    "getrlimit": ("EINVAL",),
    "getsockname": ("ENOBUFS",),
    "getsockopt": ("ENOPROTOOPT", "ENOBUFS"),
    "io_uring_register": ("EINVAL", "ENOMEM"),
    "io_uring_register_fd": ("EINVAL",),
    "io_uring_setup": ("EPERM", "ENOSYS", "EINVAL", *OUT_OF_DESCRIPTORS),
    "io_uring_submit": ("EINTR", "EAGAIN", "EBUSY"),
    "io_uring_wait": ("EINTR", "EAGAIN", "EBUSY", "ENOMEM"),
    "ioctl": ("EINVAL",),
    "kevent_change": ("ENOMEM", "ENOENT", "EACCES"),
    "kevent_wait": ("EINTR", "ENOMEM"),
    "kqueue": OUT_OF_DESCRIPTORS,
    "listen": ("EADDRINUSE",),
    "malloc": ("ENOMEM",),
    "mmap": ("ENOMEM",),
    "open": ("EINTR", "EACCES", *OUT_OF_DESCRIPTORS),
    "open_memstream": ("ENOMEM",),
    "openat": ("EINTR", "EACCES", "ENOENT", "EIO", *OUT_OF_DESCRIPTORS),
    "openat2": ("EINTR", "EAGAIN", "EACCES", "ENOENT", "EIO", "ENOSYS", "EPERM", *OUT_OF_DESCRIPTORS),
    "pipe": OUT_OF_DESCRIPTORS,
    "pipe2": OUT_OF_DESCRIPTORS,
    "poll": ("EINTR", "EAGAIN", "ENOMEM"),
    "ppoll": ("EINTR", "EAGAIN", "EINVAL", "ENOMEM"),
    "printf": ("ENOMEM", *DISK),
    "pselect": ("EINTR", "ENOMEM"),
    "pthread_create": ("EAGAIN",),
    "pthread_sigmask": ("EINVAL",),
    "read": ("EINTR", "EAGAIN"),
    "realloc": ("ENOMEM",),
    "recv": ("EINTR", "EAGAIN", "ECONNRESET", "ETIMEDOUT", "ENOMEM", "ENOBUFS", SHORT),
    "send": ("EINTR", "EAGAIN", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOMEM", "ENOBUFS", SHORT),
    "sendfile": ("EINTR", "EAGAIN", "ECONNRESET", "EPIPE", "EIO", "ENOMEM", SHORT),
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
    # What a server by completion does through its ring; EBUSY: the kernel takes no entry.
    "uring_accept": (*ACCEPT, "EBUSY"),
    "uring_cancel": ("EBUSY",),
    "uring_poll": ("ENOMEM", "EBUSY"),
    "uring_receive": ("EINTR", "EAGAIN", "ECONNRESET", "ETIMEDOUT", "ENOMEM", "ENOBUFS", "EBUSY"),
    "uring_send": ("EINTR", "EAGAIN", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOMEM", "ENOBUFS", "EBUSY", SHORT),
    "uring_signals": ("EINTR", "EBUSY"),
    "waitpid": ("EINTR",),
    "write": ("EINTR", "EAGAIN"),
}

# What the servers call and the injector never makes fail. If a function is in neither table, the sweep stops.
CANNOT_FAIL: dict[str, tuple[str, ...]] = {
    "frees memory and returns nothing": ("free", "freeaddrinfo", "io_uring_queue_exit", "SSL_CTX_free", "SSL_free"),
    "gives free memory back to the kernel, or not": ("malloc_trim",),
    "counts": ("mallinfo2",),
    "gets or sets a field of an object that is there": (
        "BIO_clear_flags", "BIO_get_data", "BIO_set_data", "BIO_set_flags", "BIO_set_init", "BIO_meth_set_ctrl",
        "BIO_meth_set_read_ex", "BIO_meth_set_write_ex", "SSL_CTX_ctrl", "SSL_CTX_set_default_passwd_cb",
        "SSL_CTX_set_default_read_buffer_len", "SSL_CTX_set_options", "SSL_get_error", "SSL_get_key_update_type",
        "SSL_has_pending", "SSL_is_init_finished", "SSL_set_accept_state", "SSL_set_bio", "SSL_version", "SSL_want",
        "TLS_server_method",
    ),
    "looks at OpenSSL's errors, or empties them": ("ERR_clear_error", "ERR_peek_error", "ERR_reason_error_string"),
    "unmaps what was mapped": ("munmap",),
    "takes what the kernel has put into memory": ("ring_completion", "__io_uring_get_cqe"),
    "works in the caller's memory": (
        "ceil", "floor", "ntohs", "gmtime_r", "http_parser_execute", "http_parser_init", "inet_pton",
        "memchr", "memcmp", "memcpy", "memmove", "memset", "strcasecmp", "strchr", "strcmp", "strcspn", "strftime",
        "strlen", "strncasecmp", "strncmp", "strpbrk", "strrchr", "strspn", "strtod", "strtol",
        "strtoull", "getenv", "snprintf", "vsnprintf", "sigaddset", "sigdelset", "sigemptyset", "sigfillset",
        "sigismember", "__ctype_b_loc", "__libc_current_sigrtmax", "__errno_location", "getopt_long", "inet_ntop",
    ),
    "is asked when poll cannot be, and its failure is an answer: there is no room for the line": ("select",),
    "sleeps for a while, or for less": ("nanosleep",),
    "always returns a string, for an unknown error too": ("gai_strerror", "strerror"),
    "gives the name of an interface, or none, and then its number is printed": ("if_indextoname",),
    "fails only for a clock that the system lacks": ("clock_gettime", "time"),
    "the mutex is a plain one, and its thread is alone or does not have it yet": (
        "pthread_mutex_lock", "pthread_mutex_unlock",
    ),
    "the condition is a plain one, and its mutex is locked": (
        "pthread_cond_broadcast", "pthread_cond_signal", "pthread_cond_wait",
    ),
    "the thread runs, and nobody else waits for its end": ("pthread_join",),
    "asks something of the allocator, which does it or not": ("mallinfo2", "malloc_trim", "mallopt"),
    "looks at a flag": ("ferror", "fileno"),
    "says which process this is": ("getpid",),
    "the process is a child that nobody has waited for yet, so it is there": ("kill",),
    "ends the program": ("_exit", "abort", "__stack_chk_fail", "__fdelt_chk"),
    "looks at a file that is opened next, and the opening says what is wrong": ("stat",),
    "is data": ("environ", "optarg", "opterr", "optind", "stderr", "stdout"),
}  # fmt: skip

# Calls that a program contains and that no scenario reaches: (function, call) and the reason.
NOT_REACHED: dict[tuple[str, str], str] = {
    ("find_program", "access"): "looks in PATH, and the sweep starts each server by a path: test_restart.py",
    ("standard_streams_fill", "open"): "needs a closed standard stream: test_inherited.py",
    ("note", "write"): "writes to a pipe that exists only where poll has no ppoll: -DWITHOUT_PPOLL",
    ("empty_pipe", "read"): "reads from that pipe",
    ("receive_into_buffer", "ring_entry"): "needs a long frame that comes slowly: test_completion.py",
    ("accepting_completed", "close"): "needs a peer that comes in the moment in which a server gives up",
    ("unwatch_lost", "signalfd"): "the server never deletes a signal's filter",
    ("unwatch_lost", "pthread_sigmask"): "the server never deletes a signal's filter",
    ("doorbell_update", "write"): "the server's array has room for every event, so no event is left over",
    ("doorbell_update", "read"): "the server's array has room for every event, so no event is left over",
    ("panic_if_too_long", "fprintf"): "the server sets no timer above a day",
    ("open_second_epoll", "epoll_create1"): "needs --wait shared: beyond/epoll_oneshot/tests",
    ("close_second_epoll", "close"): "needs --wait shared",
    ("work_from_epoll", "epoll_wait"): "needs --wait shared, and would be made again",
    ("move_out", "malloc"): "the kernel lends memory only to a server by completion: test_completion.py",
    ("read_wanted", "mmap"): "is the injector's own, made before it can count",
    ("pipe_space", "ioctl"): "the server watches no pipe for writing",
    ("keep", "realloc"): "OpenSSL sends an alert, and the socket is full: beyond/tls/tests",
    ("bind_and_listen", "setsockopt"): "sets SO_REUSEPORT for --listen reuseport: beyond/epoll_loops/tests",
}
# Nor does a server reach these that does not restart (servers.toml).
OF_A_RESTART = {
    ("close_pipe", "close"), ("open_pipe", "pipe"), ("open_pipe", "fcntl"), ("restart_open", "fcntl"),
    ("restart_start", "close"), ("restart_close", "close"), ("read_word", "read"), ("start_child", "fork"),
    ("start_child", "close"), ("failure_of", "read"), ("wait_for", "waitpid"), ("environment_with", "malloc"),
    ("move_up", "fcntl"), ("become", "dup2"), ("become", "execve"), ("become", "write"),
    ("signals_give_back", "sigaction"), ("signals_give_back", "sigprocmask"),
}  # fmt: skip
# What only one server does not reach.
_LISTEN = "needs another --listen than handed: beyond/epoll_loops/tests"
NOT_REACHED_IN: dict[str, dict[tuple[str, str], str]] = {
    "epoll_loops": {
        ("one_for_all", "fcntl"): _LISTEN,
        ("one_for_all", "open"): _LISTEN,
        ("one_each", "getsockname"): _LISTEN,
        ("one_each", "setsockopt"): _LISTEN,
        ("mux_remove", "epoll_ctl"): _LISTEN,
        ("update_listener", "epoll_ctl"): _LISTEN,
        ("close_letters", "close"): "closes a peer whose loop failed between the hand-over and the next wait",
    },
}
if kernel.NO_IPV6:
    NOT_REACHED["bind_and_listen", "setsockopt"] = "sets IPV6_V6ONLY, and this machine has no IPv6"

# Nobody may notice these: the server makes the call again a moment later.
PASSING = ("EINTR", "EAGAIN", SHORT)
# But for one call, of which there is no later moment: the connection's last, when a timeout has ended it. Over TLS that
# is close_notify. EAGAIN says that output is stuck, and then docs/protocol.md allows FIN without it.
LAST_WORD = ("mux_remove", "session_close_notify")
# Nobody may notice these either: they concern a peer that has gone, not one that is waiting.
OF_THE_GONE = {call: ("ECONNABORTED", "EPROTO", *NETWORK) for call in ("accept", "accept4", "uring_accept")}
# With any other error these calls may cost the connection that they were made for.
OF_ONE_CONNECTION = (
    "BIO_meth_new", "BIO_new", "SSL_new", "SSL_read_ex", "SSL_shutdown", "SSL_write_ex", "accept", "accept4", "calloc",
    "epoll_ctl_add", "epoll_ctl_del", "epoll_ctl_mod", "fstat", "kevent_change", "malloc", "openat", "openat2",
    "realloc", "recv", "send", "sendfile", "shutdown",
    "uring_cancel", "uring_receive", "uring_send",
)  # fmt: skip
# The turn of one connection: a call that fails below one of these functions may not stop the server. After any other
# failure the server may stop, with one line.
# A restart that fails changes nothing: the same holds for it.
SERVING = (
    "serve", "loop_admit", "worker_serve", "loop_settle", "accept_peers", "connections_reap", "begin_restart",
    "continue_restart",
)  # fmt: skip


def number_of(fault: str) -> str:
    """The number that the injector takes as WHAT, for a fault by name."""
    if fault == SHORT:
        return fault
    table = socket if fault.startswith("EAI_") else errno
    return str(int(getattr(table, fault)))


def explain(fault: str) -> str:
    if fault == SHORT:
        return "one byte only"
    return fault if fault.startswith("EAI_") else f"{fault} ({os.strerror(int(number_of(fault)))})"
