"""The instructions of a message: counted, so two counts agree, and nothing is lost in reading callgrind's file."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from microbench import instructions
from suite import servers

PROGRAM = servers.ROOT / "harness/microbench/instructions"
REASON = instructions.absent(["epoll_lt"])
counts = pytest.mark.skipif(REASON is not None or servers.sanitizer() is not None, reason=str(REASON or "a sanitizer"))


def run(*words: str, **environment: str) -> subprocess.CompletedProcess:
    # fmt: off
    return subprocess.run(
        [PROGRAM, *words], capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )
    # fmt: on


def test_cost_belongs_to_the_function_that_executed_it():
    text = "fn=(1) main\n10 5\n+1 2\ncfn=(2) callee\ncalls=3 20\n+1 700\n* 1\nfn=(2)\n20 600\n-2 100\nfn=(1)\n9 4\n"
    assert instructions.read_profile(text) == {"main": 12, "callee": 700}


def test_start_and_stop_cancel_out():
    shorter, longer = instructions.Counter(start=1000, echo=300), instructions.Counter(start=1000, echo=600)
    assert instructions.difference(shorter, longer, 100).by_function == {"echo": 3.0}


@counts
def test_the_functions_add_up_to_the_total(tmp_path: Path):
    instructions.count("epoll_lt", 3, 10, tmp_path)
    text = next(tmp_path.iterdir()).read_text()
    assert sum(instructions.read_profile(text).values()) == int(re.search(r"^summary: (\d+)$", text, re.M)[1])


@counts
@pytest.mark.parametrize("connections", instructions.SHAPES)
def test_two_counts_agree(connections: int, tmp_path: Path):
    """To the instruction, except for what printf does with the digits of the uptime at the end."""
    first, second = (instructions.count("epoll_et", connections, 5, tmp_path) for _ in range(2))
    differing = {name for name in first | second if first[name] != second[name]}
    digits = {name for name in differing if re.search("printf|mpn|hack_digit", name)}
    assert differing == digits, (first - second, second - first)


@counts
def test_a_message_costs_more_than_the_barest_loop():
    result = run("--messages", "100", "--functions", "3", "epoll_lt")
    assert result.returncode == 0 and result.stderr == "", result
    barest = float(re.search(r"^barest loop +([\d.]+)$", result.stdout, re.M)[1])
    alone, together = map(float, re.search(r"^epoll_lt +([\d.]+) +([\d.]+)$", result.stdout, re.M).groups())
    assert 0 < barest < together < alone < 10_000, result.stdout
    assert len(re.findall(r"^ {8} +[\d.]+  \w", result.stdout, re.M)) == 6, result.stdout


@pytest.mark.parametrize(
    "words, message",
    [
        (["nobody_srv"], "'nobody_srv' is no server; there are: "),
        (["--messages", "99"], "--messages: expected 100 or more, not 99"),
        (["--functions", "-1"], "--functions: expected 0 or more, not -1"),
        (["--messages", "many"], "argument --messages: invalid int value: 'many'"),
    ],
)
def test_a_wrong_argument_is_named(words: list[str], message: str):
    result = run(*words)
    assert result.returncode == 2 and message in result.stderr, result


def test_programs_that_are_not_there_are_named(tmp_path: Path):
    result = run("--build", str(tmp_path), "epoll_lt")
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1, result
    assert "epoll_lt is not there" in result.stderr or "valgrind" in result.stderr or "Linux" in result.stderr
