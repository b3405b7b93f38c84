"""The planted bugs, a page each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mutants.manifest import MUTANTS
from page import Page, Site, page_of


def pages(site: Site) -> Iterator[Page]:
    for mutant in MUTANTS:
        name = f"docs/pitfalls/{mutant.name}.md"
        at = page_of(name)
        text = site.markdown(site.read(name), Path(name), at)
        yield Page(at, mutant.title, "pitfalls", site.render("pitfall.html", at=at, text=text))
