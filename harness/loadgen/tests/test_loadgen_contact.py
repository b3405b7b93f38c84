"""Who is at the other end: nobody, the client itself, a server that is still starting, one of several addresses, a
server of another protocol."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import sys
import threading
from pathlib import Path

import pytest

from suite import faulty_peers, generator, limits, preload, servers, tls, waiting

SHORT = ("--warmup", 0, "--duration", 0.2, *limits.options())
odd_network = preload.library("odd_network.c")
LOOPBACK = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}


@pytest.fixture(params=LOOPBACK)
def nobody(request: pytest.FixtureRequest) -> tuple[str, int]:
    """An address and a port that nobody has now."""
    try:
        with socket.socket(LOOPBACK[request.param]) as one:
            one.bind((request.param, 0))
            return request.param, one.getsockname()[1]
    except OSError as error:
        pytest.skip(f"no {request.param} here: {error}")


# -- the client itself -----------------------------------------------------------------------------


@preload.needed
@pytest.mark.cause("a connection whose two ends are the same socket is taken for one to a server")
def test_no_server_but_itself(odd_network: Path, monkeypatch: pytest.MonkeyPatch, nobody: tuple[str, int]):
    """It would answer each request of its own, correctly, a hundred thousand times a second."""
    host, port = nobody
    monkeypatch.setenv("LD_PRELOAD", str(odd_network))
    monkeypatch.setenv("SELF_CONNECT", "1")
    outcome = generator.run("--host", host, "--port", port, "--connect-timeout", 0.1, *SHORT)
    assert outcome.expect("ERRORS").wrong() == {"refused": 1}
    assert "Connection refused" in outcome.json["error_examples"]["refused"]
    assert outcome.json["histograms"] is None and outcome.json["counts"]["established"] == 0


# -- a server that is not there yet, or elsewhere ----------------------------------------------------


def switches(pid: int) -> int:
    """How often its main thread has gone to sleep."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.cause("a refused connection is an error at once, although the server may be starting")
def test_a_server_that_is_still_starting_is_waited_for():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # so connections are refused until it listens
        process = generator.start("--port", listener.getsockname()[1], "--connections", 3, *SHORT)
        waiting.until(lambda: process.poll() is not None or switches(process.pid) > 10, "it has tried a few times")
        listener.listen()
        with faulty_peers.Peer(faulty_peers.honest, listener):
            outcome = generator.finish(process)
    assert outcome.expect("VALID").json["counts"]["established"] == 3


@preload.needed
@pytest.mark.cause("only the first address of a name is tried")
def test_the_next_address_is_tried(odd_network: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LD_PRELOAD", str(odd_network))
    with faulty_peers.Peer(faulty_peers.honest) as peer:
        outcome = generator.run("--host", "two.addresses.test", "--port", peer.port, "--connections", 3, *SHORT)
    assert outcome.expect("VALID").json["options"]["target"] == f"127.0.0.1:{peer.port}"
    said = f"address: 127.0.0.1:{peer.port} was used; 127.0.0.77:{peer.port}: Connection refused"
    assert said in outcome.reasons("VALID")


@preload.needed
def test_all_addresses_that_were_tried_are_named(odd_network: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LD_PRELOAD", str(odd_network))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        outcome = generator.run("--host", "two.addresses.test", "--port", port, "--connect-timeout", 0.1, *SHORT)
    example = outcome.expect("ERRORS").json["error_examples"]["refused"]
    assert f"127.0.0.77:{port}: Connection refused; 127.0.0.1:{port}: Connection refused" in example


# -- other protocols ---------------------------------------------------------------------------------


needs_tls = pytest.mark.skipif(servers.absent("tls") is not None, reason=str(servers.absent("tls")))


def tls_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*tls.pair())
    return context


class Other(threading.Thread):
    """A server of another protocol: sends `greeting`, and answers everything by `answer`; None: by the same bytes."""

    def __init__(self, greeting: bytes, answer: bytes | None, secure: ssl.SSLContext | None = None):
        super().__init__(daemon=True)
        self.secure = secure
        self.greeting, self.answer = greeting, answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.accepted = 0

    def run(self) -> None:
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:  # closed: the test is over
                return
            self.accepted += 1
            with peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with contextlib.suppress(OSError):
                    self.serve(peer if self.secure is None else self.secure.wrap_socket(peer, server_side=True))

    def serve(self, peer: socket.socket) -> None:
        with peer:
            peer.sendall(self.greeting)
            while data := peer.recv(65536):
                peer.sendall(data if self.answer is None else self.answer)

    def __enter__(self) -> Other:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.join()


OTHERS = {
    "ssh": (b"SSH-2.0-OpenSSH_9.2p1\r\n", b"", r'no server of this protocol: it sent "SSH-2.0-OpenSSH_9.2p1\x0d\x0a"'),
    "http": (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", 'no server of this protocol: it sent "HTTP/1.1 400 Bad'),
    "smtp": (b"220 mail ESMTP\r\n", b"500 what?\r\n", 'no server of this protocol: it sent "220 mail ESMTP'),
    "tls": (b"", b"\x15\x03\x01\x00\x02\x02\x46", r'no server of this protocol: it sent "\x15\x03\x01\x00\x02\x02F"'),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("payload", (0, 64, 5000))
def test_a_server_of_another_protocol_is_named(name, payload):
    greeting, answer, said = OTHERS[name]
    with Other(greeting, answer) as server:
        outcome = generator.run("--port", server.port, "--connections", 5, "--payload", payload, *SHORT)
    assert set(outcome.expect("ERRORS").wrong()) == {"unproven"}, outcome.json["error_examples"]
    assert said in outcome.json["error_examples"]["unproven"]
    assert outcome.json["histograms"] is None
    assert server.accepted == 1, "one connection is enough to find out"


@needs_tls
@pytest.mark.parametrize("payload", (0, 64))
def test_a_server_of_another_protocol_inside_tls_is_named(payload):
    with Other(b"220 mail ESMTP\r\n", b"500 what?\r\n", tls_context()) as server:
        outcome = generator.run("--port", server.port, "--payload", payload, "--tls", *SHORT)
    assert set(outcome.expect("ERRORS").wrong()) == {"unproven"}, outcome.json["error_examples"]
    assert 'it sent "220 mail ESMTP' in outcome.json["error_examples"]["unproven"]


TRIES = 10


@pytest.mark.cause("bytes that come back before the frame was complete are not noticed")
@pytest.mark.parametrize("secure", (False, pytest.param(True, marks=needs_tls)), ids=("plain", "tls"))
@pytest.mark.parametrize("payload", (0, 64))
def test_a_server_that_gives_back_bytes_is_no_server_of_frames(payload, secure):
    """What it gives back is right, byte for byte. It is found out by giving back half a frame while the client holds
    the other half, which is for 20 ms. A machine that is too busy for that may let it pass, but hardly ten times."""
    for _ in range(TRIES):
        with Other(b"", None, tls_context() if secure else None) as server:
            outcome = generator.run("--port", server.port, "--payload", payload, *["--tls"] * secure, *SHORT)
        if outcome.verdict == "ERRORS":
            break
    outcome.expect("ERRORS")
    assert "gives back bytes before it has the whole frame" in outcome.json["error_examples"]["unproven"]


def test_a_server_that_closes_at_once_is_said():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = generator.start("--port", listener.getsockname()[1], *SHORT)
        listener.accept()[0].close()
        outcome = generator.finish(process)
    (kind,) = outcome.expect("ERRORS").wrong()
    assert kind in ("closed", "reset") and os.linesep not in outcome.json["error_examples"][kind]
