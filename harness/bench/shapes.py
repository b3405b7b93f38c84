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
COUNTED = "E16"  # make bench-count makes it


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


def _of_one_socket() -> tuple[Shape, ...]:
    """Duplicates of one socket stay in the caches; as many sockets do not. The instructions are the same."""
    duplicates, sockets = (Place("poll_srv", f"watched=16000 ready=0 of={of}") for of in ("duplicates", "sockets"))
    straight = Slope("wait", "poll_srv", "watched", "ready=0 of=duplicates", 1000, (1000, 16000), 0.9, 1.1)
    apart = Ratio("wait", sockets, duplicates, 1.8, ENDLESS)
    return (
        Shape("same-slope", "E4-same", "poll, N duplicates of one socket: slope 0.9 to 1.1 from 1000 on", (straight,)),
        Shape("same-ratio", "E4-same", "poll: 16000 sockets take at least 1.8 times what duplicates take", (apart,)),
    )


def _blocking() -> Shape:
    sleeps, returns = (Place("poll_srv", f"watched=1000 ready=0 block={each}") for each in (20, 0))
    claim = "poll, 1000 watched, none ready: a call that sleeps takes at least twice the CPU time of one that does not"
    return Shape("block-poll", "E4-block", claim, (Ratio("wait", sleeps, returns, 2, ENDLESS),))


def _counted(server: str, point: str) -> Place:
    return Place(server, f"{point} what=wait")


def _counted_slope(server: str) -> Shape:
    api = server.partition("_")[0]
    slope = Slope(
        "instructions", server, "watched", "ready=1 place=last what=wait", 1000, (1000, 9000), 0.98, 1.02
    )
    claim = f"{api}, one ready: instructions in proportion to N, slope 0.98 to 1.02 from 1000 watched on"
    return Shape(f"count-slope-{api}", COUNTED, claim, (slope,))


def _counted_flat(server: str) -> Shape:
    many, few = (_counted(server, f"watched={each} ready=1 place=last") for each in (9000, 100))
    claim = f"{server}, one ready: 9000 watched take the instructions of 100, within 1%"
    return Shape(f"count-flat-{server}", COUNTED, claim, (Ratio("instructions", many, few, 0.99, 1.01),))


def _counted_ratio(watched: int, low: float, high: float) -> Shape:
    poll, epoll = (_counted(each, f"watched={watched} ready=1 place=last") for each in ("poll_srv", "epoll_lt"))
    claim = f"one of {watched} ready: instructions of a poll / an epoll wait (level) {low:g} to {high:g}"
    return Shape(f"count-ratio-{watched}", COUNTED, claim, (Ratio("instructions", poll, epoll, low, high),))


def _counted_cycle(name: str, ready: int, low: float, high: float) -> Shape:
    poll, epoll = (Place(each, f"watched=9000 ready={ready} what=cycle") for each in ("poll_srv", "epoll_lt"))
    claim = f"{ready} of 9000 ready, whole cycle: instructions of poll / epoll (level) {low:g} to {high:g}"
    return Shape(f"count-cycle-{name}", COUNTED, claim, (Ratio("instructions", poll, epoll, low, high),))


def _counted_same() -> Shape:
    sockets, duplicates = (_counted("poll_srv", f"watched=16000 ready=0 of={of}") for of in ("sockets", "duplicates"))
    claim = "poll: 16000 sockets take the instructions of 16000 duplicates of one, within 1%"
    return Shape("count-same", COUNTED, claim, (Ratio("instructions", sockets, duplicates, 0.99, 1.01),))


def _counted_block() -> Shape:
    sleeps = Place("poll_srv", "watched=1000 ready=0 what=block")
    returns = _counted("poll_srv", "watched=1000 ready=0 of=sockets")
    claim = "poll, 1000 watched, none ready: a call that sleeps executes 2.7 to 3.3 times as many instructions"
    return Shape("count-block", COUNTED, claim, (Ratio("instructions", sleeps, returns, 2.7, 3.3),))


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
    # The bend of poll's line is the cache. The limits come from pilot runs.
    *_of_one_socket(),
    # A poll that sleeps puts itself on the queue of every descriptor, looks at all again, and takes itself off.
    _blocking(),
    # The same questions in instructions, which no neighbour changes. The limits come from a pilot run in the guest.
    _counted_slope("poll_srv"),
    _counted_slope("select_srv"),
    _counted_flat("epoll_lt"),
    _counted_flat("epoll_et"),
    _counted_ratio(1000, 240, 300),
    _counted_ratio(9000, 2150, 2650),
    _counted_cycle("one", 1, 700, 950),
    _counted_cycle("1-percent", 90, 11, 15),
    _counted_cycle("all", 9000, 0.9, 1.1),
    _counted_same(),
    _counted_block(),
)


def judge(results: Results) -> list[Verdict]:
    """The verdict on every shape that this system can show, in the order of SHAPES."""
    native = results.fingerprint.get("kqueue") == "native"
    rows = table.final(results.rows())
    figures = {name: judging.Figures(rows, name) for name in {shape.experiment for shape in SHAPES}}
    made = {row.experiment for row in rows}
    asked = [shape for shape in SHAPES if (native or not shape.native_kqueue_only) and _asked(shape, made)]
    return [_judge(shape, figures[shape.experiment]) for shape in asked]


def _asked(shape: Shape, made: set[str]) -> bool:
    """An experiment with a command of its own is judged where it was made, and alone where nothing else was."""
    return shape.experiment in made if shape.experiment == COUNTED else made != {COUNTED}


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
