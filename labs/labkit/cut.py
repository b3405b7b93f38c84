"""Cuts the bodies of named functions out of a C file that clang-format has laid out. What is left is a starter."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

from labkit.lab import BadLab, Cut

COLUMNS = 100
MARK = "Yours to write: "


@dataclass(frozen=True)
class Function:
    """Where a function stands, as indices of lines."""

    name: str
    static: bool
    comment: int  # where the comment above it begins; equal to first if there is none
    first: int  # its return type and name
    brace: int
    last: int  # the line of the closing brace


def starter(name: str, text: str, cuts: Iterable[Cut], drop_unused: bool = False) -> str:
    """The text with a task in place of each body. `drop_unused` takes out the static functions that only these bodies
    called: helpers that are a part of the answer."""
    lines = text.splitlines()
    for cut in cuts:
        function = _find(name, lines, cut.function)
        task = textwrap.fill(
            MARK + " ".join(cut.task.split()) + " */",
            COLUMNS,
            initial_indent="    /* ",
            subsequent_indent="     * ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines[function.brace + 1 : function.last] = [*task.split("\n"), *cut.body.strip("\n").split("\n")]
    while drop_unused and (unused := _unused(lines)):
        end = unused.last + 1
        del lines[unused.comment : end + (end < len(lines) and not lines[end])]
    return "\n".join(lines) + "\n"


def _find(name: str, lines: list[str], wanted: str) -> Function:
    found = [each for each in functions(lines) if each.name == wanted]
    if len(found) != 1:
        raise BadLab(f"{name}: {'no' if not found else 'more than one'} function '{wanted}' to cut out")
    return found[0]


def functions(lines: list[str]) -> list[Function]:
    """A function begins in column 0, with its name and a parenthesis; its braces stand alone in column 0."""
    found = []
    for brace in (number for number, line in enumerate(lines) if line == "{"):
        first = brace - 1
        while first > 0 and lines[first].startswith((" ", "\t")):  # the rest of its parameters
            first -= 1
        name = re.match(r"(?:[A-Za-z_][\w\s*]*[\s*])?([A-Za-z_]\w*)\(", lines[first])
        if name is None or "}" not in lines[brace:]:
            continue
        if name.start(1) == 0 and first > 0:  # its type has a line of its own
            first -= 1
        comment = first
        if comment > 0 and lines[comment - 1].endswith("*/"):
            while not lines[comment := comment - 1].startswith("/*"):
                pass
        last = lines.index("}", brace)
        found.append(Function(name[1], lines[first].startswith("static "), comment, first, brace, last))
    return found


def _unused(lines: list[str]) -> Function | None:
    for function in functions(lines):
        others = lines[: function.comment] + lines[function.last + 1 :]
        if function.static and not re.search(rf"\b{function.name}\b", "\n".join(others)):
            return function
    return None
