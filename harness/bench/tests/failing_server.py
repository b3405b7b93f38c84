"""A server that answers correctly for a while and then fails. The experiments must report that, and go on.

Usage: failing_server.py crash|hang FRAMES [OPTION OF A SERVER]..."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import sys

COUNTERS = ("refused", "events", "reads", "writes", "accepts", "interest_changes", "would_block")


class FailingServer:
    def __init__(self, failure: str, good_frames: int):
        self.failure = failure
        self.good_frames = good_frames
        self.counts = dict.fromkeys(("accepted", "frames", "waits", *COUNTERS), 0)
        self.input: dict[socket.socket, bytes] = {}  # of frames that are not whole yet
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.selector.register(self.listener, selectors.EVENT_READ)
        # A self-pipe: Python runs a handler between two bytecodes, so that a signal just before the wait would be
        # noticed only after it.
        self.woken, self.wakes = socket.socketpair()
        self.wakes.setblocking(False)
        self.selector.register(self.woken, selectors.EVENT_READ)

    def print_statistics(self, *_: object) -> None:
        os.write(2, (json.dumps(self.counts) + "\n").encode())

    def run(self) -> None:
        signal.set_wakeup_fd(self.wakes.fileno())
        signal.signal(signal.SIGUSR1, self.print_statistics)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print(f"listening on 127.0.0.1:{self.listener.getsockname()[1]}", flush=True)
        while True:
            self.counts["waits"] += 1
            for key, _ in self.selector.select():
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj is self.woken:
                    self.woken.recv(64)
                elif isinstance(key.fileobj, socket.socket):
                    self.echo(key.fileobj)

    def accept(self) -> None:
        connection, _ = self.listener.accept()
        self.counts["accepted"] += 1
        self.selector.register(connection, selectors.EVENT_READ)

    def echo(self, connection: socket.socket) -> None:
        """Echoes frames that are whole. The load of the tests has one under way on a connection."""
        try:
            data = connection.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.selector.unregister(connection)
            connection.close()
            return
        self.input[connection] = self.input.get(connection, b"") + data
        if len(self.input[connection]) < 4 + int.from_bytes(self.input[connection][:4], "big"):
            return
        with contextlib.suppress(OSError):
            connection.sendall(self.input.pop(connection))
        self.counts["frames"] += 1
        if self.counts["frames"] == self.good_frames:
            self.fail()

    def fail(self) -> None:
        os.write(2, b"the last words of a failing server\n")
        if self.failure == "crash":
            os.abort()
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        while True:
            signal.pause()


if __name__ == "__main__":
    FailingServer(sys.argv[1], int(sys.argv[2])).run()
