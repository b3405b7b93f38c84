"""Files of the project with numbered lines, as far as other pages link to them."""

from __future__ import annotations

from collections.abc import Iterator

import colours
from page import Page, Site

LANGUAGES = {
    ".c": "c", ".h": "c", ".py": "python", ".sh": "sh", ".toml": "toml", ".json": "json", ".patch": "diff",
    ".mk": "make", ".gp": "gnuplot",
}  # fmt: skip


def pages(site: Site) -> Iterator[Page]:
    for name in sorted(site.sources):
        path = site.source(name)
        suffix = "." + name.rpartition("/")[2].rpartition(".")[2]
        pieces = colours.lines(site.read(name), LANGUAGES.get(suffix, "text"))
        lines = [colours.markup(each) for each in pieces]
        body = site.render("source.html", at=path, name=name, lines=lines)
        yield Page(path, name, "docs", body)
