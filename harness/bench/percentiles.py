"""The percentile plot: whole distributions, from the load generator's histograms of several runs, added up."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from suite import servers

from bench import rows as table
from bench.columns import PERCENTILES, SERVERS, Line, Table
from bench.results import BadResults, Results
from bench.rows import Row, factors

SECONDS = 120


def lines_of(results: Results) -> Table:
    """One line a server and percentile, at the point of E3-rate that most servers have VALID runs and files of,
    of those the one with the most connections. Without lines where there are none."""
    rows = [row for row in table.final(results.rows()) if row.experiment == "E3-rate" and row.verdict == "VALID"]
    files = _files(results, rows)
    points = {point for _, point in files}
    if not points:
        return Table(PERCENTILES)

    def rank(point: str) -> tuple[int, float]:
        have = sum((server, point) in files for server in SERVERS)
        return have, float(factors(point).get("connections", 0))

    chosen = max(points, key=rank)
    place = factors(chosen)
    found = Table(PERCENTILES)
    for server in SERVERS:
        paths = files.get((server, chosen), [])
        for x, y in _curve(paths) if paths else []:
            line: Line = {"server": server, "x": x, "y": y, "runs": len(paths)}
            found.lines.append(line | {name: place.get(name, "?") for name in ("connections", "rate")})
    return found


def _files(results: Results, rows: Sequence[Row]) -> dict[tuple[str, str], list[Path]]:
    """By server and point; a set without its JSON files, such as one that was published, has none."""
    found: dict[tuple[str, str], list[Path]] = {}
    if (results.path / "loadgen").is_dir():
        for row in rows:
            path = results.loadgen_json(row)
            if path.is_file():
                found.setdefault((row.server, row.point), []).append(path)
    return found


def _curve(paths: Sequence[Path]) -> list[tuple[float, float]]:
    """(1/(1-q), microseconds), from the .hgrm that loadgen makes of the merged histograms."""
    loadgen = servers.program("loadgen")
    command = [str(loadgen), "merge", *map(str, paths), "--hgrm", "-"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except OSError as error:
        raise BadResults(f"{loadgen}: {error.strerror}; the histograms cannot be merged (make all)") from None
    except subprocess.TimeoutExpired:
        raise BadResults(f"{loadgen}: merging was not done after {SECONDS} s: {paths[0]} …") from None
    curve = [_numbers(line) for line in done.stdout.splitlines()]
    found = [each for each in curve if each is not None]
    if not found:
        raise BadResults(f"{paths[0]} …: loadgen merge gave no percentiles: {done.stderr.strip()[-200:]}")
    return found


def _numbers(line: str) -> Optional[tuple[float, float]]:
    """From a line of value in ms, quantile, count and 1/(1-q); the last line, the maximum, has no 1/(1-q)."""
    words = line.split()
    try:
        return (float(words[3]), 1000 * float(words[0])) if len(words) == 4 else None
    except ValueError:
        return None
