"""Waiting for a state, never for a time."""

from __future__ import annotations

import os
import time
from typing import Callable, TypeVar

Value = TypeVar("Value")

# How long a test waits for what must happen. It is no measure of speed: only a failing test waits so
# long, and a loaded machine must not make a passing one fail.
PATIENCE = float(os.environ.get("SUITE_PATIENCE", "20"))


def until(condition: Callable[[], Value], what: str, patience: float = PATIENCE) -> Value:
    """Returns the first true value of condition(); fails with `what` when none comes."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {patience:.0f} s in vain for: {what}"
        time.sleep(0.002)
