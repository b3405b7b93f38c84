"""The protocol of a class or of a student, from a word. Without a word: that of docs/protocol.md."""

from __future__ import annotations

import hashlib
import random

from suite.protocol import ECHO, Protocol

__all__ = ("ECHO", "Protocol", "choices", "of_word")


def choices(word: str, what: str) -> random.Random:
    """Whatever else differs from student to student is drawn from this: numbers of a question, sets of results."""
    return random.Random(hashlib.sha256(f"{what}\0{word}".encode()).digest())
