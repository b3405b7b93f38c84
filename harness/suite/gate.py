"""One echo before all tests of a server. One that does not pass it would fail them all, each for a reason of its own
that has nothing to do with it, and each after waiting to its end."""

from __future__ import annotations

import functools
import os
import shlex
from pathlib import Path

from suite import servers
from suite.server import Server
from suite.stranger import StrangersServer

READY_WITHIN = 10.0  # seconds
PAYLOAD = b"the first echo"
CRASH_WITHIN = 1.0  # seconds that the end of a process may come after the end of its connections


def launch(name: str, *options: str, **how: object) -> Server:
    given = servers.stranger()
    if given and given.name == name:
        return StrangersServer(name, *options, **how)
    return Server(name, *options, *how.pop("if_taken", ()), **how)


@functools.cache
def trouble(name: str) -> str:
    """What is wrong with the first echo of this server, or nothing. SUITE_GATE=off: it is not tried."""
    if os.environ.get("SUITE_GATE") == "off":
        return ""
    try:
        server = launch(name, ready_within=READY_WITHIN)
    except (AssertionError, OSError) as error:
        return _explained(name, str(error))
    with server:
        try:
            server.connect().echo(PAYLOAD)
            return ""
        except (AssertionError, OSError) as error:
            crash = server.crash(CRASH_WITHIN)
            said = "" if crash else f"\nstandard error: {server.errors()[-5:]}"
            return _explained(name, f"{shlex.join(server.command)}: {error}{said}" + (f"\n{crash}" if crash else ""))


def _explained(name: str, what: str) -> str:
    return (
        f"{name} does not pass the first echo, so nothing else is tried.\n{what}\n"
        "A server is started as PROGRAM --port 0 and prints the line 'listening on ADDR:PORT', with the port that the "
        "kernel has\npicked; it must not be held back in a buffer (fflush). It then gets one frame of "
        f"{len(PAYLOAD)} bytes and echoes it (docs/protocol.md)."
    )


def first_to_tell(name: str, shared: Path) -> bool:
    """True once in a run, whose processes share that directory: the trouble is told once."""
    try:
        (shared / f"trouble-{name}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
