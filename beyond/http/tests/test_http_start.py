"""Calls that fail for good: at the start one line says which and why; later the server ends with such a line."""

from __future__ import annotations

import subprocess

import pytest

from suite import needs, servers
from suite.strace import UNDER_STRACE, failing

pytestmark = [
    needs.to_trace,
    pytest.mark.skipif(servers.sanitizer() is not None, reason="a sanitizer makes calls of its own"),
]


def said(wrapper: list[str]) -> list[str]:
    """By a server that ends with status 1. It must not be ready before."""
    if reason := servers.absent("http"):
        pytest.skip(f"http: {reason}")
    command = [*wrapper, str(servers.program("http")), "--port", "0"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, env=dict(UNDER_STRACE))
    assert (result.returncode, result.stdout) == (1, ""), result
    return [line for line in result.stderr.splitlines() if not line.startswith("{")]


@pytest.mark.cause("a failed call goes unnoticed, or its line does not say which, on what, and why")
@pytest.mark.parametrize(
    "call, error, when, line",
    (
        ("signalfd4", "EMFILE", 1, "signalfd: Too many open files"),
        ("timerfd_create", "EMFILE", 1, "timerfd_create: Too many open files"),
        ("epoll_create1", "EMFILE", 1, "epoll_create1: Too many open files"),
        ("epoll_ctl", "ENOSPC", 1, "epoll_ctl EPOLL_CTL_ADD: No space left on device"),
        ("epoll_ctl", "ENOSPC", 2, "epoll_ctl EPOLL_CTL_ADD: No space left on device"),
        ("epoll_ctl", "ENOSPC", 3, "epoll_ctl EPOLL_CTL_ADD: No space left on device"),
    ),
)
def test_one_line_when_it_cannot_start(call: str, error: str, when: int, line: str) -> None:
    assert said(failing(call, error, when)) == [f"http: {line}"]


@pytest.mark.cause("the timer cannot be set, and nobody's time is ever over")
def test_a_timer_that_cannot_be_set_ends_the_server(launch) -> None:
    server = launch(wrapper=failing("timerfd_settime", "EINVAL", 1))
    server.talk()
    assert server.wait_exit() == 1
    assert [line for line in server.errors() if not line.startswith("{")] == ["http: epoll: Invalid argument"]
