"""What no single run has requests enough for: from the load generator's histograms of several runs, added up."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from suite import servers

from bench import rows as table
from bench.columns import PERCENTILES, SERVERS, TAIL, Line, Table, mark_end
from bench.results import BadResults, Results
from bench.rows import Row, factors

MERGE = servers.ROOT / "harness/loadgen/merge"
SECONDS = 120


def lines_of(results: Results) -> Table:
    """One line a server and percentile, at the point of E3-rate that most servers have VALID runs and files of,
    of those the one with the most connections. Without lines where there are none."""
    files = _files(results, [row for row in _rows(results) if row.verdict == "VALID"])
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


def tails_of(results: Results) -> Table:
    """p99.9 of response at each point of E3-rate, without an interval. As with any figure only VALID runs are used
    where there is one. A point with too few requests (loadgen says how many it needs) is left out."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in _rows(results):
        groups.setdefault((row.server, row.point), []).append(row)
    found = Table(TAIL)
    for server in SERVERS:
        points = [point for name, point in groups if name == server]
        for point in sorted(points, key=lambda each: float(factors(each).get("connections", 0))):
            valid = [row for row in groups[server, point] if row.verdict == "VALID"]
            paths = _files(results, valid or groups[server, point]).get((server, point), [])
            value = _tail(paths) if paths else None
            if value is not None:
                place = factors(point)
                line: Line = {"server": server, "x": float(place["connections"]), "runs": len(paths)}
                line |= {"median": value, "low": value, "high": value, "valid": bool(valid), "end": False}
                found.lines.append(line | {"quantile": "p99.9", "rate": place.get("rate", "?")})
    mark_end(found.lines)
    return found


def _rows(results: Results) -> list[Row]:
    return [row for row in table.final(results.rows()) if row.experiment == "E3-rate"]


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
    """(1/(1-q), microseconds), from the .hgrm of the merged histograms."""
    done = _merge(paths, "--hgrm")
    curve = [_numbers(line) for line in done.stdout.splitlines()]
    found = [each for each in curve if each is not None]
    if not found:
        raise BadResults(f"{paths[0]} …: merging gave no percentiles: {done.stderr.strip()[-200:]}")
    return found


def _tail(paths: Sequence[Path]) -> Optional[float]:
    """p99.9 of response in microseconds; None where there are too few requests."""
    done = _merge(paths, "--json")
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise BadResults(f"{paths[0]} …: merging gave no JSON: {done.stderr.strip()[-200:]}") from None
    value = ((report["percentiles"] or {}).get("response") or {}).get("p99.9")
    return value["ns"] / 1e3 if value else None


def _merge(paths: Sequence[Path], form: str) -> subprocess.CompletedProcess[str]:
    """Its exit status is the verdict on the sum, and no failure. Forced, because each run had a server process of its
    own, on another port, and each repetition its own seed; the rows say that these runs belong together."""
    command = [str(MERGE), "--force", *map(str, paths), form, "-"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except OSError as error:
        raise BadResults(f"{MERGE}: {error.strerror}; the histograms cannot be merged") from None
    except subprocess.TimeoutExpired:
        raise BadResults(f"{MERGE}: merging was not done after {SECONDS} s: {paths[0]} …") from None


def _numbers(line: str) -> Optional[tuple[float, float]]:
    """From a line of value in ms, quantile, count and 1/(1-q); the last line, the maximum, has no 1/(1-q)."""
    words = line.split()
    try:
        return (float(words[3]), 1000 * float(words[0])) if len(words) == 4 else None
    except ValueError:
        return None
