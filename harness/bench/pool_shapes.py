"""The shapes of E19: what a pool of threads costs a message, and from how much work on it pays."""

from __future__ import annotations

from bench.judging import ENDLESS, Place, Ratio, Value
from bench.shape import GOAL, PILOTS, Shape, limits_text


def _calls(way: str, connections: int, low: float, high: float) -> Shape:
    value = Value("calls", Place(way, f"connections={connections}"), low, high)
    claim = f"{way}, {connections} connections: {limits_text(low, high)} system calls a message"
    return Shape(f"calls-{way}-{connections}", "E19-calls", claim, GOAL, (value,))


def _against_one_loop(name: str, way: str, work: int, low: float, high: float, limits_from: str) -> Shape:
    above, below = (Place(each, f"work={work} connections=16") for each in (way, "one_loop"))
    claim = f"{way}, {work} us of work a message: {limits_text(low, high)} times the rate of one loop"
    return Shape(name, "E19", claim, limits_from, (Ratio("throughput", above, below, low, high),))


SHAPES: tuple[Shape, ...] = (
    # By the meaning of the calls: the wait, recv, send and the re-arming. With many connections a wait of one loop, or
    # of a dispatcher, reports several. Waking a worker takes a futex call of each side; a pool on one connection pays
    # for a few more, where two threads want the lock of the queue at once.
    _calls("one_loop", 1, 3.9, 4.1),
    _calls("one_loop", 100, 2.9, 3.2),
    _calls("pool", 1, 5.5, 7.2),
    _calls("pool", 100, 3, 3.5),
    _calls("one_for_all", 1, 3.9, 4.1),
    _calls("one_for_all", 100, 3.9, 4.2),
    # The client has a share of the same two cores: the less work a message has, the larger.
    _against_one_loop("pool-without-work", "pool", 0, 0, 1, PILOTS),
    _against_one_loop("pool-little-work", "pool", 5, 0, 1.05, PILOTS),
    _against_one_loop("pool-with-work", "pool", 100, 1.3, ENDLESS, GOAL),
)
