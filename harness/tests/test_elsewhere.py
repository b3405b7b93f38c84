"""Other people's machines (harness/elsewhere): all tests are collected there, those that cannot hold are skipped and
say why, and the others pass. A few stand for all."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from suite import elsewhere
from suite.servers import ROOT

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="harness/elsewhere needs Linux")
CONFORMANCE = "harness/conformance/"


def run(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["harness/elsewhere", *words], cwd=ROOT, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=110, env={**os.environ, "SERVER": ""},
    )  # fmt: skip


def go_to(*places: str) -> None:
    """Skips the test where one of the places is not to be had."""
    for place in places:
        there = run(place, "--", "true")
        if there.returncode == elsewhere.NOT_HERE:
            pytest.skip(there.stderr.strip())
        assert there.returncode == 0, there


# What is run there, how many of it pass, and what the skipped ones say.
FEW = {
    "few-descriptors": (
        [f"{CONFORMANCE}test_descriptors.py", "-k", "select_knows_its_limit or (poll_srv and max_conns)"],
        "needs a descriptor limit of 1100, it is 1024",
    ),
    "no-ipv6": ([f"{CONFORMANCE}test_protocol.py", "-k", "poll_srv and (ipv6 or one_byte)"], "no IPv6 here"),
    "no-ptrace": (
        [f"{CONFORMANCE}test_options.py", "-k", "poll_srv and (test_backlog or test_names)"],
        "strace does not work here",
    ),
    "c-locale": (["harness/bench/tests/test_bench_charts.py", "-k", "text_for_a_terminal"], ""),
    "background": ([f"{CONFORMANCE}test_signals.py", "-k", "poll_srv and stops_when_idle"], ""),
    "read-only": ([f"{CONFORMANCE}test_protocol.py", "-k", "poll_srv and one_byte"], ""),
}


def test_each_place_has_a_few_tests():
    assert FEW.keys() == elsewhere.PLACES.keys()


@pytest.mark.parametrize("place", FEW)
def test_a_few_there(place):
    go_to(place)
    words, reason = FEW[place]
    result = run(place, "--", "harness/pytest", *words, "-n", "0")
    assert result.returncode == 0 and re.search(r"\d+ passed", result.stdout), result.stdout + result.stderr
    skipped = [line for line in result.stdout.splitlines() if line.startswith("SKIPPED")]
    assert bool(skipped) == bool(reason) and all(reason in line for line in skipped), result.stdout


WRITES = {
    "fuzz-merge": (("harness/fuzz/merge", "{}", "frame"), "fuzz: harness/fuzz/corpus/frame cannot be written"),
    "mutants": (("harness/mutants/run",), f"mutants: {ROOT}/docs/pitfalls/matrix.md: cannot be written, and the run"),
    "a mutant": (("harness/mutants/run", "-k", "signal-lost"), f"mutants: {ROOT}/build/mutants"),
    "site": (("docs/site/build", "plots/x"), f"site: {ROOT}/plots/x/.files: cannot be written: Read-only file system"),
}


@pytest.mark.parametrize("tool", WRITES)
def test_a_tree_that_cannot_be_written_is_said_in_a_line(tool, tmp_path):
    go_to("read-only")
    (tmp_path / "fuzz_frame").symlink_to("/bin/true")
    words, said = WRITES[tool]
    result = run("read-only", "--", *(word.format(tmp_path) for word in words))
    assert result.returncode == 1 and result.stderr.count("\n") == 1, result
    assert result.stderr.startswith(said), result


def test_all_is_collected_where_everything_is_missing():
    go_to(*elsewhere.PLACES)
    found = (*ROOT.glob("harness/tests"), *ROOT.glob("harness/*/tests"), *ROOT.glob("*/emulation/tests"))
    folders = [str(each.relative_to(ROOT)) for each in found]
    result = run(*elsewhere.PLACES, "--", "harness/pytest", CONFORMANCE, *folders, "--collect-only", "-n", "0")
    assert result.returncode == 0 and not result.stderr, result.stdout[-3000:] + result.stderr
    assert "error" not in result.stdout.splitlines()[-1], result.stdout[-3000:]


@pytest.mark.parametrize("words, complaint", (
    ((), "expected PLACE... -- COMMAND..."),
    (("no-ipv6", "true"), "expected PLACE... -- COMMAND..."),
    (("--", "true"), "expected PLACE... -- COMMAND..."),
    (("no-ipv6", "--"), "expected PLACE... -- COMMAND..."),
    (("the-moon", "--", "true"), "'the-moon': no such place; there are read-only, no-ipv6, "),
))  # fmt: skip
def test_bad_usage(words, complaint):
    result = run(*words)
    assert result.returncode == elsewhere.BAD_USAGE and result.stdout == ""
    assert result.stderr.startswith(f"elsewhere: {complaint}") and result.stderr.count("\n") == 1, result.stderr


def test_the_status_is_the_commands():
    assert run("c-locale", "--", "sh", "-c", '[ "$LC_ALL" = C ] && [ -z "$LANG" ] && exit 7').returncode == 7
    missing = run("c-locale", "--", "no-such-command")
    assert (missing.returncode, missing.stderr) == (126, "elsewhere: no-such-command: No such file or directory\n")


def test_help_names_every_place():
    told = run("--help").stdout
    assert all(re.search(rf"^    {place} +\S", told, re.MULTILINE) for place in elsewhere.PLACES), told
