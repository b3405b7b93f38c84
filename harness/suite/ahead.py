"""A connection that takes many bytes from its peer before its server reads the first of them.

The kernel widens a receive window while the server reads, by what it has measured of the pace (tcp(7):
tcp_moderate_rcvbuf). Nothing says how wide it becomes: it stays at 150,000 bytes on one connection, and reaches a
million on the next. So we ask the kernel for each connection."""

from __future__ import annotations

from collections.abc import Callable

from suite import kernel
from suite.frames import payload
from suite.peer import Peer, needs_in_flight
from suite.server import Server

ECHOES = 8  # after these a window grows no more
SERVERS = 12  # that have one narrow connection each, before we give up


def start_ahead(start: Callable[..., Server], size: int, *options: str, **settings: object) -> tuple[Server, Peer]:
    """A server and its peer. The kernel of the server takes `size` bytes of that peer before anybody reads them."""
    needs_in_flight(size)
    wide = size + size // 16  # TLS adds to what is sent, and each segment costs room of its own
    windows = []
    for _ in range(SERVERS):
        server = start(*options, **settings)
        peer = server.connect()
        for _ in range(ECHOES):
            peer.echo(payload(1 << 20))
        window = kernel.window(peer.socket)
        if window is None or window >= wide:
            return server, peer
        windows.append(window)
        server.kill()  # not stopped: a test may have asked that it stands still at its stop
    raise AssertionError(f"no connection of {SERVERS} has a receive window of {wide} bytes: {windows}")
