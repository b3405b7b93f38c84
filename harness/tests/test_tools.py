"""The scripts around the servers: they, too, must be able to fail, and say why."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from suite import servers

SOURCES = tuple(f"{kind.directory}/server.c" for kind in servers.KINDS)
MARKED = ("common", "harness/check-marks", "harness/servers", "harness/servers.toml", *SOURCES)


def run(*command: str, cwd: Path = servers.ROOT, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=60, env={**os.environ, **environment}
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What check-marks looks at, to be spoilt."""
    for name in MARKED:
        source, target = servers.ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    return tmp_path


def test_marks_are_complete(copy):
    result = run("harness/check-marks", cwd=copy)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", SOURCES)
def test_a_missing_mark_is_noticed(copy, name):
    source = copy / name
    source.write_text(source.read_text().replace("[7] Out of descriptors:", "Out of descriptors:"))
    result = run("harness/check-marks", cwd=copy)
    assert result.returncode == 1
    assert result.stderr == f"{name}: mark [7] Out of descriptors: found 0 times, expected once\n"


def test_a_mark_may_say_why_it_does_not_apply(copy):
    source = copy / "select_srv" / "server.c"
    text = source.read_text().replace("[7] Out of descriptors:", "[7] does not apply: nobody is accepted")
    source.write_text(text)
    assert run("harness/check-marks", cwd=copy).returncode == 0


def test_an_api_named_in_common_is_noticed(copy):
    (copy / "common" / "clock.c").open("a").write("/* for epoll */\n")
    result = run("harness/check-marks", cwd=copy)
    assert result.returncode == 1 and "common/ names a multiplexing API" in result.stderr


def test_compare_shows_two_servers_side_by_side():
    result = run("harness/compare", "epoll_lt", "epoll_et", COLUMNS="200")
    assert result.returncode == 0
    assert "EPOLLET" in result.stdout
    result = run("harness/compare", "epoll_lt", "no_such_srv")
    assert result.returncode == 2 and result.stderr == "compare: there is no no_such_srv/server.c\n"


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="needs setpriv(1)")
def test_what_may_not_be_installed_is_named_with_the_command_to_type():
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as folder:  # where nobody may read, too
        os.chmod(folder, 0o755)
        scripts = Path(folder) / "harness"
        scripts.mkdir(mode=0o755)
        for name in ("require", "python"):
            shutil.copy(servers.ROOT / "harness" / name, scripts)
        if shutil.which("sudo") and run(*drop, "sudo", "-n", "true").returncode == 0:
            pytest.skip("sudo asks for no password here: it would be installed")
        result = run(*drop, "harness/require", "pytest", cwd=Path(folder), PYTHON="/nonexistent")
        assert result.returncode == 1
        assert "pytest" in result.stderr and "install" in result.stderr
        result = run(*drop, "harness/require", "--optional", "pytest", cwd=Path(folder), PYTHON="/nonexistent")
        assert result.returncode == 0
