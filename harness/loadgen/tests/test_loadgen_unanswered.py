"""What was never answered is in every figure of every output, at its age, and the figure is marked as a lower bound."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pty
import re
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from loadgen import merge
from suite import faulty_peers, generator, limits

DRAIN = 0.3  # seconds; the peer has frozen long before, so each unanswered request is at least as old
FLOWS = 3
FORMS = ("json", "hgrm", "csv")


def freeze(folder: Path, *options: object) -> str:
    """A run against a peer that freezes for good after some hundred frames. Leaves a file of each form, returns the
    table."""
    with faulty_peers.Peer(faulty_peers.freezes) as peer:
        result = generator.run_plain(
            "--port", peer.port, "--connections", FLOWS, "--warmup", 0, "--duration", 0.3, "--drain", DRAIN,
            *limits.options(), *(word for form in FORMS for word in (f"--{form}", folder / f"run.{form}")), *options,
        )  # fmt: skip
    assert peer.frame_count > faulty_peers.BEFORE_IT_FREEZES, "it never froze: the test proves nothing"
    assert result.returncode == generator.STATUS["ERRORS"] or result.returncode == generator.STATUS["OVERLOADED"]
    return result.stdout


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Closed loop: of each connection one request waits for ever. There are hundreds of quick ones beside these."""
    folder = tmp_path_factory.mktemp("closed")
    return folder, freeze(folder)


def row(table: str, name: str) -> list[str]:
    return next(line.split() for line in table.splitlines() if line.startswith(name))


def assert_bounds(report: dict, name: str) -> None:
    figures = report["percentiles"][name]
    assert figures["max"]["at_least"] and figures["max"]["ns"] >= DRAIN * 1e9, figures
    assert figures["mean_at_least"]
    joint = [report["histograms"][each] for each in (name, {"service": "censored_service"}.get(name, "censored"))]
    mean = sum(each["sum_ns"] for each in joint) / sum(each["count"] for each in joint)
    assert figures["mean_ns"] == pytest.approx(mean, abs=0.001)
    assert figures["p50"]["ns"] < DRAIN * 1e9, "the others were quick"


@pytest.mark.cause("times are those of the answered requests alone: survivors only")
def test_in_a_closed_loop(closed):
    folder, table = closed
    report = json.loads((folder / "run.json").read_text())
    assert report["verdict"] == "OVERLOADED", report["reasons"]
    assert report["counts"]["unanswered"] == report["histograms"]["censored_service"]["count"] == FLOWS
    assert_bounds(report, "service")
    assert_bounds(report, "response")
    *_, most, mean = row(table, "service")
    assert most.startswith(">") and float(most[1:]) >= DRAIN * 1e6 and mean.startswith(">"), table


@pytest.mark.cause("the percentile table is of the answered requests alone")
def test_in_hgrm(closed):
    lines = (closed[0] / "run.hgrm").read_text().splitlines()
    *rows, last = [line.split() for line in lines[2:] if not line.startswith("#")]
    report = json.loads((closed[0] / "run.json").read_text())
    assert float(last[0]) >= DRAIN * 1e3 and float(last[1]) == 1
    assert int(last[2]) == report["histograms"]["service"]["count"] + FLOWS
    assert any(line.startswith(f"# at least: {FLOWS} requests were never answered") for line in lines)
    (most,) = [line for line in lines if line.startswith("#[Max")]
    assert float(most.split()[2].rstrip(",")) == pytest.approx(report["percentiles"]["service"]["max"]["ns"] / 1e6)


@pytest.mark.cause("the columns of the service time are those of the answered requests alone")
def test_in_csv(closed):
    text = (closed[0] / "run.csv").read_text()
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    assert rows[0]["service_at_least"] == "0"
    # One per cent of some hundred requests are the three that wait.
    assert rows[98]["service_at_least"] == "1" and float(rows[98]["service_us"]) >= DRAIN * 1e6, rows[98]
    assert f"# at least: {FLOWS} requests were never answered" in text


@pytest.mark.cause("the timeline holds the answered requests alone")
def test_in_the_timeline(closed):
    report = json.loads((closed[0] / "run.json").read_text())
    rows = [row for _, row, count in report["timeline"]["unanswered"] for _ in range(count)]
    slots = [slot >> 8 for slot, count in report["histograms"]["censored"]["slots"] for _ in range(count)]
    assert sorted(rows) == sorted(slots) and len(rows) == FLOWS


@pytest.mark.parametrize("form", FORMS[1:])
def test_in_a_sum(closed, tmp_path, form):
    """The same, to the last digit."""
    folder, _ = closed
    merge.main([str(folder / "run.json"), "--quiet", f"--{form}", str(tmp_path / "sum"), "--json", str(tmp_path / "J")])
    assert (tmp_path / "sum").read_text() == (folder / f"run.{form}").read_text()
    one, both = (json.loads(path.read_text()) for path in (folder / "run.json", tmp_path / "J"))
    for member in ("percentiles", "histograms", "counts", "partial"):
        assert one[member] == both[member], member


def test_in_the_table_of_a_sum(closed, capsys):
    merge.main([str(closed[0] / "run.json")])
    for one, other in zip(row(closed[1], "service"), row(capsys.readouterr().out, "service"), strict=True):
        assert one == other


def test_an_old_file_with_unanswered_requests_is_refused(closed, tmp_path, capsys):
    report = json.loads((closed[0] / "run.json").read_text())
    del report["histograms"]["censored_service"]
    (tmp_path / "old.json").write_text(json.dumps(report))
    assert merge.main([str(tmp_path / "old.json")]) == 1
    assert "leave out what was never answered" in capsys.readouterr().err


@pytest.mark.cause("a request of the warm-up that waits for all of the measured time is in no figure")
def test_a_server_that_freezes_in_the_warm_up(tmp_path):
    """No request of the measured time exists in a closed loop then: those that wait are of the warm-up."""
    freeze(tmp_path, "--warmup", 1)
    report = json.loads((tmp_path / "run.json").read_text())
    assert report["histograms"]["censored"]["count"] == report["histograms"]["censored_service"]["count"] == FLOWS
    assert report["percentiles"]["service"]["max"]["at_least"]
    assert report["percentiles"]["service"]["max"]["ns"] >= (0.3 + DRAIN) * 1e9


def test_in_an_open_loop_the_unsent_have_no_service_time(tmp_path):
    """Two on the wire of each connection: the others wait for their turn. They are in the response time."""
    table = freeze(tmp_path, "--rate", 2000, "--pipeline", 2)
    report = json.loads((tmp_path / "run.json").read_text())
    assert report["histograms"]["censored"]["count"] == report["counts"]["unanswered"] > 2 * FLOWS
    assert report["histograms"]["censored_service"]["count"] == 2 * FLOWS
    assert report["histograms"]["response"]["count"] + report["counts"]["unanswered"] == report["counts"]["issued"]
    assert_bounds(report, "service")
    for name in ("response", "service"):
        assert row(table, name)[-2].startswith(">") and row(table, name)[-1].startswith(">"), table


@pytest.mark.cause("Little's law is applied to requests that never ended, and the client is blamed")
def test_the_client_is_not_blamed_for_what_never_ended():
    figures = {"outstanding": 1, "achieved": 100000, "seconds": 10, "mean_service": 50e3, "unanswered": 1}
    first, *_ = generator.probe("verdict", *(f"{name}={value}" for name, value in figures.items()))
    assert first.split()[0] == "OVERLOADED"
    figures["unanswered"] = 0
    first, *_ = generator.probe("verdict", *(f"{name}={value}" for name, value in figures.items()))
    assert first.split()[0] == "CLIENT_BOUND"


@pytest.mark.cause("the percentiles of the progress line are those of the answered requests")
def test_the_progress_line_says_how_many_wait_and_counts_them():
    """Of a server that has frozen, the percentiles so far do not stay as they were."""
    ours, theirs = pty.openpty()
    with faulty_peers.Peer(faulty_peers.freezes) as peer:
        words = generator.command(
            "--port", peer.port, "--connections", FLOWS, "--warmup", 0, "--duration", 1.5, "--drain", 0
        )
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=theirs):
            os.close(theirs)
            shown = b""
            with contextlib.suppress(OSError):  # the other end is closed: the run is over
                while data := os.read(ours, 4096):
                    shown += data
    os.close(ours)
    last = [line.decode() for line in shown.split(b"\r") if b"waiting" in line][-1]
    assert f"waiting {FLOWS} " in last and re.search(r"p99 +>[\d.]+ us", last), shown


@pytest.mark.cause("requests that were never sent are missing from a closed loop's marks")
def test_what_was_never_sent_is_named(tmp_path):
    """Each connection carries two requests. At some time the peer answers the second ones of all connections at once,
    and then does nothing any more. Its queue takes hardly anybody: a request that waits for a connection is never sent,
    so it has no service time."""
    held: list[tuple[faulty_peers.Connection, bytes]] = []

    def stops(peer: faulty_peers.Peer, connection: faulty_peers.Connection, frame: bytes) -> None:
        held.append((connection, frame))
        if peer.frame_count > 5 * FLOWS and len(held) < FLOWS:
            return
        for each, answer in held:
            each.write(answer)
        if len(held) == FLOWS:
            threading.Event().wait(2)  # the peer has one thread
        held.clear()

    with socket.create_server(("127.0.0.1", 0)) as listener, faulty_peers.Peer(stops, listener) as peer:
        listener.listen(0)  # again: asyncio has asked for a longer queue
        outcome = generator.run(
            "--port", peer.port, "--connections", FLOWS, "--churn", 2, "--warmup", 0, "--duration", 0.5, "--drain", 0.3,
            "--csv", tmp_path / "csv", "--hgrm", tmp_path / "hgrm", *limits.options(),
        )  # fmt: skip
    both = {name: outcome.json["histograms"][name]["count"] for name in ("censored", "censored_service")}
    unsent = both["censored"] - both["censored_service"]
    assert unsent > 0, f"every request was sent: the test proves nothing: {both}"
    (tmp_path / "json").write_text(json.dumps(outcome.json))
    merge.main([str(tmp_path / "json"), "--quiet", "--csv", str(tmp_path / "C"), "--hgrm", str(tmp_path / "H")])
    for form in ("csv", "hgrm", "C", "H"):
        said = f"# left out: {unsent} requests more were never answered and never sent, so they have no service time"
        assert said in (tmp_path / form).read_text().splitlines(), form
