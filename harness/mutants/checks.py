"""Runs chosen tests of the suite on one build of one server, and returns the outcome of each."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mutants.manifest import HTTP, LOADGEN
from suite import servers

HARNESS = servers.ROOT / "harness"
CONFORMANCE = HARNESS / "conformance"
# Whose tests stand elsewhere, without the name of a server in theirs.
OWN_TESTS = {LOADGEN: HARNESS / "loadgen" / "tests", HTTP: servers.ROOT / "beyond" / "http" / "tests"}
LONGEST = 400  # seconds for all tests of one mutant
MEMORY = 2 << 30  # bytes: a mutant that keeps all output must not use up the memory of the machine

PASSED, FAILED, SKIPPED, MISSING = "passes", "fails", "skipped", "not run"


@dataclass(frozen=True)
class Run:
    """One run of the chosen tests, under the names that the caller used."""

    outcomes: dict[str, str]
    reasons: dict[str, str]  # what pytest said of each test that did not pass


def node(test: str, server: str) -> str:
    """What pytest calls a test of one server: test_x.py::test_y[first] becomes test_x.py::test_y[server-first]."""
    if server in OWN_TESTS:
        return test
    name, bracket, parameters = test.partition("[")
    return f"{name}[{server}-{parameters}" if bracket else f"{name}[{server}]"


def file_of(test: str) -> str:
    """A test of one server under beyond/ stands beside it: then with the path."""
    name, _, rest = test.partition("::")
    beside = next(servers.ROOT.glob(f"beyond/*/tests/{name}"), None)
    return f"{beside}::{rest}" if beside else test


def pytest(*arguments: str) -> list[str]:
    """The command; PYTHONPATH has to hold HARNESS."""
    return [sys.executable, "-m", "pytest", "-c", str(HARNESS / "pytest.ini"), f"--rootdir={servers.ROOT}",
            "-p", "suite.plugin", *arguments]  # fmt: skip


def run(programs: Path, server: str, tests: Sequence[str], patience: float, sanitized: bool) -> Run:
    nodes = {node(test, server): test for test in tests}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        place = OWN_TESTS.get(server, CONFORMANCE)
        end = _pytest(place, [*map(file_of, nodes), f"--junitxml={report}"], programs, patience, sanitized)
        seen = _read(report) if report.exists() else Run({}, {})
    return Run(
        {test: seen.outcomes.get(each, MISSING) for each, test in nodes.items()},
        {test: seen.reasons.get(each, f"pytest {end}") for each, test in nodes.items()},
    )


def trace(bug: str, programs: Path) -> str:
    """Does the program with the bug still make the calls of its trace (tracing/claims.py)? Says what is wrong."""
    environment = {**os.environ, "PYTHONPATH": str(HARNESS), "PYTHONDONTWRITEBYTECODE": "1", "SERVER": ""}
    done = subprocess.run(
        [sys.executable, "-m", "tracing.planted", bug, str(programs)], cwd=servers.ROOT, env=environment,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST,
    )  # fmt: skip
    if done.returncode == 0:
        return ""
    return f"its trace: {done.stdout.strip() or done.stderr.strip()}"


def _pytest(place: Path, arguments: Sequence[str], programs: Path, patience: float, sanitized: bool) -> str:
    """Returns how it ended, for a test of which the report says nothing."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(HARNESS),
        "PYTHONDONTWRITEBYTECODE": "1",
        "BUILD_DIR": str(programs.relative_to(servers.ROOT)),
        "SUITE_PATIENCE": str(patience),
        "SUITE_GATE": "off",  # a mutant may fail at its first echo, and the named tests are to say so
        "SERVER": "",
    }

    command = pytest(*arguments)
    if not sanitized:  # AddressSanitizer reserves terabytes of addresses
        command = ["sh", "-c", 'ulimit -v "$0" 2>/dev/null; exec "$@"', str(MEMORY // 1024), *command]
    process = subprocess.Popen(
        command, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )
    try:
        return f"ended with status {process.wait(LONGEST)}"
    except subprocess.TimeoutExpired:
        return f"was stopped after {LONGEST} s"  # there is no report, so none of the tests counts as run
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)  # its process group has the servers that it started, too
        except ProcessLookupError:
            pass
        process.wait()


def _read(report: Path) -> Run:
    run = Run({}, {})
    for case in xml.parse(report).iter("testcase"):
        file = re.sub(r".*\.", "", case.get("classname", "")) + ".py"
        told = ("failure", "error", "skipped")
        unhappy = {child.tag: child.get("message", "") for child in case if child.tag in told}
        outcome = FAILED if unhappy.keys() & {"failure", "error"} else SKIPPED if unhappy else PASSED
        each = f"{file}::{case.get('name')}"
        if run.outcomes.get(each) != FAILED:  # if a test and its teardown both fail, it has two entries
            run.outcomes[each] = outcome
            run.reasons[each] = "\n".join(unhappy.values())
    return run
