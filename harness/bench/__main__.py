"""python -m bench [OPTIONS OF PYTEST]: the experiments, then verdicts, charts and report of what they gave.

Exit status: 0, also where a shape was not reproduced; 1 when a run, a chart or the report failed; 2 for bad usage;
130 when interrupted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Optional

import pytest
from suite import servers

from bench import rows
from bench.results import Results
from bench.session import BROKEN

STEPS = ("shapes", "charts", "report")


class Keeper:
    """Takes the result set out of pytest's hands."""

    def __init__(self) -> None:
        self.results: Optional[Results] = None
        self.only_listed = False

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        experiments = getattr(session.config, "experiments", None)
        self.results = experiments.results if experiments else None
        self.only_listed = session.config.option.collectonly


def run(arguments: list[str]) -> int:
    keeper = Keeper()
    where = str(servers.ROOT / "harness" / "experiments")
    status = pytest.main(["-p", "no:xdist", where, *arguments], plugins=[keeper])
    if status == pytest.ExitCode.USAGE_ERROR:
        return 2
    if keeper.only_listed:
        return int(status)
    if keeper.results is None:
        print("nothing was run, so there is nothing to draw", file=sys.stderr)
        return 2 if status == pytest.ExitCode.NO_TESTS_COLLECTED else int(status)
    path = keeper.results.path
    if status == pytest.ExitCode.INTERRUPTED:
        print(f"interrupted; to go on: make bench RESUME={path}", file=sys.stderr)
        return 130
    drawn = _draw(path)
    broken = _broken(keeper.results)
    return 0 if drawn and not broken and status in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) else 1


def _draw(path: Path) -> bool:
    """Each step also where the one before failed."""
    statuses = [subprocess.run([sys.executable, "-m", f"bench.{step}", str(path)]).returncode for step in STEPS]
    for step, status in zip(STEPS, statuses):
        if status != 0:
            print(f"bench.{step} ended with exit status {status}", file=sys.stderr)
    if (path / "report.html").exists():
        print(f"report: {path / 'report.html'}")
    return not any(statuses)


def _broken(results: Results) -> bool:
    """Also those of before an interruption."""
    broken = [row for row in rows.final(results.rows()) if row.verdict in BROKEN]
    for row in broken:
        print(f"{row.verdict}: {row.experiment} {row.server} {row.point} repeat {row.repeat}: {row.reasons}")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
