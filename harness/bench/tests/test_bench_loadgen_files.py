"""Figures from the load generator's files: the probes of a search, and the timeline of a run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from suite import servers

pytest.importorskip("numpy")

from bench import charts, figures, gnuplot, heat, percentiles, probes  # noqa: E402
from bench.results import BadResults, Results  # noqa: E402
from bench.rows import Row, point  # noqa: E402


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results.create(tmp_path, "quick", 7, True, 20000)


def search(results: Results, server: str, repeat: int, *loads: dict[str, Any], connections: int = 8000) -> None:
    """A search for a capacity: its row, and a file a load. The first load is the closed loop from which it begins."""
    place = point(connections=connections, limit=10000)
    row = Row("E3-capacity", server, place, repeat, 1, 7, "VALID", schedule_hash="ab", seconds=8.0, capacity=1.0)
    results.add(row)
    closed = {"reasons": [], "options": {"loop": "closed", "rate": 0}, "percentiles": None}
    for number, load in enumerate((closed, *loads), start=1):
        results.loadgen_json(row, number).write_text(json.dumps(load))


def probe(rate: int, p99_us: float, reason: str = "", at_least: bool = False) -> dict[str, Any]:
    """`reason`: why it is not VALID."""
    p99 = {"p99": {"ns": round(p99_us * 1000), "at_least": at_least}}
    reasons = [{"verdict": "NOISY_HOST", "text": reason}] if reason else []
    return {"reasons": reasons, "options": {"loop": "open", "rate": rate}, "percentiles": {"response": p99}}


def test_probes_are_points_of_a_curve(results):
    search(results, "poll_srv", 1, probe(4000, 900), probe(8000, 20000, "shortfall: 9%"))
    search(results, "poll_srv", 2, probe(4000, 1100), probe(5000, 5000))
    search(results, "poll_srv", 1, probe(9000, 1), connections=1000)
    found = probes.lines_of(results).lines
    assert [(line["x"], line["median"], line["low"], line["high"], line["runs"]) for line in found] == [
        (4000, 1000, 900, 1100, 2), (5000, 5000, 5000, 5000, 1), (8000, 20000, 20000, 20000, 1),
    ], "of the largest number of connections, the closed loop left out"  # fmt: skip
    assert {(line["connections"], line["limit"]) for line in found} == {("8000", "10000")}


def test_a_probe_made_again_counts_once(results):
    search(results, "poll_srv", 1, probe(4000, 7000, "steal: 9%"), probe(4000, 900))
    (line,) = probes.lines_of(results).lines
    assert (line["median"], line["runs"], line["disturbed"]) == (900, 1, 0), "the last one"


def test_what_a_probe_bounds(results):
    """A late client is in the response: the server's own is at most that. An unanswered request is at least as old."""
    search(results, "poll_srv", 1, probe(4000, 1, "lag: 2 ms"), probe(5000, 1, "unanswered: 3", at_least=True),
           probe(6000, 1, "witness: 9%"), probe(7000, 1, "preempted: 9%"))  # fmt: skip
    found = probes.lines_of(results).lines
    assert [(line["bound"], line["disturbed"]) for line in found] == [(-1, 0), (1, 0), (0, 1), (0, 0)]


def test_probes_without_files_are_no_figure(results):
    search(results, "poll_srv", 1, probe(4000, 1))
    for path in (results.path / "loadgen").iterdir():
        path.unlink()
    assert not probes.lines_of(results).lines


def test_a_damaged_file_is_said(results):
    search(results, "poll_srv", 1, {"options": {}})
    with pytest.raises(BadResults, match="_2.json: no report of the load generator"):
        probes.lines_of(results)


def run(results: Results, server: str, repeat: int, timeline: Any, connections: int = 100) -> None:
    place = point(connections=connections, rate=2000)
    row = Row("E3-rate", server, place, repeat, 1, 7, "VALID", schedule_hash="ab", response_p99=1.0)
    results.add(row)
    report = {"reasons": [], "options": {"loop": "open", "rate": 2000}, "percentiles": None, "timeline": timeline}
    results.loadgen_json(row).write_text(json.dumps(report))


def cells(*answered: tuple[int, int, int], unanswered: tuple[tuple[int, int, int], ...] = ()) -> dict[str, Any]:
    return {"interval_ns": 10**7, "intervals": 50, "step_bits": 2, "answered": answered, "unanswered": unanswered}


def test_cells_of_the_heat_map(results):
    run(results, "poll_srv", 1, cells((0, 40, 3), (0, 41, 1), (2, 40, 5), unanswered=((2, 60, 5),)))
    found = heat.lines_of(results).lines
    assert [(line["from"], line["requests"], line["of"], line["unanswered"]) for line in found] == [
        (0, 3, 4, 0), (0, 1, 4, 0), (0.02, 5, 10, 0), (0.02, 5, 10, 1),
    ], "seconds, counts, and all that were due in the same part of the run"  # fmt: skip
    # Row 40 holds the slots from 10,240 on. They are the first quarter of the octave from 2^19 ns on.
    assert (found[0]["low"], found[0]["high"]) == (pytest.approx(524.288), pytest.approx(524.288 * 1.25))
    assert found[1]["low"] == found[0]["high"], "rows have no gaps"


def test_the_heat_map_shows_runs_of_one_load(results):
    """The repeat that most servers have, at the point that most servers have: all of them had the same load."""
    run(results, "poll_srv", 1, cells((0, 40, 3)))
    for server in ("poll_srv", "kqueue_srv"):
        run(results, server, 2, cells((0, 40, 2)))
    run(results, "poll_srv", 2, cells((0, 40, 1)), connections=5000)
    assert [(line["server"], line["requests"], line["repeat"]) for line in heat.lines_of(results).lines] == [
        ("poll_srv", 2, 2), ("kqueue_srv", 2, 2),
    ]  # fmt: skip


@pytest.mark.parametrize("timeline", [None, {}])
def test_a_run_without_a_timeline_has_no_cells(results, timeline):
    run(results, "poll_srv", 1, timeline)
    made = next(next(kind for kind in figures.FIGURES if kind.name == "heat").figures(results, results.path))
    assert not made.table.lines and "timeline" in made.missing


@pytest.mark.parametrize(
    "change",
    [7, {"answered": [[0, 1]]}, {"answered": [[0, 99999999, 1]]}, {"answered": [[0, -1, 1]]}, {"interval_ns": "x"},
     {"answered": 5}, {"step_bits": None}],
    ids=str,
)  # fmt: skip
def test_a_timeline_that_makes_no_sense_is_refused_with_its_file(results, change):
    run(results, "poll_srv", 1, change if change == 7 else cells((0, 40, 3)) | change)
    with pytest.raises(BadResults, match=r"loadgen/E3-rate_poll_srv.*\.json: timeline: not what the load generator"):
        heat.lines_of(results)


def test_percentiles_end_where_ten_requests_are_left(results, monkeypatch):
    """Of 1,000 requests, ten lie above the p99. What follows in the file is a picture of single requests."""
    run(results, "poll_srv", 1, None)
    curve = (2.0, 50.0, 100.0, 110.0, 900.0)
    hgrm = "".join(f"{1 / 1000:12.6f} {1 - 1 / x:14.12f} {1000:10d} {x:14.2f}\n" for x in curve)
    text = hgrm + "#[Max     =     9.0, Total count    =         1000]\n"
    monkeypatch.setattr(percentiles, "_merge", lambda paths, form: type("Done", (), {"stdout": text, "stderr": ""}))
    found = percentiles.lines_of(results)
    assert [(line["x"], line["n"]) for line in found.lines] == [(2.0, 1000), (50.0, 1000), (100.0, 1000)]
    made = figures.Figure("percentiles", figures.of("percentiles"), found)
    assert "n = 1000 requests a server" in charts.caption(results, made)


@pytest.mark.skipif(shutil.which("gnuplot") is None, reason="gnuplot is not installed")
def test_both_are_drawn(results, tmp_path):
    search(results, "poll_srv", 1, probe(4000, 900), probe(8000, 20000, "lag: 2 ms"))
    for server in servers.FIVE:
        run(results, server, 1, cells((0, 40, 3), (49, 55, 1), unanswered=((2, 60, 5),)))
    for name, texts in (("heat", ("10 ms", "select", "share of the requests")), ("rate_p99", ("the limit", "≤"))):
        (made,) = figures.of(name).figures(results, tmp_path)
        data, out = tmp_path / f"{name}.dat", tmp_path / f"{name}.svg"
        made.table.write(data)
        gnuplot.draw(made, data, {"caption": charts.caption(results, made), "out": out})
        picture = out.read_text(encoding="utf-8")
        assert picture.rstrip().endswith("</svg>") and all(text in picture for text in texts), name
