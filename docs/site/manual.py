"""Where the manual pages of system calls are. Only the reader follows these links: no page asks for one by itself."""

from __future__ import annotations

import re

LINUX = "https://man7.org/linux/man-pages/man{section}/{name}.{section}.html"
BSD = "https://man.freebsd.org/cgi/man.cgi?query={name}&sektion={section}"
OPENSSL = "https://docs.openssl.org/3.0/man{section}/{name}/"

# The calls that code on these pages makes of the kernel, and what liburing makes of them.
CALLS = {
    2: "accept accept4 bind clock_gettime close dup2 epoll_create1 epoll_ctl epoll_wait eventfd execve fcntl fork "
       "fstat getpeername getpid getrlimit getsockname getsockopt kevent kill kqueue listen mmap munmap open openat "
       "pipe pipe2 poll ppoll pselect read recv select send sendfile setrlimit setsockopt shutdown sigaction "
       "signalfd sigprocmask socket timerfd_create timerfd_settime waitpid write",
    3: "io_uring_get_sqe io_uring_prep_multishot_accept io_uring_prep_recv_multishot io_uring_prep_send "
       "io_uring_queue_init_params io_uring_submit_and_get_events io_uring_submit_and_wait_timeout "
       "SSL_read_ex SSL_write_ex SSL_shutdown SSL_get_error",
}  # fmt: skip
SECTION = {name: section for section, names in CALLS.items() for name in names.split()}


def url(name: str, section: int) -> str:
    if name in ("kqueue", "kevent"):
        form = BSD
    elif re.match(r"(SSL|ERR|BIO)_", name):
        form = OPENSSL
    else:
        form = LINUX
    return form.format(name=name, section=section)
