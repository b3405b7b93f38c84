"""Runs a command as it would run on somebody else's machine.

Usage: harness/elsewhere PLACE... -- COMMAND...

Exit status: that of the command; 2 on bad usage, 126 if there is no such place to be had here."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000  # unshare(2)
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18  # mount(2)
SIOCSIFFLAGS, IFF_UP = 0x8914, 1  # netdevice(7)
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38  # prctl(2)
BAD_USAGE, NOT_HERE = 2, 126

libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> None:
    """A function of libc that Python has no name for. Raises OSError."""
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def unshare(what: int) -> None:
    """Leaves the namespaces of the parent. An ordinary user needs a user namespace for that (user_namespaces(7))."""
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        call("unshare", what)
        return
    call("unshare", what | CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def few_descriptors() -> None:
    """a hard limit of 1,024 descriptors"""
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))


def no_ipv6() -> None:
    """a network that has 127.0.0.1 and nothing else"""
    unshare(CLONE_NEWNET)
    for interface in ("all", "default", "lo"):
        switch = Path(f"/proc/sys/net/ipv6/conf/{interface}/disable_ipv6")
        if switch.exists():
            switch.write_text("1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


# ptrace(2) is another number to each kind of process; the first word is its AUDIT_ARCH (linux/audit.h).
PTRACE = ((0xC000003E, 101), (0x40000003, 26), (0xC00000B7, 117), (0x40000028, 26))  # x86-64, i386, arm64, arm


def no_ptrace() -> None:
    """ptrace(2) is refused with EPERM, as a container's filter does: no strace, no LeakSanitizer"""
    load, jump, give = 0x20, 0x15, 0x06  # linux/bpf_common.h
    allow, refuse = 0x7FFF0000, 0x00050000 | errno.EPERM  # linux/seccomp.h
    # seccomp_data begins with the number of the call; the architecture is its second word.
    steps = []
    for architecture, number in PTRACE:
        steps += [(load, 0, 0, 4), (jump, 0, 3, architecture), (load, 0, 0, 0), (jump, 0, 1, number)]
        steps.append((give, 0, 0, refuse))
    steps.append((give, 0, 0, allow))
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    header = struct.pack("HP", len(steps), ctypes.addressof(program))
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    call("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0)


def c_locale() -> None:
    """LC_ALL=C, and no LANG"""
    for name in list(os.environ):
        if name == "LANG" or name.startswith("LC_"):
            del os.environ[name]
    os.environ["LC_ALL"] = "C"


def background() -> None:
    """SIGINT and SIGQUIT are ignored, as a shell does for what a script starts with &"""
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)


def read_only() -> None:
    """the source tree cannot be written: name another BUILD, and for results another directory"""
    unshare(CLONE_NEWNS)
    root = os.fsencode(ROOT)
    call("mount", b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)
    call("mount", root, root, None, ctypes.c_ulong(MS_BIND | MS_REC), None)
    call("mount", b"none", root, None, ctypes.c_ulong(MS_BIND | MS_REMOUNT | MS_RDONLY), None)
    os.chdir(os.getcwd())  # what was the current directory lies under the mount


# In this order: a namespace is made while system calls are still allowed.
PLACES: dict[str, Callable[[], None]] = {
    "read-only": read_only,
    "no-ipv6": no_ipv6,
    "few-descriptors": few_descriptors,
    "no-ptrace": no_ptrace,
    "c-locale": c_locale,
    "background": background,
}


def usage() -> str:
    places = "\n".join(f"    {name:16} {place.__doc__}" for name, place in PLACES.items())
    return f"{__doc__}\n\n{places}"


def main(words: list[str]) -> int:
    if words in (["--help"], ["-h"]):
        print(usage())
        return 0
    names, command = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    unknown = [name for name in names if name not in PLACES]
    if not names or not command:
        print("elsewhere: expected PLACE... -- COMMAND...", file=sys.stderr)
    elif unknown:
        print(f"elsewhere: {unknown[0]!r}: no such place; there are {', '.join(PLACES)}", file=sys.stderr)
    else:
        return go(names, command)
    return BAD_USAGE


def go(names: list[str], command: list[str]) -> int:
    for name, place in PLACES.items():
        if name in names:
            try:
                place()
            except (OSError, AttributeError) as error:  # a function that this libc lacks
                print(f"elsewhere: {name}: not to be had here: {error}", file=sys.stderr)
                return NOT_HERE
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"elsewhere: {command[0]}: {error.strerror}", file=sys.stderr)
        return NOT_HERE


if __name__ == "__main__":
    sys.path.append(str(ROOT / "harness"))  # a PYTHONPATH would be the command's, too
    from suite import ending

    ending.run(lambda: main(sys.argv[1:]), "elsewhere")
