"""The shapes of E17: what io_uring saves in calls, and what that does to the CPU time of a message."""

from __future__ import annotations

from bench.judging import Place, Ratio, Value
from bench.shape import GOAL, PILOTS, Shape, limits_text

READINESS, RING = SERVERS = ("epoll_et", "uring")
AT_ONCE = tuple(f"connections={each}" for each in (1, 3, 10, 30, 100, 300))
ONE, TEN, HUNDRED, THOUSAND = (f"connections={each}" for each in (1, 10, 100, 1000))
BESIDE_IDLE = f"{HUNDRED} idle=10000"
LARGE = "payload=16384 connections=100"
MESSAGES = (ONE, TEN, HUNDRED, THOUSAND, BESIDE_IDLE, LARGE)
IDLE = "state=idle connections=4000"


def _calls(server: str, batch: int, low: float, high: float, limits_from: str) -> Shape:
    claim = f"{server}, {batch} ready at once: {limits_text(low, high)} system calls a message"
    part = Value("calls", Place(server, f"connections={batch}"), low, high)
    return Shape(f"{server}-calls-{batch}", "E17-calls", claim, limits_from, (part,))


def _cpu(name: str, point: str, high: float) -> Shape:
    claim = f"{point}: uring takes {limits_text(0, high)} times the CPU time of epoll_et a message"
    part = Ratio("server_cpu", Place(RING, point), Place(READINESS, point), 0, high)
    return Shape(f"uring-cpu-{name}", "E17", claim, GOAL, (part,))


def _memory(name: str, column: str, high: int, whose: str) -> Shape:
    claim = f"uring: an idle connection takes at most {high} bytes of {whose}"
    return Shape(f"uring-idle-{name}", "E17-memory", claim, GOAL, (Value(column, Place(RING, IDLE), 0, high),))


SHAPES: tuple[Shape, ...] = (
    # A wait, a receive and a send; of a batch the wait is one for all (epoll(7)).
    _calls(READINESS, 1, 2.9, 3.1, PILOTS),
    _calls(READINESS, 100, 2, 2.1, PILOTS),
    # One call submits and waits (io_uring_enter(2)): one brings the message, one takes the echo.
    _calls(RING, 1, 0, 2, GOAL),
    _calls(RING, 10, 0, 0.35, GOAL),
    _calls(RING, 100, 0, 0.06, GOAL),
    _cpu("1", ONE, 1.15),
    _cpu("10", TEN, 1.06),
    _cpu("100", HUNDRED, 1),
    _cpu("1000", THOUSAND, 1),
    _cpu("idle", BESIDE_IDLE, 1),
    _cpu("16k", LARGE, 1.1),
    _memory("process", "server_bytes", 160, "the process"),
    _memory("kernel", "ring_bytes", 900, "the kernel, besides its socket"),
)
