"""python -m bench: the same load for all servers, servers that fail, and results that are resumed after a kill."""

from __future__ import annotations

import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numpy")
pytest.importorskip("jinja2")

from bench import plan, rows  # noqa: E402
from bench.results import Results  # noqa: E402
from bench.rows import Row  # noqa: E402
from suite import kernel, limits, module, servers, waiting  # noqa: E402

pytestmark = pytest.mark.skipif(shutil.which("gnuplot") is None, reason="gnuplot is not installed")

SERVERS = [name for name in servers.FIVE if servers.absent(name) is None]
SOURCE = Path(__file__).resolve().parent


# -- how they are run here -------------------------------------------------------------------------


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A directory of programs: the real ones, with limits that no noise of the machine can reach."""
    directory = tmp_path / "programs"
    directory.mkdir()
    for name in SERVERS:
        (directory / name).symlink_to(servers.program(name).resolve())
    (directory / "microbench_yardstick").symlink_to(servers.program("microbench_yardstick").resolve())
    real = servers.program("loadgen").resolve()
    write_program(directory / "loadgen", f'exec "{real}" "$@" {" ".join(limits.options())}')
    return directory


def write_program(path: Path, command: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)


def fail(build: Path, name: str, failure: str, frames: int) -> None:
    write_program(build / name, f'exec "{sys.executable}" "{SOURCE / "failing_server.py"}" {failure} {frames} "$@"')


def run_name(experiment: str, server: str, point: str) -> str:
    """Of a run."""
    return f"{experiment}-{server}-{point.replace(' ', ',')}-r1"


def run(build: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return module.run("bench", *arguments, BUILD_DIR=str(build), **variables)


def only_set(parent: Path) -> Path:
    (found,) = [path for path in parent.iterdir() if not path.name.startswith(".")]
    return found


def alive(build: Path) -> list[str]:
    """Command lines of the processes that run a program of this directory, if the system shows them."""
    if not kernel.HAS_PROC:
        return []
    return [line for line in kernel.command_lines() if f"{build}/" in line]


# -- runs ------------------------------------------------------------------------------------------


def test_listing_runs_nothing_and_makes_nothing(build: Path, tmp_path: Path) -> None:
    parent = tmp_path / "results"
    options = ("--list", "--mode", "smoke", "--seed", 1, "--results-in", parent)
    result = run(build, *options, "--only", "E1", "E4", "epoll_lt", "epoll_et")
    assert result.returncode == 0, result.stdout + result.stderr
    expected = [each for each in plan.ordered("smoke", 1) if re.match("E(1|4-[a-z]*)-epoll_[le]t-", each.name)]
    assert [line.split()[0] for line in result.stdout.splitlines()] == [each.name for each in expected] != []
    skipped = [line for line in result.stdout.splitlines() if line.endswith("  skipped: microbench_wait is not built")]
    assert len(skipped) == sum(each.experiment.name != "E1" for each in expected)
    assert not parent.exists()


def test_the_same_seed_gives_every_server_the_same_load_twice(build: Path, tmp_path: Path) -> None:
    hashes: dict[str, set[str]] = {}
    for parent in (tmp_path / "one", tmp_path / "two"):
        names = [run_name("E1", server, "connections=10") for server in SERVERS]
        names += [run_name("E3-rate", server, "connections=10 rate=2000") for server in SERVERS[:2]]
        result = run(build, "--mode", "smoke", "--seed", 9, "--results-in", parent, "--only", *names)
        assert result.returncode == 0, result.stdout + result.stderr
        found = rows.final(Results.open(only_set(parent)).rows())
        assert len(found) == len(names)
        for row in found:
            hashes.setdefault(row.experiment, set()).add(row.schedule_hash)
            assert row.throughput and row.yardstick_before and row.yardstick_after, row
        planned = [each.key for each in plan.ordered("smoke", 9)]
        assert [row.key for row in found] == sorted((row.key for row in found), key=planned.index)
    assert {name: len(found) for name, found in hashes.items()} == {"E1": 1, "E3-rate": 1}
    assert all(re.fullmatch("[0-9a-f]{16}", each) for found in hashes.values() for each in found)


def test_another_seed_gives_another_load(build: Path, tmp_path: Path) -> None:
    hashes = set()
    for seed in (1, 2):
        parent = tmp_path / str(seed)
        options = ("--mode", "smoke", "--seed", seed, "--results-in", parent)
        result = run(build, *options, "--only", run_name("E1", "poll_srv", "connections=2"))
        assert result.returncode == 0, result.stdout + result.stderr
        hashes |= {row.schedule_hash for row in Results.open(only_set(parent)).rows()}
    assert len(hashes) == 2


def broken_run(build: Path, parent: Path, *arguments: object) -> tuple[subprocess.CompletedProcess[str], list[Row]]:
    """A run in which poll_srv fails: kqueue_srv and select_srv come before or after it."""
    chosen = ("select_srv", "poll_srv", "kqueue_srv")
    only = ("--only", "E1-*-connections=10-r1", *chosen)
    result = run(build, "--mode", "smoke", "--seed", 3, "--results-in", parent, *arguments, *only)
    found = rows.final(Results.open(only_set(parent)).rows())
    assert sorted(row.server for row in found) == sorted(chosen), result.stdout
    assert all(row.verdict == "VALID" for row in found if row.server != "poll_srv"), result.stdout
    return result, [row for row in found if row.server == "poll_srv"]


def test_a_server_that_crashes_is_told_and_the_others_go_on(build: Path, tmp_path: Path) -> None:
    fail(build, "poll_srv", "crash", 20)
    result, (row,) = broken_run(build, tmp_path / "results")
    assert result.returncode == 1
    assert row.verdict == "FAILED" and row.throughput is None
    for word in ("poll_srv", "SIGABRT", "the last words of a failing server"):
        assert word in row.reasons and word in result.stdout, (word, row.reasons)


def test_a_server_that_hangs_is_told_and_killed(build: Path, tmp_path: Path) -> None:
    fail(build, "poll_srv", "hang", 20)
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
    result = run(build, *options, "--only", run_name("E1", "poll_srv", "connections=2"))
    (row,) = rows.final(Results.open(only_set(tmp_path / "results")).rows())
    assert result.returncode == 1 and row.verdict == "FAILED" and "poll_srv did not start" in row.reasons


def test_a_load_generator_that_fails_is_told(build: Path, tmp_path: Path) -> None:
    write_program(build / "loadgen", "echo something is wrong >&2; exit 1")
    options = ("--mode", "smoke", "--results-in", tmp_path / "results")
    result = run(build, *options, "--only", run_name("E1", "poll_srv", "connections=2"))
    (row,) = rows.final(Results.open(only_set(tmp_path / "results")).rows())
    assert result.returncode == 1 and row.verdict == "FAILED"
    assert "loadgen ended with exit status 1" in row.reasons and "something is wrong" in row.reasons


def test_points_that_cannot_be_reached_are_skipped_with_the_reason(build: Path, tmp_path: Path) -> None:
    parent = tmp_path / "results"
    wait = run_name("E4-wait", "poll_srv", "watched=100 ready=1 place=last")
    result = run(build, "--results-in", parent, "--only", "E1-select_srv-connections=10000-*", wait)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "skipped: 2 runs: select_srv: more connections than FD_SETSIZE" in result.stdout
    assert "skipped: 1 run: microbench_wait is not built" in result.stdout
    assert "nothing was run" in result.stderr
    assert not parent.exists(), "nothing was run, so there are no results"


def test_pictures_that_fail_change_the_exit_status(build: Path, tmp_path: Path) -> None:
    options = ("--mode", "smoke", "--results-in", tmp_path / "results")
    result = run(build, *options, "--only", run_name("E1", "poll_srv", "connections=2"), PATH=str(tmp_path))
    assert result.returncode == 1 and "gnuplot: not found" in result.stderr, result.stdout + result.stderr
    assert (only_set(tmp_path / "results") / "verdicts.json").exists(), "the other steps are taken all the same"


# -- going on --------------------------------------------------------------------------------------


def count_rows(parent: Path) -> int:
    """Whole lines below the header of the only set; 0 if there is none yet."""
    found = list(parent.glob("[0-9]*/runs.csv"))
    return max(0, found[0].read_text().count("\n") - 1) if found else 0


def end_after(build: Path, parent: Path, count: int, number: signal.Signals, *arguments: object) -> tuple[int, str]:
    """Starts a run and sends it a signal as soon as there are so many rows and a server. Returns how it ended and what
    it printed. Nothing of it runs any more then."""
    with (parent / "output").open("w") as output:
        environment = module.environment(BUILD_DIR=str(build))
        process = subprocess.Popen(module.command("bench", *arguments), env=environment, stdout=output, stderr=output)
    try:
        waiting.until(
            lambda: process.poll() is not None
            or (count_rows(parent) >= count and (alive(build) or not kernel.HAS_PROC)),
            f"{count} rows, and a server",
        )
        assert process.poll() is None, (parent / "output").read_text()
        process.send_signal(number)
        status = process.wait(waiting.PATIENCE)
    finally:
        process.kill()
        process.wait()
    if kernel.HAS_PROC:
        waiting.until(lambda: not alive(build), f"no process left, but there is {alive(build)}")
    return status, (parent / "output").read_text()


def test_a_killed_run_is_resumed_to_the_complete_set(build: Path, tmp_path: Path) -> None:
    parent = tmp_path / "results"
    parent.mkdir()
    only = ("--only", "E1", "select_srv", "poll_srv", "kqueue_srv")
    options = ("--mode", "smoke", "--seed", 4, "--results-in", parent)
    end_after(build, parent, 0, signal.SIGKILL, *options, *only)
    directory = only_set_of(parent)
    for count in (1, 3):
        end_after(build, parent, count, signal.SIGKILL, "--resume", directory, *only)
    with (directory / "runs.csv").open("a") as file:
        file.write("runs/3,E1,poll_srv,connec")  # as a kill in the middle of a write leaves it
    result = run(build, "--resume", directory, *only)
    assert result.returncode == 0, result.stdout + result.stderr
    found = Results.open(directory).rows()
    assert len(found) == len({(row.key, row.attempt) for row in found}), "a run was made twice"
    expected = {each.key for each in plan.choose(plan.ordered("smoke", 4), only[1:])}
    assert {row.key for row in found} == expected and len(expected) == 6
    assert {row.verdict for row in rows.final(found)} == {"VALID"}
    listed = run(build, "--resume", directory, *only, "--list")
    assert (listed.returncode, listed.stdout) == (0, ""), "nothing is missing"
    again = run(build, "--resume", directory, *only)
    assert again.returncode == 0 and len(Results.open(directory).rows()) == len(found)
    assert "report.html" in again.stdout, "results that are complete are drawn again"


def test_a_session_with_another_build_stands_in_the_results(build: Path, tmp_path: Path) -> None:
    """A change that nobody has committed, between two parts of a run."""
    only = ("--only", "E1-*-connections=10-r1")
    done = run(build, "--mode", "smoke", "--results-in", tmp_path / "results", *only, "poll_srv")
    assert done.returncode == 0, done.stdout + done.stderr
    write_program(build / "poll_srv", f'exec "{servers.program("poll_srv").resolve()}" "$@"')
    path = only_set(tmp_path / "results")
    again = run(build, "--resume", path, *only, "epoll_lt")
    assert "note: changed since the last session: programs: another build of poll_srv" in again.stdout
    (later,) = path.glob("fingerprint-*.json")
    page = (path / "report.html").read_text()
    assert "The rows come from 2" in page and later.stem.removeprefix("fingerprint-") in page
    assert "From 2 machines or builds" in (path / "charts" / "scaling_throughput.svg").read_text()
    run(build, "--resume", path, *only)
    assert len(list(path.glob("fingerprint-*.json"))) == 1, "nothing has changed since"


def test_a_run_that_failed_is_made_once_more(build: Path, tmp_path: Path) -> None:
    """By RESUME alone, and the crash is still told afterwards."""
    fail(build, "poll_srv", "crash", 20)
    broken_run(build, tmp_path / "results")
    path = only_set(tmp_path / "results")
    only = ("--only", "E1-*-connections=10-r1", "select_srv", "poll_srv", "kqueue_srv")
    again = run(build, "--resume", path, *only)
    assert again.returncode == 1 and "FAILED: E1 poll_srv" in again.stdout
    write_program(build / "poll_srv", f'exec "{servers.program("poll_srv").resolve()}" "$@"')
    assert run(build, "--resume", path, *only).returncode == 0
    made = [row for row in Results.open(path).rows() if row.server == "poll_srv"]
    assert [(row.attempt, row.verdict) for row in made] == [(1, "FAILED"), (2, "FAILED"), (3, "VALID")]
    page = (path / "report.html").read_text()
    assert page.count("E1 poll_srv connections=10, repeat 1, attempt ") == 2 and "SIGABRT" in page
    done = run(build, "--resume", path, *only)
    assert done.returncode == 0 and "no run is missing" in done.stdout and len(Results.open(path).rows()) == 5


def test_a_second_session_at_the_same_time_is_refused(build: Path, begun: Path, tmp_path: Path) -> None:
    """Also beside the session that has made the set. Only looking at it is allowed."""
    write_program(build / "poll_srv", "kill -STOP $$")  # it never says that it is ready
    only = ("--only", "E1-poll_srv-connections=2-r1")
    waits = ("--patience", 300, *only)
    for place in (("--resume", begun), ("--mode", "smoke", "--results-in", tmp_path / "new")):
        first = subprocess.Popen(
            module.command("bench", *place, *waits), env=module.environment(BUILD_DIR=str(build)),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            assert first.stdout is not None
            said = iter(first.stdout.readline, "")
            assert any("can continue" in line for line in said), "it has begun"
            path = begun if "--resume" in place else only_set_of(tmp_path / "new")
            second = run(build, "--resume", path, *only)
            assert second.returncode == 2 and second.stdout == ""
            assert f"{path}: another process is adding runs to these results" in second.stderr
            assert run(build, "--resume", path, *only, "--list").stdout.count("\n") == 1
        finally:
            first.send_signal(signal.SIGINT)
            first.communicate(timeout=waiting.PATIENCE)
    write_program(build / "poll_srv", f'exec "{servers.program("poll_srv").resolve()}" "$@"')
    assert run(build, "--resume", begun, *only).returncode == 0, "the end of the first one has set it free"


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM, signal.SIGHUP), ids=lambda number: number.name)
def test_an_interrupted_run_says_how_to_continue(build: Path, tmp_path: Path, number: signal.Signals) -> None:
    parent = tmp_path / "results"
    parent.mkdir()
    options = ("--mode", "smoke", "--results-in", parent, "--only", "E1")
    status, said = end_after(build, parent, 1, number, *options)
    assert status == 130 and f"make bench RESUME={only_set_of(parent)}" in said
    assert "Traceback" not in said and "report" not in said, "what is incomplete is not drawn"


DROPPED = """
import os, signal, subprocess, time
from bench import program
program.interrupted_by_signals()
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGTERM))
subprocess.run(["true"], preexec_fn=lambda: None)
program.run(lambda: time.sleep(1000))
"""


def test_an_interrupt_in_the_middle_of_a_fork_is_not_lost() -> None:
    """Python drops what a handler raises in there; the logging module, for one, has it run code around each fork."""
    done = subprocess.run(
        [sys.executable, "-c", DROPPED], env=module.environment(), stderr=subprocess.PIPE, text=True, timeout=60
    )
    assert done.returncode == 130 and done.stderr == "interrupted\n"


def test_a_reader_that_goes_away_does_not_end_the_run_in_silence(build: Path, tmp_path: Path) -> None:
    """make bench | head: head ends after its lines."""
    place = ("--mode", "smoke", "--results-in", tmp_path / "results", "--only", "E1")
    process = subprocess.Popen(
        module.command("bench", *place), env=module.environment(BUILD_DIR=str(build)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    path = only_set(tmp_path / "results")
    assert process.wait(waiting.PATIENCE) == 1
    assert errors == f"bench: nobody reads the output any more; to continue: make bench RESUME={path}\n"


def test_a_full_disk_says_which_file_and_how_to_go_on(build: Path, begun: Path) -> None:
    """A limit on the size of a file stands for the disk: the fingerprint of this build is larger."""
    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))

    command = module.command("bench", "--resume", begun, "--only", run_name("E1", "poll_srv", "connections=2"))
    environment = module.environment(BUILD_DIR=str(build))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, preexec_fn=no_room)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    told = re.escape(f"bench: {begun}/fingerprint-") + r"\w+\.json: File too large; to continue: make bench RESUME="
    assert re.fullmatch(told + re.escape(f"{begun}\n"), done.stderr), done.stderr
    assert run(build, "--resume", begun, "--only", run_name("E1", "poll_srv", "connections=2")).returncode == 0


def test_an_interrupt_while_a_server_starts_ends_the_run_at_once(build: Path, tmp_path: Path) -> None:
    parent = tmp_path / "results"
    parent.mkdir()
    write_program(build / "poll_srv", "kill -STOP $$")  # it never says that it is ready
    options = ("--mode", "smoke", "--results-in", parent, "--patience", 300, "--only", "E1", "poll_srv")
    status, said = end_after(build, parent, 0, signal.SIGINT, *options)
    assert status == 130 and "Traceback" not in said


def only_set_of(parent: Path) -> Path:
    (found,) = parent.glob("[0-9]*")
    return found


@pytest.fixture
def begun(build: Path, tmp_path: Path) -> Path:
    return Results.create(tmp_path / "results", "smoke", 4, False, 20000).path


@pytest.mark.parametrize(
    "arguments, said",
    [(("--mode", "full"), "mode 'smoke', not 'full'"), (("--seed", "5"), "seed 4, not 5")],
)
def test_a_resume_keeps_its_settings(build: Path, begun: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run(build, "--resume", begun, *arguments)
    assert result.returncode == 2
    assert said in result.stderr and str(begun) in result.stderr
    assert "Traceback" not in result.stderr
    assert not (begun / "runs.csv").exists()


def test_pinned_results_are_not_resumed_unpinned(build: Path, tmp_path: Path) -> None:
    path = Results.create(tmp_path / "results", "smoke", 4, True, 20000).path
    result = run(build, "--resume", path, "--unpinned")
    assert result.returncode == 2 and "pinned True, not False" in result.stderr


def test_a_directory_that_is_no_result_set_is_refused(build: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        result = run(build, "--resume", path)
        assert result.returncode == 2 and str(path) in result.stderr
        assert "Traceback" not in result.stderr


def test_results_of_another_kind_are_not_resumed(build: Path, tmp_path: Path) -> None:
    """Their head would then tell of the new rows what is true of the old ones only."""
    def kept(parent: Path, row: Row) -> Path:
        made = Results.create(parent, "smoke", 4, False, 20000)
        made.add(row)
        return made.path

    million = kept(tmp_path / "million", Row("E15", "poll_srv", "watched=100 kind=eventfd", 1, 1, 4, "VALID", wait=1.0))
    counts = kept(tmp_path / "counts", Row("E16", "poll_srv", "watched=10 ready=1 what=cycle", 1, 1, 4, "VALID"))
    Results.open(counts).describe("guest", {"kernel": "6.1", "emulator": "QEMU 7"})
    for path, program, said in (
        (counts, "bench", "counts of make bench-count, which cannot be continued"),
        (counts, "bench.million", "counts of make bench-count, which cannot be continued"),
        (million, "bench", f"to continue: make million RESUME={million}"),
    ):
        before = sorted(path.iterdir())
        only = ("--only", run_name("E1", "poll_srv", "connections=2")) if program == "bench" else ()
        result = module.run(program, "--resume", path, *only, BUILD_DIR=str(build))
        assert result.returncode == 2 and f"{path}: " in result.stderr and said in result.stderr, result.stderr
        assert result.stdout == "" and sorted(path.iterdir()) == before


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("--only", "E1", "nonsense"), "'nonsense' is no experiment"),
        (("--only", "E6", "select_srv"), "no run fits E6 select_srv together"),
        (("--only", "E15"), "E15 is no part of make bench: make million makes it"),
        (("--patience", "0"), "'0' is no number of seconds above 0"),
        (("--patience", "nan"), "'nan' is no number of seconds above 0"),
        (("--patience", "1e300"), "'1e300' is no number of seconds above 0, and a day at most"),
        (("--mode", "fast"), "invalid choice: 'fast'"),
        (("E1",), "unrecognized arguments: E1"),
    ],
)
def test_bad_usage_makes_nothing(build: Path, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run(build, "--results-in", tmp_path / "results", *arguments)
    assert result.returncode == 2 and said in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "results").exists()


def test_results_that_cannot_be_made_are_bad_usage(build: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run(build, "--mode", "smoke", "--results-in", tmp_path / "file", "--only", "E1", "poll_srv")
    assert result.returncode == 2 and str(tmp_path / "file") in result.stderr and "Traceback" not in result.stderr
