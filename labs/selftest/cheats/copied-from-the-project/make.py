"""As somebody does who makes it compile."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def make(directory: Path, facts: Any) -> None:
    path = directory / "frame.c"
    text = path.read_text().replace("frame_scan(const uint8_t *", "frame_scan(uint8_t *")
    path.write_text(text[: text.index("size_t frame_missing(")])
