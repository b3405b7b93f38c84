"""The experiments: which points, how often, how long. docs/experiments.md says why."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from suite import servers

from bench import at_once, loop_shapes, loops, measures, microbench, pools, restart_shapes, restarts, techniques
from bench import tls_shapes, uring_shapes
from bench.requests import Request, Taken, Times
from bench.results import ENOUGH, MODES
from bench.rows import factors, point
from bench.statistics import POLICIES

OWN_DESCRIPTORS = 24  # of a server or a client besides its connections
WITHOUT_CEILING = servers.five(ceiling="none")
WITH_MICROBENCH = tuple(kind.name for kind in servers.KINDS if kind.microbench != "none")
# These declare their interest by a call. A stand-in for kqueue says nothing about kqueue's cost.
DECLARING = tuple(
    name for name in servers.five(interest="call") if not servers.OF[name].stand_in or sys.platform != "linux"
)

RATE = 2000  # requests a second; every server can answer them, also poll with 16,000 connections
SLEEP = 20  # milliseconds of a wait that sleeps: longer than the slowest one takes to look at its descriptors
LIMIT = 10_000  # microseconds: a capacity is the highest rate with the p99 of response below this


@dataclass(frozen=True)
class Reach:
    """What a limit of descriptors leaves of the sizes that were planned. A size out of reach is replaced by the largest
    in reach, of two digits, so that every shape is measured on a smaller machine too."""

    descriptors: int

    def of(self, wanted: int, others: int = 0, each: int = 1) -> int:
        """`wanted`, or less. `others`: further descriptors of the process; `each`: descriptors that one takes."""
        most = max(1, (self.descriptors - OWN_DESCRIPTORS - others) // each)
        if wanted <= most:
            return wanted
        unit = 10 ** max(0, int(math.log10(most)) - 1)
        return most // unit * unit

    def all_of(self, *wanted: int, others: int = 0, each: int = 1) -> tuple[int, ...]:
        """Each of them once."""
        return tuple(dict.fromkeys(self.of(size, others, each) for size in wanted))


@dataclass(frozen=True)
class Experiment:
    name: str
    measure: Callable[[Request], Taken]
    points: dict[str, tuple[str, ...]]  # by mode
    repeats: dict[str, int]  # of a point that only a curve needs
    times: dict[str, Times]
    descriptors: Callable[[dict[str, str]], int]  # that one process needs at a point, besides its own
    beside: float  # seconds of a run besides the measured ones, about
    loads: int = 1  # of one run, about
    paired: dict[str, int] = field(default_factory=lambda: _by_mode(6, 6, 1))  # repeats of a place that a shape needs
    servers: tuple[str, ...] = servers.FIVE
    whole: bool = False  # a full run is long enough for a request on every connection
    programs: tuple[str, ...] = ()  # instead of the servers of these names, such as micro programs

    def times_at(self, mode: str, point: str) -> Times:
        times = self.times[mode]
        if not self.whole or mode != "full":
            return times
        # The requests go round all connections. 10% more, because they come at random times.
        return Times(times.warmup, max(times.duration, 1.1 * int(factors(point)["connections"]) / RATE))

    def seconds(self, mode: str, point: str) -> float:
        """A first guess at how long one run takes."""
        times = self.times_at(mode, point)
        return self.loads * (times.warmup + times.duration + self.beside)

    def repeats_of(self, mode: str, deciding: bool) -> int:
        """`deciding`: a shape needs the place. Then it gets the repeats that an interval takes, if the experiment is
        made more than once at all."""
        return max(self.repeats[mode], self.paired[mode] if deciding else 0)


def _sum_of(*names: str, times: int = 1) -> Callable[[dict[str, str]], int]:
    return lambda values: times * sum(int(values[name]) for name in names)


_CONNECTIONS = _sum_of("connections")
_REPLACED = _sum_of("connections", times=2)  # one may still be open when its successor is accepted
_IDLE_AND_ACTIVE = _sum_of("idle", "active")
_WATCHED = _sum_of("watched")
_BOTH_ENDS = _sum_of("pairs", times=2)
_HIGHEST = _sum_of("from", "watched")
_WORKERS = _sum_of("workers", times=3)  # a listener, a file of /proc and a connection each, at most
_FEW = _sum_of()


def _with_idle(values: dict[str, str]) -> int:
    return int(values["connections"]) + int(values.get("idle", 0))


def _by_mode(quick: object, full: object, smoke: object) -> dict:
    return dict(zip(MODES, (quick, full, smoke)))


def _each(name: str, *values: int, **fixed: object) -> tuple[str, ...]:
    return tuple(point(**{name: value}, **fixed) for value in values)


def idle_point(idle: int, active: int = 8) -> str:
    return point(idle=idle, active=active)


def rate_point(connections: int) -> str:
    return point(connections=connections, rate=RATE)


def wait_point(watched: int, place: str = "last") -> str:
    return point(watched=watched, ready=1, place=place)


def cycle_point(watched: int, ready: int) -> str:
    return point(watched=watched, ready=ready)


def number_point(first: int) -> str:
    return point(watched=8, ready=1, place="last", **{"from": first})


def same_point(watched: int, of: str) -> str:
    return point(watched=watched, ready=0, of=of)


def block_point(watched: int, block: int) -> str:
    return point(watched=watched, ready=0, block=block)


def chain_point(pairs: int, active: int = 1) -> str:
    """Every point of a curve has the same number of writes, so that the curve shows the cost of a pair."""
    return point(pairs=pairs, active=active, writes=100 if active == 1 else 1000)


def batch_sizes(reach: Reach) -> tuple[int, int]:
    """How many are idle in E6, and how many active at most: 8000 and 1000, where these are in reach."""
    all_of_them = reach.of(9000)
    return all_of_them - all_of_them // 9, all_of_them // 9


def payload_point(payload: int) -> str:
    return point(payload=payload, connections=10)


def _cycles(watched: int, *shares: float) -> tuple[str, ...]:
    """One ready, and these shares of all."""
    return tuple(cycle_point(watched, each) for each in dict.fromkeys([1, *(round(s * watched) for s in shares)]))


def _states(connections: int) -> tuple[str, ...]:
    return tuple(point(connections=connections, state=state) for state in ("idle", "inflight"))


_OFTEN = _by_mode(2, 6, 1)
_OF_ROUNDS = _by_mode(1, 6, 1)  # a run of a micro program is itself the median of many rounds
_ONCE = _by_mode(1, 2, 1)  # counts and sizes hardly differ between runs
_LOAD = _by_mode(Times(0.2, 0.35), Times(0.3, 0.6), Times(0.05, 0.15))
_SHORT = _by_mode(Times(0.15, 0.35), Times(0.2, 0.4), Times(0.05, 0.2))
# Long enough for two snapshots of the server, also on a busy machine.
_LOOKED_AT = _by_mode(Times(0.25, 0.45), Times(0.3, 0.6), Times(0.05, 0.4))
# A wake-up with thousands of events takes tens of milliseconds. Only a run with many of them is steady.
_LONG = _by_mode(Times(0.5, 0.6), Times(0.6, 0.8), Times(0.05, 0.4))
_MICRO = _by_mode(Times(0, 0.1), Times(0, 0.25), Times(0, 0.02))
_COUNTED = _by_mode(*[Times(0, 0.2)] * 3)  # about: such a program ends when it has counted
_SIXTEEN = _each("frames", 16, nodelay="yes")


@functools.cache
def made(descriptors: int = ENOUGH) -> tuple[Experiment, ...]:
    """All experiments, as far as this limit of descriptors lets one process go."""
    reach = Reach(descriptors)
    return (*_with_servers(reach), *_of_calls(reach), *TECHNIQUES)


def _with_servers(reach: Reach) -> tuple[Experiment, ...]:
    def idle(active: int, *values: int) -> tuple[str, ...]:
        return tuple(idle_point(each, active) for each in reach.all_of(*values, others=active))

    def batches(*shares: float) -> tuple[str, ...]:
        beside, hot = batch_sizes(reach)
        return tuple(idle_point(beside, each) for each in dict.fromkeys(max(1, round(hot * share)) for share in shares))

    def rates(*values: int) -> tuple[str, ...]:
        return tuple(rate_point(each) for each in reach.all_of(*values))

    def connections(*values: int, each: int = 1, **fixed: object) -> tuple[str, ...]:
        return _each("connections", *reach.all_of(*values, each=each), **fixed)

    return (
        Experiment(
            "E1",
            measures.all_active,
            _by_mode(
                connections(10, 10000), connections(10, 100, 1000, 10000, 19000), connections(2, 10)
            ),
            _OFTEN,
            _LOAD,
            _CONNECTIONS,
            beside=0.3,
        ),
        Experiment(
            "E2",
            measures.mostly_idle,
            _by_mode(
                idle(8, 0, 1000, 2000, 8000, 16000),
                idle(8, 0, 100, 1000, 2000, 4000, 8000, 16000) + idle(100, 0, 4000, 16000),
                idle(8, 0, 100),
            ),
            _OFTEN,
            _LOAD,
            _IDLE_AND_ACTIVE,
            beside=0.4,
        ),
        # What lies near 1 needs more pairs, and CPU time, which does not depend on the client's speed.
        Experiment(
            "E2-cost",
            measures.mostly_idle,
            _by_mode(idle(8, 0, 16000), idle(8, 0, 16000), idle(8, 0, 100)),
            _by_mode(12, 16, 1),
            _LOAD,
            _IDLE_AND_ACTIVE,
            beside=0.4,
            servers=DECLARING,
        ),
        Experiment(
            "E3-rate",
            measures.fixed_rate,
            _by_mode(rates(100, 16000), rates(10, 100, 1000, 4000, 8000, 16000), rates(10, 50)),
            _OFTEN,
            _by_mode(Times(0.2, 0.5), Times(0.2, 1.2), Times(0.05, 0.15)),
            _CONNECTIONS,
            beside=0.3,
            whole=True,
        ),
        Experiment(
            "E3-capacity",
            measures.capacity,
            _by_mode(connections(8000, limit=LIMIT), connections(8000, limit=LIMIT), connections(10, limit=LIMIT)),
            _by_mode(1, 6, 1),
            _SHORT,
            _CONNECTIONS,
            beside=0.3,
            loads=7,
        ),
        Experiment(
            "E5",
            measures.calls_a_message,
            _by_mode(connections(1, 100), connections(1, 100), connections(1)),
            _ONCE,
            _SHORT,
            _CONNECTIONS,
            beside=0.2,
            servers=servers.FIVE + POLICIES,
            programs=("microbench_calls",),
        ),
        Experiment(
            "E6",
            measures.batching,
            _by_mode(
                batches(0, 1),
                batches(0, 0.01, 0.1, 1),
                (idle_point(100, 1), idle_point(100, 10)),
            ),
            _OFTEN,
            _LONG,
            _IDLE_AND_ACTIVE,
            beside=0.4,
            servers=WITHOUT_CEILING,
        ),
        Experiment(
            "E8",
            measures.memory,
            _by_mode(
                _states(reach.of(1000)),
                tuple(each for size in reach.all_of(1000, 10000) for each in _states(size)),
                _states(100),
            ),
            _by_mode(1, 3, 1),
            _by_mode(Times(0.4, 0.8), Times(0.5, 1.0), Times(0.05, 0.4)),
            _CONNECTIONS,
            beside=0.5,
        ),
        Experiment(
            "E9",
            measures.churn,
            _by_mode(connections(100, each=2), connections(10, 100, 1000, each=2), connections(10)),
            _OFTEN,
            _LOOKED_AT,
            _REPLACED,
            beside=0.2,
        ),
        Experiment(
            "E10",
            measures.large_frames,
            _by_mode(
                tuple(payload_point(each) for each in (64, 65536, 200000)),
                tuple(payload_point(each) for each in (64, 4096, 16384, 65536, 200000, 1048576)),
                _each("payload", 64, 65536, connections=2),
            ),
            _OFTEN,
            _LOOKED_AT,
            _CONNECTIONS,
            beside=0.2,
        ),
    )


def _of_calls(reach: Reach) -> tuple[Experiment, ...]:
    """System calls alone, without a server."""

    def waits(*values: int, place: str = "last") -> tuple[str, ...]:
        return tuple(wait_point(each, place) for each in reach.all_of(*values))

    def chains(*values: int) -> tuple[str, ...]:
        return tuple(chain_point(each, active) for each in reach.all_of(*values, each=2) for active in (1, 100))

    def same(*values: int) -> tuple[str, ...]:
        return tuple(same_point(each, of) for each in reach.all_of(*values) for of in ("sockets", "duplicates"))

    def block(*values: int) -> tuple[str, ...]:
        return tuple(block_point(each, span) for each in reach.all_of(*values) for span in (0, SLEEP))

    def numbers(*values: int) -> tuple[str, ...]:
        return tuple(number_point(each) for each in reach.all_of(*values, others=8))

    def microbenchmark(name: str, measure: Callable[[Request], Taken], points: dict[str, tuple[str, ...]],
                       descriptors: Callable[[dict[str, str]], int], program: str,
                       apis: tuple[str, ...] = WITH_MICROBENCH) -> Experiment:  # fmt: skip
        return Experiment(
            name, measure, points, _OF_ROUNDS, _MICRO, descriptors, beside=0.2, servers=apis, programs=(program,)
        )

    most = reach.of(9000)
    return (
        microbenchmark(
            "E4-wait",
            microbench.one_wait,
            _by_mode(
                waits(100, 1000, 4000, 16000),
                waits(100, 300, 1000, 2000, 4000, 8000, 16000) + waits(1000, 16000, place="first"),
                waits(10, 100),
            ),
            _WATCHED,
            "microbench_wait",
        ),
        microbenchmark(
            "E4-cycle",
            microbench.one_cycle,
            _by_mode(
                _cycles(most, 0.01, 1),
                _cycles(most, 0.001, 0.01, 0.1, 0.5, 1)
                + tuple(each for n in reach.all_of(1000) if n != most for each in _cycles(n, 0.01, 1)),
                _cycles(100, 1),
            ),
            _WATCHED,
            "microbench_wait",
        ),
        microbenchmark(
            "E4-same",
            microbench.of_one_socket,
            _by_mode(same(1000, 16000), same(100, 1000, 4000, 9000, 16000), same(10, 100)),
            _WATCHED,
            "microbench_wait",
            ("poll_srv",),
        ),
        microbenchmark(
            "E4-block",
            microbench.blocking,
            _by_mode(block(1000), block(100, 1000, 9000), block(10)),
            _WATCHED,
            "microbench_wait",
            ("poll_srv", "epoll_lt"),
        ),
        microbenchmark(
            "E7",
            microbench.chain,
            _by_mode(chains(100, 1000, 4000), chains(100, 1000, 4000, 9000), chains(100)),
            _BOTH_ENDS,
            "microbench_chain",
        ),
        microbenchmark(
            "E11",
            microbench.high_numbers,
            _by_mode(numbers(100, 1000, 16000), numbers(100, 1000, 4000, 16000), numbers(100)),
            _HIGHEST,
            "microbench_wait",
        ),
    )


def _technique(
    name: str,
    measure: Callable[[Request], Taken],
    points: dict[str, tuple[str, ...]],
    ways: tuple[str, ...],
    program: str,
    descriptors: Callable[[dict[str, str]], int] = _FEW,
) -> Experiment:
    """Counted, so that once or twice is enough."""
    return Experiment(
        name, measure, points, _ONCE, _COUNTED, descriptors, beside=0.1, paired=_ONCE, servers=ways, programs=(program,)
    )


TECHNIQUES = (
    _technique(
        "E12",
        techniques.herd,
        _by_mode(_each("workers", 2, 8, 16), _each("workers", 2, 4, 8, 16), _each("workers", 2)),
        techniques.HERD,
        "microbench_herd",
        _WORKERS,
    ),
    _technique(
        "E12-load",
        techniques.busy_herd,
        _by_mode(*[_each("workers", 8, busy=4)] * 3),
        techniques.HERD,
        "microbench_herd",
        _WORKERS,
    ),
    _technique(
        "E13",
        techniques.two_writes,
        _by_mode(("nodelay=no", "nodelay=yes"), ("nodelay=no", "nodelay=yes"), ("nodelay=yes",)),
        techniques.TWO_WRITES,
        "microbench_sends",
    ),
    _technique(
        "E14-copy",
        techniques.copies,
        _by_mode(_each("piece", 68, 16384, 65536), _each("piece", 68, 1024, 4096, 16384, 65536), _each("piece", 16384)),
        techniques.COPIES,
        "microbench_relay",
    ),
    _technique(
        "E14-frames", techniques.small_frames, _by_mode(*[_SIXTEEN] * 3), techniques.FRAMES, "microbench_sends"
    ),
)


def _pools(name: str, measure: Callable[[Request], Taken], points: dict[str, tuple[str, ...]], repeats: dict[str, int],
           times: dict[str, Times]) -> Experiment:  # fmt: skip
    return Experiment(
        name, measure, points, repeats, times, _CONNECTIONS, beside=0.4, servers=pools.ALL,
        programs=("epoll_oneshot", "loadgen"),
    )  # fmt: skip


_WORK = _each("work", 0, 2, 5, 10, 20, 50, 100, connections=16)
_ONE_AND_MANY = _each("connections", 1, 100)

POOLS = (
    _pools(
        "E19",
        pools.rate,
        _by_mode(_WORK, _WORK, _each("work", 0, 100, connections=16)),
        _by_mode(2, 6, 1),
        _by_mode(Times(0.2, 0.5), Times(0.3, 1.0), Times(0.05, 0.2)),
    ),
    _pools(
        "E19-calls",
        pools.calls,
        _by_mode(_ONE_AND_MANY, _ONE_AND_MANY, _each("connections", 1)),
        _ONCE,
        _by_mode(Times(0.1, 1.0), Times(0.1, 2.0), Times(0.05, 0.2)),
    ),
)

RINGS = (
    # What lies near 1 needs more pairs.
    Experiment(
        "E17", measures.of_one_size,
        _by_mode(uring_shapes.MESSAGES, uring_shapes.MESSAGES, ("connections=2 idle=10",)),
        _by_mode(12, 16, 1), _by_mode(Times(0.2, 0.6), Times(0.3, 1.0), Times(0.05, 0.3)), _with_idle, beside=0.6,
        servers=uring_shapes.SERVERS,
    ),
    Experiment(
        "E17-calls", at_once.calls,
        _by_mode(uring_shapes.AT_ONCE, uring_shapes.AT_ONCE, uring_shapes.AT_ONCE[1:2]),
        _ONCE, _by_mode(*[Times(0, 1)] * 3), _CONNECTIONS, beside=0.5, paired=_ONCE, servers=uring_shapes.SERVERS,
    ),
    Experiment(
        "E17-memory", measures.memory, _by_mode((uring_shapes.IDLE,), (uring_shapes.IDLE,), _states(50)[:1]),
        _by_mode(1, 3, 1), _by_mode(Times(0.4, 0.8), Times(0.5, 1.0), Times(0.05, 0.4)), _CONNECTIONS, beside=2,
        servers=uring_shapes.SERVERS,
    ),
)  # fmt: skip

LOOPS = (
    Experiment(
        "E18", loops.peers, _by_mode(loop_shapes.POINTS, loop_shapes.POINTS, loop_shapes.POINTS[:1]),
        _by_mode(1, 3, 1), _by_mode(*[Times(0, 5)] * 3), lambda at: int(at["connections"]) + 100, beside=1,
        paired=_by_mode(1, 3, 1), servers=loops.WAYS, programs=(loops.PROGRAM,),
    ),
)  # fmt: skip

RESTARTS = (
    Experiment(
        "E21", restarts.restarts, _by_mode(*[(restart_shapes.POINT,)] * 3), _by_mode(1, 3, 1),
        _by_mode(*[Times(0, 5)] * 3), _FEW, beside=1, paired=_by_mode(1, 3, 1), servers=restarts.WAYS,
        programs=(restarts.PROGRAM,),
    ),
)  # fmt: skip

SECRECY = (
    Experiment(
        "E20", measures.of_one_size, _by_mode(tls_shapes.MESSAGES, tls_shapes.MESSAGES, tls_shapes.MESSAGES[1:2]),
        _by_mode(1, 6, 1), _by_mode(Times(0.3, 1.0), Times(0.3, 2.0), Times(0.05, 0.3)), _CONNECTIONS, beside=0.6,
        servers=tls_shapes.SERVERS,
    ),
    Experiment(
        "E20-calls", at_once.calls,
        _by_mode(tls_shapes.MESSAGES, tls_shapes.MESSAGES, tls_shapes.MESSAGES[1:2]),
        _ONCE, _by_mode(*[Times(0, 1)] * 3), _CONNECTIONS, beside=0.5, paired=_ONCE, servers=tls_shapes.SERVERS,
    ),
    Experiment(
        "E20-memory", measures.memory, _by_mode((tls_shapes.IDLE,), (tls_shapes.IDLE,), _states(50)[:1]),
        _by_mode(1, 3, 1), _by_mode(Times(0.4, 0.8), Times(0.5, 1.0), Times(0.05, 0.4)), _CONNECTIONS, beside=2,
        servers=tls_shapes.SERVERS,
    ),
    Experiment(
        "E20-handshakes", measures.churn, _by_mode((tls_shapes.NEW,), (tls_shapes.NEW,), ("connections=10",)),
        _by_mode(1, 6, 1), _by_mode(Times(0.3, 1.0), Times(0.3, 2.0), Times(0.05, 0.3)), _REPLACED, beside=0.6,
        servers=tls_shapes.SERVERS,
    ),
)  # fmt: skip

# Made only where --only names them: they are not about the five.
ON_REQUEST = (*RINGS, *LOOPS, *POOLS, *RESTARTS, *SECRECY)
