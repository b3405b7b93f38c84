"""The glossary: docs/glossary.md with an anchor for each term, and which terms a page uses."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

import prose
from page import BadSite, Page, Site
from suite.servers import ROOT

DOCUMENT, AT = "docs/glossary.md", "glossary/index.html"
ROW = re.compile(r"^\| (.+?) \| (.+?) \| (.+?) \| ?(.*?) ?\|$", re.MULTILINE)
HEADINGS = ("English", "---")
# Pages of prose; code alone uses no terms.
SECTIONS_WITH_TERMS = ("home", "docs", "pitfalls", "experiments", "story", "marks", "steps", "traces")


@dataclass(frozen=True)
class Term:
    english: str
    korean: str
    meaning: str  # Markdown
    more: str  # a link in Markdown, or nothing

    @property
    def anchor(self) -> str:
        return "term-" + prose.anchor(self.english)

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """Its words in a text, also in the plural, also where a line ends between them."""
        words = r"[\s-]+".join(re.escape(word) for word in re.split(r"[\s-]", self.english))
        return re.compile(rf"(?<![\w-]){words}s?(?![\w-])", re.IGNORECASE)


@dataclass(frozen=True)
class Group:
    title: str
    terms: tuple[Term, ...]


@functools.cache
def read(path: Path = ROOT / DOCUMENT) -> tuple[str, tuple[Group, ...]]:
    """The introduction, and the groups of terms."""
    top, *sections = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    groups = []
    for section in sections:
        title, text = section.split("\n", 1)
        terms = tuple(Term(*each) for each in ROW.findall(text) if each[0] not in HEADINGS)
        lines = [line for line in text.splitlines() if line.startswith("|")]
        if len(terms) != len(lines) - 2:
            raise BadSite(f"{DOCUMENT}: {title}: {len(lines) - 2} lines, and {len(terms)} of them have four columns")
        groups.append(Group(title, terms))
    return top.split("\n", 1)[1].strip(), tuple(groups)


def terms() -> list[Term]:
    return [term for group in read()[1] for term in group.terms]


def terms_of(page: Page) -> list[Term]:
    """The terms in its text, in the order of the alphabet. A page of code alone, and the glossary itself, have none."""
    if page.section not in SECTIONS_WITH_TERMS or page.path.startswith("source/"):
        return []
    text = page.body.striptags()
    return sorted((term for term in terms() if term.pattern.search(text)), key=lambda term: term.english.lower())


def pages(site: Site) -> Iterator[Page]:
    intro, groups = read()

    def inline(text: str) -> Markup:
        """Without the paragraph around it."""
        return Markup(site.markdown(text, Path(DOCUMENT), AT).removeprefix("<p>").removesuffix("</p>"))

    def entry(term: Term) -> tuple[Term, Markup, Markup]:
        return term, inline(term.meaning), inline(term.more)

    shown = [(prose.anchor(group.title), group.title, list(map(entry, group.terms))) for group in groups]
    first = intro.replace(" The last column says where to read on.", "")
    body = site.render("glossary.html", at=AT, intro=site.markdown(first, Path(DOCUMENT), AT), groups=shown)
    yield Page(AT, "Glossary", "glossary", body, summary="The terms of this field in English and Korean.",
               styles=("glossary.css",))  # fmt: skip
