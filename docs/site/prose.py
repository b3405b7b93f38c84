"""Markdown as the documents of this project use it: tables, fences, headings with the anchors that GitHub gives them.

A link to a file of the project becomes a link to its page on the site. Code and tables get boxes of their own that
scroll and can be reached by keyboard, so that a page is never wider than the screen."""

from __future__ import annotations

import posixpath
import re
import xml.etree.ElementTree as etree
from pathlib import Path
from typing import TYPE_CHECKING

import markdown as library
from markdown.extensions import Extension
from markdown.extensions.toc import TocExtension
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor
from markupsafe import Markup

if TYPE_CHECKING:
    from page import Site

FENCE = re.compile(r"^```([\w-]*)[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
IMAGES = (".svg", ".png")


def markdown(site: Site, source: str, of: Path, at: str) -> Markup:
    extensions: list[str | Extension] = [
        "tables",
        "sane_lists",
        TocExtension(slugify=lambda value, _: anchor(value)),
        _Documents(site, of, at),
    ]
    return Markup(library.markdown(source, extensions=extensions, output_format="html"))


def anchor(heading: str) -> str:
    """As GitHub makes it of a heading: small letters, no punctuation, a hyphen for each blank."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


class _Documents(Extension):
    def __init__(self, site: Site, of: Path, at: str) -> None:
        super().__init__()
        self.site, self.of, self.at = site, of, at

    def extendMarkdown(self, md: library.Markdown) -> None:
        md.preprocessors.register(_Fences(md, self.site), "fences", 25)
        md.treeprocessors.register(_Boxes(md, self.site), "boxes", 1)
        md.treeprocessors.register(_Links(md, self), "links", 2)
        md.treeprocessors.register(_Names(md, self), "names", 1.5)


class _Fences(Preprocessor):
    def __init__(self, md: library.Markdown, site: Site) -> None:
        super().__init__(md)
        self.site = site

    def run(self, lines: list[str]) -> list[str]:
        def stored(match: re.Match[str]) -> str:
            language = {"": "text", "rooms": "text"}.get(match[1], match[1])
            return "\n" + self.md.htmlStash.store(self.site.code(match[2].rstrip("\n"), language)) + "\n"

        return FENCE.sub(stored, "\n".join(lines)).split("\n")


class _Boxes(Treeprocessor):
    """Wraps tables, and puts indented code into the box that fenced code has."""

    def __init__(self, md: library.Markdown, site: Site) -> None:
        super().__init__(md)
        self.site = site

    def run(self, root: etree.Element) -> None:
        for parent in list(root.iter()):
            for index, child in enumerate(list(parent)):
                if child.tag == "table":
                    box = etree.Element("div", {"class": "scroll", "tabindex": "0", "role": "group"})
                    box.set("aria-label", "Table")
                    box.tail, child.tail = child.tail, None
                    parent[index] = box
                    box.append(child)
                elif child.tag == "pre" and len(child) == 1 and child[0].tag == "code":
                    stored = etree.Element("p")
                    code = str(library.util.AtomicString(child[0].text or "")).rstrip("\n")
                    code = code.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
                    stored.text = self.md.htmlStash.store(self.site.code(code, "text"))
                    stored.tail = child.tail
                    parent[index] = stored


class _Links(Treeprocessor):
    def __init__(self, md: library.Markdown, where: _Documents) -> None:
        super().__init__(md)
        self.site, self.of, self.at = where.site, where.of, where.at

    def run(self, root: etree.Element) -> None:
        for element in root.iter():
            if element.tag == "a" and "href" in element.attrib:
                target = self.target(element.get("href", ""))
                if target:
                    element.set("href", target)
                else:
                    element.tag = "span"
                    del element.attrib["href"]
            elif element.tag == "img":
                element.set("src", self.target(element.get("src", "")))

    def target(self, link: str) -> str:
        """Where the site has it. Nothing: a document that is no page of the site, such as a handout of a lab, which is
        a template."""
        from page import BadSite, place_of

        if re.match(r"[a-z]+:", link):
            return link
        path, sharp, name = link.partition("#")
        if not path:
            return self.site.href(self.at, f"{self.at}#{name}")
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(self.of.as_posix()), path))
        if (self.site.root / wanted).is_dir():
            wanted += "/README.md"
        if not (self.site.root / wanted).is_file():
            raise BadSite(f"{self.of}: there is no {link}")
        if wanted.endswith(".md"):
            return self.site.href(self.at, place_of(wanted, name)) if wanted in self.site.documents else ""
        if wanted.endswith(IMAGES):
            self.site.files[f"images/{wanted}"] = (self.site.root / wanted).read_bytes()
            return self.site.href(self.at, f"images/{wanted}")
        return self.site.href(self.at, self.site.source(wanted))


class _Names(Treeprocessor):
    """A test, and a C source of a server, that a document names in code lead to their sources."""

    TEST = re.compile(r"test_\w+\.py(::\w+(\[.*\])?)?")
    SOURCE = re.compile(r"(?:common|beyond/\w+|\w+_\w+)/[\w-]+\.[ch]")

    def __init__(self, md: library.Markdown, where: _Documents) -> None:
        super().__init__(md)
        self.site, self.at = where.site, where.at

    def run(self, root: etree.Element) -> None:
        parents = {child: parent for parent in root.iter() for child in parent}
        for element in list(root.iter("code")):
            name = element.text or ""
            parent = parents[element]
            target = self.target(name) if parent.tag not in ("a", "pre") else None
            if target is None:
                continue
            link = etree.Element("a", {"href": self.site.href(self.at, target)})
            link.tail, element.tail = element.tail, None
            parent[list(parent).index(element)] = link
            link.append(element)

    def target(self, name: str) -> str | None:
        import linking

        if self.TEST.fullmatch(name):
            return linking.test(self.site, name)
        if self.SOURCE.fullmatch(name) and (self.site.root / name).is_file():
            return self.site.source(name)
        return None
