"""The p99 of response against the offered rate: what the searches of E3-capacity have probed.

Each search tries rates of one scale that all servers share (capacity.py), so the probes of several repeats meet at the
same rates. A rate near the capacity is tried by each of them, and one far from it by a few."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from bench.columns import PROBES, SERVERS, Table, line_of
from bench.loads import OF_THE_MACHINE
from bench.percentiles import rows_of
from bench.results import BadResults, Results
from bench.rows import Row, factors
from bench.statistics import Summary, of_the_client, summarise


def lines_of(results: Results) -> Table:
    """One line a server and rate, at the largest number of connections. Without lines where there are no files."""
    rows = [row for row in rows_of(results, "E3-capacity") if next(_reports(results, row), None)]
    place = max((row.point for row in rows), key=lambda point: float(factors(point)["connections"]), default="")
    found = Table(PROBES, seconds=[row.seconds for row in rows if row.point == place])
    held = {name: factors(place).get(name, "?") for name in ("connections", "limit")}
    for server in SERVERS:
        probes: dict[float, list[dict[str, Any]]] = {}
        for row in rows:
            if (row.server, row.point) == (server, place):
                for rate, report in _last_at_each_rate(_reports(results, row)).items():
                    probes.setdefault(rate, []).append(report)
        for rate in sorted(probes):
            found.lines.append(line_of(server, rate, _summary(probes[rate])) | held)
    return found


def _last_at_each_rate(reports: Iterator[dict[str, Any]]) -> dict[float, dict[str, Any]]:
    """A probe that the machine disturbed is made again at once; the last one counts. The first load of a search is a
    closed loop, which has no rate."""
    return {
        report["options"]["rate"]: report
        for report in reports
        if report["options"]["loop"] == "open" and _p99(report) is not None
    }


def _p99(report: dict[str, Any]) -> Optional[dict[str, Any]]:
    return ((report["percentiles"] or {}).get("response") or {}).get("p99")


def _summary(reports: list[dict[str, Any]]) -> Summary:
    """Of requests that were never answered the age is known, so the p99 is at least that. Of a client that was late
    itself the lateness is in the response, so the server's own p99 is at most that."""
    figures = [_p99(report) or {} for report in reports]
    late = any(of_the_client("; ".join(_reasons(report))) for report in reports)
    bound = "at least" if any(each["at_least"] for each in figures) else "at most" if late else ""
    disturbed = sum(any(each.startswith(OF_THE_MACHINE) for each in _reasons(report)) for report in reports)
    return summarise([each["ns"] / 1e3 for each in figures], bound=bound, disturbed=disturbed)


def _reasons(report: dict[str, Any]) -> list[str]:
    return [each["text"] for each in report["reasons"] if each["verdict"] != "VALID"]


def _reports(results: Results, row: Row) -> Iterator[dict[str, Any]]:
    """What the load generator said of each load of a search."""
    if not (results.path / "loadgen").is_dir():
        return
    number = 1
    while (path := results.loadgen_json(row, number)).is_file():
        yield read(path)
        number += 1


def read(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        report["options"]["rate"], report["percentiles"], report["reasons"]
        return report
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadResults(f"{path}: no report of the load generator: {type(error).__name__}: {error}") from None
