"""What the questions of lab 1 want to hear, for a protocol."""

from __future__ import annotations

from grader.questions import Answer
from suite.protocol import Protocol


def answers(protocol: Protocol, word: str) -> dict[str, Answer]:
    del word
    largest = protocol.max_frame
    if protocol.counts_itself:
        largest += protocol.overhead
    return {
        "request": Answer("bytes", protocol.frame(b"abc")),
        "reply": Answer("bytes", protocol.reply(b"abc")),
        "whole": Answer("number", 5000 // len(protocol.frame(bytes(100)))),
        "largest-number": Answer("number", largest, unit="bytes"),
    }
