"""Files of the project with numbered lines, as far as other pages link to them."""

from __future__ import annotations

import re
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
        lines = [(anchor, colours.markup(each)) for anchor, each in zip(anchors(site.read(name), suffix), pieces)]
        body = site.render("source.html", at=path, name=name, lines=lines)
        yield Page(path, name, "docs", body)


def anchors(text: str, suffix: str) -> list[str]:
    """For each line the function of a Python file that begins there, or nothing."""
    found: list[str] = []
    for line in text.split("\n"):
        function = re.match(r"def (\w+)\(", line) if suffix == ".py" else None
        found.append(function[1] if function and function[1] not in found else "")
    return found
