"""The processes of a run: how they are started, how they end, and that none outlives the run."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Optional

PR_SET_PDEATHSIG = 1  # prctl(2)
LAST_LINES = 3  # of standard error, in the report of a failure


def _find_prctl() -> Optional[Callable[..., int]]:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "prctl", None)


# Looked up here, because a child may do very little between fork and exec.
_prctl = _find_prctl()


def prepare(core: Optional[int]) -> Callable[[], None]:
    """A function for the child to call before exec. The child stays on the core, does not get the terminal's Ctrl-C,
    and is killed when this process ends, also when this process is killed (Linux: PR_SET_PDEATHSIG)."""
    parent = os.getpid()

    def in_child() -> None:
        os.setpgid(0, 0)
        if core is not None:
            os.sched_setaffinity(0, {core})
        if _prctl is not None:
            _prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
            if os.getppid() != parent:  # it had already ended
                os._exit(1)

    return in_child


def ending(status: Optional[int], lines: Sequence[str], when: str = "") -> str:
    """How a process ended, by its status as subprocess has it (None: not yet), and its last lines."""
    if status is None:
        how = "is still running"
    elif status >= 0:
        how = f"ended with exit status {status}"
    elif -status in set(signal.Signals):
        how = f"was ended by {signal.Signals(-status).name}"
    else:
        how = f"was ended by signal {-status}"
    if when and status is not None:
        how = f"{how} {when}"
    return f"{how}, its last lines: {' | '.join(lines[-LAST_LINES:]) or 'none'}"


_clock_of = getattr(ctypes.CDLL(None), "clock_getcpuclockid", None)


def cpu_ns(pid: int) -> Optional[int]:
    """CPU time that a process has used, by clock_getcpuclockid(3): exact, where /proc/PID/schedstat is as
    old as the last tick. None where the system has no such clock, or the process is gone."""
    clock = ctypes.c_int()
    if _clock_of is None or _clock_of(pid, ctypes.byref(clock)) != 0:
        return None
    try:
        return time.clock_gettime_ns(clock.value)
    except OSError:
        return None
