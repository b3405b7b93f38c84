"""Small files in which a system describes itself, below /proc and /sys."""

from __future__ import annotations

from pathlib import Path
from typing import Optional


def lines(path: Path) -> list[str]:
    """None of them if there is no such file, or it cannot be read."""
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []


def first_line(path: Path) -> Optional[str]:
    found = lines(path)
    return found[0].strip() if found else None
