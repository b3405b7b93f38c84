"""The trace view: each call of each trace is on its page, and what a bug lacks is marked."""

from __future__ import annotations

import pytest

import traces
from page import Site, sentence
from suite import servers
from tracing import golden
from tracing.claims import CLAIMS, EXTRA, MISSING

SITE = Site(servers.ROOT)
CASES = [(claim, server) for claim in CLAIMS for server in claim.servers]


@pytest.mark.parametrize("name", golden.SCRIPTS)
def test_every_call_is_in_its_cell(name: str) -> None:
    table = traces.table([traces.of_server(SITE, name, server) for server in golden.TRACED])
    for at, server in enumerate(golden.TRACED):
        lines = [line.text for row in table.rows[:-1] for line in row.cells[at]]
        text = golden.path_of(name, server).read_text(encoding="utf-8")
        assert lines == [line.strip() for line in text.splitlines() if line.startswith("    ")]


@pytest.mark.parametrize("claim, server", CASES, ids=[f"{claim.bug}-{server}" for claim, server in CASES])
def test_the_call_that_the_page_speaks_of_is_marked(claim: traces.Claim, server: str) -> None:
    column = traces.of_claim(SITE, claim, server)
    lines = [line for cell in [*column.cells.values(), column.counts] for line in cell]
    signs = {MISSING: (MISSING, traces.FEWER), EXTRA: (EXTRA, traces.MORE)}[claim.what]
    assert any(line.is_claim and line.sign in signs for line in lines)


def test_a_function_keeps_its_name_at_the_beginning_of_a_sentence() -> None:
    assert sentence("recv fails with EINTR") == "recv fails with EINTR" and sentence("one peer") == "One peer"
    assert [sentence(each) for each in ("accept", "accepts", "sender", "epoll_wait")] == [
        "accept", "Accepts", "Sender", "epoll_wait",
    ]  # fmt: skip
    pages = {page.path: page for page in traces.pages(Site(servers.ROOT))}
    page = pages["traces/calls-that-fail.html"]
    assert page.summary.startswith("recv fails with EINTR") and "<p>recv fails with EINTR" in page.body
    assert not any(">Recv " in page.body or ">Send " in page.body for page in pages.values())


def test_steps_that_one_column_lacks_have_their_row() -> None:
    def column(*steps: str) -> traces.Column:
        return traces.Column("a", "a", "", "", {(step, 0): [] for step in steps}, [])

    table = traces.table([column("one", "three"), column("one", "two", "three", "four")])
    assert [row.what for row in table.rows] == ["one", "two", "three", "four", traces.EVERY]


def test_a_step_that_comes_twice_is_two_rows() -> None:
    steps, counts = traces.parse("peer 0 sends\n    recv = 1\npeer 0 sends\n    recv = 2\ncalls: 2 recv\n")
    assert steps == {("peer 0 sends", 0): ["recv = 1"], ("peer 0 sends", 1): ["recv = 2"]} and counts == ["2 recv"]


def test_counts_say_both_numbers() -> None:
    claim = traces.Claim("a-bug", ("epoll_lt",), "one-echo", MISSING, "recv", "calls")
    whole, wrong = ["2 accept", "6 recv", "1 send", "3 epoll_wait"], ["2 accept", "3 recv", "many epoll_wait"]
    lines = traces._counted(whole, wrong, claim)
    assert [(line.text, line.sign, line.is_claim) for line in lines] == [
        ("2 accept", "", False), ("many epoll_wait, not 3", traces.MORE, False), ("3 recv, not 6", traces.FEWER, True),
        ("0 send, not 1", traces.FEWER, False),
    ]  # fmt: skip


def test_what_is_the_same_is_told_in_one_line() -> None:
    """But for a line before a difference and one behind it; and two lines are no more than one that stands for them."""
    same, wrong = traces.Line("a"), traces.Line("b", MISSING)

    def texts(*lines: traces.Line) -> list[str]:
        return [line.text for line in traces._folded(lines)]

    assert texts(*[same] * 4, wrong, *[same] * 5, wrong, *[same] * 3, wrong) == [
        "the same 3 lines", "a", "b", "a", "the same 3 lines", "a", "b", "a", "a", "a", "b",
    ]  # fmt: skip
    assert texts(*[same] * 3) == ["the same 3 lines"] and texts(same, same) == ["a", "a"]


def test_marks_are_words_and_not_colours_alone() -> None:
    assert traces.Line("x", MISSING).named == "missing: " and traces.Line("x", EXTRA).named == "extra: "


def test_a_bug_without_a_trace_has_none_on_its_page() -> None:
    assert traces.of_pitfall(SITE, "counter-forgotten") is None
    assert "recv(peer 0" in (traces.of_pitfall(SITE, "edge-reads-once") or "")
