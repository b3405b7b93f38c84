"""What the questions of lab 7 want to hear, for a protocol."""

from __future__ import annotations

from grader.questions import Answer
from suite.protocol import Protocol

CONNECTIONS, PENDING, PAUSED = 200, 12, 5


def answers(protocol: Protocol, word: str) -> dict[str, Answer]:
    del word
    readers, writers = CONNECTIONS - PAUSED, PENDING + PAUSED
    return {
        "filters": Answer("number", readers + writers),
        "calls": Answer("number", 2),  # the read filter goes, the write filter comes
        "flag": Answer("word", ("EV_CLEAR",), beside=("32", "0x20", "0x0020")),
        "left": Answer("number", len(protocol.frame(bytes(500))), unit="bytes"),
    }
