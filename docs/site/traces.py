"""What peers did, and the system calls of each server beside it: from the traces that the tests compare
(harness/tracing/golden/). Nothing is traced here."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from page import BadSite, Page, Site, page_of, sentence
from suite import servers
from tracing import golden, planted
from tracing.claims import CLAIMS, EXTRA, MISSING, Claim, of_bug

COUNTS = "calls: "
FEWER, MORE = "fewer", "more"
EVERY = "calls in all"
FOLDED = 3  # lines in a row that are the same without the bug


@dataclass(frozen=True)
class Line:
    """A call in a cell, or how many there are of one. `sign`: "" as in the server without the bug, "missing" or
    "extra"; of a number "fewer" or "more"."""

    text: str
    sign: str = ""
    is_claim: bool = False  # the page of the bug says so
    is_rest: bool = False  # stands for lines that the column of the server without the bug has, too

    @property
    def named(self) -> str:
        """The mark in words: colour alone tells nobody."""
        return f"{self.sign}: " if self.sign else ""


@dataclass(frozen=True)
class Column:
    """A server, or a server with a planted bug."""

    key: str
    title: str
    bug: str
    note: str
    cells: dict[tuple[str, int], list[Line]]  # by step: what happened, and the how manieth time
    counts: list[Line]


@dataclass(frozen=True)
class Row:
    what: str
    cells: list[list[Line]]

    @property
    def is_count(self) -> bool:
        return self.what == EVERY

    @property
    def differs(self) -> bool:
        return any(line.sign for cell in self.cells for line in cell)


@dataclass(frozen=True)
class Table:
    columns: list[Column]
    rows: list[Row] = field(default_factory=list)


Steps = dict[tuple[str, int], list[str]]


def parse(text: str) -> tuple[Steps, list[str]]:
    """A trace as text: the calls of each step, and the counts at its end."""
    steps: Steps = {}
    counts: list[str] = []
    for line in text.splitlines():
        if line.startswith("    "):
            steps[list(steps)[-1]].append(line.strip())
        elif line.startswith(COUNTS):
            counts = line.removeprefix(COUNTS).split(", ")
        else:
            times = sum(what == line for what, _ in steps)
            steps[line, times] = []
    return steps, counts


def accepted(path: Path, how: str) -> str:
    """The text of a trace that the pages cannot do without."""
    if not path.exists():
        raise BadSite(f"{path.relative_to(servers.ROOT)} is not there: make trace-accept {how}")
    return path.read_text(encoding="utf-8")


def traced(site: Site, script: str) -> list[str]:
    """The servers whose trace of the script is there. A new one has none at first."""
    found = [server for server in golden.TRACED if golden.path_of(script, server).exists()]
    for server in set(golden.TRACED) - set(found):
        site.missing.add(f"the traces of {server} are not all there: make trace-accept S={server}")
    return found


def of_server(site: Site, script: str, server: str) -> Column:
    steps, counts = parse(accepted(golden.path_of(script, server), f"S={server} SCRIPT={script}"))
    cells = {key: [Line(each) for each in calls] for key, calls in steps.items()}
    return Column(server, _label(site, server), "", "", cells, [Line(each) for each in counts])


def of_claim(site: Site, claim: Claim, server: str) -> Column:
    """Beside the server without the bug: what is missing and what is extra is marked."""
    whole, whole_counts = parse(accepted(golden.path_of(claim.script, server), f"S={server} SCRIPT={claim.script}"))
    wrong, wrong_counts = parse(accepted(planted.path_of(claim, server), f"S={server} BUG={claim.bug}"))
    cells = {
        key: _folded(_compared(whole.get(key, []), wrong.get(key, []), claim))
        for key in [*whole, *(key for key in wrong if key not in whole)]
    }
    counts = _folded(_counted(whole_counts, wrong_counts, claim))
    title = f"{_label(site, server)}: {claim.bug}"
    return Column(f"{server}-{claim.bug}", title, claim.bug, claim.says, cells, counts)


def _compared(whole: Sequence[str], wrong: Sequence[str], claim: Claim) -> list[Line]:
    found: list[Line] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, whole, wrong, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [Line(each) for each in whole[a:b]]
        else:
            found += [Line(each, MISSING, _is_claim(each, MISSING, claim)) for each in whole[a:b]]
            found += [Line(each, EXTRA, _is_claim(each, EXTRA, claim)) for each in wrong[c:d]]
    return found


def _folded(lines: Sequence[Line]) -> list[Line]:
    """What differs, with a line before it and behind it; of the rest, how many lines there are."""
    found: list[Line] = []
    for differs, group in itertools.groupby(lines, lambda line: bool(line.sign)):
        run = list(group)
        before, behind = int(bool(found)), int(run[-1] is not lines[-1])
        rest = len(run) - before - behind
        if differs or rest < FOLDED:
            found += run
        else:
            found += [*run[:before], Line(f"the same {rest} lines", is_rest=True), *run[len(run) - behind :]]
    return found


def _counted(whole: Sequence[str], wrong: Sequence[str], claim: Claim) -> list[Line]:
    here, there = _by_name(whole), _by_name(wrong)
    found = []
    for name in sorted({*here, *there}):
        before, after = here.get(name, "0"), there.get(name, "0")
        if before == after:
            found.append(Line(f"{after} {name}"))
        else:
            sign = MORE if after == "many" or before != "many" and int(after) > int(before) else FEWER
            found.append(Line(f"{after} {name}, not {before}", sign, claim.step == "calls" and claim.call == name))
    return found


def _by_name(counts: Sequence[str]) -> dict[str, str]:
    return {name: number for number, name in (each.split(" ") for each in counts)}


def _is_claim(text: str, sign: str, claim: Claim) -> bool:
    return claim.what == sign and re.search(claim.call, text) is not None


def _label(site: Site, server: str) -> str:
    return next(kind.label for kind in site.kinds if kind.name == server)


def table(columns: list[Column]) -> Table:
    """Rows in the order of the steps. Some columns have a step that others have not."""
    keys: list[tuple[str, int]] = []
    for column in columns:
        at = 0
        for key in column.cells:
            if key in keys:
                at = keys.index(key) + 1
            else:
                keys.insert(at, key)
                at += 1
    rows = [Row(key[0], [column.cells.get(key, []) for column in columns]) for key in keys]
    return Table(columns, [*rows, Row(EVERY, [column.counts for column in columns])])


def page_of_script(name: str) -> str:
    return f"traces/{name}.html"


def of_pitfall(site: Site, bug: str) -> Markup | None:
    """For the page of a planted bug: the rows of the trace, before and after, that differ, on one server of
    each claim. None if no trace is kept."""
    claims = of_bug(bug)
    if not claims:
        return None
    at = page_of(f"docs/pitfalls/{bug}.md")
    shown = [(claim, _changed(site, claim, claim.servers[0]), [_label(site, each) for each in claim.servers[1:]])
             for claim in claims]  # fmt: skip
    return site.render("trace_of_bug.html", at=at, shown=shown, about=_about, page_of_script=page_of_script)


def _changed(site: Site, claim: Claim, server: str) -> Table:
    whole = table([of_server(site, claim.script, server), of_claim(site, claim, server)])
    return Table(whole.columns, [row for row in whole.rows if row.differs])


def _about(script: str) -> str:
    return golden.script(script).about


def pages(site: Site) -> Iterator[Page]:
    scripts = [(name, _about(name)) for name in golden.SCRIPTS]
    index = "traces/index.html"
    shown = [(claim, server) for claim in CLAIMS for server in claim.servers]
    body = site.render(
        "traces.html", at=index, scripts=scripts, recordings=golden.RECORDINGS, claims=CLAIMS,
        page_of_script=page_of_script, page_of=page_of,
    )  # fmt: skip
    summary = "What peers did, and the system calls of every server beside it."
    yield Page(index, "Traces", "traces", body, summary=summary)
    for name, about in scripts:
        columns = [of_server(site, name, server) for server in traced(site, name)]
        columns += [of_claim(site, claim, server) for claim, server in shown if claim.script == name]
        at = page_of_script(name)
        body = site.render(
            "trace.html", at=at, name=name, about=about, table=table(columns), page_of=page_of,
            source=site.source, is_recording=name in golden.RECORDINGS,
        )  # fmt: skip
        yield Page(at, f"Trace: {name}", "traces", body, ("columns.js",), f"{sentence(about)}.")
