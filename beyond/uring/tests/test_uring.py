"""The server's own: what it says where no ring can be made, and what a message costs in calls."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import time

import pytest

from faults.scenario import Subject
from suite import kernel, needs, preload, servers, waiting
from suite.frames import frame, payload
from suite.strace import UNDER_STRACE, calls_of, failing

pytestmark = [
    pytest.mark.only(trigger="completion"),
    pytest.mark.skipif(servers.absent("uring") is not None, reason=str(servers.absent("uring"))),
]


@needs.to_trace
@pytest.mark.skipif(servers.sanitizer() is not None, reason="a sanitizer's own calls would be among them")
@pytest.mark.cause("one line for all reasons, which helps nobody")
@pytest.mark.parametrize("call, error, why", (
    ("io_uring_setup", "EPERM", "kernel.io_uring_disabled"),
    ("io_uring_setup", "ENOSYS", "this kernel has no io_uring"),
    ("io_uring_setup", "ENOMEM", "locked memory"),
    ("io_uring_setup", "EINVAL", "Linux 6.1 or newer"),
    ("io_uring_enter", "EPERM", "kernel.io_uring_disabled"),
    ("io_uring_enter", "ENOSYS", "this kernel has no io_uring"),
))
def test_one_line_says_why_there_is_no_ring(server_name, call, error, why):
    done = subprocess.run(
        [*failing(call, error, "1+"), str(servers.program(server_name)), "--port", "0"],
        capture_output=True, text=True, timeout=waiting.PATIENCE, env=UNDER_STRACE,
    )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert done.returncode == 1 and done.stdout == ""
    assert len(lines) == 1 and lines[0].startswith(f"{server_name}: {call}: ") and why in lines[0]


@needs.to_trace
@pytest.mark.skipif(servers.sanitizer() is not None, reason="a sanitizer's own calls would be among them")
@pytest.mark.cause("a wait is not counted, or more than one call is made for it")
def test_waits_are_the_calls_that_wait(start, tmp_path):
    trace = tmp_path / "trace"
    server = start("--max-conns", "12", wrapper=["strace", "-f", "-o", str(trace)], environment=UNDER_STRACE)
    peers = [server.connect() for _ in range(10)]
    for i, peer in enumerate(peers):
        for size in (0, 64, 70_000):
            peer.echo(payload(size, i))
    peers[0].reset()
    peers[1].half_close()
    peers[1].expect_end()
    server.wait_statistics(lambda s: s["connections"] == 8, "two gone")
    for peer in peers[2:]:
        peer.close()
    server.wait_statistics(lambda s: s["connections"] == 0, "all gone")
    counted = server.statistics()
    server.stop()
    waiting.until(lambda: "+++ exited" in trace.read_text(), "the end of the trace")
    calls = calls_of(trace)
    names = {name for name, *_ in calls}
    assert not names & {"recvfrom", "sendto", "epoll_wait", "poll"} - {"poll"}, "a message made a call of its own"
    entered = sum(1 for name, words, *_ in calls if name == "io_uring_enter" and int(words.split(", ")[2]) > 0)
    assert counted["waits"] <= entered <= counted["waits"] + 4, "the last waits are those of the stop"
    assert counted["reads"] >= 30 and counted["writes"] >= 30


FAULTY = servers.build_dir() / "faults" / "uring"


@pytest.mark.skipif(not FAULTY.exists(), reason=f"{servers.build_dir().name}/ has no servers with faults (faults.mk)")
@pytest.mark.cause("a poll that fails is armed again at once, for ever")
def test_polls_of_a_restart_that_all_fail(tmp_path):
    """Nothing tells the server that the new program listens, until it looks at --restart-timeout."""
    server = Subject(FAULTY, ["--restart-timeout", "1"], tmp_path, {"FAULT": f"uring_poll:*:{errno.ENOMEM}:/1"})
    try:
        assert server.ready_line()
        before = server.statistics()["waits"]
        server.signal(signal.SIGUSR2)
        assert server.wait_exit() == 0, "it hands over, and has no connection to wait for"
        said = re.search(r"process (\d+) listens now", "\n".join(server.lines()))
        assert said is not None
        os.kill(int(said[1]), signal.SIGKILL)
        waits = json.loads(server.lines()[-1])["waits"] - before
        assert waits < 30, f"{waits} wake-ups"
    finally:
        server.end()


# -- restart ---------------------------------------------------------------------------------------

library = preload.library("peer_before_leaving.c")


@preload.needed
@pytest.mark.inside
@pytest.mark.cause("the accept that is armed takes a wake-up, is cancelled, and nobody accepts the peer")
def test_a_server_that_leaves_has_been_woken_for_a_peer(start, library):
    server = start(environment={"LD_PRELOAD": str(library)})
    for _ in range(3):
        server.restart()
        waiting.until(lambda: kernel.waiting_peers(server.address[1]) == 0,
                      "every peer accepted, though no further one connects")
    server.connect().echo(b"after")


@pytest.fixture(scope="module")
def small_queues(tmp_path_factory) -> str:
    """The server with room for four completions: what else one wake-up brings stays in a list of the kernel."""
    build = tmp_path_factory.mktemp("small")
    room = "CPPFLAGS=-DSUBMISSIONS=4 -DCOMPLETIONS=4"
    command = ["make", "-s", "-C", str(servers.ROOT), f"BUILD={build}", room, f"CC={servers.compiler()[0]}"]
    done = subprocess.run([*command, f"{build}/uring"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return f"{build}/uring"


@pytest.mark.skipif(servers.sanitizer() is not None, reason="it is built without")
@pytest.mark.cause("the last turn receives what is in the socket, and older bytes are in the kernel's list")
@pytest.mark.parametrize("why", ("lifetime", "stop"))
def test_the_last_turn_takes_what_had_no_room_in_the_queue(start, small_queues, why):
    other = ["sh", "-c", f'shift; exec {small_queues} "$@"', "sh"]  # in place of the usual program
    options = ("--max-lifetime", "1.5") if why == "lifetime" else ()
    server = start(*options, wrapper=other)
    peers = [server.connect() for _ in range(12)]
    for peer in peers:
        peer.echo(b"before")
    with server.frozen():
        for peer in peers:
            peer.send(b"".join(frame(payload(900, i)) for i in range(60)))
        for peer in peers:
            peer.wait_delivered()
        if why == "stop":
            server.signal(signal.SIGTERM)
        else:
            time.sleep(1.8)
    for peer in peers:
        for i in range(60):
            peer.expect_frame(payload(900, i))
        peer.expect_end()
        peer.close()
    assert server.wait_exit() == 0 if why == "stop" else server.stop()["closed"]["lifetime"] == 12
