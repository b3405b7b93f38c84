"""The shapes of E21: how many connections a restart loses."""

from __future__ import annotations

from bench.judging import ENDLESS, Place, Value
from bench.shape import GOAL, PILOTS, SOURCE, Shape

POINT = "restarts=100 peers=8"


def _lost(way: str, low: float, high: float, claim: str, limits_from: str) -> Shape:
    return Shape(f"restart-{way}", "E21", claim, limits_from, (Value("lost", Place(way, POINT), low, high),))


SHAPES: tuple[Shape, ...] = (
    _lost("stop_start", 10, ENDLESS, "stop, then start: at least 10 connections are lost a restart", PILOTS),
    # The kernel resets what waits in the queue of a listener that is closed (listen(2); LWN 542629 on SO_REUSEPORT).
    _lost("two_listeners", 0.2, 30, "SO_REUSEPORT, new one first: 0.2 to 30 are lost, of the old one's queue", SOURCE),
    _lost("drained", 0, 1, "the queue served before the close: at most 1 is lost", PILOTS),
    _lost("handed", 0, 0, "the listening socket handed on: none is lost in 100 restarts", GOAL),
)
