"""make microbench: every API and every policy has its row, and what could not be measured says why."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from microbench import table
from suite import needs, servers

APIS = ["select", "poll", "epoll_lt", "epoll_et", "kqueue"]
POLICIES = ["level", "edge_would_block", "edge_short_read", "one_shot", "add_delete"]


def test_the_programs_say_which_there_are():
    assert table.choices("microbench_wait", "--api") == table.choices("microbench_chain", "--api") == APIS
    assert table.choices("microbench_calls", "--policy") == POLICIES
    with pytest.raises(RuntimeError, match="lists nothing for --seed"):
        table.choices("microbench_wait", "--seed")


def opens(column: table.Column) -> int:
    """How many descriptors it needs, with what the program keeps for itself."""
    each = {"--watched": 1, "--pairs": 2}
    return 50 + sum(each[word] * int(column.words[i + 1]) for i, word in enumerate(column.words) if word in each)


COLUMNS = [
    pytest.param(column, marks=needs.descriptors(opens(column)), id=column.title)
    for columns in table.APIS.values()
    for column in columns
]


@pytest.mark.parametrize("column", COLUMNS)
def test_every_figure_is_one_that_its_program_has(column: table.Column):
    assert column.run("--api", "poll")["figures"][column.figure] > 0


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the programs: each prints a figure for every API but kqueue, for which it cannot run."""
    for name in ("microbench_wait", "microbench_chain", "microbench_calls"):
        program = tmp_path / name
        program.write_text(
            f"""#!{sys.executable}
import json, os, sys
if "--help" in sys.argv:
    os.execv({str(servers.program(name))!r}, sys.argv)
if "kqueue" in sys.argv:
    sys.exit("{name}: kqueue: Function not implemented")
figures = dict.fromkeys(["wait_us", "cycle_us", "chain_us", "calls", "waits", "reads", "writes", "changes"], 7)
print(json.dumps({{"implementation": "borrowed" if "poll" in sys.argv else "native", "figures": figures}}))
"""
        )
        program.chmod(0o755)
    monkeypatch.setattr("microbench.table.servers.program", lambda name: tmp_path / name)


def test_every_api_has_a_row(programs, capsys):
    assert table.main() == 0
    shown = capsys.readouterr().out
    for name in ("select", "poll (borrowed)", "epoll_lt", "epoll_et", "kqueue"):
        assert len(re.findall(rf"^{re.escape(name)} +[-\d]", shown, re.MULTILINE)) == len(table.APIS), shown
    for name in POLICIES:
        assert re.search(rf"^{name} +7.0 +7.0 +7.0 +7.0 +7.0$", shown, re.MULTILINE), shown
    assert "-: microbench_wait: kqueue: Function not implemented\n" in shown


def test_programs_that_are_not_there_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("microbench.table.servers.program", lambda name: tmp_path / name)
    assert table.main() == 1
    assert capsys.readouterr().err == f"microbench: {tmp_path}/microbench_wait: No such file or directory\n"


def test_make_has_three_names_for_three_things():
    """What each target runs, without running it."""
    found = {
        target: subprocess.run(
            ["make", "--no-print-directory", "-n", target], cwd=servers.ROOT, capture_output=True, text=True, timeout=60
        ).stdout.splitlines()[-1]
        for target in ("loadgen-steps", "loadgen-selftest", "microbench", "instructions")
    }
    assert found["loadgen-steps"].endswith("/loadgen_steps")
    assert found["loadgen-selftest"].endswith("/loadgen --selftest --connections 100")
    assert found["microbench"].endswith("-m microbench.table")
    assert "instructions" in found["instructions"]
