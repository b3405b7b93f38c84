"""A server as a process: started on a port of the kernel's choice, watched, stopped, its statistics read."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from suite import kernel, peer, servers, steps, tls, waiting

LISTENING = re.compile(r"listening on (?:\[(?P<v6>[^\]]+)\]|(?P<v4>[^:]+)):(?P<port>\d+)(?: \((?P<by>\w+)\))?\n")


HANDED_OVER = r"process (\d+) listens now"


def signal_name(status: int) -> str:
    return f"signal {signal.Signals(-status).name}"


def ending(status: int) -> str:
    """An exit status as subprocess gives it, in words."""
    return f"ended by {signal_name(status)}" if status < 0 else f"exit status {status}"


# Where the report of a sanitizer, or of a C library that aborts, begins.
REPORT = re.compile(r"ERROR: \w+Sanitizer|runtime error:|\*\*\* .+ \*\*\*|^(free|malloc|realloc|corrupted|double)\b")
REPORT_LINES = 8


def _status_of(pid: int) -> tuple[int] | None:
    """Of a process that has ended, as wait(2) gives it. None while its parent lives: only then it is our child."""
    try:
        return (os.waitpid(pid, 0)[1],)
    except ChildProcessError:
        return None


class Server:
    """Starts `name` and returns when it listens. A context manager: leaving it kills what is left."""

    tells = True  # it prints our statistics
    backlog = min(4096, kernel.most_backlog())  # how many peers its listen queue holds
    memory_slack = 0  # bytes that its language's runtime may take for itself

    def __init__(
        self,
        name: str,
        *options: str,
        wrapper: Sequence[str] = (),
        preexec: Callable[[], None] | None = None,
        environment: dict[str, str] | None = None,
        ready_within: float | None = None,
        pass_fds: Sequence[int] = (),
        program: Path | None = None,
    ):
        """`program`: a copy of it, which is started in its place."""
        self.name = name
        self.program = str(program or servers.program(name))
        needed = tls.options(name)
        self.command = [*wrapper, self.program, "--port", "0", *needed, *options]
        self._stopped = False
        self._is_stopped = lambda: self._stopped
        self._asked_to_end = False
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._peers: list[peer.Peer] = []
        self._many: list[peer.Peer] = []
        self._successors: list[int] = []
        self._first_pid = 0
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=preexec,
            pass_fds=pass_fds,
            env={**os.environ, **(environment or {})},
        )
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()
        # Without it a server that says nothing would be waited for until the test's own limit.
        watchdog = threading.Timer(ready_within or 0.0, self.process.kill)
        assert self.process.stdout is not None and self.process.stderr is not None
        try:
            if ready_within is not None:
                watchdog.start()
            self.announcement = self.process.stdout.readline()
        except BaseException:  # Ctrl-C: nobody else knows this server yet, and a timer keeps Python from exiting
            self.process.kill()
            raise
        finally:
            watchdog.cancel()
        match = LISTENING.fullmatch(self.announcement)
        if match is None or match["port"] == "0":
            raise AssertionError(self._not_ready(ready_within))
        self.address = (match["v6"] or match["v4"], int(match["port"]))
        self.secure = bool(needed)
        tls.note(self.address, self.secure, self._is_stopped)
        self.implementation = match["by"] or "native"
        self._first_pid = self._find_pid()
        steps.note(f"{shlex.join(self.command)}: {self.announcement.strip()}")

    def _not_ready(self, ready_within: float | None) -> str:
        """Ends it, and says what it printed in place of its ready line."""
        if self.announcement:
            printed = f"{self.announcement!r} in place of its ready line 'listening on ADDR:PORT'"
        else:
            printed = "no ready line"
        try:
            status = self.process.wait(0.0 if self.announcement else waiting.PATIENCE)
            watched = ready_within is not None and status == -signal.SIGKILL
            ended = f" within {ready_within:.0f} s" if watched else f", {ending(status)}"
        except subprocess.TimeoutExpired:
            ended = ""
        self.kill()
        return f"{shlex.join(self.command)} printed {printed}{ended}; standard error: {self.errors()!r}"

    def _read_errors(self) -> None:
        for line in self.process.stderr or ():
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    # -- the process -------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """Of the server itself, also when it runs under a wrapper, and after restarts of the last one."""
        if self._successors:
            return self._successors[-1]
        return self._first_pid

    def _find_pid(self) -> int:
        """Once, when it listens: a server that restarts has a child, too."""
        if self.command[0] == self.program:
            return self.process.pid
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else self.process.pid  # valgrind is the server's own process

    def signal(self, number: signal.Signals) -> None:
        steps.note(f"{self.name}: gets {number.name}")
        self._asked_to_end |= number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
        os.kill(self.pid, number)

    def ask_to_stop(self) -> None:
        """SIGTERM, unless it has ended. A wrapper such as strace may end a moment after its server."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGTERM)

    def at_rest(self) -> None:
        """Waits until all that had come is looked at: a turn that began after it prints the second statistics."""
        self.statistics()
        self.statistics()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """While the server is stopped, peers can act; it then meets all of that in one wake-up."""
        for each in self._peers:
            if isinstance(each.socket, tls.Stream) and each.socket.fileno() >= 0:
                each.socket.shake()
        self.signal(signal.SIGSTOP)
        waiting.until(lambda: kernel.state(self.pid) in ("T", "t"), f"{self.name}: stopped by SIGSTOP")
        self._stopped = True
        try:
            yield
        finally:
            self._stopped = False
            self.signal(signal.SIGCONT)

    def echo_at_once(self, peers: Sequence[peer.Peer], data: bytes) -> None:
        """One frame on each, all of which have arrived before the server looks."""
        with self.frozen():
            for each in peers:
                each.send_frame(data)
            for each in peers:  # after the last one was sent: the kernel may acknowledge each only after 40 ms
                each.wait_delivered()
        for each in peers:
            each.expect_frame(data)

    # -- restarts ----------------------------------------------------------------------------------

    def restart(self) -> int:
        """SIGUSR2. Returns the process that has taken over; whatever is asked from now on is asked of that one."""
        kernel.adopt_orphans()
        os.kill(self.pid, signal.SIGUSR2)
        return self.wait_successor()

    def wait_successor(self) -> int:
        """Waits for the end of a restart that has begun, as restart does."""
        kernel.adopt_orphans()
        lines = self.wait_error(HANDED_OVER, len(self._successors) + 1)
        found = re.search(HANDED_OVER, lines[-1])
        pid = int(found[1]) if found else 0
        assert pid > 1, f"{self.name}: no process is named: {lines[-1]!r}"  # kill(2) of 0 is the suite's own group
        self._successors.append(pid)
        steps.note(f"{self.name}: process {self.pid} has taken over")
        return self.pid

    def _stop_all(self) -> dict:
        """After restarts: the last process, and the first one, if it still serves its connections."""
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(waiting.PATIENCE)
        assert status == 0, f"{self.name}: the process before the restart: {ending(status)}"
        return self.stop_successor()

    def wait_first_exit(self) -> int:
        """The exit status of the process that was started first. After a restart it ends by itself."""
        self._asked_to_end = True
        return self.process.wait(waiting.PATIENCE)

    def stop_successor(self) -> dict:
        """Stops the process that has taken over, expects status 0, and returns its statistics, if they go to standard
        error. The process before it must have ended."""
        self._close_peers()
        before = len(self._statistics_lines())
        last = self.pid
        os.kill(last, signal.SIGTERM)
        waiting.until(lambda: kernel.is_gone(last), f"process {last} gone")
        ended = waiting.until(lambda: _status_of(last), f"the exit status of process {last}")
        assert ended is not None
        status = os.waitstatus_to_exitcode(ended[0])
        assert status == 0, f"{self.name}: {ending(status)} after a signal that asked it to stop"
        self._reader.join(waiting.PATIENCE)
        finals = self._statistics_lines()[before:]
        return json.loads(finals[-1]) if finals else {}

    # -- what it prints ----------------------------------------------------------------------------

    def errors(self) -> list[str]:
        """The lines on standard error so far."""
        with self._changed:
            return list(self._lines)

    def wait_error(self, pattern: str, count: int = 1) -> list[str]:
        """Waits for `count` lines on standard error that match."""

        def matching() -> list[str]:
            found = [line for line in self.errors() if re.search(pattern, line)]
            return found if len(found) >= count else []

        return waiting.until(matching, f"{count} lines on standard error like {pattern!r}, came {self.errors()}")

    def expect_errors(self, pattern: str, count: int = 1) -> list[str]:
        """Waits for lines on standard error that match; there must be `count` of them and no more."""
        found = self.wait_error(pattern, count)
        assert len(found) == count, f"expected {count} lines on standard error like {pattern!r}, came {found}"
        return found

    def statistics(self) -> dict:
        """The statistics now (SIGUSR1)."""
        before = len(self._statistics_lines())
        os.kill(self.pid, signal.SIGUSR1)
        waiting.until(lambda: len(self._statistics_lines()) > before, f"{self.name}: statistics after SIGUSR1")
        return json.loads(self._statistics_lines()[before])

    def wait_statistics(self, condition: Callable[[dict], bool], what: str) -> dict:
        """Asks for statistics until they fulfil the condition; returns those."""
        last: dict = {}

        def fulfilled() -> bool:
            last.clear()
            last.update(self.statistics())
            return condition(last)

        try:
            waiting.until(fulfilled, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; the last statistics were {last}") from None
        steps.note(f"{self.name}: statistics show {what}")
        return last

    def _statistics_lines(self) -> list[str]:
        return [line for line in self.errors() if line.startswith("{")]

    # -- peers and the end -------------------------------------------------------------------------

    def over(self, connected: socket.socket) -> socket.socket:
        """The socket, which is connected to it; or, if it speaks TLS, a stream over that."""
        return tls.over(connected, self.address)

    def connect(self, name: str = "", receive_buffer: int | None = None) -> peer.Peer:
        """A new peer, closed before the server is stopped."""
        new = peer.Peer(self.address, name or f"peer {len(self._peers) + 1}", receive_buffer)
        self._peers.append(new)
        return new

    def connect_many(self, count: int) -> list[peer.Peer]:
        """New peers by the thousand, arranged while the server is stopped: it accepts them in batches,
        where one at a time would cost a wait over all that are there already. They reset at the end,
        which leaves no TIME_WAIT behind."""
        many: list[peer.Peer] = []
        statistics = self.statistics()
        before = statistics["accepted"] + statistics["refused"]
        while len(many) < count:
            with self.frozen():
                for _ in range(min(1000, self.backlog, count - len(many))):
                    many.append(peer.Peer(self.address, f"{len(many) + 1} of many"))
                    self._many.append(many[-1])
            there = before + len(many)
            self.wait_statistics(lambda s: s["accepted"] + s["refused"] >= there, f"{len(many)} more accepted")
        return many

    def wait_exit(self) -> int:
        try:
            status = self.process.wait(waiting.PATIENCE)
        except subprocess.TimeoutExpired:
            late = f"{waiting.PATIENCE:.0f} s after it should have ended"
            raise AssertionError(f"{self.name}: still runs {late}") from None
        self._reader.join(waiting.PATIENCE)
        steps.note(f"{self.name}: {ending(status)}")
        self._asked_to_end |= status >= 0  # the test has expected it
        return status

    def crash(self, patience: float = 0.0) -> str:
        """How it ended, if it did so without being asked to within `patience` seconds, and the first lines of what it
        said about that; else nothing."""
        if self._asked_to_end:
            return ""
        try:
            status = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            return ""
        self._reader.join(waiting.PATIENCE)
        how = f"it crashed by itself ({signal_name(status)})" if status < 0 else f"it ended by itself (status {status})"
        return "\n".join([f"{self.name}: {how}", *self.report()])

    def report(self) -> list[str]:
        """The first lines of what a sanitizer or the C library said of a crash; without one, the last lines of all."""
        lines = self.errors()
        begin = next((i for i, line in enumerate(lines) if REPORT.search(line)), None)
        return lines[-REPORT_LINES:] if begin is None else lines[begin : begin + REPORT_LINES]

    def _close_peers(self) -> None:
        while self._many:
            self._many.pop().reset()
        for each in self._peers:
            each.close()

    def stop(self) -> dict:
        """Closes the peers, stops the server, expects status 0, and returns the final statistics."""
        self._close_peers()
        if self._successors:
            return self._stop_all()
        crashed = self.crash()
        assert not crashed, crashed
        self.ask_to_stop()
        status = self.wait_exit()
        said = "\n".join(self.report())
        assert status == 0, f"{self.name}: {ending(status)} after a signal that asked it to stop\n{said}"
        finals = self._statistics_lines()
        return json.loads(finals[-1]) if finals else {}

    def _children(self) -> list[int]:
        """A new program that has not taken over yet, for instance."""
        with contextlib.suppress(OSError):
            return [int(each) for each in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        return []

    def kill(self) -> None:
        """For a test that has failed: nothing is left behind."""
        self._asked_to_end = True
        self._close_peers()
        tls.forget(self._is_stopped)
        # A wrapper that is killed lets go of the server, which then lives on.
        wrapped = [self._first_pid] if self.process.poll() is None and self._first_pid else []
        for each in [*self._children(), *self._successors, *wrapped]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for each in self._successors:  # orphans by now, which this process has adopted
            with contextlib.suppress(ChildProcessError):
                os.waitpid(each, 0)
        self._reader.join(waiting.PATIENCE)
        for stream in (self.process.stdout, self.process.stderr):
            # A successor that nobody knows of may keep standard error open: then the reader still reads, and to close
            # the stream under it would wait for it.
            if stream is not None and not (stream is self.process.stderr and self._reader.is_alive()):
                stream.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
