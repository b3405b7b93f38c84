"""A peer of a server: a blocking TCP client that says what it waited for when it waits in vain."""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import sys
import termios

import pytest

from suite import frames, kernel, steps, tls, waiting


def needs_in_flight(count: int) -> None:
    """Skips the test where a connection does not hold so many bytes for a server that does not read them."""
    if kernel.in_flight() < count:
        pytest.skip(f"needs {count} bytes under way to a server that does not read; here {kernel.in_flight()} fit")


class Peer:
    """Connects at once. `name` stands in the steps of a failing test."""

    def __init__(self, address: tuple[str, int], name: str = "peer", receive_buffer: int | None = None):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.name = name
        self.received = 0
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(waiting.PATIENCE)
        if receive_buffer is not None:  # before connecting, so that the window is small from the start
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(address)
        self.socket = tls.over(self.socket, address)
        self._say(f"connected from port {self.port}")

    @classmethod
    def over(cls, connected: object, name: str) -> Peer:
        """A peer with a socket of the caller's."""
        peer = cls.__new__(cls)
        peer.name, peer.received, peer.socket = name, 0, connected  # type: ignore[assignment]
        return peer

    @property
    def port(self) -> int:
        return self.socket.getsockname()[1]

    def _say(self, text: str) -> None:
        steps.note(f"{self.name}: {text}")

    def shake(self) -> None:
        """Over TLS, makes the handshake, for which the server must run."""
        if isinstance(self.socket, tls.Stream):
            self.socket.shake()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)
        self._say(f"sent {len(data)} bytes {data[:12].hex(' ')}{' …' if len(data) > 12 else ''}")

    def send_ahead(self, data: bytes) -> None:
        """send, to a server that is stopped: the test is skipped where the buffers between do not hold all of it."""
        needs_in_flight(len(data))
        self.send(data)

    def send_frame(self, payload: bytes) -> None:
        self.send(frames.frame(payload))

    def send_what_fits(self, data: bytes) -> int:
        """Sends without waiting for room. Returns how many bytes the kernel took."""
        sent = 0
        self.socket.setblocking(False)
        try:
            while sent < len(data):
                sent += self.socket.send(data[sent : sent + 65536])
        except BlockingIOError:
            pass
        finally:
            self.socket.settimeout(waiting.PATIENCE)
        self._say(f"sent {sent} of {len(data)} bytes, then the buffers were full")
        return sent

    def receive(self, size: int) -> bytes:
        """Exactly size bytes."""
        data = bytearray()
        while len(data) < size:
            try:
                piece = self.socket.recv(min(size - len(data), 1 << 18))
            except TimeoutError:
                raise AssertionError(
                    f"{self.name}: expected {size} bytes, {len(data)} came, then nothing more"
                ) from None
            assert piece, f"{self.name}: expected {size} bytes, {len(data)} came, then the end"
            data += piece
        self.received += size
        self._say(f"received {size} bytes")
        return bytes(data)

    def expect_frame(self, payload: bytes) -> None:
        """The next bytes are the echo of this payload."""
        expected = frames.frame(payload)
        came = self.receive(len(expected))
        if came != expected:
            at = next(i for i, (a, b) in enumerate(zip(came, expected)) if a != b)
            raise AssertionError(
                f"{self.name}: echo of {len(payload)} bytes differs from byte {at} on: expected "
                f"{expected[at:at + 16].hex(' ')}, came {came[at:at + 16].hex(' ')}"
            )

    def echo(self, payload: bytes) -> None:
        self.send_frame(payload)
        self.expect_frame(payload)

    def expect_end(self) -> None:
        """An orderly end: no byte, no reset."""
        try:
            rest = self.socket.recv(65536)
        except TimeoutError:
            raise AssertionError(f"{self.name}: expected the end of the stream, nothing came") from None
        except ConnectionError as error:
            raise AssertionError(f"{self.name}: expected the end of the stream, came {error}") from None
        assert rest == b"", f"{self.name}: expected the end, came {len(rest)} bytes {rest[:16].hex(' ')}"
        self._say("saw the end")

    def expect_gone(self) -> None:
        """The connection is over, orderly or by a reset; bytes before that do not matter."""
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            raise AssertionError(f"{self.name}: expected to be cut off, nothing came") from None
        except ConnectionError:
            pass
        self._say("was cut off")

    def has_input(self) -> bool:
        """Is there something to receive, or an end or an error to notice?"""
        if isinstance(self.socket, tls.Stream):
            return self.socket.has_input()
        poller = select.poll()
        poller.register(self.socket, select.POLLIN)
        return bool(poller.poll(0))

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)
        self._say("shut its sending side down")

    def reset(self) -> None:
        """Closes with RST (socket(7): SO_LINGER of zero)."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, kernel.RESET_AT_CLOSE)
        self.socket.close()
        self._say("reset the connection")

    def _queued(self, request: int) -> int:
        return struct.unpack("i", fcntl.ioctl(self.socket, request, struct.pack("i", 0)))[0]

    def undelivered(self) -> int:
        """How many bytes the other end's kernel has not acknowledged yet, a FIN included (tcp(7): SIOCOUTQ)."""
        held = self.socket.undelivered() if isinstance(self.socket, tls.Stream) else 0
        return held + self._queued(termios.TIOCOUTQ)

    def unread(self) -> int:
        """How many bytes have come and were not received yet (tcp(7): SIOCINQ)."""
        return self._queued(termios.FIONREAD)

    def wait_delivered(self) -> None:
        """Waits until the other end's kernel has all that was sent."""
        if sys.platform.startswith("linux"):
            waiting.until(lambda: self.undelivered() == 0, f"{self.name}: all that was sent acknowledged")

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
