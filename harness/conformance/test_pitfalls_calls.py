"""EINTR and EAGAIN are no errors: a connection outlives them, and loses nothing."""

from __future__ import annotations

import pytest

from suite import preload, servers
from suite.frames import payload

pytestmark = [pytest.mark.inside, preload.needed]


library = preload.library("refuse_calls.c")


@pytest.mark.cause("EINTR or EAGAIN is taken for an error, and ends the connection")
@pytest.mark.parametrize("how", ("EINTR", "EAGAIN"))
def test_every_second_recv_and_send_is_refused(start, server_name, library, how):
    if how == "EAGAIN" and server_name in servers.having(trigger="edge"):
        pytest.skip("after a made-up EAGAIN no edge comes, as nothing was exhausted")
    server = start(environment={"LD_PRELOAD": str(library), "REFUSE": how})
    peers = [server.connect() for _ in range(3)]
    for turn in range(5):
        for i, peer in enumerate(peers):
            peer.echo(payload(1000 * turn, (turn, i)))
    closed = server.statistics()["closed"]
    assert sum(closed.values()) == 0, closed
