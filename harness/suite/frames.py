"""Frames: 4 bytes of big-endian length, then the payload (docs/protocol.md)."""

from __future__ import annotations

import random
import struct

HEADER = struct.Struct(">I")


def frame(payload: bytes) -> bytes:
    return HEADER.pack(len(payload)) + payload


def header(length: int) -> bytes:
    return HEADER.pack(length)


def ends_between_frames(stream: bytes | bytearray) -> bool:
    at = 0
    while at + HEADER.size <= len(stream):
        at += HEADER.size + HEADER.unpack_from(stream, at)[0]
    return at == len(stream)


def payload(size: int, seed: object = 0) -> bytes:
    """Bytes that another seed would not give, so that a swap or a leak shows."""
    return random.Random(f"{seed}/{size}").randbytes(size)
