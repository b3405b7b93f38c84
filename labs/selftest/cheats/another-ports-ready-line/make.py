"""A right server that runs outside meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def make(directory: Path, facts: Any) -> None:
    source = directory / "frame.c"
    source.write_text(source.read_text().replace("@PORT@", str(facts.neighbour)))
