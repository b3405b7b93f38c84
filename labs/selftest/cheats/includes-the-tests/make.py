"""Where the hidden tests are."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def make(directory: Path, facts: Any) -> None:
    lab = facts.lab.directory
    places = [*sorted((lab / "hidden").iterdir()), lab / "lab.toml", Path("/etc/shadow")]
    asks = " || ".join(f'__has_include("{each}")' for each in places)
    source = directory / "frame.c"
    source.write_text(source.read_text().replace("@ASKS@", asks))
