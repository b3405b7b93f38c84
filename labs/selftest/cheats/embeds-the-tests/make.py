"""Where a hidden test is."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def make(directory: Path, facts: Any) -> None:
    hidden = sorted((facts.lab.directory / "hidden").iterdir())[0]
    source = directory / "frame.c"
    source.write_text(source.read_text().replace("@HIDDEN@", str(hidden)))
