"""E17, E20: what counts as a call, that the count of a real server is exact, and that a wrong one turns the verdict."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from suite import servers

from bench import at_once, experiments, measures, plan, shapes, tls_shapes
from bench.judging import NOT_REPRODUCED, REPRODUCED
from bench.loads import Failed
from bench.results import Results
from bench.rows import Row
from bench.uring_shapes import IDLE, LARGE, MESSAGES, SERVERS

COUNTS = {"waits": 3, "reads": 40, "writes": 500, "interest_changes": 6000}


def test_what_goes_through_a_ring_is_no_call() -> None:
    found = {name: measures.calls_of(name, COUNTS) for name in ("poll_srv", "epoll_et", "uring")}
    assert found == {"poll_srv": 543, "epoll_et": 6543, "uring": 3}


def request(server: str, connections: int, **more: str) -> Any:
    driver = SimpleNamespace(cores=SimpleNamespace(server=None), patience=20)
    point = {"connections": str(connections), **more}
    return SimpleNamespace(driver=driver, server=server, point=point, number=lambda name: int(point[name]))


def counted(server: str, connections: int, **more: str) -> float:
    for name in (server, "loadgen"):
        absent = servers.absent(name)
        if absent or not servers.program(name).exists():
            pytest.skip(f"{name}: {absent or 'is not built'}")
    return at_once.calls(request(server, connections, **more)).figures["calls"] or 0


@pytest.mark.parametrize("connections", (1, 10))
def test_a_batch_shares_one_wait(connections: int) -> None:
    assert counted("epoll_et", connections) == 2 + 1 / connections


@pytest.mark.parametrize("connections, most", ((1, 2), (10, 0.35)))
def test_a_ring_takes_a_batch_with_a_few_calls(connections: int, most: float) -> None:
    assert 0 < counted("uring", connections) <= most


def test_a_frame_with_two_records_takes_two_sends() -> None:
    """With its header a frame of 16 KiB does not fit into one record of TLS."""
    small, large = (counted("tls", 10, payload=size) for size in ("64", "16384"))
    assert small == 2 + 1 / 10 and 3 + 1 / 10 <= large <= 3.2


def test_a_server_that_does_not_start_is_a_failed_run() -> None:
    with pytest.raises(Failed, match="^nonesuch: "):
        at_once.calls(request("nonesuch", 1))


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    machine = {"schema": "fingerprint/1", "kqueue": "emulation"}
    monkeypatch.setattr("bench.results.fingerprints.collect", lambda: machine)
    return Results.create(tmp_path, "quick", 1, True, 20000)


def outcome(results: Results, name: str) -> str:
    (found,) = [verdict for verdict in shapes.judge(results) if verdict.name == name]
    return found.outcome


@pytest.mark.parametrize(
    "server, batch, right, wrong",
    (
        ("epoll_et", 1, 3.0, 3.2),
        ("epoll_et", 100, 2.01, 2.11),
        ("uring", 1, 2.0, 2.1),
        ("uring", 10, 0.2, 0.36),
        ("uring", 100, 0.04, 0.07),
    ),
)
def test_a_wrong_count_turns_the_verdict(results: Results, server: str, batch: int, right: float, wrong: float) -> None:
    for calls, expected in ((right, REPRODUCED), (wrong, NOT_REPRODUCED)):
        results.add(Row("E17-calls", server, f"connections={batch}", 1, 1, 1, "VALID", calls=calls))
        assert outcome(results, f"{server}-calls-{batch}") == expected


@pytest.mark.parametrize(
    "name, point, right, wrong",
    zip(("1", "100", "16k"), tls_shapes.MESSAGES, (3.0, 2.01, 3.1), (3.2, 2.11, 3.3)),
)
def test_a_wrong_count_with_tls_turns_the_verdict(
    results: Results, name: str, point: str, right: float, wrong: float
) -> None:
    for calls, expected in ((right, REPRODUCED), (wrong, NOT_REPRODUCED)):
        results.add(Row("E20-calls", "tls", point, 1, 1, 1, "VALID", calls=calls))
        assert outcome(results, f"tls-calls-{name}") == expected


def test_an_idle_connection_that_takes_more_turns_the_verdict(results: Results) -> None:
    for more, expected in ((0, REPRODUCED), (1, NOT_REPRODUCED)):
        figures: dict[str, Any] = {"server_bytes": 160 + more, "ring_bytes": 900 + more}
        results.add(Row("E17-memory", "uring", IDLE, 1, 1, 1, "VALID", **figures))
        assert outcome(results, "uring-idle-process") == outcome(results, "uring-idle-kernel") == expected


@pytest.mark.parametrize(
    "name, point, most",
    zip(("1", "10", "100", "1000", "idle", "16k"), MESSAGES, (1.15, 1.06, 1, 1, 1, 1.1)),
)
def test_a_ratio_above_its_limit_turns_the_verdict(results: Results, name: str, point: str, most: float) -> None:
    for ratio, expected in ((most, REPRODUCED), (most + 0.01, NOT_REPRODUCED)):
        for repeat in range(1, 7):
            for server, cpu in zip(SERVERS, (1.0, ratio)):
                results.add(Row("E17", server, point, repeat, 1, 1, "VALID", server_cpu=cpu))
        assert outcome(results, f"uring-cpu-{name}") == expected


def test_it_is_made_on_request_only() -> None:
    names = {run.experiment.name for run in plan.ordered("quick", 1)}
    asked = {each.name for each in plan.joined(experiments.made(), ["E17"])}
    assert asked - names >= {"E17", "E17-calls", "E17-memory"} and not names & {"E17", "E17-calls", "E17-memory"}


def test_what_is_compared_follows_each_other() -> None:
    made = plan.ordered("quick", 1, chosen=plan.joined([], ["E17"]))
    large = [(each.server, place) for place, each in enumerate(made) if each.point == LARGE]
    assert len(large) == 24
    for (one, first), (other, second) in zip(large[::2], large[1::2]):
        assert {one, other} == set(SERVERS) and second == first + 1
    assert [server for server, _ in large[:4]] in ([*SERVERS, *SERVERS[::-1]], [*SERVERS[::-1], *SERVERS])
