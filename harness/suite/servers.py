"""Which servers there are, and why one is not here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALL = ("select_srv", "poll_srv", "epoll_lt", "epoll_et", "kqueue_srv")
EDGE_TRIGGERED = ("epoll_et",)


def build_dir() -> Path:
    """Where the programs are: BUILD_DIR in the environment, or build/."""
    return ROOT / os.environ.get("BUILD_DIR", "build")


def program(name: str) -> Path:
    return build_dir() / name


def sanitizer() -> str | None:
    """The sanitizer that the programs were built with, by the name of the directory they are in."""
    name = build_dir().name
    return name if name in ("asan", "tsan") else None


def absent(name: str) -> str | None:
    """Why a server cannot be tested on this system, or None if it can."""
    if name.startswith("epoll") and not sys.platform.startswith("linux"):
        return "epoll needs Linux"
    return None
