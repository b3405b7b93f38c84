"""The first page."""

from __future__ import annotations

from collections.abc import Iterator

from page import Page, Site


def pages(site: Site) -> Iterator[Page]:
    path = "index.html"
    yield Page(path, "Five echo servers", "home", site.render("home.html", at=path, kinds=site.kinds))
