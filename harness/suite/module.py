"""A command of the harness that is written in Python, run as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys

from suite import servers


def command(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", name, *map(str, arguments)]


def environment(**variables: str) -> dict[str, str]:
    """Without what pytest sets, which a user does not have."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    ours = {"PYTHONPATH": str(servers.ROOT / "harness"), "PYTHONDONTWRITEBYTECODE": "1"}
    return {**kept, **ours, **variables}


def run(name: str, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """`variables`: of its environment."""
    return subprocess.run(
        command(name, *arguments), env=environment(**variables), capture_output=True, encoding="utf-8", timeout=100
    )
