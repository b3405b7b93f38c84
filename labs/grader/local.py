"""Runs programs as they are: our own ones, and a student's on the student's own machine."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from suite import waiting
from tracing.calls import STRACE

from grader.host import MOST_OUTPUT, HostFault, Launch, Refused
from grader.listeners import descendants, listening
from grader.stillness import Stillness
from grader.telling import ending

DESCRIPTORS = 1024


class Output:
    """What a program writes to a pipe: read to the end, and kept up to a bound."""

    def __init__(self, stream: IO[bytes]):
        self._stream = stream
        self._kept = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := os.read(self._stream.fileno(), 1 << 16):
                self._kept += data[: MOST_OUTPUT - len(self._kept)]

    def bytes(self) -> bytes:
        return bytes(self._kept)

    def finish(self) -> None:
        """A process that has escaped may hold the pipe: what it writes does not count."""
        self._reader.join(0.5)
        if not self._reader.is_alive():
            self._stream.close()


class LocalRunning:
    hurry = False

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes):
        self.process = process
        self.pid = process.pid
        self._address: tuple[str, int] | None = None
        assert process.stdout is not None and process.stderr is not None
        self._outputs = (Output(process.stdout), Output(process.stderr))
        if process.stdin is not None:
            self._writer = threading.Thread(target=self._write, args=(process.stdin, stdin), daemon=True)
            self._writer.start()

    @staticmethod
    def _write(stream: IO[bytes], data: bytes) -> None:
        with contextlib.suppress(OSError):  # it may end before it has read all
            stream.write(data)
        with contextlib.suppress(OSError):
            stream.close()

    @property
    def address(self) -> tuple[str, int]:
        """Waits until it listens, when it is asked first."""
        if self._address is None:
            self._address = wait_listening(self)
        return self._address

    def alive(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def limit(self, which: int, soft: int, hard: int) -> None:
        resource.prlimit(self.pid, which, (soft, hard))

    def wait(self, seconds: float) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self.process.wait(seconds)
            for each in self._outputs:
                each.finish()
            return status
        return None

    def output(self) -> tuple[bytes, bytes]:
        return self._outputs[0].bytes(), self._outputs[1].bytes()

    def end(self) -> None:
        """Its descendants first: they would be nobody's when it is gone. Then its group, which strace is in."""
        for pid in reversed(descendants(self.pid)):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        for each in self._outputs:
            each.finish()


def wait_listening(running: LocalRunning) -> tuple[str, int]:
    """Refused if it ends, or sleeps without having called listen(2)."""
    still = Stillness(running.pid)

    def through() -> tuple[str, int] | str | None:
        found = listening(descendants(running.pid))
        return found or ("it has ended" if not running.alive() else still.look(running.pid))

    try:
        found = waiting.until(through, "a listener")
    except AssertionError:
        found = f"not within {waiting.PATIENCE:.0f} s"
    if isinstance(found, tuple):
        return found
    out, err = running.output()
    status = running.wait(0.0)
    how = f"it ended ({ending(status, 'by ')})" if status is not None else f"it does not listen ({found})"
    raise Refused(f"the program did not start: {how}", out, err)


def _prepare() -> None:
    soft = min(DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


class LocalHost:
    """No sandbox."""

    name = "none: your own machine"

    @contextlib.contextmanager
    def start(self, program: Path, launch: Launch) -> Iterator[LocalRunning]:
        if not os.access(program, os.X_OK):
            raise HostFault(f"{program}: it is not there, or may not be executed")
        command = [str(program), *launch.options]
        if launch.trace is not None:
            if shutil.which("strace") is None:
                raise HostFault("strace is not installed: this test looks at system calls")
            # -D: the program stays our child, and strace is its child. The first line comes before the program runs.
            faults = [f"--inject={each}" for each in launch.inject]
            command = [*STRACE, "-D", "-o", str(launch.trace), *faults, *command]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if launch.stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                preexec_fn=_prepare,
            )
        except OSError as error:
            raise HostFault(f"{program}: {error.strerror}") from None
        running = LocalRunning(process, launch.stdin)
        try:
            yield running
        finally:
            running.end()
