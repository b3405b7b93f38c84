"""Experiments of techniques: the real programs show the shapes, and a mistake that is planted into one does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from suite import servers

from bench import experiments, judging, microbench, shapes, techniques
from bench.cores import choose_cores
from bench.loads import Driver, Failed
from bench.requests import Request, Times
from bench.results import Results
from bench.rows import Row, factors

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="these techniques need Linux")
SOURCES = servers.ROOT / "harness" / "microbench"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    machine = {"schema": "fingerprint/1", "kqueue": "emulation"}
    monkeypatch.setattr("bench.results.fingerprints.collect", lambda: machine)
    return Results.create(tmp_path / "results", "quick", 1, True, 20000)


def request(server: str, point: str, tmp_path: Path) -> Request:
    driver = Driver(choose_cores(True), 15)
    return Request(driver, server, factors(point), 1, Times(0, 0.1), lambda _: tmp_path / "none")


def places(shape: shapes.Shape) -> set[judging.Place]:
    found: set[judging.Place] = set()
    for part in shape.parts:
        if isinstance(part, judging.Value):
            found.add(part.place)
        elif isinstance(part, judging.Ratio):
            found |= {part.above, part.below}
    return found


def judged(results: Results, name: str, tmp_path: Path) -> str:
    """Makes the runs that a shape needs, and judges it by them."""
    (shape,) = (each for each in shapes.made() if each.name == name)
    (experiment,) = (each for each in experiments.made() if each.name == shape.experiment)
    for place in places(shape):
        assert place.server in experiment.servers and place.point in experiment.points["quick"], place
        taken = experiment.measure(request(place.server, place.point, tmp_path))
        row = Row(experiment.name, place.server, place.point, 1, 1, 1, taken.verdict, schedule_hash=taken.schedule_hash)
        for column, value in taken.figures.items():
            setattr(row, column, value)
        results.add(row)
    (verdict,) = (each for each in shapes.judge(results) if each.name == name)
    return verdict.outcome


def plant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, part: str, right: str, wrong: str) -> None:
    """The program of this part with the mistake, in the place of the one that was built."""
    text = (SOURCES / f"{part}.c").read_text(encoding="utf-8")
    assert text.count(right) == 1, f"{part}.c has {right!r} {text.count(right)} times"
    changed = tmp_path / f"{part}.c"
    changed.write_text(text.replace(right, wrong), encoding="utf-8")
    program = f"microbench_{part}"
    others = [SOURCES / f"{name}.c" for name in (program, "loopback", "request", "descriptors", "samples")]
    common = [servers.ROOT / "common" / f"{name}.c" for name in ("clock", "option_table", "json", "error")]
    words: list[object] = [*servers.compiler(), servers.STANDARD, "-D_GNU_SOURCE", "-O1", "-I", SOURCES]
    words += ["-o", tmp_path / program, changed, *others, *common, "-lm"]
    built = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stderr
    monkeypatch.setattr("bench.microbench.servers.program", lambda name: tmp_path / name)


EXCLUSIVE = ("herd", "event.events |= EPOLLEXCLUSIVE;", "event.events |= 0;")
ONE_LISTENER = ("herd", "if (i > 0 && herd->plan->way != HERD_REUSEPORT)", "if (i > 0)")
COPY = "write(relay->pipe[1], relay->through, (size_t)recv(relay->in[1], relay->through, left, 0))"
PLANTED = {
    "herd-exclusive": EXCLUSIVE,
    "share-exclusive": EXCLUSIVE,
    "herd-reuseport": ONE_LISTENER,
    "busy-reuseport": ONE_LISTENER,
    "stall-nodelay": ("sends", "int on = sender->plan->nodelay;", "int on = 0;"),
    "segments-more": ("sends", "send_apart(sender, MSG_MORE, error)", "send_apart(sender, 0, error)"),
    "frames-cork": ("sends", "cork(sender, 1, error) < 0 ||", ""),
    "frames-joined": ("sends", "return send_joined(sender, error);", "return send_each(sender, error);"),
    "copies-splice": ("relay", "splice(relay->in[1], NULL, relay->pipe[1], NULL, left, SPLICE_F_MOVE)", COPY),
    "zerocopy-calls": ("relay", "pass_by_memory(relay, MSG_ZEROCOPY, error)", "pass_by_memory(relay, 0, error)"),
}  # fmt: skip


# A busy machine makes answers late, too, and the right program would then not be told from the wrong one.
BY_A_CLOCK = ("stall-nodelay",)


@linux
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_changes_the_verdict(
    name: str, results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name not in BY_A_CLOCK:
        assert judged(results, name, tmp_path) == judging.REPRODUCED
    plant(monkeypatch, tmp_path, *PLANTED[name])
    assert judged(results, name, tmp_path) == judging.NOT_REPRODUCED


@linux
def test_copies_are_not_said_where_they_cannot_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, tmp_path, "relay", "memset(relay->source, NEW, relay->bytes);", "")
    with pytest.raises(Failed, match="vmsplice shares no pages with a socket here"):
        techniques.copies(request("splice", "piece=16384", tmp_path))


OURS = [each.name for each in experiments.made() if each.measure.__module__ == techniques.__name__]


@pytest.mark.parametrize("name", OURS)
def test_every_technique_has_a_name_in_the_charts(name: str) -> None:
    (experiment,) = (each for each in experiments.made() if each.name == name)
    labels = {
        techniques.label(server, point) for server in experiment.servers for point in experiment.points["full"]
    }
    assert len(labels) == len(experiment.servers) * len(experiment.points["full"])
    assert set(experiment.servers) <= set(techniques.ALL) == set(techniques.LABELS)


def test_a_program_that_is_not_there_is_a_run_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(microbench.servers, "program", lambda name: tmp_path / name)
    with pytest.raises(Failed, match="microbench_herd did not start"):
        techniques.herd(request("shared", "workers=2", tmp_path))
