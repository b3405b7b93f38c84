"""Starts a server as a supervisor does that has opened the listening socket itself: sd_listen_fds(3)."""

from __future__ import annotations

import sys

# Becomes the command, with a copy of a descriptor as number 3 and the variables of the convention.
SUPERVISOR = """
import os, sys
fd, pid, count, *command = sys.argv[1:]
if fd != "none":
    os.dup2(int(fd), 3, inheritable=True)
os.environ.update(LISTEN_PID=pid.replace("own", str(os.getpid())), LISTEN_FDS=count)
os.execv(command[0], command)
"""


def supervisor(fd: object, pid: str = "own", count: str = "1") -> list[str]:
    """The beginning of a command line. `pid`: "own" stands for the number of the server's process."""
    return [sys.executable, "-S", "-E", "-c", SUPERVISOR, str(fd), pid, count]
