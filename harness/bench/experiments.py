"""The experiments: which points, how often, how long. docs/experiments.md says why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from suite import servers

from bench import measures, microbench, techniques
from bench.requests import Request, Taken, Times
from bench.results import MODES
from bench.rows import point
from bench.statistics import POLICIES

WITHOUT_CEILING = servers.having(ceiling="none")
WITH_MICROBENCH = tuple(kind.name for kind in servers.KINDS if kind.microbench != "none")

RATE = 2000  # requests a second; every server can answer them, also poll with 18,000 connections
LIMIT = 10_000  # microseconds: a capacity is the highest rate with the p99 of response below this


@dataclass(frozen=True)
class Experiment:
    name: str
    measure: Callable[[Request], Taken]
    points: dict[str, tuple[str, ...]]  # by mode
    repeats: dict[str, int]
    times: dict[str, Times]
    descriptors: Callable[[dict[str, str]], int]  # that one process needs at a point, besides its own
    beside: float  # seconds of a run besides the measured ones, about
    loads: int = 1  # of one run, about
    servers: tuple[str, ...] = servers.ALL
    programs: tuple[str, ...] = ()  # micro programs instead of servers

    def seconds(self, mode: str) -> float:
        """A first guess at how long one run takes."""
        times = self.times[mode]
        return self.loads * (times.warmup + times.duration + self.beside)


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


def _by_mode(quick: object, full: object, smoke: object) -> dict:
    return dict(zip(MODES, (quick, full, smoke)))


def _each(name: str, *values: int, **fixed: object) -> tuple[str, ...]:
    return tuple(point(**{name: value}, **fixed) for value in values)


def _idle(active: int, *values: int) -> tuple[str, ...]:
    return tuple(point(idle=idle, active=active) for idle in values)


def _active(idle: int, *values: int) -> tuple[str, ...]:
    return tuple(point(idle=idle, active=active) for active in values)


def _cycle(watched: int, *ready: int) -> tuple[str, ...]:
    return tuple(point(watched=watched, ready=each) for each in ready)


def _wait(place: str, *watched: int) -> tuple[str, ...]:
    return tuple(point(watched=each, ready=1, place=place) for each in watched)


def _numbered(*first: int) -> tuple[str, ...]:
    return tuple(point(watched=8, ready=1, place="last", **{"from": each}) for each in first)


def _chain(*pairs: int) -> tuple[str, ...]:
    """Every point has the same number of writes, so that a curve shows the cost of a pair."""
    return tuple(
        point(pairs=each, active=active, writes=writes) for each in pairs for active, writes in ((1, 100), (100, 1000))
    )


def _states(connections: int) -> tuple[str, ...]:
    return tuple(point(connections=connections, state=state) for state in ("idle", "inflight"))


_OFTEN = _by_mode(3, 6, 1)
_ONCE = _by_mode(1, 2, 1)  # counts and sizes hardly differ between runs
_LOAD = _by_mode(Times(0.25, 0.45), Times(0.3, 0.6), Times(0.05, 0.15))
_SHORT = _by_mode(Times(0.15, 0.35), Times(0.2, 0.4), Times(0.05, 0.2))
# Long enough for two snapshots of the server, also on a busy machine.
_LOOKED_AT = _by_mode(Times(0.25, 0.45), Times(0.3, 0.6), Times(0.05, 0.4))
# A wake-up with thousands of events takes tens of milliseconds. Only a run with many of them is steady.
_LONG = _by_mode(Times(0.5, 0.6), Times(0.6, 0.8), Times(0.05, 0.4))
_MICRO = _by_mode(Times(0, 0.15), Times(0, 0.25), Times(0, 0.02))
_COUNTED = _by_mode(*[Times(0, 0.2)] * 3)  # about: such a program ends when it has counted
_SIXTEEN = _each("frames", 16, nodelay="yes")

ALL = (
    Experiment(
        "E1",
        measures.all_active,
        _by_mode(
            _each("connections", 10, 1000, 10000),
            _each("connections", 10, 100, 1000, 3000, 10000, 19000),
            _each("connections", 2, 10),
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
            _idle(8, 0, 1000, 2000, 8000, 16000),
            _idle(8, 0, 100, 1000, 2000, 4000, 8000, 16000, 18000) + _idle(100, 0, 4000, 16000),
            _idle(8, 0, 100),
        ),
        _OFTEN,
        _LOAD,
        _IDLE_AND_ACTIVE,
        beside=0.4,
    ),
    Experiment(
        "E3-rate",
        measures.fixed_rate,
        _by_mode(
            _each("connections", 100, 10000, rate=RATE),
            _each("connections", 10, 1000, 4000, 10000, 18000, rate=RATE),
            _each("connections", 10, 50, rate=RATE),
        ),
        _OFTEN,
        _by_mode(Times(0.2, 0.5), Times(0.2, 2.0), Times(0.05, 0.15)),  # full: 3 runs together have a p99.9
        _CONNECTIONS,
        beside=0.3,
    ),
    Experiment(
        "E3-capacity",
        measures.capacity,
        _by_mode(
            _each("connections", 8000, limit=LIMIT),
            _each("connections", 1000, 8000, limit=LIMIT),
            _each("connections", 10, limit=LIMIT),
        ),
        _by_mode(1, 6, 1),
        _SHORT,
        _CONNECTIONS,
        beside=0.3,
        loads=7,
    ),
    Experiment(
        "E4-wait",
        microbench.one_wait,
        _by_mode(
            _wait("last", 100, 1000, 4000, 16000),
            _wait("last", 100, 300, 1000, 2000, 4000, 9000, 16000, 18000) + _wait("first", 1000, 16000),
            _wait("last", 10, 100),
        ),
        _OFTEN,
        _MICRO,
        _WATCHED,
        beside=0.3,
        servers=WITH_MICROBENCH,
        programs=("microbench_wait",),
    ),
    Experiment(
        "E4-cycle",
        microbench.one_cycle,
        _by_mode(
            _cycle(9000, 1, 90, 900, 9000),
            _cycle(9000, 1, 9, 90, 900, 4500, 9000)
            + _cycle(1000, 1, 10, 1000)
            + _cycle(16000, 1, 160, 16000),
            _cycle(100, 1, 100),
        ),
        _OFTEN,
        _MICRO,
        _WATCHED,
        beside=0.4,
        servers=WITH_MICROBENCH,
        programs=("microbench_wait",),
    ),
    Experiment(
        "E5",
        measures.calls_a_message,
        _by_mode(_each("connections", 1, 100), _each("connections", 1, 100), _each("connections", 1)),
        _ONCE,
        _SHORT,
        _CONNECTIONS,
        beside=0.2,
        servers=servers.ALL + POLICIES,
        programs=("microbench_calls",),
    ),
    Experiment(
        "E6",
        measures.batching,
        _by_mode(
            _active(8000, 1, 100, 1000), _active(8000, 1, 10, 100, 1000, 3000), _active(100, 1, 10)
        ),
        _OFTEN,
        _LONG,
        _IDLE_AND_ACTIVE,
        beside=0.4,
        servers=WITHOUT_CEILING,
    ),
    Experiment(
        "E7",
        microbench.chain,
        _by_mode(_chain(100, 1000, 4000), _chain(100, 300, 1000, 3000, 9000), _chain(100)),
        _OFTEN,
        _MICRO,
        _BOTH_ENDS,
        beside=0.2,
        servers=WITH_MICROBENCH,
        programs=("microbench_chain",),
    ),
    Experiment(
        "E8",
        measures.memory,
        _by_mode(
            _states(1000),
            _states(1000) + _states(10000),
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
        _by_mode(_each("connections", 100), _each("connections", 10, 100, 1000), _each("connections", 10)),
        _OFTEN,
        _LOOKED_AT,
        _REPLACED,
        beside=0.2,
    ),
    Experiment(
        "E10",
        measures.large_frames,
        _by_mode(
            _each("payload", 64, 16384, 65536, 200000, 1048576, connections=10),
            _each("payload", 64, 1024, 4096, 16384, 65536, 200000, 1048576, connections=10),
            _each("payload", 64, 65536, connections=2),
        ),
        _OFTEN,
        _LOOKED_AT,
        _CONNECTIONS,
        beside=0.2,
    ),
    Experiment(
        "E11",
        microbench.high_numbers,
        _by_mode(_numbered(100, 1000, 16000), _numbered(100, 300, 1000, 4000, 9000, 16000), _numbered(100)),
        _OFTEN,
        _MICRO,
        _HIGHEST,
        beside=0.2,
        servers=WITH_MICROBENCH,
        programs=("microbench_wait",),
    ),
    Experiment(
        "E12",
        techniques.herd,
        _by_mode(_each("workers", 2, 8, 16), _each("workers", 2, 4, 8, 16), _each("workers", 2)),
        _ONCE,
        _COUNTED,
        _WORKERS,
        beside=0.1,
        servers=techniques.HERD,
        programs=("microbench_herd",),
    ),
    Experiment(
        "E12-load",
        techniques.busy_herd,
        _by_mode(*[_each("workers", 8, busy=4)] * 3),
        _ONCE,
        _COUNTED,
        _WORKERS,
        beside=0.1,
        servers=techniques.HERD,
        programs=("microbench_herd",),
    ),
    Experiment(
        "E13",
        techniques.two_writes,
        _by_mode(("nodelay=no", "nodelay=yes"), ("nodelay=no", "nodelay=yes"), ("nodelay=yes",)),
        _ONCE,
        _COUNTED,
        _FEW,
        beside=0.1,
        servers=techniques.TWO_WRITES,
        programs=("microbench_sends",),
    ),
    Experiment(
        "E14-copy",
        techniques.copies,
        _by_mode(_each("piece", 68, 16384, 65536), _each("piece", 68, 1024, 4096, 16384, 65536), _each("piece", 16384)),
        _ONCE,
        _COUNTED,
        _FEW,
        beside=0.1,
        servers=techniques.COPIES,
        programs=("microbench_relay",),
    ),
    Experiment(
        "E14-frames",
        techniques.small_frames,
        _by_mode(_SIXTEEN, _SIXTEEN, _SIXTEEN),
        _ONCE,
        _COUNTED,
        _FEW,
        beside=0.1,
        servers=techniques.FRAMES,
        programs=("microbench_sends",),
    ),
)
