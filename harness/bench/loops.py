"""Counts who wakes up for a peer that one of several loops accepts, and how peers spread over the loops (E18).

A way of sharing the peers stands in the place of a server in the rows. The server is epoll_loops in each."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from suite import kernel, servers
from suite.kernel import RESET_AT_CLOSE
from suite.server import LISTENING

from bench import process, steal
from bench.loads import Failed
from bench.requests import Request, Taken

PROGRAM = "epoll_loops"
WAYS = ("loops_shared", "loops_exclusive", "loops_reuseport", "loops_handed")
LABELS = {
    "loops_shared": "shared listener",
    "loops_exclusive": "EPOLLEXCLUSIVE",
    "loops_reuseport": "SO_REUSEPORT",
    "loops_handed": "handed over",
}
PATIENCE = 20.0  # seconds for what takes milliseconds


class Loops:
    """The server: its threads, its statistics, and its peers."""

    def __init__(self, running: subprocess.Popen, address: tuple[str, int]):
        self.running, self.address = running, address
        self.peers: list[socket.socket] = []

    def statistics(self) -> dict:
        self.running.send_signal(signal.SIGUSR1)
        assert self.running.stderr is not None
        return json.loads(self.running.stderr.readline())

    def settle(self) -> None:
        """Returns when all peers are accepted, and all threads sleep and stay asleep."""
        deadline = time.monotonic() + PATIENCE
        before: object = None
        while True:
            settled = kernel.waiting_peers(self.address[1]) == 0
            now = kernel.ran(self.running.pid) if settled else None
            if now is not None and now == before:
                return
            before = now
            if time.monotonic() > deadline:
                raise Failed(f"{PROGRAM} did not come to rest within {PATIENCE:.0f} s")
            os.sched_yield()  # on the core that the threads share with nobody else

    def switches(self) -> int:
        """Voluntary context switches of all threads: each is a sleep that has ended (proc(5))."""
        found = 0
        for task in kernel.threads(self.running.pid):
            for line in (task / "status").read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches:"):
                    found += int(line.split()[1])
        return found

    def connect(self) -> None:
        self.peers.append(socket.create_connection(self.address, PATIENCE))
        self.peers[-1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)


@contextmanager
def running(request: Request) -> Iterator[Loops]:
    way = request.server.removeprefix("loops_")
    command = [str(servers.program(PROGRAM)), "--port", "0", "--loops", request.point["loops"], "--listen", way]
    try:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=process.prepare(request.driver.cores.server),
        )  # fmt: skip
    except OSError as error:
        raise Failed(f"{PROGRAM} did not start: {error.strerror}") from None
    assert server.stdout is not None
    loops = None
    try:
        said = LISTENING.fullmatch(server.stdout.readline())
        if said is None:
            raise Failed(f"{PROGRAM} printed no ready line")
        loops = Loops(server, ("127.0.0.1", int(said["port"])))
        yield loops
    finally:
        for peer in loops.peers if loops else ():
            peer.close()
        server.kill()
        server.communicate()


def peers(request: Request) -> Taken:
    """E18: peers connect, and stay. In a trickle each one comes when all threads sleep, so that no wake-up counts for
    two; in a burst they come as fast as one client can connect."""
    count, trickles = request.number("connections"), request.point["pace"] == "trickle"
    watch = steal.Watch()
    with running(request) as loops:
        before = loops.statistics()
        loops.settle()
        switches = loops.switches()
        for _ in range(count):
            loops.connect()
            if trickles:
                loops.settle()
        loops.settle()
        switches = loops.switches() - switches
        after = loops.statistics()
    shares = after["loops"]["connections"]
    if sum(shares) != count:
        raise Failed(f"{PROGRAM} has {sum(shares)} connections of {count}")
    figures: dict[str, float | None] = {
        "switches": switches / count,
        "waits": (after["waits"] - before["waits"]) / count,
        "would_block": (after["would_block"] - before["would_block"]) / count,
        "most_share": max(shares) / count,
    }
    return Taken("VALID", "", figures=figures, disturbed=watch.disturbed())
