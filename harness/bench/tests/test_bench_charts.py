"""Charts and report: columns from known rows, pictures that are whole, a page that a browser shows."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from suite import module, servers

pytest.importorskip("numpy")
pytest.importorskip("jinja2")

from bench import (  # noqa: E402
    charts, columns, figures, gnuplot, loops, percentiles, published, report, restarts, shapes, techniques,
)  # fmt: skip
from bench.results import BadResults, Results  # noqa: E402
from bench.rows import Row, point  # noqa: E402

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_gnuplot = pytest.mark.skipif(shutil.which("gnuplot") is None, reason="gnuplot is not installed")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="chromium is not installed")


def row(experiment: str, server: str, where: str, repeat: int = 1, verdict: str = "VALID", **measures: Any) -> Row:
    reasons = "" if verdict == "VALID" else "<script>alert(1)</script> & more"
    return Row(experiment, server, where, repeat, 1, 7, verdict, reasons, schedule_hash="abcd", **measures)


def idle_rows() -> list[Row]:
    rows = []
    for server in columns.SERVERS:
        for idle in (0, 1000, 8000):
            if server == "select_srv" and idle > 1000:
                continue
            verdict = "CLIENT_BOUND" if (server, idle) == ("epoll_et", 1000) else "VALID"
            for repeat in (1, 2, 3):
                rate = 100000.0 - idle * 10 + repeat
                measures = {"throughput": rate, "service_p99": 1e7 / rate, "server_cpu": 5.0 + idle / 100}
                rows.append(row("E2", server, point(idle=idle, active=8), repeat, verdict, **measures))
    return rows


def other_rows() -> list[Row]:
    rows = []
    for server in columns.SERVERS:
        for ready in (1, 90, 9000):
            rows.append(row("E4-cycle", server, point(watched=9000, ready=ready), cycle=100.0 + ready))
            counted = point(watched=9000, ready=ready, what="cycle")
            rows.append(row("E16", server, counted, instructions=2e6 + 2000.0 * ready))
        rows.append(row("E5", server, point(connections=1), calls=3.0, waits=1.0))
        for state in ("idle", "inflight"):
            rows.append(
                row("E8", server, point(connections=100, state=state), server_bytes=200.0, kernel_bytes=4000.0)
            )
    at = point(connections=1)
    rows.append(row("E5", "one_shot", at, verdict="NOISY_HOST", disturbed="steal", calls=4.0, waits=1.0))
    for of, time in (("sockets", 60.0), ("duplicates", 40.0)):
        for watched in (1000, 16000):
            where = point(watched=watched, ready=0, of=of)
            rows.append(row("E4-same", "poll_srv", where, wait=time * watched / 1000))
    return rows


def rate_rows() -> list[Row]:
    return [
        row("E3-rate", server, point(connections=connections, rate=2000), repeat, response_p99=100.0 + connections)
        for server in columns.SERVERS
        for connections in (10, 1000, 10000)
        for repeat in (1, 2, 3)
        if not (server == "select_srv" and connections > 1000)
    ]


def chain_rows() -> list[Row]:
    places = [point(pairs=pairs, active=1, writes=100) for pairs in (100, 1000)]
    return [row("E7", server, place, chain=500.0) for server in columns.SERVERS for place in places]


def batch_rows() -> list[Row]:
    """poll finds another number of events in each run; the machine was disturbed in the second."""
    return [
        row("E6", server, point(idle=8000, active=100), repeat, disturbed="steal" if repeat == 2 else "",
            events=100.0 / repeat if server == "poll_srv" else 1.0)
        for server in columns.SERVERS if server != "select_srv"
        for repeat in (1, 2, 3)
    ]  # fmt: skip


@pytest.fixture
def results(tmp_path: Path) -> Results:
    made = Results.create(tmp_path, "quick", 7, True, 20000)
    for each in [*idle_rows(), *rate_rows(), *other_rows(), *chain_rows(), *batch_rows()]:
        made.add(each)
    return made


def all_figures(rows: list[Row]) -> list[figures.Figure]:
    nowhere = Path("nowhere")
    return figures.collect(Results(nowhere, {}, {}, rows), nowhere)


def figure(rows: list[Row], name: str) -> figures.Figure:
    return next(each for each in all_figures(rows) if each.name == name)


def merged(name: str, results: Results, folder: Path) -> figures.Figure:
    (found,) = next(kind for kind in figures.FIGURES if kind.name == name).figures(results, folder)
    return found


def lines(rows: list[Row], name: str, server: str) -> list[columns.Line]:
    return [line for line in figure(rows, name).table.lines if line["server"] == server]


def test_columns_of_a_curve(tmp_path):
    table = figure(idle_rows(), "idle_throughput").table
    table.write(tmp_path / "x.dat")
    text = (tmp_path / "x.dat").read_text().splitlines()
    assert text[0] == "server x median low high runs bound disturbed end active"
    assert text[1] == "select_srv 8 100002 100001 100003 3 0 0 0 8", "x: idle and active; low, high: the range of three"
    assert [line.split()[0] for line in text[1:]] == sorted(
        (line.split()[0] for line in text[1:]), key=columns.SERVERS.index
    ), "lines of a server stand together"


def test_a_bound_is_marked_as_one():
    """CLIENT_BOUND makes a throughput a lower bound; a CPU time a message it leaves alone."""
    assert [line["bound"] for line in lines(idle_rows(), "idle_throughput", "epoll_et")] == [0, 1, 0]
    assert [line["bound"] for line in lines(idle_rows(), "idle_cpu", "epoll_et")] == [0, 0, 0]
    at_most = [row("E6", "poll_srv", point(idle=8000, active=1), verdict="CLIENT_BOUND", event_cpu=5.0)]
    assert [line["bound"] for line in lines(at_most, "event_cost", "poll_srv")] == [-1]


def test_disturbed_runs_are_counted():
    rows = [row("E9", "poll_srv", "connections=10", repeat, connects=9.0) for repeat in (1, 2, 3)]
    rows[1].disturbed = "steal"
    assert [line["disturbed"] for line in lines(rows, "churn", "poll_srv")] == [1]


def test_batching_has_a_line_a_run():
    found = lines(batch_rows(), "batching", "poll_srv")
    assert [(line["x"], line["y"], line["repeat"], line["disturbed"]) for line in found] == [
        (100, 100.0, 1, 0), (100, 50.0, 2, 1), (100, pytest.approx(33.3, abs=0.1), 3, 0),
    ]  # fmt: skip
    assert {line["median"] for line in found} == {50.0}


def test_the_headline_has_both_panels_of_one_axis():
    table = figure([*idle_rows(), *rate_rows()], "headline").table
    upper, lower = ([line for line in table.lines if line["panel"] == panel] for panel in (1, 2))
    assert [line["x"] for line in upper if line["server"] == "poll_srv"] == [8, 1008, 8008]
    assert [line["x"] for line in lower if line["server"] == "poll_srv"] == [10, 1000, 10000]
    assert {(line["active"], line["rate"]) for line in table.lines} == {("8", "2000")}
    for panel in (upper, lower):
        assert [line["x"] for line in panel if line["end"]] in ([1008], [1000]), "select ends in both"
    assert not figure(idle_rows(), "headline").table.lines, "half of it would mislead"


def test_published_times_stand_beside_ours():
    found = figure(chain_rows(), "chain_published").table.lines
    ours = [line for line in found if line["library"] == "here"]
    assert {line["server"] for line in ours} == set(published.BESIDE) and len(ours) == 4
    theirs = {(line["library"], line["server"], line["x"]): line["median"] for line in found if line not in ours}
    assert theirs["libevent", "poll_srv", 1024] == 2472 and theirs["coroio", "epoll_lt", 1024] == 100
    assert {(line["active"], line["writes"]) for line in found} == {("1", "100")}


def test_a_damaged_file_of_published_times_is_said(tmp_path, monkeypatch):
    text = "# source\nlibrary api pairs active writes time\nlibevent poll_srv 64 1 100 fast\n"
    (tmp_path / "chain.dat").write_text(text)
    monkeypatch.setattr(published, "FILE", tmp_path / "chain.dat")
    with pytest.raises(BadResults, match="line 1 after the columns.*fast.* is no published time"):
        figure(chain_rows(), "chain_published")


def test_select_ends_at_fd_setsize_and_not_at_zero():
    found = lines(idle_rows(), "idle_throughput", "select_srv")
    assert [(line["x"], line["end"]) for line in found] == [(8, False), (1008, True)]
    assert not any(line["end"] for line in lines(idle_rows(), "idle_throughput", "poll_srv"))


def test_a_select_that_was_interrupted_has_no_end():
    rows = [each for each in idle_rows() if (each.server, each.point) != ("select_srv", "idle=1000 active=8")]
    assert [line["end"] for line in lines(rows, "idle_throughput", "select_srv")] == [False]


def test_select_goes_beyond_fd_setsize_where_it_is_only_a_call():
    rows = [row("E4-wait", "select_srv", point(watched=1000, ready=1, place="last"), wait=9.0)]
    rows.append(row("E4-wait", "poll_srv", point(watched=16000, ready=1, place="last"), wait=9.0))
    assert not any(line["end"] for line in figure(rows, "wait_cost").table.lines)


def test_experiments_that_were_not_run_have_no_lines():
    empty = {each.name for each in all_figures(idle_rows()) if not each.table.lines}
    assert {"scaling_throughput", "capacity", "chain", "churn"} <= empty
    assert not empty & {"idle_throughput", "idle_p99", "idle_cpu"}
    assert "headline" in empty and figure(idle_rows(), "headline").missing == "no data of E2 and E3-rate"
    assert [each.name for each in all_figures(idle_rows()) if each.headline] == ["headline"]


def test_columns_of_bars():
    calls = lines(other_rows(), "calls", "poll_srv")[0]
    assert (calls["first"], calls["second"], calls["high"]) == (1.0, 2.0, 3.0), "waits are a part of the calls"
    memory = lines(other_rows(), "memory_idle", "poll_srv")[0]
    assert (memory["first"], memory["second"], memory["high"]) == (200.0, 4000.0, 4200.0), "the kernel's on top"
    assert lines(other_rows(), "calls", "one_shot")[0]["disturbed"] == 1


def test_a_bar_says_how_many_are_idle():
    rows = [row("E2-cost", "epoll_lt", point(idle=idle, active=8), server_cpu=9.0) for idle in (0, 16000)]
    labels = [line["label"] for line in figure(rows, "idle_pairs").table.lines]
    assert labels == ["epoll, level-triggered, 0 idle", "epoll, level-triggered, 16,000 idle"]
    at = ("connections=100", "connections=100 idle=10000", "payload=16384 connections=100")
    rows = [row("E17", "uring", each, server_cpu=9.0) for each in at]
    labels = [line["label"] for line in figure(rows, "uring_cpu").table.lines]
    assert labels == ["io_uring × 100", "io_uring × 100, 10,000 idle", "io_uring × 100, 16384 B"]


def test_no_two_things_of_a_chart_have_one_name():
    """A way to restart was called like a way to share a listener, and took its label."""
    lists = (columns.SERVERS, columns.POLICIES, techniques.ALL, loops.WAYS, restarts.WAYS)
    together = [name for each in lists for name in each]
    assert len(set(together)) == len(together)


def test_duplicates_stand_beside_sockets_in_nanoseconds_a_descriptor():
    found = figure(other_rows(), "same_sockets").table
    assert [(line["of"], line["x"], line["median"]) for line in found.lines] == [
        ("duplicates", 1000, 40), ("duplicates", 16000, 40), ("sockets", 1000, 60), ("sockets", 16000, 60)
    ], "the points of one line stand next to each other, or gnuplot does not join them"  # fmt: skip


def test_other_values_of_a_constant_have_figures_of_their_own():
    rows = [*idle_rows(), row("E2", "poll_srv", point(idle=0, active=100), throughput=5.0)]
    assert [line["median"] for line in figure(rows, "idle_throughput_100").table.lines] == [5.0]


def test_columns_are_read_as_they_were_written(tmp_path):
    table = figure(other_rows(), "calls").table
    table.write(tmp_path / "x.dat")
    again = columns.read(tmp_path / "x.dat", columns.BARS)
    again.write(tmp_path / "y.dat")
    assert (tmp_path / "y.dat").read_text() == (tmp_path / "x.dat").read_text()


@pytest.mark.parametrize(
    "fingerprint, name",
    [
        ({"kqueue": "emulation"}, "kqueue (emulated on epoll)"),
        ({"kqueue": "native"}, "kqueue"),
        ({"kqueue": None, "system": "Linux"}, "kqueue (not native)"),
        ({"kqueue": None, "system": "FreeBSD"}, "kqueue"),
    ],
)
def test_kqueue_is_called_what_it_is(fingerprint, name):
    assert charts.kqueue_name(fingerprint) == name


def memory_rows(*objects: float | None) -> list[Row]:
    where = point(connections=100, state="idle")
    return [
        row("E8", "poll_srv", where, repeat, server_bytes=200.0, kernel_bytes=4000.0, objects=each)
        for repeat, each in enumerate(objects, start=1)
    ]


@pytest.mark.parametrize(
    "objects, counted, words",
    (
        ((14.0, 14.2), 1, "objects counted in /proc/slabinfo"),
        ((None, None), 0, "growth of the whole machine's slab"),
        ((14.0, None), 0, "growth of the whole machine's slab"),
    ),
)
def test_the_caption_says_how_the_kernels_memory_was_found(tmp_path, results, objects, counted, words):
    found = figure(memory_rows(*objects), "memory_idle")
    assert words in charts.caption(results, found).replace("\n", " ")
    found.table.write(tmp_path / "x.dat")
    head, line = (each.split() for each in (tmp_path / "x.dat").read_text().splitlines())
    assert head[-1] == "counted" and line[-1] == str(counted)


def test_the_caption_says_what_the_bars_are(results):
    text = charts.caption(results, figure(results.rows(), "idle_throughput")).replace("\n", " ")
    assert "Median of 3 runs" in text and "range" in text and "≥: the client was the limit" in text
    assert "Closed loop: one request of 64 bytes" in text and "Hollow" not in text
    assert str(results.fingerprint["kernel"]) in text and str(results.settings["started"])[:10] in text
    more = [row("E9", "poll_srv", "connections=10", repeat, connects=9.0 + repeat) for repeat in range(1, 7)]
    more[0].disturbed, more[0].seconds, more[1].seconds = "steal", 0.8, 1.3
    text = charts.caption(results, figure(more, "churn")).replace("\n", " ")
    assert "interval of the median" in text and "Hollow mark: something else disturbed the machine" in text
    assert "A run took 0 to 1.3 s with its set-up." in text and "≥" not in text


def two_origins(path: Path) -> Results:
    """E2 was made on one machine. Of E4-wait, pairs 1 to 4 were made there, the half of pair 5 and all of pair 6 on
    another one. So were E9 and E10."""
    first, then = "2026-11-26T02:00:00Z", "2026-11-27T20:00:00Z"
    machines = [
        {"cpu": "EPYC", "system": "Linux", "kernel": kernel, "virtualisation": "kvm", "kqueue": "emulation",
         "schema": "fingerprint/1", "programs": {"poll_srv": "aa"}}
        for kernel in ("6.1", "6.2")
    ]  # fmt: skip
    made = Results.create(path, "full", 7, True, 20000)
    for name, found in zip(("fingerprint", "fingerprint-20261127T195959Z"), machines):
        (made.path / f"{name}.json").write_text(json.dumps(found))
    settings = made.settings | {"started": first}
    (made.path / "settings.json").write_text(json.dumps(settings))
    made.add(row("E2", "poll_srv", point(idle=0, active=8), throughput=1.0, started=first))
    for repeat in range(1, 7):
        for server, from_there in (("poll_srv", 5), ("epoll_lt", 6)):
            for watched in (100, 1000, 4000, 16000):
                when = then if repeat >= from_there else first
                where = point(watched=watched, ready=1, place="last")
                time = float(watched) if server == "poll_srv" else 1.0
                made.add(row("E4-wait", server, where, repeat, wait=time, started=when))
    made.add(row("E9", "poll_srv", "connections=10", connects=9.0, started=then))
    for repeat, when in enumerate((first, then), start=1):
        for size in (65536, 200000):
            made.add(row("E10", "poll_srv", point(payload=size, connections=10), repeat, faults=0.0, started=when))
    return Results.open(made.path)


def test_pictures_report_and_verdicts_name_the_machine_of_their_rows(tmp_path):
    made = two_origins(tmp_path)
    one, other = (f"EPYC, virtual machine (kvm), Linux 6.{minor}. 2026-11-2{5 + minor}" for minor in (1, 2))
    drawn = [each for each in figures.collect(made, tmp_path) if not each.missing]
    found = {each.name: charts.caption(made, each).replace("\n", " ") for each in drawn}
    assert found["idle_throughput"].startswith(f"{one}, full run.")
    assert found["churn"].startswith(f"{other}, full run.")
    assert found["wait_cost"].startswith(f"From 2 machines or builds: {one}; {other}, full run.")
    (made.path / "charts").mkdir()
    page = report.page(made)
    assert "Linux 6.1: E2 (1), E4-wait (36), E10 (2).</li>" in page
    assert "Linux 6.2, since 20261127T195959Z (changed: kernel), server and load generator pinned" in page
    assert "E4-wait (12), E9 (1), E10 (2).</li>" in page and "What has changed: kernel: 6.1 -&gt; 6.2." in page
    words = {each.name: each.figures for each in shapes.judge(made)}
    assert "(6 pairs; " in words["wait-ratio-1000"]
    assert words["wait-ratio-1000"].endswith("; 1 pair made on different machines or builds)")
    assert "different machines" not in words["wait-slope-poll"], "each repeat was made on one machine"
    assert words["faults-poll_srv"] == "0 (2 runs; from 2 machines or builds)"


def test_what_was_made_in_one_place_says_no_more_than_that(results):
    (results.path / "charts").mkdir()
    page = report.page(results)
    assert "machines or builds" not in page and page.count('<table class="fingerprint">') == 1


def test_the_caption_of_a_count_names_the_guest(results):
    counted = figure(results.rows(), "count_cycle")
    results.describe("guest", {"kernel": "6.1.0-1 #1 SMP", "emulator": "QEMU 7"})
    assert charts.caption(results, counted).startswith("Counted in a guest: Linux 6.1.0-1 #1 SMP, QEMU 7. ")
    assert "guest" not in charts.caption(results, figure(results.rows(), "idle_throughput"))


@needs_gnuplot
def test_figures_are_drawn_whole(results):
    done = module.run("bench.charts", results.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "churn: left out, no data of E9" in done.stdout
    folder = results.path / "charts"
    for name in (
        "headline", "idle_throughput", "idle_p99", "idle_cpu", "cycle_active", "model", "calls", "batching",
        "chain_published", "memory_idle", "same_sockets", "count_cycle",
    ):  # fmt: skip
        assert (folder / f"{name}.svg").read_text().rstrip().endswith("</svg>"), name
    assert not (folder / "churn.svg").exists() and not list(folder.glob("*.png"))
    picture = (folder / "idle_throughput.svg").read_text()
    kqueue = charts.kqueue_name(results.fingerprint)
    for text in ("Throughput with 8 active", "FD_SETSIZE", "epoll, edge-triggered", kqueue):
        assert text in picture
    assert picture.count("≥") == 3, "at the point where the client was the limit, in its hover text, in the caption"
    toggles = [line for line in (folder / "headline.svg").read_text().splitlines() if "toggleVisibility(evt" in line]
    both = ["_1b'" in line for line in toggles if "_1a'" in line]
    assert all(both) and (both or gnuplot.mouse_script() is None), "a click hides the curve in both panels"
    batching = (folder / "batching.svg").read_text().split("</defs>")[1]
    assert "rgb(255, 255, 255)" in batching, "a run that was disturbed is hollow"
    assert "rgb(255, 255, 255)" not in picture.split("</defs>")[1]


@needs_gnuplot
def test_figures_of_nothing_but_zeros_are_drawn(results, tmp_path):
    """As after a run so short, on a machine so busy, that no reply came in the time that counts."""
    zeros = Results.create(tmp_path / "zeros", "smoke", 7, True, 20000)
    for each in results.rows():
        measured = {name: 0.0 for name, value in vars(each).items() if isinstance(value, float)}
        zeros.add(dataclasses.replace(each, **measured))
    done = module.run("bench.charts", zeros.path)
    assert (done.returncode, done.stderr) == (0, "")
    drawn = {path.name for path in (zeros.path / "charts").glob("*.svg")}
    assert {"headline.svg", "idle_throughput.svg", "batching.svg", "memory_idle.svg"} <= drawn


@needs_gnuplot
def test_png_is_drawn_on_demand(results):
    assert module.run("bench.charts", results.path, "--png").returncode == 0
    folder = results.path / "charts"
    assert (folder / "calls.png").read_bytes().startswith(b"\x89PNG")
    assert module.run("bench.charts", results.path).returncode == 0
    assert not list(folder.glob("*.png")), "an old picture stays beside the new ones"


@needs_gnuplot
@pytest.mark.parametrize("variables", [{"LC_ALL": "C"}, {"LC_ALL": "none", "PYTHONIOENCODING": "ascii"}])
def test_no_picture_is_lost_in_another_locale(results, tmp_path, variables):
    here, there = tmp_path / "here", tmp_path / "there"
    assert module.run("bench.charts", results.path, "--out", here, LC_ALL="C.UTF-8").returncode == 0
    done = module.run("bench.charts", results.path, "--out", there, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    names = sorted(path.name for path in here.iterdir())
    assert "model.svg" in names and sorted(path.name for path in there.iterdir()) == names
    assert "10 µs" in (there / "idle_cpu.svg").read_text(encoding="utf-8")
    for path in here.glob("*.*"):
        assert (there / path.name).read_bytes() == path.read_bytes()
    printed = module.run("bench.charts", results.path, "--term", "dumb", **variables)
    assert (printed.returncode, printed.stderr) == (0, "") and " × " in printed.stdout


@needs_gnuplot
def test_svg_finds_its_script(results):
    if gnuplot.mouse_script() is None:
        pytest.skip(f"this gnuplot came without {gnuplot.SCRIPT}")
    module.run("bench.charts", results.path)
    picture = results.path / "charts" / "idle_throughput.svg"
    linked = re.findall(r'<script[^>]+xlink:href="([^"]+)"', picture.read_text())
    assert linked and all((picture.parent / name).is_file() for name in linked)
    assert "toggleVisibility" in picture.read_text()


@needs_gnuplot
def test_plain_svg_needs_nothing_beside(results, tmp_path):
    assert module.run("bench.charts", results.path, "--plain", "--out", tmp_path / "plain").returncode == 0
    assert "<script" not in (tmp_path / "plain" / "idle_throughput.svg").read_text()
    assert not (tmp_path / "plain" / "js").exists() and not (results.path / "charts").exists()


@needs_gnuplot
def test_without_the_mouse_script_the_svg_is_plain(results, monkeypatch, capsys):
    monkeypatch.setattr(gnuplot, "mouse_script", lambda: None)
    assert charts.draw_all(results, results.path / "charts", plain=False) == 0
    assert "no hover" in capsys.readouterr().err
    assert "<script" not in (results.path / "charts" / "idle_throughput.svg").read_text()


@needs_gnuplot
def test_text_for_a_terminal(results):
    done = module.run("bench.charts", results.path, "--term", "dumb")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Throughput with 8 active connections among N idle ones" in done.stdout and "FD_SETSIZE" in done.stdout
    assert not (results.path / "charts").exists()


@needs_gnuplot
def test_what_gnuplot_cannot_draw_is_named(results, tmp_path, monkeypatch, capsys):
    broken = tmp_path / "plots"
    shutil.copytree(servers.ROOT / "plots", broken)
    (tmp_path / "harness").mkdir()
    for name in ("servers", "servers.toml"):  # which the style reads
        shutil.copy(servers.ROOT / "harness" / name, tmp_path / "harness")
    (broken / "same.gp").write_text("plot nonsense(\n")
    drawn, original = [], gnuplot.draw

    def draw_broken(figure: figures.Figure, data: Path, settings: dict[str, object]) -> str:
        drawn.append(figure.name)
        return original(figure, data, settings, broken)

    monkeypatch.setattr(gnuplot, "draw", draw_broken)
    assert charts.draw_all(results, tmp_path / "out", plain=True) == 1
    said = capsys.readouterr().err
    assert re.fullmatch(r"bench: same_sockets: gnuplot ended with 1 \(plots/same\.gp\): .+\n", said), said
    assert drawn[-1] == "model", "the others are drawn all the same"


@needs_gnuplot
def test_the_commands_of_the_readme_draw(results, tmp_path):
    assert module.run("bench.charts", results.path, "--out", results.path / "charts").returncode == 0
    text = (servers.ROOT / "plots" / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    (gnuplot .+)$", text, re.MULTILINE)
    for command in commands:
        given = command.replace("results/…", str(results.path)).replace("out='results/", f"out='{tmp_path}/")
        done = subprocess.run(given, shell=True, cwd=servers.ROOT, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, (given, done.stderr)
        assert done.stdout or "out=" in given
    assert len(commands) == 3 and (tmp_path / "p99.svg").is_file() and (tmp_path / "calls.png").is_file()


def test_a_directory_without_results_is_said_in_a_line(tmp_path):
    for name in ("charts", "report"):
        done = module.run(f"bench.{name}", tmp_path / "none")
        assert done.returncode == 1 and re.fullmatch(r"bench: .+\n", done.stderr), done.stderr
    assert module.run("bench.charts", tmp_path, "--term", "xterm").returncode == 2


def test_kept_percentiles_are_used_where_the_files_are_gone(results, tmp_path):
    line = {"server": "poll_srv", "x": 10.0, "y": 99.0, "connections": "100", "rate": "8000", "runs": 3, "n": 9000}
    columns.Table(columns.PERCENTILES, [line]).write(tmp_path / "percentiles.dat")
    found = merged("percentiles", results, tmp_path).table.lines
    assert [(each["x"], each["y"]) for each in found] == [("10", "99")]
    (tmp_path / "percentiles.dat").write_text("server x\n")
    with pytest.raises(Exception, match="expected the columns"):
        merged("percentiles", results, tmp_path)


@needs_gnuplot
def test_kept_percentiles_are_drawn(results):
    folder = results.path / "charts"
    folder.mkdir()
    places = {"connections": "100", "rate": "8000", "runs": 3, "n": 9000}
    curve = [{"server": "poll_srv", "x": x, "y": 50.0 * x, **places} for x in (1.0, 2.0, 10.0, 100.0, 1000.0)]
    columns.Table(columns.PERCENTILES, curve).write(folder / "percentiles.dat")
    kept = (folder / "percentiles.dat").read_text()
    done = module.run("bench.charts", results.path)
    assert (done.returncode, done.stderr) == (0, "")
    picture = (folder / "percentiles.svg").read_text()
    assert "100 connections, 8000 requests a second" in picture and "99.9%" in picture
    assert (folder / "percentiles.dat").read_text() == kept


def rate_run(results: Results, repeat: int, verdict: str, p999_ns: int | None) -> None:
    """A run of E3-rate with a file of the load generator. It holds the p99.9 that the stand-in for loadgen reads."""
    disturbed = "steal" if verdict == "NOISY_HOST" else ""
    place = point(connections=100, rate=2000)
    made = row("E3-rate", "poll_srv", place, repeat, verdict, disturbed=disturbed, response_p99=300.0)
    results.add(made)
    results.loadgen_json(made).write_text(json.dumps(p999_ns))


@pytest.fixture
def merging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A merge that says the largest of what is in the files, and with status 5, as a verdict may be."""
    program = tmp_path / "merge"
    program.write_text(
        f"""#!{sys.executable}
import json, sys
assert sys.argv[1] == "--force" and sys.argv[-2:] == ["--json", "-"], sys.argv
found = [json.load(open(path)) for path in sys.argv[2:-2]]
tail = None if None in found else {{"ns": max(found)}}
print(json.dumps({{"percentiles": {{"response": {{"p99.9": tail}}}}}}))
sys.exit(5)
"""
    )
    program.chmod(0o755)
    monkeypatch.setattr("bench.percentiles.MERGE", program)


def test_p999_is_of_all_runs_added_up(results, tmp_path, merging):
    """Whatever came out: leaving a run out by its verdict would choose among the figures."""
    for repeat, verdict, ns in ((1, "VALID", 700_000), (2, "CLIENT_BOUND", 900_000), (3, "UNSTABLE", 5_000_000)):
        rate_run(results, repeat, verdict, ns)
    made = merged("rate_response_p999", results, tmp_path)
    (line,) = made.table.lines
    assert (line["server"], line["x"], line["median"], line["runs"], line["disturbed"]) == ("poll_srv", 100, 5000, 3, 0)
    assert "Histograms of 3 runs added up." in charts.caption(results, made)
    assert "Hollow" not in charts.caption(results, made)


def test_p999_of_a_disturbed_run_is_hollow(results, tmp_path, merging):
    rate_run(results, 1, "NOISY_HOST", 700_000)
    made = merged("rate_response_p999", results, tmp_path)
    assert [line["disturbed"] for line in made.table.lines] == [1]
    assert "Hollow mark: something else" in charts.caption(results, made)


def test_p999_of_too_few_requests_is_left_out(results, tmp_path, merging):
    rate_run(results, 1, "VALID", None)
    made = merged("rate_response_p999", results, tmp_path)
    assert not made.table.lines and "too few requests" in made.missing


def test_kept_p999_is_used_where_the_files_are_gone(results, tmp_path):
    kept = {"server": "poll_srv", "x": 100.0, "median": 9.0, "low": 9.0, "high": 9.0, "runs": 3, "bound": 0}
    kept |= {"disturbed": 1, "end": False, "quantile": "p99.9", "rate": "2000"}
    columns.Table(columns.TAIL, [kept]).write(tmp_path / "rate_response_p999.dat")
    made = merged("rate_response_p999", results, tmp_path)
    assert [(line["x"], line["median"]) for line in made.table.lines] == [("100", "9")]
    assert "Histograms of 3 runs added up. Hollow mark:" in charts.caption(results, made)


def test_lines_of_hgrm():
    assert percentiles._numbers("    0.202899 0.500530756913   27820    2.00") == (2.0, pytest.approx(202.899))
    assert percentiles._numbers("    0.354801 1.000000000000   55581") is None
    assert percentiles._numbers("Value Percentile TotalCount 1/(1-Percentile)") is None


@needs_gnuplot
def test_the_report_escapes_what_it_quotes(results):
    assert module.run("bench.charts", results.path).returncode == 0
    assert module.run("bench.report", results.path).returncode == 0
    page = (results.path / "report.html").read_text()
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page
    assert not re.search(r"""(?:src|href|data)=["'](?:https?:)?//""", page), "nothing comes from elsewhere"
    assert "E2 select_srv: idle=8000 active=8" in page, "points without a run"


def test_a_report_without_charts_says_so(results):
    done = module.run("bench.report", results.path)
    assert done.returncode == 1 and "bench.charts" in done.stderr


@needs_gnuplot
@needs_browser
def test_a_browser_shows_all_of_it(results, tmp_path):
    assert module.run("bench.charts", results.path).returncode == 0
    report.run(results)
    # In a copy every picture says whether it was shown, so that the printed page holds it: a browser lays out the link
    # inside only if it could not show the SVG.
    page = results.path / "looked-at.html"
    watch = (
        "<script>addEventListener('load', () => { for (const each of document.querySelectorAll('object'))"
        " each.dataset.shown = each.clientHeight > 100 && each.querySelector('a').offsetHeight === 0; });</script>"
    )
    page.write_text((results.path / "report.html").read_text().replace("</body>", watch + "</body>"))
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
        + ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        + [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=90,
    )
    dom = done.stdout
    text = unescape(re.sub(r"<[^>]+>", " ", dom))
    for verdict in shapes.judge(results):
        assert verdict.name in text and verdict.outcome in text
    drawn = [each.name for each in figures.collect(results, results.path / "charts") if each.table.lines]
    assert drawn and dom.count('data-shown="true"') == len(drawn) and 'data-shown="false"' not in dom
    for name in drawn:
        assert f'data="charts/{name}.svg"' in dom


@needs_gnuplot
def test_whoever_does_not_see_a_picture_reads_what_it_shows(results):
    charts.run(results)
    page = report.page(results)
    labels = [unescape(each) for each in re.findall(r'<object [^>]*role="img" aria-label="([^"]*)"', page)]
    shown = {figure.name: figure for figure in figures.collect(results, results.path / "charts") if not figure.missing}
    assert len(labels) == len(shown) > 5
    for figure in shown.values():
        title, caption = str(figure.variables()["title"]), charts.caption(results, figure)
        assert any(title in each and " ".join(caption.split()) in each for each in labels), figure.name
    headers = re.findall(r"<th[^>]*>", page)
    assert headers and all('scope="col"' in each or 'scope="row"' in each for each in headers)


def test_a_report_that_cannot_be_written_is_told_and_leaves_nothing(results):
    (results.path / "charts").mkdir()
    (results.path / "report.html" / "in-the-way").mkdir(parents=True)
    done = module.run("bench.report", results.path)
    assert done.returncode != 0 and done.stderr.count("\n") == 1 and "report.html" in done.stderr, done.stderr
    assert not list(results.path.glob(".*"))


@needs_gnuplot
def test_a_full_disk_is_told_with_the_file_that_it_has_no_room_for(results, monkeypatch):
    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device", str(source))

    monkeypatch.setattr(charts.shutil, "copy", full)
    monkeypatch.setattr(gnuplot, "mouse_script", lambda: Path("/elsewhere") / gnuplot.SCRIPT)
    with pytest.raises(BadResults, match=rf"charts/js/{gnuplot.SCRIPT}: cannot be written: No space left"):
        charts.run(results)


def test_a_gnuplot_that_hangs_is_told(tmp_path, monkeypatch):
    """It is asked for its script before it draws."""
    write_gnuplot(tmp_path, "exec sleep 60")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(gnuplot, "SECONDS", 0.2)
    with pytest.raises(BadResults, match="gnuplot did not end within 0.2 s"):
        gnuplot.mouse_script()


@needs_gnuplot
def test_the_report_shows_no_picture_that_a_failure_has_left_out(results, tmp_path):
    charts.run(results)
    report.run(results)
    page = results.path / "report.html"
    assert "charts/calls.svg" in page.read_text(encoding="utf-8")
    write_gnuplot(tmp_path, "exit 3")
    done = subprocess.run(
        ["make", "--no-print-directory", "charts", f"RESULTS={results.path}"],
        cwd=servers.ROOT,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode != 0 and "gnuplot ended with 3" in done.stderr
    shown = re.findall(r'data="([^"]+)"', page.read_text(encoding="utf-8"))
    assert all((results.path / each).exists() for each in shown) and "charts/calls.svg" not in shown


def write_gnuplot(folder, command):
    (folder / "gnuplot").write_text(f"#!/bin/sh\n{command}\n")
    (folder / "gnuplot").chmod(0o755)
