"""What only this server has: workers, two ways to wait, work for each frame. What goes wrong between threads is in
harness/conformance/test_pitfalls_threads.py."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from suite import needs, servers
from suite.frames import frame, payload
from suite.server import Server
from suite.strace import UNDER_STRACE, failing

NAME = "epoll_oneshot"
WAYS = (
    ("--workers", "0"), ("--workers", "1"), ("--workers", "8"),
    ("--wait", "shared", "--workers", "1"), ("--wait", "shared", "--workers", "8"),
)  # fmt: skip

pytestmark = pytest.mark.skipif(servers.absent(NAME) is not None, reason=str(servers.absent(NAME)))


@pytest.fixture(params=WAYS, ids=" ".join)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(NAME, *request.param, "--max-frame", "300000") as started:
        yield started


def test_every_way_keeps_the_order_of_each_connection(server: Server) -> None:
    peers = [server.connect() for _ in range(20)]
    for turn in range(10):
        for i, peer in enumerate(peers):
            peer.send(b"".join(frame(payload(size, (i, turn, size))) for size in (0, 64, 70_000)))
        for i, peer in enumerate(peers):
            for size in (0, 64, 70_000):
                peer.expect_frame(payload(size, (i, turn, size)))
    assert server.stop()["frames"] == 600


def test_every_way_ends_as_it_should(server: Server) -> None:
    """By the peer, by a frame that is too long, by a reset, by the stop."""
    with server.connect("ends") as ends, server.connect("too long") as long:
        ends.send_frame(b"last")
        ends.half_close()
        ends.expect_frame(b"last")
        ends.expect_end()
        long.send(b"\xff\xff\xff\xff")
        long.expect_end()
    resets = server.connect("resets")
    resets.echo(b"before")
    resets.reset()
    server.wait_statistics(lambda s: s["connections"] == 0, "all ended")
    stays = server.connect("stays")
    stays.echo(b"before")
    closed = server.stop()["closed"]
    assert closed["end"] + closed["stop"] == 2 and (closed["oversize"], closed["reset"], closed["error"]) == (1, 1, 0)


def test_the_counters_of_all_threads_are_added(server: Server) -> None:
    peers = [server.connect() for _ in range(30)]
    for turn in range(3):
        for peer in peers:
            peer.echo(payload(10, turn))
        counted = server.statistics()
        assert counted["frames"] == counted["writes"] == 30 * (turn + 1)
        assert counted["connections"] == 30 and counted["buffers"] == 0


def test_nobody_would_wait() -> None:
    done = subprocess.run(
        [servers.program(NAME), "--port", "0", "--workers", "0", "--wait", "shared"], capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == f"{NAME}: --wait shared: with --workers 0 nobody would wait for the connections\n"


@needs.to_trace
def test_no_second_epoll() -> None:
    """With --wait shared the loop has an epoll of its own."""
    done = subprocess.run(
        [*failing("epoll_create1", "EMFILE", 2), str(servers.program(NAME)), "--port", "0", "--wait", "shared"],
        capture_output=True, text=True, env=UNDER_STRACE,
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert done.returncode == 1 and said == [f"{NAME}: epoll_create1: Too many open files"], done
