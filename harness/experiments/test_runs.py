"""Every run of every experiment. It fails when server, load generator or micro program do not do their part; a run
that is only not VALID is kept and marked."""

from __future__ import annotations

import pytest

from bench.plan import Run
from bench.session import BROKEN, Session


def test_run(experiments: Session, run: Run) -> None:
    reason = run.unreachable(experiments.limit)
    if reason:
        pytest.skip(reason)
    row = experiments.perform(run)
    if row.verdict in BROKEN:
        pytest.fail(f"{row.verdict}: {row.reasons}", pytrace=False)
