"""python -m bench.million: its rows, what it says of a machine with too little room, and that nothing is left."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numpy")
pytest.importorskip("jinja2")

from bench import million, plan, rows  # noqa: E402
from bench.results import Results  # noqa: E402
from suite import kernel, module, servers, waiting  # noqa: E402

pytestmark = [
    pytest.mark.skipif(shutil.which("gnuplot") is None, reason="gnuplot is not installed"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="epoll needs Linux"),
]


@pytest.fixture
def build(tmp_path: Path) -> Path:
    directory = tmp_path / "programs"
    directory.mkdir()
    (directory / "million").symlink_to(servers.program("million").resolve())
    return directory


def replace(build: Path, text: str) -> None:
    """`real` in the text is the program."""
    path = build / "million"
    path.unlink()
    path.write_text(f'#!/bin/sh\nreal="{servers.program("million").resolve()}"\n{text}\n')
    path.chmod(0o755)


def run(build: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    options = ("--mode", "smoke", "--seed", 5, "--results-in", build.parent / "results")
    return module.run("bench.million", *options, *arguments, BUILD_DIR=str(build))


def found(build: Path) -> Results:
    (path,) = [each for each in (build.parent / "results").iterdir() if not each.name.startswith(".")]
    return Results.open(path)


@pytest.mark.parametrize("kind", ("eventfd", "tcp"))
def test_rows_table_chart_and_report(build: Path, kind: str) -> None:
    done = run(build, "--kind", kind)
    assert done.returncode == 0, done.stdout + done.stderr
    results = found(build)
    made = {(row.server, row.point): row for row in results.rows()}
    names = ("select_srv", "poll_srv", "epoll_lt")
    reached = [(name, n) for name in names for n in (100, 1000) if (name, kind, n) != ("select_srv", "tcp", 1000)]
    assert set(made) == {(name, f"watched={n} kind={kind}") for name, n in reached}
    for (name, _), row in made.items():
        assert row.experiment == "E15" and row.verdict == "VALID" and row.wait and row.wait > 0 and row.events == 1
        assert (row.register is not None) == (name == "epoll_lt")
        assert row.kernel_bytes is None and row.objects is None, "too few to be told from the rest of the machine"
    assert len({row.schedule_hash for row in made.values() if "watched=100 " in row.point}) == 1
    assert re.search(r"^ +epoll_lt +1,000 +[\d.]+ +[\d.]+ +- +-$", done.stdout, re.MULTILINE), done.stdout
    assert "select ends at FD_SETSIZE, 1024; poll at the descriptor limit of one process" in done.stdout
    picture = (results.path / "charts" / "million.svg").read_text(encoding="utf-8")
    assert "the descriptor limit of one process" in picture
    assert (results.path / "report.html").exists()


def test_what_does_not_fit_is_said_and_the_rest_is_made(build: Path) -> None:
    folder = build.parent / "root"
    (folder / "proc/sys/fs/epoll").mkdir(parents=True)
    (folder / "proc/sys/fs/epoll/max_user_watches").write_text("500\n")
    replace(build, f'exec "$real" "$@" --root {folder}')
    done = run(build)
    assert done.returncode == 0, done.stdout + done.stderr
    said = [line for line in done.stdout.splitlines() if line.startswith("skipped")]
    assert len(said) == 1 and said[0].startswith("skipped: 1000 watched: fs.epoll.max_user_watches is 500"), done.stdout
    assert said[0].endswith(": 500 fit")
    assert {row.point for row in found(build).rows() if row.server == "epoll_lt"} == {"watched=100 kind=eventfd"}


def test_where_nothing_fits_nothing_is_made(build: Path) -> None:
    replace(build, "echo million: no room >&2; exit 1")
    done = run(build)
    assert done.returncode == 1 and done.stdout.count("skipped: no room") == 6
    assert "nothing was run" in done.stderr and not (build.parent / "results").exists()


@pytest.mark.parametrize(
    "text, part",
    (
        ("echo million: broken >&2; exit 1", "exit status 1, its last lines: million: broken"),
        ("echo made; read line; echo million: late >&2; exit 1", "exit status 1, its last lines: million: late"),
        ('"$real" "$@"; echo million: lost >&2; exit 1', "exit status 1, its last lines: million: lost"),
        ("kill -9 $$", "was ended by SIGKILL"),
        ("echo made; read line; echo nonsense; read line", "printed what cannot be read"),
    ),
)
def test_a_program_that_fails_is_told(build: Path, text: str, part: str) -> None:
    replace(build, f'case "$*" in *--check*) exit 0 ;; esac\n{text}')
    done = run(build)
    assert done.returncode == 1, done.stdout + done.stderr
    for row in found(build).rows():
        assert row.verdict == "FAILED" and part in row.reasons and row.wait is None, row.reasons


def test_what_is_there_is_not_made_again(build: Path) -> None:
    assert run(build).returncode == 0
    path, before = found(build).path, len(found(build).rows())
    done = module.run("bench.million", "--resume", path, BUILD_DIR=str(build))
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(rows.final(Results.open(path).rows())) == len(Results.open(path).rows()) == before


def test_what_is_added_to_results_of_make_bench_is_said(build: Path) -> None:
    """As to the reference run: it is meant, and nobody need find it out from the rows."""
    made = Results.create(build.parent / "results", "smoke", 5, False, 20000)
    made.add(rows.Row("E1", "poll_srv", "connections=2", 1, 1, 4, "VALID", throughput=1.0))
    said = f"note: {made.path} has results of make bench; the runs of E15 are added to them"
    done = module.run("bench.million", "--resume", made.path, BUILD_DIR=str(build))
    assert done.returncode == 0 and done.stdout.splitlines()[0] == said, done.stdout + done.stderr
    assert {row.experiment for row in Results.open(made.path).rows()} == {"E1", "E15"}
    shutil.rmtree(made.path)
    assert run(build).returncode == 0
    done = module.run("bench.million", "--resume", found(build).path, BUILD_DIR=str(build))
    assert "are added" not in done.stdout


@pytest.mark.skipif(not kernel.HAS_PROC, reason=kernel.NO_PROC)
@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM, signal.SIGKILL), ids=lambda number: number.name)
def test_a_signal_leaves_no_process(build: Path, number: signal.Signals) -> None:
    """The program rests at its first stage, with its processes, because its line does not come through."""
    shutil.copy(servers.program("million"), build / "copy")
    replace(build, f'case "$*" in *--check*) exit 0 ;; esac\nexec {build}/copy "$@" >/dev/null')
    words = ("--mode", "smoke", "--seed", epoll_first(), "--results-in", build.parent / "results")
    process = subprocess.Popen(
        module.command("bench.million", *words), env=module.environment(BUILD_DIR=str(build)),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        waiting.until(lambda: len(ours(build)) >= 2, "the program and a process of it")
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    if number == signal.SIGKILL:
        waiting.until(lambda: not ours(build), "the end of the program")
        return
    assert not ours(build)
    assert process.returncode == 130 and "to continue: make million RESUME=" in errors


def epoll_first() -> int:
    """A seed whose first run has processes of its own: poll and select watch alone."""
    chosen = [million.experiment("eventfd")]
    return next(seed for seed in range(100) if plan.ordered("smoke", seed, chosen=chosen)[0].server == "epoll_lt")


def ours(build: Path) -> list[str]:
    """The command lines of the processes that run this copy of the program."""
    return [line for line in kernel.command_lines() if line.startswith(f"{build}/copy")]
