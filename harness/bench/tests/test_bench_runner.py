"""The experiments as they are run: the same load for all, servers that fail, going on after a kill."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench import plan, rows
from bench.results import Results
from bench.rows import Row
from suite import kernel, limits, servers, waiting

from suite import generator

SERVERS = [name for name in servers.ALL if servers.absent(name) is None]
SOURCE = Path(__file__).resolve().parent


# -- how they are run here -------------------------------------------------------------------------


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A directory of programs: the real ones, except that no noise of the machine decides a verdict."""
    directory = tmp_path / "programs"
    directory.mkdir()
    for name in SERVERS:
        (directory / name).symlink_to(servers.program(name).resolve())
    real = servers.program("loadgen").resolve()
    write_program(directory / "loadgen", f'exec "{real}" "$@" {" ".join(limits.options())}')
    return directory


def write_program(path: Path, command: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)


def fail(build: Path, name: str, failure: str, frames: int) -> None:
    write_program(build / name, f'exec "{sys.executable}" "{SOURCE / "failing_server.py"}" {failure} {frames} "$@"')


def node(experiment: str, server: str, point: str, repeat: int = 1) -> str:
    path = servers.ROOT / "harness" / "experiments" / "test_runs.py"
    return f"{path}::test_run[{experiment}-{server}-{point.replace(' ', ',')}-r{repeat}]"


def command(*arguments: object) -> list[str]:
    where = [] if any("::" in str(each) for each in arguments) else [str(servers.ROOT / "harness" / "experiments")]
    return [sys.executable, "-m", "pytest", "-p", "no:xdist", *where, *map(str, arguments)]


def environment(build: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    ours = {"BUILD_DIR": str(build), "PYTHONPATH": str(servers.ROOT / "harness"), "PYTHONDONTWRITEBYTECODE": "1"}
    return {**kept, **ours}


def run(build: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    words = command(*arguments)
    return subprocess.run(words, env=environment(build), capture_output=True, text=True, timeout=100)


def only_set(parent: Path) -> Path:
    (found,) = [path for path in parent.iterdir() if not path.name.startswith(".")]
    return found


def alive(build: Path) -> list[str]:
    """Command lines of processes that run a program of this directory, where the system shows them."""
    if not kernel.HAS_PROC:
        return []
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except (OSError, IndexError):
            continue
        if f"{build}/" in line and state not in ("Z", "X"):
            found.append(line)
    return found


# -- runs ------------------------------------------------------------------------------------------


def test_listing_runs_nothing_and_makes_nothing(build: Path, tmp_path: Path) -> None:
    parent = tmp_path / "results"
    result = run(build, "--collect-only", "--mode", "smoke", "--results-in", parent, "-k", "epoll")
    assert result.returncode == 0, result.stdout + result.stderr
    listed = re.findall(r"^\S*test_run\[(.+)\]$", result.stdout, re.MULTILINE)
    expected = [each.name for each in plan.ordered("smoke", 1) if "epoll" in each.name]
    assert expected and sorted(listed) == sorted(expected)
    assert not parent.exists()


def test_the_same_seed_gives_every_server_the_same_load_twice(build: Path, tmp_path: Path) -> None:
    hashes: dict[str, set[str]] = {}
    for parent in (tmp_path / "one", tmp_path / "two"):
        nodes = [node("E1", name, "connections=10") for name in SERVERS]
        nodes += [node("E3-rate", name, "connections=10 rate=2000") for name in SERVERS[:2]]
        result = run(build, *nodes, "--mode", "smoke", "--seed", 9, "--results-in", parent)
        assert result.returncode == 0, result.stdout + result.stderr
        found = rows.final(Results.open(only_set(parent)).rows())
        assert len(found) == len(nodes)
        for row in found:
            hashes.setdefault(row.experiment, set()).add(row.schedule_hash)
            assert row.throughput, row
        planned = [each.key for each in plan.ordered("smoke", 9)]
        assert [row.key for row in found] == sorted((row.key for row in found), key=planned.index)
    assert {name: len(found) for name, found in hashes.items()} == {"E1": 1, "E3-rate": 1}
    assert all(re.fullmatch("[0-9a-f]{16}", each) for found in hashes.values() for each in found)


def test_another_seed_gives_another_load(build: Path, tmp_path: Path) -> None:
    hashes = set()
    for seed in (1, 2):
        parent = tmp_path / str(seed)
        options = ("--mode", "smoke", "--seed", seed, "--results-in", parent)
        result = run(build, node("E1", "poll_srv", "connections=2"), *options)
        assert result.returncode == 0, result.stdout + result.stderr
        hashes |= {row.schedule_hash for row in Results.open(only_set(parent)).rows()}
    assert len(hashes) == 2


def broken_run(build: Path, parent: Path, *arguments: object) -> tuple[subprocess.CompletedProcess[str], list[Row]]:
    """A run in which poll_srv fails: kqueue_srv and select_srv come before or after it."""
    names = ("select_srv", "poll_srv", "kqueue_srv")
    nodes = [node("E1", name, "connections=10") for name in names]
    result = run(build, *nodes, "--mode", "smoke", "--seed", 3, "--results-in", parent, *arguments)
    found = rows.final(Results.open(only_set(parent)).rows())
    assert sorted(row.server for row in found) == sorted(names), result.stdout
    assert all(row.verdict == "VALID" for row in found if row.server != "poll_srv"), result.stdout
    return result, [row for row in found if row.server == "poll_srv"]


def test_a_server_that_crashes_is_told_and_the_others_go_on(build: Path, tmp_path: Path) -> None:
    fail(build, "poll_srv", "crash", 200)
    result, (row,) = broken_run(build, tmp_path / "results")
    assert result.returncode == 1
    assert row.verdict == "FAILED" and row.throughput is None
    for word in ("poll_srv", "SIGABRT", "the last words of a failing server"):
        assert word in row.reasons and word in result.stdout, (word, row.reasons)


def test_a_server_that_hangs_is_told_and_killed(build: Path, tmp_path: Path) -> None:
    fail(build, "poll_srv", "hang", 200)
    result, (row,) = broken_run(build, tmp_path / "results", "--patience", 4)
    assert result.returncode == 1
    assert row.verdict == "FAILED" and row.throughput is None
    for word in ("poll_srv", "hangs", "the last words of a failing server"):
        assert word in row.reasons and word in result.stdout, (word, row.reasons)
    assert alive(build) == []


@pytest.mark.parametrize("text", ["echo nonsense", "exec sleep 60", "echo no such port >&2; exit 1"])
def test_a_server_that_does_not_start_is_told(build: Path, tmp_path: Path, text: str) -> None:
    write_program(build / "poll_srv", text)
    options = ("--mode", "smoke", "--results-in", tmp_path / "results", "--patience", 1)
    result = run(build, node("E1", "poll_srv", "connections=2"), *options)
    (row,) = rows.final(Results.open(only_set(tmp_path / "results")).rows())
    assert result.returncode == 1 and row.verdict == "FAILED" and "poll_srv did not start" in row.reasons


def test_a_load_generator_that_fails_is_told(build: Path, tmp_path: Path) -> None:
    write_program(build / "loadgen", "echo something is wrong >&2; exit 1")
    options = ("--mode", "smoke", "--results-in", tmp_path / "results")
    result = run(build, node("E1", "poll_srv", "connections=2"), *options)
    (row,) = rows.final(Results.open(only_set(tmp_path / "results")).rows())
    assert result.returncode == 1 and row.verdict == "FAILED"
    assert "loadgen ended with exit status 1" in row.reasons and "something is wrong" in row.reasons


def test_points_that_cannot_be_reached_are_skipped_with_the_reason(build: Path, tmp_path: Path) -> None:
    parent = tmp_path / "results"
    wait = node("E4-wait", "poll_srv", "watched=100 ready=1 place=last")
    nodes = [node("E1", "select_srv", "connections=10000"), wait]
    result = run(build, *nodes, "--results-in", parent)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "select_srv: more connections than FD_SETSIZE" in result.stdout
    assert "microbench_wait is not built" in result.stdout
    assert not parent.exists(), "nothing was run, so there are no results"


# -- going on --------------------------------------------------------------------------------------


def count_rows(parent: Path) -> int:
    """Whole lines below the header, of the only set; 0 where there is none yet."""
    found = list(parent.glob("[0-9]*/runs.csv"))
    return max(0, found[0].read_text().count("\n") - 1) if found else 0


def kill_after(build: Path, parent: Path, count: int, *arguments: object) -> None:
    """Starts a run and kills it as soon as there are so many rows. Then nothing of it runs any more."""
    with (parent / "output").open("w") as output:
        process = subprocess.Popen(command(*arguments), env=environment(build), stdout=output, stderr=output)
    try:
        waiting.until(
            lambda: process.poll() is not None
            or (count_rows(parent) >= count and (alive(build) or not kernel.HAS_PROC)),
            f"{count} rows, and a server",
        )
        assert process.poll() is None, (parent / "output").read_text()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    if kernel.HAS_PROC:
        waiting.until(lambda: not alive(build), f"no process left, but there is {alive(build)}")


def test_a_killed_run_goes_on_to_the_complete_set(build: Path, tmp_path: Path) -> None:
    parent = tmp_path / "results"
    parent.mkdir()
    names = ("select_srv", "poll_srv", "kqueue_srv")
    points = ("connections=2", "connections=10")
    nodes = [node("E1", name, point) for name in names for point in points]
    kill_after(build, parent, 0, *nodes, "--mode", "smoke", "--seed", 4, "--results-in", parent)
    directory = only_set_of(parent)
    for count in (1, 3):
        kill_after(build, parent, count, *nodes, "--resume", directory)
    with (directory / "runs.csv").open("a") as file:
        file.write("runs/1,E1,poll_srv,connec")  # as a kill in the middle of a write leaves it
    result = run(build, *nodes, "--resume", directory)
    assert result.returncode == 0, result.stdout + result.stderr
    found = Results.open(directory).rows()
    assert len(found) == len({(row.key, row.attempt) for row in found}), "a run was made twice"
    expected = {each.key for each in plan.ordered("smoke", 4) if each.name in str(nodes)}
    assert {row.key for row in found} == expected and len(expected) == len(nodes)
    assert {row.verdict for row in rows.final(found)} == {"VALID"}
    again = run(build, *nodes, "--resume", directory)
    assert "deselected" in again.stdout and len(Results.open(directory).rows()) == len(found)


def only_set_of(parent: Path) -> Path:
    (found,) = parent.glob("[0-9]*")
    return found


@pytest.fixture
def begun(build: Path, tmp_path: Path) -> Path:
    return Results.create(tmp_path / "results", "smoke", 4, False).path


@pytest.mark.parametrize(
    "arguments, said",
    [(("--mode", "full"), "mode 'smoke', not 'full'"), (("--seed", "5"), "seed 4, not 5")],
)
def test_a_resume_keeps_its_settings(build: Path, begun: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run(build, "--resume", begun, *arguments)
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr and str(begun) in result.stderr
    assert "Traceback" not in result.stderr
    assert not (begun / "runs.csv").exists()


def test_pinned_results_are_not_gone_on_with_unpinned(build: Path, tmp_path: Path) -> None:
    path = Results.create(tmp_path / "results", "smoke", 4, True).path
    result = run(build, "--resume", path, "--unpinned")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR and "pinned True, not False" in result.stderr


def test_a_directory_that_is_no_result_set_is_refused(build: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        result = run(build, "--resume", path)
        assert result.returncode == pytest.ExitCode.USAGE_ERROR and str(path) in result.stderr
        assert "Traceback" not in result.stderr


def test_make_bench_ends_with_2_for_bad_usage(build: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "bench", "--resume", str(tmp_path / "nowhere")]
    result = subprocess.run(words, env=environment(build), capture_output=True, text=True, timeout=100)
    assert result.returncode == 2 and "nowhere" in result.stderr
    words = [sys.executable, "-m", "bench", "--collect-only", "-k", "epoll", "--results-in", str(tmp_path / "results")]
    result = subprocess.run(words, env=environment(build), capture_output=True, text=True, timeout=100)
    assert result.returncode == 0 and not (tmp_path / "results").exists()


def test_runs_are_never_made_in_parallel(build: Path) -> None:
    pytest.importorskip("xdist")
    words = [word for word in command("-n", "2", "--collect-only") if word not in ("-p", "no:xdist")]
    result = subprocess.run(words, env=environment(build), capture_output=True, text=True, timeout=100)
    assert result.returncode == pytest.ExitCode.USAGE_ERROR and "one after another" in result.stderr
