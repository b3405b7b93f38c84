"""Two servers' sources, block by block and line by line."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import colours
from csource import Block

Pieces = list[tuple[str, str]]
WORD = re.compile(r"\w+|\s+|.")
ALIKE = 0.5  # of their words must be the same for two lines to stand side by side as one changed line


@dataclass(frozen=True)
class Match:
    first: Block | None
    second: Block | None

    @property
    def sides(self) -> tuple[Block | None, Block | None]:
        return self.first, self.second

    @property
    def either(self) -> Block:
        block = self.first or self.second
        assert block is not None  # match() makes no empty one
        return block

    @property
    def name(self) -> str:
        return self.either.name

    @property
    def same_code(self) -> bool:
        return self.first is not None and self.second is not None and self.first.code == self.second.code

    def turned(self) -> Match:
        return Match(self.second, self.first)


def match(first: Sequence[Block], second: Sequence[Block]) -> list[Match]:
    """Blocks of the same name belong together, then functions with the same mark. The order is that of `first`; what
    only `second` has comes before the block that it stands before there."""
    partner: dict[int, int] = {}
    for same in (_same_name, _same_mark):
        taken = set(partner.values())
        for i, one in enumerate(first):
            if i in partner:
                continue
            j = next((j for j, other in enumerate(second) if j not in taken and same(one, other)), None)
            if j is not None:
                partner[i] = j
                taken.add(j)
    left = [j for j in range(len(second)) if j not in partner.values()]
    found = []
    for i, one in enumerate(first):
        j = partner.get(i, -1)
        while left and left[0] < j:
            found.append(Match(None, second[left.pop(0)]))
        found.append(Match(one, second[j] if j >= 0 else None))
    return found + [Match(None, second[j]) for j in left]


def _same_name(one: Block, other: Block) -> bool:
    return bool(one.name) and one.name == other.name and one.is_function == other.is_function


def _same_mark(one: Block, other: Block) -> bool:
    return one.is_function and other.is_function and bool(set(one.marks) & set(other.marks)) and not (
        one.name.startswith("mux_") or other.name.startswith("mux_")
    )


def functions_elsewhere(found: list[Match], path: Sequence[Block], files: set[str]) -> list[Match]:
    """What only one of them defines itself may be defined for the other one in a file that it shares with many:
    serve() in common/level.c. `path` is what the second of each match can be found in, besides its own `files`."""
    shared = {block.name: block for block in path if block.is_function and block.file not in files}
    return [
        Match(each.first, shared[each.name])
        if each.second is None and each.first is not None and each.first.is_function and each.name in shared
        else each
        for each in found
    ]


# -- lines -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A line of each side; None where the other one has a line with no counterpart."""

    first: Pieces | None
    second: Pieces | None
    sign: str = ""  # "≠": they differ; "+": only one has it


def rows(first: str, second: str) -> list[Row]:
    lines = [colours.lines(each, "c") for each in (first, second)]
    texts = [each.split("\n") for each in (first, second)]
    found: list[Row] = []
    matcher = difflib.SequenceMatcher(a=texts[0], b=texts[1], autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            found += [Row(one, other) for one, other in zip(lines[0][i1:i2], lines[1][j1:j2])]
        else:
            found += _changed(lines[0][i1:i2], lines[1][j1:j2])
    return found


def _changed(first: list[Pieces], second: list[Pieces]) -> Iterator[Row]:
    """Pairs lines that are alike, in order, so that as many words as possible stand beside the same word."""
    counts = [[Counter(_words(line)) for line in lines] for lines in (first, second)]
    best = [[0.0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i in range(len(first) - 1, -1, -1):
        for j in range(len(second) - 1, -1, -1):
            alike = _alike(counts[0][i], counts[1][j])
            best[i][j] = max(best[i + 1][j], best[i][j + 1], alike + best[i + 1][j + 1] if alike >= ALIKE else 0.0)
    i = j = 0
    while i < len(first) or j < len(second):
        if i < len(first) and j < len(second):
            alike = _alike(counts[0][i], counts[1][j])
            if alike >= ALIKE and best[i][j] == alike + best[i + 1][j + 1]:
                yield Row(*marked(first[i], second[j]), "≠")
                i, j = i + 1, j + 1
                continue
        if j >= len(second) or (i < len(first) and best[i][j] == best[i + 1][j]):
            yield Row(first[i], None, "+")
            i += 1
        else:
            yield Row(None, second[j], "+")
            j += 1


def _alike(one: Counter[str], other: Counter[str]) -> float:
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 0.0


def _words(line: Pieces) -> list[str]:
    return [word for word in WORD.findall("".join(text for _, text in line)) if not word.isspace()]


def marked(first: Pieces, second: Pieces) -> tuple[Pieces, Pieces]:
    """The words that differ get the class "d" besides their own."""
    words = [[(name, str(word)) for name, text in line for word in WORD.findall(text)] for line in (first, second)]
    texts = [[word for _, word in line] for line in words]
    matcher = difflib.SequenceMatcher(a=texts[0], b=texts[1], autojunk=False)
    result: tuple[Pieces, Pieces] = ([], [])
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        for side, begin, end in ((0, i1, i2), (1, j1, j2)):
            for name, word in words[side][begin:end]:
                kind = f"{name} d".strip() if tag != "equal" else name
                if result[side] and result[side][-1][0] == kind:
                    result[side][-1] = (kind, result[side][-1][1] + word)
                else:
                    result[side].append((kind, word))
    return result
