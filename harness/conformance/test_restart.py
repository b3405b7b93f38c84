"""A restart loses nobody: the listening socket is handed on (LISTEN_FDS, SIGUSR2), and what fails changes nothing."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from suite import kernel, needs, servers, tls, waiting
from suite.churn import Churn
from suite.frames import header, payload
from suite.peer import Peer
from suite.replaced import Replaced
from suite.server import Server
from suite.supervisor import supervisor

pytestmark = [
    pytest.mark.inside,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="follows the processes as Linux shows them"),
]
DRAINS_LONG = ("--drain-timeout", "3600")


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener


# -- a listener from somebody else -----------------------------------------------------------------


@pytest.mark.cause("LISTEN_FDS is not read, or the server binds all the same")
def test_takes_a_listener_over(start, server_name, listening):
    """Peers that came before the server did are served, and --port is not used. Over TLS only their connection can
    come before it: a handshake needs its answers."""
    early = Peer(listening.getsockname(), "early")
    if not tls.options(server_name):
        early.send_frame(b"before there was a server")
    server = start(wrapper=supervisor(listening.fileno()), pass_fds=[listening.fileno()])
    assert server.address == listening.getsockname()
    if tls.options(server_name):
        early.socket = tls.over(early.socket, server.address)
        early.send_frame(b"before there was a server")
    early.expect_frame(b"before there was a server")
    server.connect().echo(payload(1000))
    early.close()
    assert server.stop()["accepted"] == 2


@needs.ipv6
@pytest.mark.cause("only a listener of IPv4 counts as one of TCP")
def test_takes_an_ipv6_listener_over(start):
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        server = start(wrapper=supervisor(listener.fileno()), pass_fds=[listener.fileno()])
        assert server.address == listener.getsockname()[:2]
        server.connect().echo(b"over IPv6")


@pytest.mark.cause("an inherited listener blocks, or its connections wait for acknowledgements (Nagle)")
def test_an_inherited_listener_is_made_like_our_own(start, listening):
    server = start(wrapper=supervisor(listening.fileno()), pass_fds=[listening.fileno()])
    assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
    (line,) = [each for each in Path(f"/proc/{server.pid}/fdinfo/3").read_text().splitlines() if "flags" in each]
    flags = int(line.split()[1], 8)
    assert flags & os.O_NONBLOCK and flags & os.O_CLOEXEC


@pytest.mark.cause("LISTEN_PID is not looked at: the variables are for another process")
@pytest.mark.parametrize("pid", ("1", "0"))
def test_a_listener_for_another_process_is_ignored(start, listening, pid):
    server = start(wrapper=supervisor(listening.fileno(), pid), pass_fds=[listening.fileno()])
    assert server.address != listening.getsockname()
    server.connect().echo(b"on a socket of its own")


def test_no_listener_at_all_is_no_error(start):
    start(wrapper=supervisor("none", count="0")).connect().echo(b"on a socket of its own")


BAD = {  # kind: (what descriptor 3 is, LISTEN_PID, LISTEN_FDS, the line)
    "many": ("listener", "own", "2", "LISTEN_FDS=2: this server takes one listening socket"),
    "count": ("listener", "own", "one", "LISTEN_FDS=one: not a number"),
    "negative": ("listener", "own", "-1", "LISTEN_FDS=-1: not a number"),
    "empty": ("listener", "own", "", "LISTEN_FDS=: not a number"),
    "huge": ("listener", "own", "99999999999", "LISTEN_FDS=99999999999: not a number"),
    "pid": ("listener", "mine", "1", "LISTEN_PID=mine: not a number"),
    "closed": ("none", "own", "1", "fcntl descriptor 3 of LISTEN_FDS: Bad file descriptor"),
    "file": ("file", "own", "1", "LISTEN_FDS: descriptor 3 is not a listening TCP socket"),
    "connection": ("connection", "own", "1", "LISTEN_FDS: descriptor 3 is not a listening TCP socket"),
    "local": ("local", "own", "1", "LISTEN_FDS: descriptor 3 is not a listening TCP socket"),
    "packets": ("packets", "own", "1", "LISTEN_FDS: descriptor 3 is not a listening TCP socket"),
    "datagrams": ("datagrams", "own", "1", "LISTEN_FDS: descriptor 3 is not a listening TCP socket"),
}


def descriptor(kind: str, listening: socket.socket, directory: Path):
    """Something with a fileno, of a kind that may or may not be a listener."""
    if kind == "listener":
        return listening
    if kind == "file":
        return open(directory / "file", "w")
    if kind == "connection":
        return socket.create_connection(listening.getsockname())
    if kind == "datagrams":
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    local = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET if kind == "packets" else socket.SOCK_STREAM)
    local.bind(str(directory / "local"))
    local.listen()
    return local


@pytest.mark.cause("what cannot be a listener is used all the same, or ignored without a word")
@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_listener_is_refused(server_name, listening, tmp_path, kind):
    if servers.absent(server_name):
        pytest.skip(servers.absent(server_name))
    what, pid, count, line = BAD[kind]
    passed = None if what == "none" else descriptor(what, listening, tmp_path)
    fds = [] if passed is None else [passed.fileno()]
    result = subprocess.run(
        [*supervisor(fds[0] if fds else "none", pid, count), *tls.command(server_name, "--port", "0")],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, pass_fds=fds, timeout=waiting.PATIENCE,
    )
    if passed is not None:
        passed.close()
    assert (result.returncode, result.stdout, result.stderr) == (1, "", f"{server_name}: {line}\n")


@pytest.mark.cause("a listener that the supervisor keeps open is closed, but not taken out of the epoll set")
def test_a_stop_does_not_spin_on_a_listener_that_others_have_open(start, listening):
    server = start(*DRAINS_LONG, wrapper=supervisor(listening.fileno()), pass_fds=[listening.fileno()])
    stays = server.connect("stays")
    stays.echo(b"x")
    server.signal(signal.SIGTERM)
    stays.expect_end()
    waits = Peer(listening.getsockname(), "waits for the next server")  # which the supervisor would start now
    assert_few_wake_ups(server, server.pid, lambda: None)
    waits.close()
    stays.close()
    assert server.wait_exit() == 0


# -- a listener that is handed on ------------------------------------------------------------------


def statistics_of(server: Server, pid: int) -> dict:
    """Of one process of several that write to the same standard error."""
    before = len([line for line in server.errors() if line.startswith("{")])
    os.kill(pid, signal.SIGUSR1)
    lines: list[str] = []

    def answered() -> bool:
        lines[:] = [line for line in server.errors() if line.startswith("{")]
        return len(lines) > before

    waiting.until(answered, f"statistics of process {pid}")
    return json.loads(lines[before])


def assert_few_wake_ups(server: Server, pid: int, happens: Callable[[], None]) -> None:
    before = statistics_of(server, pid)["waits"]
    happens()
    answers = 5
    for _ in range(answers):
        after = statistics_of(server, pid)["waits"]
    assert after - before <= 2 * answers + 2, f"{after - before} wake-ups, with nothing to do but {answers} answers"


@pytest.mark.only(restarts=True)
@pytest.mark.cause("the new program does not get the listener, or the old one ends its connections")
def test_a_restart_keeps_old_peers_and_serves_new_ones(start):
    server = start(*DRAINS_LONG)
    first = server.process.pid
    old = server.connect("old")
    old.echo(b"before")
    second = server.restart()
    assert second != first
    assert server.process.stdout.readline() == server.announcement, "the new one has its ready line, too"
    new = server.connect("new")
    for i in range(5):
        old.echo(payload(2000, i))
        new.echo(payload(2000, i))
    assert statistics_of(server, first)["accepted"] == 1
    assert statistics_of(server, second)["accepted"] == 1
    old.close()
    assert server.wait_first_exit() == 0
    new.echo(b"after the old one has ended")
    new.close()
    assert server.stop_successor()["accepted"] == 1


@pytest.mark.only(restarts=True)
@pytest.mark.cause("peers in the listen queue are reset, or forgotten")
@pytest.mark.except_for("over TLS nobody sends before the server has accepted", transport="tls")
def test_peers_that_meet_the_restart_are_served(start):
    server = start(*DRAINS_LONG)
    server.connect("first").echo(b"x")
    peers = []
    with server.frozen():
        os.kill(server.pid, signal.SIGUSR2)
        for i in range(100):
            peers.append(server.connect())
            peers[-1].send_frame(payload(50, i))
    server.wait_successor()
    for i in range(100, 150):
        peers.append(server.connect())
        peers[-1].send_frame(payload(50, i))
    for i, peer in enumerate(peers):
        peer.expect_frame(payload(50, i))


@pytest.mark.only(restarts=True)
@pytest.mark.cause("the listener is closed without being taken out of the epoll set first")
def test_the_old_server_hears_no_more_of_the_listener(start):
    server = start(*DRAINS_LONG)
    first = server.process.pid
    stays = server.connect("stays")
    stays.echo(b"x")
    server.restart()

    def others_come() -> None:
        for _ in range(50):
            with Peer(server.address, "of the new server") as peer:
                peer.echo(b"x")
        with server.frozen():  # the new server is stopped: peers stay in the queue, and the listener stays ready
            server.connect("waits")

    assert_few_wake_ups(server, first, others_come)
    stays.echo(b"still served")


RESTARTS = 100


@pytest.mark.only(restarts=True)
@pytest.mark.cause("a connection is lost between the old server and the new one")
def test_a_hundred_restarts_under_churn_lose_nobody(start):
    server = start(*DRAINS_LONG)
    pids = {server.pid}
    stays = server.connect("stays")
    with Churn(server.address) as churn:
        for i in range(RESTARTS):
            pids.add(server.restart())
            stays.echo(payload(100, i))  # its server is still the first one
    assert churn.lost == [] and churn.served >= RESTARTS
    assert len(pids) == RESTARTS + 1
    stays.close()
    assert server.wait_first_exit() == 0


@pytest.mark.only(restarts=True)
@pytest.mark.cause("the old server ends its connections at once, or never")
def test_drain_timeout_bounds_how_long_old_peers_stay(start):
    server = start("--drain-timeout", "2")
    stays = server.connect("stays")
    stays.echo(b"x")
    server.restart()
    stays.echo(b"still served")
    stays.send(header(10) + b"half")
    stays.expect_end()  # whole frames are answered, the incomplete one is dropped: an end, and no reset
    stays.close()
    assert server.wait_first_exit() == 0
    server.connect().echo(b"the new one goes on")


@pytest.mark.only(restarts=True)
@pytest.mark.cause("a second signal ends a server that only waits for its old peers at once, without answering them")
def test_a_stop_of_the_old_server_after_the_restart(start):
    server = start(*DRAINS_LONG)
    first = server.process.pid
    peers = [server.connect() for _ in range(3)]
    for peer in peers:
        peer.echo(b"x")
    server.restart()
    os.kill(first, signal.SIGSTOP)
    for i, peer in enumerate(peers):
        peer.send_frame(payload(500, i))
        peer.wait_delivered()
    os.kill(first, signal.SIGTERM)
    os.kill(first, signal.SIGCONT)
    for i, peer in enumerate(peers):
        peer.expect_frame(payload(500, i))
        peer.expect_end()
        peer.close()
    assert server.wait_first_exit() == 0
    server.connect().echo(b"the new one goes on")


@pytest.mark.only(restarts=True)
@pytest.mark.cause("the new server truncates the file, or the old one writes over what is there")
def test_each_process_writes_its_own_statistics(start, tmp_path):
    path = tmp_path / "statistics"
    path.write_text("from an earlier run\n" * 100)
    server = start("--stats", str(path), *DRAINS_LONG)
    stays = server.connect()
    stays.echo(b"the longest lived")
    for _ in range(3):
        server.connect().echo(b"x")
    server.restart()
    server.connect().echo(b"x")
    server._close_peers()
    assert server.wait_first_exit() == 0
    server.restart()
    waiting.until(lambda: path.read_text().count("\n") == 2, "statistics of the first two")
    server.stop_successor()
    assert [json.loads(line)["accepted"] for line in path.read_text().splitlines()] == [4, 1, 0]


@pytest.mark.only(restarts=True)
@pytest.mark.cause("descriptors, blocked or ignored signals pile up from one process to the next")
def test_the_tenth_process_is_like_the_first(start):
    def inherited(pid: int) -> list[str]:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return [line for line in lines if line.startswith(("SigBlk", "SigIgn", "SigCgt"))]

    def variables(pid: int) -> list[str]:
        words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return sorted(word.decode() for word in words if b"LISTEN" not in word and b"READY_FD" not in word)

    server = start()
    server.connect().echo(b"x")
    server._close_peers()
    first = server.pid
    waiting.until(lambda: kernel.state(first) == "S", "the first one asleep, with the signal mask of its wait")
    before = inherited(first), variables(first), Path(f"/proc/{first}/cmdline").read_bytes()
    count = kernel.descriptors(first)
    for _ in range(9):
        last = server.restart()
    server.connect().echo(b"x")
    server._close_peers()
    waiting.until(lambda: kernel.state(last) == "S", "the last one asleep, too")
    assert (inherited(last), variables(last), Path(f"/proc/{last}/cmdline").read_bytes()) == before
    waiting.until(lambda: kernel.descriptors(last) <= count, f"at most {count} descriptors")
    words = Path(f"/proc/{last}/environ").read_bytes().split(b"\0")
    assert [word for word in words if word.startswith(b"LISTEN_PID")] == [f"LISTEN_PID={last}".encode()]


@pytest.mark.only(restarts=True)
@pytest.mark.cause("the new program cannot print its ready line, and so it does not run")
def test_a_restart_after_the_reader_of_the_ready_line_has_gone(start):
    server = start()
    server.process.stdout.close()
    server.restart()
    server.connect().echo(b"served")


@pytest.mark.only(restarts=True)
@pytest.mark.cause("the new program waits until somebody reads its ready line, and the restart fails")
def test_a_restart_while_nobody_reads_the_ready_lines(start):
    server = start("--restart-timeout", "0")
    pipe = os.open(f"/proc/{server.pid}/fd/1", os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, b"x" * 4096)
    os.close(pipe)
    server.restart()
    server.connect().echo(b"served")


@pytest.mark.only(restarts=True)
@pytest.mark.cause("only a path with a slash is found again")
@pytest.mark.parametrize("way", ("relative", "PATH"))
def test_however_it_was_started(start, way):
    move = 'cd "${1%/*}"; name="./${1##*/}"' if way == "relative" else 'PATH="/nowhere:${1%/*}:$PATH"; name="${1##*/}"'
    server = start(wrapper=["sh", "-c", move + '; shift; exec "$name" "$@"', "sh"])
    server.restart()
    server.connect().echo(b"served")


AS_NAMED = """
import os, sys
name, path, program, *options = sys.argv[1:]
os.chdir(os.path.dirname(program))
name = "/" + "x" * 5000 if name == "long" else os.path.basename(program)
path = path.replace("LONG", "y" * 5000).replace("HERE", os.path.dirname(program))
others = {key: value for key, value in os.environ.items() if key != "PATH"}
os.execve(program, [name, *options], {**others, "PATH": path} if path != "unset" else others)
"""
NOT_FOUND = "looking in PATH for {}: No such file or directory"


@pytest.mark.only(restarts=True)
@pytest.mark.cause("the name of a program is not looked for as a shell does it")
@pytest.mark.parametrize(
    "name, path, reason",
    (
        ("", "/nowhere:/LONG:HERE", ""),
        ("", "/nowhere::/elsewhere", ""),  # an empty entry means the working directory
        ("", "/nowhere:/elsewhere", NOT_FOUND),
        ("", "unset", NOT_FOUND),
        ("long", "HERE", r"execve argv\[0\]: File name too long"),
    ),
    ids=("later", "working-directory", "not-there", "no-path", "long-name"),
)
def test_a_program_is_looked_for_by_its_name(start, server_name, name, path, reason):
    server = start(wrapper=[sys.executable, "-c", AS_NAMED, name, path])
    if not reason:
        server.restart()
    else:
        server.signal(signal.SIGUSR2)
        server.expect_errors(f"^{server_name}: no restart: {reason.format(server_name)}$")
    server.connect().echo(b"served")


# -- a restart that fails --------------------------------------------------------------------------


FAILURES: dict[str, tuple[str | None, int, str]] = {  # kind: (script, its mode, the reason in the line)
    "missing": (None, 0, "execve .*: No such file or directory"),
    "not executable": ("#!/bin/sh\n", 0o644, "execve .*: Permission denied"),
    "no program": ("\x7fELF nothing more", 0o755, "execve .*: Exec format error"),
    "ends": ("#!/bin/sh\nexit 7\n", 0o755, r"the new program ended before it listened \(exit status 7\)"),
    "crashes": ("#!/bin/sh\nkill -SEGV $$\n", 0o755, r"the new program ended before it listened \(signal 11\)"),
    "hangs": ("#!/bin/sh\nexec sleep 1000\n", 0o755, "the new program did not listen within --restart-timeout"),
    "ends late": ("#!/bin/sh\nsleep 0.3\nexit 7\n", 0o755,
                  r"the new program ended before it listened \(exit status 7\)"),
    "deaf": ("#!/bin/sh\nexec 4>&-\nexec sleep 1000\n", 0o755,
             r"the new program ended before it listened \(signal 9\)"),
    # They end a program that was started with the mask and the actions that its parent was started with.
    "SIGTERM": ("#!/bin/sh\nkill -TERM $$\nexit 7\n", 0o755,
                r"the new program ended before it listened \(signal 15\)"),
    "SIGPIPE": ("#!/bin/sh\nkill -PIPE $$\nexit 7\n", 0o755,
                r"the new program ended before it listened \(signal 13\)"),
}  # fmt: skip
TIMEOUTS = {"hangs": "0.3", "ends late": "0"}  # 0: the old program waits as long as it takes


@pytest.mark.only(restarts=True)
@pytest.mark.cause("a restart that fails stops the old server, or leaves it unable to restart later")
@pytest.mark.parametrize("kind", FAILURES)
def test_a_restart_that_fails_changes_nothing(start, server_name, tmp_path, kind):
    options = ("--restart-timeout", TIMEOUTS[kind]) if kind in TIMEOUTS else ()
    replaced = Replaced(server_name, tmp_path)
    server, (script, mode, reason) = start(*DRAINS_LONG, *options, program=replaced.path), FAILURES[kind]
    peer = server.connect()
    peer.echo(b"before")
    before = kernel.descriptors(server.pid)
    if script is None:
        replaced.path.unlink()
    else:
        replaced.replace(script, mode)
    server.signal(signal.SIGUSR2)
    server.expect_errors(f"^{server_name}: no restart: {reason}$")
    peer.echo(b"after")
    server.connect().echo(b"still accepting")
    assert kernel.descriptors(server.pid) == before + 1
    replaced.replace(None)
    if kind == "hangs":  # a machine under load may need longer than that for the good one
        return
    server.restart()
    server.connect().echo(b"of the new one")


@pytest.mark.only(restarts=True)
@pytest.mark.cause("no descriptor is left for a restart, and the server stops or forgets one")
def test_a_restart_without_descriptors(start):
    server = start()
    server.connect().echo(b"x")
    before = kernel.descriptors(server.pid)
    soft, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    for spare in range(4):  # two pipes, one after the other
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (before + spare, hard))
        server.signal(signal.SIGUSR2)
        server.expect_errors("no restart: pipe of a restart: Too many open files", spare + 1)
        assert kernel.descriptors(server.pid) == before
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (before + 4, hard))
    server.signal(signal.SIGUSR2)  # enough for this process; its child needs three more
    server.expect_errors("no restart: execve .*: Too many open files")
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (soft, hard))
    server.restart()
    server.connect().echo(b"of the new one")


WAITS = """#!/bin/sh
{deaf}
echo started > {started}
read line < {gate}
exec {program} "$@"
"""


def held_back(replaced: Replaced, directory: Path, deaf: str = "") -> tuple[Path, Path]:
    """The new program waits until somebody writes to the second path; the first one says that it has begun."""
    started, gate = directory / "started", directory / "gate"
    os.mkfifo(gate)
    replaced.replace(WAITS.format(deaf=deaf, started=started, gate=gate, program=replaced.good))
    return started, gate


def restarting(start, server_name: str, directory: Path, deaf: str = "") -> tuple[Server, int, Path]:
    """In the middle of a restart: the server, the process of the new program, and the gate that holds it back."""
    replaced = Replaced(server_name, directory)
    server = start(*DRAINS_LONG, program=replaced.path)
    started, gate = held_back(replaced, directory, deaf)
    server.signal(signal.SIGUSR2)
    waiting.until(started.exists, "the new program running")
    (child,) = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return server, int(child), gate


@pytest.mark.only(restarts=True)
@pytest.mark.cause("the old server stops accepting before the new one listens, or begins a second restart")
def test_while_the_new_program_starts(start, server_name, tmp_path):
    server, _, gate = restarting(start, server_name, tmp_path)
    for i in range(5):
        server.connect().echo(payload(100, i))
    server.signal(signal.SIGUSR2)
    server.expect_errors("no restart: one is under way")
    assert_few_wake_ups(server, server.pid, lambda: None)
    gate.write_text("go on\n")
    server.wait_successor()
    server.connect().echo(b"of the new one")


@pytest.mark.only(restarts=True)
@pytest.mark.cause("a stop leaves the new program running, which nobody asked for")
@pytest.mark.parametrize("deaf", ("", "trap '' TERM"), ids=("hears", "deaf"))
def test_a_stop_while_the_new_program_starts_stops_both(start, server_name, tmp_path, deaf):
    """Our servers have SIGTERM blocked from their first steps on, so one that hangs then is deaf."""
    server, child, _ = restarting(start, server_name, tmp_path, deaf)
    server.connect().echo(b"x")
    server._close_peers()
    server.signal(signal.SIGTERM)
    assert server.process.wait(waiting.PATIENCE) == 0
    waiting.until(lambda: kernel.is_gone(child), "the new program gone")


@pytest.mark.only(restarts=True)
@pytest.mark.cause("a signal that reaches the new program before it can look ends it")
def test_a_signal_for_all_processes_reaches_the_new_program_early(start, server_name, tmp_path):
    """systemctl kill sends it to every process of a service. It waits, and the new program restarts in its turn."""
    server, child, gate = restarting(start, server_name, tmp_path)
    os.kill(child, signal.SIGUSR2)
    gate.write_text("go on\n")
    first, _ = server.wait_error("listens now", 2)
    assert f"process {child} listens now" in first
    server.wait_successor()
    server.connect().echo(b"of the third one")


@pytest.mark.only(restarts=True, transport="tls")
@pytest.mark.cause("SIGHUP, which makes a server read its certificates again, ends the one that begins")
def test_a_hangup_for_all_processes_waits_too(start, server_name, tmp_path):
    server, child, gate = restarting(start, server_name, tmp_path)
    os.kill(child, signal.SIGHUP)
    gate.write_text("go on\n")
    assert server.wait_successor() == child
    server.connect().echo(b"of the new one")


@pytest.mark.only(restarts=True)
@pytest.mark.cause("the exit status of a child that nobody can ask for is said to be 0")
def test_a_restart_that_fails_where_sigchld_is_ignored(start, server_name, tmp_path):
    replaced = Replaced(server_name, tmp_path)
    server = start(
        *DRAINS_LONG, program=replaced.path, preexec=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    )
    replaced.replace("#!/bin/sh\nexit 7\n", 0o755)
    server.signal(signal.SIGUSR2)
    server.expect_errors(f"^{server_name}: no restart: the new program ended before it listened$")


@pytest.mark.only(restarts=True)
@pytest.mark.cause("SIGUSR2 during a stop begins a restart")
def test_no_restart_during_a_stop(start):
    server = start(*DRAINS_LONG)
    peer = server.connect()
    peer.echo(b"x")
    server.signal(signal.SIGTERM)
    peer.expect_end()
    server.signal(signal.SIGUSR2)
    server.expect_errors("no restart: this server is ending")
    peer.close()
    assert server.wait_exit() == 0


@pytest.mark.cause("the new program accepts although the old server has given it up")
def test_a_new_program_that_nobody_waits_for_ends(server_name, listening):
    """The old server has closed its end of the pipe: it has given up, and goes on itself. So who waits is its peer."""
    if servers.absent(server_name):
        pytest.skip(servers.absent(server_name))
    waiting_peers = [socket.create_connection(listening.getsockname()) for _ in range(3)]
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(
        [*supervisor(listening.fileno()), *tls.command(server_name, "--port", "0")],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, pass_fds=[listening.fileno(), writing],
        env={**os.environ, "READY_FD": str(writing)}, timeout=waiting.PATIENCE,
    )
    os.close(writing)
    assert result.returncode == 1
    assert result.stderr.startswith(f"{server_name}: write READY_FD: Broken pipe\n")
    listening.setblocking(False)
    for peer in waiting_peers:
        listening.accept()[0].close()  # BlockingIOError: it is not in the queue any more
        peer.close()
