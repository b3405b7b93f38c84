"""The documents of the project, as pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from page import Page, Site, documents, page_of


def pages(site: Site) -> Iterator[Page]:
    shown = []
    for name in documents(site.root):
        if name.startswith("docs/pitfalls/") and not name.endswith(("README.md", "matrix.md")):
            continue
        source = site.read(name)
        title = title_of(source, name)
        at = page_of(name)
        body = site.render("document.html", at=at, name=name, text=site.markdown(source, Path(name), at))
        section = "pitfalls" if at.startswith("pitfalls/") else "docs"
        yield Page(at, title, section, body)
        if section == "docs":
            shown.append((title, name, at))
    directories = [each.directory for each in site.kinds]
    at = "docs/index.html"
    yield Page(at, "Documents", "docs", site.render("documents.html", at=at, shown=shown, directories=directories))


def title_of(source: str, name: str) -> str:
    found = re.search(r"^# (.*)$", source, re.MULTILINE)
    return found[1].replace("`", "") if found else name
