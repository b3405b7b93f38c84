"""The emulation of kqueue has its own tests in C. They run here as one test."""

from __future__ import annotations

import re
import subprocess

import pytest

from suite import servers

PROGRAM = servers.build_dir() / "test_emulation"


@pytest.mark.skipif(not PROGRAM.exists(), reason="kqueue_srv is not built against the emulation here")
def test_emulation():
    result = subprocess.run([str(PROGRAM)], capture_output=True, text=True, timeout=60)
    failed = [line for line in result.stdout.splitlines() if line.startswith("not ok")]
    assert not failed and result.returncode == 0, "\n".join(failed) + result.stderr
    plan = re.search(r"^1\.\.(\d+)$", result.stdout, re.MULTILINE)
    assert plan and len(re.findall(r"^ok ", result.stdout, re.MULTILINE)) == int(plan[1])
