"""The pages as files: links and anchors, what must be there, size, and that the same sources give the same bytes."""

from __future__ import annotations

import os
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from suite import servers
from suite.servers import ROOT

MOST_BYTES = 600_000 * len(servers.ALL)
MINUTES = 280
pytestmark = pytest.mark.timeout(3 * MINUTES)  # the first test waits for one build of the site, another for two
ATTRIBUTES = ("href", "src", "action")


class Links(HTMLParser):
    """What a page links to and loads, and its anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: list[str] = []
        self.headings: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.append(value)
            elif name in ATTRIBUTES and value is not None:
                (self.links if tag in ("a", "form") else self.loads).append(value)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))


def read(path: Path) -> Links:
    parser = Links()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


def build(out: Path, seed: str) -> Path:
    """With another seed of Python's hashes a set has another order."""
    done = subprocess.run(
        [ROOT / "docs/site/build", out], capture_output=True, text=True, timeout=MINUTES,
        env=os.environ | {"PYTHONHASHSEED": seed},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("site") / "site", "1")


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Links]:
    return {path.relative_to(site).as_posix(): read(path) for path in sorted(site.rglob("*.html"))}


def faults_of_links(site: Path, pages: dict[str, Links]) -> list[str]:
    """Links to what is not there, and loads from elsewhere."""
    found = []
    for page, links in pages.items():
        for load in links.loads:
            if urlsplit(load).scheme not in ("", "data"):
                found.append(f"{page}: loads {load}")
        for link in links.links + links.loads:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "data"):
                continue
            target = os.path.normpath(os.path.join(os.path.dirname(page), unquote(parts.path))) if parts.path else page
            if parts.scheme or not (site / target).is_file():
                found.append(f"{page}: {link} leads nowhere")
            elif parts.fragment and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{page}: {link}: no such anchor")
    return found


def test_every_link_and_anchor_resolves(site: Path, pages: dict[str, Links]) -> None:
    assert sum(len(each.links) for each in pages.values()) > 1000
    assert not (faults := faults_of_links(site, pages)), "\n".join(faults[:20])


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    body = '<h1 id="a">A</h1><a href="b.html">b</a><a href="#c">c</a><a href="#a">a</a>'
    body += '<img src="http://example.invalid/d.png">'
    (tmp_path / "index.html").write_text(body, encoding="utf-8")
    found = faults_of_links(tmp_path, {"index.html": read(tmp_path / "index.html")})
    assert [each.split(": ", 1)[1] for each in found] == [
        "loads http://example.invalid/d.png", "b.html leads nowhere", "#c: no such anchor",
    ]  # fmt: skip


def test_headings_have_an_order_and_one_of_them_is_the_first(pages: dict[str, Links]) -> None:
    for page, links in pages.items():
        assert links.headings.count(1) == 1 and links.headings[0] == 1, page
        for before, after in zip(links.headings, links.headings[1:]):
            assert after <= before + 1, f"{page}: h{after} follows h{before}"


def functions(source: str) -> list[str]:
    """The functions that a C file of this project defines: a name at the left edge, and a line that is only a brace."""
    return re.findall(r"^(?!#|/|\s)[^\n;={}]*?\b(\w+)\([^;{}]*\)\n\{$", source, re.MULTILINE)


def test_the_functions_of_a_server_are_recognised() -> None:
    names = functions((ROOT / "epoll_lt/server.c").read_text(encoding="utf-8"))
    assert {"mux_open", "mux_add", "mux_wait", "mux_signal"} <= set(names)


@pytest.mark.parametrize("name", servers.ALL)
def test_each_function_of_a_server_is_in_its_story(name: str, site: Path) -> None:
    story = (site / f"story/{name}.html").read_text(encoding="utf-8")
    headings = " ".join(re.findall(r"<h[2-4].*?</h[2-4]>", story, re.DOTALL))
    names = functions((ROOT / servers.OF[name].directory / "server.c").read_text(encoding="utf-8"))
    assert names
    assert not [each for each in names if not re.search(rf"\b{each}\b", headings)]


@pytest.mark.parametrize("name", servers.FIVE)
def test_each_function_of_the_five_is_in_each_of_its_pairs(name: str, site: Path) -> None:
    pairs = [path for path in sorted((site / "pairs").glob("*.html")) if name in path.stem.split("-")]
    assert len(pairs) >= len(servers.FIVE) - 1
    for path in pairs:
        headings = " ".join(re.findall(r"<h[2-4].*?</h[2-4]>", path.read_text(encoding="utf-8"), re.DOTALL))
        for each in functions((ROOT / servers.OF[name].directory / "server.c").read_text(encoding="utf-8")):
            assert re.search(rf"\b{each}\b", headings), f"{path.name}: {each} is missing"


@pytest.mark.parametrize("number", range(1, 10))
def test_each_mark_has_its_place_in_each_of_the_five(number: int, site: Path) -> None:
    text = (site / f"marks/{number}.html").read_text(encoding="utf-8")
    assert f"[{number}]" in text
    assert not [name for name in servers.FIVE if name not in text]


def files_of(site: Path) -> dict[str, bytes]:
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}


def test_the_same_sources_give_the_same_bytes(site: Path, tmp_path: Path) -> None:
    files, others = files_of(site), files_of(build(tmp_path / "again", "2"))
    assert files.keys() == others.keys()
    assert not [name for name in files if files[name] != others[name]]
    assert not [name for name in files if str(ROOT).encode() in files[name]]


def test_the_site_is_small(site: Path) -> None:
    sizes: dict[str, int] = {}
    for name, content in files_of(site).items():
        part = name.split("/")[0]
        sizes[part] = sizes.get(part, 0) + len(content)
    assert sum(sizes.values()) < MOST_BYTES, sorted(sizes.items(), key=lambda each: -each[1])
