"""The protocol of a server: docs/protocol.md, or one of its variants, which the labs use (labs/README.md).

A frame is a number, a payload and, in some variants, a check byte. The reply has the same length. Its payload is the
request's, transformed.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Literal, NamedTuple

Bytes = bytes | bytearray | memoryview

LENGTHS = (2, 3, 4, 8)
ORDERS: tuple[Literal["big", "little"], ...] = ("big", "little")
TRANSFORMS = ("echo", "reverse", "xor", "rotate")


def xor_of(payload: Bytes) -> int:
    """Of all bytes; 0 if there is none. In halves, as large numbers: byte by byte, Python would be busy for seconds
    with a flood of megabytes."""
    value, size = int.from_bytes(payload, "little"), len(payload)
    while size > 1:
        size = (size + 1) // 2
        value = value >> 8 * size ^ value & (1 << 8 * size) - 1
    return value


class Scan(NamedTuple):
    """What stands at the beginning of some bytes."""

    whole: int  # bytes that make up whole frames
    frames: int
    refused: bool  # the server ends the connection because of what comes after them


def _wrapped(paragraph: str) -> str:
    hanging = "  " if paragraph.startswith("- ") else ""
    return textwrap.fill(paragraph, 118, subsequent_indent=hanging, break_on_hyphens=False)


def _joined(parts: list[str]) -> str:
    return "\n".join(part if part.startswith(" ") else _wrapped(part) for part in parts)


@dataclass(frozen=True)
class Protocol:
    length_bytes: int = 4
    order: Literal["big", "little"] = "big"
    counts_itself: bool = False  # the number is the size of the whole frame, not of the payload
    check: bool = False  # the last byte of a frame is the XOR of all bytes of its payload
    transform: str = "echo"
    key: int = 0  # "xor": with each byte; "rotate": by how many bits to the left
    # The options of the servers that are tested. They are small, so that little data reaches them.
    max_frame: int = 30_000
    high_water: int = 60_000
    low_water: int = 20_000

    def __post_init__(self) -> None:
        if self.length_bytes not in LENGTHS or self.order not in ORDERS or self.transform not in TRANSFORMS:
            raise ValueError(f"no such protocol: {self}")
        keys = {"xor": range(1, 256), "rotate": range(1, 8)}.get(self.transform, range(1))
        if self.key not in keys:
            raise ValueError(f"{self.transform} with a key of {self.key}")
        if not 0 < self.low_water < self.high_water or not 0 < self.max_frame < self.most:
            raise ValueError(f"limits that do not fit: {self}")

    # -- a frame ---------------------------------------------------------------------------------

    @property
    def overhead(self) -> int:
        """The bytes of a frame that are not payload."""
        return self.length_bytes + self.check

    @property
    def most(self) -> int:
        """The longest payload that a number can announce."""
        return (1 << 8 * self.length_bytes) - 1 - (self.overhead if self.counts_itself else 0)

    def number(self, value: int) -> bytes:
        """The bytes of a number as it stands there, whatever it counts."""
        return value.to_bytes(self.length_bytes, self.order)

    def header(self, length: int) -> bytes:
        """What announces a payload of so many bytes."""
        return self.number(length + self.overhead if self.counts_itself else length)

    def frame(self, payload: Bytes) -> bytes:
        check = bytes([xor_of(payload)]) if self.check else b""
        return self.header(len(payload)) + payload + check

    def reply(self, payload: Bytes) -> bytes:
        """The whole frame that answers a frame with this payload."""
        return self.frame(self.transformed(payload))

    def transformed(self, payload: Bytes) -> bytes:
        if self.transform == "reverse":
            return bytes(payload)[::-1]
        if self.transform == "xor":
            return bytes(payload).translate(bytes(byte ^ self.key for byte in range(256)))
        if self.transform == "rotate":
            turned = bytes((byte << self.key | byte >> (8 - self.key)) & 0xFF for byte in range(256))
            return bytes(payload).translate(turned)
        return bytes(payload)

    # -- a stream --------------------------------------------------------------------------------

    def announced(self, stream: Bytes) -> int | None:
        """The length of the payload of the frame that begins here; None as long as its number is not whole.
        Below 0: the number is too small to be one."""
        if len(stream) < self.length_bytes:
            return None
        value = int.from_bytes(stream[: self.length_bytes], self.order)
        return value - self.overhead if self.counts_itself else value

    def scan(self, stream: Bytes) -> Scan:
        """Of bytes that begin where a frame begins."""
        with memoryview(stream) as view:
            return self._scan(view)

    def _scan(self, view: memoryview) -> Scan:
        whole = frames = 0
        while (length := self.announced(view[whole:])) is not None:
            if not 0 <= length <= self.max_frame:
                return Scan(whole, frames, True)
            end = whole + self.overhead + length
            if end > len(view):
                break
            payload = view[whole + self.length_bytes :][:length]
            if self.check and xor_of(payload) != view[end - 1]:
                return Scan(whole, frames, True)
            whole = end
            frames += 1
        return Scan(whole, frames, False)

    def replies(self, stream: Bytes) -> bytes:
        """To the whole frames at the beginning of these bytes, joined."""
        with memoryview(stream) as view:
            whole = self._scan(view).whole
            if self.transform == "echo":
                return bytes(view[:whole])
            answers, at = [], 0
            while at < whole:
                length = self.announced(view[at:])
                assert length is not None
                answers.append(self.reply(view[at + self.length_bytes :][:length]))
                at += self.overhead + length
            return b"".join(answers)

    # -- in words --------------------------------------------------------------------------------

    def describe(self, server: bool = True) -> str:
        """For a handout, in Markdown. A program that is no server refuses nobody, and has no options."""
        order = "most" if self.order == "big" else "least"
        if self.counts_itself:
            counts = f"the size of the whole frame, so {self.overhead} more than the payload has bytes"
        else:
            counts = "how many bytes of payload follow"
        fields = [
            f"- a number of {self.length_bytes} bytes, unsigned, {order} significant byte first: {counts};",
            f"- the payload: 0 to {self.max_frame:,} bytes, of any value{';' if self.check else '.'}",
        ]
        if self.check:
            fields.append("- a check byte: the XOR of all bytes of the payload; 0 if the payload is empty.")
        refused = [f"announces a payload of more than {self.max_frame:,} bytes"]
        if self.counts_itself:
            refused.append(f"has a number below {self.overhead}")
        if self.check:
            refused.append("has a wrong check byte")
        if not server:
            parts = ["A frame is", "", *fields, "", f"Its reply is a frame, too. {self._reply()}", ""]
            return _joined([*parts, *self._example(b"abc\x81")])
        parts = [
            "A frame is",
            "",
            *fields,
            "",
            f"The server answers each frame with one frame. {self._reply()}",
            "",
            f"The server refuses a frame that {', or '.join(refused)}. It answers the frames before that one, sends "
            "FIN, discards what still comes, and closes when the peer closes too.",
            "",
            *self._example(b"abc\x81"),
            "",
            f"The tests start the server with `--max-frame {self.max_frame} --high-water {self.high_water} --low-water "
            f"{self.low_water}`.",
        ]
        return _joined(parts)

    def _reply(self) -> str:
        sentence = {
            "echo": "The payload of the reply is the payload of the request.",
            "reverse": "The payload of the reply is that of the request with its bytes in reverse order: the last byte "
            "comes first.",
            "xor": f"In the payload of the reply, each byte is that of the request XOR 0x{self.key:02x}.",
            "rotate": f"In the payload of the reply, each byte is that of the request, rotated left by {self.key} "
            f"bit{'s' * (self.key > 1)}: the bits that leave at the top come in again at the bottom.",
        }[self.transform]
        return f"{sentence} The check byte is that of the new payload." if self.check else sentence

    def _example(self, payload: bytes) -> list[str]:
        """One request and its reply, in hexadecimal."""
        names = ["number", f"payload ({len(payload)} bytes)"] + ["check byte"] * self.check
        rows = [["", *names]]
        for name, whole in (("request", self.frame(payload)), ("reply", self.reply(payload))):
            parts = [whole[: self.length_bytes], whole[self.length_bytes :][: len(payload)]]
            parts += [whole[-1:]] * self.check
            rows.append([name, *(part.hex(" ") for part in parts)])
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["    " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return ["One request and its reply, byte by byte:", "", *lines]


ECHO = Protocol()
