"""The planted bugs, a page each: the text, which names the tests that catch it, the bug as a diff, its trace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

import bugs
import colours
import traces
from mutants.manifest import MUTANTS, Mutant
from page import Page, Site, page_of


@dataclass(frozen=True)
class FileDiff:
    """What a patch changes in one file."""

    name: str
    source: str  # the page of the file, for href(), at the first line that is changed
    lines: list[Markup]


def pages(site: Site) -> Iterator[Page]:
    for number, mutant in enumerate(MUTANTS):
        name = f"docs/pitfalls/{mutant.name}.md"
        at = page_of(name)
        around = [MUTANTS[each] for each in (number - 1, number + 1) if 0 <= each < len(MUTANTS)]
        body = site.render(
            "pitfall.html", at=at, mutant=mutant, text=site.markdown(site.read(name), Path(name), at),
            diffs=list(_diffs(site, mutant)), trace=traces.of_pitfall(site, mutant.name),
            before=around[0] if number else None, after=around[-1] if number + 1 < len(MUTANTS) else None,
        )  # fmt: skip
        summary = f"A planted bug in {', '.join(mutant.servers)}: {mutant.title}."
        yield Page(at, mutant.title, "pitfalls", body, summary=summary)


def _diffs(site: Site, mutant: Mutant) -> Iterator[FileDiff]:
    text = bugs.patch(site.root, mutant.name)
    first: dict[str, int] = {}
    for file, line in bugs.changed_lines(site.root, text):
        first.setdefault(file, line)
    for part in text.split("--- a/")[1:]:
        name, _, rest = part.partition("\n")
        changes = rest.partition("\n")[2].rstrip("\n").split("\n")  # without the line that begins with +++
        yield FileDiff(name, site.source(name, first[name]), [_line(each) for each in changes])


def _line(line: str) -> Markup:
    """The sign stays, so that nobody needs the colour."""
    if line.startswith("@@"):
        return Markup('<i class="gu">{}</i>').format(line)
    code = colours.markup(colours.tokens(line[1:], "c"))
    kind = {"+": "gi", "-": "gd"}.get(line[:1])
    return Markup('<span class="{}"><b>{}</b>{}</span>').format(kind, line[:1], code) if kind else code
