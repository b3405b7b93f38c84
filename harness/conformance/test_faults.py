"""EINTR, EAGAIN and partial transfers at every call: none of them is an error, and none loses a byte."""

from __future__ import annotations

import errno
import random

import pytest

from faults.trial import program_of
from suite import servers
from suite.frames import frame, payload

CALLS = {"recv": "recv", "send": "send", "accept": "accept4"}
RING = {"recv": "uring_receive", "send": "uring_send", "accept": "uring_accept"}  # by completion: at its seam
FAULTS = [
    (call, what)
    for call in CALLS
    for what in ("EINTR", "EAGAIN", "short")
    if (call, what) != ("accept", "short")
]

pytestmark = [
    pytest.mark.inside,
    pytest.mark.skipif(
        not program_of("poll_srv").exists(),
        reason=f"{servers.build_dir().name}/ has no servers with faults (faults.mk)",
    ),
]


@pytest.fixture(autouse=True)
def with_injector(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers under test are those that the injector is linked into."""
    monkeypatch.setattr(servers, "program", program_of)


@pytest.mark.cause("EINTR or EAGAIN is taken for an error, or a partial transfer for a whole one")
@pytest.mark.parametrize("call, what", FAULTS, ids=lambda each: each)
@pytest.mark.parametrize("every", (2, 3, 7))
def test_a_call_that_fails_or_falls_short(start, server_name, call, what, every):
    calls = RING if servers.OF[server_name].trigger == "completion" else CALLS
    dice = random.Random(f"{call}{what}{every}")
    if calls is RING and call == "accept":
        every = 1  # an accept stays armed for all peers: there is a second one only when the first has failed
    number = what if what == "short" else getattr(errno, what)
    server = start(environment={"FAULT": f"{calls[call]}:*:{number}:/{every}"})
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
    if call == "accept":
        assert statistics["accepts"] > len(peers), "no accept has failed"
    if (call, what) == ("send", "short"):
        assert statistics["partial_writes"] > 0
