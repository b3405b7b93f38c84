"""Steal time: what the hypervisor took from this machine (proc_stat(5))."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

LIMIT = 1.0  # percent of the machine's time; the load generator judges its own runs by the same
_STAT = Path("/proc/stat")
_STEAL = 7  # of the times of all processors: user nice system idle iowait irq softirq steal


def _ticks() -> Optional[tuple[int, int]]:
    """All, and stolen, since the machine was started; None where the system does not say."""
    try:
        times = [int(word) for word in _STAT.read_text().splitlines()[0].split()[1:]]
        return sum(times[: _STEAL + 1]), times[_STEAL]
    except (OSError, ValueError, IndexError):
        return None


class Watch:
    """From its making on."""

    def __init__(self) -> None:
        self._began = _ticks()

    def disturbed(self) -> str:
        """In the words of the load generator; empty if less than the limit was stolen so far, or if the system does not
        say."""
        now = _ticks()
        if self._began is None or now is None or now[0] <= self._began[0]:
            return ""
        percent = 100 * (now[1] - self._began[1]) / (now[0] - self._began[0])
        if percent <= LIMIT:
            return ""
        return f"steal: {percent:.2f}% of the machine's time went to others (limit {LIMIT:g}%)"
