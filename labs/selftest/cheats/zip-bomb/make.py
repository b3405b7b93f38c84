"""Zeros pack well. The right frame.c is in it, too, and it is of no use when the archive is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any


def make(directory: Path, facts: Any) -> None:
    right = (directory / "frame.c").read_bytes()
    with zipfile.ZipFile(facts.archive, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("frame.c", "w") as file:
            file.write(right)
            for _ in range(100):
                file.write(bytes(4 << 20))
