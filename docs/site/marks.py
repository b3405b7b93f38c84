"""The nine marks: what docs/reading.md says of each, and that place in all servers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

import bugs
import colours
import csource
from checks.marks import TITLES
from csource import Block
from linking import Linker
from mutants.manifest import Mutant
from page import BadSite, Page, Site
from suite.servers import Kind

GUIDE = "docs/reading.md"


@dataclass(frozen=True)
class Place:
    """A block with the mark, and the servers on whose path it is."""

    block: Block
    link: str
    kinds: list[Kind]
    prose: Markup
    code: Markup
    bugs: list[Mutant]


def pages(site: Site) -> Iterator[Page]:
    paths = [(kind, csource.path(site.root, kind.directory)) for kind in site.kinds]
    listed = []
    for number, title in enumerate(TITLES, 1):
        at = path_of(number)
        guide = site.markdown(section(site, number), Path(GUIDE), at)
        places = _places(site, at, number, paths)
        around = [(each, TITLES[each - 1], path_of(each)) for each in (number - 1, number + 1) if 1 <= each <= 9]
        body = site.render(
            "mark.html", at=at, number=number, title=title, guide=guide, places=places, around=around, guide_file=GUIDE
        )
        summary = f"Mark [{number}], {title}: that place in all servers."
        listed.append((number, title, at, len(places)))
        yield Page(at, f"[{number}] {title}", "marks", body, summary=summary)
    at = "marks/index.html"
    yield Page(at, "Nine marks", "marks", site.render("marks.html", at=at, marks=listed))


def path_of(number: int) -> str:
    return f"marks/{number}.html"


def section(site: Site, number: int) -> str:
    """What the guide says of a mark, without the heading."""
    found = re.search(rf"^## \[{number}\][^\n]*\n(.*?)(?=^## )", site.read(GUIDE), re.MULTILINE | re.DOTALL)
    if not found:
        raise BadSite(f"{GUIDE} has no section [{number}]")
    return found[1]


def _places(site: Site, at: str, number: int, paths: list[tuple[Kind, list[Block]]]) -> list[Place]:
    found: dict[Block, list[Kind]] = {}
    for kind, path in paths:
        for block in path:
            if number in block.marks:
                found.setdefault(block, []).append(kind)
    linker = Linker(site, at)
    return [
        Place(
            block,
            site.source(block.file, block.code_line),
            kinds,
            linker.comment(block.comment),
            Markup("\n").join(linker.code(line) for line in colours.lines(block.code, "c")),
            bugs.of_function(site.root, block.file, block.name),
        )
        for block, kinds in found.items()
    ]
