"""Every test that takes `start` runs on every server of this system."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Callable, Iterator

import pytest

from suite import kernel, servers, steps
from suite.server import Server

StartServer = Callable[..., Server]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cause(text): what is probably wrong when the test fails")
    config.addinivalue_line("markers", "only(*names): the servers that the test is about")
    kernel.raise_descriptor_limit()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server_name" not in metafunc.fixturenames:
        return
    only = metafunc.definition.get_closest_marker("only")
    names = only.args if only else servers.ALL
    metafunc.parametrize("server_name", names)


@pytest.fixture
def server_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def start(server_name: str) -> Iterator[StartServer]:
    """start(*options): a server of the kind under test. At the end of the test it must stop cleanly."""
    reason = servers.absent(server_name)
    if reason:
        pytest.skip(f"{server_name}: {reason}")
    started: list[Server] = []

    def start_one(*options: str, **how: object) -> Server:
        started.append(Server(server_name, *options, **how))
        return started[-1]

    try:
        yield start_one
        for server in started:
            if server.process.poll() is None:
                server.stop()
            assert not any("ERROR:" in line or "runtime error" in line for line in server.errors()), (
                f"{server.name}: a sanitizer reported: {server.errors()}"
            )
    finally:
        for server in started:
            server.kill()


LONGEST = 120  # seconds: a test that takes longer hangs, and must fail rather than hang the suite


def give_up(*_: object) -> None:
    raise AssertionError(f"the test was not over after {LONGEST} s")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    steps.begin()
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LONGEST)


def pytest_runtest_teardown() -> None:
    signal.alarm(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    report.sections.append(("steps", steps.report()))
    cause = item.get_closest_marker("cause")
    if cause:
        report.sections.append(("likely cause", cause.args[0]))
    build = os.path.relpath(servers.build_dir(), servers.ROOT)
    report.sections.append(("to repeat", f"BUILD_DIR={build} harness/pytest {shlex.quote(item.nodeid)}"))
