"""docs/pitfalls/matrix.md: which test saw which mutant, and which did not. The same text after every run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mutants.checks import FAILED
from mutants.manifest import ORDINARY, Mutant

HEAD = """# Planted bugs and tests

Written by `make mutants`; what it says was seen in that run. The first columns are ordinary tests, as anybody would
try them by hand: · passed (it is blind to the mistake), **×** failed, blank: not run. The last column names the
tests that are there for the mistake: each of them failed, and passes on the unpatched server. The tests are in
`harness/conformance/`, the patches in `harness/mutants/`.
"""

Seen = tuple[Mutant, str, dict[str, str]]


def _cell(outcome: str | None) -> str:
    return "" if outcome is None else "**×**" if outcome == FAILED else "·"


def _row(mutant: Mutant, server: str, outcomes: dict[str, str]) -> str:
    caught = [f"`{test}`" for test in mutant.named]
    blind = [f"`{test}`" for test in mutant.blind if test not in ORDINARY]
    cells = [f"[{mutant.name}]({mutant.name}.md)", server, *(_cell(outcomes.get(each)) for each in ORDINARY)]
    cells.append("<br>".join(caught + [f"blind, too: {each}" for each in blind]))
    return f"| {' | '.join(cells)} |"


def write(path: Path, seen: Sequence[Seen]) -> None:
    head = ["mistake", "server", *ORDINARY.values(), "caught by"]
    lines = [HEAD, f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [_row(*each) for each in seen]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
