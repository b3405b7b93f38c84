"""Calls that fail for good: at the start one line says which and why; later one connection ends, and no other
notices. strace makes exactly one call fail, which a run before has found by what it was given."""

from __future__ import annotations

import functools
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from suite import kernel, needs, preload, servers, tls, waiting
from suite.flood import Flood
from suite.frames import frame, header, payload
from suite.server import Server

from suite.strace import UNDER_STRACE, calls_of, failing
from test_descriptors import limit_to, needs_proc

pytestmark = pytest.mark.skipif(
    servers.sanitizer() is not None, reason="a sanitizer makes calls of its own, among which one would fail"
)
TIMERFD = servers.having(timeouts="timerfd")  # and signalfd, and epoll
MASKED = servers.having(signals="mask")


def needs_strace(test: Callable) -> Callable:
    return pytest.mark.inside(needs.to_trace(test))


# strace counts the calls of each thread by itself, and threads share the work differently each time: there is no number
# of the one call. harness/faults/ makes each call of those servers fail by the place where it is made.
counted = pytest.mark.only(threads="one")


# -- which call it is ------------------------------------------------------------------------------


@functools.lru_cache(maxsize=None)
def usual_calls(name: str, *options: str) -> list[tuple[str, str, int, str]]:
    """What a server of the kind calls for two peers that come one after the other, and a stop."""
    with tempfile.TemporaryDirectory() as directory:
        trace = Path(directory) / "trace"
        with Server(name, *options, wrapper=["strace", "-f", "-o", str(trace)], environment=UNDER_STRACE) as server:
            for _ in range(2):
                server.connect().echo(b"x")
            server.stop()
        return calls_of(trace)


def number_of(calls: list[tuple[str, str, int, str]], name: str, pattern: str = "", after: str | None = None) -> int:
    """Which of the calls of that name it is, counted from 1, whose arguments match; the first one after the
    first success of another, where one is named."""
    number = 0
    begun = after is None
    for each, arguments, result, _ in calls:
        number += each == name
        if begun and each == name and re.search(pattern, arguments):
            return number
        begun = begun or (each == after and result >= 0)
    raise AssertionError(f"no {name} with {pattern!r} among {sorted({each[0] for each in calls})}")


def wait_call(name: str) -> str:
    """The system call by which a server waits, as the C library makes it here."""
    known = ("io_uring_enter", "pselect6", "ppoll", "poll", "epoll_wait", "epoll_pwait", "epoll_pwait2")
    return next(call for call, _, result, _ in usual_calls(name) if call in known and result > 0)


# -- at the start ----------------------------------------------------------------------------------

EVERYWHERE = servers.FRAMES
AT_THE_START = [
    ("socket", "SOCK_STREAM", "EMFILE", "socket 127.0.0.1: Too many open files", EVERYWHERE),
    ("setsockopt", "SO_REUSEADDR", "ENOBUFS", "setsockopt SO_REUSEADDR 127.0.0.1:0: ", EVERYWHERE),
    ("setsockopt", "TCP_NODELAY", "ENOBUFS", "setsockopt 127.0.0.1:0: No buffer space", EVERYWHERE),
    ("setsockopt", "SO_KEEPALIVE", "ENOBUFS", "setsockopt 127.0.0.1:0: No buffer space", EVERYWHERE),
    ("fcntl", "F_GETFL", "EBADF", "fcntl 127.0.0.1:0: Bad file descriptor", EVERYWHERE),
    ("fcntl", "F_SETFL.*NONBLOCK", "EPERM", "fcntl 127.0.0.1:0: Operation not permitted", EVERYWHERE),
    ("fcntl", "F_SETFD", "EBADF", "fcntl 127.0.0.1:0: Bad file descriptor", EVERYWHERE),
    ("listen", "", "EADDRINUSE", "listen 127.0.0.1:0: Address already in use", EVERYWHERE),
    ("getsockname", "", "ENOBUFS", "getsockname 127.0.0.1: No buffer space", EVERYWHERE),
    ("openat", "/dev/null", "ENFILE", "open /dev/null: Too many open files in system", EVERYWHERE),
    ("rt_sigaction", "SIGPIPE", "EINVAL", "sigaction SIGPIPE: Invalid argument", EVERYWHERE),
    ("rt_sigprocmask", "SIG_BLOCK, \\[(INT|USR1|TERM)", "EINVAL", "sigprocmask: Invalid argument", EVERYWHERE),
    ("rt_sigaction", "SIGUSR1, \\{", "EINVAL", "sigaction: Invalid argument", MASKED),
    ("rt_sigprocmask", "SIG_BLOCK, NULL", "EINVAL", "sigprocmask: Invalid argument", MASKED),
    ("epoll_create1", "", "EMFILE", "epoll_create1: Too many open files", TIMERFD),
    ("signalfd4", "", "EMFILE", "signalfd: Too many open files", TIMERFD),
    ("timerfd_create", "", "EMFILE", "timerfd_create: Too many open files", TIMERFD),
    ("epoll_create1", "", "EMFILE", "kqueue: Too many open files", servers.having(stand_in=True)),
]


@needs_strace
@pytest.mark.cause("a failed call goes unnoticed, or its line does not say which, on what, and why")
@pytest.mark.parametrize(
    "call, pattern, error, line, names", AT_THE_START, ids=[f"{each[0]} {each[1]}".strip() for each in AT_THE_START]
)
def test_one_line_when_it_cannot_start(server_name, call, pattern, error, line, names):
    if reason := servers.absent(server_name):
        pytest.skip(reason)
    if server_name not in names:
        pytest.skip("makes no such call")
    if servers.OF[server_name].stand_in and call == "epoll_create1" and provider(server_name) != "emulation":
        pytest.skip("kqueue is a system call here")
    number = number_of(usual_calls(server_name), call, pattern)
    assert_refuses_to_start(server_name, failing(call, error, number), line)


def provider(name: str) -> str:
    with Server(name) as server:
        return server.implementation


def assert_refuses_to_start(name: str, wrapper: list[str], line: str, *options: str, **environment: str) -> None:
    result = subprocess.run(
        [*wrapper, *tls.command(name, "--port", "0", *options)],
        capture_output=True, text=True, timeout=20, env={**dict(UNDER_STRACE), **environment},
    )
    assert result.returncode == 1, result
    assert result.stdout == "", result
    said = [each for each in result.stderr.splitlines() if not each.startswith("{")]
    assert len(said) == 1 and said[0].startswith(f"{name}: {line}"), result


@needs.ipv6
@needs_strace
@pytest.mark.cause("without IPV6_V6ONLY an IPv6 listener takes IPv4 peers on some systems and not on others")
def test_ipv6_only_cannot_be_had(server_name):
    number = number_of(usual_calls(server_name, "--bind", "::1"), "setsockopt", "IPV6_V6ONLY")
    wrapper = failing("setsockopt", "ENOPROTOOPT", number)
    assert_refuses_to_start(server_name, wrapper, "setsockopt IPV6_V6ONLY [::1]:0: ", "--bind", "::1")


@needs_strace
@pytest.mark.only(timeouts="timerfd")
@pytest.mark.cause("a descriptor of the loop's own is not watched, and nobody notices")
@pytest.mark.parametrize("number", (1, 2, 3), ids=("signals", "timer", "listener"))
def test_the_loop_cannot_watch_its_own(server_name, number):
    wrapper = failing("epoll_ctl", "ENOSPC", number)
    assert_refuses_to_start(server_name, wrapper, "epoll_ctl EPOLL_CTL_ADD: No space left")


@needs_strace
@pytest.mark.only(name="kqueue_srv")
@pytest.mark.cause("a signal is not watched, and nobody notices")
def test_kqueue_cannot_watch_a_signal(server_name):
    if provider(server_name) != "emulation":
        pytest.skip("kevent is one system call here")
    numbers = sum(call == "signalfd4" for call, _, _, _ in usual_calls(server_name))
    wrapper = failing("signalfd4", "EINVAL", numbers)
    assert_refuses_to_start(server_name, wrapper, "kevent EVFILT_SIGNAL: Invalid argument")


@needs_strace
@pytest.mark.only(name="poll_srv")
@pytest.mark.cause("without its pipe a signal ends no wait")
@pytest.mark.parametrize("call, pattern, line", (
    ("pipe2?", "", "pipe: "),
    ("fcntl", "F_SETFL.*NONBLOCK", "fcntl signal pipe: "),
    ("fcntl", "F_SETFD", "fcntl signal pipe: "),
), ids=("pipe", "non-blocking", "close-on-exec"))
def test_the_signal_pipe_cannot_be_had(server_name, call, pattern, line):
    calls = usual_calls(server_name)
    pipe = next((each[0] for each in calls if each[0] in ("pipe", "pipe2")), None)
    if pipe is None:
        pytest.skip("built with ppoll, which needs no pipe")
    name = pipe if call == "pipe2?" else call
    number = number_of(calls, name, pattern, after=None if name == pipe else pipe)
    assert_refuses_to_start(server_name, failing(name, "EMFILE", number), line)


@needs_strace
@pytest.mark.cause("a server that cannot learn its limit takes it for a small one, and refuses peers that fit")
@pytest.mark.parametrize("pattern", ("RLIMIT_NOFILE, NULL", "RLIMIT_NOFILE, \\{"), ids=("asked", "raised"))
def test_the_descriptor_limit_cannot_be(start, server_name, pattern):
    """Not to be asked for: accept(2) will tell. Not to be raised: it stays as it is."""
    number = number_of(usual_calls(server_name), "prlimit64", pattern)
    server = start(wrapper=failing("prlimit64", "EPERM", number))
    first = server.connect()
    first.echo(b"served")
    second = server.connect()
    second.echo(b"served too")


# -- in the loop -----------------------------------------------------------------------------------


@needs_strace
@counted
@pytest.mark.cause("a wait that fails for good is tried for ever, or forgets the connections")
def test_gives_up_when_it_cannot_wait(start, server_name):
    server = start(wrapper=failing(wait_call(server_name), "ENOMEM", 12))
    peer = server.connect()
    try:
        while server.process.poll() is None:  # each frame is a wake-up, the twelfth at the latest the last
            peer.echo(b"one more")
    except (AssertionError, ConnectionError):
        pass
    assert server.wait_exit() == 1
    call = servers.OF[server_name].wait
    *lines, statistics = server.errors()
    assert lines == [f"{server_name}: {call}: Cannot allocate memory"]
    assert '"stop": 1' in statistics and '"connections": 0' in statistics


@needs_strace
@pytest.mark.only(name="poll_srv")
@pytest.mark.cause("between poll(2), which refused the array, and getrlimit(2) the limit was raised again")
def test_a_refused_array_is_offered_again(start, server_name):
    """The limit of descriptors is high enough here whenever the server looks: only poll(2) has refused."""
    server = start(wrapper=failing(wait_call(server_name), "EINVAL", 12))
    peer = server.connect()
    for _ in range(20):
        peer.echo(b"one more")
    server.stop()


@needs_strace
@pytest.mark.only(timeouts="timerfd")
@pytest.mark.cause("without its timer a server sleeps past every timeout")
def test_gives_up_when_it_cannot_set_its_timer(start, server_name):
    server = start("--idle-timeout", "60", wrapper=failing("timerfd_settime", "EINVAL", 1))
    server.connect().expect_gone()
    assert server.wait_exit() == 1
    assert server.errors()[0].endswith(": Invalid argument")


@needs_strace
@pytest.mark.only(registers="epoll_ctl", threads="one")  # see counted
@pytest.mark.cause("a connection that cannot be watched is kept, or its descriptor leaks")
def test_a_connection_that_cannot_be_watched_is_refused(start, server_name):
    number = number_of(usual_calls(server_name), "epoll_ctl", "EPOLL_CTL_ADD", after="accept4")
    server = start(wrapper=failing("epoll_ctl", "ENOSPC", number))
    server.connect("refused").expect_gone()
    # libkqueue says EFAULT, whatever the reason of epoll_ctl was.
    reason = "Bad address" if server.implementation == "libkqueue" else "No space left on device"
    assert len(server.wait_error(f"refused.*{reason}")) == 1
    server.connect("next").echo(b"served")
    statistics = server.stop()
    assert (statistics["accepted"], statistics["refused"]) == (1, 1)
    assert statistics["connections"] == 0


@needs_strace
@pytest.mark.only(registers="epoll_ctl", trigger="level", threads="one")  # see counted
@pytest.mark.cause("a connection whose interest cannot be changed is kept, and waits for ever")
@pytest.mark.parametrize("which", (0, 1))
def test_a_connection_whose_interest_cannot_be_changed_ends(start, server_name, which):
    """The first change is to wait for room; the second to stop reading."""
    calls = usual_calls(server_name)
    last_echo = max(i for i, each in enumerate(calls) if each[0] == "sendto")
    before = sum(each[0] == "epoll_ctl" for each in calls[:last_echo])
    server = start(wrapper=failing("epoll_ctl", "ENOMEM", before + 1 + which))
    other = server.connect("other")
    other.echo(b"x")
    flood = Flood(server, server.connect("victim", receive_buffer=4096), payload(50_000))

    def ended(statistics: dict) -> bool:
        try:
            flood.more()
        except ConnectionError:
            pass
        return statistics["closed"]["error"] == 1

    server.wait_statistics(ended, "one connection closed for an error")
    other.echo(b"still here")
    assert server.statistics()["buffers"] == 0


# Not over TLS: which call of its handshake is the second one does not matter. harness/faults fails each of them.
@needs_strace
@counted  # the fault sweep counts the calls of all threads
@pytest.mark.only(transport="plain")
@pytest.mark.except_for("strace sees no receive and no send of a ring: harness/faults", trigger="completion")
@pytest.mark.cause("an error on one connection ends the server, or is taken for the peer's reset")
@pytest.mark.parametrize("call, error, reason", (
    ("recvfrom", "ETIMEDOUT", "error"), ("recvfrom", "EHOSTUNREACH", "error"), ("recvfrom", "ECONNRESET", "reset"),
    ("sendto", "ENETDOWN", "error"), ("sendto", "ENOBUFS", "error"), ("sendto", "EPIPE", "reset"),
))
def test_a_transfer_that_fails_ends_one_connection(start, call, error, reason):
    server = start(wrapper=failing(call, error, 2))
    other = server.connect("other")
    other.echo(b"x")
    victim = server.connect("victim")
    victim.send_frame(b"y")
    victim.expect_gone()
    other.echo(b"still here")
    closed = server.statistics()["closed"]
    assert closed[reason] == 1 and sum(closed.values()) == 1


@needs_strace
@pytest.mark.except_for("strace sees no accept of a ring: harness/faults", trigger="completion")
@pytest.mark.cause("an error that belongs to one peer ends the accepting of the others")
@pytest.mark.parametrize("error", ("EINTR", "ECONNABORTED", "EPROTO", "ENETDOWN", "EHOSTUNREACH", "EOPNOTSUPP"))
def test_an_accept_that_fails_for_one_peer(start, error):
    """The peer is still in the queue here, since the call was not made; the next one takes it."""
    server = start(wrapper=failing("accept4", error, 1))
    for _ in range(2):
        server.connect().echo(b"x")
    statistics = server.stop()
    assert statistics["accepted"] == 2 and statistics["refused"] == 0


@needs_strace
@pytest.mark.cause("a FIN that cannot be sent is waited for")
def test_a_shutdown_that_fails_ends_the_connection(start):
    server = start("--drain-timeout", "3600", wrapper=failing("shutdown", "ENOTCONN", 1))
    peer = server.connect()
    peer.send(header(0xFFFFFFFF))
    server.wait_statistics(lambda s: s["accepted"] == 1 and s["connections"] == 0, "the connection closed at once")
    assert server.stop()["closed"]["oversize"] == 1


@needs_strace
@pytest.mark.cause("a peer that is gone before it is named takes the server with it")
def test_a_peer_without_a_name(start):
    server = start(wrapper=failing("getpeername", "ENOTCONN", 1))
    peer = server.connect()
    peer.send(header(0xFFFFFFFF))
    peer.expect_end()
    assert server.wait_error("max-frame")[0].split(": ")[1] == "peer"


# Not over TLS: the next openat there is that of the certificate.
@needs_strace
@needs_proc
@pytest.mark.only(transport="plain")
@pytest.mark.except_for("asks for a descriptor only when a peer waits", trigger="completion")
@pytest.mark.cause("the spare descriptor, when it cannot be had again, is taken for descriptor -1, or tried for ever")
def test_the_spare_descriptor_is_lost(start, server_name):
    number = number_of(usual_calls(server_name), "openat", "/dev/null")
    server = start(wrapper=failing("openat", "ENFILE", number + 1))
    limit_to(server, 1)
    fits = server.connect("fits")
    fits.echo(b"x")  # a full table, though nobody waits: the spare is given up in vain, and leaves its place
    server.statistics()  # by now it has: another thread may have answered while the one that accepts tried again
    server.connect("in its place").echo(b"x")  # from now on there is none to open it with
    waits = server.connect("waits")
    before = server.statistics()["accepts"]
    server.wait_statistics(lambda s: s["accepts"] >= before + 2, "another try, a second later")
    fits.echo(b"still here")
    fits.close()
    waits.echo(b"in its turn")
    statistics = server.stop()
    assert statistics["refused"] == 0, "there was nothing to refuse with"
    assert statistics["accepts"] < 20, "tried again and again"


@needs_strace
@counted
@pytest.mark.cause("the last write to a full disk is made by close(2), whose answer nobody looks at")
def test_statistics_whose_file_cannot_be_closed(start, server_name, tmp_path):
    if provider(server_name) == "libkqueue":
        pytest.skip("libkqueue closes descriptors of its own, not always equally many, so strace cannot count to ours")
    path = tmp_path / "statistics"
    calls = usual_calls(server_name, "--stats", str(path))
    opened = next(i for i, each in enumerate(calls) if each[0] == "openat" and str(path) in each[1])
    number = number_of(calls[opened:], "close", f"^{calls[opened][2]}$")
    number += sum(each[0] == "close" for each in calls[:opened])
    server = start("--stats", str(path), wrapper=failing("close", "EIO", number))
    for _ in range(2):
        server.connect().echo(b"x")
    server._close_peers()
    server.wait_statistics(lambda s: s["connections"] == 0, "both gone, as in the run before")
    server.signal(signal.SIGTERM)
    assert server.wait_exit() == 1
    assert server.errors()[-1] == f"{server_name}: write {path}: Input/output error"


# -- no memory -------------------------------------------------------------------------------------

library = preload.library("no_memory.c")


@pytest.fixture
def no_memory(library: Path):
    """no_memory(call, least, most, n): the environment in which that call fails."""

    def environment(call: str, least: int, most: int, number: int) -> dict[str, str]:
        return {"LD_PRELOAD": str(library), "NO_MEMORY": f"{call}:{least}:{most}:{number}"}

    return environment


SCRATCH = 64 * 1024
CONNECTION = (64, 128)  # what a connection's struct may measure, which connection.h holds to
WITH_EXTRA = (64, 240)  # with what a server beyond the five keeps behind it (extra.h)


@pytest.mark.inside
@preload.needed
@pytest.mark.cause("a buffer that is not there is written to")
def test_no_memory_to_start(server_name, no_memory):
    if reason := servers.absent(server_name):
        pytest.skip(reason)
    assert_refuses_to_start(server_name, [], "malloc scratch buffer: Cannot allocate memory",
                            **no_memory("malloc", SCRATCH, SCRATCH, 1))


def refusal(server_name: str, environment: dict[str, str]) -> str:
    """The line with which the server refuses to start; empty if it starts."""
    with subprocess.Popen(
        tls.command(server_name, "--port", "0"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
    ) as process:  # fmt: skip
        try:
            assert select.select([process.stdout], [], [], waiting.PATIENCE)[0], "neither a ready line nor an end"
            if process.stdout.readline():
                return ""
            _, errors = process.communicate(timeout=waiting.PATIENCE)
        finally:
            process.kill()
    lines = [line for line in errors.splitlines() if not line.startswith("{")]
    assert process.returncode == 1 and len(lines) == 1, errors
    return lines[0]


@pytest.mark.inside
@preload.needed
@pytest.mark.cause("an API's own memory is not there, and is written to")
def test_no_memory_for_an_api_to_start(server_name, no_memory):
    """Its size differs from server to server, and getaddrinfo(3) asks for memory before it: each is refused in turn.
    gcc may have made one calloc of malloc and zeros, so that is tried first."""
    if reason := servers.absent(server_name):
        pytest.skip(reason)
    said = []
    for call in ("calloc", "malloc"):
        for number in range(1, 12):
            said.append(refusal(server_name, no_memory(call, 32, SCRATCH - 1, number)))
            if re.fullmatch(rf"{server_name}: malloc \w+: Cannot allocate memory", said[-1]):
                return
            if not said[-1]:
                assert call == "calloc", "a malloc failed, and the server started"
                break
    pytest.fail(f"no memory for the API was asked for: {said}")


FIRST_ROOM = 64  # of poll_srv; it doubles


def poll_array(room: int, which: int) -> tuple[int, int, int]:
    """The size, twice, and the number of the realloc that is for the entries (1) or for their owners (2). A pollfd has
    8 bytes, an owner is a pointer. With 32 bits the owners take what the entries took when the room was half as
    large."""
    if not servers.of_32_bits() or which == 1:
        return 8 * room, 8 * room, which
    return 4 * room, 4 * room, 1 if room == FIRST_ROOM else 2


@pytest.mark.inside
@preload.needed
@pytest.mark.only(name="poll_srv")
@pytest.mark.cause("one of two arrays has grown and the other has not")
@pytest.mark.parametrize("which", (1, 2), ids=("entries", "owners"))
def test_no_memory_for_poll_to_start(server_name, no_memory, which):
    assert_refuses_to_start(server_name, [], "realloc poll array: Cannot allocate memory",
                            **no_memory("realloc", *poll_array(FIRST_ROOM, which)))


@pytest.mark.inside
@preload.needed
@pytest.mark.only(name="poll_srv")
@pytest.mark.cause("the arrays have different sizes after one of them could not grow")
@pytest.mark.parametrize("which", (1, 2), ids=("entries", "owners"))
def test_no_memory_for_poll_to_grow(start, no_memory, which):
    server = start(environment=no_memory("realloc", *poll_array(2 * FIRST_ROOM, which)))
    peers = [server.connect() for _ in range(80)]
    statistics = server.wait_statistics(lambda s: s["accepted"] + s["refused"] == 80, "all looked at")
    assert statistics["refused"] == 1
    [refused] = waiting.until(lambda: [peer for peer in peers if peer.has_input()], "one that is refused")
    refused.expect_gone()
    for i, peer in enumerate(peers):
        if peer is not refused:
            peer.echo(payload(100, i))


@pytest.mark.inside
@preload.needed
@pytest.mark.only(name="kqueue_srv")
@pytest.mark.cause("the array of events is taken for larger than it is")
def test_no_memory_for_events(server_name, no_memory):
    """12 events of the size that struct kevent has here. Python has no header to ask for that size."""
    assert_refuses_to_start(server_name, [], "kevent EV_ADD: Cannot allocate memory",
                            **no_memory("realloc", 12 * 24, 12 * 72, 1))


@pytest.mark.inside
@preload.needed
@pytest.mark.only(name="kqueue_srv")
@pytest.mark.cause("without its timer a server sleeps past every timeout")
def test_no_memory_for_a_timer(start, no_memory):
    """The emulation's list of timers, the second of its kind: the first is that of the signals. Without a timer the
    wait has a timeout of its own, and the server goes on."""
    server = start("--idle-timeout", "0.5", environment=no_memory("realloc", 160, 250, 2))
    if server.implementation != "emulation":
        pytest.skip("timers are the kernel's here")
    server.connect().expect_gone()
    assert server.stop()["closed"]["idle"] == 1


@pytest.mark.inside
@preload.needed
@pytest.mark.cause("a peer for whom there is no memory is left to hang, or its descriptor leaks")
def test_no_memory_for_a_connection(start, server_name, no_memory):
    size = CONNECTION if server_name in servers.FIVE else WITH_EXTRA
    if servers.of_32_bits() and servers.OF[server_name].threads != "one":
        pytest.skip("the C library allocates as much for each thread where pointers have 32 bits")
    server = start(environment=no_memory("calloc", *size, 2))
    served = server.connect("served")
    served.echo(b"x")
    peers = [server.connect() for _ in range(3)]
    statistics = server.wait_statistics(lambda s: s["accepted"] + s["refused"] == 4, "all looked at")
    assert statistics["refused"] == 1 and len(server.wait_error("no memory")) == 1
    refused = waiting.until(lambda: [peer for peer in peers if peer.has_input()], "one that is refused")
    for peer in peers:
        if peer in refused:
            peer.expect_gone()
        else:
            peer.echo(b"served too")
    served.echo(b"still here")


@pytest.mark.inside
@preload.needed
@pytest.mark.cause("a connection that gets no buffer reads into nothing, or its bytes are lost in silence")
@pytest.mark.parametrize("call, size", (("malloc", 777), ("realloc", 777 + 4096)), ids=("to keep", "to grow"))
def test_no_memory_for_a_buffer(start, no_memory, call, size):
    """One that gets none is closed, as `error`; the next one, of another size, is none of its business."""
    server = start(environment=no_memory(call, size, size, 0))
    other = server.connect("other")
    other.send(frame(payload(500))[:300])
    victim = server.connect("victim")
    victim.send(frame(payload(2000))[:777])
    if call == "realloc":
        server.wait_statistics(lambda s: s["bytes_in"] == 1077, "both begun")
        victim.send(frame(payload(2000))[777:])
    victim.expect_gone()
    other.send(frame(payload(500))[300:])
    other.expect_frame(payload(500))
    statistics = server.statistics()
    assert statistics["closed"]["error"] == 1 and sum(statistics["closed"].values()) == 1
    assert statistics["buffers"] == 0


# Not over TLS: OpenSSL asks for memory of the same sizes when the server starts.
@pytest.mark.inside
@pytest.mark.only(transport="plain")
@preload.needed
@pytest.mark.cause("statistics ask for memory, which may be what has run out when they are wanted most")
@pytest.mark.parametrize(
    "when", (("open_memstream", 0, 0, 0), ("malloc", 4000, 4200, 0), ("realloc", 400, 511, 0)), ids=lambda when: when[0]
)
def test_statistics_need_no_memory(start, server_name, no_memory, when):
    """A stream in memory would need it to begin, to hold the text and to end; so would a buffer of the stream's."""
    call, least, most, first = when
    if servers.OF[server_name].stand_in and call == "realloc":
        first = 2  # the first is the emulation's table of notes, which grows when the server starts
    server = start(environment=no_memory(call, least, most, first))
    server.signal(signal.SIGUSR1)
    server.wait_error('"server": ')
    server.signal(signal.SIGTERM)
    assert server.wait_exit() == 0
    assert [json.loads(line)["server"] for line in server.errors()] == [server_name] * 2


@pytest.mark.inside
@preload.needed
@pytest.mark.cause("help that cannot be printed is taken for printed")
@pytest.mark.parametrize("when", (("open_memstream", 0, 0, 0), ("realloc", 1000, 4000, 0)), ids=("first", "last"))
def test_no_memory_for_the_help(server_name, no_memory, when):
    """To begin with it; to end it, which glibc's fclose keeps to itself."""
    if reason := servers.absent(server_name):
        pytest.skip(reason)
    command, environment = tls.command(server_name, "--help"), {**os.environ, **no_memory(*when)}
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"{server_name}: --help: write standard output: Cannot allocate memory\n"


# -- what nothing else reaches ---------------------------------------------------------------------


@pytest.mark.inside
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.cause("statistics that were not written are taken for written")
def test_statistics_that_standard_error_does_not_take(server_name):
    if reason := servers.absent(server_name):
        pytest.skip(reason)
    with open("/dev/full", "w", encoding="ascii") as full, subprocess.Popen(
        tls.command(server_name, "--port", "0"), stdout=subprocess.PIPE, stderr=full, text=True
    ) as process:
        assert process.stdout.readline().startswith("listening on ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(waiting.PATIENCE) == 1


@pytest.mark.inside
@pytest.mark.cause("seconds are read by another grammar than the help says")
@pytest.mark.parametrize("text", (".", ".x", "1e999"))
def test_seconds_that_are_none(server_name, text):
    if reason := servers.absent(server_name):
        pytest.skip(reason)
    result = subprocess.run(tls.command(server_name, "--idle-timeout", text),
                            capture_output=True, text=True, timeout=20)
    assert result.returncode == 2 and f"--idle-timeout: '{text}' is not" in result.stderr


@needs_proc
@pytest.mark.cause("a timer that is set already is not set to go off earlier")
def test_an_earlier_deadline_takes_the_place_of_a_later_one(start):
    """Nobody asks for statistics meanwhile: that would wake the server, which then sees what is over."""
    server = start("--idle-timeout", "3600", "--drain-timeout", "0.2")
    server.connect("silent").echo(b"x")
    before = kernel.descriptors(server.pid)
    peer = server.connect()
    peer.send(header(0xFFFFFFFF))
    peer.expect_end()
    waiting.until(lambda: kernel.descriptors(server.pid) == before, "the one that lingers closed")
    statistics = server.statistics()
    assert statistics["closed"]["oversize"] == 1 and statistics["connections"] == 1


@pytest.mark.cause("a drain-timeout of 0 is taken for none")
def test_without_a_drain_timeout_an_ended_connection_is_closed_at_once(start):
    server = start("--drain-timeout", "0")
    peer = server.connect()
    peer.send(header(0xFFFFFFFF))
    server.wait_statistics(lambda s: s["accepted"] == 1 and s["connections"] == 0, "the connection closed")
    assert server.stop()["closed"]["oversize"] == 1


@pytest.mark.only(trigger="edge")
@pytest.mark.cause("a connection that still has a turn to come is freed, and the turn comes")
@pytest.mark.parametrize("drain", ("0", "60"))
def test_a_stop_while_a_flooder_has_a_turn_to_come(start, drain):
    server = start("--drain-timeout", drain, "--high-water", "50000000", "--low-water", "1")
    flooder = server.connect("flooder")
    for _ in range(8):  # lets the kernel widen the receive window
        flooder.echo(payload(1 << 20))
    with server.frozen():
        flooder.send_what_fits(frame(b"12345678") * 300_000)
        server.signal(signal.SIGTERM)
    flooder.close()
    assert server.wait_exit() == 0
    statistics = server.stop()
    assert sum(statistics["closed"].values()) == 1 and statistics["connections"] == 0


@pytest.mark.cause("a stop takes the place of the reason for which a connection was ending already")
def test_a_stop_while_the_output_of_an_ended_peer_is_leaving(start):
    server = start("--high-water", "8000000", "--low-water", "1000000", "--drain-timeout", "60")
    peer = server.connect(receive_buffer=4096)
    peer.send(frame(payload(250_000)) * 24)
    peer.half_close()
    server.wait_statistics(lambda s: s["frames"] == 24, "all received")
    server.signal(signal.SIGTERM)
    for _ in range(24):
        peer.expect_frame(payload(250_000))
    peer.expect_end()
    assert server.wait_exit() == 0
    closed = server.stop()["closed"]
    assert closed["end"] == 1 and closed["stop"] == 0


@needs_proc
@pytest.mark.cause("a server that rests from accepting sleeps past an earlier timeout")
def test_an_idle_connection_makes_room_while_the_listener_rests(start):
    server = start("--idle-timeout", "0.4")
    limit_to(server, 1)
    server.connect("fits").echo(b"x")
    server.connect("refused").expect_gone()
    waits = server.connect("waits")
    waits.echo(b"in its turn")
    assert server.statistics()["closed"]["idle"] >= 1


# Not over TLS: there nobody sends before the server has accepted.
@needs_proc
@pytest.mark.only(transport="plain")
@pytest.mark.cause("descriptors that another has freed are noticed only when a connection ends, and there is none")
def test_out_of_descriptors_without_a_connection(start):
    server = start()
    limit_to(server, 0)
    server.connect("refused").expect_gone()
    waits = server.connect("waits")
    waits.send_frame(b"in its turn")
    limit_to(server, 100)
    waits.expect_frame(b"in its turn")
    assert server.stop()["refused"] == 1


@pytest.mark.inside
@pytest.mark.cause("peers that come and go at the limit write a line each: a flood fills the disk")
def test_lines_of_refusals_are_limited_and_counted(start):
    """Each refusal begins a new run, which would have a line of its own."""
    began = time.monotonic()
    server = start("--max-conns", "1")
    for turn in range(1, 41):
        admitted = server.connect("admitted")
        admitted.echo(b"x")
        server.connect("refused").expect_gone()
        admitted.close()
        server.wait_statistics(lambda s: s["connections"] == 0 and s["refused"] == turn, "both gone")
    left_out = server.statistics()["log_lines_left_out"]
    lines = len(server.wait_error("--max-conns", 40 - left_out))
    assert lines <= 10 * (1 + time.monotonic() - began)
    assert lines + left_out == 40
