"""What the build of the web pages refuses, and how documents become pages."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest
from markupsafe import Markup

import build
import docs_pages
import home
import pairs
import pitfalls
import steps
import story
import traces
from mutants.manifest import MUTANTS
from page import BadSite, Page, Site, documents, page_of
from suite.servers import FIVE, ROOT
from tracing import golden
from tracing.claims import CLAIMS


def site_of(*bodies: str) -> tuple[Site, dict[str, Page]]:
    """A site of small pages: p0.html, p1.html and so on."""
    pages = [Page(f"p{number}.html", "A page", "home", Markup(body)) for number, body in enumerate(bodies)]
    return Site(ROOT), {each.path: each for each in pages}


@pytest.mark.parametrize(
    "target, complaint",
    (
        ("p1.html#there", ""),
        ("p2.html", "p0.html: links to p2.html, which is not there"),
        ("p1.html#nowhere", "p0.html: links to p1.html#nowhere, and there is no such anchor"),
    ),
)
def test_a_link_has_to_lead_somewhere(tmp_path, target, complaint):
    site, pages = site_of("<p>one</p>", '<p id="there">two</p>')
    assert site.href("p0.html", target) == target
    if not complaint:
        assert build.write(tmp_path / "out", site, pages) > 0
        return
    with pytest.raises(BadSite) as raised:
        build.write(tmp_path / "out", site, pages)
    assert str(raised.value) == complaint
    assert not (tmp_path / "out").exists()


def test_an_anchor_stands_once_on_a_page(tmp_path):
    site, pages = site_of('<p id="a">one</p><p id="a">two</p>')
    with pytest.raises(BadSite, match="p0.html: the anchor a is there more than once"):
        build.write(tmp_path / "out", site, pages)


def test_a_directory_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    site, pages = site_of("<p>one</p>")
    with pytest.raises(BadSite, match="has other files than those of a site; name another directory"):
        build.write(tmp_path, site, pages)
    assert (tmp_path / "thesis.txt").exists()


def test_a_directory_that_only_looks_like_a_site_is_left_alone(tmp_path):
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "site.css").write_text("body {}")
    with pytest.raises(BadSite, match="has other files than those of a site"):
        build.write(tmp_path, *site_of("<p>one</p>"))
    (tmp_path / build.LIST).write_text("../elsewhere")
    with pytest.raises(BadSite, match="is no list of the files of a site"):
        build.write(tmp_path, *site_of("<p>one</p>"))


def test_what_an_earlier_build_wrote_is_gone_and_nothing_else(tmp_path):
    out = tmp_path / "out"
    build.write(out, *site_of("<p>one</p>", "<p>two</p>"))
    assert (out / "p1.html").exists()
    (out / "thesis.txt").write_text("years of work")
    build.write(out, *site_of("<p>one</p>"))
    assert (out / "p0.html").exists() and not (out / "p1.html").exists()
    assert (out / "thesis.txt").exists()


def test_a_build_goes_on_after_one_that_could_not_write(tmp_path, monkeypatch):
    out = tmp_path / "out"

    def full(path: Path, content: bytes) -> int:
        if path.name == "p0.html":
            raise OSError(errno.ENOSPC, "No space left on device")
        return writes(path, content)

    writes = Path.write_bytes
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(BadSite, match="out/p0.html: cannot be written: No space left on device"):
            build.write(out, *site_of("<p>one</p>", "<p>two</p>"))
    build.write(out, *site_of("<p>one</p>"))
    assert (out / "p0.html").exists() and not (out / "p1.html").exists()


def test_links_are_relative():
    site = Site(ROOT)
    assert site.href("a/b/c.html", "a/d.html#x") == "../d.html#x"
    assert site.href("index.html", "a/d.html") == "a/d.html"
    assert site.href("a/b.html", "a/b.html#x") == "#x"


@pytest.mark.parametrize("words", (("a", "b"), ("--help",)))
def test_usage(words):
    done = subprocess.run(["docs/site/build", *words], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "usage: docs/site/build [OUT]\n")


def test_a_document_becomes_a_page():
    site = Site(ROOT)
    text = (
        "# T\n\n## Who: `a_b`, and why?\n\n[x](reading.md#the-invariants) [y](../common/clock.c) ![p](omission.svg)\n\n"
        "| a | b |\n| --- | --- |\n| `x < y` | z |\n\n```c\nint a; /* b */\n```\n\n    cd <dir>\n"
    )
    html = site.markdown(text, Path("docs/x.md"), "docs/x.html")
    for expected in (
        '<h2 id="who-a_b-and-why">', 'href="reading.html#the-invariants"', 'href="../source/common/clock.c.html"',
        'src="../images/docs/omission.svg"', 'aria-label="Table"', "<code>x &lt; y</code>", "<i class=c>/* b */</i>",
        "<code>cd &lt;dir&gt;</code></pre>",
    ):  # fmt: skip
        assert expected in html
    assert "images/docs/omission.svg" in site.files and "common/clock.c" in site.sources
    with pytest.raises(BadSite, match="docs/x.md: there is no nowhere.md"):
        site.markdown("[x](nowhere.md)", Path("docs/x.md"), "docs/x.html")


def test_every_document_of_the_project_has_a_page():
    names = documents(ROOT)
    assert {"README.md", "docs/reading.md", "epoll_et/README.md", "beyond/http/README.md"} <= set(names)
    assert len({page_of(each) for each in names}) == len(names)
    made = {page.path for part in (docs_pages, pitfalls) for page in part.pages(Site(ROOT))}
    assert {page_of(each) for each in names} - made <= {page_of("docs/experiments.md"), page_of("docs/glossary.md")}


def test_this_tree_lacks_nothing():
    site = Site(ROOT)
    for part in (home, pairs, story, traces):
        assert list(part.pages(site))
    assert not site.missing


def test_a_server_without_a_readme_has_its_pages_and_no_link_to_it():
    site, name = Site(ROOT), "beyond/uring/README.md"
    site.documents -= {name}
    pages = [page for part in (home, pairs, story) for page in part.pages(site)]
    assert any(page.path == "story/uring.html" for page in pages)
    links = {link.to for link in site.links}
    assert page_of(name) not in links and page_of("poll_srv/README.md") in links
    assert f"there is no {name}: no page links to it" in site.missing


def test_a_server_without_traces_is_left_out_of_them(monkeypatch):
    monkeypatch.setattr(golden, "TRACED", (*golden.TRACED, "new_srv"))
    site = Site(ROOT)
    pages = {page.path for page in traces.pages(site)}
    assert {traces.page_of_script(name) for name in golden.SCRIPTS} < pages
    assert "the traces of new_srv are not all there: make trace-accept S=new_srv" in site.missing


def test_a_trace_that_the_pages_need_is_named_with_its_command(monkeypatch):
    monkeypatch.setattr(golden, "path_of", lambda name, server: ROOT / "gone" / name / f"{server}.txt")
    path = "gone/two-peers-at-once/poll_srv.txt"
    with pytest.raises(BadSite, match=f"^{path} is not there: make trace-accept S=poll_srv SCRIPT="):
        steps.frames_of(steps.STEPPERS[1])
    claim = CLAIMS[0]
    with pytest.raises(BadSite, match=f"make trace-accept S=.* SCRIPT={claim.script}$"):
        traces.of_claim(Site(ROOT), claim, claim.servers[0])


@pytest.mark.parametrize("there", (True, False), ids=("to a directory", "to nowhere"))
def test_a_link_is_followed(tmp_path, there):
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    if there:
        real.mkdir()
    build.write(link, *site_of("<p>one</p>", "<p>two</p>"))
    build.write(link, *site_of("<p>one</p>"))
    assert link.is_symlink() and (real / "p0.html").exists() and not (real / "p1.html").exists()


def test_every_two_of_the_five_have_a_page():
    made = {page.path: page for page in pairs.pages(Site(ROOT))}
    for number, first in enumerate(FIVE):
        for second in FIVE[number + 1 :]:
            body = made[f"pairs/{first}-{second}.html"].body
            assert body.count("<h1>") == 1 and "≠" in body and f"make compare A={first} B={second}" in body


def test_a_pitfall_has_its_diff_and_its_tests():
    site = Site(ROOT)
    made = {page.path: page.body for page in pitfalls.pages(site)}
    for mutant in MUTANTS:
        body = made[f"pitfalls/{mutant.name}.html"]
        assert 'class="gi"' in body or 'class="gd"' in body
        for test in mutant.named:
            assert f".py.html#{test.partition('::')[2].partition('[')[0]}" in body, (mutant.name, test)
