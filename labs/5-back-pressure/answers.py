"""The right answers of lab 5."""

from __future__ import annotations

from grader.questions import Answer
from suite.protocol import Protocol


def answers(protocol: Protocol, word: str) -> dict[str, Answer]:
    reply = 1000 + protocol.overhead
    return {
        "replies_at_the_pause": Answer("number", -(-protocol.high_water // reply)),
        "fin_or_reset": Answer("word", ("RST", "reset", "TCP RST", "TCP reset", "connection reset")),
        "how": Answer("word", ("SHUT_WR",), beside=("1",)),
        "last_reply": Answer("bytes", protocol.reply(b"abc")),
    }
