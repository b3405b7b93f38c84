"""Knows when nothing more will come from a program. A clock alone would fail honest work on a busy machine. So what
counts is that the program sleeps, how much it has computed, or how often it woke up for nothing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from suite import kernel

ASLEEP = "STtZX"  # proc(5): it sleeps, is stopped, is stopped by a tracer, has ended
SILENCE = 0.6  # seconds in which it sleeps and does not run once
LOOK_EVERY = 0.02  # seconds
WAKES = 25  # for nothing
MUCH = 1.0  # seconds of processor time
STILL_LOOKS = 20  # one every two milliseconds
STOPPED = "it has stopped itself"


class Stillness:
    """Begins anew whenever something has moved. `silence`: how long a right program may sleep before it goes on by
    itself, as for a timeout. `around`: what else may move, such as bytes in the kernel; asked seldom."""

    def __init__(self, pid: int, silence: float = SILENCE, around: Callable[[], object] = lambda: None,
                 computes: float = MUCH):
        self.pid = pid
        self.silence = silence
        self._around = around
        self._computes = computes  # seconds of processor time that a right program may need at once
        self._seen: object = self  # differs from whatever moves
        self._state: object = None
        self._begin()

    def _begin(self) -> None:
        self._looked = self._since = self._asleep = time.monotonic()
        self._cpu = cpu_seconds(self.pid)
        self._ran: int | None = None
        self._wakes = 0

    def look(self, moved: object) -> str:
        """Why nothing will come; "" as long as something may. `moved` differs whenever something has moved."""
        if moved != self._seen:
            self._seen = moved
            self._begin()
            return ""
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY:
            return ""
        self._looked = now
        return self._sleeps(now) or self._does_nothing(now)

    def _sleeps(self, now: float) -> str:
        ran = runs(self.pid)
        if ran is None or ran != self._ran:
            self._wakes += ran is not None and self._ran is not None
            self._ran, self._asleep = ran, now
            return ""
        if now - self._asleep <= self.silence:
            return ""
        state = self._around()
        if state != self._state:
            self._state, self._asleep = state, now
            return ""
        return STOPPED if stopped(self.pid) else "it sleeps"

    def _does_nothing(self, now: float) -> str:
        if self._wakes >= WAKES and now - self._since > 5 * self.silence:
            return "it wakes up again and again"
        if cpu_seconds(self.pid) - self._cpu > self._computes:
            return f"it has used {self._computes:.0f} s of processor time for nothing"
        return ""


def runs(pid: int) -> int | None:
    """As kernel.ran: how often its threads have run, if none of them runs now. Who has ended or stopped does not run
    either. A stop by strace(1) looks the same for a moment: so strace has to sleep, and its runs count as well."""
    try:
        tracers = [_tracer(task) for task in kernel.threads(pid) if kernel.letter(task) == "t"]
    except OSError:  # one of them has just ended
        return None
    times = [kernel.ran(pid, ASLEEP), *map(kernel.ran, tracers)]
    return None if None in times else sum(filter(None, times))


def stopped(pid: int) -> bool:
    """Of one that does not run: has a thread of it stopped?"""
    with contextlib.suppress(OSError):
        return any(kernel.letter(task) in ("T", "t") for task in kernel.threads(pid))
    return False


def _tracer(task: Path) -> int:
    lines = (task / "status").read_text(errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("TracerPid:"))


def rests(pid: int) -> bool:
    """Does it not run in two looks in a row, nor in between?"""
    return kernel.rests(pid, runs)


def cpu_seconds(pid: int) -> float:
    """Of a process and of its descendants that live."""
    used = 0
    with contextlib.suppress(OSError, IndexError):  # one of them has just ended
        for task in kernel.threads(pid):
            used += int((task / "schedstat").read_text().split()[0])
    return used / 1e9


def stays_asleep(pid: int) -> bool | None:
    """Does it sleep in many looks in a row, without having run in between? None: it did not sleep at first."""
    before = runs(pid)
    if before is None:
        return None
    for _ in range(STILL_LOOKS):
        time.sleep(0.002)
        if runs(pid) != before:
            return False
    return True
