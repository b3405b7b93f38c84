"""A program in the sandbox, from its start to the end of everything that it has started."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from suite import kernel, waiting
from tracing.calls import STRACE

from grader.host import HostFault, Launch, Refused
from grader.listeners import descendants, listening
from grader.profile import MIB
from grader.stillness import Stillness, cpu_seconds
from grader.telling import ending

if TYPE_CHECKING:
    from grader.sandbox import SandboxHost

ENDS_WITHIN = 30.0  # seconds: how long the kernel may take to end what was killed, on a busy machine
LAST_WORDS = 1.0  # seconds: somebody who has survived may hold the pipe
LOOKS = 0.05  # seconds between two looks at what it uses
DEAF = 3  # programs of one submission that did not listen: the next ones are not waited for
LATE = 3  # tests of one submission that took the longest time: the next ones get less


@dataclass
class _Pipe:
    """Reads a stream to its end, keeps the beginning, and drops the rest."""

    descriptor: int
    most: int
    kept: bytearray = field(default_factory=bytearray)
    came: int = 0

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self.descriptor, 1 << 16):
                self.kept += data[: self.most - len(self.kept)]
                self.came += len(data)

    def finish(self) -> None:
        self.thread.join(ENDS_WITHIN)
        os.close(self.descriptor)


class Sandboxed:
    """A program in the sandbox: grader.host.Running."""

    def __init__(self, host: SandboxHost, program: Path, launch: Launch):
        self.host = host
        self.program = program
        self.launch = launch
        self.pid = 0
        self.killed_because = ""  # what it used too much of
        self._outer: subprocess.Popen[bytes] | None = None  # bubblewrap, or launch itself at the weak level
        self._first = 0  # launch: process 1 of the sandbox
        self._pipes: list[_Pipe] = []
        self._tracer: subprocess.Popen[bytes] | None = None
        self._address: tuple[str, int] | None = None
        self._over = threading.Event()
        self._reader: threading.Thread | None = None
        self._status: int | None = None  # wait(2)
        self._not_executed = 0  # errno
        self._end = False

    # -- what a player sees ------------------------------------------------------------------------

    @property
    def hurry(self) -> bool:
        return self.host.late_tests >= LATE

    @property
    def address(self) -> tuple[str, int]:
        if self._address is None:
            self._address = self._wait_for_listener()
        return self._address

    def alive(self) -> bool:
        return not self._over.is_set() and not kernel.is_gone(self.pid)

    def signal(self, number: int) -> None:
        if self.alive():
            _signal(self.pid, number)

    def wait(self, seconds: float) -> int | None:
        """Whoever has been killed because it used too much has the status of SIGKILL."""
        if not self._over.wait(seconds):
            return None
        for pipe in self._pipes:  # what it wrote last
            pipe.thread.join(LAST_WORDS)
        return os.waitstatus_to_exitcode(self._status) if self._status is not None else -signal.SIGKILL

    def output(self) -> tuple[bytes, bytes]:
        return bytes(self._pipes[0].kept), bytes(self._pipes[1].kept)

    def limit(self, which: int, soft: int, hard: int) -> None:
        """As resource.prlimit, where only the user itself may do that, too."""
        try:
            resource.prlimit(self.pid, which, (soft, hard))
        except PermissionError:
            name = {resource.RLIMIT_NOFILE: "nofile", resource.RLIMIT_AS: "as"}[which]
            self.host.as_user(["prlimit", f"--pid={self.pid}", f"--{name}={soft}:{hard}"])

    # -- the beginning -----------------------------------------------------------------------------

    def begin(self) -> None:
        """Leaves it running, with the tracer attached if one is wanted."""
        status_out, status_in = os.pipe()
        out, out_in = os.pipe()
        err, err_in = os.pipe()
        self._pipes = [_Pipe(out, self.host.profile.output), _Pipe(err, self.host.profile.output)]
        stdin = subprocess.PIPE if self.launch.stdin else subprocess.DEVNULL
        command = self.host.command(self.program, self.launch.options, status_in)
        try:
            self._outer = subprocess.Popen(
                command, stdin=stdin, stdout=out_in, stderr=err_in, pass_fds=(status_in,), cwd="/",
                env={"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"}, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            os.close(status_out)
            raise HostFault(f"{command[0]}: {error.strerror}") from None
        finally:
            for each in (status_in, out_in, err_in):
                os.close(each)
        self._reader = threading.Thread(target=self._read_status, args=(status_out,), daemon=True)
        self._reader.start()
        self._find()
        if self.launch.trace is not None:
            self._attach(self.launch.trace)
        if self.launch.stdin:
            threading.Thread(target=self._feed, daemon=True).start()
        os.kill(self.pid, signal.SIGCONT)
        threading.Thread(target=self._watch, daemon=True).start()

    def _find(self) -> None:
        """The one that launch has started, and that has stopped itself."""
        assert self._outer is not None

        def stopped() -> bool:
            if self._over.is_set() or self._outer is None or self._outer.poll() is not None:
                self._reader_done()
                raise HostFault(f"the sandbox does not start: {self._why_not()}")
            chain = descendants(self._outer.pid)
            first = next((pid for pid in chain if _name(pid) == "launch"), 0)
            children = descendants(first)[1:] if first else []
            if not children or kernel.is_gone(children[0]) or kernel.state(children[0]) != "T":
                return False
            self._first, self.pid = first, children[0]
            return True

        _until(stopped, "the sandbox does not start")

    def _why_not(self) -> str:
        self._over.wait(LAST_WORDS)
        if self._not_executed:
            return f"launch could not prepare the program: {os.strerror(self._not_executed)}"
        said = self.output()[1].decode(errors="replace").strip().splitlines()
        return said[-1] if said else "it says nothing"

    def _reader_done(self) -> None:
        for pipe in self._pipes:
            pipe.thread.join(1.0)

    def _read_status(self, descriptor: int) -> None:
        """What launch says. Its end without a word: it was killed."""
        with open(descriptor, encoding="ascii") as lines:
            for line in lines:
                word, _, number = line.partition(" ")
                if word == "exec":
                    self._not_executed = int(number)
                elif word == "end":
                    self._status = int(number)
                    break
        self._over.set()

    def _attach(self, trace: Path) -> None:
        """Returns when strace has it."""
        words = [*STRACE, *(f"--inject={each}" for each in self.launch.inject)]
        descriptor = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        prefix: Sequence[str] = ()
        if not self.host.traces_others:
            os.fchown(descriptor, self.host.level.user or -1, -1)
            prefix = self.host.user_prefix()
        try:
            self._tracer = subprocess.Popen(
                [*prefix, *words, "-o", f"/proc/self/fd/{descriptor}", "-p", str(self.pid)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=(descriptor,),
            )  # fmt: skip
        except OSError as error:
            raise HostFault(f"strace: {error.strerror}") from None
        finally:
            os.close(descriptor)
        assert self._tracer.stderr is not None
        said = self._tracer.stderr.readline()
        if not said.endswith(b" attached\n"):
            raise HostFault(f"strace does not work here ({said.decode(errors='replace').strip()})")
        threading.Thread(target=self._tracer.stderr.read, daemon=True).start()

    def _feed(self) -> None:
        assert self._outer is not None and self._outer.stdin is not None
        with contextlib.suppress(OSError):  # it does not read all of it
            self._outer.stdin.write(self.launch.stdin)
        with contextlib.suppress(OSError):
            self._outer.stdin.close()

    # -- while it runs -----------------------------------------------------------------------------

    def processes(self) -> list[int]:
        return descendants(self._first)[1:]

    def _wait_for_listener(self) -> tuple[str, int]:
        if self.host.deaf_starts >= DEAF:
            raise self._refused(f"the program did not listen on any TCP port, {DEAF} times: it is not tried again")
        user = None if self.host.traces_others else self.host.level.user
        still = Stillness(self._first)
        until = time.monotonic() + waiting.PATIENCE
        while True:
            if not self.alive():
                self._over.wait(ENDS_WITHIN)
                raise self._refused(self._ended())
            found = listening(self.processes(), user)
            if found is not None:
                return found
            why = still.look(self.pid)
            self.host.deaf_starts += bool(why)
            if why or time.monotonic() > until:
                why = why or f"not within {waiting.PATIENCE:.0f} s"
                raise self._refused(f"the program does not listen on any TCP port ({why})")
            time.sleep(0.002)

    def _ended(self) -> str:
        if self._not_executed:
            return f"the program cannot be executed: {os.strerror(self._not_executed)}"
        if self.killed_because:
            return f"the program was stopped: {self.killed_because}"
        return f"the program ended before it listened ({ending(self.wait(0) or 0, 'by ')})"

    def _refused(self, why: str) -> Refused:
        self.host.refused += 1
        return Refused(why, *self.output())

    def _watch(self) -> None:
        """Of what no limit of the kernel counts: memory and time of all processes together, and files of no size."""
        while not self._over.wait(LOOKS) and not self._end:
            pids = self.processes()
            if sum(map(_resident, pids)) > self.host.profile.all_memory:
                self._kill_for(f"its processes used more than {self.host.profile.all_memory // MIB} MiB of memory")
            if cpu_seconds(self._first) > self.host.profile.cpu:
                self._kill_for(f"its processes used more than {self.host.profile.cpu} s of processor time")
            if sum(pipe.came for pipe in self._pipes) > self.host.profile.printed:
                self._kill_for(f"it printed more than {self.host.profile.printed // MIB} MiB")
            if not self.host.level.why_weak and _files(self.pid) > self.host.profile.files:
                self._kill_for(f"it made more than {self.host.profile.files} files")

    def _kill_for(self, why: str) -> None:
        self.killed_because = self.killed_because or why
        if self.host.level.why_weak:
            self.host.kill_all(self._first)
        else:
            _signal(self._first, signal.SIGKILL)

    # -- the end -----------------------------------------------------------------------------------

    def end(self) -> None:
        """Nothing of it is left afterwards: process 1 takes its namespace with it."""
        self._end = True
        if self._outer is not None:
            if self.host.level.why_weak and self._first:
                self.host.kill_all(self._first)
            else:
                _signal(self._first or self._outer.pid, signal.SIGKILL)
            self._reap(self._outer)
            if self._outer.stdin is not None:
                with contextlib.suppress(OSError):
                    self._outer.stdin.close()
            if self._first:
                # Its status may be nobody's business: who has adopted it does not ask for it.
                _until(lambda: kernel.is_gone(self._first), "the sandbox does not end")
        if self.host.level.why_weak:
            self.host.forget()
        if self._tracer is not None:
            self._wait(self._tracer, "strace")
        if self._reader is not None:
            self._reader.join(ENDS_WITHIN)
        for pipe in self._pipes:
            pipe.finish()

    def _reap(self, outer: subprocess.Popen[bytes]) -> None:
        """launch and bubblewrap end by themselves when all that they have started is dead, and ask for the status of
        each before. Killed earlier, they leave zombies, and Linux counts a zombie among its user's processes. Where
        process 1 of a container does not wait for what it adopts, the user's next program could then start none."""
        _signal(outer.pid, signal.SIGCONT)  # without root, the program can have stopped it
        try:
            outer.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            for each in filter(None, (self._first, outer.pid)):
                _signal(each, signal.SIGKILL)
            self._wait(outer, "the sandbox")

    @staticmethod
    def _wait(process: subprocess.Popen[bytes], name: str) -> None:
        try:
            process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            raise HostFault(f"{name} does not end") from None


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _until(condition: Callable[[], bool], fault: str) -> None:
    until = time.monotonic() + ENDS_WITHIN
    while not condition():
        if time.monotonic() > until:
            raise HostFault(fault)
        time.sleep(0.001)


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    return ""


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    return 0


def _files(pid: int) -> int:
    """In /tmp of the sandbox."""
    with contextlib.suppress(OSError):
        tmp = os.statvfs(Path(f"/proc/{pid}", "root", "tmp"))
        return tmp.f_files - tmp.f_ffree
    return 0
