"""The places that only a run knows: where the result goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def make(directory: Path, facts: Any) -> None:
    source = directory / "frame.c"
    source.write_text(source.read_text().replace("@OUT@", str(facts.out)).replace("@ROOT@", str(facts.root)))
