"""Whether this bench is the only one on the machine. Two at once take each other's cores, and no figure of either is
worth much."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Optional

# One place for all users and all copies of this project, so it is not below TMPDIR.
LOCK = Path("/tmp/echo-servers-bench.lock")
OTHER = f"another bench runs on this machine ({LOCK} is locked): each disturbs the other; let one end first"


def hold(path: Path = LOCK) -> Optional[int]:
    """Locks until this process ends, however it ends. None if another process holds the lock. Where there is no place
    for a lock nothing is known, and this counts as alone."""
    try:
        file = _open(path)
    except OSError:
        return -1
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file
    except OSError:
        os.close(file)
        return None


def _open(path: Path) -> int:
    """A lock needs no right to write, and the file may be another user's. fs.protected_regular of Linux then refuses
    O_CREAT."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
