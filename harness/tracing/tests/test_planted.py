"""The traces of planted bugs: each page that says that a call is missing or extra has a trace that shows it.

These tests read files. `make mutants` records the bugs again, with the programs that it builds anyway."""

from __future__ import annotations

import pytest

from mutants.manifest import MUTANTS
from suite import servers
from tracing import claims, golden, planted
from tracing.claims import CLAIMS, EXTRA, MISSING, NOT_IN, NOT_SHOWN, Claim

CASES = [(claim, server) for claim in CLAIMS for server in claim.servers]


@pytest.mark.parametrize("claim, server", CASES, ids=[f"{claim.bug}-{server}" for claim, server in CASES])
def test_the_trace_shows_the_call_that_is_missing_or_extra(claim: Claim, server: str) -> None:
    wrong = planted.path_of(claim, server).read_text(encoding="utf-8")
    whole = planted.whole_of(claim, server)
    assert claim.shown_by(whole, wrong), f"{claim.what} {claim.call}:\n{whole}\n{wrong}"
    assert not claim.shown_by(whole, whole), "the server without the bug would show it, too"


# The script stops the server until both frames have come: one recv, and so one send.
TWO_COUNTS = {"short-write-drops-the-rest"}


def test_no_claim_compares_two_counts_that_the_kernel_decides() -> None:
    for claim, server in CASES:
        if claim.script in golden.RECORDINGS and claim.bug not in TWO_COUNTS:
            wrong = planted.path_of(claim, server).read_text(encoding="utf-8")
            assert claim.what == MISSING and not claim.number(wrong), f"{claim.bug} ({server}): it may come as often"


def test_every_bug_of_a_traced_server_has_a_trace_or_a_reason() -> None:
    for mutant in MUTANTS:
        assert claims.of_bug(mutant.name) or claims.why_not(mutant.name), mutant.name
    known = {mutant.name for mutant in MUTANTS}
    assert not set(NOT_SHOWN) - known and not set(NOT_SHOWN) & set(planted.bugs())


def test_every_claim_is_of_a_server_with_that_bug_and_of_all_of_them() -> None:
    for name in planted.bugs():
        mutant = next(each for each in MUTANTS if each.name == name)
        shown = [server for claim in claims.of_bug(name) for server in claim.servers]
        left = {each for each in set(mutant.servers) & set(golden.TRACED) - set(shown) if (name, each) not in NOT_IN}
        assert len(shown) == len(set(shown)) and set(shown) <= set(mutant.servers) and not left, f"{name}: {left}"


def test_every_bug_that_is_shown_has_a_page() -> None:
    for name in planted.bugs():
        assert (servers.ROOT / "docs" / "pitfalls" / f"{name}.md").exists()


WHOLE = "peer 0 connects\n    accept(listener) = peer 0\npeer 0 ends\n    recv(peer 0, 9) = 0\n    close(peer 0)\n"
WHOLE += "calls: 1 accept, 1 close, 1 recv\n"


def claim_of(what: str, call: str, step: str = "") -> Claim:
    return Claim("a-bug", ("epoll_lt",), "one-echo", what, call, step)


def test_a_claim_is_of_a_step() -> None:
    wrong = WHOLE.replace("    recv(peer 0, 9) = 0\n", "")
    assert claim_of(MISSING, "recv", "peer 0 ends").shown_by(WHOLE, wrong)
    assert not claim_of(MISSING, "recv", "peer 0 connects").shown_by(WHOLE, wrong)
    assert not claim_of(EXTRA, "recv").shown_by(WHOLE, wrong) and claim_of(EXTRA, "recv").shown_by(wrong, WHOLE)


def test_calls_that_a_long_step_does_not_show_are_counted() -> None:
    claim = claim_of(MISSING, "accept", "calls")
    assert claim.shown_by(WHOLE.replace("1 accept", "66 accept"), WHOLE) and not claim.shown_by(WHOLE, WHOLE)


def test_again_and_again_is_more_than_once() -> None:
    assert claim_of(EXTRA, "recv").shown_by(WHOLE, WHOLE.replace("= 0\n", "= 0   again and again\n"))
