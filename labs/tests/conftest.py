"""What tests of the grader need of the machine."""

from __future__ import annotations

import subprocess

import pytest

from labkit.lab import LABS

NEEDS_FILTER = ("test_grade.py", "test_sandbox.py", "test_scratch.py", "test_selftest.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The filter of system calls knows the numbers of 64-bit processors only, and without it nothing is graded."""
    needing = [item for item in items if item.path.name in NEEDS_FILTER]
    if not needing:
        return
    tried = subprocess.run(["cc", "-fsyntax-only", LABS / "grader" / "filter.c"], capture_output=True, text=True)
    if "#error" in tried.stderr:
        reason = tried.stderr.partition("#error ")[2].partition("\n")[0]
        for item in needing:
            item.add_marker(pytest.mark.skip(reason=reason))
