"""C sources cut into blocks: a comment, and the function, struct or lines of declarations that stand under it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from checks import sources
from checks.marks import TITLES

FUNCTION = re.compile(r"^(?:[A-Za-z_][\w *]*[ *])(\w+)\(", re.MULTILINE)
MARK = re.compile(r"\[([1-9])\] (?:" + "|".join(TITLES) + r"|does not apply)\b")


@dataclass(frozen=True)
class Block:
    file: str  # relative to the root
    line: int  # the first one of the comment, or of the code where there is none; from 1
    comment: str  # what stands above the code, without the signs of a comment; empty if there is none
    code_line: int
    code: str  # empty for a comment that stands alone

    @functools.cached_property
    def name(self) -> str:
        """mux_add, struct mux, enum connection_state, EVENTS_A_WAIT, includes; empty if it has none."""
        if re.match(r"#include", self.code):
            return "includes"
        if found := re.match(r"(?:typedef )?((?:struct|union|enum) \w+) \{", self.code):
            return found[1]
        if found := re.match(r"enum \{\s*(\w+)", self.code):
            return found[1]
        if self.is_function or self.code.rstrip().endswith(");"):
            found = FUNCTION.search(self.code)
            return found[1] if found else ""
        found = re.search(r"(\w+)(?:\[[^]]*\])?(?: =|;)", self.code)
        return found[1] if found else ""

    @property
    def is_function(self) -> bool:
        """Does it define one? A declaration does not."""
        return re.match(r"(?:#.*\n)*[A-Za-z_][^;={]*\([^;={]*\)\s*\{", self.code) is not None

    @property
    def marks(self) -> tuple[int, ...]:
        return tuple(sorted({int(each) for each in MARK.findall(self.comment + "\n" + self.code)}))

    @property
    def last_line(self) -> int:
        return self.code_line + self.code.count("\n") if self.code else self.line + self.comment.count("\n")


def blocks(root: Path, file: str) -> list[Block]:
    found: list[Block] = []
    for block in _blocks(file, sources.read(root, file)):
        last = found[-1] if found else None
        if last and last.name == block.name == "includes" and not block.comment:
            code = f"{last.code}\n\n{block.code}"  # one block, however they are grouped
            found[-1] = Block(file, last.line, last.comment, last.code_line, code)
        else:
            found.append(block)
    return found


def _blocks(file: str, text: str) -> Iterator[Block]:
    """A block ends at an empty line outside of braces, and where a comment or a function's last brace ends it."""
    lines = text.splitlines()
    bare = sources.LITERAL_OR_COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text).split("\n")
    comment: list[str] = []
    code: list[str] = []
    begin = code_begin = depth = 0
    inside = False  # a comment that stands at the left edge
    for number, line in enumerate([*lines, ""], 1):
        if not inside and depth == 0 and line.startswith("/*") and not bare[number - 1].strip():
            if code or comment:
                yield _block(file, begin, comment, code_begin, code)
                comment, code = [], []
            inside, begin = True, number
        if inside:
            comment.append(line)
            inside = "*/" not in line
            continue
        if not line.strip() and depth == 0:
            if code or comment:
                yield _block(file, begin, comment, code_begin, code)
            comment, code = [], []
            continue
        if not code:
            code_begin = number
            if not comment:
                begin = number
        code.append(line)
        depth += bare[number - 1].count("{") - bare[number - 1].count("}")
        if line.startswith("}"):
            yield _block(file, begin, comment, code_begin, code)
            comment, code = [], []


def _block(file: str, line: int, comment: list[str], code_line: int, code: list[str]) -> Block:
    text = "\n".join(comment).strip()
    if text:
        text = text.removeprefix("/*").removesuffix("*/")
        text = "\n".join(re.sub(r"^ \* ?", "", each).rstrip() for each in text.split("\n")).strip("\n").strip(" ")
    return Block(file, line, text, code_line, "\n".join(code))


def path(root: Path, directory: str) -> list[Block]:
    """All blocks on the path of a server, in the order in which `make read` prints its files."""
    return [block for file in sources.path_of(root, directory) for block in blocks(root, file)]


def anchors(path: list[Block]) -> dict[Block, str]:
    """A name for each block of one page: loop-turn, connection-h-struct-connection."""
    found: dict[Block, str] = {}
    for block in path:
        stem, _, suffix = block.file.rpartition("/")[2].partition(".")
        place = f"{stem}-h" if suffix == "h" else stem
        anchor = f"{place}-{block.name.replace(' ', '-') or block.line}"
        found[block] = f"{anchor}-{block.line}" if anchor in found.values() else anchor
    return found


@dataclass(frozen=True)
class Paragraph:
    text: str
    drawn: bool = False  # its lines stay as they are


def paragraphs(comment: str) -> Iterator[Paragraph]:
    """A comment as prose. A line that begins with a mark, or after a short line that ends a sentence, begins a new
    paragraph; what is indented is a drawing, or lines to be typed."""
    gathered: list[str] = []
    drawing: list[str] = []
    for line in [*comment.split("\n"), ""]:
        indented = line.startswith("    ") or (bool(drawing) and line.startswith(" "))
        if drawing and not indented:
            yield Paragraph("\n".join(drawing), True)
            drawing = []
        begins = MARK.match(line) or (gathered and len(gathered[-1]) < 84 and gathered[-1].endswith((".", ":")))
        if gathered and (indented or not line or begins):
            yield Paragraph(" ".join(each.strip() for each in gathered))
            gathered = []
        if indented:
            drawing.append(line)
        elif line:
            gathered.append(line)
