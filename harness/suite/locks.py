"""A directory in which only one process may work."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def take(folder: Path) -> int:
    """Locks it (flock(2)) until the descriptor is closed, or this process ends, however it ends. Raises BlockingIOError
    if another process has it, and OSError if it cannot be opened. Where a file system knows no locks, nobody is
    refused."""
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(directory)
        raise
    except OSError:
        pass
    return directory
