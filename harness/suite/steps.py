"""What a test has done so far, to be printed when it fails."""

from __future__ import annotations

import time

_steps: list[str] = []
_began = time.monotonic()


def begin() -> None:
    """Forgets the steps of the test before."""
    global _began
    _steps.clear()
    _began = time.monotonic()


def note(text: str) -> None:
    _steps.append(f"{time.monotonic() - _began:8.3f}s  {text}")


def report(most: int = 60) -> str:
    """The steps, one a line; of many only the last ones."""
    left_out = len(_steps) - most
    head = [f"          … {left_out} steps before"] if left_out > 0 else []
    return "\n".join(head + _steps[-most:])
