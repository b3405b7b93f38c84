"""docs/pitfalls/matrix.md: which tests noticed which mutant. Every run with the same results writes the same text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mutants.checks import FAILED
from mutants.manifest import HTTP, HTTP_ORDINARY, LOADGEN, LOADGEN_ORDINARY, ORDINARY, Mutant

HEAD = """# Planted bugs and tests

`make mutants` writes this page; every cell was observed in its run. The first columns are ordinary tests, as most
people would try them by hand. A dot (·) means that the test passed: it does not notice the mistake. **×** means
that it failed. An empty cell means that the test was not run there. The last column names the tests that exist for
the mistake. Each of them failed on the planted bug and passes on the unpatched program. The tests are in
`harness/conformance/`, the patches in `harness/mutants/`.
"""

HEAD_OF_LOADGEN = """
## The load generator

The same for mistakes in the load generator. The tests are in `harness/loadgen/tests/`.
"""

HEAD_OF_HTTP = """
## The HTTP server

The same for mistakes of HTTP. The tests are in `beyond/http/tests/`.
"""

Seen = tuple[Mutant, str, dict[str, str]]


def _cell(outcome: str | None) -> str:
    return "" if outcome is None else "**×**" if outcome == FAILED else "·"


def _row(mutant: Mutant, server: str, outcomes: dict[str, str], ordinary: dict[str, str]) -> str:
    caught = [f"`{test}`" for test in mutant.named]
    blind = [f"`{test}`" for test in mutant.blind if test not in ordinary]
    cells = [f"[{mutant.name}]({mutant.name}.md)", server, *(_cell(outcomes.get(each)) for each in ordinary)]
    cells.append("<br>".join(caught + [f"not caught by: {each}" for each in blind]))
    return f"| {' | '.join(cells)} |"


def _table(first: str, seen: Sequence[Seen], ordinary: dict[str, str]) -> list[str]:
    head = ["mistake", first, *ordinary.values(), "caught by"]
    return [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *(_row(*each, ordinary) for each in seen)]


def write(path: Path, seen: Sequence[Seen]) -> None:
    of_servers = [each for each in seen if each[1] not in (HTTP, LOADGEN)]
    of_http = [each for each in seen if each[1] == HTTP]
    of_loadgen = [each for each in seen if each[1] == LOADGEN]
    lines = [HEAD, *_table("server", of_servers, ORDINARY)]
    lines += [HEAD_OF_HTTP, *_table("program", of_http, HTTP_ORDINARY)]
    lines += [HEAD_OF_LOADGEN, *_table("program", of_loadgen, LOADGEN_ORDINARY)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
