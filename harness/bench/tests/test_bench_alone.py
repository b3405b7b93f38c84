"""What else runs on the machine: another program on the core of a micro program, another bench."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import alone, microbench
from bench.cores import Cores
from bench.loads import Driver
from bench.requests import Request, Times
from bench.rows import factors
from suite import module

LINUX = sys.platform.startswith("linux")
POINTS = {"one_wait": "watched=100 ready=1 place=last", "chain": "pairs=100 active=1 writes=100"}
SPIN = "import os; os.sched_setaffinity(0, {%d}); print(flush=True)\nwhile True: pass"


def request(point: str, core: int, tmp_path: Path) -> Request:
    driver = Driver(Cores(core, core), 15)
    return Request(driver, "poll_srv", factors(point), 1, Times(0, 0.3), lambda _: tmp_path / "none")


@pytest.fixture
def crowded() -> Iterator[int]:
    """A core on which two other programs never sleep."""
    core = min(os.sched_getaffinity(0))
    others = [subprocess.Popen([sys.executable, "-c", SPIN % core], stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for each in others:
            assert each.stdout and each.stdout.readline()
        yield core
    finally:
        for each in others:
            each.kill()
            each.communicate()


@pytest.mark.skipif(not LINUX or not Path("/proc/self/schedstat").exists(), reason="only Linux tells it")
@pytest.mark.parametrize("name", POINTS)
def test_another_program_on_the_core_is_a_disturbance(name: str, crowded: int, tmp_path: Path) -> None:
    """A row with it is made again, and is drawn hollow if that does not help."""
    taken = getattr(microbench, name)(request(POINTS[name], crowded, tmp_path))
    assert taken.verdict == "VALID" and "preempted: the program stood ready without a CPU for" in taken.disturbed


@pytest.mark.parametrize("percent, disturbed", [("5", False), ("5.01", True), ("100", True), (None, False)])
def test_what_counts_as_preempted(percent, disturbed, tmp_path, monkeypatch):
    figures = '"x": 1' + (f', "preempted": {percent}' if percent else "")
    stand_in = tmp_path / "stand_in"
    stand_in.write_text(f"#!/bin/sh\necho '{{\"schedule_hash\": \"aa\", \"figures\": {{{figures}}}}}'\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(microbench.servers, "program", lambda name: stand_in)
    monkeypatch.setattr(microbench.steal.Watch, "disturbed", lambda self: "")
    taken = microbench.run(request("a=1", min(os.sched_getaffinity(0)), tmp_path), "stand_in", {"wait": "x"})
    assert bool(taken.disturbed) == disturbed


def test_one_bench_holds_the_lock(tmp_path):
    lock = tmp_path / "lock"
    first = alone.hold(lock)
    assert first is not None and alone.hold(lock) is None
    os.close(first)  # as its end does
    again = alone.hold(lock)
    assert again is not None
    os.close(again)


def test_without_a_place_for_the_lock_a_bench_runs_all_the_same(tmp_path):
    assert alone.hold(tmp_path / "none" / "lock") is not None
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert alone.hold(tmp_path / "link") is not None and not (tmp_path / "elsewhere").exists()


def test_a_second_bench_says_that_another_one_runs(tmp_path):
    for _ in range(600):  # that of another test ends within a minute, and a longer one does as well
        if (held := alone.hold()) is not None:
            break
        time.sleep(0.1)
    try:
        options = ("--mode", "smoke", "--results-in", tmp_path, "--only", "E4-wait-poll_srv-watched=100,*")
        done = module.run("bench", *options)
    finally:
        if held is not None and held >= 0:
            os.close(held)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "note: another bench runs on this machine" in done.stdout
