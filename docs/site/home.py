"""The first page."""

from __future__ import annotations

from collections.abc import Iterator

from mutants.manifest import MUTANTS
from page import Page, Site


def pages(site: Site) -> Iterator[Page]:
    path = "index.html"
    body = site.render("home.html", at=path, kinds=site.kinds, bugs=len(MUTANTS))
    yield Page(path, "Five echo servers", "home", body, summary="Five servers that differ only in how they wait.")
