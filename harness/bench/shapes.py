"""The shapes that the experiments should show, and whether they did. They were fixed before anything was measured.

The table SHAPES has all of them with their limits, and bench.judging judges them. docs/experiments.md has the sources
and the reasons, and explains each shape that was not reproduced."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from suite import servers

from bench import judging, program
from bench import rows as table
from bench.judging import ENDLESS, OUTCOMES, Part, Place, Ratio, Slope, Value
from bench.results import Results

SCHEMA = "verdicts/1"


@dataclass(frozen=True)
class Shape:
    name: str
    experiment: str
    claim: str
    parts: tuple[Part, ...]  # all must hold
    native_kqueue_only: bool = False  # elsewhere its figures are those of a stand-in over epoll


@dataclass(frozen=True)
class Verdict:
    name: str
    claim: str
    outcome: str
    figures: str
    experiment: str


def _one_ready(server: str, watched: int) -> Place:
    return Place(server, f"watched={watched} ready=1 place=last")


def _grows(server: str, low: float, high: float) -> Shape:
    api = server.partition("_")[0]
    slope = Slope("wait", server, "watched", "ready=1 place=last", 1000, (1000, 16000), low, high)
    claim = f"{api}, one ready: slope {low} to {high} on log-log axes from 1000 watched on"
    return Shape(f"wait-slope-{api}", "E4-wait", claim, (slope,))


def _flat(server: str, slope: float, growth: float, native_kqueue_only: bool = False) -> Shape:
    straight = Slope("wait", server, "watched", "ready=1 place=last", 100, (100, 16000), -slope, slope)
    ends = Ratio("wait", _one_ready(server, 16000), _one_ready(server, 100), 0, growth)
    claim = f"{server}, one ready: slope below {slope}, and 16000 watched take at most {growth} times as long as 100"
    return Shape(f"wait-flat-{server}", "E4-wait", claim, (straight, ends), native_kqueue_only)


def _wait_ratio(watched: int, least: float) -> Shape:
    ratio = Ratio("wait", _one_ready("poll_srv", watched), _one_ready("epoll_lt", watched), least, ENDLESS)
    claim = f"one of {watched} ready: a poll takes at least {least} times an epoll wait (level)"
    return Shape(f"wait-ratio-{watched}", "E4-wait", claim, (ratio,))


def _limits(low: float, high: float) -> str:
    return f"at least {low}" if high == ENDLESS else f"{low} to {high}"


def _cycle(name: str, ready: int, low: float, high: float) -> Shape:
    point = f"watched=9000 ready={ready}"
    ratio = Ratio("cycle", Place("poll_srv", point), Place("epoll_lt", point), low, high)
    claim = f"{ready} of 9000 ready, whole cycle: poll / epoll (level) {_limits(low, high)}"
    return Shape(name, "E4-cycle", claim, (ratio,))


def _beside_idle(
    name: str, server: str, idle: int, low: float, high: float, native_kqueue_only: bool = False
) -> Shape:
    busy, alone = Place(server, f"idle={idle} active=8"), Place(server, "idle=0 active=8")
    ratio = Ratio("throughput", busy, alone, low, high, beside="server_cpu")
    words = f"at least {low}" if high == ENDLESS else f"at most {high}"
    claim = f"{server}, 8 active: beside {idle} idle ones {words} of its rate without"
    return Shape(name, "E2", claim, (ratio,), native_kqueue_only)


def _calls(policy: str, expected: int, why: str) -> Shape:
    value = Value("calls", Place(policy, "connections=1"), 0.95 * expected, 1.05 * expected)
    return Shape(f"calls-{policy}", "E5", f"{expected} system calls a message, within 5%: {why}", (value,))


def _batching(server: str, most: float) -> Shape:
    hot, lukewarm = Place(server, "idle=8000 active=1000"), Place(server, "idle=8000 active=1")
    claim = f"{server} beside 8000 idle: an event costs with 1000 hot at most {most} of what it costs with 1"
    return Shape("batching-poll", "E6", claim, (Ratio("event_cpu", hot, lukewarm, 0, most),))


def _no_new_pages(server: str) -> Shape:
    parts = tuple(
        Value("faults", Place(server, f"payload={size} connections=10"), 0, 0.1) for size in (65536, 200000)
    )
    claim = f"{server}: below 0.1 page faults a message of 65536 and of 200000 bytes"
    return Shape(f"faults-{server}", "E10", claim, parts, native_kqueue_only=servers.OF[server].stand_in)


def _level_like_edge(payload: int, most: float) -> Shape:
    point = f"payload={payload} connections=10"
    ratio = Ratio("server_cpu", Place("epoll_lt", point), Place("epoll_et", point), 0, most)
    claim = f"payload of {payload} bytes: CPU time a message, epoll level-triggered / edge-triggered at most {most}"
    return Shape(f"payload-{payload}", "E10", claim, (ratio,))


def _numbers(server: str, low: float, high: float) -> Shape:
    high_numbers, low_numbers = (Place(server, f"watched=8 ready=1 place=last from={each}") for each in (16000, 100))
    ratio = Ratio("wait", high_numbers, low_numbers, low, high)
    takes = f"a wait takes {_limits(low, high)} of what it takes from 100 on"
    claim = f"{server}, 8 descriptors: numbered from 16000 on {takes}"
    return Shape(f"numbers-{server}", "E11", claim, (ratio,))


def _to_a_million(name: str, claim: str, *parts: Part) -> Shape:
    return Shape(name, "E15", f"1000000 eventfds of many processes in one epoll: {claim}", parts)


_HUNDRED, _MILLION = (Place("epoll_lt", f"watched={each} kind=eventfd") for each in (100, 1000000))

# Every shape with its limits, from the sources named and from pilot runs on one machine.
SHAPES: tuple[Shape, ...] = (
    # The kernel asks every descriptor at every call (Banga, Mogul, Druschel 1999). Slope 1 is proportional;
    # it is steeper where what must be looked at no longer fits the caches.
    _grows("poll_srv", 0.85, 1.9),
    _grows("select_srv", 0.85, 1.9),
    # The kernel keeps a list of what is ready: what is only watched costs nothing (Lemon 2001; Gammo et al. 2004).
    _flat("epoll_lt", slope=0.15, growth=2),
    _flat("epoll_et", slope=0.15, growth=2),
    _flat("kqueue_srv", slope=0.15, growth=2, native_kqueue_only=True),
    _wait_ratio(1000, 20),
    _wait_ratio(16000, 300),
    # The more are ready, the less is saved: each must be read in the end (Gammo et al. 2004).
    _cycle("cycle-one", 1, 50, ENDLESS),
    _cycle("cycle-1-percent", 90, 5, ENDLESS),
    _cycle("cycle-all", 9000, 0.6, 1.7),
    # The same, end to end: idle connections slow those that are not (Banga, Mogul, Druschel 1999; libevent's bench).
    _beside_idle("idle-epoll_lt", "epoll_lt", 16000, 0.85, ENDLESS),
    _beside_idle("idle-epoll_et", "epoll_et", 16000, 0.85, ENDLESS),
    _beside_idle("idle-kqueue_srv", "kqueue_srv", 16000, 0.85, ENDLESS, native_kqueue_only=True),
    _beside_idle("idle-poll-2000", "poll_srv", 2000, 0, 0.75),
    _beside_idle("idle-poll-8000", "poll_srv", 8000, 0, 0.5),
    # Counted, not timed: one connection, one message outstanding (epoll(7)).
    _calls("level", 3, "wait, read, write"),
    _calls("edge_would_block", 4, "edge-triggered, and a read that finds nothing"),
    _calls("edge_short_read", 3, "edge-triggered, a short read says that nothing is left"),
    _calls("one_shot", 4, "level, and arming again"),
    # One scan of all is shared by all that are ready (Provos and Lever 2000).
    _batching("poll_srv", 0.1),
    # A buffer is memory of the process: how readiness is announced does not decide what it costs. The limits are goals
    # that were set when a cost of 2.9 and 5.4 had been found, before it was cured.
    *(_no_new_pages(server) for server in servers.ALL),
    _level_like_edge(65536, 1.2),
    _level_like_edge(200000, 1.3),
    # select's sets are bits up to the highest number (select(2)). The limits come from pilot runs.
    _numbers("select_srv", 1.4, ENDLESS),
    _numbers("poll_srv", 0.8, 1.25),
    _numbers("epoll_lt", 0.8, 1.25),
    # What is only watched costs nothing, however much it is (as above). An entry is one object of the kernel.
    _to_a_million(
        "million-flat",
        "a wait takes 0.5 to 2 times as long as with 100, and reports the one that is ready",
        Ratio("wait", _MILLION, _HUNDRED, 0.5, 2),
        Value("events", _HUNDRED, 1, 1),
        Value("events", _MILLION, 1, 1),
    ),
    _to_a_million(
        "million-objects",
        "the kernel has one entry for each, within 5%",
        Value("objects", _MILLION, 0.95, 1.05),
    ),
)


def judge(results: Results) -> list[Verdict]:
    """The verdict on every shape that this system can show, in the order of SHAPES."""
    native = results.fingerprint.get("kqueue") == "native"
    rows = table.final(results.rows())
    figures = {name: judging.Figures(rows, name) for name in {shape.experiment for shape in SHAPES}}
    asked = [shape for shape in SHAPES if native or not shape.native_kqueue_only]
    return [_judge(shape, figures[shape.experiment]) for shape in asked]


def _judge(shape: Shape, figures: judging.Figures) -> Verdict:
    judged = [judging.judge(part, figures) for part in shape.parts]
    outcomes = [outcome for outcome, _ in judged]
    # The part with the worst outcome decides.
    worst = (judging.NOT_REPRODUCED, judging.NOT_MEASURED, judging.INCONCLUSIVE, judging.REPRODUCED)
    texts = dict.fromkeys(figure for _, figure in judged)  # two parts may lack the same point
    return Verdict(shape.name, shape.claim, min(outcomes, key=worst.index), "; ".join(texts), shape.experiment)


def text(verdicts: list[Verdict]) -> str:
    lines = []
    for verdict in verdicts:
        lines += [f"{verdict.outcome:14}  {verdict.name:18} {verdict.claim}", f"{'':16}{verdict.figures}"]
    counts = [f"{sum(verdict.outcome == outcome for verdict in verdicts)} {outcome}" for outcome in OUTCOMES]
    return "\n".join([*lines, ", ".join(counts)])


def write(path: Path, verdicts: list[Verdict]) -> None:
    """A kill leaves the whole new file or the old one."""
    unfinished = path.with_name(f".{path.name}")
    document = {"schema": SCHEMA, "verdicts": [asdict(verdict) for verdict in verdicts]}
    unfinished.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    os.replace(unfinished, path)


def run(results: Results) -> int:
    verdicts = judge(results)
    write(results.path / "verdicts.json", verdicts)
    print(text(verdicts))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bench.shapes",
        description="Says of each expected shape whether it was reproduced, and writes RESULTS/verdicts.json.",
    )
    parser.add_argument("results", type=Path, metavar="RESULTS", help="a directory of results")
    return run(Results.open(parser.parse_args().results))


if __name__ == "__main__":
    program.run(main)
