"""SIGTERM, Ctrl-C and a terminal that is closed end a grader in order: first the processes of the submission, then the
directory that the grader works in (scratch.py). A second signal is not heard: it would leave what the first one is
clearing away."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType

from grader.listeners import descendants

HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ENDS_WITHIN = 10.0  # seconds, for the kernel to end what was killed


class Ended(BaseException):
    """By a signal. It is no Exception, so that nobody takes it for a fault of the grader."""

    def __init__(self, number: int):
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.status = 128 + number  # as of a shell


came: list[int] = []  # the signal, once it has come


@contextlib.contextmanager
def heard(first: Callable[[], object]) -> Iterator[None]:
    """In the main thread. The signal raises Ended there, and `first` is called before. Whoever has started us with a
    signal ignored, as a shell does for what runs in the background, goes on ignoring it."""
    before = {number: signal.getsignal(number) for number in HEARD}

    def ends(number: int, _: FrameType | None) -> None:
        deafen()
        came.append(number)
        first()
        raise Ended(number)

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, ends)
    try:
        yield
    finally:
        came.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


def deafen() -> None:
    """From now on nothing interrupts. Not by SIG_IGN, which the programs that we start would inherit."""
    for number in HEARD:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def end_descendants() -> None:
    """Those that the interrupted code has not ended: one that was just being started, for example."""
    until = time.monotonic() + ENDS_WITHIN
    while (left := descendants(os.getpid())[1:]) and time.monotonic() < until:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        time.sleep(0.01)
