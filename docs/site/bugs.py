"""Which planted bugs change which function."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import csource
from mutants.manifest import MUTANTS, Mutant

HUNK = re.compile(r"^@@ -(\d+)(?:,\d+)? ", re.MULTILINE)


def patch(root: Path, name: str) -> str:
    return (root / "harness/mutants" / f"{name}.patch").read_text(encoding="utf-8")


def of_function(root: Path, file: str, name: str) -> list[Mutant]:
    """In the order of the list."""
    return _by_function(root).get((file, name), [])


@functools.cache
def _by_function(root: Path) -> dict[tuple[str, str], list[Mutant]]:
    found: dict[tuple[str, str], list[Mutant]] = {}
    for mutant in MUTANTS:
        for file, line in changed_lines(patch(root, mutant.name)):
            block = next((b for b in _blocks(root, file) if b.line <= line <= b.last_line), None)
            if block and block.name:
                mutants = found.setdefault((file, block.name), [])
                if mutant not in mutants:
                    mutants.append(mutant)
    return found


@functools.cache
def _blocks(root: Path, file: str) -> list[csource.Block]:
    return csource.blocks(root, file)


def changed_lines(text: str) -> list[tuple[str, int]]:
    """The file and the line of each line that a patch takes out, or before which it puts one."""
    found: list[tuple[str, int]] = []
    file, line = "", 0
    for row in text.split("\n"):
        if row.startswith("--- a/"):
            file = row.removeprefix("--- a/")
        elif hunk := HUNK.match(row):
            line = int(hunk[1])
        elif row.startswith("-"):
            found.append((file, line))
            line += 1
        elif row.startswith("+") and not row.startswith("+++"):
            found.append((file, line))
        elif row.startswith(" ") or row == "":
            line += 1
    return found
