"""What a parent leaves behind, and what a reader of the log does: neither harms the server, and nobody waits."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from suite import needs, preload, sanitizers, servers, tls, waiting
from suite.frames import header, payload
from suite.peer import Peer
from suite.server import LISTENING

needs_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prlimit(2) is Linux's")


class Bare:
    """A server whose standard error is a pipe that nobody reads."""

    def __init__(self, name: str, *options: str):
        self.name = name
        self.errors, write_end = os.pipe()
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
        self.process = subprocess.Popen(
            tls.command(name, "--port", "0", *options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=write_end, text=True,
        )
        os.close(write_end)
        match = LISTENING.fullmatch(self.process.stdout.readline())
        assert match is not None
        self.address = ("127.0.0.1", int(match["port"]))
        tls.note(self.address, bool(tls.options(name)), lambda: False)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        os.close(self.errors)


def admitted(server: Bare) -> Peer:
    """A peer that is served. Where one thread accepts and another serves, or where a close is over only with its last
    completion, a newcomer may overtake the end of the one before it, and be one too many at that moment."""
    kind = servers.OF.get(server.name)
    overtakes = kind is not None and (kind.threads == "several" or kind.trigger == "completion")
    for patience in range(100 if overtakes else 0, -1, -1):
        peer = Peer(server.address)
        try:
            peer.echo(b"admitted")
            break
        except (AssertionError, ConnectionError):
            peer.close()
            if patience == 0:
                raise
    return peer


@pytest.mark.inside
@pytest.mark.cause("a log line is written although nobody reads the log: write(2) waits, and the server with it")
@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="makes a pipe small, as Linux can")
@pytest.mark.parametrize("kind", ("oversize", "refused", "SIGUSR1"))
def test_a_log_that_nobody_reads_stops_nobody(server_name, kind, tmp_path):
    """More lines than a full pipe takes. The server goes on, and stops when told."""
    if servers.absent(server_name):
        pytest.skip(servers.absent(server_name))
    statistics = tmp_path / "statistics"
    server = Bare(server_name, "--stats", str(statistics), "--max-conns", "2")
    try:
        witness = Peer(server.address, "witness")
        for _ in range(300):
            if kind == "SIGUSR1":
                server.process.send_signal(signal.SIGUSR1)
                witness.echo(b"still here")
            elif kind == "oversize":
                with Peer(server.address, "too long") as peer:
                    peer.send(b"\xff\xff\xff\xff")
                    peer.expect_gone()
            else:
                with admitted(server) as second, Peer(server.address) as third:
                    third.expect_gone()
                    second.echo(b"still in")  # the next refusal begins a new run
        witness.echo(payload(1000))
        server.process.send_signal(signal.SIGTERM)
        witness.expect_end()
        witness.close()
        assert server.process.wait(waiting.PATIENCE) == 0
        final = json.loads(statistics.read_text())
        assert final["log_lines_left_out"] > 0
    finally:
        server.close()


@pytest.fixture
def ends_without_descriptors(monkeypatch):
    """LeakSanitizer opens files of /proc at the end, and fails where it may not."""
    monkeypatch.setenv("ASAN_OPTIONS", sanitizers.options(sanitizers.WITHOUT_LEAKS))


def end_with_an_unread_log(server_name, limit):
    if servers.absent(server_name):
        pytest.skip(servers.absent(server_name))
    server = Bare(server_name)
    try:
        witness = Peer(server.address, "witness")
        witness.echo(b"before")
        if limit is not None:
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
        for _ in range(30):  # lines of some 700 bytes, into a pipe of 4,096
            server.process.send_signal(signal.SIGUSR1)
            witness.echo(b"still here")
        witness.close()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(waiting.PATIENCE) == 1
    finally:
        server.close()


@pytest.mark.inside
@pytest.mark.cause("the end waits for a reader of the log that has stopped reading")
@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="makes a pipe small, as Linux can")
def test_statistics_that_nobody_reads_do_not_hold_up_the_end(server_name):
    """They cannot be written: exit status 1, as promised."""
    end_with_an_unread_log(server_name, None)


@pytest.mark.inside
@pytest.mark.cause("poll(2) refuses even one descriptor where the limit is 0, and that says nothing of the log")
@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="makes a pipe small, as Linux can")
@pytest.mark.usefixtures("ends_without_descriptors")
def test_an_unread_log_where_no_descriptor_is_allowed(server_name):
    end_with_an_unread_log(server_name, 0)


@pytest.mark.inside
@pytest.mark.cause("a flood of bad headers is a flood of lines")
def test_lines_of_one_kind_are_limited_and_counted(start):
    server = start()
    peers = [server.connect() for _ in range(200)]
    with server.frozen():
        for peer in peers:
            peer.send(header(1 << 30))
            peer.wait_delivered()
    for peer in peers:
        peer.expect_end()
    final = server.stop()
    lines = [line for line in server.errors() if "a message above" in line]
    assert final["closed"]["oversize"] == 200
    assert 1 <= len(lines) < 100
    assert final["log_lines_left_out"] == 200 - len(lines)


def run_with(name: str, prepare: Callable[[], None], *options: str, wait: bool = True) -> subprocess.CompletedProcess:
    return subprocess.run(
        tls.command(name, "--port", "0", *options), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        preexec_fn=prepare, timeout=waiting.PATIENCE,
    )


@pytest.mark.inside
@pytest.mark.cause("a closed standard stream is given to the next file that is opened")
def test_started_without_standard_output(server_name, tmp_path):
    """It cannot say that it listens, so it does not run; and the file of the statistics gets no such line."""
    if servers.absent(server_name):
        pytest.skip(servers.absent(server_name))
    path = tmp_path / "statistics"
    result = run_with(server_name, lambda: os.close(1), "--stats", str(path))
    assert result.returncode == 1
    assert "write standard output: Bad file descriptor" in result.stderr
    assert "listening" not in path.read_text()


@pytest.mark.inside
@pytest.mark.cause("a closed standard stream is given to the next file that is opened")
def test_started_without_standard_error(start, tmp_path):
    path = tmp_path / "statistics"
    server = start("--stats", str(path), preexec=lambda: os.close(2))
    peer = server.connect()
    peer.send(header(1 << 30))
    peer.expect_end()
    peer.close()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(waiting.PATIENCE) == 0
    lines = path.read_text().splitlines()
    assert len(lines) == 1 and json.loads(lines[0])["closed"]["oversize"] == 1


@pytest.mark.inside
@pytest.mark.cause("SIGXFSZ ends the process when a file reaches its limit")
def test_a_limit_on_file_sizes_ends_no_service(start, tmp_path):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    server = start("--stats", str(tmp_path / "statistics"), preexec=limit)
    server.connect().echo(b"served")
    server.signal(signal.SIGTERM)
    server._close_peers()
    assert server.wait_exit() == 1
    assert any("File too large" in line for line in server.errors())


@pytest.mark.inside
@pytest.mark.cause("a signal that was ignored at the start is caught all the same")
def test_a_signal_that_the_parent_ignores_stays_ignored(start):
    """A shell ignores SIGINT for a job in the background."""
    server = start(preexec=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    peer = server.connect()
    server.signal(signal.SIGINT)
    for _ in range(5):
        peer.echo(b"still here")
    statistics = server.statistics()
    assert statistics["accepted"] == 1
    second = server.connect()  # it still accepts
    second.echo(b"and new peers")


@pytest.mark.inside
@pytest.mark.cause("a signal that was blocked at the start is never let in")
def test_a_signal_that_the_parent_blocks_is_heard(start):
    mask = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}
    server = start(preexec=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, mask))
    server.connect().echo(b"x")
    assert server.statistics()["accepted"] == 1


@pytest.mark.inside
@pytest.mark.cause("opening a path that is no file waits for somebody at its other end")
def test_statistics_into_a_fifo_without_a_reader(server_name, tmp_path):
    if servers.absent(server_name):
        pytest.skip(servers.absent(server_name))
    path = tmp_path / "fifo"
    os.mkfifo(path)
    result = run_with(server_name, lambda: None, "--stats", str(path))
    assert result.returncode == 1 and result.stderr.startswith(f"{server_name}: open {path}: ")


@pytest.mark.inside
def test_statistics_into_a_fifo_with_a_reader(start, tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    came: list[str] = []
    reader = threading.Thread(target=lambda: came.append(Path(path).read_text()))
    reader.start()
    handle = os.open(path, os.O_WRONLY)  # so that the reader is there before the server asks
    server = start("--stats", str(path))
    server.connect().echo(b"x")
    server.stop()
    os.close(handle)
    reader.join(waiting.PATIENCE)
    assert json.loads(came[0])["frames"] == 1


@needs_linux
@pytest.mark.cause("poll(2) refuses more descriptors than the limit allows, also when it is lowered later (EINVAL)")
@pytest.mark.parametrize("limit", (20, 1, 0))
def test_a_descriptor_limit_lowered_while_running(start, limit, request):
    if limit < 20:
        request.getfixturevalue("ends_without_descriptors")
    server = start()
    peers = [server.connect() for _ in range(40)]
    for peer in peers:
        peer.echo(b"before")
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (limit, limit))
    for peer in peers:
        peer.echo(payload(500))
    peers[3].close()
    for peer in peers[4:]:
        peer.echo(b"after")
    server.stop()


UNLIMITED = 2**64 - 1  # RLIM_INFINITY
ENOUGH_MEMORY = 1 << 30
LIMITS = {  # the soft one, the hard one, and what setrlimit accepts
    "container": f"1024:{2**30}:{2**30}",
    "unlimited": f"{UNLIMITED}:{UNLIMITED}:{UNLIMITED}",
    "macos": f"256:{UNLIMITED}:10240",
}
library = preload.library("many_descriptors.c")


@pytest.mark.inside
@preload.needed
@needs.true_memory
@pytest.mark.cause("something is allocated, or closed, for each descriptor that there may be")
@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_a_huge_descriptor_limit_costs_nothing(start, library, limits):
    """Some containers allow 2^30 descriptors, some systems any number."""
    server = start(
        environment={"LD_PRELOAD": str(library), "MANY_DESCRIPTORS": limits},
        preexec=lambda: resource.setrlimit(resource.RLIMIT_AS, (ENOUGH_MEMORY, ENOUGH_MEMORY)),
    )
    peers = [server.connect() for _ in range(20)]
    for peer in peers:
        peer.echo(payload(500))
    assert server.stop()["accepted"] == 20
    assert all(line.startswith("{") for line in server.errors())
