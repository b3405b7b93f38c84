"""The experiments as pytest runs them: each run a test, one after another, in the order of the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest

from bench import session
from bench.experiments import MODES
from bench.results import BadResults
from bench.session import Options, Session


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("experiments")
    group.addoption("--mode", choices=MODES, help="how much is run: quick (unless told otherwise), full, smoke")
    group.addoption("--seed", type=int, help="of all loads and of the order; drawn at random unless given")
    group.addoption("--unpinned", action="store_true", help="do not keep server and client on cores of their own")
    group.addoption("--resume", type=Path, metavar="DIR", help="go on with these results")
    group.addoption("--results-in", type=Path, metavar="DIR", help="where the directory of the results is made")
    patience = "before a program that does not answer counts as hung"
    group.addoption("--patience", type=float, default=session.PATIENCE, metavar="SECONDS", help=patience)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("numprocesses", None):
        raise pytest.UsageError("experiments would disturb each other: run them one after another, with -n 0")
    options = Options(
        mode=config.getoption("--mode"),
        seed=config.getoption("--seed"),
        pin=False if config.getoption("--unpinned") else None,
        resume=config.getoption("--resume"),
        patience=config.getoption("--patience"),
    )
    if config.getoption("--results-in"):
        options = Options(**{**vars(options), "parent": config.getoption("--results-in")})
    try:
        config.experiments = Session(options)
    except BadResults as error:
        raise pytest.UsageError(str(error)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "run" in metafunc.fixturenames:
        runs = metafunc.config.experiments.runs
        metafunc.parametrize("run", [pytest.param(run, id=run.name) for run in runs])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In the order of the plan, however they were named. What is resumed has no need of what it has."""
    place = {run.key: number for number, run in enumerate(config.experiments.runs)}
    missing, done = [], []
    for item in sorted(items, key=lambda item: place[item.callspec.params["run"].key]):
        (missing if config.experiments.missing(item.callspec.params["run"]) else done).append(item)
    if done:
        config.hook.pytest_deselected(items=done)
    items[:] = missing


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Nothing is made where tests are only listed."""
    if session.config.option.collectonly or not session.items:
        return
    try:
        session.config.experiments.begin([item.callspec.params["run"] for item in session.items])
    except BadResults as error:
        raise pytest.UsageError(str(error)) from None


def pytest_report_teststatus(report: pytest.TestReport) -> Optional[tuple[str, str, str]]:
    """Each run prints its own line: no dots."""
    if report.when == "call" or report.skipped:
        return report.outcome, "", report.outcome.upper()
    return None


@pytest.fixture
def experiments(request: pytest.FixtureRequest) -> Session:
    return request.config.experiments
