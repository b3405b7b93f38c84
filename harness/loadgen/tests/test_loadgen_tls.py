"""--tls: OpenSSL stands between the load generator and the kernel, and no reply and no request may stay there."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from typing import TypeVar

import pytest

from suite import generator, kernel, limits, servers, tls, waiting
from suite.server import Server

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux"),
    pytest.mark.skipif(servers.absent("tls") is not None, reason=str(servers.absent("tls"))),
]
Value = TypeVar("Value")


class Peer:
    """One connection of a TLS server that chooses the records in which its echoes leave."""

    def __init__(self, listener: socket.socket):
        self.plain, _ = listener.accept()
        self.plain.settimeout(waiting.PATIENCE)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls.pair())
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._repeat(self._session.do_handshake)

    def _repeat(self, call: Callable[[], Value]) -> Value:
        while True:
            try:
                return call()
            except ssl.SSLWantReadError:
                self.plain.sendall(self._outgoing.read())
                data = self.plain.recv(1 << 16)
                assert data, "the load generator has closed the connection"
                self._incoming.write(data)

    def take(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self._repeat(lambda: self._session.read(size - len(data)))
        return data

    def records(self, data: bytes, *sizes: int) -> bytes:
        """The data in records that hold so many bytes each; what is left is one more."""
        made, offset = self._outgoing.read(), 0
        for size in (*sizes, len(data) - sum(sizes)):
            self._session.write(data[offset : offset + size])
            made += self._outgoing.read()
            offset += size
        return made

    def give(self, stream: bytes, client: subprocess.Popen) -> None:
        """The client finds all of it at once."""
        client.send_signal(signal.SIGSTOP)
        waiting.until(lambda: kernel.state(client.pid) in ("T", "t"), "the load generator: stopped by SIGSTOP")
        self.plain.sendall(stream)
        client.send_signal(signal.SIGCONT)


SMALL, MANY = 20, 390  # bytes in a record, and so many of them: together they hold less than 8 KiB
OVERHEAD = 22  # bytes of a record besides: header, type and tag (RFC 8446, 5.2)
ECHO = 12_000  # bytes


@pytest.mark.cause("the socket is taken for empty because SSL_read returned little, and no further edge will come")
def test_a_full_receive_that_ends_where_a_record_ends():
    """OpenSSL asks the kernel for a little more than the longest record; how much, its version says. So this tries all
    lengths that it may be. With one of them SSL_read has given back all that came, and the socket still holds bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = subprocess.Popen(
            generator.command(
                "--port", listener.getsockname()[1], "--tls", "--connections", 1, "--payload", ECHO - 4,
                "--warmup", 0, "--duration", 600, *limits.options(),
            ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            peer = Peer(listener)
            peer.plain.sendall(peer.records(peer.take(ECHO)))
            echo = peer.take(ECHO)
            for asked in range(tls.RECORD + 256, tls.RECORD + 384):
                last = asked - MANY * (SMALL + OVERHEAD) - OVERHEAD
                peer.give(peer.records(echo, *[SMALL] * MANY, last), client)
                echo = peer.take(ECHO)  # the next request: all of the echo has been read
        finally:
            client.kill()
            client.wait()


@pytest.mark.cause("a record that the kernel had no room for is offered again with fewer bytes: SSL_write refuses that")
def test_a_piece_after_one_that_found_no_room():
    """The server is stopped until every connection waits for room in the middle of a record. Pieces are of any length:
    most of those that come next are shorter than the record."""
    with Server("tls") as one:
        client = generator.start(
            "--port", one.address[1], "--tls", "--connections", 8, "--pipeline", 3000, "--payload", "8000",
            "--fragment", "--warmup", 0, "--duration", 1, "--drain", 50, *limits.options(),
        )  # fmt: skip
        one.wait_statistics(lambda s: s["frames"] > 100, "the load")
        for _ in range(3):
            with one.frozen():
                waiting.until(lambda: kernel.rests(client.pid), "every connection waits for room")
        outcome = generator.finish(client)
    assert outcome.json["counts"]["blocked_sends"] >= 8, "no send was short: the test proves nothing"
    assert not outcome.wrong(), outcome.json["error_examples"]
    assert outcome.json["counts"]["unanswered"] == 0


@pytest.mark.parametrize("path, says", (
    ("/nowhere", "No such file or directory"),
    ("/dev/null", "no certificate or crl found"),
))  # fmt: skip
def test_why_a_file_of_certificates_cannot_be_used(path, says):
    result = generator.run_plain("--tls", "--tls-ca", path)
    assert (result.returncode, result.stdout) == (1, ""), result
    assert result.stderr == f"loadgen: --tls-ca {path}: {says}\n"
