"""What peers do with a server while one of its calls fails: everything that the protocol knows, on a small scale.

Each peer knows which echoes it is owed. The bytes that it receives must be the beginning of these, byte for byte. A
peer was cut off if its connection ends before it has received all of them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from faults.wire import Frames
from suite import kernel, tls, waiting
from suite.frames import payload


PATIENCE = 10.0  # seconds that a peer waits for its echoes; only a broken server takes so long


class Broken(Exception):
    """Something that must not happen, whatever call fails."""


class Gone(Exception):
    """The server has stopped in the middle of a run. The judge decides whether it was allowed to."""


class Client:
    """A peer of the server."""

    def __init__(self, server: Subject, name: str, receive_buffer: int | None = None):
        self.server = server
        self.name = name
        self.owed = bytearray()
        self.instead: list[bytes] = []  # what may come in place of all that is owed, if a request is refused
        self.came = bytearray()
        self.cut = False
        self.refused = False
        self.ended = False
        self.later = bytearray()  # what a server that is stopped must shake hands for first
        self.socket = socket.socket(
            socket.AF_INET6 if ":" in server.address[0] else socket.AF_INET, socket.SOCK_STREAM
        )
        self.socket.settimeout(PATIENCE)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket.connect(server.address)
        except ConnectionRefusedError:
            raise Gone(f"{name} could not connect: nobody listens any more") from None
        except ConnectionResetError:  # it stopped while this peer was in its queue
            self.cut = True
        if server.secure:
            self.socket = tls.Stream(self.socket, tls.client())  # type: ignore[assignment]

    def send(self, data: bytes) -> None:
        if self.cut:
            return
        if isinstance(self.socket, tls.Stream) and self.server.stopped and not self.socket.shaken:
            if not self.later:
                self.socket.begin()
            self.later += data
            return
        try:
            data, self.later = bytes(self.later) + data, bytearray()
            self.socket.sendall(data)
        except (ConnectionError, ssl.SSLError):
            self.cut = True
        except TimeoutError:
            raise Broken(f"{self.name}: the server accepts no more input") from None

    def send_frames(self, *payloads: bytes) -> None:
        """Frames, or requests that are echoed."""
        wire = self.server.wire
        self.ask(b"".join(map(wire.request, payloads)), b"".join(map(wire.reply, payloads)))

    def ask(self, request: bytes, reply: bytes, instead: tuple[bytes, ...] = ()) -> None:
        self.instead = [each + reply for each in self.instead] + [bytes(self.owed) + each for each in instead]
        self.owed += reply
        self.send(request)

    def _is_right(self) -> bool:
        came = self.server.wire.known(bytes(self.came))
        if came == self.owed[: len(came)]:
            return True
        for each in self.instead:
            if came == each[: len(came)]:
                self.owed, self.instead, self.refused = bytearray(each), [], True
                return True
        return False

    def receive(self) -> bool:
        """Makes one recv. Returns False at the end of the stream, orderly or not."""
        if self.later:
            self.send(b"")
        try:
            piece = self.socket.recv(1 << 16)
        except TimeoutError:
            raise Broken(f"{self.name}: received {len(self.came)} of {len(self.owed)} bytes, then no more") from None
        except (ConnectionError, ssl.SSLError):
            self.cut = True
            return False
        if not piece:
            self.ended = True
            return False
        self.came += piece
        if not self._is_right():
            raise Broken(f"{self.name}: a wrong byte among the {len(self.came)} that it received")
        return True

    def collect(self) -> None:
        """Waits for everything that the server owes."""
        while not self.cut and len(self.came) < len(self.owed):
            if not self.receive():
                self.cut = True

    def collect_end(self) -> None:
        """Waits for everything that the server owes, and then for the end of the stream."""
        self.collect()
        if not self.cut and self.receive():
            raise Broken(f"{self.name}: received more bytes where the end of the stream was expected")

    def collect_what_comes(self) -> None:
        """Waits for the end. The server was free to end the stream between two replies, but not inside a reply."""
        while not self.cut and self.receive():
            pass
        if not self.server.wire.ends_between(self.came):
            self.cut = True

    def half_close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Subject:
    """A server under test: its process, the lines that it wrote, and its peers."""

    secure = False  # it speaks TLS
    wire: type[Frames] = Frames  # what its peers send, and what they get
    stopped = False  # by a signal, at the moment

    def __init__(
        self, program: Path, options: list[str], directory: Path, environment: dict[str, str],
        wrapper: tuple[str, ...] = (),
    ):
        self.directory = directory
        self.steps: list[str] = []
        self.clients: list[Client] = []
        self.asked = 0  # how many lines of statistics were asked for
        self._error_path = directory / "stderr"
        reading, writing = os.pipe()
        if wrapper:  # the server is told of this pipe, as by an old server that waits for it
            environment = {**environment, "READY_FD": str(writing)}
        with self._error_path.open("wb") as errors:
            self.process = subprocess.Popen(
                [*wrapper, str(program), "--port", "0", *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **environment},
                pass_fds=(writing,) if wrapper else (),
            )
        os.close(writing)
        self._told = open(reading, "rb", buffering=0)
        assert self.process.stdout is not None  # for mypy: it is a pipe
        self.output = self.process.stdout
        self.address = ("", 0)

    def ready_line(self) -> str:
        """The first line on standard output, or "" if the server ended without one."""
        ready, _, _ = select.select([self.output], [], [], PATIENCE)
        if not ready:
            raise Broken("the server runs, but it has printed no ready line")
        return self.output.readline().decode()

    def hear(self) -> str:
        """The next line on the pipe of whoever takes over, or "" if it was closed."""
        if not select.select([self._told], [], [], PATIENCE)[0]:
            raise Broken("the server runs, but it has not said on its pipe that it listens")
        return self._told.readline().decode()

    def step(self, text: str) -> None:
        self.steps.append(text)

    def lines(self) -> list[str]:
        return self._error_path.read_text(errors="replace").splitlines()

    def _statistics_lines(self) -> list[str]:
        return [line for line in self.lines() if line.startswith("{") and line.endswith("}")]

    def statistics(self) -> dict:
        """Asks until an answer comes: the injected failure may hit one of the answers."""
        before = len(self._statistics_lines())
        deadline = time.monotonic() + PATIENCE
        while True:
            self.asked += 1
            self.signal(signal.SIGUSR1)
            again = time.monotonic() + 0.1
            while time.monotonic() < again:
                found = self._statistics_lines()
                if len(found) > before:
                    return json.loads(found[-1])
                if self.process.poll() is not None:
                    raise Gone("while it was asked for statistics")
                time.sleep(0.001)
            if time.monotonic() > deadline:
                raise Broken("SIGUSR1 brought no statistics")

    def wait_statistics(self, condition: Callable[[dict], bool], what: str) -> dict:
        deadline = time.monotonic() + PATIENCE
        while True:
            statistics = self.statistics()
            if condition(statistics):
                return statistics
            if time.monotonic() > deadline:
                raise Broken(f"waited for {what}, but it did not happen; the last statistics: {statistics}")
            time.sleep(0.005)

    def signal(self, number: signal.Signals) -> None:
        if self.process.poll() is not None:
            raise Gone(f"before {number.name}")
        self.process.send_signal(number)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        self.signal(signal.SIGSTOP)
        waiting.until(lambda: kernel.state(self.process.pid) in ("T", "Z"), "stopped by SIGSTOP")
        self.stopped = True
        try:
            yield
        finally:
            self.stopped = False
            self.signal(signal.SIGCONT)

    def connect(self, name: str, receive_buffer: int | None = None) -> Client:
        self.clients.append(Client(self, name, receive_buffer))
        return self.clients[-1]

    def wait_exit(self) -> int:
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Broken("the server does not exit") from None

    def end(self) -> None:
        """Closes every peer and ends the process."""
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.output.close()
        self._told.close()


class Scenario:
    """A sequence of steps. `options` is the server's command line, `first_line` is what it must print first."""

    options: tuple[str, ...] = ()
    errors = 0  # how many connections end with an error, though no call fails
    over_tls: tuple[str, ...] = ()  # options besides, of a server that speaks TLS
    wrapper: tuple[str, ...] = ()  # a command that becomes the server
    first_line = re.compile(r"listening on \[?([0-9.:]+)\]?:(\d+)( \(\w+\))?\n")
    serves = True

    def __init__(self, server: Subject, said: re.Match[str]):
        self.server = server
        server.address = (said[1], int(said[2]))

    @staticmethod
    def prepare(root: Path) -> None:
        """Makes the files that the server serves."""

    @staticmethod
    def first(server: Subject) -> str:
        """The server's first line, or "" if it ended without one."""
        return server.ready_line()

    def run(self) -> None:
        raise NotImplementedError


class Traffic(Scenario):
    """Everything that peers do, and a stop in the middle of it."""

    options: tuple[str, ...] = (
        "--max-frame", "100000", "--high-water", "40000", "--low-water", "10000", "--stats", "{stats}",
    )  # fmt: skip
    over_tls = ("--drain-timeout", "9")  # a record leaves in pieces, each of them a turn

    def __init__(self, server: Subject, said: re.Match[str]):
        super().__init__(server, said)
        self.steady = server.connect("steady")
        self.pings = 0

    def echo(self) -> None:
        """One echo on a connection that stays open, or nothing if that connection was cut off."""
        self.pings += 1
        self.steady.send_frames(b"ping %d" % self.pings)
        self.steady.collect()

    def ping(self) -> None:
        """As echo(). If the connection was cut off, the server must serve a new one."""
        for _ in range(2):
            self.echo()
            if not self.steady.cut:
                return
            self.server.step("the steady connection was cut off; another takes over")
            self.steady = self.server.connect("steady's successor")
        raise Broken("two connections were cut off")

    def run(self) -> None:
        self.run_steps(
            self.several_sizes,
            self.pieces,
            self.pipelining,
            self.back_pressure,
            self.bad_endings,
            self.out_of_descriptors,
            self.lowered_limit,
            *((self.new_certificate,) if self.server.secure else ()),
            self.quiet,
            self.stop,
        )

    def run_steps(self, *steps: Callable[[], None]) -> None:
        for step in steps:
            self.server.step(step.__doc__ or step.__name__)
            step()

    def several_sizes(self) -> None:
        """frames of several sizes"""
        self.steady.send_frames(b"", b"x", payload(5000))
        self.ping()

    def _send_in_pieces(self, client: Client, data: bytes) -> None:
        cuts = (0, 2, 12, 1500, 8000, len(data))
        for begin, end in zip(cuts, cuts[1:]):
            client.send(data[begin:end])
            self.ping()

    def pieces(self) -> None:
        """a frame in pieces, with echoes of other peers between them"""
        client = self.server.connect("pieces")
        self._send_in_pieces(client, self.server.wire.request(payload(9000, "pieces")))
        client.owed += self.server.wire.reply(payload(9000, "pieces"))
        client.collect()
        client.send_frames(b"", b"whole again")
        client.collect()

    def pipelining(self) -> None:
        """many frames in one segment, then half-close"""
        client = self.server.connect("pipelining")
        client.send_frames(*(payload(size, "pipelining") for size in range(0, 3000, 100)))
        client.half_close()
        client.collect_end()

    def _not_reading(
        self, name: str, send: Callable[[Client], None], count: str, over: Callable[[Client], bool] = lambda _: False
    ) -> Client:
        """A peer that sends and does not read, until the server has counted that, or a connection has ended."""
        before = self.server.statistics()
        client = self.server.connect(name, receive_buffer=4096)
        send(client)

        def ended(statistics: dict) -> int:
            return sum(statistics["closed"].values()) + statistics["refused"]

        def noticed(statistics: dict) -> bool:
            return statistics[count] > before[count] or ended(statistics) > ended(before) or over(client)

        self.server.wait_statistics(noticed, f"a peer that does not read, in {count}")
        return client

    def _flood(self, name: str) -> Client:
        """A peer that sends and does not read, until the server pauses reading from it."""
        frames = [payload(10_000, (name, i)) for i in range(20)]
        return self._not_reading(name, lambda client: client.send_frames(*frames), "pauses")

    def back_pressure(self) -> None:
        """a peer that first does not read and then reads everything: pause and resume"""
        client = self._flood("slow")
        self.ping()
        client.collect()
        client.send_frames(b"after the pause")
        client.collect()

    def bad_endings(self) -> None:
        """a frame above --max-frame, a truncated frame, a reset"""
        client = self.server.connect("oversize")
        client.send_frames(b"before")
        client.ask(self.server.wire.too_large + b"x" * 100, self.server.wire.refusal)
        client.collect_end()
        client.close()
        client = self.server.connect("truncated")
        client.send(self.server.wire.begun)
        client.half_close()
        client.collect_end()
        client = self.server.connect("resetting")
        client.send(self.server.wire.begun)
        self.ping()
        client.reset()
        self.ping()

    def _free_descriptor(self) -> int:
        """The number of the next descriptor that the server opens."""
        used = {int(name) for name in os.listdir(f"/proc/{self.server.process.pid}/fd")}
        return next(number for number in range(len(used) + 1) if number not in used)

    def out_of_descriptors(self) -> None:
        """a peer while no descriptor is free, then one when a descriptor is free again"""
        pid = self.server.process.pid
        ends = self.server.connect("ends, which frees a descriptor")
        ends.send_frames(b"x")
        ends.collect()
        limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        with self.server.frozen():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (self._free_descriptor(), limit[1]))
            waits = self.server.connect("waits, or is refused")
            waits.send_frames(b"let me in")
            self.steady.send_frames(b"beside that")
        for _ in range(2):
            self.echo()  # if it is cut off now, the server has no descriptor for a successor
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
        self.ping()
        ends.close()
        waits.collect()
        self.server.clients.remove(waits)
        waits.close()
        last = self.server.connect("served again")
        last.send_frames(b"at last")
        last.collect()

    def lowered_limit(self) -> None:
        """a descriptor limit below what the server has open: poll(2) refuses its array then"""
        pid = self.server.process.pid
        limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (4, limit[1]))
        self.echo()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
        self.ping()

    def new_certificate(self) -> None:
        """SIGHUP: the certificate is read again, or the old one is kept"""
        deadline = time.monotonic() + PATIENCE
        while not any(tls.READ_AGAIN.match(line) for line in self.server.lines()):  # the line itself may fail
            if time.monotonic() > deadline:
                raise Broken("SIGHUP brought no line")
            self.server.signal(signal.SIGHUP)
            again = time.monotonic() + 0.1
            while time.monotonic() < again and not any(map(tls.READ_AGAIN.match, self.server.lines())):
                time.sleep(0.001)
        client = self.server.connect("sees the certificate")
        client.send_frames(b"hello")
        client.collect()

    def quiet(self) -> None:
        """no wake-up without a cause"""
        before, asked = self.server.statistics(), self.server.asked
        for _ in range(10):
            self.ping()
        after = self.server.statistics()
        causes = 10 + self.server.asked - asked + 1
        if after["waits"] - before["waits"] > 2 * causes + 4:
            raise Broken(f"{after['waits'] - before['waits']} wake-ups for {causes} causes: the server spins")

    def stop(self, *others: Client) -> None:
        """SIGTERM with output pending, half a frame and an idle peer; then the peers read to the end"""
        slow = self._flood("slow at the stop")
        half = self.server.connect("half a frame")
        half.send_frames(b"whole")
        half.collect()
        half.send(self.server.wire.begun)
        self.ping()
        self.server.signal(signal.SIGTERM)
        slow.collect_what_comes()
        for client in (*others, half, self.steady):
            client.collect_end()
        for client in self.server.clients:
            client.close()


class Timeouts(Scenario):
    """Everything that a timeout ends."""

    options = (
        *("--idle-timeout", "0.5", "--drain-timeout", "0.2", "--max-lifetime", "0.9", "--max-conns", "4"),
        *(("--bind", "::1") if not kernel.NO_IPV6 else ()),
    )
    # A handshake takes two turns of the server and one of its peer, and all of them together must be in time.
    over_tls = ("--idle-timeout", "2.5", "--max-lifetime", "3.5", "--handshake-timeout", "2")

    def run(self) -> None:
        server = self.server
        server.step("two idle peers, one that stays open after an oversize frame, a busy one, and one too many")
        with server.frozen():
            idle = [server.connect(f"idle {i}") for i in range(2)]
            stays = server.connect("stays after an oversize frame")
            busy = server.connect("busy")
            for client in (*idle, busy):
                client.send_frames(b"one")
            stays.ask(server.wire.too_large, server.wire.refusal)
            above = server.connect("one above --max-conns")
        for client in (*idle, stays, busy):
            client.send(b"")  # what waited for a handshake
        for client in (*idle, busy):
            client.collect()
        server.step("until the server has ended each of them")
        self.until_its_lifetime_ends(busy)
        for client in idle:
            client.collect_end()
        stays.collect_end()
        server.wait_statistics(lambda s: s["connections"] == 0, "the end of all connections")
        server.clients.remove(above)  # the server refuses it, unless it has refused an earlier one
        above.close()
        if server.secure:
            server.step("a peer that makes no handshake")
            server.connect("says nothing").collect_end()
        server.step("SIGTERM without a connection")
        server.signal(signal.SIGTERM)

    @staticmethod
    def until_its_lifetime_ends(busy: Client) -> None:
        while not (busy.cut or busy.ended):
            busy.send_frames(b"still here")
            if select.select([busy.socket], [], [], 0.2)[0]:
                busy.receive()
            time.sleep(0.05)
        busy.cut = False  # the server had to end it, and may have answered its last frame with a reset
        busy.close()


# As a server is started that takes over from another: with a listener, and with a pipe that somebody reads. Before the
# server says on the pipe that it listens, this says where.
AS_SUCCESSOR = """
import fcntl, os, socket, sys
listener, ready = socket.create_server(("127.0.0.1", 0), backlog=100), int(os.environ["READY_FD"])
os.write(ready, b"%d\\n" % listener.getsockname()[1])
moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 5) for fd in (listener.fileno(), ready)]
for fd, number in zip(moved, (3, 4)):
    os.dup2(fd, number)
if ready > 4:
    os.close(ready)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", READY_FD="4")
os.execv(sys.argv[1], sys.argv[1:])
"""


class Inherited(Scenario):
    """A server that has taken over from another one. SIGUSR2 changes nothing: it does not restart itself."""

    options = ("--stats", "{stats}", "--drain-timeout", "60")
    wrapper = (sys.executable, "-c", AS_SUCCESSOR)

    @staticmethod
    def first(server: Subject) -> str:
        """It is the pipe that says whether the server runs. If it cannot print its ready line, it runs without it."""
        port, listens = server.hear(), server.hear() == "\n"
        printed = not listens or select.select([server.output], [], [], 0)[0]
        line = server.ready_line() if printed else ""
        return line or (f"listening on 127.0.0.1:{port}" if listens else "")

    def run(self) -> None:
        self.server.step("SIGUSR2 and a frame")
        self.server.signal(signal.SIGUSR2)
        steady = self.server.connect("steady")
        steady.send_frames(b"x")
        steady.collect()
        self.server.step("SIGTERM")
        self.server.signal(signal.SIGTERM)
        steady.close()
        self.server.wait_exit()


class Restart(Inherited):
    """It hands over to a new program. A restart that fails is tried again."""

    said = re.compile(r"\w+: (?:no restart: .*|process (\d+) listens now)")

    def __init__(self, server: Subject, said: re.Match[str]):
        super().__init__(server, said)
        self.successor = 0

    def run(self) -> None:
        steady = self.server.connect("steady")
        steady.send_frames(b"before")
        steady.collect()
        try:
            for step in (self.a_start_that_fails, self.no_descriptors, self.restart):
                self.server.step(step.__doc__ or step.__name__)
                step()
                steady.send_frames(payload(3000, step.__name__))
                steady.collect()
            if not self.successor:
                self.server.step("the restart failed; a second one")
                self.restart()
            if not self.successor:
                raise Broken("the second restart failed, too")
            self._ping("of the new server")
            self.server.step("the old server's last connection ends")
            steady.close()
            self.server.wait_exit()
        finally:
            if self.successor:
                os.kill(self.successor, signal.SIGKILL)

    def _ping(self, name: str) -> None:
        """The server's own figures do not know this peer: another process may serve it."""
        client = self.server.connect(name)
        client.send_frames(b"x")
        client.collect()
        self.server.clients.remove(client)
        client.close()
        if client.cut:
            raise Broken(f"{name}: cut off")

    def restart(self) -> None:
        """SIGUSR2"""
        before, pipes = len(self._said()), self._pipes()
        self.server.signal(signal.SIGUSR2)
        deadline = time.monotonic() + 2 * PATIENCE  # a program that cannot be heard is killed at --restart-timeout
        while time.monotonic() < deadline:
            # The line itself may be what fails. Then all is over when the restart's pipe is closed and nobody runs.
            over = kernel.rests(self.server.process.pid) and self._pipes() == pipes
            said = self._said()[before:]
            if said or over:
                children = [] if said else self._children()
                self.successor = int(said[-1] or 0) if said else next(iter(children), 0)
                return
            if self.server.process.poll() is not None:
                raise Gone("during a restart")
        raise Broken("a restart that neither succeeds nor fails")

    def _said(self) -> list[str | None]:
        """For each restart the process that listens now, or None if there was no restart."""
        return [match[1] for line in self.server.lines() if (match := self.said.match(line))]

    def _pipes(self) -> set[str]:
        """Which pipes the server has open. It has one more while a restart is under way."""
        try:
            files = {os.readlink(entry) for entry in Path(f"/proc/{self.server.process.pid}/fd").iterdir()}
        except OSError:  # it has just closed one, or has ended
            return set()
        return {each for each in files if each.startswith("pipe:")}

    def _children(self) -> list[int]:
        pid = self.server.process.pid
        with contextlib.suppress(OSError):
            found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            return [int(each) for each in found if kernel.state(int(each)) != "Z"]
        return []

    def a_start_that_fails(self) -> None:
        """SIGUSR2, and the new program cannot open its statistics"""
        stats, aside = self.server.directory / "stats", self.server.directory / "aside"
        stats.rename(aside)
        stats.mkdir()
        try:
            self.restart()
        finally:
            stats.rmdir()
            aside.rename(stats)
        if self.successor:
            raise Broken("a server runs that cannot write its statistics")
        self._ping("after the start that failed")

    def no_descriptors(self) -> None:
        """SIGUSR2, and the new process has no descriptor left"""
        pid = self.server.process.pid
        limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        free = [number for number in range(len(used) + 5) if number not in used]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free[4], limit[1]))  # two pipes, and no more
        self.restart()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
        if self.successor:
            raise Broken("a server was started without descriptors")


class Help(Scenario):
    """The list of options."""

    options = ("--help",)
    first_line = re.compile(r"Usage: .*\n")
    serves = False

    def __init__(self, server: Subject, said: re.Match[str]):
        self.server = server

    def run(self) -> None:
        self.server.step("--help")
