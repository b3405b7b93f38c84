"""A server in a few lines, for a protocol, with one fault: wrong_server.py PROTOCOL FAULT --port 0 …

Tests of the player start it. Without a fault it is right, as far as scripts without timeouts go."""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import signal
import socket
import sys
import time
from pathlib import Path

from suite.protocol import ECHO, Protocol

HOLD = 64 << 20  # bytes


def written(program: Path, fault: str, protocol: Protocol = ECHO) -> Path:
    """Makes a program that is this file with a fault."""
    words = shlex.join([sys.executable, __file__, repr(protocol), fault])
    harness = shlex.quote(str(Path(__file__).resolve().parents[2] / "harness"))
    program.write_text(f"#!/bin/sh\nPYTHONPATH={harness} exec {words} \"$@\"\n")
    program.chmod(0o755)
    return program


class Connection:
    def __init__(self, plain: socket.socket):
        self.socket = plain
        self.received = b""
        self.output = b""
        self.over = False  # no more input counts
        self.fin_came = False


class Server:
    def __init__(self, protocol: Protocol, fault: str):
        self.protocol = protocol
        self.fault = fault
        self.held: list[object] = []
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.stopping = False

    def run(self) -> None:
        timeout = {"spins": 0.0, "ticks": 0.003}.get(self.fault)
        while not self.stopping or len(self.selector.get_map()) > 0:
            for key, _ in self.selector.select(timeout):
                if key.data is None:
                    self.accept()
                else:
                    self.serve(key.data)

    def accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            plain = self.listener.accept()[0]
            if self.fault == "refuses":
                plain.close()
                return
            plain.setblocking(False)
            connection = Connection(plain)
            self.selector.register(plain, selectors.EVENT_READ, connection)

    def serve(self, connection: Connection) -> None:
        try:
            self.receive(connection)
            while connection.output:
                count = connection.socket.send(connection.output)
                connection.output = connection.output[count:]
        except BlockingIOError:
            pass
        except OSError:
            self.close(connection)
            return
        wants = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.output else 0)
        if connection.fin_came and not connection.output:
            self.close(connection)
        else:
            self.selector.modify(connection.socket, wants & (2 if connection.fin_came else 3), connection)
            if connection.over and not connection.output:
                connection.socket.shutdown(socket.SHUT_WR)

    def receive(self, connection: Connection) -> None:
        if connection.fin_came:
            return
        data = connection.socket.recv(1 << 16)
        connection.fin_came = not data
        if connection.over:
            return
        connection.received += data
        scan = self.protocol.scan(connection.received)
        replies = self.protocol.replies(connection.received)
        connection.received = connection.received[scan.whole :]
        connection.over = scan.refused
        connection.output += self.spoilt(replies, scan.frames, data)

    def spoilt(self, replies: bytes, frames: int, data: bytes) -> bytes:
        if self.fault == "early":
            return data
        if not frames:
            return b""
        if self.fault == "dies":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif self.fault == "ends":
            sys.exit(3)
        elif self.fault == "stops":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif self.fault == "holds":
            self.held.append(b"x" * HOLD)
        elif self.fault == "loud":
            os.write(2, b"x" * (1 << 20))
        elif self.fault == "closes":
            raise OSError
        return {"silent": b"", "wrong": replies[:-1] + bytes([replies[-1] ^ 1]), "twice": replies * 2}.get(
            self.fault, replies
        )

    def close(self, connection: Connection) -> None:
        self.selector.unregister(connection.socket)
        if self.fault == "keeps":
            connection.socket.shutdown(socket.SHUT_WR)
            self.held.append(connection.socket)
        else:
            connection.socket.close()

    def stop(self, *_: object) -> None:
        if self.fault == "bad-status":
            os._exit(1)
        if self.fault == "drains":  # at the second signal, too
            if not self.stopping:
                self.selector.unregister(self.listener)
            self.stopping = True
            return
        os._exit(0)


def main(protocol: str, fault: str) -> None:
    if fault == "at-once":
        print("no such option", file=sys.stderr)
        sys.exit(2)
    if fault == "deaf":
        print("listening on 127.0.0.1:9", flush=True)
        time.sleep(600)
    server = Server(eval(protocol, {"Protocol": Protocol}), fault)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if fault == "deaf-to-signals" else server.stop)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if fault == "zombie" and os.fork() == 0:
        os._exit(0)
    server.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
