"""The case of a question of lab 3: which flags do two processes see in the end? It is drawn from the student's word."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from labkit import modules
from labkit.protocol import choices
from suite.protocol import Protocol

expected = modules.load(Path(__file__).with_name("expected.py"))

CHANGES = 14
ASKED = [f"{process} flags {number}" for process in (0, 1) for number in (3, 4, 5, 6)]
LETTERS = {"": "o", "nonblock": "n", "cloexec": "c", "nonblock cloexec": "b"}
FLAGS = ("nonblock", "cloexec")
WRONG = ((), ("cloexec",), FLAGS)  # flags that somebody may take for those of the open file


def operations(word: str) -> list[str]:
    """Whoever takes a flag for one of the number, or of the open file, where it is not, gets another answer."""
    dice = choices(word, "flags of lab 3")
    while True:
        lines = [
            f"{dice.choice('01')} {dice.choice(FLAGS)} {dice.choice('345')} {dice.choice(('on', 'off'))}"
            for _ in range(CHANGES)
        ]
        for process in (0, 1):  # each makes a number 6
            lines.insert(dice.randrange(2, CHANGES - 2), f"{process} dup {dice.choice('345')}")
        lines = ["0 pipe", "0 dup 3", "0 fork", *lines, *ASKED]
        if letters(lines) not in [letters(lines, wrong) for wrong in WRONG]:
            return lines


def letters(lines: Iterable[str], of_file: tuple[str, ...] = ("nonblock",)) -> str:
    """The answer, if the flags in `of_file` belong to the open file, and the others to the number."""
    files: dict[tuple[int, int], str] = {}  # which end of the pipe each number of each process leads to
    flags: set[tuple[str, object]] = set()
    found = ""
    for line in lines:
        words = line.split()
        process, what, number = int(words[0]), words[1], int(words[2]) if len(words) > 2 else 0
        here = (process, number)
        if what == "pipe":
            files |= {(0, 3): "read end", (0, 4): "write end"}
        elif what == "fork":
            files |= {(1, each): file for (_, each), file in files.items()}
        elif what == "dup":
            new = (process, 5 if (process, 5) not in files else 6)
            files[new] = files[here]
            if ("nonblock", here) in flags:  # who takes it for a flag of the number copies it
                flags.add(("nonblock", new))
        elif what in FLAGS:
            key = (what, files[here] if what in of_file else here)
            flags = flags | {key} if words[3] == "on" else flags - {key}
        else:
            found += LETTERS[" ".join(flag for flag in FLAGS if {(flag, here), (flag, files[here])} & flags)]
    return found


def files(protocol: Protocol, word: str) -> dict[str, bytes]:
    case = {"about": "which flags has each number in the end?", "operations": operations(word)}
    return {
        "question/flags.json": (json.dumps(case, indent=2) + "\n").encode(),
        "question/flags.in": expected.stdin(case, protocol),
    }
