"""Many processes watch their descriptors in one epoll: all are there, the right one is reported, nothing is left, and
what does not fit is said. No test compares a time."""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Optional

import pytest

from suite import kernel, servers, steps, waiting

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="epoll needs Linux")

FEW = 256  # descriptors a process
EACH = FEW - 32  # entries a process: the program keeps the rest
KINDS = {"eventfd": EACH, "tcp": EACH // 2}


def words(*options: object) -> list[str]:
    return [str(servers.program("million")), *map(str, options)]


def few() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FEW))


@contextmanager
def started(*options: object, prepare: Optional[Callable[[], None]] = few) -> Iterator[subprocess.Popen[str]]:
    """The program, in a process group of its own, of which nothing is left afterwards."""
    command = words(*options)
    steps.note(" ".join(command))
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=prepare,
    )  # fmt: skip
    try:
        with process:
            yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def nothing_left(process: subprocess.Popen[str]) -> None:
    """At once: whoever ends the program by a signal does not have to wait for its processes."""
    assert kernel.group_is_gone(process.pid)


def run(*options: object, prepare: Optional[Callable[[], None]] = few) -> subprocess.CompletedProcess[str]:
    with started(*options, prepare=prepare) as process:
        out, errors = process.communicate(timeout=60)
        nothing_left(process)
    assert "Sanitizer" not in errors and "runtime error" not in errors, errors
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def outcome(*options: object) -> dict:
    result = run(*options)
    assert result.returncode == 0 and result.stderr == "" and result.stdout.count("\n") == 1, result
    return json.loads(result.stdout)


def fails(result: subprocess.CompletedProcess[str], *parts: str, status: int = 1) -> None:
    assert result.returncode == status and result.stdout == "", result
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("million: "), result.stderr
    for part in parts:
        assert part in result.stderr


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def children(process: subprocess.Popen[str]) -> list[int]:
    return [int(each) for each in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def files(pid: int) -> dict[int, str]:
    return {int(each.name): os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()}


# -- what is measured ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_asked_and_found_is_printed(kind: str) -> None:
    found = outcome("--watched", 2000, "--kind", kind, "--rounds", 5, "--seed", 7)
    figures = found.pop("figures")
    assert re.fullmatch("[0-9a-f]{16}", found.pop("schedule_hash"))
    assert found == {
        "schema": "microbench/1", "program": "million", "api": "epoll_lt", "implementation": "native", "watched": 2000,
        "kind": kind, "descriptors": 20000, "rounds": 5, "seed": 7, "processes": -(-2000 // KINDS[kind]),
    }  # fmt: skip
    assert set(figures) == {"wait_us", "wait_us_least", "register_us", "calls", "events"}
    assert 0 < figures["wait_us_least"] <= figures["wait_us"] and figures["register_us"] > 0
    assert figures["events"] == figures["calls"] >= 5 * 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.cause("a process registers another number of its descriptors, or another's, or under another name")
def test_the_kernel_has_an_entry_for_each_and_its_process(kind: str) -> None:
    """The kernel lists what an epoll watches, with the data of each entry (proc(5), fdinfo)."""
    with started("--watched", 2000, "--kind", kind, "--rounds", 2, "--stages") as process:
        assert line_of(process) == "made\n"
        go_on(process)
        assert json.loads(line_of(process))["watched"] == 2000
        (epoll,) = [fd for fd, name in files(process.pid).items() if name == "anon_inode:[eventpoll]"]
        text = Path(f"/proc/{process.pid}/fdinfo/{epoll}").read_text()
        data = [int(each, 16) for each in re.findall(r"^tfd:.*data: *([0-9a-f]+)", text, re.MULTILINE)]
        each, holders = KINDS[kind], children(process)
        for pid in holders:
            assert len(files(pid)) <= FEW
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert len(data) == len(set(data)) == 2000
    assert Counter(value >> 32 for value in data) == {i: min(each, 2000 - i * each) for i in range(-(-2000 // each))}
    assert all(value & 0xFFFFFFFF < each for value in data)
    assert len(holders) == -(-2000 // each)


def take_descriptor(pid: int, fd: int) -> Optional[int]:
    """A copy of another process's descriptor (pidfd_getfd(2)); None where that is not allowed."""
    if not hasattr(os, "pidfd_open"):
        return None
    pidfd = os.pidfd_open(pid)
    copy = ctypes.CDLL(None, use_errno=True).syscall(438, pidfd, fd, 0)
    os.close(pidfd)
    return copy if copy >= 0 else None


@pytest.mark.cause("the program does not look at which entry was reported, or at how many")
def test_an_entry_that_is_ready_by_itself_is_noticed() -> None:
    with started("--watched", 500, "--stages") as process:
        assert line_of(process) == "made\n"
        holder = children(process)[1]
        eventfd = next(fd for fd, name in files(holder).items() if name == "anon_inode:[eventfd]")
        copy = take_descriptor(holder, eventfd)
        if copy is None:
            process.terminate()
            pytest.skip("pidfd_getfd(2) is not allowed here")
        os.write(copy, (1).to_bytes(8, sys.byteorder))
        os.close(copy)
        out, errors = process.communicate("\n", timeout=60)
    fails(subprocess.CompletedProcess(process.args, process.returncode, out, errors), "still reported 1 entries")


@pytest.mark.parametrize("api, most", (("poll", 200), ("select", 200)))
@pytest.mark.parametrize("kind", KINDS)
def test_the_others_watch_alone(api: str, most: int, kind: str) -> None:
    found = outcome("--api", api, "--watched", most // (2 if kind == "tcp" else 1), "--kind", kind, "--rounds", 3)
    assert found["processes"] == 1 and "register_us" not in found["figures"]
    assert found["figures"]["events"] == found["figures"]["calls"]


def test_hash_tells_what_was_asked() -> None:
    base = {"--watched": 50, "--kind": "eventfd", "--rounds": 2, "--seed": 1}
    others = ({"--watched": 51}, {"--kind": "tcp"}, {"--rounds": 3}, {"--seed": 2})

    def hash_of(changed: dict[str, object], *more: str) -> str:
        return outcome(*(word for pair in {**base, **changed}.items() for word in pair), *more)["schedule_hash"]

    assert hash_of({}) == hash_of({}, "--api", "poll") == hash_of({}, "--descriptors", "100")
    assert len({hash_of({}), *map(hash_of, others)}) == 5


# -- what does not fit -----------------------------------------------------------------------------


def root(folder: Path, **files_of: str) -> Path:
    """A tree with these files of proc and sys, and no others."""
    places = {
        "watches": "proc/sys/fs/epoll/max_user_watches", "file_max": "proc/sys/fs/file-max", "meminfo": "proc/meminfo",
        "file_nr": "proc/sys/fs/file-nr", "nr_open": "proc/sys/fs/nr_open", "group": "sys/fs/cgroup/memory.max",
        "group_used": "sys/fs/cgroup/memory.current",
    }  # fmt: skip
    for name, text in files_of.items():
        path = folder / places[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


TOO_LITTLE = [
    ({"watches": "1500\n"}, ("max_user_watches is 1500", "sysctl fs.epoll.max_user_watches=2000", ": 1500 fit")),
    ({"file_max": "1700\n", "file_nr": "500\t0\t1700\n"}, ("fs.file-max is 1700, and 500 files are open: 1200 fit",)),
    ({"file_max": "100\n", "file_nr": "500\t0\t100\n"}, ("500 files are open: 0 fit",)),
    ({"meminfo": "MemTotal: 9 kB\nMemAvailable:       2048 kB\n"}, ("2 MiB of memory are free here", "1000 bytes")),
    ({"group": "3000000\n", "group_used": "1000000\n"}, ("1 MiB of memory are free in this control group",)),
    ({"nr_open": "35\n"}, ("the descriptor limit allows 3 entries a process", ": 9 fit")),
    ({"nr_open": "32\n"}, ("too few descriptors for a single entry",)),
]


@pytest.mark.parametrize("present, parts", TOO_LITTLE, ids=[" ".join(present) for present, _ in TOO_LITTLE])
@pytest.mark.parametrize("more", ((), ("--check",)), ids=("", "check"))
def test_what_does_not_fit_is_said_before_anything_is_made(tmp_path: Path, present, parts, more) -> None:
    fails(run("--watched", 2000, "--root", root(tmp_path, **present), *more), "million: 2000 watched: ", *parts)


def test_what_fits_is_made(tmp_path: Path) -> None:
    """The limits themselves fit, and so does a group without a limit."""
    present = {"watches": "2000\n", "file_max": "2500\n", "file_nr": "500 0 2500\n"}
    folder = root(tmp_path, **present, group="max\n", group_used="1\n")
    assert outcome("--watched", 2000, "--root", folder, "--rounds", 1)["watched"] == 2000
    fails(run("--watched", 2001, "--root", folder), ": 2000 fit")


def test_a_check_makes_nothing() -> None:
    result = run("--watched", 2000, "--check")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("more", ((), ("--check",)), ids=("", "check"))
def test_the_others_end_where_one_process_ends(more) -> None:
    fails(run("--api", "poll", "--watched", 300, *more), f"poll: needs 332 descriptors, and the limit is {FEW}")
    fails(run("--api", "select", "--watched", 1010, *more, prepare=None), "select: ends at FD_SETSIZE, which is 1024")


def test_the_soft_limit_is_raised() -> None:
    def soft() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, FEW))

    result = run("--watched", 500, "--rounds", 1, prepare=soft)
    assert json.loads(result.stdout)["processes"] == 3, result


def test_a_limit_of_processes_is_said() -> None:
    """root is exempt, so this runs as nobody."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    if servers.build_dir().name == "coverage":
        pytest.skip("gcov cannot write its counts as nobody, and says so in lines of its own")

    def as_nobody() -> None:
        few()
        resource.setrlimit(resource.RLIMIT_NPROC, (5, 5))
        os.setgid(65534)
        os.setuid(65534)

    try:
        result = run("--watched", 2000, prepare=as_nobody)
    except PermissionError:
        pytest.skip("nobody may not run the program here")
    fails(result, "the limit of processes is 5 (ulimit -u), with 224 entries each: 1120 fit")


# -- how it ends -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM, signal.SIGHUP), ids=lambda number: number.name)
@pytest.mark.parametrize("stage", ("made", "measured"))
@pytest.mark.cause("the processes outlive the program: what they hold stays in the kernel")
def test_a_signal_leaves_no_process_behind(number: signal.Signals, stage: str) -> None:
    with started("--watched", 2000, "--stages", "--rounds", 2) as process:
        assert line_of(process) == "made\n"
        if stage == "measured":
            go_on(process)
            assert line_of(process).startswith("{")
        assert len(children(process)) == 9
        process.send_signal(number)
        assert process.wait(60) == -number
        nothing_left(process)


@pytest.mark.parametrize("count", (1, 4, 8))
def test_a_signal_while_the_processes_are_started(count: int) -> None:
    with started("--watched", 2000, "--stages") as process:
        waiting.until(lambda: len(children(process)) >= count, f"{count} processes")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT
        nothing_left(process)


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    def ignoring() -> None:
        few()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    with started("--watched", 500, "--stages", prepare=ignoring) as process:
        assert line_of(process) == "made\n"
        process.send_signal(signal.SIGINT)
        process.communicate("\n\n", timeout=60)
        assert process.returncode == 0


def test_the_processes_die_with_a_program_that_is_killed() -> None:
    kernel.adopt_orphans()  # as another test may have done: nobody asks for their status then
    with started("--watched", 2000, "--stages") as process:
        assert line_of(process) == "made\n"
        process.kill()
        process.wait(60)
        waiting.until(lambda: kernel.group_is_gone(process.pid), "the end of all its processes")


@pytest.mark.parametrize("place", (0, 4, 8))
@pytest.mark.cause("a process has died and its entries with it, but the figures are still those of all")
def test_a_process_that_dies_is_noticed(place: int) -> None:
    with started("--watched", 2000, "--stages") as process:
        assert line_of(process) == "made\n"
        victim = children(process)[place]
        os.kill(victim, signal.SIGKILL)
        out, errors = process.communicate("\n", timeout=60)
        nothing_left(process)
    lost = f"process {victim}, number {place + 1} of 9, was ended by signal 9"
    fails(subprocess.CompletedProcess(process.args, process.returncode, out, errors), lost, "its entries are lost")


@pytest.mark.cause("a process has died while the kernel's memory was looked at")
def test_a_process_that_dies_at_the_end_is_noticed() -> None:
    with started("--watched", 2000, "--stages", "--rounds", 1) as process:
        assert line_of(process) == "made\n"
        go_on(process)
        assert line_of(process).startswith("{")
        victim = children(process)[5]
        os.kill(victim, signal.SIGKILL)
        waiting.until(lambda: kernel.state(victim) == "Z", "its end")
        out, errors = process.communicate("\n", timeout=60)
    lost = f"process {victim}, number 6 of 9, was ended by signal 9"
    fails(subprocess.CompletedProcess(process.args, process.returncode, out, errors), lost)


def test_output_that_cannot_be_written_is_status_1() -> None:
    with open("/dev/full", "w") as full:
        for more in ((), ("--stages",)):
            done = subprocess.run(
                words("--watched", 100, "--rounds", 1, *more), stdin=subprocess.DEVNULL, stdout=full,
                stderr=subprocess.PIPE, text=True, timeout=60,
            )  # fmt: skip
            assert done.returncode == 1 and "standard output" in done.stderr, done
