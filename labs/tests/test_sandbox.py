"""The sandbox against programs that try everything (hostile.c), at each level that this machine has."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from grader import level, listeners, profile, sandbox
from grader.host import MOST_OUTPUT, HostFault, Launch, Refused
from grader.level import Level
from suite import kernel, strace, waiting

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="namespaces and seccomp are Linux's")

HERE = Path(__file__).parent
NAME = f"hostile-{os.getpid()}"  # so that nobody takes the processes of another worker, or of another run, for ours
FOUND = level.find()
USER = FOUND.user
STRONG = Level("", FOUND.network, USER)
WEAK = Level("it is tested", (), USER)
needs_strong = pytest.mark.skipif(bool(FOUND.why_weak), reason=FOUND.why_weak)
needs_strace = pytest.mark.skipif(strace.NO_TRACE is not None, reason=str(strace.NO_TRACE))
LEVELS = (pytest.param(STRONG, id="bubblewrap", marks=needs_strong), pytest.param(WEAK, id="weak"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the sandbox's user finds it, at the weak level, too: pytest's own directories are closed to others."""
    folder = Path("/tmp") / NAME
    folder.mkdir(mode=0o755)
    source = HERE / "hostile.c"
    program = folder / NAME
    subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-o", str(program), str(source)], check=True)
    yield program
    shutil.rmtree(folder)


def run(of: Level, hostile: Path, what: str, within: float = 60, **more) -> tuple[int | None, str]:
    """Its exit status and its standard output."""
    kind = more.pop("profile", profile.SERVER)
    with sandbox.SandboxHost(of, kind).start(hostile, Launch((what,), **more)) as running:
        status = running.wait(within)
        return status, running.output()[0].decode()


def left(what: str) -> list[str]:
    return [line for line in kernel.command_lines() if line.strip().endswith(f"{NAME} {what}")]


# -- how it ends -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", LEVELS)
def test_the_exit_status_is_the_program_s_own(of, hostile):
    assert run(of, hostile, "end")[0] == 3
    assert run(of, hostile, "crash")[0] == -6


@pytest.mark.parametrize("of", LEVELS)
def test_a_grader_may_be_nicer_than_its_programs(of, hostile):
    """In the sandbox nobody may become less nice."""
    with ProcessPoolExecutor(1, initializer=os.nice, initargs=(15,)) as nicer:
        assert nicer.submit(run, of, hostile, "end").result() == (3, "")


@pytest.mark.parametrize("of", LEVELS)
def test_what_is_written_to_it_and_by_it_arrives(of, hostile):
    data = bytes(range(256)) * 100
    with sandbox.SandboxHost(of).start(hostile, Launch(("echo",), stdin=data)) as running:
        assert running.wait(60) == 0 and running.output()[0] == data


@pytest.mark.parametrize("user", [0, 1000, 1 << 32])
def test_the_sandbox_s_user_is_nobody_of_this_machine(user):
    """All processes of that user are ended."""
    with pytest.raises(ValueError, match=f"user {user}: the grader's own users are"):
        Level("it is tested", (), user)


@pytest.mark.parametrize("of", LEVELS)
def test_nothing_survives(of, hostile):
    """A double fork in a session of its own, which ignores SIGTERM."""
    with sandbox.SandboxHost(of).start(hostile, Launch(("survive",))) as running:
        assert running.wait(60) == 0
        if of.why_weak:
            assert left("survive")  # so there was something to end
    assert not left("survive")


@pytest.mark.parametrize("of", LEVELS)
def test_a_fork_bomb_is_bounded_and_ended(of, hostile):
    with sandbox.SandboxHost(of).start(hostile, Launch(("fork-bomb",))) as running:
        waiting.until(lambda: len(left("fork-bomb")) > 10, "many processes")
        another = Level(of.why_weak, (), USER and USER + 100_000)
        with sandbox.SandboxHost(another).start(hostile, Launch(("end",))) as other:
            assert other.wait(60) == 3  # another user's submission is not starved
        assert len(running.processes()) <= profile.SERVER.processes + 1
    assert not left("fork-bomb")


@pytest.mark.parametrize("of", LEVELS)
def test_no_zombie_is_left(of, hostile):
    """A zombie counts in RLIMIT_NPROC, and whoever adopts it may never ask for it: this process does not."""
    kernel.adopt_orphans()
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = children.read_text().split()
    with sandbox.SandboxHost(of).start(hostile, Launch(("fork-bomb",))):
        waiting.until(lambda: len(left("fork-bomb")) > 10, "many processes")
    assert [pid for pid in children.read_text().split() if pid not in before] == []


@needs_strong
def test_signals_to_all_reach_nobody_else(hostile):
    with sandbox.SandboxHost(STRONG).start(hostile, Launch(("signal-all",))) as running:
        running.wait(60)
    with sandbox.SandboxHost(STRONG).start(hostile, Launch(("listen",))) as running:
        run(STRONG, hostile, "signal-all")
        assert running.alive()


@pytest.mark.parametrize("of", LEVELS)
def test_who_grades_is_not_reached_by_signals(of, hostile):
    if of.why_weak and USER is None:
        pytest.skip("without root, the weak level has no other user")
    run(of, hostile, "signal-all")


@pytest.mark.skipif(USER is None, reason="only root can be another user")
def test_the_weak_level_keeps_nothing_from_one_program_to_the_next(hostile):
    ours = hostile.with_name("ours")
    ours.write_text("stays")
    run(WEAK, hostile, "disk-bomb")
    assert not list(Path("/tmp").glob("big-*")) and ours.exists()


# -- what it may use ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", LEVELS)
def test_memory_is_bounded_for_all_its_processes_together(of, hostile):
    with sandbox.SandboxHost(of).start(hostile, Launch(("memory-bomb",))) as running:
        assert running.wait(120) == -9
        assert running.killed_because == "its processes used more than 256 MiB of memory"
    assert not left("memory-bomb")


@needs_strong
def test_the_disk_is_bounded(hostile):
    status, said = run(STRONG, hostile, "disk-bomb")
    assert status in (0, -25) and (status or said == "16 MiB\n")  # 25: SIGXFSZ, at the limit of one file


@needs_strong
def test_the_number_of_files_is_bounded(hostile):
    with sandbox.SandboxHost(STRONG).start(hostile, Launch(("file-bomb",))) as running:
        assert running.wait(60) == -9 and running.killed_because == "it made more than 500 files"


@pytest.mark.parametrize("of", LEVELS)
def test_descriptors_are_bounded(of, hostile):
    status, said = run(of, hostile, "descriptor-bomb")
    assert status == 0 and said == f"{1024 - 3}: Too many open files\n"


@pytest.mark.parametrize("of", LEVELS)
def test_output_without_end_is_kept_to_a_bound(of, hostile):
    status, said = run(of, hostile, "flood")
    assert status == 0 and said == "x" * MOST_OUTPUT


@pytest.mark.parametrize("of", LEVELS)
def test_who_prints_without_end_is_ended(of, hostile):
    with sandbox.SandboxHost(of, profile.PROGRAM).start(hostile, Launch(("flood-without-end",))) as running:
        assert running.wait(60) == -9 and running.killed_because == "it printed more than 1 MiB"


# -- what it sees ------------------------------------------------------------------------------------------------


@needs_strong
def test_it_sees_the_system_s_programs_and_itself(hostile):
    lines = run(STRONG, hostile, "look-around")[1].splitlines()
    told = {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}
    assert sorted(told["/"].split()) == ["bin", "dev", "lab", "launch", "lib", "lib64", "tmp", "usr"]
    assert told["/lab"] == NAME and told["/tmp"] == "" and told["parent"] == "1"
    assert {told[name] for name in ("/proc", "/etc", "/root", "/home")} == {"No such file or directory"}
    assert told["user"] not in ("0", str(os.getuid()))
    assert told["setuid(0)"] in ("Operation not permitted", "Invalid argument")
    assert told["write elsewhere"] == "Read-only file system"


MAKES = ("pipe", "dup", "F_DUPFD", "epoll", "process")
ALWAYS_REFUSED = ("ptrace", "seccomp", "dumpable", "unshare", "clone", "memfd")


@pytest.mark.parametrize("of", LEVELS)
def test_the_kernel_answers_the_same_with_and_without_a_tracer(of, hostile, tmp_path):
    said = run(of, hostile, "ask-the-kernel")[1]
    answers = dict(line.split(": ") for line in said.splitlines())
    assert {answers[name] for name in ALWAYS_REFUSED} == {"Operation not permitted"}
    assert answers["io_uring"] == "Function not implemented"
    assert answers["netlink"] == "Address family not supported by protocol"
    assert {answers[name] for name in MAKES} == {"done"}
    if strace.NO_TRACE is None:
        assert run(of, hostile, "ask-the-kernel", trace=tmp_path / "trace")[1] == said


@pytest.mark.parametrize("of", LEVELS)
def test_who_predicts_what_a_call_does_cannot_ask_the_kernel(of, hostile):
    said = run(of, hostile, "ask-the-kernel", profile=profile.PROGRAM)[1]
    answers = dict(line.split(": ") for line in said.splitlines())
    assert {answers[name] for name in MAKES} == {"Operation not permitted"}


# -- where it listens --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", LEVELS)
@pytest.mark.parametrize("what", ("listen", "listen-in-a-child"))
def test_the_address_is_the_kernel_s_word(of, what, hostile):
    with sandbox.SandboxHost(of).start(hostile, Launch((what,))) as running:
        assert running.address[0] == "127.0.0.1" and running.address[1] > 1
        socket.create_connection(running.address).close()


@pytest.mark.parametrize("of", LEVELS)
def test_the_ready_line_of_another_s_port_is_no_listener(of, hostile):
    with socket.create_server(("127.0.0.1", 0)):
        with sandbox.SandboxHost(of).start(hostile, Launch(("only-say",))) as running:
            with pytest.raises(Refused, match=r"does not listen on any TCP port \(it sleeps\)") as refused:
                assert running.address
            assert refused.value.out == b"listening on 127.0.0.1:9000\n"


@pytest.mark.parametrize("of", LEVELS)
def test_who_ends_before_it_listens_is_refused_with_its_status(of, hostile):
    with sandbox.SandboxHost(of).start(hostile, Launch(("end",))) as running:
        with pytest.raises(Refused, match=r"ended before it listened \(exit status 3\)"):
            assert running.address


@pytest.mark.parametrize("of", LEVELS)
def test_what_is_no_program_is_refused(of, hostile):
    other = hostile.with_name("words")
    other.write_text("no program\n")
    other.chmod(0o755)
    with sandbox.SandboxHost(of).start(other, Launch()) as running:
        with pytest.raises(Refused, match="cannot be executed: Exec format error"):
            assert running.address


def test_addresses_of_proc():
    with socket.create_server(("127.0.0.1", 0)) as one:
        assert listeners.listening([os.getpid()]) == one.getsockname()
        assert listeners.listening([], os.getuid()) is not None and listeners.listening([]) is None
    assert listeners._address("0100007F:2328") == ("127.0.0.1", 9000)
    assert listeners._address("00000000000000000000000001000000:0050") == ("::1", 80)


# -- the observer ------------------------------------------------------------------------------------------------


@needs_strace
@pytest.mark.parametrize("of", LEVELS)
def test_the_trace_has_everything_from_the_program_s_first_call_on(of, hostile, tmp_path):
    trace = tmp_path / "trace"
    fault = ("listen:error=EADDRINUSE:when=1",)
    with sandbox.SandboxHost(of).start(hostile, Launch(("listen",), trace=trace, inject=fault)) as running:
        assert running.wait(60) == 1 and b"Address already in use" in running.output()[1]
    calls = [name for name, *_ in strace.calls_of(trace)]
    assert calls[0] == "execve" and calls.count("execve") == 1 and "listen" in calls


@needs_strong
@needs_strace
def test_it_stands_still_until_the_tracer_is_there(hostile):
    with sandbox.SandboxHost(STRONG).start(hostile, Launch(("listen",))) as running:
        assert kernel.memory_bytes(running.pid, "VmRSS") > 0  # /proc shows it to us
        running.signal(19)
        waiting.until(lambda: kernel.state(running.pid) == "T", "a stop")
        running.signal(18)
        running.limit(7, 64, 64)  # RLIMIT_NOFILE
        assert kernel.descriptor_limits(running.pid) == (64, 64)


@needs_strong
def test_each_submission_has_a_network_of_its_own(tmp_path):
    """Nobody in it sees a listener of ours, and its loopback is up."""
    with socket.create_server(("127.0.0.1", 0)) as neighbour:
        code = (
            "import socket, sys; from grader import level; level.enter(*sys.argv[2:])\n"
            "with socket.create_server(('127.0.0.1', 0)) as own: socket.create_connection(own.getsockname())\n"
            "socket.create_connection(('127.0.0.1', int(sys.argv[1])))"
        )
        words = [sys.executable, "-c", code, str(neighbour.getsockname()[1]), *FOUND.words()]
        done = subprocess.run([*FOUND.network, *words], capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines()[-1] == "ConnectionRefusedError: [Errno 111] Connection refused"
    assert "line 3" in done.stderr


def test_without_bubblewrap_the_level_is_weak_and_says_so(monkeypatch, tmp_path):
    for name in ("unshare", "true", "setpriv"):
        found = shutil.which(name)
        assert found
        (tmp_path / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert level.find().name.startswith("weak: ")
    (tmp_path / "unshare").unlink()
    assert "no network namespace here" in level.find().name


def test_a_sandbox_that_does_not_start_is_the_machine_s_fault(hostile, monkeypatch):
    host = sandbox.SandboxHost(STRONG)
    monkeypatch.setattr(host, "command", lambda *_: ["sh", "-c", "echo no namespaces left >&2; exit 1"])
    began = time.monotonic()
    with pytest.raises(HostFault, match="the sandbox does not start: no namespaces left"):
        with host.start(hostile, Launch(("end",))):
            pass
    assert time.monotonic() - began < 30


@needs_strong
@pytest.mark.skipif(USER is None, reason="only root becomes another user")
def test_what_launch_could_not_do_is_said(hostile, monkeypatch):
    whole = sandbox.SandboxHost._bubblewrap

    def without_a_right(host, shown):
        return ["CAP_KILL" if word == "CAP_SETUID" else word for word in whole(host, shown)]

    monkeypatch.setattr(sandbox.SandboxHost, "_bubblewrap", without_a_right)
    with pytest.raises(HostFault, match="launch could not prepare the program: Operation not permitted"):
        run(STRONG, hostile, "end")
