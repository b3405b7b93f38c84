"""harness/servers.toml has two readers, one in shell for make and one in Python: they agree, and both complain."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest

from suite import servers


def run(*keys: str, cwd: Path = servers.ROOT) -> subprocess.CompletedProcess:
    return subprocess.run(["harness/servers", *keys], cwd=cwd, capture_output=True, text=True, timeout=60)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The list and its reader in shell, to be spoilt."""
    (tmp_path / "harness").mkdir()
    for name in ("servers", "servers.toml"):
        shutil.copy(servers.ROOT / "harness" / name, tmp_path / "harness")
    return tmp_path


def spoil(copy: Path, old: str, new: str) -> Path:
    path = copy / "harness" / "servers.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


def as_printed(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("key", [each.name for each in dataclasses.fields(servers.Kind)])
def test_both_readers_agree(key):
    result = run("name", key)
    assert result.returncode == 0 and result.stderr == ""
    values = [(kind.name, getattr(kind, key)) for kind in servers.KINDS]
    expected = [f"{name}:{' '.join(value) if isinstance(value, list) else as_printed(value)}" for name, value in values]
    assert result.stdout.splitlines() == expected


def test_comments_blanks_and_the_last_line(copy):
    path = spoil(copy, 'label = "poll"', 'label = "poll" # of System V')
    path.write_text(path.read_text().replace("mark = 7", "mark = 7   # a box").rstrip("\n"))
    assert "poll:7" in run("label", "mark", cwd=copy).stdout.splitlines()
    assert servers.read_list(path)[1].mark == 7


def test_a_key_that_is_missing(copy):
    path = spoil(copy, 'trigger = "edge"\n', "")
    result = run("name", "trigger", cwd=copy)
    assert result.returncode == 1 and result.stderr.endswith(": the server has no trigger\n")
    with pytest.raises(servers.BadList, match=r"^servers.toml: epoll_et has no trigger$"):
        servers.read_list(path)


def test_a_line_that_the_shell_cannot_read(copy):
    spoil(copy, 'waits = ["ppoll", "poll"]', 'waits = [\n  "ppoll",\n  "poll",\n]')
    result = run("name", cwd=copy)
    assert result.returncode == 1 and "not one key and its value: waits = [" in result.stderr


@pytest.mark.parametrize("old, new, complaint", (
    ('trigger = "edge"', 'trigger = "both"', "epoll_et: trigger = 'both' is not one of level, edge"),
    ("mark = 11", 'mark = "11"', "epoll_et: mark = '11' is not of type int"),
    ('trigger = "edge"', 'trigger = "edge"\nspeed = 9', "epoll_et: nobody knows the key speed"),
    ('name = "epoll_et"', 'name = "epoll_lt"', "epoll_lt is there 2 times"),
    ("mark = 11", "mark = ", "Invalid value (at line"),
))  # fmt: skip
def test_what_python_complains_about(copy, old, new, complaint):
    path = spoil(copy, old, new)
    with pytest.raises(servers.BadList) as caught:
        servers.read_list(path)
    assert complaint in str(caught.value) and "\n" not in str(caught.value)


def test_without_a_key_it_says_how_it_is_used():
    result = run()
    assert result.returncode == 2 and result.stdout.startswith("Usage: harness/servers KEY...")
