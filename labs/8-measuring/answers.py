"""The right answers of lab 8. Three of them depend on the student's result sets."""

from __future__ import annotations

from pathlib import Path

from grader.questions import Answer
from labkit import modules
from suite.protocol import Protocol


def answers(protocol: Protocol, word: str) -> dict[str, Answer]:
    kit_files = modules.load(Path(__file__).with_name("kit_files.py"))
    (dishonest,) = [each for each in kit_files.sets(word) if each.way]
    table = dict(line.rsplit(" ", 1) for line in kit_files.expected.table(dishonest.run))
    names = ("{}", "set {}", "{} set", "table {}", "{} table", "result set {}", "{}.table", "{}.rows")
    names += ("results/{}", "results/{}.table", "results/{}.rows")
    return {
        "dishonest_set": Answer("word", tuple(name.format(dishonest.name) for name in names)),
        "its_p99": Answer("number", int(table["response p99"].lstrip(">")), unit="ns"),
        "how": Answer("word", (dishonest.way,)),
        "rank": Answer("number", 12_333),  # 12,345 · 0.999 = 12,332.655, rounded up
    }
