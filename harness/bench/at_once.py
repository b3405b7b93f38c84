"""Counts the system calls of a server for messages that are all there before it looks (E17-calls, E20-calls)."""

from __future__ import annotations

from suite import kernel, waiting
from suite.frames import payload
from suite.peer import Peer
from suite.server import Server

from bench import measures, process
from bench.loads import Failed
from bench.requests import Request, Taken

ROUNDS = 10


def calls(request: Request) -> Taken:
    """The server is stopped while one message comes on each connection. In as many further rounds it is stopped, and
    nothing comes: what that costs, and what asking for the statistics costs, is subtracted. Without a `payload`: 64
    bytes."""
    connections, size = request.number("connections"), int(request.point.get("payload", 64))
    try:
        with Server(
            request.server,
            preexec=process.prepare(request.driver.cores.server),
            ready_within=request.driver.patience,
        ) as server:
            peers = server.connect_many(connections)
            for peer in peers:
                peer.echo(payload(size))  # with TLS a handshake comes first, and it needs the server
            counted = _rounds(server, peers, size) - _rounds(server, [], size)
            server.stop()
    except (AssertionError, OSError) as error:
        raise Failed(f"{request.server}: {error}") from None
    return Taken("VALID", f"at once {request.point}", figures={"calls": counted / (ROUNDS * connections)})


def _rounds(server: Server, peers: list[Peer], size: int) -> int:
    """Between two rounds it sleeps, so that each round ends one wait too early."""
    before = measures.calls_of(server.name, server.statistics())
    for turn in range(ROUNDS):
        waiting.until(lambda: kernel.state(server.pid) == "S", f"{server.name}: asleep")
        server.echo_at_once(peers, payload(size, turn))
    return measures.calls_of(server.name, server.statistics()) - before
