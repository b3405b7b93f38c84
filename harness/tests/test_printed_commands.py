"""The commands that the pages print work as they are printed, typed in the project's directory. What takes seconds is
run. Of what takes longer, the target, the tests or the mutants that it names must exist.

A command is an indented line of a page that begins with make, or with a program of the project."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mutants import manifest, runner
from suite import elsewhere, generator, servers

ROOT = servers.ROOT
PROGRAM = re.compile(r"(?:[A-Z_]+=\S+ )*(make|harness/[\w/-]+|build/\w+|taskset|gnuplot|PYTHONPATH=\S+) ?.*")
LONGEST = 300  # seconds, on a busy machine
# What stands for a name of the reader's own.
PLACEHOLDERS = ("path/to/my_srv", "my_srv", "DIR", "A.json")


def pages() -> list[Path]:
    places = ("*.md", "docs/**/*.md", "*/README.md", "harness/*/README.md")
    of_a_kit = ROOT / "labs" / "README.md"  # its commands are those of a student's kit: labs/tests/test_kit.py
    return sorted({page for place in places for page in ROOT.glob(place)} - {of_a_kit})


def lines_of(page: Path) -> list[str]:
    """Indented lines outside fences, without what explains them: it follows two blanks, or a number sign."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    cut = re.compile(r"\s+#.*$|\s{2,}(?=[^-\s]).*$")
    return [cut.sub("", line[4:]) for line in text.splitlines() if re.match(r"    \S", line)]


def blocks_of(page: Path) -> list[list[str]]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [block.splitlines() for block in re.findall(r"(?:^    \S.*\n)+", text, re.MULTILINE)]


def commands() -> list[str]:
    """Each once, without those that are part of a dialogue with a server in the background."""
    found: dict[str, None] = {}
    for page in pages():
        for line in lines_of(page):
            match = PROGRAM.fullmatch(line)
            if match and not re.match(r"harness/\S+\.c:|build/\S+:", line) and "$!" not in line and "&" not in line:
                found[line] = None
    return list(found)


ALL = commands()
GENERIC = [each for each in ALL if not any(word in each for word in PLACEHOLDERS)]
OF_MAKE = [each for each in GENERIC if each.startswith("make ")]
# With these arguments make only prints what is there.
PRINTS = [each for each in OF_MAKE if each.split()[1] in ("compare", "read")]
OF_MUTANTS = [each for each in GENERIC if each.startswith("harness/mutants/run")]
SELECTS = [each for each in OF_MAKE if re.search("ARGS='-k", each)]
BRIEF = [each for each in GENERIC if re.match(r"build/microbench|harness/check", each)]
DRAWS = [each for each in GENERIC if re.match(r"gnuplot|PYTHONPATH", each)]
# make in another place: test_elsewhere.py runs a part of it in each.
ELSEWHERE = [each for each in GENERIC if each.startswith("harness/elsewhere ")]
# Not run, with the reason.
NOT_RUN = {
    "build/epoll_lt --port 9000": "runs until it is stopped: the dialogues run it",
    "build/loadgen --selftest --connections 100 --pin 1": "ten seconds: test_loadgen_selftest.py runs the self-test",
    "harness/pytest harness/loadgen/tests": "it is what runs this",
    "harness/pytest harness/bench/tests/test_bench_recompute.py -n0": "the same",
}


def shell(command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    build = os.path.relpath(servers.build_dir(), ROOT)
    return subprocess.run(
        re.sub(r"(^|(?<=\s))build/", f"{build}/", command), shell=True, executable="/bin/bash", cwd=cwd,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST,
    )  # fmt: skip


def test_every_command_is_known():
    known = {*OF_MAKE, *OF_MUTANTS, *BRIEF, *DRAWS, *ELSEWHERE, *NOT_RUN}
    unknown = [each for each in GENERIC if each not in known]
    assert not unknown, f"run them in a test, or say why not: {unknown}"
    assert set(NOT_RUN) <= set(GENERIC), "a command that no page prints any more"
    assert len(OF_MAKE) > 20 and len(OF_MUTANTS) > 40 and len(BRIEF) > 4 and len(DRAWS) > 4 and len(PRINTS) > 3, ALL


def test_every_target_exists():
    database = subprocess.run(
        ["make", "-C", str(ROOT), "-npq", ".DEFAULT"], capture_output=True, text=True, timeout=100
    ).stdout
    targets = set(re.findall(r"^([\w.-]+):", database, re.MULTILINE))
    of_make = [*OF_MAKE, *(each.partition(" -- ")[2] for each in ELSEWHERE)]
    missing = [each for each in of_make if shlex.split(each)[1] not in targets]
    assert not missing
    places = {word for each in ELSEWHERE for word in shlex.split(each.partition(" -- ")[0])[1:]}
    assert places and places <= set(elsewhere.PLACES)
    named = re.findall(r"`make ([\w-]+)", "".join(page.read_text(encoding="utf-8") for page in pages()))
    assert len(named) > 20 and not set(named) - targets, "in the text of a page"


@pytest.mark.parametrize("command", PRINTS)
def test_what_prints_sources(command):
    done = shell(command)
    assert done.returncode == 0 and len(done.stdout.splitlines()) > 50, done


@pytest.mark.parametrize("command", SELECTS)
def test_what_selects_tests_finds_some(command):
    (arguments,) = [word.removeprefix("ARGS=") for word in shlex.split(command) if word.startswith("ARGS=")]
    done = shell(f"harness/pytest harness/conformance --collect-only {arguments}")
    assert done.returncode == 0 and "::" in done.stdout, done.stdout + done.stderr


def test_every_mutant_exists():
    for command in OF_MUTANTS:
        options = runner.arguments(shlex.split(command)[1:])  # raises SystemExit when there is none of that name
        assert any(options.k in mutant.name for mutant in manifest.MUTANTS)


@pytest.mark.parametrize("command", BRIEF)
def test_what_takes_seconds(command):
    program = Path(command.split()[0])
    if program.parts[0] == "build" and (reason := servers.absent(program.name)):
        pytest.skip(reason)
    if "epoll" in command and not sys.platform.startswith("linux"):
        pytest.skip("needs Linux")
    done = shell(command)
    if "descriptors" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done


@pytest.mark.timeout(3 * LONGEST)  # all charts twice
def test_what_draws(tmp_path):
    """On a copy of the reference run: only the directory is another one. The charts come first, because the commands of
    gnuplot read what they leave."""
    if shutil.which("gnuplot") is None:
        pytest.skip("needs gnuplot")
    copy = tmp_path / "reference"
    shutil.copytree(ROOT / "plots" / "reference", copy)
    for command in sorted(DRAWS, key=lambda each: "bench.charts" not in each):
        for place in ("results/…", "plots/reference"):
            command = command.replace(place, str(copy))
        done = shell(re.sub(r"(?<=['\s])results/", f"{copy}/", command))
        assert done.returncode == 0 and "error" not in done.stderr.lower(), done
    assert (copy / "p99.svg").exists() and (copy / "calls.png").exists() and list((copy / "plain").glob("*.svg"))


# -- dialogues: a server in the background -------------------------------------------------------------


DIALOGUES = {"\n".join(line[4:] for line in block): None for page in pages() for block in blocks_of(page)}
DIALOGUES = [each for each in DIALOGUES if "$!" in each]


def own_network(script: str) -> list[str] | None:
    """The words that run a script where port 9000 is free; None where this user cannot have such a place."""
    for words in (["unshare", "-n"], ["unshare", "-rn"]):
        if shutil.which("ip") and shutil.which("unshare"):
            words = [*words, "sh", "-c", 'ip link set lo up && exec bash -c "$0"']
            if subprocess.run([*words, "true"], capture_output=True).returncode == 0:
                return [*words, script]
    return None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a network of its own, as Linux has it")
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=range(len(DIALOGUES)))
def test_what_measures_a_server(dialogue):
    """The server is still starting when the load generator begins. How quiet the machine was decides the verdict."""
    if "taskset" in dialogue and not {0, 1} <= os.sched_getaffinity(0):
        pytest.skip("needs CPUs 0 and 1")
    build = os.path.relpath(servers.build_dir(), ROOT)
    lines = re.sub(r"(?m)(^|\s)build/", rf"\1{build}/", dialogue).splitlines()
    (number,) = [i for i, line in enumerate(lines) if "loadgen" in line]
    lines[number] += "\nstatus=$?"
    words = own_network("\n".join([*lines, "ended=$?", 'echo "status $status $ended"']))
    if words is None:
        pytest.skip("needs a network of its own (unshare, ip)")
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=100)
    status, ended = map(int, re.search(r"^status (\d+) (\d+)$", done.stdout, re.MULTILINE).groups())
    assert status in generator.STATUS.values() and status != generator.STATUS["ERRORS"] and ended == 0, done
    assert "listening on 127.0.0.1:9000" in done.stdout and "100 connections" in done.stdout
    assert re.search(r"^client     \d+\.\d\d us CPU a message", done.stdout, re.MULTILINE), done.stdout
    assert "client     0.00" not in done.stdout
