"""The right answers of lab 3."""

from __future__ import annotations

from pathlib import Path

from grader.questions import Answer
from labkit import modules
from suite.protocol import Protocol


def answers(protocol: Protocol, word: str) -> dict[str, Answer]:
    case = modules.load(Path(__file__).with_name("kit_files.py"))
    flags = case.letters(case.operations(word))
    return {
        "numbers_after": Answer("number", 3),  # pipe: 3 4, dup: 5, close 3; the second pipe: 3 6
        "ends_at": Answer("number", 3),  # the write ends of all three
        "events_of_three_writes": Answer("number", 1),
        "flags_in_the_end": Answer("word", (flags, " ".join(flags))),
    }
