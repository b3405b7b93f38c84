"""A failure shows the calls of the server beside those of the project's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import wrong_server

from grader import explain
from grader.local import LocalHost
from labkit import tree
from labkit.lab import Lab
from suite import needs, servers
from suite.protocol import ECHO

HERE = Path(__file__).parent
LAB = Lab(
    9, HERE, "", "", 1, "server", "server", sources=(), needs=(), refuses=(), starter=0, files=(), tests=(), bugs=(),
    questions=(),
)  # fmt: skip
SCRIPT = {
    "schema": "script/2",
    "actions": [{"do": "send", "frames": [5]}, {"do": "settle"}, {"do": "expect_asleep"}, {"do": "half_close"}],
}


@pytest.fixture
def shown(tmp_path, monkeypatch):
    monkeypatch.setattr(tree, "reference", lambda lab, protocol: servers.program("epoll_lt"))

    def trace(fault: str) -> str:
        program, script = wrong_server.written(tmp_path / "server", fault), tmp_path / "script.json"
        script.write_text(json.dumps(SCRIPT))
        return explain.trace(LAB, ECHO, LocalHost(), program, script)

    return trace


@needs.to_trace
def test_the_calls_stand_side_by_side(shown):
    text = shown("silent")
    lines = text.splitlines()
    assert lines[0].split() == ["yours", "the", "project's"]
    at = lines.index("peer 0 sends a frame of 5 bytes")
    sends = [line for line in lines[at:] if "send(peer 0, 9) = 9" in line]
    assert len(sends) == 1 and sends[0].startswith(" " * 20), text  # in the second column alone
    assert sum("recv(peer 0, 65536) = 9" in line for line in lines[at:]) >= 1
    assert len(lines) < 90 and max(map(len, lines)) <= explain.WIDTH


@needs.to_trace
@pytest.mark.parametrize("fault", ["deaf", "at-once"])
def test_a_program_that_does_not_listen_has_no_trace(shown, fault):
    assert shown(fault) == ""
