"""The inputs that fuzzing has found worth keeping, run once more without a fuzzer (harness/fuzz/README.md)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from suite import servers

CORPUS = servers.ROOT / "harness/fuzz/corpus"
REPLAY = servers.build_dir() / "fuzz_replay"
TARGETS = ("frame", "connection", "loop", "options")


def replay(*arguments: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(REPLAY), *map(str, arguments)], cwd=servers.ROOT, capture_output=True, text=True, errors="replace"
    )


@pytest.mark.cause("common/ and the model in harness/fuzz/ differ on an input; the last one named is the one")
@pytest.mark.parametrize("target", TARGETS)
def test_corpus(target):
    inputs = sorted((CORPUS / target).iterdir())
    done = replay(target, *inputs)
    last = next((line for line in reversed(done.stdout.splitlines()) if "/corpus/" in line), "")
    assert done.returncode == 0, (
        f"exit status {done.returncode}\n{done.stderr[-2000:]}\n"
        f"step by step: {REPLAY.relative_to(servers.ROOT)} --steps {target} {last}"
    )
    assert done.stdout.endswith(f"{len(inputs)} inputs passed\n")


def test_corpus_is_small():
    inputs = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert 20 <= len(inputs) < 120
    assert sum(path.stat().st_size for path in inputs) < 100_000


@pytest.mark.parametrize("arguments", ((), ("frame",), ("nothing", "file"), ("--steps", "frame")))
def test_bad_usage(arguments):
    done = replay(*arguments)
    assert done.returncode == 2 and done.stderr.startswith("usage: fuzz_replay"), done


@pytest.mark.parametrize(
    ("target", "seconds", "seed", "expected"),
    (
        ("frame", "0", "1", "fuzz: SECONDS=0: it must be a whole number from 1 on\n"),  # to libFuzzer: no limit
        ("frame", "1.5", "1", "fuzz: SECONDS=1.5: it must be a whole number from 1 on\n"),
        ("frame", "", "1", "fuzz: SECONDS=: it must be a whole number from 1 on\n"),
        ("frame", "1", "abc", "fuzz: SEED=abc: it must be a whole number\n"),
        ("nothing", "1", "1", "fuzz: build/nowhere/fuzz_nothing is not there\n"),
    ),
)
def test_what_a_run_does_not_take(target, seconds, seed, expected):
    done = subprocess.run(
        ["harness/fuzz/run", "build/nowhere", target, seconds], cwd=servers.ROOT, env={**os.environ, "SEED": seed},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, expected)
    assert not (CORPUS / "nothing").exists()


@pytest.mark.parametrize("goal", ("fuzz", "fuzz-merge"))
@pytest.mark.parametrize("named", ("nothing", "frame nothing", "it's", ""))
def test_a_target_that_is_not_there_is_refused_before_anything_is_built(goal, named):
    done = subprocess.run(["make", goal, f"FUZZ_TARGETS={named}"], cwd=servers.ROOT, capture_output=True, text=True)
    wrong, said = named.removeprefix("frame "), f"there are {' '.join(sorted(TARGETS))}"
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines()[0] == f"fuzz: FUZZ_TARGETS={wrong}: {said}" and done.stderr.count("\n") == 2


def test_a_merge_without_its_program_leaves_the_corpus_alone():
    done = subprocess.run(
        ["harness/fuzz/merge", "build/nowhere", "nothing"], cwd=servers.ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (2, "fuzz: build/nowhere/fuzz_nothing is not there\n")
    assert not (CORPUS / "nothing").exists()


def test_missing_file(tmp_path):
    done = replay("frame", tmp_path / "none")
    assert done.returncode == 1
    assert done.stderr == f"fuzz_replay: open {tmp_path / 'none'}: No such file or directory\n"


def test_steps_are_told(tmp_path):
    """A frame of 2 bytes, whole: the limit is the third of the list, pieces of 3 bytes."""
    script = tmp_path / "script"
    script.write_bytes(bytes((2, 3, 0, 0, 0, 2, 65, 66)))
    done = replay("--steps", "frame", script)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "lengths, max_frame 2, 6 bytes in pieces of 3",
        "3 bytes: 0 whole, 0 expected",
        "6 bytes: 6 whole, 6 expected",
    ]
