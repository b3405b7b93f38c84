"""EINTR, EAGAIN and partial transfers at every call: none of them is an error, and none loses a byte."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from suite import servers
from suite.frames import frame, payload

FAULTS = [
    (call, what)
    for call in ("recv", "send", "accept")
    for what in ("EINTR", "EAGAIN", "short")
    if (call, what) != ("accept", "short")
]

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="preloads a library as Linux does"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs cc"),
    pytest.mark.skipif(servers.sanitizer() == "asan", reason="AddressSanitizer wants to be loaded first"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fault") / "fault.so"
    source = Path(__file__).parent / "fault.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", path, source, "-ldl"], check=True)
    return path


@pytest.mark.cause("EINTR or EAGAIN is taken for an error, or a partial transfer for a whole one")
@pytest.mark.parametrize("call, what", FAULTS, ids=lambda each: each)
@pytest.mark.parametrize("every", (2, 3, 7))
def test_a_call_that_fails_or_falls_short(start, server_name, library, call, what, every):
    if server_name in servers.EDGE_TRIGGERED and what != "EINTR":
        pytest.skip("after a made-up EAGAIN or short transfer no edge comes, as nothing was exhausted")
    dice = random.Random(f"{call}{what}{every}")
    server = start(environment={"LD_PRELOAD": str(library), "FAULT": f"{call}:{what}:{every}"})
    peers = [server.connect() for _ in range(12)]
    sent = []
    for i, peer in enumerate(peers):
        sent.append([payload(dice.choice((0, 1, 10, 5000, 70_000)), (i, n)) for n in range(8)])
        peer.send(b"".join(frame(each) for each in sent[i]))
        if i % 2:
            peer.half_close()
    for i, peer in enumerate(peers):
        for each in sent[i]:
            peer.expect_frame(each)
        if i % 2:
            peer.expect_end()
    statistics = server.stop()
    assert statistics["closed"]["error"] == 0 and statistics["closed"]["reset"] == 0
    assert statistics["bytes_in"] == statistics["bytes_out"] == sum(4 + len(p) for each in sent for p in each)
    if what == "EAGAIN":
        assert statistics["would_block"] > 0
    if (call, what) == ("send", "short"):
        assert statistics["partial_writes"] > 0
