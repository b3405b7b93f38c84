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
        for file, line in changed_lines(root, patch(root, mutant.name)):
            block = next((b for b in _blocks(root, file) if b.line <= line <= b.last_line), None)
            if block and block.name:
                mutants = found.setdefault((file, block.name), [])
                if mutant not in mutants:
                    mutants.append(mutant)
    return found


@functools.cache
def _blocks(root: Path, file: str) -> list[csource.Block]:
    return csource.blocks(root, file)


def changed_lines(root: Path, text: str) -> list[tuple[str, int]]:
    """The file and the line of each line that a patch takes out, or before which it puts one. Sources may have grown
    since the patch was made: then a hunk is where its lines are, as patch(1) finds it."""
    found: list[tuple[str, int]] = []
    for part in re.split(r"^--- a/", text, flags=re.MULTILINE)[1:]:
        file = part.partition("\n")[0]
        source = (root / file).read_text(encoding="utf-8").split("\n")
        pieces = HUNK.split(part)
        for said, hunk in zip(pieces[1::2], pieces[2::2]):
            rows = hunk.partition("\n")[2].rstrip("\n").split("\n")
            line = _place(source, [row[1:] for row in rows if not row.startswith("+")], int(said))
            for row in rows:
                if row.startswith(("+", "-")):
                    found.append((file, line))
                line += not row.startswith("+")
    return found


def _place(source: list[str], wanted: list[str], said: int) -> int:
    """The number of the line where the wanted lines begin, the one next to what the patch says."""
    places = [at for at in range(len(source)) if source[at : at + len(wanted)] == wanted]
    return 1 + min(places, key=lambda at: abs(at + 1 - said), default=said - 1)
