"""Links in comments and in code: to manual pages, marks, invariants, tests, files and functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from markupsafe import Markup, escape

import colours
import csource
import manual
from checks.marks import TITLES
from page import BadSite, Site, page_of

IN_COMMENT = re.compile(
    r"(?P<manual>\b(?P<page>[A-Za-z_][\w-]*)\((?P<section>[1-8])\))"
    r"|(?P<mark>\[(?P<number>[1-9])\] (?:" + "|".join(TITLES) + r")\b)"
    r"|(?P<invariant>\b[Ii]nvariant \d+)"
    r"|(?P<test>\btest_\w+\.py(?:::\w+)?)"
    r"|(?P<file>\b(?:[\w-]+/)+[\w-]+\.(?:c|h|md|py)\b)"
    r"|(?P<function>\b(?P<called>[a-z_]\w+)\(\))"
)
NAME = re.compile(r"\b([A-Za-z_]\w*)(?=\()")


@dataclass(frozen=True)
class Linker:
    site: Site
    at: str  # the page that the links stand on
    functions: Mapping[str, str] = field(default_factory=dict)  # of this page or others: the link to each, for href()

    def comment(self, comment: str) -> Markup:
        """The paragraphs of a comment as HTML."""
        parts = [
            (each.drawn, each.text if each.drawn else self.text(each.text)) for each in csource.paragraphs(comment)
        ]
        return self.site.render("comment.html", at=self.at, parts=parts)

    def text(self, text: str) -> Markup:
        """One line of prose, with its links."""
        result, end = Markup(""), 0
        for match in IN_COMMENT.finditer(text):
            target = self._target(match)
            if target is None:
                continue
            result += escape(text[end : match.start()]) + anchor(target, match[0])
            end = match.end()
        return result + escape(text[end:])

    def _target(self, match: re.Match[str]) -> str | None:
        if match["manual"]:
            return manual.url(match["page"], int(match["section"]))
        if match["mark"]:
            return self.site.href(self.at, f"marks/{match['number']}.html")
        if match["invariant"]:
            return self.site.href(self.at, "docs/reading.html#the-invariants")
        if match["test"]:
            return self.site.href(self.at, test(self.site, match["test"]))
        if match["file"]:
            return self._file(match["file"])
        called = self.functions.get(match["called"])
        return None if called is None else self.site.href(self.at, called)

    def _file(self, name: str) -> str | None:
        if not (self.site.root / name).is_file():
            return None
        if name.endswith(".md"):
            return self.site.href(self.at, page_of(name)) if name in self.site.documents else None
        return self.site.href(self.at, self.site.source(name))

    def code(self, pieces: Iterable[tuple[str, str]]) -> Markup:
        """Coloured code, in which the calls of the kernel lead to their manual pages. What has the class "d" differs
        from the line beside it."""
        result = Markup("")
        for name, text in pieces:
            classes = name.split()
            linked = escape(text) if set(classes) & {"c", "s", "p"} else _with_calls(text)
            rest = " ".join(each for each in classes if each != "d")
            if "d" in classes:
                linked = Markup("<mark class={}>{}</mark>" if rest else "<mark>{1}</mark>").format(rest, linked)
            elif rest:
                linked = colours.coloured(rest, linked)
            result += linked
        return result


def _with_calls(text: str) -> Markup:
    result, end = Markup(""), 0
    for match in NAME.finditer(text):
        section = manual.SECTION.get(match[1])
        if section is not None:
            result += escape(text[end : match.start()]) + anchor(manual.url(match[1], section), match[1])
            end = match.end()
    return result + escape(text[end:])


def anchor(target: str, text: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(target, text)


def test(site: Site, name: str) -> str:
    """The page (for href) that shows a test: test_x.py, or test_x.py::test_y, with or without parameters."""
    file, _, function = name.partition("[")[0].partition("::")
    for pattern in (f"harness/conformance/{file}", f"*/*/tests/{file}"):
        for found in sorted(site.root.glob(pattern)):
            page = site.source(found.relative_to(site.root).as_posix())
            if function and f"def {function}(" not in found.read_text(encoding="utf-8"):
                raise BadSite(f"{file} has no {function}")
            return f"{page}#{function}" if function else page
    raise BadSite(f"there is no {file}")
