"""The shapes of E12 to E14: techniques whose effect is counted."""

from __future__ import annotations

from bench.judging import ENDLESS, Place, Ratio, Value
from bench.shape import PILOTS, SOURCE, Shape, limits_text


def _counted(name: str, experiment: str, column: str, server: str, points: tuple[str, ...], low: float, high: float,
             claim: str, limits_from: str = PILOTS) -> Shape:  # fmt: skip
    parts = tuple(Value(column, Place(server, point), low, high) for point in points)
    return Shape(name, experiment, claim, limits_from, parts)


def _wakes_all(server: str) -> Shape:
    parts = tuple(
        Value("switches", Place(server, f"workers={workers}"), 0.95 * workers, 1.05 * workers) for workers in (8, 16)
    )
    claim = f"{server}: one connection wakes all workers, 8 or 16, within 5%"
    return Shape(f"herd-{server}", "E12", claim, SOURCE, parts)


def _wakes(server: str, low: float, high: float) -> Shape:
    claim = f"{server}: {low} to {high} wake-ups a connection with 8 and with 16 workers"
    return _counted(f"herd-{server}", "E12", "switches", server, ("workers=8", "workers=16"), low, high, claim)


def _share(server: str, low: float, high: float) -> Shape:
    claim = f"{server}: the busiest of 8 workers that have nothing else to do gets {low} to {high} of the connections"
    return _counted(f"share-{server}", "E12", "most_share", server, ("workers=8",), low, high, claim)


_FOUR_BUSY = "workers=8 busy=4"


def _segments(way: str, expected: float) -> Shape:
    claim = f"header and payload, {way}: segments a message {expected}, with and without TCP_NODELAY"
    points = ("nodelay=no", "nodelay=yes")
    return _counted(f"segments-{way}", "E13", "segments", way, points, 0.95 * expected, 1.05 * expected, claim,
                    SOURCE)  # fmt: skip


def _copies(way: str, low: float, high: float, why: str) -> Shape:
    times = f"{high}" if low == high else f"{low} to {high}"
    claim = f"{way}: each byte is copied {times} times, {why}"
    return _counted(f"copies-{way}", "E14-copy", "copied", way, ("piece=16384", "piece=65536"), low, high, claim,
                    SOURCE)  # fmt: skip


def _relay_calls(name: str, way: str, piece: int, low: float, high: float) -> Shape:
    point = f"piece={piece}"
    ratio = Ratio("calls_mib", Place(way, point), Place("read_write", point), low, high)
    claim = f"pieces of {piece} bytes: {way} makes {limits_text(low, high)} times the calls of recv and send"
    return Shape(name, "E14-copy", claim, PILOTS, (ratio,))


def _frames(way: str, calls: float, segments: float) -> Shape:
    place = Place(way, "frames=16 nodelay=yes")
    parts = (
        Value("calls", place, 0.95 * calls, 1.05 * calls),
        Value("segments", place, 0.95 * segments, 1.05 * segments),
    )
    claim = f"16 frames, {way}: calls a frame {calls:g}, segments {segments:g}, within 5%"
    return Shape(f"frames-{way}", "E14-frames", claim, SOURCE, parts)


SHAPES: tuple[Shape, ...] = (
    # By default every epoll instance that watches a listener is told of a connection, with EPOLLEXCLUSIVE "one or more"
    # of them (epoll_ctl(2)). With SO_REUSEPORT a hash chooses one listener (socket(7)). How many wake up where all wait
    # on one instance is from pilot runs.
    _wakes_all("shared"),
    _wakes_all("edge"),
    _wakes("exclusive", 0.95, 1.25),
    _wakes("one_epoll", 1.5, 3),
    _wakes("reuseport", 0.95, 1.25),
    # One worker takes the load, and hashing spreads it (Majkowski 2017). By chance alone the busiest of 8 workers gets
    # more than a quarter of 400 connections in less than one run of a million.
    _share("exclusive", 0.95, 1),
    _share("reuseport", 0.125, 0.25),
    # A busy worker does not wait, so the next one gets the connection. A hash knows nothing of that: three others are
    # open when a connection comes, and they are with 8 (1 - (7/8)^3) = 2.6 workers of 8 in the mean, which is a third.
    _counted("busy-exclusive", "E12-load", "waited", "exclusive", (_FOUR_BUSY,), 0, 0.01,
             "exclusive, up to 4 of 8 workers busy: at most 0.01 of the connections wait although a worker is idle"),
    _counted("busy-reuseport", "E12-load", "waited", "reuseport", (_FOUR_BUSY,), 0.2, 0.45,
             "reuseport, up to 4 of 8 workers busy: 0.2 to 0.45 of the connections wait although a worker is idle"),
    _counted("spread-exclusive", "E12-load", "most_share", "exclusive", (_FOUR_BUSY,), 0.2, 0.3,
             "exclusive, 4 connections open at a time: 4 of 8 workers share them, the busiest gets 0.2 to 0.3"),
    # Nagle's algorithm holds the payload until the header is acknowledged (RFC 896), and the receiver delays that by up
    # to 40 ms, since it has no answer to send (RFC 1122, 4.2.3.2; tcp(7)). The first messages are excepted: 0.9.
    _counted("stall-apart", "E13", "delay", "apart", ("nodelay=no",), 0.9, 1,
             "header and payload apart: at least 0.9 of the messages take 20 ms or longer"),
    _counted("stall-nodelay", "E13", "delay", "apart", ("nodelay=yes",), 0, 0.05,
             "header and payload apart, TCP_NODELAY: at most 0.05 of the messages take 20 ms or longer"),
    _counted("stall-more", "E13", "delay", "more", ("nodelay=no",), 0, 0.05,
             "MSG_MORE in place of TCP_NODELAY: at most 0.05 of the messages take 20 ms or longer"),
    _segments("apart", 2),
    _segments("more", 1),
    _segments("iovecs", 1),
    _segments("joined", 1),
    # recv and send copy once each; splice passes pages on (splice(2)). What stays on the machine is copied in spite of
    # MSG_ZEROCOPY (the kernel's msg_zerocopy.rst).
    _copies("read_write", 2, 2, "in and out of the program"),
    _copies("splice", 0, 0, "since the page itself is passed on"),
    _copies("zerocopy", 1.9, 2, "since loopback copies what should not be copied"),
    # A pipe has 16 slots, and a small frame takes up one (pipe(7): 16 pages by default). MSG_ZEROCOPY has a third call,
    # which fetches the news of its end. The limits are from pilot runs.
    _relay_calls("splice-large", "splice", 16384, 0.9, 1.1),
    _relay_calls("splice-small", "splice", 68, 2, ENDLESS),
    _relay_calls("zerocopy-calls", "zerocopy", 16384, 1.3, ENDLESS),
    # By the meaning of the calls: without Nagle's algorithm, each call that does not say "more" makes a segment.
    _frames("apart", 2, 2),
    _frames("each", 1, 1),
    _frames("mmsg", 1 / 16, 1),
    _frames("more", 2, 1 / 16),
    _frames("cork", 2 + 2 / 16, 1 / 16),
    _frames("iovecs", 1 / 16, 1 / 16),
    _frames("joined", 1 / 16, 1 / 16),
)
