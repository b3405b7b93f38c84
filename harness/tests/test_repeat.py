"""The commands that a failing test prints work as they are printed, typed in the project's directory."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from suite import servers

FAILING = """
import pytest

@pytest.mark.only(ceiling="fd_setsize")
@pytest.mark.cause("it was planted")
@pytest.mark.parametrize("text", ("it's two words", "one"))
def test_fails(start, text):
    start().connect().echo(b"x")
    assert text == "one"
"""


def shell(command: str, **environment: str) -> subprocess.CompletedProcess:
    outer = {name: value for name, value in os.environ.items() if name not in ("BUILD_DIR", "SERVER")}
    return subprocess.run(
        command, shell=True, cwd=servers.ROOT, capture_output=True, text=True, timeout=100, env=outer | environment
    )


def printed(output: str) -> str:
    """The line below `to repeat`."""
    return re.search(r"^-+ to repeat -+\n(.+)$", output, re.MULTILINE)[1]


@pytest.mark.parametrize("chosen", ("", servers.having(ceiling="fd_setsize")[0]), ids=("all", "one"))
def test_to_repeat(tmp_path, chosen):
    """On a file elsewhere, a parameter with blanks and a quotation mark, all servers or one."""
    file = tmp_path / "test_scratch.py"
    file.write_text(FAILING)
    build = os.path.relpath(servers.build_dir(), servers.ROOT)
    first = shell(f"harness/pytest {shlex.quote(str(file))}", BUILD_DIR=build, SERVER=chosen)
    assert "1 failed, 1 passed" in first.stdout, first.stdout
    assert "possible cause" in first.stdout and "it was planted" in first.stdout
    command = printed(first.stdout)
    assert f"BUILD_DIR={build} " in command and ("SERVER=" in command) == bool(chosen)
    again = shell(command)
    assert again.returncode == 1 and "1 failed in" in again.stdout, again.stdout + again.stderr
    assert printed(again.stdout) == command


def test_to_repeat_a_test_of_the_suite():
    """One that fails because its programs are not there."""
    test = "harness/conformance/test_protocol.py::test_one_byte_a_segment"
    first = shell(f"harness/pytest {test} -k select", BUILD_DIR="build/nothing")
    assert "1 error" in first.stdout and "does not pass the first echo" in first.stdout, first.stdout
    command = printed(first.stdout)
    assert command == f"BUILD_DIR=build/nothing harness/pytest '{test}[select_srv]'"
    assert "1 error in" in shell(command).stdout


def test_to_play_a_script_again(tmp_path, monkeypatch):
    """What test_model prints of a script that has failed; played by a server that is right, it passes."""
    monkeypatch.syspath_prepend(servers.ROOT / "harness" / "conformance")
    import test_model
    from suite.script import Action, Script

    script = Script((Action("send", frames=(5,)), Action("settle")))
    name = servers.having(platform="any")[0]
    told = test_model.Search(None, name)._explained(script, AssertionError("it failed"))
    command = re.search(r"to play it again:\n(.+)\n", str(told))[1]
    again = shell(command)
    Path(test_model.Search(None, name).file).unlink()
    assert again.returncode == 0 and "1 passed" in again.stdout, again.stdout + again.stderr


def test_without_pytest_timeout_the_suite_still_runs():
    """As where the package is missing; the marker that test_model has of it is known all the same."""
    file = "harness/conformance/test_model.py"
    result = shell(f"harness/pytest {file} -k 'reasons_are_given_out or made_up_scripts' -p no:timeout --collect-only")
    assert result.returncode == 0 and "error" not in result.stdout.lower(), result.stdout
    result = shell(f"harness/pytest {file} -k reasons_are_given_out -p no:timeout")
    assert "1 passed" in result.stdout and "warning" not in result.stdout, result.stdout


def test_a_test_that_hangs_is_ended(tmp_path):
    pytest.importorskip("pytest_timeout")
    file = tmp_path / "test_hangs.py"
    file.write_text("import time, pytest\n@pytest.mark.timeout(1)\ndef test_hangs():\n    time.sleep(60)\n")
    assert re.search(r"Timeout \(?>1\.0s", shell(f"harness/pytest {shlex.quote(str(file))}").stdout)
    file.write_text("def test_limit(pytestconfig):\n    assert pytestconfig.getoption('timeout') == 300\n")
    assert "1 passed" in shell(f"harness/pytest {shlex.quote(str(file))}").stdout
