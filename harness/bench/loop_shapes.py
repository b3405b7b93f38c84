"""The shapes of E18: who wakes up for a peer that one of several loops accepts, and how peers spread."""

from __future__ import annotations

from bench.judging import Place, Value
from bench.shape import GOAL, PILOTS, SOURCE, Shape

TRICKLE = "loops=16 connections=200 pace=trickle"
BURST = "loops=4 connections=2000 pace=burst"
POINTS = (TRICKLE, BURST)


def _one(name: str, column: str, way: str, point: str, low: float, high: float, claim: str, limits_from: str) -> Shape:
    return Shape(name, "E18", claim, limits_from, (Value(column, Place(f"loops_{way}", point), low, high),))


def _wakes(way: str, low: float, high: float, limits_from: str) -> Shape:
    claim = f"{way}: {low:g} to {high:g} sleeps end for one peer, with 16 loops"
    return _one(f"loops-wake-{way}", "switches", way, TRICKLE, low, high, claim, limits_from)


SHAPES: tuple[Shape, ...] = (
    # "All the processes", or with EPOLLEXCLUSIVE "one or more" of them (epoll_ctl(2)); one listener by a hash
    # (socket(7)). A peer that is handed over wakes the thread that accepts and the loop that serves.
    _wakes("shared", 15.2, 17.6, SOURCE),
    _wakes("exclusive", 0.95, 1.25, SOURCE),
    _wakes("reuseport", 0.95, 1.75, PILOTS),
    _wakes("handed", 1.9, 2.75, PILOTS),
    # What the program sees: far fewer waits return than sleeps end.
    _one("loops-herd-hides", "waits", "shared", TRICKLE, 1, 4,
         "shared: at most 4 waits return for one peer, although all 16 loops wake up", PILOTS),
    _one("loops-share-exclusive", "most_share", "exclusive", TRICKLE, 0.95, 1,
         "exclusive: one loop of 16 that have nothing else to do gets at least 0.95 of the peers", PILOTS),
    _one("loops-share-handed", "most_share", "handed", BURST, 0.25, 0.25,
         "handed: each of 4 loops gets exactly a quarter of 2,000 peers", GOAL),
    # If the loop with most has 1.4 times the peers of the one with least, its share is 1.4/4.4 at most.
    _one("loops-share-reuseport", "most_share", "reuseport", BURST, 0.25, 1.4 / 4.4,
         "reuseport: the loop with most of 2,000 peers gets at most 0.318, as if most/least were 1.4", GOAL),
)  # fmt: skip
