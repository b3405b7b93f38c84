"""The search: all texts of the site in one script, and a page that looks into it. Without scripts that page is a list
of all pages and terms.

A text that stands on several pages is kept for the first of them only. Sources are read in the stories of the servers:
pairs and marks, which show the same lines, are found by their headings, other files by their names and their tests."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

import glossary
from page import SECTIONS, Page, Site

AT, INDEX = "search/index.html", "search-index.js"
# Prose first: whoever looks for a word wants to read about it.
ORDER = ("docs", "pitfalls", "glossary", "experiments", "steps", "marks", "traces", "story", "pairs", "home")
BY_HEADINGS = ("pairs", "marks")
HEADINGS = ("h1", "h2", "h3", "h4", "dt")  # dt: a term of the glossary
BLOCKS = {*HEADINGS, "p", "li", "dd", "td", "th", "tr", "pre", "figcaption", "summary", "div", "section"}
LEFT_OUT = ("script", "style", "svg", "nav", "fieldset")
VOID = ("br", "img", "input", "hr", "wbr", "col", "path")


@dataclass(frozen=True)
class Part:
    """What stands below one heading."""

    anchor: str
    heading: str
    text: tuple[str, ...]  # its blocks and, of code, its lines


@dataclass
class _Open:
    """A part while it is read."""

    anchor: str
    heading: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


class _Parts(HTMLParser):
    """Cuts a page at its headings. The anchor of a part is its heading's, or the last one before."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [_Open("")]
        self.open: list[str] = []  # elements whose text is left out
        self.heading = False
        self.block: list[str] = []
        self.anchor = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in LEFT_OUT or self.open or "numbers" in (given.get("class") or "").split():
            if tag not in VOID:
                self.open.append(tag)
            return
        if tag in BLOCKS:
            self.end_block()
        self.anchor = given.get("id") or self.anchor
        if tag in HEADINGS:
            self.parts.append(_Open(self.anchor))
            self.heading = True

    def handle_endtag(self, tag: str) -> None:
        if self.open:
            if tag not in VOID:
                self.open.pop()
        elif tag in BLOCKS:
            self.end_block()
            self.heading = self.heading and tag not in HEADINGS

    def handle_data(self, data: str) -> None:
        if not self.open:
            self.block.append(data)

    def end_block(self) -> None:
        for line in "".join(self.block).split("\n\n" if self.heading else "\n"):
            words = " ".join(line.split())
            if words:
                part = self.parts[-1]
                (part.heading if self.heading else part.text).append(words)
        self.block.clear()


def parts_of(html: str) -> list[Part]:
    parser = _Parts()
    parser.feed(html)
    parser.end_block()
    full = [each for each in parser.parts if each.heading or each.text]
    return [Part(each.anchor, " ".join(each.heading), tuple(each.text)) for each in full]


def index(pages: Iterable[Page]) -> tuple[list[list[str]], list[list[object]]]:
    """(path, title, section) of each page, and (number of the page, anchor, heading, text) of each part."""
    titles = {section.name: section.title for section in SECTIONS}
    known: set[str] = set()
    listed: list[list[str]] = []
    parts: list[list[object]] = []
    for page in sorted(pages, key=lambda page: (_place(page), page.path)):
        listed.append([page.path, page.title, titles[page.section]])
        for part in parts_of(page.body):
            new = [line for line in _kept(page, part) if line not in known]
            known.update(new)
            parts.append([len(listed) - 1, part.anchor, part.heading, " ".join(new)])
    return listed, parts


def script(listed: list[list[str]], parts: list[list[object]]) -> bytes:
    """The index as a script: a page from the disk may load no other kind of file. Packed it is a third as large."""
    text = json.dumps({"pages": listed, "parts": parts}, ensure_ascii=False, separators=(",", ":"))
    packed = base64.b85encode(zlib.compress(text.encode(), 9)).decode()
    return f'const packedIndex = "{packed}";\n'.encode()


def _kept(page: Page, part: Part) -> tuple[str, ...]:
    if page.path.startswith("source/"):
        return tuple(line for line in part.text if line.startswith("def test_"))
    return () if page.section in BY_HEADINGS else part.text


def _place(page: Page) -> int:
    is_source = page.path.startswith("source/")
    return len(ORDER) + is_source if is_source or page.section not in ORDER else ORDER.index(page.section)


def pages(site: Site, made: dict[str, Page]) -> Iterator[Page]:
    """`made`: all other pages."""
    listed, parts = index(made.values())
    site.files[f"static/{INDEX}"] = script(listed, parts)
    by_section = [
        (section.title, sorted((page.title, page.path) for page in made.values() if page.section == section.name))
        for section in SECTIONS
    ]  # fmt: skip
    terms = sorted(glossary.terms(), key=lambda term: term.english.lower())
    body = site.render("search.html", at=AT, sections=[each for each in by_section if each[1]], terms=terms,
                       glossary=glossary.AT)  # fmt: skip
    yield Page(AT, "Search", "search", body, (INDEX, "search.js"), "Full-text search, and a list of all pages.",
               ("search.css",))  # fmt: skip
