"""How well a submission can be shut in on this machine, and the way into the place where it is graded."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

FIRST_USER = 200_000  # far above the users of a machine; the process number of the grader is added
LAST_USER = 0x7FFF_FFFF  # a number that is too large for the kernel ends as another one: 2**32 is root
_CAP_SYS_PTRACE = 19
_UP = 1  # netdevice(7): IFF_UP


@dataclass(frozen=True)
class Level:
    """Of one submission."""

    why_weak: str = ""  # empty: bubblewrap, with namespaces
    network: tuple[str, ...] = ()  # the command that gives a network namespace; none where it can't be had
    user: int | None = None  # that the submission runs as; None: ours, as only root can have another

    def __post_init__(self) -> None:
        """The sandbox ends all processes of this user and deletes its files: nobody else's number may stand here."""
        if self.user is not None and not FIRST_USER <= self.user <= LAST_USER:
            raise ValueError(f"user {self.user}: the grader's own users are {FIRST_USER} to {LAST_USER}")

    @property
    def name(self) -> str:
        return f"weak: {self.why_weak}" if self.why_weak else "bubblewrap"

    def words(self) -> list[str]:
        """For the command line of the process in the namespace."""
        return [self.why_weak, "" if self.user is None else "user", "network" if self.network else ""]


def enter(why_weak: str, user: str, network: str) -> Level:
    """In the process that grades one submission."""
    if network:
        _loopback_up()
    return Level(why_weak, (), _own_user() if user else None)


def _own_user() -> int:
    """Of this process alone: what ends all processes of a user must not end those of another grader."""
    return FIRST_USER + os.getpid()


def find() -> Level:
    """Everything is tried: a kernel, a container or a security module may forbid it, and no file tells of all."""
    root = os.geteuid() == 0 and _becomes_another()
    user = _own_user() if root else None
    network = ("unshare", "-n", "--") if root else ("unshare", "-Urn", "--")
    refused = _refused([*network, "true"])
    if refused:
        return Level(f"no network namespace here ({refused})", (), user)
    if shutil.which("bwrap") is None:
        return Level("bubblewrap is not installed", network, user)
    tried = ["bwrap", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--ro-bind", "/", "/", "--", "/bin/true"]
    refused = _refused([*network, *tried])
    if refused:
        return Level(f"bubblewrap does not work here ({refused})", network, user)
    return Level("", network, user)


def _refused(command: list[str]) -> str:
    """Why it failed, in one line; empty if it did not."""
    try:
        tried = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if tried.returncode == 0:
        return ""
    said = tried.stderr.strip().splitlines()
    return said[0] if said else f"exit status {tried.returncode}"


def _becomes_another() -> bool:
    """Root without the right to become another user, as in a user namespace, is nobody special."""
    return _refused(["setpriv", f"--reuid={FIRST_USER}", f"--regid={FIRST_USER}", "--clear-groups", "true"]) == ""


def can_read(folder: Path) -> bool:
    """Can any user of this machine?"""
    return all(each.stat().st_mode & 0o001 for each in (folder, *folder.parents))


def may_trace_others() -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> _CAP_SYS_PTRACE & 1)
    return False


def _loopback_up() -> None:
    """A new network namespace has a loopback interface, which is down (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh22x", b"lo", _UP)
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS
