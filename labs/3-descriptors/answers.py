"""The right answers of lab 3."""

from __future__ import annotations

from grader.questions import Answer
from suite.protocol import Protocol


def answers(protocol: Protocol, word: str) -> dict[str, Answer]:
    return {
        "numbers_after": Answer("number", 3),  # pipe: 3 4, dup: 5, close 3; the second pipe: 3 6
        "ends_at": Answer("number", 3),  # the write ends of all three
        "events_of_three_writes": Answer("number", 1),
        "flag_of_the_file": Answer("word", ("O_NONBLOCK", "NONBLOCK")),
    }
