"""Draws the figures of a result set: RESULTS/charts/*.dat, and from them SVG and PNG, or text for a terminal."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import columns, figures, gnuplot, model, percentiles, program, statistics
from bench import rows as table
from bench.columns import MODEL, Line, Table
from bench.figures import Figure
from bench.results import BadResults, Results

WIDTH = 118  # characters in a line of the caption
KQUEUE = {"native": "kqueue", "libkqueue": "kqueue (libkqueue, on epoll)", "emulation": "kqueue (emulated on epoll)"}


def kqueue_name(fingerprint: dict[str, object]) -> str:
    """What the key says; one that is not known to be native is never shown as if it were."""
    provider = fingerprint.get("kqueue")
    if provider is None and fingerprint.get("system", "Linux") != "Linux":
        provider = "native"
    return KQUEUE.get(str(provider), "kqueue (not native)")


def machine(fingerprint: dict[str, object]) -> str:
    virtual = fingerprint.get("virtualisation")
    parts = [
        fingerprint.get("cpu") or fingerprint.get("machine"),
        f"{fingerprint['cores']} cores" if fingerprint.get("cores") else None,
        None if virtual in (None, "none") else f"virtual machine ({virtual})",
        f"{fingerprint.get('system') or ''} {fingerprint.get('kernel') or ''}".strip(),
    ]
    return ", ".join(str(part) for part in parts if part)


def _from_to(runs: Sequence[int]) -> str:
    return str(runs[0]) if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"


def spread_text(summaries: Sequence[statistics.Summary]) -> str:
    """How many runs, and what the bars are."""
    runs = sorted({summary.runs for summary in summaries})
    if not runs:
        return ""
    if runs == [1]:
        return "One run a point, so no interval."
    kinds = {summary.interval for summary in summaries if summary.runs > 1}
    bars = {
        (True,): "bars: interval of the median, at least 95%, distribution-free",
        (False,): "bars: the range of the runs, least to most",
        (False, True): "bars: interval of the median (at least 95%) from 6 runs on, else the range of the runs",
    }[tuple(sorted(kinds))]
    return f"Median of {_from_to(runs)} runs; {bars}."


def caption(results: Results, figure: Figure) -> str:
    summaries = figure.table.summaries
    settings = results.settings
    pinned = "" if settings["pinned"] else ", server and client not pinned to cores"
    lines = [f"{machine(results.fingerprint)}. {settings['started'][:10]}, {settings['mode']} run{pinned}."]
    notes = [spread_text(summaries)]
    if figure.name in MERGED:
        runs = sorted({int(str(line["runs"])) for line in figure.table.lines})
        notes.append(f"Histograms of {_from_to(runs)} runs added up.")
        if any(str(line.get("valid", 1)) in ("0", "False") for line in figure.table.lines):
            notes.append("Hollow: no VALID run at this point.")
    if figure.name == "model":
        notes.append("Each mark is one point of E4, the median of its runs.")
    invalid = sorted({verdict for each in summaries if not each.valid for verdict in each.verdicts})
    if invalid:
        notes.append(f"Hollow: no VALID run at this point ({', '.join(invalid)}).")
    has_kqueue = any(line.get("server") == "kqueue_srv" for line in figure.table.lines)
    if has_kqueue and "(" in kqueue_name(results.fingerprint):
        notes.append("kqueue: its costs are those of the stand-in, not of kqueue.")
    lines.append(" ".join(note for note in notes if note))
    return "\n".join(part for line in lines for part in textwrap.wrap(line, WIDTH))


def model_figure(rows: Sequence[table.Row]) -> Figure:
    lines: list[Line] = []
    for server, fit in model.fit(rows, "cycle").items():
        for point in fit.points:
            line: Line = {"server": server, "x": point.measured, "y": point.predicted}
            lines.append(line | {"watched": point.watched, "ready": point.ready})
    reading = (
        "The formula of every course: T = a + b · watched + c · ready. On the dotted line the prediction is what was "
        "measured; above it, it is too high."
    )
    order = {server: place for place, server in enumerate(columns.SERVERS)}
    lines.sort(key=lambda line: order.get(str(line["server"]), len(order)))
    return Figure("model", "model", "E4-cycle", reading, Table(MODEL, lines))


@dataclass(frozen=True)
class Merged:
    """A figure of what one run has too few requests for: the histograms of all runs at a point, added up."""

    name: str
    script: str
    columns: tuple[str, ...]
    make: Callable[[Results], Table]
    lacking: str  # why there is none
    reading: str

    def figure(self, results: Results, folder: Path) -> Figure:
        """From the load generator's files; where they are gone, from the columns that an earlier call kept."""
        kept = folder / f"{self.name}.dat"
        try:
            found = self.make(results)
        except BadResults as error:
            if not kept.is_file():
                raise
            print(f"{self.name}: {error}; {kept.name} is used as it is", file=sys.stderr)
            found = Table(self.columns)
        if not found.lines and kept.is_file():
            found = columns.read(kept, self.columns)
        return Figure(self.name, self.script, "E3-rate", self.reading, found)


TAIL = Merged(
    "rate_response_p999",
    "rate_response",
    columns.TAIL,
    percentiles.tails_of,
    "too few requests at every point (10,000 are needed)",
    "The same runs: one request in a thousand waited at least so long. A single run has too few requests to say "
    "that, so those of all runs at a point are added up; there is no interval.",
)
DISTRIBUTION = Merged(
    "percentiles",
    "percentiles",
    columns.PERCENTILES,
    percentiles.lines_of,
    "no VALID run of E3-rate with the load generator's file",
    "The whole distribution at one point of E3. Each step to the right is ten times fewer requests: 99% is the "
    "slowest hundredth. A curve that turns steeply upwards has a few requests that wait very long.",
)
MERGED = {each.name: each for each in (TAIL, DISTRIBUTION)}


def collect(results: Results, folder: Path) -> list[Figure]:
    """All figures in the order in which they are shown; those without data have no lines."""
    rows = results.rows()
    found = figures.all_figures(rows)
    names = [figure.name for figure in found]
    place = names.index("capacity")
    found[place:place] = [each.figure(results, folder) for each in MERGED.values()]
    found.insert([figure.name for figure in found].index("calls"), model_figure(rows))
    return found


def missing(figure: Figure) -> str:
    why = MERGED[figure.name].lacking if figure.name in MERGED else f"no data of {figure.experiment}"
    return f"{figure.name}: left out, {why}"


def draw_all(results: Results, folder: Path, plain: bool) -> int:
    """Writes columns and pictures into `folder`. Returns how many figures could not be drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    script = None if plain else gnuplot.mouse_script()
    if script is not None:
        (folder / "js").mkdir(exist_ok=True)
        shutil.copy(script, folder / "js" / script.name)
    elif not plain:
        why = f"this gnuplot came without {gnuplot.SCRIPT}"
        print(f"charts: {why}: the SVG have no hover and no toggling", file=sys.stderr)
    failures = 0
    for figure in collect(results, folder):
        outputs = [folder / f"{figure.name}.{ending}" for ending in ("dat", "svg", "png")]
        for path in outputs:
            path.unlink(missing_ok=True)  # an old picture must not pass for a new one
        if not figure.table.lines:
            print(missing(figure))
            continue
        figure.table.write(outputs[0])
        try:
            for picture in outputs[1:]:
                mouse = int(script is not None and picture.suffix == ".svg")
                gnuplot.draw(figure.name, figure.script, _settings(results, figure, outputs[0], picture, mouse))
            gnuplot.name_parts(outputs[1], figure.name)
        except gnuplot.BadFigure as error:
            print(f"bench: {error}", file=sys.stderr)
            failures += 1
    return failures


def _settings(results: Results, figure: Figure, data: Path, out: Path, mouse: int) -> dict[str, object]:
    return {
        "data": data.resolve(),
        "out": out.resolve(),
        "mouse": mouse,
        "kqueue": kqueue_name(results.fingerprint),
        "caption": caption(results, figure),
    }


def print_all(results: Results, folder: Path) -> int:
    """The same as text; leaves no files. Returns how many figures could not be drawn."""
    failures = 0
    size = shutil.get_terminal_size((100, 36))
    with tempfile.TemporaryDirectory() as scratch:
        for figure in collect(results, folder):
            if not figure.table.lines:
                print(missing(figure))
                continue
            data = Path(scratch) / f"{figure.name}.dat"
            figure.table.write(data)
            settings = {
                "data": data,
                "kqueue": kqueue_name(results.fingerprint),
                "caption": "\n".join(textwrap.wrap(caption(results, figure).replace("\n", " "), size.columns - 8)),
                "columns": max(80, min(size.columns, 140)),
                "lines": 36,
            }
            try:
                print(gnuplot.draw(figure.name, figure.script, settings))
            except gnuplot.BadFigure as error:
                print(f"bench: {error}", file=sys.stderr)
                failures += 1
    return failures


def run(results: Results) -> int:
    gnuplot.require()
    return 1 if draw_all(results, results.path / "charts", plain=False) else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.charts", description="Draws the figures of a result set.")
    parser.add_argument("results", type=Path, metavar="RESULTS", help="a directory of results")
    parser.add_argument("--term", choices=("dumb",), help="dumb: print the figures as text and write nothing")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the files go (RESULTS/charts)")
    parser.add_argument("--plain", action="store_true", help="SVG without hover and toggling")
    options = parser.parse_args()
    gnuplot.require()
    results = Results.open(options.results)
    folder = options.out or results.path / "charts"
    if options.term:
        return 1 if print_all(results, folder) else 0
    return 1 if draw_all(results, folder, options.plain) else 0


if __name__ == "__main__":
    program.run(main)
