"""The project's level-triggered server, with one word changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def make(directory: Path, facts: Any) -> None:
    text = (facts.root / "epoll_lt" / "server.c").read_text()
    (directory / "server.c").write_text(text.replace('.name = "epoll_lt"', '.name = "kqueue_srv"'))
