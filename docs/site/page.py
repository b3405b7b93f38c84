"""What a part of the site is made of, and with: Page is what a part hands over, Site is what it builds one with.

A part is a module beside this one with `def pages(site: Site) -> Iterator[Page]`; build.py has the list of parts."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

import colours
import experiment_text
import places
import prose
from suite import servers

HERE = Path(__file__).resolve().parent
# Documents that docs_pages.py leaves to others, with their first pages
OF_OTHER_PARTS = {experiment_text.DOCUMENT: experiment_text.INDEX, "docs/glossary.md": "glossary/index.html"}

# Those that a sentence of a trace can begin with.
FUNCTIONS = "recv|send|accept4?|close|shutdown|p?select|p?poll|epoll_(?:wait|ctl)|kevent|io_uring_enter|fork|execve"


@dataclass(frozen=True)
class Section:
    """A line of the navigation."""

    name: str
    title: str
    index: str  # the page that it leads to; the navigation leaves the section out where there is no such page


SECTIONS = (
    Section("home", "Start", "index.html"),
    Section("story", "One server", "story/index.html"),
    Section("pairs", "Pairs", "pairs/index.html"),
    Section("marks", "Nine marks", "marks/index.html"),
    Section("traces", "Traces", "traces/index.html"),
    Section("steps", "How it works", "steps/index.html"),
    Section("pitfalls", "Pitfalls", "pitfalls/index.html"),
    Section("experiments", "Experiments", "experiments/index.html"),
    Section("docs", "Documents", "docs/index.html"),
    Section("glossary", "Glossary", "glossary/index.html"),
    Section("search", "Search", "search/index.html"),
)


@dataclass(frozen=True)
class Page:
    path: str  # from the site's root, with slashes: "pairs/epoll_lt-epoll_et.html"
    title: str
    section: str  # the name of one of SECTIONS
    body: Markup  # what stands in <main>, with the one <h1>
    scripts: tuple[str, ...] = ()  # files of static/, in the order in which they run
    summary: str = ""  # one sentence, for lists and the search
    styles: tuple[str, ...] = ()  # files of static/ that this page needs besides site.css


class BadSite(Exception):
    """Says in one line what is wrong, and on which page."""


@dataclass(frozen=True)
class Link:
    at: str  # the page it stands on
    to: str  # the page it leads to, perhaps with #anchor


@dataclass
class Site:
    root: Path  # of the project
    kinds: tuple[servers.Kind, ...] = servers.KINDS
    links: list[Link] = field(default_factory=list)  # all that href() has made
    sources: set[str] = field(default_factory=set)  # files that a page links to: each gets a page of its own
    files: dict[str, bytes] = field(default_factory=dict)  # what is written beside the pages, by its path on the site
    missing: set[str] = field(default_factory=set)  # what a server lacks that the pages do without, and how to get it

    def __post_init__(self) -> None:
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.documents = frozenset(documents(self.root))
        self._templates.globals["href"] = _href_of_context(self)
        self._templates.globals["code"] = self.code
        self._templates.globals["site_source"] = self.source
        self._templates.globals["readme"] = self.readme
        self._templates.globals["sentence"] = sentence

    def render(self, template: str, at: str, **values: Any) -> Markup:
        """A template for the page `at`. In it `href("pairs/index.html")` is a link from there."""
        return Markup(self._templates.get_template(template).render(at=at, **values))

    def href(self, at: str, to: str) -> str:
        """The relative link from the page `at` to a page or file of the site; `to` may end with #anchor. The build
        checks all of them at its end, when all pages are there."""
        self.links.append(Link(at, to))
        path, sharp, anchor = to.partition("#")
        if not path or path == at:
            return f"#{anchor}" if sharp else posixpath.basename(at)
        return posixpath.relpath(path, posixpath.dirname(at) or ".") + sharp + anchor

    def code(self, source: str, language: str = "c", label: str = "Code") -> Markup:
        """Source text in a box that scrolls by itself and can be reached by keyboard; `label` names the box."""
        return self.render("code.html", at="", text=self.highlight(source, language), label=label)

    def highlight(self, source: str, language: str = "c") -> Markup:
        """The same without the box."""
        try:
            return colours.markup(colours.tokens(source, language or "text"))
        except colours.UnknownLanguage as error:
            raise BadSite(str(error)) from None

    def markdown(self, source: str, of: Path, at: str) -> Markup:
        """A document as HTML for the page `at`. `of` is its file, relative to the root: its links start there."""
        return prose.markdown(self, source, of, at)

    def read(self, name: str | Path) -> str:
        """A file of the project."""
        return (self.root / name).read_text(encoding="utf-8")

    def readme(self, kind: servers.Kind) -> str:
        """The page of a server's README, or nothing if it has none yet."""
        name = f"{kind.directory}/README.md"
        if name in self.documents:
            return page_of(name)
        self.missing.add(f"there is no {name}: no page links to it")
        return ""

    def source(self, name: str, line: int = 0) -> str:
        """Where the site shows a file of the project, at a line of it (for href): in a story, or on a page that is
        made because something links to it."""
        if not (self.root / name).is_file():
            raise BadSite(f"there is no file {name}")
        told = places.of(self.root, name, line)
        if told is not None:
            return told
        self.sources.add(name)
        return f"source/{name}.html" + (f"#L{line}" if line else "")


def _href_of_context(site: Site) -> Any:
    @jinja2.pass_context
    def href(context: jinja2.runtime.Context, to: str) -> str:
        return site.href(context["at"], to)

    return href


def place_of(document: str, anchor: str = "") -> str:
    """Where an anchor of a document stands: the page, and the anchor there."""
    if document == experiment_text.DOCUMENT:
        return experiment_text.place(anchor)
    return page_of(document) + (f"#{anchor}" if anchor else "")


def sentence(text: str) -> str:
    """With a capital letter, but not where it begins with the name of a function."""
    return text if re.match(rf"({FUNCTIONS})\b", text) else f"{text[0].upper()}{text[1:]}"


def page_of(document: str) -> str:
    """Where a document (*.md, relative to the root) stands on the site, or begins."""
    if document in OF_OTHER_PARTS:
        return OF_OTHER_PARTS[document]
    name = document.removesuffix(".md")
    if name.startswith("docs/pitfalls/"):
        return name.removeprefix("docs/").replace("README", "index") + ".html"
    if name.startswith("docs/"):
        return name + ".html"
    place = posixpath.dirname(name).replace("/", "-")
    return f"docs/{f'in-{place}' if place else name.lower()}.html"


def documents(root: Path) -> list[str]:
    """All documents of the project, by name."""
    patterns = ("*.md", "docs/**/*.md", "*/README.md", "*/*/README.md")
    found = [each for pattern in patterns for each in root.glob(pattern)]
    names = sorted({each.relative_to(root).as_posix() for each in found})
    return [each for each in names if not re.match(r"(build|results|\.[^/]*)/", each)]
