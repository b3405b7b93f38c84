"""The right answers of lab 6."""

from __future__ import annotations

from grader.questions import Answer
from suite.protocol import Protocol


def answers(protocol: Protocol, word: str) -> dict[str, Answer]:
    return {
        "error_of_the_process": Answer("word", ("EMFILE", "Too many open files"), beside=("24",)),
        "refused_in_ten_seconds": Answer("number", 10),
        "milliseconds": Answer("number", 2, unit="ms"),
        "stop_replies": Answer("bytes", protocol.reply(b"a") + protocol.reply(b"b")),
    }
