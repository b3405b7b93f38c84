"""What no single run has requests enough for: from the load generator's histograms of several runs, added up."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from suite import servers

from bench import rows as table
from bench.columns import PERCENTILES, SERVERS, TAIL, Table, line_of, mark_end
from bench.results import BadResults, Results
from bench.rows import Row, factors
from bench.statistics import summarise

MERGE = servers.ROOT / "harness/loadgen/merge"
SECONDS = 120
BEYOND = 10  # a percentile is known where so many requests lie above it, as loadgen has it


def lines_of(results: Results) -> Table:
    """One line a server and percentile, at the point of E3-rate that most servers have files of, of those the one with
    the most connections. A curve ends where fewer than BEYOND requests are left above it. Without lines where there are
    no files."""
    rows = rows_of(results)
    files, found = files_of(results, rows), Table(PERCENTILES)
    chosen = place_of(files)
    place = factors(chosen)
    for server in SERVERS:
        paths = files.get((server, chosen), [])
        curve, count = _curve(paths) if paths else ([], 0)
        for x, y in curve:
            if x * BEYOND <= count:
                held = {name: place.get(name, "?") for name in ("connections", "rate")}
                found.lines.append({"server": server, "x": x, "y": y, "runs": len(paths), "n": count} | held)
    found.seconds.extend(row.seconds for row in rows if row.point == chosen)
    return found


def place_of(files: dict[tuple[str, str], list[Path]]) -> str:
    """The point that most servers have files of, of those the one with the most connections; empty if there is none."""

    def rank(point: str) -> tuple[int, float]:
        return sum((server, point) in files for server in SERVERS), float(factors(point).get("connections", 0))

    return max({point for _, point in files}, key=rank, default="")


def tails_of(results: Results) -> Table:
    """p99.9 of response at each point of E3-rate, without an interval. A point with too few requests (loadgen says how
    many it needs) is left out."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows_of(results):
        groups.setdefault((row.server, row.point), []).append(row)
    found = Table(TAIL)
    for server in SERVERS:
        points = [point for name, point in groups if name == server]
        for point in sorted(points, key=lambda each: float(factors(each).get("connections", 0))):
            rows = groups[server, point]
            paths = files_of(results, rows).get((server, point), [])
            value = _tail(paths) if paths else None
            if value is not None:
                place, disturbed = factors(point), sum(bool(row.disturbed) for row in rows)
                line = line_of(server, float(place["connections"]), summarise([value], disturbed=disturbed))
                found.lines.append(line | {"runs": len(paths), "quantile": "p99.9", "rate": place.get("rate", "?")})
                found.seconds.extend(row.seconds for row in rows)
    mark_end(found.lines)
    return found


def rows_of(results: Results, experiment: str = "E3-rate") -> list[Row]:
    """The runs that count and have figures."""
    return [
        row for row in table.final(results.rows())
        if row.experiment == experiment and row.verdict not in ("FAILED", "ERRORS")
    ]  # fmt: skip


def files_of(results: Results, rows: Sequence[Row]) -> dict[tuple[str, str], list[Path]]:
    """By server and point; a set without its JSON files, such as one that was published, has none."""
    found: dict[tuple[str, str], list[Path]] = {}
    if (results.path / "loadgen").is_dir():
        for row in rows:
            path = results.loadgen_json(row)
            if path.is_file():
                found.setdefault((row.server, row.point), []).append(path)
    return found


def _curve(paths: Sequence[Path]) -> tuple[list[tuple[float, float]], int]:
    """(1/(1-q), microseconds), from the .hgrm of the merged histograms; and how many requests there are."""
    done = _merge(paths, "--hgrm")
    curve = [_numbers(line) for line in done.stdout.splitlines()]
    found = [each for each in curve if each is not None]
    if not found:
        raise BadResults(f"{paths[0]} …: merging gave no percentiles: {done.stderr.strip()[-200:]}")
    return found, _count(done.stdout)


def _count(text: str) -> int:
    """From the .hgrm's line #[Max = …, Total count = …]."""
    found = re.search(r"Total count\s*=\s*(\d+)\]", text)
    return int(found.group(1)) if found else 0


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
