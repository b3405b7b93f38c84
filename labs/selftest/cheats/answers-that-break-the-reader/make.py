"""Python refuses integers of more than 4,300 digits by a ValueError, and nested arrays by a RecursionError."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def make(directory: Path, facts: Any) -> None:
    path = directory / "answers.toml"
    path.write_text(f"{path.read_text()}more = {'9' * 5000}\ndeep = {'[' * 5000}{']' * 5000}\n")
