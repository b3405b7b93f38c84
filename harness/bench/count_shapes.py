"""The shapes of E16: the questions of E4 in instructions, which no neighbour and no cache changes."""

from __future__ import annotations

from bench.judging import Place, Ratio, Slope
from bench.shape import PILOTS, Shape

COUNTED = "E16"  # make bench-count makes it


def _counted(server: str, point: str) -> Place:
    return Place(server, f"{point} what=wait")


def _counted_slope(server: str) -> Shape:
    api = server.partition("_")[0]
    places = tuple(_counted(server, f"watched={each} ready=1 place=last") for each in (1000, 9000))
    slope = Slope("instructions", "watched", places, 0.98, 1.02)
    claim = f"{api}, one ready: instructions in proportion to N, slope 0.98 to 1.02 from 1000 watched on"
    return Shape(f"count-slope-{api}", COUNTED, claim, PILOTS, (slope,))


def _counted_flat(server: str) -> Shape:
    many, few = (_counted(server, f"watched={each} ready=1 place=last") for each in (9000, 100))
    claim = f"{server}, one ready: 9000 watched take the instructions of 100, within 1%"
    return Shape(f"count-flat-{server}", COUNTED, claim, PILOTS, (Ratio("instructions", many, few, 0.99, 1.01),))


def _counted_ratio(watched: int, low: float, high: float) -> Shape:
    poll, epoll = (_counted(each, f"watched={watched} ready=1 place=last") for each in ("poll_srv", "epoll_lt"))
    claim = f"one of {watched} ready: instructions of a poll / an epoll wait (level) {low:g} to {high:g}"
    return Shape(f"count-ratio-{watched}", COUNTED, claim, PILOTS, (Ratio("instructions", poll, epoll, low, high),))


def _counted_cycle(name: str, ready: int, low: float, high: float) -> Shape:
    poll, epoll = (Place(each, f"watched=9000 ready={ready} what=cycle") for each in ("poll_srv", "epoll_lt"))
    claim = f"{ready} of 9000 ready, whole cycle: instructions of poll / epoll (level) {low:g} to {high:g}"
    return Shape(f"count-cycle-{name}", COUNTED, claim, PILOTS, (Ratio("instructions", poll, epoll, low, high),))


def _counted_same() -> Shape:
    sockets, duplicates = (_counted("poll_srv", f"watched=16000 ready=0 of={of}") for of in ("sockets", "duplicates"))
    claim = "poll: 16000 sockets take the instructions of 16000 duplicates of one, within 1%"
    return Shape("count-same", COUNTED, claim, PILOTS, (Ratio("instructions", sockets, duplicates, 0.99, 1.01),))


def _counted_block() -> Shape:
    sleeps = Place("poll_srv", "watched=1000 ready=0 what=block")
    returns = _counted("poll_srv", "watched=1000 ready=0 of=sockets")
    claim = "poll, 1000 watched, none ready: a call that sleeps executes 2.7 to 3.3 times as many instructions"
    return Shape("count-block", COUNTED, claim, PILOTS, (Ratio("instructions", sleeps, returns, 2.7, 3.3),))


SHAPES: tuple[Shape, ...] = (
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
