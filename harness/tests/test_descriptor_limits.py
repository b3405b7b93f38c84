"""Descriptor limits as other systems have them: huge, or reported higher than they are. Here are the harness, the load
generator and the microbenchmarks; the servers are in conformance/test_inherited.py."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from suite import kernel, preload, servers

UNLIMITED = 2**64 - 1  # RLIM_INFINITY
HUGE = {"container": f"256:{2**30}:{2**30}", "macos": f"256:{UNLIMITED}:10240"}
library = preload.library("../conformance/many_descriptors.c")
WORDS = {  # each program, with what asks for a number of descriptors
    "loadgen": ("--port", "1", "--connect-timeout", "0.1", "--connections"),
    "microbench_wait": ("--api", "poll", "--seconds", "0.01", "--watched"),
}


def run(library: Path, limits: str, program: str, count: int) -> subprocess.CompletedProcess:
    if not servers.program(program).exists():
        pytest.skip(f"{program} is not built")
    return subprocess.run(
        [servers.program(program), *WORDS[program], str(count)], capture_output=True, text=True, timeout=60,
        env={"LD_PRELOAD": str(library), "MANY_DESCRIPTORS": limits},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)),
    )  # fmt: skip


@preload.needed
@pytest.mark.parametrize("program", WORDS)
@pytest.mark.parametrize("limits", HUGE.values(), ids=HUGE)
def test_what_is_needed_is_asked_for_and_no_more(library, limits, program):
    """macOS refuses to raise the soft limit to the hard one that it reports."""
    result = run(library, limits, program, 300)
    assert result.returncode in (0, 3) and "descriptors" not in result.stderr, result  # 3: nobody listens there


@preload.needed
@pytest.mark.parametrize("program", WORDS)
def test_a_limit_that_cannot_be_raised_is_said(library, program):
    result = run(library, HUGE["macos"], program, 11000)
    assert result.returncode == 1
    assert "descriptors, and the limit is 256 (ulimit" in result.stderr, result


class Limits:
    """The calls of Python, on a system that refuses a soft limit above `most`."""

    def __init__(self, soft: int, hard: int, most: int):
        self.now, self.most = (soft, hard), most

    def get(self, which: int) -> tuple[int, int]:
        return self.now

    def set(self, which: int, limits: tuple[int, int]) -> None:
        if limits[0] < 0 or limits[0] > self.most:
            raise ValueError("current limit exceeds maximum limit")
        self.now = limits


@pytest.mark.parametrize(
    ("limits", "sysctl", "found"),
    [
        (Limits(256, 4096, 4096), None, 4096),
        (Limits(1024, 2**30, 2**30), None, 2**30),
        (Limits(UNLIMITED, UNLIMITED, UNLIMITED), None, sys.maxsize),
        (Limits(256, UNLIMITED, 122880), 122880, 122880),
        (Limits(256, UNLIMITED, 122880), None, 256),
    ],
    ids=("low", "container", "unlimited", "macos", "unknown"),
)
def test_the_harness_raises_its_own_limit_as_far_as_it_goes(monkeypatch, limits, sysctl, found):
    monkeypatch.setattr(resource, "RLIM_INFINITY", UNLIMITED)
    monkeypatch.setattr(resource, "getrlimit", limits.get)
    monkeypatch.setattr(resource, "setrlimit", limits.set)
    monkeypatch.setattr(kernel, "_sysctl", lambda name: sysctl)
    assert kernel.raise_descriptor_limit() == found
    assert min(limits.now[0], sys.maxsize) == found
