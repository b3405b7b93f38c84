"""Links: the first would be the right answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def make(directory: Path, facts: Any) -> None:
    (directory / "frame.c").unlink()
    (directory / "frame.c").symlink_to(facts.root / "common" / "frame.c")
    (directory / "answers.toml").symlink_to("/etc/passwd")
    (directory / "own").symlink_to(facts.own, target_is_directory=True)
