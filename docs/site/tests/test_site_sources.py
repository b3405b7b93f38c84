"""How the site reads C sources, aligns two of them, and finds what a planted bug changes."""

from __future__ import annotations

import pytest

import aligning
import bugs
import csource
import linking
import manual
import page
from csource import Block
from mutants.manifest import MUTANTS
from suite.servers import KINDS, ROOT


def block(code: str, comment: str = "") -> Block:
    return Block("x/server.c", 1, comment, 2, code)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_line_of_a_server_is_in_a_block(kind):
    """But for empty lines between blocks."""
    for file in sorted({each.file for each in csource.path(ROOT, kind.directory)}):
        lines = (ROOT / file).read_text().split("\n")
        covered: set[int] = set()
        for each in csource.blocks(ROOT, file):
            covered |= set(range(each.line, each.last_line + 1))
            assert each.code.split("\n")[0] == (lines[each.code_line - 1] if each.code else "")
        assert not [line for number, line in enumerate(lines, 1) if line.strip() and number not in covered]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_functions_are_those_that_the_compiler_sees(kind):
    """ctags would be one more tool: what begins at the left edge and has a brace below it is a function."""
    for file in sorted({each.file for each in csource.path(ROOT, kind.directory)}):
        lines = (ROOT / file).read_text().split("\n")
        expected = sum(line == "{" for line in lines)
        found = [each for each in csource.blocks(ROOT, file) if each.is_function]
        assert len(found) == expected and all(each.code.endswith("\n}") for each in found), file


def test_a_comment_becomes_prose():
    comment = "[2] Wait: one.\n[8] Timeouts: two\nlines.\nTry it:\n     build/x\n\nLast."
    found = list(csource.paragraphs(comment))
    texts = ["[2] Wait: one.", "[8] Timeouts: two lines.", "Try it:", "     build/x", "Last."]
    assert [each.text for each in found] == texts
    assert [each.drawn for each in found] == [False, False, False, True, False]


def test_blocks_belong_together_by_name_and_then_by_mark():
    a, b, c = (block(f"int {name}(void)\n{{\n}}") for name in "abc")
    first = [a, block("int select_x(void)\n{\n}", "[6] Half-close: x"), b]
    second = [block("int poll_x(void)\n{\n}", "[6] Half-close: y"), c, b]
    found = aligning.match(first, second)
    names = [tuple(each.name if each else "" for each in match.sides) for match in found]
    assert names == [("a", ""), ("select_x", "poll_x"), ("", "c"), ("b", "b")]


def plain(line: aligning.Pieces | None) -> str | None:
    return None if line is None else "".join(text for _, text in line)


def test_lines_that_are_alike_stand_side_by_side():
    found = aligning.rows("one(1);\ntwo(a, b);\nsame();", "two(a, c);\nsame();\nmore();")
    assert [(plain(row.first), plain(row.second), row.sign) for row in found] == [
        ("one(1);", None, "+"), ("two(a, b);", "two(a, c);", "≠"), ("same();", "same();", ""), (None, "more();", "+"),
    ]  # fmt: skip
    sides = (found[1].first or [], found[1].second or [])
    differing = [[text for kind, text in side if "d" in kind.split()] for side in sides]
    assert differing == [["b"], ["c"]]


def test_rows_have_every_line_of_both_sides():
    for pair in (("poll_srv", "epoll_lt"), ("epoll_et", "kqueue_srv")):
        texts = [(ROOT / name / "server.c").read_text().rstrip("\n") for name in pair]
        found = aligning.rows(*texts)
        assert "\n".join(plain(row.first) or "" for row in found if row.first is not None) == texts[0]
        assert "\n".join(plain(row.second) or "" for row in found if row.second is not None) == texts[1]


def test_a_patch_is_at_home_in_the_functions_that_it_changes():
    names = {mutant.name for mutant in bugs.of_function(ROOT, "epoll_et/server.c", "serve")}
    assert "edge-reads-once" in names and "swap-remove-skips" not in names
    assert [each.name for each in bugs.of_function(ROOT, "common/transport.c", "transport_write")]


def test_a_line_of_a_server_is_in_a_story():
    site = page.Site(ROOT)
    lines = (ROOT / "epoll_et/server.c").read_text().split("\n")
    line = next(number for number, text in enumerate(lines, 1) if text.startswith("void serve("))
    assert site.source("epoll_et/server.c", line) == "story/epoll_et.html#server-serve"
    assert site.source("common/level.c", 1000) == "story/epoll_lt.html#level-serve"
    assert site.source("common/clock.c", 7) == "source/common/clock.c.html#L7" and site.sources == {"common/clock.c"}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_lines_that_a_patch_takes_out_are_where_it_is_said(mutant):
    text = bugs.patch(ROOT, mutant.name)
    removed = [row[1:] for row in text.split("\n") if row.startswith("-") and not row.startswith("--- a/")]
    pointed = [(ROOT / file).read_text().split("\n")[line - 1] for file, line in bugs.changed_lines(ROOT, text)]
    assert pointed and set(removed) <= set(pointed)


def test_links_in_a_comment():
    site = page.Site(ROOT)
    linker = linking.Linker(site, "pairs/x.html", {"turn": "story/epoll_lt.html#loop-turn"})
    html = linker.text("recv(2) <b>; [2] Wait; invariant 3; test_endings.py; turn(), other(), common/loop.c")
    for expected in (
        'man2/recv.2.html">recv(2)</a> &lt;b&gt;', '../marks/2.html">[2] Wait</a>',
        '../docs/reading.html#the-invariants">invariant 3</a>',
        '../source/harness/conformance/test_endings.py.html">test_endings.py</a>',
        '../story/epoll_lt.html#loop-turn">turn()</a>, other(), ',
        '../story/epoll_lt.html#loop-includes">common/loop.c</a>',
    ):  # fmt: skip
        assert expected in html
    with pytest.raises(page.BadSite, match="there is no test_nowhere.py"):
        linker.text("Test: test_nowhere.py")
    with pytest.raises(page.BadSite, match="test_endings.py has no test_of_nothing"):
        linker.text("Test: test_endings.py::test_of_nothing")


def test_the_calls_in_code_lead_to_their_manual_pages():
    linker = linking.Linker(page.Site(ROOT), "x.html")
    html = linker.code([("", "n = epoll_wait(fd, 0); my_read(fd); "), ("c", "/* close(x) */")])
    assert html.count("<a ") == 1 and 'man2/epoll_wait.2.html">epoll_wait</a>(fd' in html
    assert manual.url("kqueue", 2).startswith("https://man.freebsd.org/")
