"""Options, bad ones above all: one line that says what and why, and the exit status that is promised."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from suite import needs, servers, tls
from suite.strace import UNDER_STRACE

pytestmark = pytest.mark.inside  # docs/protocol.md asks for none of it

DEFAULTS = {
    "--bind": "127.0.0.1", "--port": "9000", "--max-frame": "1048576", "--high-water": "262144",
    "--low-water": "65536", "--idle-timeout": "0: off", "--max-lifetime": "0: off", "--drain-timeout": "5",
    "--backlog": "4096", "--stats": "standard error", "--max-conns": "descriptor limit",
}


needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def run(name: str, *options: str, **how) -> subprocess.CompletedProcess:
    reason = servers.absent(name)
    if reason:
        pytest.skip(f"{name}: {reason}")
    return subprocess.run(
        tls.command(name, *options), stderr=subprocess.PIPE, text=True, timeout=20,
        **({"stdout": subprocess.PIPE} | how),
    )


def assert_one_line(result: subprocess.CompletedProcess, status: int, *parts: str) -> None:
    assert result.returncode == status, result
    assert result.stdout == "", result
    assert result.stderr.count("\n") == 1 and result.stderr.endswith("\n"), result
    for part in parts:
        assert part in result.stderr, f"{part!r} is not in {result.stderr!r}"


@pytest.mark.cause("the help and the table of options have parted")
def test_help_names_every_option_and_its_default(server_name):
    result = run(server_name, "--help")
    assert result.returncode == 0 and result.stderr == ""
    for option, default in DEFAULTS.items():
        entry = re.search(rf"^  {option} .*?(?=^  --|\n\n)", result.stdout, re.MULTILINE | re.DOTALL)
        assert entry, f"{option} is not in the help"
        assert default in entry[0], f"{default!r} is not in {entry[0]!r}"


BAD = [
    (("--port", "65536"), "--port", "65536"),
    (("--port", "-1"), "--port", "-1"),
    (("--port", ""), "--port", "''"),
    (("--port", "80x"), "--port", "80x"),
    (("--port", " 80"), "--port", "' 80'"),
    (("--max-frame", "1k"), "--max-frame", "1k"),
    (("--max-frame", "99999999999999999999999"), "--max-frame", "9999"),
    (("--max-frame", "268435457"), "--max-frame", "268435456"),
    (("--max-conns", "0"), "--max-conns", "'0'"),
    (("--high-water", "0"), "--high-water"),
    (("--high-water", "x"), "--high-water", "'x'"),
    (("--low-water", "262144"), "--low-water", "262144"),
    (("--low-water", "100", "--high-water", "100"), "--low-water", "100"),
    (("--idle-timeout", "soon"), "--idle-timeout", "soon"),
    (("--idle-timeout", "-1"), "--idle-timeout", "-1"),
    (("--idle-timeout", "nan"), "--idle-timeout", "nan"),
    (("--idle-timeout", "0x10"), "--idle-timeout", "0x10"),
    (("--max-lifetime", "1e99"), "--max-lifetime", "1e99"),
    (("--drain-timeout", "1s"), "--drain-timeout", "1s"),
    (("--backlog", "0"), "--backlog", "'0'"),
    (("--no-such-option",), "no-such-option"),
    (("--port",), "port"),
    (("argument",), "argument"),
]


@pytest.mark.cause("a value is taken, rounded or cut in silence")
@pytest.mark.parametrize("options_and_parts", BAD, ids=lambda each: " ".join(each[0]))
def test_bad_usage_exits_with_2(server_name, options_and_parts):
    options, *parts = options_and_parts
    assert_one_line(run(server_name, *options), 2, *parts)


@pytest.mark.cause("a failed call goes unnoticed, or its line does not say which, on what, and why")
def test_port_in_use(server_name):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run(server_name, "--port", str(port))
    assert_one_line(result, 1, f"{server_name}: bind 127.0.0.1:{port}: Address already in use")


def test_address_that_is_not_ours(server_name):
    result = run(server_name, "--bind", "192.0.2.1", "--port", "0")
    assert_one_line(result, 1, "bind 192.0.2.1:0: ", "assign requested address")


@pytest.mark.parametrize("address", ("localhost", "300.0.0.1", "", "127.0.0.1:80"))
def test_address_that_is_none(server_name, address):
    assert_one_line(run(server_name, "--bind", address), 1, f"--bind {address}: not a numeric address")


@pytest.mark.parametrize("path", ("/no/such/directory/file", "/", ""))
def test_statistics_path_that_cannot_be_written(server_name, path):
    assert_one_line(run(server_name, "--port", "0", "--stats", path), 1, f"open {path}".rstrip())


@needs_full
def test_statistics_that_do_not_fit_the_disk(start):
    server = start("--stats", "/dev/full")
    with server.connect() as peer:
        peer.echo(b"x")
    server.signal(signal.SIGTERM)
    assert server.wait_exit() == 1
    assert "write /dev/full: No space left on device" in server.errors()[-1]


@contextlib.contextmanager
def takes_nothing(what: str) -> Iterator[int]:
    """A file descriptor that no text gets into. What a terminal refuses it refuses to printf, as it is buffered by
    lines; what a full device refuses, only to fflush."""
    if what == "full device":
        fd = os.open("/dev/full", os.O_WRONLY)
    else:
        ours, fd = pty.openpty()
        os.close(ours)
    try:
        yield fd
    finally:
        os.close(fd)


NOWHERE = (pytest.param("full device", marks=needs_full), "terminal that is gone")


@pytest.mark.parametrize("what", NOWHERE)
def test_help_that_nobody_can_read(server_name, what):
    with takes_nothing(what) as fd:
        result = run(server_name, "--help", stdout=fd)
    assert result.returncode == 2
    assert result.stderr.startswith(f"{server_name}: --help: write standard output: ")


@pytest.mark.parametrize("what", NOWHERE)
def test_no_standard_output_to_announce_on(server_name, what):
    with takes_nothing(what) as fd:
        result = run(server_name, "--port", "0", stdout=fd)
    assert result.returncode == 1
    assert result.stderr.startswith(f"{server_name}: write standard output: ")


def test_statistics_go_to_the_file(start, tmp_path):
    path = tmp_path / "statistics.json"
    server = start("--stats", str(path))
    server.connect().echo(b"x")
    asked = server.statistics()
    assert asked["frames"] == 1, "SIGUSR1 prints on standard error"
    server.stop()
    lines = path.read_text().splitlines()
    assert len(lines) == 1, "the final statistics and nothing else"
    assert json.loads(lines[0])["frames"] == 1


@needs.to_trace
@pytest.mark.parametrize("options, expected", (((), "4096"), (("--backlog", "17"), "17")))
def test_backlog(start, tmp_path, options, expected):
    trace = tmp_path / "trace"
    start(*options, wrapper=["strace", "-f", "-e", "listen", "-o", str(trace)],
          environment=UNDER_STRACE).stop()
    assert re.search(rf"listen\(\d+, {expected}\) += 0", trace.read_text())


def test_names_itself_and_its_implementation(start, server_name):
    server = start()
    statistics = server.statistics()
    assert statistics["server"] == server_name
    assert statistics["implementation"] == server.implementation
    if not servers.OF[server_name].stand_in:
        assert server.announcement == f"listening on 127.0.0.1:{server.address[1]}\n"
    else:
        assert server.implementation in ("native", "libkqueue", "emulation")
