"""The right answers of lab 8. Three of them depend on the student's result sets."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from grader.questions import Answer
from suite.protocol import Protocol


def _kit_files() -> ModuleType:
    name, path = "kit_files_of_measuring", Path(__file__).with_name("kit_files.py")
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def answers(protocol: Protocol, word: str) -> dict[str, Answer]:
    kit_files = _kit_files()
    (dishonest,) = [each for each in kit_files.sets(word) if each.way]
    table = dict(line.rsplit(" ", 1) for line in kit_files.expected.table(dishonest.run))
    return {
        "dishonest_set": Answer("word", (dishonest.name, f"set {dishonest.name}", f"{dishonest.name}.table")),
        "its_p99": Answer("number", int(table["response p99"].lstrip(">"))),
        "how": Answer("word", (dishonest.way,)),
        "rank": Answer("number", 12_333),  # 12,345 · 0.999 = 12,332.655, rounded up
    }
