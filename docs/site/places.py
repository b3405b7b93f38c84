"""Where a line of a C source stands on the site: in the story of a server that has it on its path."""

from __future__ import annotations

import functools
from pathlib import Path

import csource
from csource import Block
from suite.servers import KINDS

WHOLE = "epoll_lt"  # whose story has every block that the servers share: the reading guide begins there, too


def story_of(name: str) -> str:
    return f"story/{name}.html"


def path(root: Path, directory: str) -> list[Block]:
    """The blocks that a story tells: all on the server's path, but for what guards a header against a second time."""
    return [block for block in csource.path(root, directory) if not _is_guard(block)]


def _is_guard(block: Block) -> bool:
    return block.file.endswith(".h") and not block.comment and block.code.startswith(("#ifndef", "#endif"))


def of(root: Path, file: str, line: int) -> str | None:
    """The page and the anchor (for href) of the block with this line; the first one of the file for 0. None for a
    file that no story has."""
    anchors = _anchors(root).get(file)
    if anchors is None:
        return None
    return [place for begin, place in anchors if begin <= max(line, anchors[0][0])][-1]


@functools.cache
def _anchors(root: Path) -> dict[str, list[tuple[int, str]]]:
    """Of each file on a path: the line where each block begins, and its place."""
    found: dict[str, list[tuple[int, str]]] = {}
    for kind in sorted(KINDS, key=lambda kind: kind.name != WHOLE):
        places: dict[str, list[tuple[int, str]]] = {}
        for block, anchor in csource.anchors(path(root, kind.directory)).items():
            places.setdefault(block.file, []).append((block.line, f"{story_of(kind.name)}#{anchor}"))
        found = {**places, **found}
    return found
