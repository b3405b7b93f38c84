"""A peer that speaks HTTP/1.1: it sends what a test gives it, however wrong, and reads replies strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass

from suite import peer

HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [ -~]+\r\n((?:[!-9;-~]+: [ -~]*\r\n)*)\r\n")


@dataclass(frozen=True)
class Reply:
    status: int
    fields: dict[str, str]  # names in small letters
    body: bytes

    @property
    def closes(self) -> bool:
        return self.fields.get("connection") == "close"


class HttpPeer(peer.Peer):
    """A Peer that keeps what it has read beyond a reply."""

    def __init__(self, address: tuple[str, int], name: str = "peer", receive_buffer: int | None = None):
        super().__init__(address, name, receive_buffer)
        self._read = bytearray()

    def _more(self, what: str) -> None:
        try:
            piece = self.socket.recv(1 << 16)
        except TimeoutError:
            raise AssertionError(f"{self.name}: waited in vain for {what}; has {bytes(self._read[:200])!r}") from None
        assert piece, f"{self.name}: the connection ended before {what}; has {bytes(self._read[:200])!r}"
        self._read += piece

    def reply(self, to_head: bool = False) -> Reply:
        """The next reply, whole. `to_head`: it answers HEAD, so no body follows."""
        while b"\r\n\r\n" not in self._read:
            self._more("the end of a reply's head")
        match = HEAD.match(self._read)
        assert match, f"{self.name}: no head of a reply: {bytes(self._read[:200])!r}"
        fields: dict[str, str] = {}
        for line in match[2].decode().splitlines():
            name, _, value = line.partition(": ")
            assert name.lower() not in fields, f"{self.name}: {name} is there twice"
            fields[name.lower()] = value
        status = int(match[1])
        length = 0 if to_head or status == 100 else int(fields["content-length"])
        end = match.end() + length
        while len(self._read) < end:
            self._more(f"{length} bytes of a body")
        body = bytes(self._read[match.end() : end])
        del self._read[:end]
        self._say(f"got {status}, {len(body)} bytes")
        return Reply(status, fields, body)

    def put_back(self, data: bytes) -> None:
        """What was received without this class."""
        self._read[:0] = data

    def expect_end(self) -> None:
        assert not self._read, f"{self.name}: expected the end, came {bytes(self._read[:200])!r}"
        super().expect_end()

    def ask(self, request: bytes) -> Reply:
        self.send(request)
        return self.reply(to_head=request.startswith(b"HEAD "))


def post(body: bytes, *fields: str) -> bytes:
    lines = ["POST /echo HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *fields]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body


def post_chunked(coded: bytes, *fields: str) -> bytes:
    lines = ["POST /echo HTTP/1.1", "Host: x", "Transfer-Encoding: chunked", *fields]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + coded


def chunks(body: bytes, size: int) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"


def get(path: str, *fields: str, method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *fields]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"
