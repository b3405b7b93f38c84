"""RESULTS/report.html: one page with the figures, the verdicts and what they were measured on.

It shows the figures that bench.charts has drawn, and loads nothing from elsewhere."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from suite import servers

from bench import charts, figures, files, fingerprint, model, program, shapes
from bench import rows as table
from bench.columns import NAMES, SERVERS
from bench.results import BadResults, Results
from bench.rows import BROKEN, Row

TEMPLATE = Path(__file__).with_name("report.html.j2")
MARKS = {"reproduced": "✓", "not reproduced": "✗", "inconclusive": "?", "not measured": "–"}


def doubtful(rows: Sequence[Row]) -> list[tuple[Row, int]]:
    """The runs with a remark in their last attempt: not VALID, or the machine was disturbed. Also the attempts before
    it that went wrong: a crash is told, whatever came out later. And the number of attempts."""
    attempts = Counter(row.key for row in rows)
    last = {id(row) for row in table.final(list(rows))}
    return [
        (row, attempts[row.key])
        for row in rows
        if row.verdict in BROKEN or id(row) in last and (row.verdict != "VALID" or row.disturbed)
    ]


def unmeasured(rows: Sequence[Row]) -> list[str]:
    """For each experiment and server, the points at which only other servers were measured."""
    points: dict[str, dict[str, None]] = {}
    have = {(row.experiment, row.server, row.point) for row in rows}
    takes_part = {(row.experiment, row.server) for row in rows}  # an experiment may be about some of them
    for row in rows:
        if row.server in SERVERS:
            points.setdefault(row.experiment, {})[row.point] = None
    lines = []
    for experiment, all_points in points.items():
        for server in SERVERS:
            lacking = [point for point in all_points if (experiment, server, point) not in have]
            if lacking and (experiment, server) in takes_part:
                lines.append(f"{experiment} {server}: {', '.join(lacking)}")
    return lines


def plain_text(value: Any) -> str:
    """A value of the fingerprint as people write it."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{name}: {plain_text(inner)}" for name, inner in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(plain_text, value)) or "none"
    return str(value)


def documentation(folder: Path) -> str:
    """The path from the report to docs/experiments.md."""
    return Path(os.path.relpath(servers.ROOT / "docs" / "experiments.md", folder.resolve())).as_posix()


def described(results: Results, figure: figures.Figure) -> str:
    """What a picture shows, for those who do not see it: its title, its axes, and its caption."""
    texts = figure.variables()
    axes = f"{texts['y_label']}, over {texts['x_label']}" if texts.get("x_label") else str(texts.get("y_label", ""))
    return " ".join(f"{texts['title']}: {axes}. {charts.caption(results, figure)}".split())


@dataclass(frozen=True)
class Origin:
    """A machine and build, and what was made there."""

    since: str  # in which a later session began; empty for the first
    machine: str
    pinning: str  # on which processors it ran
    made: str
    changes: list[str]  # since the one before
    fingerprint: dict[str, str]

    @property
    def changed(self) -> str:
        """The names of what has."""
        return ", ".join(line.partition(":")[0] for line in self.changes)


def origins(results: Results) -> list[Origin]:
    """In their order. There is one if the result set was made in one place, by one build."""
    by_origin: dict[str, Counter[str]] = {}
    for row in results.rows():
        by_origin.setdefault(results.origin(row), Counter())[row.experiment] += 1
    found: list[Origin] = []
    before = results.fingerprint
    for since, here in results.origins(results.rows()).items():
        made = by_origin.get(since, Counter())
        words = ", ".join(f"{name} ({count})" for name, count in made.items())
        changes = fingerprint.changes(before, here) if found else []
        fields = {key: plain_text(value) for key, value in here.items()}
        found.append(Origin(since, charts.machine(here), _where(results, here), words, changes, fields))
        before = here
    return found


def _where(results: Results, found: dict[str, Any]) -> str:
    """On which processors it ran."""
    if "guest" in results.fingerprint:
        return "counted in a guest with one processor"
    return fingerprint.pinning(found, results.settings["pinned"])


def _remarks(results: Results) -> list[str]:
    """No count depends on the clock of this machine."""
    if "guest" in results.fingerprint:
        return []
    found = results.origins(results.rows()).values()
    return list(dict.fromkeys(remark for each in found for remark in fingerprint.remarks(each)))


def page(results: Results) -> str:
    rows, folder = results.rows(), results.path / "charts"
    if not folder.is_dir():
        raise BadResults(f"{folder}: missing; bench.charts draws the figures first")
    all_figures = figures.collect(results, folder)
    verdicts = shapes.judge(results)
    fits = {measure: model.fit(rows, measure) for measure in model.TITLES}
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    summaries = [summary for figure in all_figures for summary in figure.table.summaries]
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        name=results.path.resolve().name,
        settings=results.settings,
        origins=origins(results),
        kqueue=charts.kqueue_name(results.fingerprint),
        remarks=_remarks(results),
        figures=all_figures,
        described={figure.name: described(results, figure) for figure in all_figures if not figure.missing},
        drawn={figure.name for figure in all_figures if (folder / f"{figure.name}.svg").is_file()},
        spread=charts.spread_text(summaries),
        verdicts=verdicts,
        marks=MARKS,
        counts=Counter(verdict.outcome for verdict in verdicts),
        fits=fits,
        titles=model.TITLES,
        names=NAMES,
        runs=len(table.final(rows)),
        attempts=len(rows),
        doubtful=doubtful(rows),
        unmeasured=unmeasured(rows),
        docs=documentation(results.path),
    )


def run(results: Results) -> int:
    """Writes the page."""
    files.replace(results.path / "report.html", page(results))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.report", description="Writes RESULTS/report.html.")
    parser.add_argument("results", type=Path, metavar="RESULTS", help="a directory of results, with its charts drawn")
    return run(Results.open(parser.parse_args().results))


if __name__ == "__main__":
    program.run(main)
