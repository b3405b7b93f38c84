"""The shapes of E20: what TLS costs a message, a connection that is idle, and one that is new."""

from __future__ import annotations

from bench.judging import ENDLESS, Place, Ratio, Value
from bench.shape import GOAL, PILOTS, Shape, limits_text

PLAIN, TLS = SERVERS = ("epoll_lt", "tls")  # the same loop, with another transport
MESSAGES = ("payload=64 connections=1", "payload=64 connections=100", "payload=16384 connections=100")
IDLE = "state=idle connections=1000"
NEW = "connections=8"


def _calls(name: str, point: str, low: float, high: float, limits_from: str) -> Shape:
    claim = f"tls, {point}, a message ready on each: {limits_text(low, high)} system calls a message"
    return Shape(name, "E20-calls", claim, limits_from, (Value("calls", Place(TLS, point), low, high),))


def _cpu(name: str, experiment: str, point: str, low: float, high: float, limits_from: str) -> Shape:
    claim = f"{point}: {limits_text(low, high)} times the CPU time of epoll_lt a message"
    part = Ratio("server_cpu", Place(TLS, point), Place(PLAIN, point), low, high)
    return Shape(name, experiment, claim, limits_from, (part,))


SHAPES: tuple[Shape, ...] = (
    # A wait, a recv and a send, as without TLS. Read-ahead and the short-read stop make it so: a record's header is not
    # received apart from its body, and no recv returns EAGAIN.
    _calls("tls-calls-1", MESSAGES[0], 2.9, 3.1, PILOTS),
    _calls("tls-calls-100", MESSAGES[1], 0, 2.1, GOAL),
    # With its header such a frame is two records, each of which is sent by a call of its own.
    _calls("tls-calls-16k", MESSAGES[2], 0, 3.2, PILOTS),
    _cpu("tls-cpu-64", "E20", MESSAGES[1], 1, 2.3, GOAL),
    _cpu("tls-cpu-16k", "E20", MESSAGES[2], 1, 5, GOAL),
    Shape(
        "tls-idle-memory", "E20-memory", "tls: at most 14.5 KiB of the process for an idle connection", GOAL,
        (Value("server_bytes", Place(TLS, IDLE), 0, 14.5 * 1024),),
    ),
    # Pilots: half a millisecond for a handshake with P-256.
    _cpu("tls-handshake", "E20-handshakes", NEW, 5, ENDLESS, PILOTS),
)  # fmt: skip
