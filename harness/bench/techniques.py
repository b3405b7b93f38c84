"""Measures techniques by counts, each in a micro program without a server: E12 herd, E13 two writes, E14 zero copy.

A technique stands in the place of a server in the rows. The programs are in harness/microbench/, and need Linux."""

from __future__ import annotations

from collections.abc import Callable

from bench import microbench
from bench.requests import Request, Taken
from bench.rows import factors

HERD = ("shared", "edge", "exclusive", "one_epoll", "reuseport")
TWO_WRITES = ("apart", "more", "cork", "iovecs", "joined")
COPIES = ("read_write", "splice", "zerocopy")
FRAMES = ("apart", "each", "more", "cork", "mmsg", "iovecs", "joined")
ALL = tuple(dict.fromkeys(HERD + COPIES + FRAMES))

LABELS = {
    "shared": "shared listener",
    "edge": "the same, edge-triggered",
    "exclusive": "the same, EPOLLEXCLUSIVE",
    "one_epoll": "one epoll for all",
    "reuseport": "SO_REUSEPORT",
    "read_write": "recv, send",
    "splice": "splice",
    "zerocopy": "recv, MSG_ZEROCOPY",
    "apart": "header, payload",
    "each": "a send each",
    "more": "MSG_MORE",
    "cork": "TCP_CORK",
    "mmsg": "one sendmmsg",
    "iovecs": "one sendmsg",
    "joined": "joined, one send",
}
# What a bar says of its point, by the factor that is varied.
POINTS: dict[str, Callable[[str], str]] = {
    "workers": lambda count: f" × {count}",
    "nodelay": lambda on: ", TCP_NODELAY" if on == "yes" else ", Nagle",
    "piece": lambda size: f", {size} B",
}
CONNECTIONS = 400  # enough that hashing to 16 workers comes out even, within a factor of two
BATCHES = 50  # each takes 40 ms where it stalls


def label(technique: str, point: str) -> str:
    """The name of a bar."""
    values = factors(point)
    varied = [text(values[name]) for name, text in POINTS.items() if name in values and "frames" not in values]
    return "".join([LABELS[technique], *varied])


def herd(request: Request) -> Taken:
    """E12: connections come one at a time; who wakes up, and who gets them."""
    return _herd(request, 0, "switches", "would_block", "most_share", "waits")


def busy_herd(request: Request) -> Taken:
    """E12: the same, but each connection keeps its worker busy. The wake-ups at their ends would be counted, too."""
    return _herd(request, request.number("busy"), "most_share", "waited")


def _herd(request: Request, busy: int, *figures: str) -> Taken:
    words = ("--workers", request.point["workers"], "--connections", CONNECTIONS, "--busy", busy)
    return microbench.run(
        request, "microbench_herd", {name: name for name in figures}, "--way", request.server, *words
    )


def two_writes(request: Request) -> Taken:
    """E13: one frame, then the wait for its answer."""
    return _sends(request, 1)


def small_frames(request: Request) -> Taken:
    """E14: a batch of frames, then the wait for one answer to all of them."""
    return _sends(request, request.number("frames"))


def _sends(request: Request, frames: int) -> Taken:
    figures = {"calls": "calls", "segments": "segments", "delay": "late", "copied": "copied", "service_p50": "batch_us"}
    words = ("--nodelay", request.point["nodelay"], "--frames", frames, "--batches", BATCHES)
    return microbench.run(request, "microbench_sends", figures, "--way", request.server, *words)


def copies(request: Request) -> Taken:
    """E14: bytes are passed on from one connection to another."""
    figures = {"copied": "copied", "calls_mib": "calls_mib"}
    words = ("--way", request.server, "--piece", request.point["piece"])
    return microbench.run(request, "microbench_relay", figures, *words)
