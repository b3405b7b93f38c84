"""The list of planted bugs names tests that exist: a renamed one is found here, not an hour later by make mutants."""

from __future__ import annotations

import os
import subprocess

import pytest

from mutants import checks, runner
from mutants.manifest import MUTANTS

PROGRAMS = sorted({program for mutant in MUTANTS for program in mutant.servers})


def collected(program: str, files: list[str]) -> set[str]:
    """The tests that pytest finds in the files, as file::test[parameters]."""
    environment = {**os.environ, "PYTHONPATH": str(checks.HARNESS), "SERVER": ""}
    done = subprocess.run(
        checks.pytest("--override-ini=addopts=", "--collect-only", "-q", *files),
        cwd=checks.OWN_TESTS.get(program, checks.CONFORMANCE), env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = (line.partition("::") for line in done.stdout.splitlines() if "::" in line)
    return {f"{os.path.basename(file)}::{test}" for file, _, test in found}


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_named_tests_exist(program):
    mutants = [mutant for mutant in MUTANTS if program in mutant.servers]
    named = {checks.node(test, program) for mutant in mutants for test in (*mutant.named, *mutant.blind)}
    files = sorted({checks.file_of(test).partition("::")[0] for test in named})
    assert named - collected(program, files) == set()


def test_pages_patches_and_list_agree():
    assert runner.untold() == []
