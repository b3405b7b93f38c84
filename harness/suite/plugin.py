"""Every test that takes `start` runs on every server of this system, or on the one that SERVER names.

A failed test shows its steps, what is wrong if the server has crashed, else a possible cause, and a command that
repeats it."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Callable, Iterator

import pytest

from suite import gate, kernel, sanitizers, servers, steps
from suite.server import Server

StartServer = Callable[..., Server]
STARTED: pytest.StashKey[list[Server]] = pytest.StashKey()

LONGEST = 300  # seconds: a test that takes longer hangs, and must fail rather than hang the suite (pytest-timeout)


@pytest.hookimpl(tryfirst=True)  # before pytest-timeout reads its settings
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cause(text): what may be wrong when the test fails")
    config.addinivalue_line("markers", "only(**traits): the test is about servers with these traits in servers.toml")
    config.addinivalue_line("markers", "except_for(why, **traits): means nothing for servers with these traits")
    config.addinivalue_line("markers", "inside: looks at what only a server of the list shows: not run on a stranger's")
    config.addinivalue_line("markers", "timeout(seconds): how long the test may take (pytest-timeout); 0: for ever")
    if config.pluginmanager.hasplugin("timeout") and config.getoption("timeout") is None:
        config.option.timeout = LONGEST
    kernel.raise_descriptor_limit()
    hear_signals()
    if sanitizers.NO_LEAK_CHECK:
        os.environ["ASAN_OPTIONS"] = sanitizers.options(sanitizers.WITHOUT_LEAKS)
    try:
        servers.stranger()
    except servers.BadList as error:
        raise pytest.UsageError(str(error)) from None


def hear_signals() -> None:
    """A job in the background of a script, or under nohup, starts with some signals ignored, and a server that we start
    would leave them so. What is handled here, be it by nothing, is back at its default there (execve(2))."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Of the one server under test the first echo comes before all else; without it the run is over. So it is where
    the programs are for another kind of machine."""
    if hasattr(session.config, "workerinput"):
        return
    if foreign := servers.foreign():
        pytest.exit(f"no test was run: {foreign}", returncode=1)
    if not os.environ.get("SERVER"):
        return
    for name in servers.under_test():
        if servers.absent(name) is None and (trouble := gate.trouble(name)):
            session.config.get_terminal_writer().line(trouble)
            pytest.exit("no test was run", returncode=1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server_name" not in metafunc.fixturenames:
        return
    traits: dict[str, object] = {}
    for only in metafunc.definition.iter_markers("only"):  # the closest first: of one trait, it counts
        traits = {**only.kwargs, **traits}
        if only.args:  # all of these servers, whatever is said of the file
            break
    names = servers.under_test(**traits)
    for mark in metafunc.definition.iter_markers("except_for"):
        names = tuple(name for name in names if name not in servers.having(**mark.kwargs))
    metafunc.parametrize("server_name", names)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what cannot be asked of the one server under test."""
    if not os.environ.get("SERVER"):
        return

    def concerns(item: pytest.Item) -> bool:
        name = getattr(item, "callspec", None) and item.callspec.params.get("server_name")
        return name in servers.under_test() and not (servers.stranger() and item.get_closest_marker("inside"))

    left_out = [item for item in items if not concerns(item)]
    items[:] = [item for item in items if concerns(item)]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def server_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def start(
    request: pytest.FixtureRequest, server_name: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartServer]:
    """start(*options): a server of the kind under test. At the end of the test it must stop cleanly. `if_taken`:
    options that make the test surer, but are left out for a stranger's server that does not take them."""
    if reason := servers.absent(server_name):
        pytest.skip(f"{server_name}: {reason}")
    if trouble := gate.trouble(server_name):
        base = tmp_path_factory.getbasetemp()
        if gate.first_to_tell(server_name, base.parent if hasattr(request.config, "workerinput") else base):
            pytest.fail(trouble, pytrace=False)
        pytest.skip(f"{server_name} does not pass the first echo: see the test that failed for it")
    started: list[Server] = request.node.stash.setdefault(STARTED, [])

    def start_one(*options: str, **how: object) -> Server:
        started.append(gate.launch(server_name, *options, **how))
        return started[-1]

    try:
        yield start_one
        for server in started:
            if server.process.poll() is None:
                server.stop()
            elif server.process.returncode < 0:
                assert not (crash := server.crash()), crash
            assert not any("ERROR:" in line or "runtime error" in line for line in server.errors()), (
                f"{server.name}: a sanitizer reported:\n" + "\n".join(server.report())
            )
    finally:
        for server in started:
            server.kill()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    steps.begin()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    report.sections.append(("steps", steps.report()))
    started = item.stash.get(STARTED, []) if report.when == "call" else []
    crashes = [crash for server in started if (crash := server.crash(gate.CRASH_WITHIN))]
    cause = item.get_closest_marker("cause")
    if crashes:
        report.sections.append(("crash", "\n".join(crashes)))
    elif cause and report.when == "call":
        report.sections.append(("possible cause", cause.args[0]))
    report.sections.append(("to repeat", command_for(item)))


def command_for(item: pytest.Item) -> str:
    """Typed in the project's directory, it runs this test again, on the same server."""
    node = os.path.relpath(item.path, servers.ROOT) + "".join(item.nodeid.partition("::")[1:])
    return command("harness/pytest", node)


def command(*words: str, **settings: str) -> str:
    """A command to be printed, for the programs and the server of this run."""
    build = os.path.relpath(servers.build_dir(), servers.ROOT)
    settings = {"BUILD_DIR": build, "SERVER": os.environ.get("SERVER", ""), **settings}
    set_before = [f"{name}={shlex.quote(value)}" for name, value in settings.items() if value]
    return " ".join([*set_before, *map(shlex.quote, words)])
