"""The protocol of a class or of a student, from a word. Without a word: that of docs/protocol.md."""

from __future__ import annotations

import hashlib
import itertools
import random

from suite.protocol import ECHO, ORDERS, TRANSFORMS, Protocol

__all__ = ("ECHO", "Protocol", "SHAPES", "choices", "digest", "of_word")

KEYS = {"xor": 255, "rotate": 7}

# Every protocol but for its key and its limits; the first is that of docs/protocol.md.
SHAPES = tuple(
    Protocol(length, order, counts, check, transform, key=1 if transform in KEYS else 0)
    for transform, check, counts, order, length in itertools.product(
        TRANSFORMS, (False, True), (False, True), ORDERS, (4, 2, 3, 8)
    )
)


def _bytes(word: str) -> bytes:
    """The name of a directory may be in it, and that may be no UTF-8."""
    return word.encode(errors="surrogateescape")


def digest(word: str) -> str:
    """What names the directories of this word. The word itself is nowhere in a kit."""
    return hashlib.sha256(b"digest\0" + _bytes(word)).hexdigest()[:12] if word else "plain"


def choices(word: str, what: str) -> random.Random:
    """Whatever else differs from student to student is drawn from this: numbers of a question, sets of results."""
    return random.Random(hashlib.sha256(_bytes(f"{what}\0{word}")).digest())


def of_word(word: str) -> Protocol:
    """Never the shape of docs/protocol.md, unless the word is empty: the sources of this project are no solution.
    The limits are multiples of 1,000 within 30,000 to 50,000 (max_frame), 60,000 to 80,000 (high_water) and 15,000 to
    25,000 (low_water)."""
    if not word:
        return ECHO
    dice = choices(word, "protocol")
    shape = dice.choice(SHAPES[1:])
    return Protocol(
        shape.length_bytes,
        shape.order,
        shape.counts_itself,
        shape.check,
        shape.transform,
        key=dice.randint(1, KEYS[shape.transform]) if shape.transform in KEYS else 0,
        max_frame=1000 * dice.randint(30, 50),
        high_water=1000 * dice.randint(60, 80),
        low_water=1000 * dice.randint(15, 25),
    )
