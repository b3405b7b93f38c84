"""What the peers of a server send, and what they are owed."""

from __future__ import annotations

import re

from suite import servers
from suite.frames import ends_between_frames, frame, header
from suite.http_peer import post

DATE = re.compile(rb"(?<=\r\nDate: )[^\r]{0,29}")
CONTENT = re.compile(rb"Content-Length: (\d+)\r\n")
TEXTS = {
    400: "Bad Request", 403: "Forbidden", 404: "Not Found", 408: "Request Timeout", 413: "Content Too Large",
    500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip


class Frames:
    """docs/protocol.md."""

    begun = header(10) + b"abc"
    too_large = header(0xFFFFFFFF)
    refusal = b""  # of what is too large

    @staticmethod
    def request(payload: bytes) -> bytes:
        return frame(payload)

    @staticmethod
    def reply(payload: bytes) -> bytes:
        return frame(payload)

    @staticmethod
    def known(came: bytes) -> bytes:
        """What came, without what nobody can know before."""
        return came

    @staticmethod
    def ends_between(came: bytes | bytearray) -> bool:
        return ends_between_frames(came)


def head(status: int, text: str, kind: str, length: int, *fields: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {text}", f"Date: {'?' * 29}", f"Content-Type: {kind}", f"Content-Length: {length}"]
    return "".join(f"{line}\r\n" for line in (*lines, *fields)).encode() + b"\r\n"


def failure(status: int, *fields: str) -> bytes:
    """A reply that says what was wrong."""
    text = f"{status} {TEXTS[status]}\n"
    return head(status, TEXTS[status], "text/plain", len(text), *fields) + text.encode()


class Http(Frames):
    """POST /echo. The date in a reply is that of the server's clock."""

    begun = post(b"0123456789")[:-7]
    too_large = post(b"").replace(b": 0", b": 4294967295")
    refusal = failure(413, "Connection: close")

    @staticmethod
    def request(payload: bytes) -> bytes:
        return post(payload)

    @staticmethod
    def reply(payload: bytes) -> bytes:
        return head(200, "OK", "application/octet-stream", len(payload)) + payload

    @staticmethod
    def known(came: bytes) -> bytes:
        return DATE.sub(lambda date: b"?" * len(date[0]), came)

    @staticmethod
    def ends_between(came: bytes | bytearray) -> bool:
        at = 0
        while (end := came.find(b"\r\n\r\n", at)) >= 0:
            length = CONTENT.search(came, at, end + 2)
            at = end + 4 + (int(length[1]) if length else 0)
        return at == len(came)


def of(server: str) -> type[Frames]:
    return Http if servers.OF[server].protocol == "http" else Frames
