"""Servers that are wrong on purpose, each in one way and, where it can be, exactly once: what the load
generator must tell apart. An honest one is among them, which counts and remembers what it was sent."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable

HEADER = 4


class Connection(asyncio.Protocol):
    """One connection of a peer: cuts the stream into frames and hands them to the peer's fault."""

    def __init__(self, peer: Peer):
        self.peer = peer
        self.received = b""
        self.byte_count = 0
        self.ragged_reads = 0  # reads that did not end where a frame does
        self.frames: list[bytes] = []
        self.transport: asyncio.Transport
        self.source = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.source = transport.get_extra_info("peername")[0]
        self.peer.connections.append(self)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.byte_count += len(data)
        while len(self.received) >= HEADER:
            size = HEADER + struct.unpack(">I", self.received[:HEADER])[0]
            if len(self.received) < size:
                break
            frame, self.received = self.received[:size], self.received[size:]
            self.frames.append(frame)
            self.peer.take(self, frame)
        self.ragged_reads += bool(self.received)

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)


class Peer:
    """A server in a thread of the test. `fault` gets each connection and frame, and answers, or not."""

    def __init__(self, fault: Callable[[Peer, Connection, bytes], None], listener: socket.socket | None = None):
        self.fault = fault
        self.connections: list[Connection] = []
        self.frame_count = 0
        self.faults = 0  # how often the fault has been committed
        self.held: tuple[Connection, bytes] | None = None
        self.reached = threading.Event()  # set when frame_count reaches `goal`
        self.goal = 0
        self.loop = asyncio.new_event_loop()
        listener = listener or socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = listener.getsockname()[1]
        self.server = self.loop.run_until_complete(self.loop.create_server(lambda: Connection(self), sock=listener))
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def take(self, connection: Connection, frame: bytes) -> None:
        self.frame_count += 1
        if self.frame_count == self.goal:
            self.reached.set()
        if len(connection.frames) == 1 and self.fault is not never_answers:
            connection.write(frame)  # the proof of the connection: every fault comes later
        else:
            self.fault(self, connection, frame)

    def once(self) -> bool:
        """True the first time that it is asked."""
        self.faults += 1
        return self.faults == 1

    def __enter__(self) -> Peer:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.server.close()
        for connection in self.connections:
            connection.transport.abort()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


def honest(peer: Peer, connection: Connection, frame: bytes) -> None:
    connection.write(frame)


def corrupts_a_byte(peer: Peer, connection: Connection, frame: bytes) -> None:
    if peer.once():
        frame = frame[:-1] + bytes([frame[-1] ^ 0x40])
    connection.write(frame)


def corrupts_a_header(peer: Peer, connection: Connection, frame: bytes) -> None:
    connection.write(b"\xff" + frame[1:] if peer.once() else frame)


def swaps_two_frames(peer: Peer, connection: Connection, frame: bytes) -> None:
    if peer.held is None and peer.once():
        peer.held = (connection, frame)
    elif peer.held is not None and peer.held[0] is connection:
        connection.write(frame + peer.held[1])
        peer.held = None
    else:
        connection.write(frame)


def answers_on_the_wrong_connection(peer: Peer, connection: Connection, frame: bytes) -> None:
    if peer.held is None and peer.once():
        peer.held = (connection, frame)
    elif peer.held is not None and peer.held[0] is not connection:
        other, held = peer.held
        peer.held = None
        connection.write(held)
        other.write(frame)
    else:
        connection.write(frame)


def drops_one(peer: Peer, connection: Connection, frame: bytes) -> None:
    if not peer.once():
        connection.write(frame)


def answers_twice(peer: Peer, connection: Connection, frame: bytes) -> None:
    connection.write(frame + frame if peer.once() else frame)


def closes_early(peer: Peer, connection: Connection, frame: bytes) -> None:
    if peer.once():
        connection.transport.close()
    else:
        connection.write(frame)


def resets(peer: Peer, connection: Connection, frame: bytes) -> None:
    if peer.once():
        connection.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        connection.transport.abort()
    else:
        connection.write(frame)


def never_answers(peer: Peer, connection: Connection, frame: bytes) -> None:
    pass


def falls_silent(peer: Peer, connection: Connection, frame: bytes) -> None:
    """Answers the proof of each connection and nothing after it."""


BEFORE_IT_FREEZES = 200  # frames


def freezes(peer: Peer, connection: Connection, frame: bytes) -> None:
    """Answers quickly for a while, and then nobody any more."""
    if peer.frame_count <= BEFORE_IT_FREEZES:
        connection.write(frame)


def floods(peer: Peer, connection: Connection, frame: bytes) -> None:
    """Answers with empty frames, which nobody has asked for, without end and as fast as they are taken."""

    def send_on() -> None:
        if not connection.transport.is_closing():
            if connection.transport.get_write_buffer_size() < 1 << 20:
                connection.transport.write(bytes(1 << 20))
            peer.loop.call_soon(send_on)

    if peer.once():
        send_on()


def ends_the_second(peer: Peer, connection: Connection, frame: bytes) -> None:
    """FIN on the second connection, which is read on, and gets no answer any more."""
    if peer.once():
        peer.connections[1].transport.write_eof()
    if connection is not peer.connections[1]:
        connection.write(frame)


def speaks_unasked(peer: Peer, connection: Connection, frame: bytes) -> None:
    """The beginning of a frame on the second connection, which has asked for nothing."""
    if peer.once():
        peer.connections[1].write(b"\0\0\0\x40abc")
    connection.write(frame)


LATE = 0.4  # seconds


def answers_one_late(peer: Peer, connection: Connection, frame: bytes) -> None:
    if peer.once():
        peer.loop.call_later(LATE, connection.write, frame)
    else:
        connection.write(frame)


def stalls(peer: Peer, connection: Connection, frame: bytes) -> None:
    """Nobody is answered for a while, once; then all are."""
    if peer.once():
        stall = threading.Event()
        stall.wait(LATE)
    connection.write(frame)
