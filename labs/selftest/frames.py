"""A right frame.c for any variant, from right/frame.c.in."""

from __future__ import annotations

from pathlib import Path

from suite.protocol import Protocol

TEMPLATE = Path(__file__).parent / "right" / "frame.c.in"


def right(protocol: Protocol, header: str) -> str:
    """header: the frame.h that stands beside it. Where replies are the requests, frame_scan() may not change them."""
    values = {
        "NUMBER": protocol.length_bytes,
        "LITTLE": int(protocol.order == "little"),
        "COUNTS": int(protocol.counts_itself),
        "CHECK": int(protocol.check),
        "TRANSFORMS": int(protocol.transform != "echo"),
        "REVERSE": int(protocol.transform == "reverse"),
        "XOR": protocol.key if protocol.transform == "xor" else 0,
        "ROTATE": protocol.key if protocol.transform == "rotate" else 0,
        "MISSING": int("frame_missing(" in header),
        "CONST": "const " if "frame_scan(const uint8_t *" in header else "",
    }
    text = TEMPLATE.read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text
