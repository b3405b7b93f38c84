"""The experiments: question, expectation, charts and verdicts, from docs/experiments.md and plots/reference."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

import chart as charts
import drawing
import experiment_text
from bench import figures
from bench.figures import Figure
from bench.results import Results
from experiment_text import DOCUMENT, INDEX, METHOD, Experiment
from page import BadSite, Page, Site

REFERENCE = ("plots/reference", "plots/reference/counts")
HEADLINE = ("idle_throughput", "rate_response_p99")  # the two panels of the figure `headline`
STYLES = ("chart.css",)
SIGNS = {"reproduced": "✓", "not reproduced": "✗", "inconclusive": "?"}


@dataclass(frozen=True)
class Verdict:
    name: str
    experiment: str  # its family: E4 for E4-wait
    claim: str
    outcome: str
    figures: str
    limits_from: str

    @property
    def sign(self) -> str:
        return SIGNS.get(self.outcome, "–")


@dataclass(frozen=True)
class Found:
    figure: Figure
    results: Results

    @property
    def family(self) -> str:
        return self.figure.kind.experiment.split("-")[0]


def pages(site: Site) -> Iterator[Page]:
    document = experiment_text.read()
    found, verdicts = _figures(site.root), _verdicts(site.root)
    yield _index(site, document, found, verdicts)
    for place, experiment in enumerate(document.experiments):
        beside = [document.experiments[each] if 0 <= each < len(document.experiments) else None
                  for each in (place - 1, place + 1)]  # fmt: skip
        yield _page(site, experiment, found, verdicts, beside)
    text = site.markdown(document.method, Path(DOCUMENT), METHOD)
    body = site.render("experiments_method.html", at=METHOD, text=text)
    yield Page(METHOD, "How the experiments are made", "experiments", body, summary="How every run is made and judged.")


def _figures(root: Path) -> dict[str, Found]:
    """All figures that have data, by name."""
    found = {}
    for folder in REFERENCE:
        results = Results.open(root / folder)
        for figure in figures.collect(results, root / folder / "charts"):
            if not figure.missing and figure.kind.script != "panels":
                found[figure.name] = Found(figure, results)
    return found


def _verdicts(root: Path) -> list[Verdict]:
    entries = [
        each for folder in REFERENCE
        for each in json.loads((root / folder / "verdicts.json").read_text(encoding="utf-8"))["verdicts"]
    ]  # fmt: skip
    return [
        Verdict(each["name"], each["experiment"].split("-")[0], each["claim"], each["outcome"], each["figures"],
                each["limits_from"])
        for each in entries
    ]  # fmt: skip


def _index(site: Site, document: experiment_text.Document, found: dict[str, Found], verdicts: list[Verdict]) -> Page:
    shown = [_chart(site, INDEX, found[name], "h3") for name in HEADLINE]
    lines = [
        (each, site.markdown(each.question, Path(DOCUMENT), INDEX), _counts(verdicts, each))
        for each in document.experiments
    ]  # fmt: skip
    intro = site.markdown(document.intro, Path(DOCUMENT), INDEX)
    body = site.render("experiments.html", at=INDEX, intro=intro, charts=shown, lines=lines, method=METHOD)
    summary = "What each interface costs: questions, charts and verdicts."
    return Page(INDEX, "The experiments", "experiments", body, ("chart.js",), summary, STYLES)


def _counts(verdicts: Sequence[Verdict], experiment: Experiment) -> list[tuple[str, str, int]]:
    """(sign, outcome, how many shapes)."""
    outcomes = [each.outcome for each in verdicts if each.experiment == f"E{experiment.number}"]
    return [(SIGNS.get(each, "–"), each, outcomes.count(each)) for each in sorted(set(outcomes), reverse=True)]


def _page(site: Site, experiment: Experiment, found: dict[str, Found], verdicts: Sequence[Verdict],
          beside: list[Experiment | None]) -> Page:  # fmt: skip
    at = experiment.page
    its = {name: each for name, each in found.items() if each.family == f"E{experiment.number}"}
    pieces: list[Markup] = []
    drawn = set()
    heading = "h2"
    for text, name in experiment.pieces():
        if text:
            pieces.append(site.markdown(text, Path(DOCUMENT), at))
            heading = "h3" if re.search(r"^## ", text, re.MULTILINE) else heading
        elif name in its:
            pieces.append(_chart(site, at, its[name], heading))
            drawn.add(name)
        elif name != "headline":  # its panels have charts of their own
            raise BadSite(f"{DOCUMENT}: there is no figure {name} of {experiment.title}")
    more = [_chart(site, at, each, "h3") for name, each in its.items() if name not in drawn]
    of_it = [each for each in verdicts if each.experiment == f"E{experiment.number}"]
    body = site.render("experiment.html", at=at, experiment=experiment, pieces=pieces, more=more, verdicts=of_it,
                       beside=beside, charts=_titles(its))  # fmt: skip
    summary = re.sub(r"[*`]|\[([^\]]*)\]\([^)]*\)", r"\1", experiment.question)
    return Page(at, experiment.title, "experiments", body, ("chart.js",) if its else (), summary, STYLES)


def _titles(its: dict[str, Found]) -> list[tuple[str, str]]:
    return [(name, str(each.figure.variables()["title"])) for name, each in its.items()]


def _chart(site: Site, at: str, found: Found, heading: str) -> Markup:
    chart = charts.of_figure(found.results, found.figure)
    return site.render(
        "chart.html", at=at, chart=chart, heading=heading, keys=drawing.keys(chart),
        plots=drawing.plots(chart), rows=[] if chart.bars else drawing.rows(chart),
        heat_plots=drawing.heat_plots(chart) if chart.heats else [],
        bar_rows=drawing.bar_rows(chart) if chart.bars else [], plain=drawing.plain,
        WIDTH=drawing.WIDTH, HEIGHT=drawing.HEIGHT, HEAT_HEIGHT=drawing.HEAT_HEIGHT, LEFT=drawing.LEFT,
        RIGHT=drawing.RIGHT, TOP=drawing.TOP, BOTTOM=drawing.BOTTOM,
    )  # fmt: skip
