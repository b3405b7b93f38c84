"""Small files: those in which a system describes itself, below /proc and /sys, and those that are written whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
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


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """An error of the system in here names the file: one of write(2), such as a full disk, names none by itself."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def replace(path: Path, text: str) -> None:
    """Writes a whole file. A kill or a full disk leaves the whole new one or the old one."""
    unfinished = path.with_name(f".{path.name}")
    with naming(path):
        try:
            with unfinished.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
