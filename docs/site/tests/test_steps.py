"""The steppers: what they say is what the trace says, and what the kernel does."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

import descriptors
import steps
from descriptors import CONTENT, DEMOS, Demo
from page import BadSite, Site
from readiness import Machine
from stepping import Place, found
from suite import servers
from tracing import golden
from traces import parse

HERE = Path(__file__).parent
NAMES = [each.name for each in steps.STEPPERS]


def of(name: str) -> steps.Stepper:
    return next(each for each in steps.STEPPERS if each.name == name)


def traced(name: str) -> str:
    return golden.path_of(golden.STEPPED, of(name).traced).read_text(encoding="utf-8")


# -- the kernel --------------------------------------------------------------------------------


def asked(demo: Demo) -> dict:
    given = {"content": CONTENT, "ops": [dataclasses.asdict(op) for op in demo.ops]}
    done = subprocess.run(
        [sys.executable, "-I", HERE / "kernel_steps.py"], input=json.dumps(given), capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="epoll is Linux's")
@pytest.mark.parametrize("demo", DEMOS, ids=[demo.name for demo in DEMOS])
def test_the_kernel_answers_as_the_steps_say(demo: Demo) -> None:
    told = asked(demo)
    assert [result if op.result else "" for op, result in zip(demo.ops, told["results"])] == [
        op.result for op in demo.ops
    ]
    assert told["numbers"] == descriptors.frames_of(demo)[1], "the lowest free number"


def test_the_rest_is_an_event_for_level_and_none_for_edge() -> None:
    """The lesson itself: written 1,024, read 512, waited again."""
    level, edge = ([op.result for op in each.ops if op.do == "wait"] for each in DEMOS[-2:])
    assert level == ["1 event", "1 event"] and edge[:2] == ["1 event", "0 events"]


# -- the traces --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("kqueue", "io_uring")])
def test_every_call_of_the_trace_is_a_step_in_its_order(name: str) -> None:
    calls = [call for lines in parse(traced(name))[0].values() for call in lines]
    assert [frame.call for frame in steps.frames_of(of(name)) if frame.call] == calls


def test_kqueue_makes_its_calls_where_epoll_makes_them() -> None:
    calls = [frame.call for frame in steps.frames_of(of("kqueue")) if frame.call]
    assert calls[:3] == [
        "kevent() = listener: EVFILT_READ", "accept(listener) = peer 0", "kevent(EV_ADD, peer 0, EVFILT_READ)"
    ]  # fmt: skip
    assert calls[-2:] == ["kevent(EV_DELETE, peer 1, EVFILT_READ)", "close(peer 1)"]


def test_io_uring_hands_over_what_the_trace_counts() -> None:
    calls = [frame.call for frame in steps.frames_of(of("io_uring")) if frame.call]
    assert calls.count("io_uring_enter(1 entry)") == 4 and calls.count("io_uring_enter(2 entries)") == 2


@pytest.mark.parametrize("name, before, after", (
    ("epoll-level", "epoll_wait() = peer 0: IN, peer 1: IN", "epoll_wait() = peer 0: IN"),
    ("select", "= read: peer 1", "= read: peer 0"),
    ("io_uring", "io_uring_enter(2 entries)", "io_uring_enter(1 entry)"),
))  # fmt: skip
def test_a_trace_that_the_model_does_not_expect_ends_the_build(name: str, before: str, after: str) -> None:
    text = traced(name).replace(before, after, 1)
    assert text != traced(name)
    api = of(name).api
    machine = Machine(api=api) if api is not None else steps.Ring()
    with pytest.raises(BadSite):
        machine.play(parse(text)[0])


def test_level_asks_again_and_edge_does_not() -> None:
    def lists(name: str) -> list[str]:
        return [
            row.state for frame in steps.frames_of(of(name)) if frame.call.startswith("epoll_wait")
            for panel in frame.panels for row in panel.rows if row.name == "ready list"
        ]  # fmt: skip

    assert all(state != "empty" for state in lists("epoll-level"))
    assert all(state == "empty" for state in lists("epoll-edge"))


def test_a_source_line_must_be_there_once() -> None:
    site = Site(servers.ROOT)
    for stepper in steps.STEPPERS:
        for frame in steps.frames_of(stepper):
            assert frame.place is None or found(site, frame.place).number > 0
    with pytest.raises(BadSite, match="0 lines"):
        found(site, Place("epoll_lt/server.c", "no such line"))
