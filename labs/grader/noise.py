"""Was the machine busy with something else while an item was graded? Then a failure is tried again before it counts."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bench.steal import Watch

PRESSURE = Path("/proc/pressure/cpu")
WAITED = 0.2  # of the time: some process had to wait for a processor


class Noise:
    """From its making on."""

    def __init__(self) -> None:
        self._steal = Watch()
        self._began, self._waited = time.monotonic(), _waited()

    def seen(self) -> str:
        """In words; empty for a quiet machine."""
        passed, waited = time.monotonic() - self._began, _waited()
        if waited is None or self._waited is None:
            running = os.getloadavg()[0]
            if running > (os.cpu_count() or 1):
                return f"{running:.0f} processes wanted to run"
        elif passed > 0 and (waited - self._waited) / passed > WAITED:
            return f"processes waited for a processor {100 * (waited - self._waited) / passed:.0f}% of the time"
        return self._steal.disturbed()


def _waited() -> float | None:
    """Seconds since the machine was started in which some process waited for a processor (PSI)."""
    try:
        return int(PRESSURE.read_text().split()[4].removeprefix("total=")) / 1e6
    except (OSError, IndexError, ValueError):
        return None
