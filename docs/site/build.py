"""Writes the web pages: `docs/site/build [OUT]`. The same sources give the same bytes."""

from __future__ import annotations

import contextlib
import sys
from html.parser import HTMLParser
from pathlib import Path

import docs_pages
import experiments
import glossary
import home
import marks
import pairs
import pitfalls
import search
import source_pages
import steps
import story
import traces
from brief import brief
from page import HERE, SECTIONS, BadSite, Page, Site
from suite import ending
from suite.servers import ROOT, build_dir

LIST = ".files"  # what a build has written, a path a line: the next one removes no other file
# Each yields its pages. A page of a source file is made last, for the files that the others link to.
PARTS = (
    home,
    story,
    pairs,
    marks,
    docs_pages,
    pitfalls,
    traces,
    steps,
    experiments,
    glossary,
    source_pages,
)


def main(words: list[str]) -> int:
    if len(words) > 1 or words and words[0].startswith("-"):
        print("usage: docs/site/build [OUT]", file=sys.stderr)
        return 2
    out = Path(words[0]) if words else build_dir() / "site"
    site = Site(ROOT)
    try:
        size = write(out, *make(site))
    except (BadSite, OSError) as error:
        print(f"site: {error}", file=sys.stderr)
        return 1
    for each in sorted(site.missing):
        print(f"site: {each}", file=sys.stderr)
    print(f"site: {out}/index.html ({size / 1e6:.1f} MB)")
    return 0


def make(site: Site) -> tuple[Site, dict[str, Page]]:
    pages: dict[str, Page] = {}
    for part in PARTS:
        for page in part.pages(site):
            if page.path in pages:
                raise BadSite(f"{page.path}: two pages have this path")
            pages[page.path] = page
    pages |= {page.path: page for page in search.pages(site, pages)}
    return site, pages


def write(out: Path, site: Site, pages: dict[str, Page]) -> int:
    """Writes everything and returns its size in bytes. Removes what an earlier build wrote there, and nothing else."""
    sections = [each for each in SECTIONS if each.index in pages]
    static = sorted((HERE / "static").iterdir())
    written: dict[str, bytes] = {f"static/{each.name}": each.read_bytes() for each in static}
    written |= site.files
    for path, page in pages.items():
        for name in page.scripts + page.styles:
            if f"static/{name}" not in written:
                raise BadSite(f"{path}: there is no static/{name}")
        terms = glossary.terms_of(page) if glossary.AT in pages else []
        body = site.render("base.html", at=path, page=page, sections=sections, terms=terms, glossary=glossary.AT)
        written[path] = brief(body).encode()
    check_links(site, written)
    _replace(out, written)
    return sum(map(len, written.values()))


def _replace(out: Path, written: dict[str, bytes]) -> None:
    """The list of what is written comes first: the next build can go on after one that a full disk has ended."""
    out = out.resolve()  # a link to a directory that is not there yet, too
    listed = out / LIST
    if not listed.exists() and out.exists() and any(out.iterdir()):
        raise BadSite(f"{out}: has other files than those of a site; name another directory")
    before = listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []
    if any(Path(path).is_absolute() or ".." in Path(path).parts for path in before):
        raise BadSite(f"{listed}: is no list of the files of a site")
    _write(listed, "\n".join(sorted({*before, *written})).encode())
    for path in set(before) - set(written):
        (out / path).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another file is there
            (out / path).parent.rmdir()
    for path, content in written.items():
        _write(out / path, content)
    _write(listed, "\n".join(sorted(written)).encode())


def _write(target: Path, content: bytes) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    except OSError as error:
        raise BadSite(f"{target}: cannot be written: {error.strerror}") from None


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name == "id" and value]


def check_links(site: Site, written: dict[str, bytes]) -> None:
    """Every link that href() made leads to a page, and to an anchor there, and no page has an anchor twice."""
    anchors: dict[str, set[str]] = {}
    for path, content in written.items():
        if path.endswith(".html"):
            parser = _Anchors()
            parser.feed(content.decode())
            anchors[path] = set(parser.found)
            twice = [each for each in anchors[path] if parser.found.count(each) > 1]
            if twice:
                raise BadSite(f"{path}: the anchor {sorted(twice)[0]} is there more than once")
    for link in site.links:
        path, _, anchor = link.to.partition("#")
        path = path or link.at
        if path not in written:
            raise BadSite(f"{link.at}: links to {path}, which is not there")
        if anchor and anchor not in anchors.get(path, ()):
            raise BadSite(f"{link.at}: links to {link.to}, and there is no such anchor")


if __name__ == "__main__":
    ending.run(lambda: main(sys.argv[1:]), "site", unread=1)
