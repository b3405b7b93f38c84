"""The C of a protocol, from labs/protocol/*.j2: frame.c and frame.h of a server, and what the load generator knows of
frames. That of docs/protocol.md is the project's own."""

from __future__ import annotations

import textwrap

import jinja2

from labkit.lab import LABS, ROOT
from suite.protocol import ECHO, Protocol

FILES = {
    "common/frame.c": "frame.c",
    "common/frame.h": "frame.h",
    "harness/loadgen/payload_bytes.c": "payload_bytes.c",
    "harness/loadgen/wire_format.h": "wire_format.h",
}
COLUMNS = 100
EXAMPLE = r"printf '\0\0\0\5hello'"  # in the first comment of each server.c

REPLIES = {
    "echo": "The payload stays as it is.",
    "reverse": "The payload of the reply is that of the request in reverse order.",
    "xor": "Each byte of the payload becomes itself XOR 0x{key:02x}.",
    "rotate": "Each byte of the payload is rotated left by {key} bit{s}.",
}


def shape(protocol: Protocol) -> tuple[object, ...]:
    """What the sources depend on. The limits are options of a server."""
    return (
        protocol.length_bytes,
        protocol.order,
        protocol.counts_itself,
        protocol.check,
        protocol.transform,
        protocol.key,
    )


def text(protocol: Protocol, path: str) -> str:
    """A file of the project, by its path in it, laid out as the others are."""
    if path not in FILES or shape(protocol) == shape(ECHO):
        return (ROOT / path).read_text().replace(EXAMPLE, example(protocol))
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(LABS / "protocol"),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    templates.filters["comment"] = _comment
    return templates.get_template(f"{FILES[path]}.j2").render(
        protocol=protocol,
        changes=protocol.transform != "echo",
        fields=_fields(protocol),
        reply=_reply(protocol),
        refused=_refused(protocol),
    )


def example(protocol: Protocol) -> str:
    """The command that prints a frame, for a shell."""
    if shape(protocol) == shape(ECHO):
        return EXAMPLE
    plain = set(range(0x20, 0x7F)) - set(b"%\\'")
    frame = protocol.frame(b"hello")
    return "printf '" + "".join(chr(each) if each in plain else f"\\{each:03o}" for each in frame) + "'"


def _comment(text: str, first: str, others: str) -> str:
    return textwrap.fill(text, COLUMNS, initial_indent=first, subsequent_indent=others)


def _fields(protocol: Protocol) -> list[str]:
    order = "most" if protocol.order == "big" else "least"
    counts = "the size of the whole frame" if protocol.counts_itself else "the length of the payload"
    fields = [
        f"an unsigned number of {protocol.length_bytes} bytes, {order} significant byte first: {counts}",
        "the payload: 0 to max_frame bytes",
    ]
    return [*fields, "a check byte: the XOR of all bytes of the payload"] if protocol.check else fields


def _reply(protocol: Protocol) -> str:
    reply = REPLIES[protocol.transform].format(key=protocol.key, s="s" * (protocol.key > 1))
    return f"{reply} The check byte is that of the new payload." if protocol.check else reply


def _refused(protocol: Protocol) -> str:
    refused = ["with a payload above max_frame bytes"]
    if protocol.counts_itself:
        refused.append("with a number that is too small")
    if protocol.check:
        refused.append("with a wrong check byte")
    return ", or ".join(refused)
