"""Starts programs that nobody trusts.

bubblewrap gives each namespaces of its own for processes, files, IPC and the host's name. The network namespace is the
grader's, which holds nothing but this submission (level.py). launch.c sets its limits and a filter of system calls, and
stops it before it has run, so that strace(1) can attach from outside. The weak level has limits, filter and, for root,
a user of its own, and nothing else."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from labkit.lab import ROOT
from suite import kernel

from grader import launcher, level
from grader.host import Launch
from grader.listeners import descendants
from grader.profile import SERVER, Profile
from grader.sandboxed import ENDS_WITHIN, Sandboxed

SHARED = ("/tmp", "/var/tmp", "/dev/shm")  # at the weak level everybody writes there
LOOKS_WITHIN = 600.0  # seconds: there may be a million files of others
LAUNCH = "/launch"
SEES = "/lab"  # in the sandbox: the program, or what the compiler works on


class SandboxHost:
    """grader.host.Host. `files`: what the program sees besides /usr, by its place in the sandbox."""

    def __init__(self, of: level.Level, profile: Profile = SERVER, files: Mapping[str, Path] | None = None):
        self.level = of
        self.profile = profile
        self.files = dict(files or {})
        self.refused = 0  # starts without a listener
        self.deaf_starts = 0  # of these, those in which the program ran on
        self.late_tests = 0  # that took the longest time that one may take
        self.traces_others = not of.why_weak or of.user is None or level.may_trace_others()
        self._launch = launcher.program()

    @contextlib.contextmanager
    def start(self, program: Path, launch: Launch) -> Iterator[Sandboxed]:
        running = Sandboxed(self, program.absolute(), launch)
        try:
            running.begin()
            yield running
        finally:
            running.end()

    def command(self, program: Path, options: Sequence[str], status: int) -> list[str]:
        limits = self.profile
        user = "-" if self.level.user is None else str(self.level.user)
        launch = [
            str(self._launch) if self.level.why_weak else LAUNCH, str(status), limits.filter, user, str(limits.memory),
            str(self._processes()), str(limits.descriptors), str(limits.file), str(limits.cpu),
        ]  # fmt: skip
        if self.level.why_weak:
            return [*launch, str(program), *options]
        inside = str(program) if program.is_relative_to("/usr") else f"{SEES}/{program.name}"
        shown = {**self.files} if inside == str(program) else {**self.files, inside: program}
        return [*self._bubblewrap(shown), "--", *launch, inside, *options]

    def _processes(self) -> int:
        """Linux counts those of a user: at the weak level without root all that we run ourselves, too."""
        own = _processes_of_user() if self.level.why_weak and self.level.user is None else 0
        return own + self.profile.processes

    def _bubblewrap(self, shown: Mapping[str, Path]) -> list[str]:
        root = ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
        own = ("--unshare-user", "--uid", "1000", "--gid", "1000")
        hidden = ("--tmpfs", str(ROOT)) if ROOT.is_relative_to("/usr") else ()
        return [
            "bwrap", *(own if self.level.user is None else root),
            "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "lab",
            "--as-pid-1", "--die-with-parent", "--new-session", "--clearenv",
            "--setenv", "PATH", "/usr/bin", "--setenv", "HOME", "/tmp", "--setenv", "LANG", "C.UTF-8",
            "--perms", "0755", "--dir", "/dev", "--perms", "0755", "--dir", SEES, "--ro-bind", "/usr", "/usr", *hidden,
            "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
            *(word for name in ("null", "zero", "full", "random", "urandom")
              for word in ("--dev-bind-try", f"/dev/{name}", f"/dev/{name}")),
            "--perms", "1777", "--size", str(self.profile.folder), "--tmpfs", "/tmp",
            "--ro-bind", str(self._launch), LAUNCH,
            *(word for place, source in shown.items() for word in ("--ro-bind", str(source.absolute()), place)),
            "--remount-ro", "/", "--chdir", "/tmp",
        ]  # fmt: skip

    # -- the weak level ----------------------------------------------------------------------------

    def user_prefix(self) -> list[str]:
        if self.level.user is None:
            return []
        return ["setpriv", f"--reuid={self.level.user}", f"--regid={self.level.user}", "--clear-groups"]

    def as_user(self, command: Sequence[str], within: float = ENDS_WITHIN) -> None:
        subprocess.run([*self.user_prefix(), *command], stdin=subprocess.DEVNULL, capture_output=True, timeout=within)

    def forget(self) -> None:
        """Nothing that one program leaves reaches the next."""
        if self.level.user is not None:
            places = [path for path in SHARED if Path(path).is_dir()]
            self.as_user(["find", *places, "-xdev", "-user", str(self.level.user), "-delete"], LOOKS_WITHIN)

    def kill_all(self, first: int) -> None:
        """kill(2) of -1 ends all processes of a user at once, so that none can be made meanwhile. Without a user of its
        own, whatever is found is killed until nothing is found: the limit of processes bounds that."""
        if self.level.user is not None:
            self.as_user(["sh", "-c", "kill -KILL -1"])
            return
        while left := [pid for pid in descendants(first)[1:] if not kernel.is_gone(pid)] if first else []:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _processes_of_user() -> int:
    """Threads count, too."""
    count = 0
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if entry.stat().st_uid == os.getuid():
                count += len(list((entry / "task").iterdir()))
    return count
