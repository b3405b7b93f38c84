"""The experiments, the glossary and the search as their modules make them: numbers, places, terms."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markupsafe import Markup

import axes
import chart
import drawing
import experiment_text
import experiments
import glossary
import search
from bench import columns, figures, pools
from bench.results import Results
from bench.rows import Row
from page import BadSite, Page
from suite.servers import ROOT


@pytest.fixture(scope="module")
def found() -> dict[str, experiments.Found]:
    return experiments._figures(ROOT)


def chart_of(found: dict[str, experiments.Found], name: str) -> chart.Chart:
    return chart.of_figure(found[name].results, found[name].figure)


def test_a_chart_has_the_numbers_of_the_reference_run(found):
    """As the columns have them that gnuplot's pictures were drawn from."""
    drawn = chart_of(found, "wait_cost")
    kept = columns.read(ROOT / "plots/reference/charts/wait_cost.dat", (*columns.CURVE, "place")).lines
    points = [point for series in drawn.series for point in series.points]
    assert len(points) == len(kept) > 20
    for point, line in zip(points, kept):
        assert (point.x, point.y) == pytest.approx((float(str(line["x"])), float(str(line["median"]))))
    [row] = [row for row in drawing.rows(drawn) if row.name == "1000"]
    poll = [series.label for series in drawn.series].index("poll")
    assert row.cells[poll].startswith("75.82 µs (")


def test_a_chart_is_drawn_in_each_scale(found):
    logarithmic, linear = drawing.plots(chart_of(found, "wait_cost"))
    assert logarithmic.scale == "both axes logarithmic" and linear.scale == "both axes linear"
    places = [float(each) for each in linear.places.split()]
    assert places == sorted(places) and drawing.LEFT < places[0] and places[-1] <= drawing.WIDTH - drawing.RIGHT
    assert [guide.text for guide in logarithmic.guides] == ["FD_SETSIZE", "in proportion to N"]
    assert len(drawing.plots(chart_of(found, "idle_throughput"))) == 3


def test_a_stand_in_is_told_apart(found):
    looks = {series.label: series.look for series in chart_of(found, "wait_cost").series}
    assert looks["kqueue (emulated on epoll)"].dashed and not looks["poll"].dashed


def test_bars_have_parts_and_an_interval(found):
    rows = drawing.bar_rows(chart_of(found, "calls"))
    [row] = [row for row in rows if row.bar.label == "edge: read to would-block × 1"]
    assert row.value == "4" and row.first < row.second


def test_ways_of_one_server_are_told_apart():
    """E19: they have no entry in the list of servers."""
    made = [
        Row("E19", way, f"work={work} connections=16", 1, 1, 1, "VALID", throughput=rate)
        for way in pools.ALL for work, rate in ((5, 90_000.0), (100, 9_000.0))
    ]  # fmt: skip
    results = Results(Path("nowhere"), {}, {"pinned": True, "started": "2026-11-27", "mode": "full"}, made)
    (figure,) = figures.of("work").figures(results, Path("nowhere"))
    drawn = chart.of_figure(results, figure)
    assert [series.label for series in drawn.series] == list(pools.LABELS.values())
    assert len({series.look for series in drawn.series}) == 3 and (drawn.x_kind, drawn.y_kind) == ("plain", "count")
    assert [(point.x, point.y) for point in drawn.series[0].points] == [(5, 90_000), (100, 9_000)]


def test_a_heat_map_has_all_requests(found):
    drawn = chart_of(found, "heat")
    cells = [cell for row in drawing.rows(drawn) for cell in row.cells]
    listed = sum(int(count) for cell in cells for count in re.findall(r"(\d+)×", cell))
    assert listed == sum(cell.requests for heat in drawn.heats for cell in heat.cells) > 10_000


@pytest.mark.parametrize("kind, value, text", (
    ("time", 0.5, "500 ns"), ("time", 75.8, "75.8 µs"), ("time", 20_000, "20 ms"), ("time", 3e6, "3 s"),
    ("count", 9_999, "9999"), ("count", 20_000, "20k"), ("count", 1e6, "1M"), ("percentile", 1_000, "99.9%"),
))  # fmt: skip
def test_numbers_are_written_as_people_read_them(kind, value, text):
    assert axes.number(kind, value) == text


def test_an_axis_has_its_ticks_inside():
    axis = axes.axis((100, 8_000), True, "count", 60, 500)
    texts = ["100", "200", "500", "1000", "2000", "5000", "10k"]
    assert [tick.text for tick in axis.ticks() if tick.text] == texts
    assert all(60 <= tick.at <= 560 for tick in axis.ticks())
    assert axes.axis((0, 5), False, "plain", 60, 500).at(0) == 60


@pytest.mark.parametrize("anchor, place", (
    ("", "experiments/index.html"),
    ("e4-what-one-wait-costs", "experiments/e4.html"),
    ("passing-on-e14-copy", "experiments/e14.html#passing-on-e14-copy"),
    ("the-reference-run", "experiments/method.html#the-reference-run"),
))  # fmt: skip
def test_an_anchor_of_the_document_has_its_page(anchor, place):
    assert experiment_text.place(anchor) == place


def test_every_experiment_has_a_question():
    document = experiment_text.read()
    assert len(document.experiments) >= 20
    assert not [each.title for each in document.experiments if not each.question]


def test_every_figure_of_the_reference_run_is_of_an_experiment(found):
    numbers = {f"E{each.number}" for each in experiment_text.read().experiments}
    assert len(found) > 40 and {each.family for each in found.values()} <= numbers


def test_a_page_lists_its_terms():
    body = Markup("<p>Two peers, edge-triggered,\nwith <b>open file\ndescriptions</b>.</p>")
    page = Page("docs/a.html", "A", "docs", body)
    assert [term.english for term in glossary.terms_of(page)] == ["edge-triggered", "open file description", "peer"]
    assert not glossary.terms_of(Page("pairs/a.html", "A", "pairs", body))


def test_the_glossary_has_both_languages_and_no_term_twice():
    terms = glossary.terms()
    assert len(terms) > 80 and len({term.anchor for term in terms}) == len(terms)
    assert sum(bool(re.search("[가-힣]", term.korean)) for term in terms) > 70
    assert all(term.meaning.endswith(".") for term in terms)


def test_a_line_of_the_glossary_without_its_columns_is_refused(tmp_path: Path):
    file = tmp_path / "glossary.md"
    file.write_text("# G\n\nx\n\n## A\n\n| English | 한국어 | What | Read on |\n| --- | --- | --- | --- |\n| a | b |\n")
    with pytest.raises(BadSite, match="A: 1 lines, and 0 of them have four columns"):
        glossary.read(file)


def test_the_search_cuts_a_page_at_its_headings():
    html = '<h1 id="a">A</h1><p>one <b>two</b></p><nav>left out</nav><h2 id="b">B <i>C</i></h2><pre>x\ny</pre>'
    assert search.parts_of(html) == [search.Part("a", "A", ("one two",)), search.Part("b", "B C", ("x", "y"))]


def test_the_search_keeps_a_text_once():
    pages = [Page(f"{name}.html", name, name, Markup("<h1>T</h1><p>same</p>")) for name in ("story", "docs", "pairs")]
    listed, parts = search.index(pages)
    assert [each[0] for each in listed] == ["docs.html", "story.html", "pairs.html"]
    assert [each[3] for each in parts] == ["same", "", ""]
