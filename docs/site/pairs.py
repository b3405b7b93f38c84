"""Two servers on a page, function beside function."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

import aligning
import bugs
import colours
import csource
from checks.marks import TITLES
from csource import Block
from linking import Linker
from mutants.manifest import Mutant
from page import Page, Site
from suite.servers import FIVE, Kind


@dataclass(frozen=True)
class Side:
    """What one server has of a function."""

    kind: Kind
    block: Block
    place: str  # its lines, for href()
    shared: bool  # it stands in common/
    prose: Markup
    bugs: list[Mutant]


@dataclass(frozen=True)
class Part:
    anchor: str
    title: str
    marks: list[tuple[int, str]]
    sides: list[Side | None]
    code: list[Markup]  # of each side, line beside line; one if it is the same in both; none if there is none

    @property
    def same(self) -> bool:
        return len(self.code) == 1


def pages(site: Site) -> Iterator[Page]:
    kinds = {each.name: each for each in site.kinds}
    chosen = list(itertools.combinations([kinds[name] for name in FIVE], 2))
    beyond = [(nearest(site, each), each) for each in site.kinds if each.name not in FIVE]
    at = "pairs/index.html"
    body = site.render("pairs.html", at=at, five=[kinds[name] for name in FIVE], beyond=beyond, path_of=path_of)
    summary = "Every two of the five side by side, and each further server beside its nearest, by function."
    yield Page(at, "Pairs", "pairs", body, summary=summary)
    for first, second in [*chosen, *beyond]:
        yield pair(site, first, second)


def path_of(first: Kind, second: Kind) -> str:
    return f"pairs/{first.name}-{second.name}.html"


def nearest(site: Site, kind: Kind) -> Kind:
    """The one of the five that its source says to compare it with, or that waits in the same way."""
    said = re.search(rf"make compare A=(\w+)\s+(?:\* )?B={kind.name}\b", site.read(f"{kind.directory}/server.c"))
    five = [each for each in site.kinds if each.name in FIVE]
    named = [each for each in five if said and each.name == said[1]]
    alike = [each for each in five if each.wait == kind.wait and each.trigger == kind.trigger]
    return (named or alike or five)[0]


def pair(site: Site, first: Kind, second: Kind) -> Page:
    at = path_of(first, second)
    paths = [csource.path(site.root, each.directory) for each in (first, second)]
    own = [[b for b in path if b.file.startswith(f"{k.directory}/")] for path, k in zip(paths, (first, second))]
    files = {block.file for block in own[0] + own[1]}
    found = aligning.match(*own)
    found = aligning.functions_elsewhere(found, paths[1], files)
    found = [each.turned() for each in aligning.functions_elsewhere([m.turned() for m in found], paths[0], files)]
    shown = [each for each in found if _is_shown(each)]
    names = [each.name for each in shown]
    anchors = {each.name: f"#{_anchor(each.name)}" for each in shown if names.count(each.name) == 1 and each.name}
    linker = Linker(site, at, {name: at + anchor for name, anchor in anchors.items()})
    parts = [_part(site, linker, each, (first, second), number) for number, each in enumerate(shown)]
    others = [(kind, _by_file(found, side)) for side, kind in enumerate((first, second))]
    title = f"{first.name} and {second.name}"
    body = site.render("pair.html", at=at, first=first, second=second, parts=parts, others=others, title=title)
    summary = f"{first.label} beside {second.label}: the sources of both servers, aligned by function."
    return Page(at, title, "pairs", body, ("choices.js",), summary)


def _is_shown(match: aligning.Match) -> bool:
    """Files besides server.c that the other one does not have at all are only listed: the story has them."""
    if match.first is not None and match.second is not None:
        return True
    block = match.either
    return block.file.endswith("/server.c") and bool(block.name or block.comment)


def _by_file(found: list[aligning.Match], side: int) -> list[tuple[str, list[Block]]]:
    blocks = [each.sides[side] for each in found if not _is_shown(each)]
    named = [each for each in blocks if each is not None and each.is_function]
    return [(file, list(group)) for file, group in itertools.groupby(named, lambda block: block.file)]


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


def _part(site: Site, linker: Linker, match: aligning.Match, kinds: tuple[Kind, Kind], number: int) -> Part:
    sides = [_side(site, linker, kind, block) if block else None for block, kind in zip(match.sides, kinds)]
    anchor = _anchor(match.name) if match.name in linker.functions else f"part-{number}"
    marks = sorted({mark for block in match.sides if block for mark in block.marks})
    head = "The head of the file" if match.either.comment else "What it includes"
    titles = {"includes": head, "": "A remark"}
    first, second = match.sides
    title = titles.get(match.name, match.name)
    if first and second and first.name != second.name:
        title = f"{first.name} and {second.name}"
    return Part(anchor, title, [(each, TITLES[each - 1]) for each in marks], sides, _code(linker, match))


def _side(site: Site, linker: Linker, kind: Kind, block: Block) -> Side:
    return Side(
        kind,
        block,
        site.source(block.file, block.code_line),
        block.file.startswith("common/"),
        linker.comment(block.comment),
        bugs.of_function(site.root, block.file, block.name),
    )


def _code(linker: Linker, match: aligning.Match) -> list[Markup]:
    if match.same_code:
        lines = colours.lines(match.either.code, "c")
        return [Markup("\n").join(linker.code(line) for line in lines)] if lines else []
    texts = [block.code if block else "" for block in match.sides]
    if not all(match.sides):
        return [_lines(linker, [(line, "") for line in colours.lines(text, "c")]) for text in texts]
    rows = aligning.rows(*texts)
    return [
        _lines(linker, [(row.first, row.sign) for row in rows]),
        _lines(linker, [(row.second, row.sign) for row in rows]),
    ]


def _lines(linker: Linker, lines: list[tuple[aligning.Pieces | None, str]]) -> Markup:
    """Each begins with its sign. Where the other server alone has a line, an empty one keeps the two in step."""
    result = Markup("")
    for pieces, sign in lines:
        if pieces is None:
            result += Markup('<span class="gap">\n</span>')
        elif sign == "+":
            result += Markup('<span class="only"><b>+</b>{}</span>\n').format(linker.code(pieces))
        elif sign:
            result += Markup("<b>{}</b>{}\n").format(sign, linker.code(pieces))
        else:
            result += linker.code(pieces) + "\n"
    return result
