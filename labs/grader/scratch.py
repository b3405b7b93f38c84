"""The directory in which one grader works, and what killed graders have left of theirs.

A grader that SIGKILL ends removes nothing. So each holds a lock on a file in its directory (flock(2)). The kernel frees
the lock when the grader is gone, however it has ended. The next grader removes each directory whose lock is free."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from grader.host import HostFault

PREFIX = "lab-grader-"
LOCK = "lock"


def must_hold(folder: Path, needed: int) -> None:
    """Whoever writes there and says nothing of errors may have lost what it wrote."""
    room = os.statvfs(folder)
    if room.f_bavail * room.f_frsize < needed:
        raise HostFault(f"{tempfile.gettempdir()}: no space is left on the device")


@contextlib.contextmanager
def own() -> Iterator[Path]:
    """All temporary files of this process are in it meanwhile, so that none is forgotten."""
    sweep()
    place, lock = _made()
    before, tempfile.tempdir = tempfile.tempdir, str(place)
    try:
        yield place
    finally:
        tempfile.tempdir = before
        shutil.rmtree(place, ignore_errors=True)
        os.close(lock)


def _made() -> tuple[Path, int]:
    """Another grader may take it for a left one until the lock is held. Then there is a next try."""
    while True:
        place = Path(tempfile.mkdtemp(prefix=PREFIX))
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(place / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.fstat(lock).st_nlink > 0:
                place.chmod(0o711)  # at the weak level another user executes a program that is in it
                return place, lock
            os.close(lock)


def sweep() -> None:
    """Removes what killed graders of this user have left. Another user's is not ours to judge, and a symbolic link may
    lead anywhere."""
    for entry in os.scandir(tempfile.gettempdir()):
        if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
            with contextlib.suppress(OSError):  # somebody else was faster
                _remove_if_left(entry.path)


def _remove_if_left(place: str) -> None:
    folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(folder).st_uid != os.geteuid():
            return
        try:
            lock = os.open(LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        except FileNotFoundError:  # its grader was killed before it had made one
            os.rmdir(place)
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: its grader works
            shutil.rmtree(place)
        finally:
            os.close(lock)
    finally:
        os.close(folder)
