"""Rows and result sets: what a kill leaves can be resumed, what is broken is refused in one line."""

from __future__ import annotations

import errno
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from bench import fingerprint, rows
from bench.results import ATTEMPTS, MODES, BadResults, Results, needs_another
from bench.rows import COLUMNS, BadRows, Row
from suite import servers


def row(server: str = "poll_srv", repeat: int = 1, attempt: int = 1, verdict: str = "VALID", **more: Any) -> Row:
    return Row("E2", server, "idle=8000 active=8", repeat, attempt, 7, verdict, **more)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results.create(tmp_path / "results", "quick", 42, True, 20000)


# Rows


def test_a_row_comes_back_as_it_was(tmp_path):
    file = tmp_path / "runs.csv"
    written = [
        row(throughput=12345.5, service_p99=0.25, reasons='late, "very"; µs', schedule_hash="00ff", seconds=1.5),
        row("epoll_lt", 2, 3, "FAILED"),
    ]
    for each in written:
        rows.append(file, each)
    assert rows.read(file) == written
    assert file.read_bytes().count(b"\n") == 3


def test_every_row_is_one_line(tmp_path):
    file = tmp_path / "runs.csv"
    rows.append(file, row(reasons="server said:\nfirst\r\nsecond\u2028third\x00\udc80 end"))
    assert len(file.read_bytes().splitlines()) == 2
    assert rows.read(file)[0].reasons == "server said: first second third end"


def test_a_file_cut_at_any_byte_is_read_and_gone_on_with(tmp_path):
    """Every length of file that a kill can leave, also one that ends inside a letter of two bytes."""
    whole, cut = tmp_path / "whole.csv", tmp_path / "cut.csv"
    first, second, third = row(repeat=1, throughput=1.5), row(repeat=2, reasons="3 µs, 4"), row(repeat=3)
    rows.append(whole, first)
    until_first = whole.stat().st_size
    rows.append(whole, second)
    data = whole.read_bytes()
    for size in range(len(data) + 1):
        cut.write_bytes(data[:size])
        kept = [first, second] if size == len(data) else [first] if size >= until_first else []
        assert rows.read(cut) == kept, f"cut at {size}"
        rows.append(cut, third)
        assert rows.read(cut) == [*kept, third], f"cut at {size}"


def test_an_older_file_gets_the_columns_that_it_lacks(tmp_path):
    """Results are added to on a later day: the figures of an experiment that came meanwhile are not lost."""
    file = tmp_path / "runs.csv"
    first, second = row(reasons="one, two", throughput=1.0), row("epoll_lt", lost=3.0, ring_bytes=864.0)
    rows.append(file, first)
    older = [line.removesuffix(end) for line, end in zip(file.read_text().split("\n"), (",lost,ring_bytes", ",,"))]
    file.write_text("".join(f"{line}\n" for line in older) + "runs/3,cut")
    assert rows.read(file) == [first]
    rows.append(file, second)
    assert rows.read(file) == [first, second]
    assert [path.name for path in tmp_path.iterdir()] == ["runs.csv"]


def test_a_figure_that_is_none_is_refused_before_it_is_written(tmp_path):
    file = tmp_path / "runs.csv"
    rows.append(file, row())
    with pytest.raises(BadRows, match="nan is no figure"):
        rows.append(file, row(throughput=float("nan")))
    assert rows.read(file) == [row()]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema,experiment", "schema,experience", "line 1: the columns are not those of 'runs/3'"),
        ("runs/3,E2", "runs/9,E2", "line 2: schema 'runs/9', expected 'runs/3'"),
        (",12345,", ",much,", "line 2: throughput: 'much' is no finite number"),
        (",12345,", ",nan,", "line 2: throughput: 'nan' is no finite number"),
        (",12345,", ",-12345,", "line 2: throughput: -12345 is below 0"),
        (",1,1,7,", ",1,one,7,", "line 2: attempt: 'one', expected a whole number from 1 on"),
        (",1,1,7,", ",0,1,7,", "line 2: repeat: '0', expected a whole number from 1 on"),
        (",1,1,7,", ",1,-9,7,", "line 2: attempt: '-9', expected a whole number from 1 on"),
        (
            ",VALID,",
            ",BANANA,",
            "line 2: verdict: 'BANANA', expected one of VALID, NOISY_HOST, CLIENT_BOUND, UNSTABLE, OVERLOADED, "
            "ERRORS, FAILED",
        ),
        (",12345,", ",", f"line 2: {len(COLUMNS) - 1} columns, expected {len(COLUMNS)}"),
        ("idle=8000 active=8", "idle=8000 active", "line 2: point 'idle=8000 active': not pairs of name=value"),
        ("poll_srv", '"poll"_srv', "line 2: ',' expected after '\"'"),
        ("poll_srv", "\udcff", "no text in UTF-8"),
    ],
)
def test_broken_rows_are_refused_with_the_line(tmp_path, old, new, message):
    file = tmp_path / "runs.csv"
    rows.append(file, row(throughput=12345.0))
    text = file.read_text()
    assert text.count(old) == 1
    file.write_bytes(text.replace(old, new).encode(errors="surrogateescape"))
    with pytest.raises(BadRows) as refusal:
        rows.read(file)
    assert str(refusal.value) == f"{file}: {message}"


def test_something_else_without_a_line_end_is_no_cut_header(tmp_path):
    file = tmp_path / "runs.csv"
    file.write_text("time,latency")
    with pytest.raises(BadRows, match="line 1"):
        rows.read(file)


def test_the_last_attempt_counts():
    made = [row(attempt=1, verdict="NOISY_HOST"), row("epoll_lt"), row(attempt=2)]
    assert rows.final(made) == [made[2], made[1]]


# When a run is made again


@pytest.mark.parametrize(
    ("disturbed", "again"),
    [
        ((), True),
        (("",), False),
        (("steal",), True),
        (("steal", ""), False),
        (("steal", "witness"), True),
        (("steal", "witness", "steal"), False),
    ],
)
def test_a_run_is_made_again_if_the_machine_was_disturbed(disturbed, again):
    made = [row(attempt=number, disturbed=each) for number, each in enumerate(disturbed, start=1)]
    assert needs_another(made, "full") is again


@pytest.mark.parametrize(("disturbed", "again"), [(("steal",), True), (("steal", "steal"), False)])
def test_a_quick_run_is_made_again_once(disturbed, again):
    made = [row(attempt=number, disturbed=each) for number, each in enumerate(disturbed, start=1)]
    assert needs_another(made, "quick") is again


@pytest.mark.parametrize(
    "verdict", ["NOISY_HOST", "CLIENT_BOUND", "OVERLOADED", "UNSTABLE", "ERRORS", "FAILED", "unheard of"]
)
@pytest.mark.parametrize("mode", MODES)
def test_no_outcome_makes_a_run_again(verdict, mode):
    """Whoever repeats the runs whose outcome is unwelcome chooses among outcomes."""
    assert not needs_another([row(verdict=verdict)], mode)


def test_a_search_for_a_capacity_repeats_its_own_probes():
    for capacity in (51200.0, None):  # None: nothing was found
        search = Row("E3-capacity", "poll_srv", "connections=10 limit=10000", 1, 1, 7, "VALID", capacity=capacity)
        search.disturbed = "steal"
        assert not needs_another([search], "full")
    assert needs_another([row(disturbed="steal")], "full")


def test_no_run_is_repeated_without_end():
    for mode in MODES:
        assert not needs_another([row(disturbed="steal")] * ATTEMPTS[mode], mode)


# Result sets


def test_a_result_set_comes_back_as_it_was(results):
    results.add(row(verdict="NOISY_HOST"))
    results.add(row(attempt=2))
    again = Results.open(results.path)
    assert again == results
    assert again.rows() == [row(verdict="NOISY_HOST"), row(attempt=2)]
    assert {name: again.settings[name] for name in ("schema", "mode", "seed", "pinned", "descriptors")} == {
        "schema": "results/2",
        "mode": "quick",
        "seed": 42,
        "pinned": True,
        "descriptors": 20000,
    }
    assert re.fullmatch(r"\d{8}-\d{6}-[A-Za-z0-9-]+", results.path.name)


def test_two_in_one_second_get_two_directories(tmp_path, monkeypatch):
    now = (2026, 1, 2, 3, 4, 5, 0, 0, 0)
    monkeypatch.setattr("bench.results.time.gmtime", lambda: now)
    monkeypatch.setattr("bench.results.socket.gethostname", lambda: "lab 1/x.example.org")
    names = [Results.create(tmp_path, "smoke", seed, False, 1024).path.name for seed in (1, 2, 3)]
    assert names == ["20260102-030405-lab1x", "20260102-030405-lab1x-2", "20260102-030405-lab1x-3"]
    assert [Results.open(tmp_path / name).settings["seed"] for name in names] == [1, 2, 3]


def test_a_resumed_set_knows_what_is_finished(results):
    noisy, bound = row(repeat=2, disturbed="steal"), row(repeat=3, verdict="CLIENT_BOUND")
    for each in (row(repeat=1), noisy, bound):
        results.add(each)
    with (results.path / "runs.csv").open("a") as file:
        file.write("runs/3,E2,poll_srv,idle=8000 act")  # killed here
    resumed = Results.open(results.path)
    assert resumed.finished() == {row(repeat=1).key, bound.key}
    assert resumed.attempts(noisy.key) == [noisy]
    resumed.add(row(repeat=2, attempt=2))
    assert Results.open(results.path).finished() == {row(repeat=1).key, noisy.key, bound.key}


@pytest.mark.parametrize("verdict", ["FAILED", "ERRORS"])
def test_a_run_that_went_wrong_is_missing(results, verdict):
    results.add(row(verdict=verdict))
    assert results.finished() == set()
    results.add(row(attempt=2))
    assert results.finished() == {row().key}


def test_a_full_disk_is_told_with_the_file_and_leaves_what_was_there(results, monkeypatch):
    """write(2) and fsync(2) know no name."""
    results.add(row())
    before = {path: path.read_bytes() for path in results.path.iterdir() if path.is_file()}

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError) as told:
            results.describe("guest", {"kernel": "6.1"})
        assert told.value.filename == str(results.path / "fingerprint.json")
        with pytest.raises(OSError) as told:
            results.add(row(repeat=2))
        assert told.value.filename == str(results.path / "runs.csv")
    assert {path for path in results.path.iterdir() if path.is_file()} == set(before)
    assert (results.path / "fingerprint.json").read_bytes() == before[results.path / "fingerprint.json"]


def test_a_kill_during_creation_leaves_nothing_half_made(tmp_path, monkeypatch):
    """Killed before each of its system calls: no directory with a final name is left that `open` refuses."""

    class Killed(BaseException):
        pass

    def make(parent: Path, steps: int) -> bool:
        """Whether it ended although it was to be killed at this one of its own system calls."""
        left = [steps]

        def step(call):
            def counted(*arguments, **how):
                if left[0] == 0:
                    raise Killed
                left[0] -= 1
                return call(*arguments, **how)

            return counted

        with monkeypatch.context() as patch:
            patch.setattr("bench.results.fingerprints.collect", lambda: {"schema": "fingerprint/1"})
            for owner, name in ((Path, "mkdir"), (Path, "open"), (Path, "rename"), (Path, "chmod"), (os, "fsync")):
                patch.setattr(owner, name, step(getattr(owner, name)))
            try:
                Results.create(parent, "full", 1, True, 1024)
            except Killed:
                return False
        return True

    steps = 0
    while not make(tmp_path / str(steps), steps):
        shown = [path for path in tmp_path.glob(f"{steps}/*") if not path.name.startswith(".")]
        for path in shown:
            Results.open(path)
        for path in tmp_path.glob(f"{steps}/.new-*"):
            try:
                Results.open(path)
            except BadResults as refusal:
                assert "\n" not in str(refusal)
        steps += 1
    assert steps >= 8, "the steps were not counted"
    assert len(list(tmp_path.glob(f"{steps}/2*"))) == 1


def test_names_of_the_load_generators_files_differ(results):
    runs = [row(), row(repeat=2), row(attempt=2), row("epoll_lt")]
    names = {results.loadgen_json(run, number) for run in runs for number in (0, 1)}
    assert len(names) == 8
    assert all(path.parent == results.path / "loadgen" and " " not in path.name for path in names)
    assert results.loadgen_json(row()).name == "E2_poll_srv_idle=8000_active=8_repeat=1_attempt=1.json"


def spoil(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_what_is_no_result_set_is_refused(results, tmp_path):
    def refusal(path: Path = results.path) -> str:
        with pytest.raises(BadResults) as caught:
            Results.open(path)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    settings, machine = results.path / "settings.json", results.path / "fingerprint.json"
    (tmp_path / "empty").mkdir()
    assert refusal(tmp_path / "nowhere").endswith("nowhere: there is no such directory")
    assert refusal(settings).endswith("settings.json: is no directory")
    assert "settings.json: missing" in refusal(tmp_path / "empty")

    kept = settings.read_text()
    spoil(settings, schema="results/0")
    assert refusal() == f"{settings}: schema 'results/0', expected 'results/2'"
    wrong = (("seed", "x"), ("mode", "slow"), ("mode", None), ("pinned", 1), ("descriptors", "many"), ("started", 5))
    for name, value in wrong:
        settings.write_text(kept)
        spoil(settings, **{name: value})
        assert refusal().startswith(f"{settings}: {name}: {value!r}, expected ")
    for broken in ("", "{", kept[:20], "\x00"):
        settings.write_text(broken)
        assert refusal().startswith(f"{settings}: no JSON: ")
    settings.write_bytes(b"\xff")
    assert refusal().startswith(f"{settings}: no JSON: ")
    settings.write_text("[1]")
    assert refusal() == f"{settings}: no JSON object"

    settings.write_text(kept)
    machine.unlink()
    assert f"{machine}: missing" in refusal()
    machine.write_text('{"schema": "fingerprint/1"}')
    (results.path / "runs.csv").write_text("a,b\n1,2\n")
    assert "runs.csv: line 1: the columns are not those of" in refusal()


def test_an_unknown_mode_and_an_unfit_place_are_refused(tmp_path):
    with pytest.raises(BadResults, match="mode 'slow'"):
        Results.create(tmp_path, "slow", 1, True, 1024)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadResults, match="file: no result set can be made there: "):
        Results.create(tmp_path / "file", "quick", 1, True, 1024)


# The fingerprint


def texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    return [value] if isinstance(value, str) else []


def test_the_fingerprint_names_the_machine_and_nobody():
    found = fingerprint.collect()
    assert json.loads(json.dumps(found)) == found
    assert found["kernel"] == os.uname().release and found["cores"] == os.cpu_count()
    assert found["flags"] and found["compiler"] and found["kqueue"] in ("native", "libkqueue", "emulation")
    assert found["limits"]["descriptors_hard"] is None or found["limits"]["descriptors_hard"] > 0
    paths = [text for text in texts(found) if re.search(r"(^|[\s=:'\"]|-[IL])/\w", text) or str(servers.ROOT) in text]
    assert not paths


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        ("cc -O2 -Ikqueue_srv/emulation", "cc -O2 -Ikqueue_srv/emulation"),
        ("/opt/x/bin/gcc-12 -O2", "…/gcc-12 -O2"),
        ("cc -I/usr/include/kqueue/ -L/usr/lib", "cc -I…/ -L…/lib"),
        ("cc -ffile-prefix-map=/srv/me/a=/b", "cc -ffile-prefix-map=…/a=…/b"),
        (f"cc -I{servers.ROOT}/common", "cc -Icommon"),
    ],
)
def test_absolute_paths_are_cut(flags, shown):
    assert fingerprint.without_paths(flags) == shown


@pytest.mark.parametrize(
    ("flags", "who"),
    [("cc -O2 emulation", "emulation"), ("cc -lkqueue libkqueue", "libkqueue"), ("cc native", "native"), ("cc", None)],
)
def test_who_provides_kqueue(flags, who):
    assert fingerprint.kqueue(flags) == who
    assert fingerprint.kqueue(None) is None


def test_differences_of_fingerprints():
    one = {"kernel": "6.1", "cores": 2, "limits": {"soft": 1, "hard": 2}, "only": 1}
    other = {"kernel": "6.2", "cores": 2, "limits": {"soft": 1, "hard": 3}}
    assert fingerprint.differences(one, other) == [("kernel", "6.1", "6.2"), ("limits.hard", 2, 3), ("only", 1, None)]
    assert fingerprint.differences(one, one) == []


def test_the_documentation_lists_the_columns():
    text = (servers.ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    table = text[text.index("| `schema` |") :].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(COLUMNS)


def test_a_row_that_was_copied_is_refused(tmp_path):
    file = tmp_path / "runs.csv"
    rows.append(file, row())
    file.write_text(file.read_text() + file.read_text().splitlines()[-1] + "\n")
    with pytest.raises(BadRows, match="line 3: attempt 1 at a run that line 2 has already"):
        rows.read(file)


def test_every_verdict_of_the_load_generator_is_known():
    source = (servers.ROOT / "harness" / "loadgen" / "verdict.h").read_text(encoding="utf-8")
    theirs = re.findall(r"^ +X\(([A-Z_]+), \d\)", source, flags=re.MULTILINE)
    assert len(theirs) > 4 and set(rows.VERDICTS) == {*theirs, "FAILED"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("descriptors", 0), ("descriptors", -3), ("descriptors", True), ("descriptors", 999999999), ("seed", True),
     ("pinned", 1), ("started", "yesterday"), ("started", ""), ("started", "2026-11-31T00:00:00Z")],
)
def test_settings_without_sense_are_refused(tmp_path, monkeypatch, name, value):
    monkeypatch.setattr("bench.results.fingerprints.collect", lambda: {"schema": "fingerprint/1"})
    path = Results.create(tmp_path, "quick", 1, True, 20000).path
    settings = json.loads((path / "settings.json").read_text())
    (path / "settings.json").write_text(json.dumps(settings | {name: value}))
    with pytest.raises(BadResults, match=f"settings.json: {name}: "):
        Results.open(path)


@pytest.mark.parametrize("name", ("fingerprint.json", "fingerprint-20261126T203245Z.json"))
@pytest.mark.parametrize("found, said", (
    ({}, "schema None, expected 'fingerprint/1'"),
    ({"schema": "fingerprint/2"}, "schema 'fingerprint/2', expected 'fingerprint/1'"),
    ({"schema": "fingerprint/1", "programs": ["aa"]}, "programs: ['aa'], expected a table"),
    ({"schema": "fingerprint/1", "cpu_quota": "two"}, "cpu_quota: 'two', expected a number"),
    ({"schema": "fingerprint/1", "kqueue": True}, "kqueue: True, expected a text"),
))  # fmt: skip
def test_a_fingerprint_without_sense_is_refused(results, name, found, said):
    (results.path / name).write_text(json.dumps(found))
    with pytest.raises(BadResults) as refusal:
        Results.open(results.path)
    assert str(refusal.value) == f"{results.path / name}: {said}"


def test_what_nobody_wrote_down_may_be_null():
    """As in the second fingerprint of the reference run."""
    reference = Results.open(servers.ROOT / "plots/reference")
    assert [each["programs"] for each in reference.later.values()] == [None]
    assert not fingerprint.damaged(dict.fromkeys(fingerprint.collect()) | {"schema": fingerprint.SCHEMA})
    assert not fingerprint.damaged(fingerprint.collect())


def test_json_that_is_nested_too_deep_is_refused(tmp_path):
    (tmp_path / "settings.json").write_text("[" * 200_000)
    with pytest.raises(BadResults, match="settings.json: no JSON: "):
        Results.open(tmp_path)


# Results that go on elsewhere


HERE = {"schema": "fingerprint/1", "kernel": "6.1", "kqueue": "emulation", "programs": {"poll_srv": "aa", "tls": "bb"}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"gnuplot": "gnuplot 6"}, []),  # no run depends on it
        ({"programs": {"poll_srv": "aa", "uring": "cc"}}, []),  # no run of it can be there
        ({"kernel": "6.2"}, ["kernel: 6.1 -> 6.2"]),
        ({"programs": {"poll_srv": "dd", "tls": "bb"}}, ["programs: another build of poll_srv"]),
        ({"programs": None}, ["programs: whether they are the same is not known"]),
    ],
)
def test_what_a_run_may_depend_on_is_a_change(change: dict[str, Any], said: list[str]) -> None:
    assert fingerprint.changes(HERE, HERE | change) == said


def test_a_program_that_nobody_has_committed_changes_the_fingerprint(tmp_path: Path) -> None:
    for name in ("poll_srv", "loadgen", "microbench_wait"):
        (tmp_path / name).write_text("one")
        (tmp_path / name).chmod(0o755)
    before = {"programs": fingerprint.programs(tmp_path)}
    assert set(before["programs"]) == {"poll_srv", "loadgen", "microbench_wait"}
    (tmp_path / "poll_srv").write_text("two")
    found = fingerprint.changes(before, {"programs": fingerprint.programs(tmp_path)})
    assert found == ["programs: another build of poll_srv"]


def test_a_row_belongs_to_the_machine_and_build_that_made_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def here(**change: object) -> None:
        monkeypatch.setattr("bench.results.fingerprints.collect", lambda: HERE | change)

    def now() -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    here()
    made = Results.create(tmp_path, "full", 1, True, 20000)
    made.add(row(repeat=1, started=now()))
    assert Results.open(made.path).go_on() == [] and len(list(made.path.glob("fingerprint*"))) == 1
    here(kernel="6.2")
    again = Results.open(made.path)
    assert again.go_on() == ["kernel: 6.1 -> 6.2"]
    again.add(row(repeat=2, started=now()))
    assert Results.open(made.path).go_on() == [], "the same as in the session before"
    found = Results.open(made.path)
    assert found.fingerprint == HERE and list(found.later.values()) == [HERE | {"kernel": "6.2"}]
    one, other = found.rows()
    assert found.origin(one) == "" and [found.origin(other)] == list(found.later)
    assert [each["kernel"] for each in found.origins(found.rows()).values()] == ["6.1", "6.2"]
    assert [each["kernel"] for each in found.origins([other]).values()] == ["6.2"]
    here(kqueue="native")
    with pytest.raises(BadResults, match="kqueue is emulation in these results, and native here"):
        found.go_on()
    here()
    found.add(row(repeat=3, started="2999-01-01T00:00:00Z"))
    with pytest.raises(BadResults, match="later than the clock says here"):
        found.go_on()
