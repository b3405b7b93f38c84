"""The load generator follows a variant: its frames are answered, and it checks the replies."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from labkit import lab as labs
from labkit import tree
from suite.protocol import Protocol

ERRORS = 3  # exit statuses of the load generator
CANNOT_RUN = (1, 2)


# Between them each property that the load generator has to follow; what else there is shows in the sources.
SAMPLE = (
    Protocol(8, "little", False, True, "reverse"),
    Protocol(2, "big", True, True, "rotate", 3),
)


@contextmanager
def serving(protocol: Protocol) -> Iterator[str]:
    program = tree.reference(labs.load(1), protocol)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([program, "--port", "0"], text=True, **pipes) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().rsplit(":", 1)[1].strip()
        finally:
            server.terminate()


def load(protocol: Protocol, port: str) -> tuple[int, dict]:
    """A second of load: sizes from nothing to more than a buffer, in pieces that cross frames."""
    options = "--connections 4 --pipeline 3 --payload 0-9000 --fragment --warmup 0.2 --duration 0.6 --quiet --json -"
    command = [str(tree.loadgen(protocol)), "--port", port, *options.split()]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode not in CANNOT_RUN, result.stderr
    return result.returncode, json.loads(result.stdout)


@pytest.mark.parametrize("protocol", SAMPLE, ids=str)
def test_every_reply_is_right(protocol):
    with serving(protocol) as port:
        status, found = load(protocol, port)
    assert status != ERRORS, found["counts"]
    assert found["counts"]["answered"] > 50


@pytest.mark.parametrize("protocol", SAMPLE, ids=str)
def test_a_reply_of_another_protocol_is_an_error(protocol):
    """The other one has the same numbers, so that its replies look right but for their payload, or their check byte."""
    other = replace(protocol, check=not protocol.check, counts_itself=False, transform="echo", key=0)
    with serving(other) as port:
        assert load(protocol, port)[0] == ERRORS
