"""Counts the connections that a restart loses (E21), for four ways to restart one server while peers come and go.

A way stands in the place of a server in the rows. The server is epoll_lt in each: what differs is who has the listening
socket, and when it is closed."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

from suite import servers
from suite.churn import Crowd
from suite.frames import frame
from suite.kernel import RESET_AT_CLOSE
from suite.server import LISTENING, Server
from suite.supervisor import supervisor

from bench import process, steal
from bench.loads import Failed
from bench.requests import Request, Taken

WAYS = ("stop_start", "two_listeners", "drained", "handed")
LABELS = {
    "stop_start": "stop, then start",
    "two_listeners": "SO_REUSEPORT, then close",
    "drained": "the same, queue served first",
    "handed": "listening socket handed on",
}
PROGRAM = "epoll_lt"
MESSAGE = frame(bytes(64))
PAUSE = 0.01  # seconds between two restarts, in which peers are served as ever
AGAIN = 0.001  # seconds until a peer that was lost tries again: a refusal alone takes a few microseconds


class Peers(Crowd):
    """Some peers, each of which connects, sends a message, waits for its echo, and comes again."""

    def __init__(self, address: tuple[str, int], count: int, patience: float):
        super().__init__(count)
        self.address = address
        self.patience = patience
        self.served = 0
        self.lost = 0
        self._lock = threading.Lock()

    def peer(self, thread: int, count: int) -> None:
        served = self._one()
        with self._lock:
            self.served += served
            self.lost += not served
        if not served:
            time.sleep(AGAIN)

    def _one(self) -> bool:
        """One connection. Whatever ends it before its echo is there has lost it: a refusal, a reset, an early end."""
        try:
            with socket.create_connection(self.address, self.patience) as peer:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
                peer.sendall(MESSAGE)
                came = b""
                while len(came) < len(MESSAGE):
                    piece = peer.recv(len(MESSAGE))
                    if not piece:
                        return False
                    came += piece
                return came == MESSAGE
        except OSError:
            return False


class Way:
    """Starts a server on `address`, and restarts it again and again."""

    def __init__(self, request: Request):
        self.request = request
        self.address = ("127.0.0.1", 0)
        self._running: list[subprocess.Popen] = []

    def restart(self) -> None:
        raise NotImplementedError

    def _start(self, listener: socket.socket | None = None) -> subprocess.Popen:
        """A new process, when it listens."""
        words = [str(servers.program(PROGRAM)), "--port", str(self.address[1])]
        if listener is not None:
            words = [*supervisor(listener.fileno()), *words]
        started = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            pass_fds=[listener.fileno()] if listener is not None else [],
            preexec_fn=process.prepare(self.request.driver.cores.server),
        )  # fmt: skip
        self._running.append(started)
        line = started.stdout.readline() if started.stdout else ""
        match = LISTENING.fullmatch(line)
        if match is None:
            raise Failed(f"{PROGRAM} did not start: {line!r} in place of its ready line")
        self.address = (match["v4"], int(match["port"]))
        return started

    def _stop(self, old: subprocess.Popen) -> None:
        watchdog = threading.Timer(self.request.driver.patience, old.kill)
        watchdog.start()
        old.terminate()
        status = old.wait()  # without a timeout, with which it would look only from time to time
        watchdog.cancel()
        if old.stdout is not None:
            old.stdout.close()
        self._running.remove(old)
        if status != 0:
            raise Failed(f"{PROGRAM} {process.ending(status, [])}")

    def close(self) -> None:
        for each in self._running:
            each.kill()
            each.wait()
            if each.stdout is not None:
                each.stdout.close()


class StopStart(Way):
    """What a script does: nobody listens from the end of one to the start of the other."""

    def __init__(self, request: Request):
        super().__init__(request)
        self._server = self._start()

    def restart(self) -> None:
        self._stop(self._server)
        self._server = self._start()


class TwoListeners(Way):
    """Each process has a listener of its own on the same port. The new one listens before the old one stops. But what
    waits in the old one's queue belongs to that queue, and goes with it."""

    def __init__(self, request: Request):
        super().__init__(request)
        self._listener = self._listen()
        self.address = self._listener.getsockname()
        self._server = self._start(self._listener)
        self._keep(self._listener)

    def _listen(self) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(self.address)
        listener.listen(4096)
        return listener

    def _keep(self, listener: socket.socket) -> None:
        """The server alone has it from now on."""
        listener.close()

    def restart(self) -> None:
        old, self._listener = self._listener, self._listen()
        server, self._server = self._server, self._start(self._listener)
        self._keep(self._listener)
        self._stop(server)
        self._leave(old)

    def _leave(self, listener: socket.socket) -> None:
        """The server has stopped, and so it has closed its listener."""


class Drained(TwoListeners):
    """The same, but the queue is served before its listener is closed. New peers go on coming into it until then."""

    def _keep(self, listener: socket.socket) -> None:
        listener.setblocking(False)

    def _leave(self, listener: socket.socket) -> None:
        waiting = []
        with contextlib.suppress(BlockingIOError):
            while True:
                waiting.append(listener.accept()[0])
        listener.close()
        for each in waiting:
            with each, contextlib.suppress(OSError):
                each.settimeout(self.request.driver.patience)
                each.sendall(each.recv(len(MESSAGE), socket.MSG_WAITALL))
                each.recv(1)  # until the peer has it

    def close(self) -> None:
        super().close()
        self._listener.close()


class Handed(Way):
    """SIGUSR2: one listener, and one queue, all the time."""

    def __init__(self, request: Request):
        super().__init__(request)
        preexec = process.prepare(request.driver.cores.server)
        try:
            self._server = Server(PROGRAM, preexec=preexec, ready_within=request.driver.patience)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            raise Failed(f"{PROGRAM} did not start: {error}") from None
        self.address = self._server.address

    def restart(self) -> None:
        try:
            self._server.restart()
        except (AssertionError, OSError) as error:
            raise Failed(f"{PROGRAM} did not restart: {error}") from None

    def close(self) -> None:
        self._server.kill()


OF = dict(zip(WAYS, (StopStart, TwoListeners, Drained, Handed)))


@contextlib.contextmanager
def _running(request: Request) -> Iterator[Way]:
    way = OF[request.server](request)
    try:
        yield way
    finally:
        way.close()


def restarts(request: Request) -> Taken:
    """E21: connections lost a restart."""
    count = request.number("restarts")
    watch = steal.Watch()
    with _running(request) as way:
        with Peers(way.address, request.number("peers"), request.driver.patience) as peers:
            for _ in range(count):
                time.sleep(PAUSE)
                way.restart()
            time.sleep(PAUSE)
    if peers.served < count:
        raise Failed(f"only {peers.served} connections were served during {count} restarts")
    return Taken("VALID", f"{request.seed:x}", [], {"lost": peers.lost / count}, watch.disturbed())
