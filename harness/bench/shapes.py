"""The shapes that the experiments should show, and whether they did.

`made` has all of them with their limits, and bench.judging judges them. docs/experiments.md has the sources and the
reasons, and explains each shape that was not reproduced. Sizes that a machine cannot reach are replaced by the largest
that it can (experiments.Reach), and the limits that depend on them follow."""

from __future__ import annotations

import argparse
import functools
import json
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from suite import servers

from bench import count_shapes, experiments, files, judging, loop_shapes, pool_shapes, program, restart_shapes
from bench import technique_shapes, tls_shapes, uring_shapes
from bench.experiments import Reach
from bench.judging import ENDLESS, OUTCOMES, Judged, Place, Ratio, Slope, Value
from bench.results import ENOUGH, Results
from bench.shape import GOAL, PILOTS, SOURCE, Shape, limits_text

SCHEMA = "verdicts/2"
OWN_COMMAND = {count_shapes.COUNTED, "E15", *(each.name for each in experiments.ON_REQUEST)}


@dataclass(frozen=True)
class Verdict:
    name: str
    claim: str
    outcome: str
    figures: str
    experiment: str
    limits_from: str
    parts: tuple[Judged, ...]


def _ratio(column: str, places: Sequence[Place], low: float, high: float) -> Ratio:
    above, below = places
    return Ratio(column, above, below, low, high)


# -- E4: one wait -----------------------------------------------------------------------------------


def _wait(server: str, watched: int) -> Place:
    return Place(server, experiments.wait_point(watched))


def _waits(reach: Reach) -> Iterator[Shape]:
    most, many = reach.of(16000), reach.of(1000)
    # The kernel asks every descriptor at every call (Banga, Mogul, Druschel 1999). Slope 1 is proportional; it is
    # steeper where what must be looked at no longer fits the caches.
    sizes = reach.all_of(1000, 4000, 16000)
    sizes = sizes if len(sizes) > 1 else reach.all_of(100, 1000)
    for server in ("poll_srv", "select_srv"):
        api = server.partition("_")[0]
        slope = Slope("wait", "watched", tuple(_wait(server, each) for each in sizes), 0.85, 1.9)
        claim = f"{api}, one ready: slope 0.85 to 1.9 on log-log axes from {sizes[0]} watched on"
        yield Shape(f"wait-slope-{api}", "E4-wait", claim, PILOTS, (slope,))
    # The kernel keeps a list of what is ready: what is only watched costs nothing (Lemon 2001; Gammo et al. 2004).
    for server in servers.five(interest="call"):
        ends = Ratio("wait", _wait(server, most), _wait(server, 100), 0, 2)
        claim = f"{server}, one ready: {most} watched take at most 2 times as long as 100"
        yield Shape(f"wait-flat-{server}", "E4-wait", claim, PILOTS, (ends,), servers.OF[server].stand_in)
    for watched, least in {many: 20 * many / 1000, most: 300 * most / 16000}.items():
        ratio = Ratio("wait", _wait("poll_srv", watched), _wait("epoll_lt", watched), least, ENDLESS)
        claim = f"one of {watched} ready: a poll takes at least {least:g} times an epoll wait (level)"
        yield Shape(f"wait-ratio-{watched}", "E4-wait", claim, PILOTS, (ratio,))


def _same_and_block(reach: Reach) -> Iterator[Shape]:
    """The bend of poll's line is the cache: duplicates of one socket stay in it, as many sockets do not. And a poll
    that sleeps puts itself on the queue of every descriptor, looks at all again, and takes itself off."""
    many, most = reach.of(1000), reach.of(16000)
    least = round(1 + 0.8 * most / 16000, 2)

    def same(watched: int, of: str) -> Place:
        return Place("poll_srv", experiments.same_point(watched, of))

    sizes = tuple(same(each, "duplicates") for each in reach.all_of(1000, 16000))
    straight = Slope("wait", "watched", sizes, 0.9, 1.1)
    claim = f"poll, N duplicates of one socket: slope 0.9 to 1.1 from {many} to {most}"
    yield Shape("same-slope", "E4-same", claim, PILOTS, (straight,))
    apart = Ratio("wait", same(most, "sockets"), same(most, "duplicates"), least, ENDLESS)
    claim = f"poll: {most} sockets take at least {least} times what duplicates take"
    yield Shape("same-ratio", "E4-same", claim, PILOTS, (apart,))
    sleeps, returns = (Place("poll_srv", experiments.block_point(many, each)) for each in (experiments.SLEEP, 0))
    claim = f"poll, {many} watched, none ready: a call that sleeps takes at least twice the CPU time of another"
    yield Shape("block-poll", "E4-block", claim, PILOTS, (Ratio("wait", sleeps, returns, 2, ENDLESS),))


def _cycles(reach: Reach) -> Iterator[Shape]:
    """The more are ready, the less is saved: each must be read in the end (Gammo et al. 2004)."""
    most = reach.of(9000)
    for name, ready, low, high in (
        ("one", 1, 50 * most / 9000, ENDLESS),
        ("1-percent", round(most / 100), 5, ENDLESS),
        ("all", most, 0.6, 1.7),
    ):
        point = experiments.cycle_point(most, ready)
        ratio = Ratio("cycle", Place("poll_srv", point), Place("epoll_lt", point), low, high)
        claim = f"{ready} of {most} ready, whole cycle: poll / epoll (level) {limits_text(low, high)}"
        yield Shape(f"cycle-{name}", "E4-cycle", claim, PILOTS, (ratio,))


def _numbers(reach: Reach) -> Iterator[Shape]:
    """select's sets are bits up to the highest number (select(2))."""
    high = reach.of(16000, others=8)
    for server, least, most in (("select_srv", 1.4, ENDLESS), ("poll_srv", 0.8, 1.25), ("epoll_lt", 0.8, 1.25)):
        places = [Place(server, experiments.number_point(each)) for each in (high, 100)]
        times = f"{limits_text(least, most)} times as long as from 100 on"
        claim = f"{server}, 8 descriptors: numbered from {high} on a wait takes {times}"
        yield Shape(f"numbers-{server}", "E11", claim, PILOTS, (_ratio("wait", places, least, most),))


# -- with servers -----------------------------------------------------------------------------------


def _idle(reach: Reach) -> Iterator[Shape]:
    """Idle connections slow those that are not (Banga, Mogul, Druschel 1999; libevent's bench)."""

    def place(server: str, idle: int) -> Place:
        return Place(server, experiments.idle_point(idle))

    most = reach.of(16000, others=8)
    for idle, high in {reach.of(2000, others=8): 0.75, reach.of(8000, others=8): 0.5}.items():
        ratio = Ratio("throughput", place("poll_srv", idle), place("poll_srv", 0), 0, high)
        claim = f"poll_srv, 8 active: beside {idle} idle ones at most {high} of its rate without"
        yield Shape(f"idle-poll-{idle}", "E2", claim, PILOTS, (ratio,))
    for server in experiments.DECLARING:
        ratio = Ratio("server_cpu", place(server, most), place(server, 0), 0, 1.15)
        claim = f"{server}, 8 active: beside {most} idle ones a message costs at most 1.15 times the CPU time"
        yield Shape(f"idle-cost-{server}", "E2-cost", claim, PILOTS, (ratio,))
    # Counted: a wait of poll looks at all, for the eight at most that it finds.
    idle = reach.of(8000, others=8)
    each = (idle + 8) / 8
    scanned = Value("scanned", place("poll_srv", idle), each, 1.1 * each)
    claim = f"poll_srv, 8 active among {idle}: {each:g} descriptors looked at a message, or up to a tenth more"
    yield Shape("scanned-poll", "E2", claim, SOURCE, (scanned,))
    for server in ("epoll_lt", "epoll_et"):
        claim = f"{server}, 8 active among {most}: one descriptor looked at a message, within 5%"
        value = Value("scanned", place(server, most), 0.95, 1.05)
        yield Shape(f"scanned-{server}", "E2", claim, SOURCE, (value,))


def _all_active(reach: Reach) -> Iterator[Shape]:
    """Without idle connections the APIs lie close together (Gammo et al. 2004)."""
    most = reach.of(10000)
    point = f"connections={most}"
    ratio = Ratio("server_cpu", Place("poll_srv", point), Place("epoll_lt", point), 0.67, 1.5)
    claim = f"{most} connections, all active: CPU time a message, poll / epoll (level) 0.67 to 1.5"
    yield Shape("active-cost", "E1", claim, PILOTS, (ratio,))


def _rates(reach: Reach) -> Iterator[Shape]:
    """A request waits for the scan that is under way (Banga, Mogul, Druschel 1999)."""
    most = reach.of(16000)
    for server, low, high in (("poll_srv", max(1.5, 10 * most / 16000), ENDLESS), ("epoll_lt", 0, 2)):
        places = [Place(server, experiments.rate_point(each)) for each in (most, 100)]
        ratio = _ratio("response_p50", places, low, high)
        times = f"{limits_text(low, high)} times that with 100"
        claim = f"{server}, {experiments.RATE} requests a second: median response with {most} connections {times}"
        yield Shape(f"rate-{server}", "E3-rate", claim, PILOTS, (ratio,))


def _calls() -> Iterator[Shape]:
    """Counted, not timed: one connection, one message outstanding (epoll(7))."""
    for policy, expected, why in (
        ("level", 3, "wait, read, write"),
        ("edge_would_block", 4, "edge-triggered, and a read that finds nothing"),
        ("edge_short_read", 3, "edge-triggered, a short read says that nothing is left"),
        ("one_shot", 4, "level, and arming again"),
        ("add_delete", 5, "level, added and deleted around each wait"),
    ):
        value = Value("calls", Place(policy, "connections=1"), 0.95 * expected, 1.05 * expected)
        claim = f"{expected} system calls a message, within 5%: {why}"
        yield Shape(f"calls-{policy}", "E5", claim, SOURCE, (value,))


def _batching(reach: Reach) -> Iterator[Shape]:
    """One scan of all is shared by all that are ready (Provos and Lever 2000)."""
    idle, most = experiments.batch_sizes(reach)
    hot, lukewarm = (Place("poll_srv", experiments.idle_point(idle, active)) for active in (most, 1))
    claim = f"poll_srv beside {idle} idle: an event costs with {most} hot at most 0.1 of what it costs with 1"
    yield Shape("batching-poll", "E6", claim, PILOTS, (Ratio("event_cpu", hot, lukewarm, 0, 0.1),))


def _chains(reach: Reach) -> Iterator[Shape]:
    """libevent's published charts: select and poll grow with the pairs, epoll and kqueue do not."""
    most = reach.of(4000, each=2)
    for server, low, high in (("poll_srv", 10 * most / 4000, ENDLESS), ("epoll_lt", 0, 1.5)):
        places = [Place(server, experiments.chain_point(each)) for each in (most, 100)]
        times = f"{limits_text(low, high)} times as long as with 100"
        claim = f"{server}, one active pair: with {most} pairs the chain takes {times}"
        yield Shape(f"chain-{server}", "E7", claim, PILOTS, (_ratio("chain", places, low, high),))


def _memory(reach: Reach) -> Iterator[Shape]:
    point = f"connections={reach.of(1000)} state=idle"
    for server in servers.FIVE:
        most = servers.OF[server].idle_bytes
        claim = f"{server}: an idle connection takes at most {most} bytes of the process"
        value = Value("server_bytes", Place(server, point), 0, most)
        yield Shape(f"idle-bytes-{server}", "E8", claim, GOAL, (value,), servers.OF[server].stand_in)


def _churn(reach: Reach) -> Iterator[Shape]:
    """epoll_ctl costs most with short connections (Gammo et al. 2004), but little beside a handshake."""
    point = f"connections={reach.of(100, each=2)}"
    ratio = Ratio("server_cpu", Place("poll_srv", point), Place("epoll_lt", point), 0.5, 2)
    yield Shape("churn-cost", "E9", "CPU time a connection, poll / epoll (level) 0.5 to 2", PILOTS, (ratio,))


def _large_frames() -> Iterator[Shape]:
    """A buffer is memory of the process: how readiness is announced does not decide what it costs."""
    for server in servers.FIVE:
        points = [experiments.payload_point(size) for size in (65536, 200000)]
        parts = tuple(Value("faults", Place(server, point), 0, 0.1) for point in points)
        claim = f"{server}: below 0.1 page faults a message of 65536 and of 200000 bytes"
        yield Shape(f"faults-{server}", "E10", claim, GOAL, parts, servers.OF[server].stand_in)
    for payload, most in ((65536, 1.2), (200000, 1.3)):
        places = [Place(server, experiments.payload_point(payload)) for server in ("epoll_lt", "epoll_et")]
        claim = f"payload of {payload} bytes: CPU time a message, epoll level / edge-triggered at most {most}"
        yield Shape(f"payload-{payload}", "E10", claim, GOAL, (_ratio("server_cpu", places, 0, most),))


def _a_million() -> Iterator[Shape]:
    """What is only watched costs nothing, however much it is (Lemon 2001). An entry is one object of the kernel."""
    hundred, million = (Place("epoll_lt", f"watched={each} kind=eventfd") for each in (100, 1000000))
    about = "1000000 eventfds of many processes in one epoll:"
    flat = Ratio("wait", million, hundred, 0.5, 2)
    claim = f"{about} a wait takes 0.5 to 2 times as long as with 100, and reports the one that is ready"
    parts = (flat, Value("events", hundred, 1, 1), Value("events", million, 1, 1))
    yield Shape("million-flat", "E15", claim, PILOTS, parts)
    claim = f"{about} the kernel has one entry for each, within 5%"
    yield Shape("million-objects", "E15", claim, SOURCE, (Value("objects", million, 0.95, 1.05),))


@functools.cache
def made(descriptors: int = ENOUGH) -> tuple[Shape, ...]:
    """Every shape with its limits, as far as this limit of descriptors lets one process go."""
    reach = Reach(descriptors)
    return (
        *_waits(reach),
        *_same_and_block(reach),
        *_cycles(reach),
        *_all_active(reach),
        *_idle(reach),
        *_rates(reach),
        *_calls(),
        *_batching(reach),
        *_chains(reach),
        *_memory(reach),
        *_churn(reach),
        *_large_frames(),
        *_numbers(reach),
        *technique_shapes.SHAPES,
        *pool_shapes.SHAPES,
        *count_shapes.SHAPES,
        *_a_million(),
        *uring_shapes.SHAPES,
        *loop_shapes.SHAPES,
        *restart_shapes.SHAPES,
        *tls_shapes.SHAPES,
    )


def judge(results: Results) -> list[Verdict]:
    """The verdict on every shape that this system can show, in the order of `made`."""
    native = results.fingerprint.get("kqueue") == "native"
    rows = results.rows()
    shapes = [shape for shape in made(results.settings["descriptors"]) if native or not shape.native_kqueue_only]
    ran = {row.experiment for row in rows}
    asked = [shape for shape in shapes if _asked(shape, ran)]
    figures = {name: judging.Figures(rows, name, results.origin) for name in {shape.experiment for shape in asked}}
    return [_judge(shape, figures[shape.experiment]) for shape in asked]


def _asked(shape: Shape, ran: set[str]) -> bool:
    """An experiment with a command of its own is judged where it was made, and alone where nothing else was."""
    return shape.experiment in ran if shape.experiment in OWN_COMMAND else not ran or not ran <= OWN_COMMAND


def _judge(shape: Shape, figures: judging.Figures) -> Verdict:
    judged = tuple(judging.judge(part, figures) for part in shape.parts)
    # The part with the worst outcome decides.
    worst = (judging.NOT_REPRODUCED, judging.NOT_MEASURED, judging.INCONCLUSIVE, judging.REPRODUCED)
    outcome = min((each.outcome for each in judged), key=worst.index)
    texts = dict.fromkeys(each.figures for each in judged)  # two parts may lack the same point
    return Verdict(shape.name, shape.claim, outcome, "; ".join(texts), shape.experiment, shape.limits_from, judged)


def text(verdicts: list[Verdict]) -> str:
    """Those that were not measured stand in one line: a part of the experiments leaves many."""
    lines = []
    for verdict in (each for each in verdicts if each.outcome != judging.NOT_MEASURED):
        lines += [f"{verdict.outcome:14}  {verdict.name:18} {verdict.claim}", f"{'':16}{verdict.figures}"]
    left = [verdict.name for verdict in verdicts if verdict.outcome == judging.NOT_MEASURED]
    if left:
        lines += textwrap.wrap(f"not measured: {', '.join(left)}", 118, subsequent_indent="  ", break_on_hyphens=False)
    counts = [f"{sum(verdict.outcome == outcome for verdict in verdicts)} {outcome}" for outcome in OUTCOMES]
    return "\n".join([*lines, ", ".join(counts)])


def write(path: Path, verdicts: list[Verdict]) -> None:
    document = {"schema": SCHEMA, "verdicts": [_plain(asdict(each) | {"parts": _parts(each)}) for each in verdicts]}
    files.replace(path, json.dumps(document, indent=2) + "\n")


def _parts(verdict: Verdict) -> list[dict[str, Any]]:
    return [{"kind": type(each.part).__name__.lower()} | asdict(each) for each in verdict.parts]


def _plain(value: Any) -> Any:
    """JSON has no infinity: a limit or an end of an interval that is not there is null."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and math.isinf(value) else value


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
