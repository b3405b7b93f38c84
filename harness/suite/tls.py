"""TLS for the suite's peers, and the certificate that a server shows them.

A Stream is used like the socket below it. What a peer does to a plain connection it does to a TLS one: a half-close is
close_notify and FIN, a reset is a reset."""

from __future__ import annotations

import contextlib
import functools
import re
import select
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from suite import servers, waiting

# What a server says after SIGHUP.
READ_AGAIN = re.compile(r"\w+: (read .+ again|.*: keeping the old certificate)$")
RECORD = 16384  # bytes: the most that one record holds
AT_ONCE = 256 << 10  # bytes: on a busy machine, to encrypt more at once takes as long as an idle timeout
# Nothing is protected by this key: it is made for the tests of one build, and stays in its directory.
MAKE = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=localhost"


@functools.cache
def pair() -> tuple[Path, Path]:
    """A self-signed certificate for P-256 and its key, as files. Made once a build; several processes may ask."""
    directory = servers.build_dir() / "certificate"
    if not directory.exists():
        with tempfile.TemporaryDirectory(dir=servers.build_dir()) as made:
            make_pair(Path(made) / "pair")
            with contextlib.suppress(OSError):  # another process was quicker
                (Path(made) / "pair").rename(directory)
    return directory / "certificate.pem", directory / "key.pem"


def make_pair(directory: Path, name: str = "localhost") -> tuple[Path, Path]:
    directory.mkdir()
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    words = [*MAKE.replace("localhost", name).split(), "-out", certificate, "-keyout", key]
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
    return certificate, key


def options(name: str) -> tuple[str, ...]:
    """That a server needs to start, if it speaks TLS. Peers that are never heard of stay, unless a test says more."""
    if name not in servers.OF or servers.OF[name].transport != "tls":
        return ()
    certificate, key = pair()
    return ("--cert", str(certificate), "--key", str(key), "--handshake-timeout", "0")


def session_bytes(name: str) -> int:
    """The most memory that a session takes, beside its connection. The list's figure is of OpenSSL 3.0. OpenSSL 3.5
    takes twice as much, a quarter of it for its hybrid key exchange (beyond/tls/README.md). 3.2 to 3.4 were not
    tried."""
    if not options(name):
        return 0
    return servers.OF[name].idle_bytes * (2 if ssl.OPENSSL_VERSION_INFO >= (3, 2) else 1)


def of_loadgen(name: str) -> tuple[str, ...]:
    """That the load generator needs for this server."""
    return ("--tls",) if options(name) else ()


def command(name: str, *more: str) -> list[str]:
    """How to start a server: its program, the options that it cannot do without, and more."""
    return [str(servers.program(name)), *options(name), *more]


@functools.cache
def client(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """Speaks this version only."""
    context = ssl.create_default_context(cafile=str(pair()[0]))
    context.minimum_version = context.maximum_version = version
    context.check_hostname = False  # it is the suite's own, whatever the address
    return context


# Servers that speak TLS, by address; the value says whether one is stopped at the moment.
_speakers: dict[tuple[str, int], Callable[[], bool]] = {}


def note(address: tuple[str, int], speaks: bool, stopped: Callable[[], bool]) -> None:
    """A server listens there now."""
    _speakers.pop(address, None)
    if speaks:
        _speakers[address] = stopped


def forget(stopped: Callable[[], bool]) -> None:
    """The server that was noted with this has ended. The kernel may give its port to another one."""
    for address in [each for each, noted in _speakers.items() if noted is stopped]:
        del _speakers[address]


def over(plain: socket.socket, address: tuple[str, int]) -> socket.socket:
    """The socket, connected to that address, or a Stream over it if the server there speaks TLS."""
    if address not in _speakers:
        return plain
    return Stream(plain, client(), _speakers[address])  # type: ignore[return-value]


class Stream:
    """A TLS client on a connected socket. The handshake is made when it is needed first: a peer that the server does
    not accept may be connected all the same. Server.frozen() sees to those that are connected then. What is not here
    is the socket's."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, stopped: Callable[[], bool] = lambda: False,
                 session: ssl.SSLSession | None = None):
        self.plain = plain
        self._stopped = stopped
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session = context.wrap_bio(self._incoming, self._outgoing, session=session)
        self._pending = bytearray()  # records that the kernel has not taken yet
        self._came = bytearray()  # received by has_input()
        self._shaken = self._ended = self._aborts = self._shut = False
        self._fin = False  # to be sent after what is pending
        self._lost: OSError | None = None  # what ended the handshake

    def __getattr__(self, name: str) -> object:
        return getattr(self.plain, name)

    # -- records -----------------------------------------------------------------------------------

    @property
    def shaken(self) -> bool:
        """The handshake is over, or was given up."""
        return self._shaken

    @property
    def can_shake(self) -> bool:
        """Or has shaken hands already."""
        return self._shaken or not self._stopped()

    def shake(self) -> None:
        """A server that refuses the peer meanwhile is found out by the next recv, as without TLS."""
        if self._shaken:
            return
        assert self.can_shake, "over TLS: the handshake needs the server's answer, and the server is stopped"
        self._shaken = True
        patience = self.plain.gettimeout()
        self.plain.settimeout(patience or waiting.PATIENCE)
        try:
            while not self._handshake_step():
                self._receive()
            self.flush(wait=True)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            self._ended = self._shut = True
        except ConnectionError as error:
            self._lost = error
            self._shut = True
        self.plain.settimeout(patience)

    def _handshake_step(self) -> bool:
        try:
            self.session.do_handshake()
            return True
        except ssl.SSLWantReadError:
            self.flush(wait=True)
            return False

    def _receive(self) -> None:
        data = self.plain.recv(1 << 18)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def flush(self, wait: bool) -> bool:
        """Sends what is pending, as far as the kernel takes it. Returns whether all has gone."""
        self._pending += self._outgoing.read()
        patience = self.plain.gettimeout()
        self.plain.settimeout(patience if wait else 0)  # MSG_DONTWAIT would not do: Python itself waits
        try:
            while self._pending:
                del self._pending[: self.plain.send(self._pending)]
        except BlockingIOError:
            return False
        finally:
            self.plain.settimeout(patience)
        if self._fin:
            self._fin = False
            with contextlib.suppress(OSError):
                self.plain.shutdown(socket.SHUT_WR)
        return True

    # -- as a socket -------------------------------------------------------------------------------

    def sendall(self, data: bytes) -> None:
        self.shake()
        if self._lost or self._ended:  # the server has refused this peer: recv says so
            return
        for start in range(0, len(data), RECORD):
            self.session.write(data[start : start + RECORD])
            if self._outgoing.pending >= AT_ONCE:
                self.flush(wait=True)
        self.flush(wait=True)

    def send(self, data: bytes, flags: int = 0) -> int:
        """At most a record. What of it the kernel does not take counts as sent, and is sent later."""
        if flags:
            return self.plain.send(data, flags)
        self.shake()
        if not self.flush(wait=self.plain.gettimeout() != 0):
            raise BlockingIOError
        count = self.session.write(data[:RECORD])
        self.flush(wait=self.plain.gettimeout() != 0)
        return count

    def recv(self, size: int) -> bytes:
        """b"" at close_notify. A FIN without it is an error, as it must be for a client."""
        if self._came:
            data = bytes(self._came[:size])
            del self._came[:size]
            return data
        self.shake()
        if self._lost:
            raise self._lost
        while not self._ended:
            try:
                if data := self.session.read(size):
                    return data
                self._ended = True  # close_notify, before ours was sent
            except ssl.SSLZeroReturnError:
                self._ended = True  # and after
            except ssl.SSLEOFError:
                raise ConnectionError("the stream was cut: FIN without close_notify") from None
            except ssl.SSLWantReadError:
                self._wait()
                self._receive()
        return b""

    def _wait(self) -> None:
        """Until something comes; meanwhile what is pending leaves."""
        patience = self.plain.gettimeout()
        deadline = None if patience is None else time.monotonic() + patience
        while not self.flush(wait=False) and patience != 0:
            left = None if deadline is None else max(deadline - time.monotonic(), 0)
            readable, writable, _ = select.select([self.plain], [self.plain], [], left)
            if readable:
                return
            if not writable:
                raise TimeoutError("timed out")

    def has_input(self) -> bool:
        """Data, an end or an error. Tickets and the like are no input."""
        if not self._shaken:
            return bool(select.select([self.plain], [], [], 0)[0])
        patience = self.plain.gettimeout()
        self.plain.setblocking(False)
        try:
            while not self._came and not self._ended:
                self._came += self.recv(RECORD)
            return True
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self.plain.settimeout(patience)

    def begin(self) -> None:
        """Sends the first flight of the handshake, and waits for no answer."""
        assert not self._handshake_step()

    def go_on(self) -> None:
        """Finishes a handshake that has begun."""
        self._stopped = lambda: False
        self.shake()

    def cut_record(self, data: bytes, at: int) -> bytes:
        """Sends the first bytes of a record. Returns the rest of it, to be sent through `plain`."""
        self.session.write(data)
        record = self._outgoing.read()
        self.plain.sendall(record[:at])
        return record[at:]

    def notify(self) -> None:
        """close_notify, and no FIN."""
        self._notify()
        self.flush(wait=True)

    def _notify(self) -> None:
        if self._shaken and not self._shut:
            with contextlib.suppress(ssl.SSLError):
                self.session.unwrap()
        self._shut = True

    def shutdown(self, how: int) -> None:
        assert how == socket.SHUT_WR
        if not self._stopped():
            self.shake()
        self._notify()
        self._fin = True
        self.flush(wait=False)  # shutdown(2) does not wait, either; what is left leaves while the peer receives

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        self._aborts |= (level, option) == (socket.SOL_SOCKET, socket.SO_LINGER)
        self.plain.setsockopt(level, option, value)

    def close(self) -> None:
        if not self._aborts and self.plain.fileno() >= 0:
            self._notify()
            with contextlib.suppress(OSError):
                self.flush(wait=False)
        self.plain.close()

    def undelivered(self) -> int:
        """How many bytes are not with the kernel yet."""
        self.flush(wait=False)
        return len(self._pending)
