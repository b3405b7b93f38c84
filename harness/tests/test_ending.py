"""What a program in Python says when its output cannot be written: nothing to a pipe whose reader has seen enough, one
line for a full disk, and never a traceback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from suite import module, needs, servers

HELP = ("--help",)
PATHS = f"{servers.ROOT}/harness:{servers.ROOT}/labs"
PRINTS = [
    *((name, HELP) for name in (
        "bench", "bench.charts", "bench.compare", "bench.counts", "bench.fingerprint", "bench.million", "bench.model",
        "bench.nginx", "bench.report", "bench.shapes", "faults.sweep", "loadgen.merge", "microbench.instructions",
        "mutants.runner", "soak", "tracing", "suite.elsewhere", "labkit.check", "labkit.kit", "grader", "selftest",
    )),
    ("bench", ("--list",)),
    ("bench.compare", ("plots/reference", "plots/reference")),
    ("bench.fingerprint", ()),
    ("checks.show", ("read", "poll_srv")),
    ("tracing", ()),
]  # fmt: skip
CALLED = {"faults.sweep": "faults", "loadgen.merge": "merge", "microbench.instructions": "instructions",
          "mutants.runner": "mutants", "checks.show": "read", "tracing": "trace",
          "suite.elsewhere": "elsewhere", "labkit.check": "check", "labkit.kit": "kit"}  # fmt: skip
# What they are for is not the output: unread, it is not done.
UNREAD = {"faults.sweep", "mutants.runner", "soak", "labkit.check", "labkit.kit", "grader", "selftest"}
each = pytest.mark.parametrize("name, words", PRINTS, ids=[" ".join((name, *words)) for name, words in PRINTS])
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")


def run(output: int, name: str, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        module.command(name, *words), env=module.environment(PYTHONPATH=PATHS), cwd=servers.ROOT,
        stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, text=True, timeout=100,
    )  # fmt: skip
    return done.returncode, done.stderr


def into_full(name: str, *words: str) -> tuple[int, str]:
    with open("/dev/full", "w") as full:
        return run(full.fileno(), name, *words)


def into_closed_pipe(name: str, *words: str) -> tuple[int, str]:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return run(writer, name, *words)
    finally:
        os.close(writer)


@needs_full
@each
def test_a_full_disk_is_told_in_a_line(name: str, words: tuple[str, ...]) -> None:
    said = f"{CALLED.get(name, name.split('.')[0])}: standard output: No space left on device\n"
    assert into_full(name, *words) == (1, said)


@each
def test_who_has_seen_enough_is_told_nothing(name: str, words: tuple[str, ...]) -> None:
    assert into_closed_pipe(name, *words) == (int(name in UNREAD), "")


@needs_full
@pytest.mark.skipif(servers.absent("microbench_wait") is not None, reason="needs the programs of make microbench")
def test_a_table_that_grows_while_it_is_measured() -> None:
    assert into_full("microbench.table") == (1, "microbench: standard output: No space left on device\n")
    assert into_closed_pipe("microbench.table") == (0, "")


@needs_full
@needs.to_trace
def test_a_trace_that_cannot_be_printed() -> None:
    words = ("one-echo", "--servers", "poll_srv")
    assert into_full("tracing", *words) == (1, "trace: standard output: No space left on device\n")
    assert into_closed_pipe("tracing", *words) == (0, "")


def closed(streams: str, *command: str) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {streams}', "sh", *command], env=module.environment(PYTHONPATH=PATHS),
        cwd=servers.ROOT, stderr=subprocess.PIPE, text=True, timeout=100,
    )  # fmt: skip
    return done.returncode, done.stderr


@each
def test_a_closed_output_is_none(name: str, words: tuple[str, ...]) -> None:
    """`>&-`: nothing is printed, and nothing is said of it. Python's argparse tells its help on standard error then."""
    usage = 2 if name == "tracing" and not words else 0  # which scripts there are
    status, said = closed(">&-", *module.command(name, *words))
    assert status == usage
    assert not said or words == HELP and said.startswith("usage:")


@pytest.mark.parametrize("streams", ["<&-", ">&-", "<&- >&-", "<&- >&- 2>&-"])
def test_no_file_takes_the_place_of_a_stream(streams: str, tmp_path: Path) -> None:
    """Nor does what a child prints end up in a file that was opened later."""
    opened = tmp_path / "opened"
    program = (
        "from suite import ending\nimport os, subprocess\n"
        "def main():\n"
        f"    with open({str(opened)!r}, 'w') as file:\n"
        "        file.write(str(file.fileno()))\n"
        "        file.flush()\n"
        "        return subprocess.run(['sh', '-c', 'echo printed; echo told >&2'], stderr=None).returncode and 0\n"
        "ending.run(main, 'x')"
    )
    status, _ = closed(streams, sys.executable, "-c", program)
    assert status == 0
    assert opened.read_text().isdigit() and int(opened.read_text()) > 2


def test_an_error_of_something_else_is_not_taken_for_one_of_the_output() -> None:
    program = "from suite import ending\nimport os\nending.run(lambda: os.mkdir('/'), 'x')"
    done = subprocess.run([sys.executable, "-c", program], env=module.environment(), capture_output=True, text=True)
    assert "FileExistsError" in done.stderr and "standard output" not in done.stderr


def test_an_interrupt_is_no_traceback() -> None:
    program = "from suite import ending\nimport signal\nending.run(lambda: signal.raise_signal(signal.SIGINT), 'x')"
    done = subprocess.run([sys.executable, "-c", program], env=module.environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "")


def test_every_program_ends_so() -> None:
    """Those of the tests are their own business."""
    scripts = [servers.ROOT / "harness" / name for name in ("coverage", "compile-commands")]
    paths = (path for top in ("harness", "labs", "docs/site") for path in servers.ROOT.glob(f"{top}/**/*.py"))
    texts = {str(path): path.read_text() for path in (*scripts, *paths) if "tests" not in path.parts}
    programs = {path: text.partition("\nif __name__ ==")[2] for path, text in texts.items()}
    ends = re.compile(r"\b(ending|program)\.run\(")
    assert len([end for end in programs.values() if end]) > 20
    assert [path for path, end in programs.items() if end and not ends.search(end)] == []
