"""Draws the figures of a result set: RESULTS/charts/*.dat, and from them SVG, PNG or text for a terminal."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

from suite import servers

from bench import figures, gnuplot, program, statistics
from bench import rows as table
from bench.figures import Figure
from bench.results import BadResults, Results

WIDTH = 132  # characters in a line of the caption
KQUEUE = {"native": "kqueue", "libkqueue": "kqueue (libkqueue, on epoll)", "emulation": "kqueue (emulated on epoll)"}


def kqueue_name(fingerprint: dict[str, object]) -> str:
    """kqueue in the key of a figure. One that is not known to be native is never called kqueue alone."""
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


def spread_text(summaries: Sequence[statistics.Summary]) -> str:
    """How many runs a point has, and what the error bars show."""
    runs = {summary.runs for summary in summaries}
    if not runs:
        return ""
    if runs == {1}:
        return "One run a point, so no interval."
    kinds = {summary.interval for summary in summaries if summary.runs > 1}
    bars = {
        (True,): "bars: interval of the median, at least 95%, distribution-free",
        (False,): "bars: the range of the runs, least to most",
        (False, True): "bars: interval of the median (at least 95%) from 6 runs on, else the range of the runs",
    }[tuple(sorted(kinds))]
    return f"Median of {figures.from_to(runs)} runs; {bars}."


def duration_text(made: str, seconds: Sequence[float]) -> str:
    """How long the runs of a figure took. That is more than the time that was measured."""
    if not seconds:
        return ""
    least, most = (f"{each:.2g}" for each in (min(seconds), max(seconds)))
    return f"A {made} took {least if least == most else f'{least} to {most}'} s with its set-up."


def _where_and_when(results: Results, figure: Figure) -> str:
    """The machines that made the rows in the picture, and the day."""
    guest = results.fingerprint.get("guest") if figure.kind.experiment == "E16" else None
    if guest:
        return f"Counted in a guest: Linux {guest['kernel']}, {guest['emulator']}. {results.settings['started'][:10]}"
    origins = results.origins(table.final(figure.kind.rows(results)))
    names = [f"{machine(found)}. {_day(results, since)}" for since, found in origins.items()]
    if len(names) == 1:
        return names[0]
    names = [name if name not in names[:place] else f"{name} (another build)" for place, name in enumerate(names)]
    return f"From {len(names)} machines or builds: {'; '.join(names)}"


def _day(results: Results, since: str) -> str:
    return f"{since[:4]}-{since[4:6]}-{since[6:8]}" if since else results.settings["started"][:10]


def caption(results: Results, figure: Figure) -> str:
    summaries = figure.table.summaries
    settings = results.settings
    pinned = "" if settings["pinned"] else ", server and client not pinned to cores"
    lines = [f"{_where_and_when(results, figure)}, {settings['mode']} run{pinned}."]
    duration = duration_text(figure.kind.made, figure.table.seconds)
    load = figure.kind.load.format_map(dict(figure.table.lines[0])) if figure.table.lines else figure.kind.load
    lines.append(" ".join(note for note in (load, duration) if note))
    notes = [spread_text(summaries), *figure.kind.notes(figure.table)]
    has_stand_in = any(line.get("server") in servers.five(stand_in=True) for line in figure.table.lines)
    if has_stand_in and "(" in kqueue_name(results.fingerprint):
        notes.append("kqueue: its costs are those of the stand-in, not of kqueue.")
    lines.append(" ".join(note for note in notes if note))
    return "\n".join(part for line in lines for part in textwrap.wrap(line, WIDTH, break_on_hyphens=False))


def draw_all(results: Results, folder: Path, plain: bool, png: bool = False) -> int:
    """Writes columns and pictures into `folder`. Returns how many figures could not be drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    script = None if plain else gnuplot.mouse_script()
    if script is not None:
        copy = folder / "js" / script.name
        try:
            copy.parent.mkdir(exist_ok=True)
            shutil.copy(script, copy)
        except OSError as error:
            raise BadResults(f"{copy}: cannot be written: {error.strerror}") from None
    elif not plain:
        print(f"charts: this gnuplot has no {gnuplot.SCRIPT}: no hover, no toggling in the SVGs", file=sys.stderr)
    found = figures.collect(results, folder)
    for figure in found:
        for ending in ("dat", "svg", "png"):
            # If drawing fails, nobody must take the old picture for a new one.
            (folder / f"{figure.name}.{ending}").unlink(missing_ok=True)

    def draw(figure: Figure) -> None:
        data, picture = folder / f"{figure.name}.dat", folder / f"{figure.name}.svg"
        figure.table.write(data)
        for out in (picture, picture.with_suffix(".png")) if png else (picture,):
            mouse = int(script is not None and out is picture)
            gnuplot.draw(figure, data, {**_shared(results, figure), "out": out.resolve(), "mouse": mouse})
        gnuplot.name_parts(picture, figure.name)

    return _each(found, draw)


def print_all(results: Results, folder: Path) -> int:
    """Prints the figures as text and leaves no files. Returns how many could not be drawn."""
    size = shutil.get_terminal_size((100, 36))
    with tempfile.TemporaryDirectory() as scratch:

        def draw(figure: Figure) -> None:
            data = Path(scratch) / "dat"
            figure.table.write(data)
            settings = _shared(results, figure) | {"columns": max(80, min(size.columns, 140)), "lines": 36}
            words = str(settings["caption"]).replace("\n", " ")
            settings["caption"] = "\n".join(textwrap.wrap(words, size.columns - 8))
            print(gnuplot.draw(figure, data, settings))

        return _each(figures.collect(results, folder), draw)


def _each(found: Sequence[Figure], draw: Callable[[Figure], None]) -> int:
    """Draws every figure that has data, also after one that fails. Returns how many failed."""
    failures = 0
    for figure in found:
        if figure.missing:
            print(f"{figure.name}: left out, {figure.missing}")
            continue
        try:
            draw(figure)
        except gnuplot.BadFigure as error:
            print(f"bench: {error}", file=sys.stderr)
            failures += 1
    return failures


def _shared(results: Results, figure: Figure) -> dict[str, object]:
    """What gnuplot is told wherever the picture goes."""
    return {"kqueue": kqueue_name(results.fingerprint), "caption": caption(results, figure)}


def run(results: Results) -> int:
    gnuplot.require()
    return 1 if draw_all(results, results.path / "charts", plain=False) else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.charts", description="Draws the figures of a result set.")
    parser.add_argument("results", type=Path, metavar="RESULTS", help="a directory of results")
    parser.add_argument("--term", choices=("dumb",), help="dumb: print the figures as text and write nothing")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the files go (default: RESULTS/charts)")
    parser.add_argument("--plain", action="store_true", help="no hover and no toggling in the SVGs")
    parser.add_argument("--png", action="store_true", help="draw each figure as PNG as well")
    options = parser.parse_args()
    gnuplot.require()
    results = Results.open(options.results)
    folder = options.out or results.path / "charts"
    if options.term:
        return 1 if print_all(results, folder) else 0
    return 1 if draw_all(results, folder, options.plain, options.png) else 0


if __name__ == "__main__":
    program.run(main)
