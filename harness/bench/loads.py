"""One load on one new server. The server is started, driven, looked at twice while it is measured, and stopped."""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from suite import servers, tls
from suite.server import Server

from bench import memory, process
from bench.cores import Cores

# With these exit statuses the load generator has written a JSON with a verdict.
JUDGED = (0, 3, 4, 5, 6, 7)
OF_THE_MACHINE = ("steal:", "witness:")  # how its reasons for NOISY_HOST begin that no load can cause
LOOK_EVERY = 0.025  # seconds between two looks at a server while the connections are made


class Failed(Exception):
    """A run has no figures: which program failed, how it ended or what it did not do, its last lines."""


@dataclass(frozen=True)
class Load:
    server: str
    options: tuple[str, ...]  # of the load generator, without address, seed, times and outputs
    connections: int
    seed: int
    warmup: float  # seconds
    duration: float
    counting: bool = False  # count the kernel's objects (memory.py)
    server_options: tuple[str, ...] = ()
    anywhere: bool = False  # server and client may use every core: the server has several threads


@dataclass(frozen=True)
class Snapshot:
    """A server at one moment."""

    unix_ns: int
    cpu_ns: Optional[int]
    counts: dict[str, Any]  # its statistics
    memory: memory.Memory


@dataclass(frozen=True)
class Outcome:
    report: dict[str, Any]  # the load generator's JSON
    at_rest: Snapshot  # before the first connection
    before: Optional[Snapshot]  # at the beginning of the measured time, after the set-up
    after: Optional[Snapshot]  # near its end; both are None if one of them fell outside the measured time

    @property
    def verdict(self) -> str:
        return self.report["verdict"]

    def reasons(self) -> list[str]:
        return [each["text"] for each in self.report["reasons"] if each["verdict"] != "VALID"]

    def disturbed(self) -> str:
        """What disturbed the machine: steal time, stalls of the witness; empty if nothing did. These two look at the
        machine only. Nothing else may decide that a run is made again."""
        return "; ".join(text for text in self.reasons() if text.startswith(OF_THE_MACHINE))


class Driver:
    """Makes all runs of a session in the same way."""

    def __init__(self, cores: Cores, patience: float):
        self.cores = cores
        self.patience = patience  # seconds that a program may take to start, answer or stop

    def run(self, load: Load, json_path: Path) -> Outcome:
        """Raises Failed if the server or the load generator fails."""
        with self._server(load) as server:
            at_rest = self._snapshot(server, load.counting)
            outcome = self._drive(server, load, at_rest, json_path)
            self._stop(server)
            return outcome

    @contextlib.contextmanager
    def _server(self, load: Load) -> Iterator[Server]:
        try:
            preexec = process.prepare(None if load.anywhere else self.cores.server)
            server = Server(load.server, *load.server_options, preexec=preexec, ready_within=self.patience)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            raise Failed(f"{load.server} did not start: {error}") from None
        with server:
            yield server

    # -- the load generator ------------------------------------------------------------------------

    def _command(self, server: Server, load: Load, json_path: Path) -> list[str]:
        host, port = server.address
        pin = ["--pin", str(self.cores.client)] if self.cores.client is not None and not load.anywhere else []
        return [
            str(servers.program("loadgen")), "--quiet", "--host", host, "--port", str(port), *pin,
            "--connections", str(load.connections), "--seed", str(load.seed), *load.options,
            *tls.of_loadgen(load.server),
            "--warmup", f"{load.warmup:g}", "--duration", f"{load.duration:g}",
            "--server-pid", str(server.pid), "--json", str(json_path),
        ]  # fmt: skip

    def _drive(self, server: Server, load: Load, at_rest: Snapshot, json_path: Path) -> Outcome:
        command = self._command(server, load, json_path)
        json_path.unlink(missing_ok=True)
        deadline = time.monotonic() + 2 * self.patience + load.connections / 500 + load.warmup + load.duration
        try:
            generator = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                preexec_fn=process.prepare(None),
            )
        except OSError as error:
            raise Failed(f"loadgen did not start: {error}") from None
        with generator:
            try:
                before, after = self._watch(server, load, generator, deadline)
                report = self._finish(server, generator, json_path, deadline)
            finally:
                if generator.poll() is None:
                    generator.kill()
        if not _inside(report, before, after):
            before = after = None
        return Outcome(report, at_rest, before, after)

    def _finish(
        self, server: Server, generator: subprocess.Popen[str], json_path: Path, deadline: float
    ) -> dict[str, Any]:
        try:
            _, errors = generator.communicate(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            generator.kill()
            raise Failed(f"loadgen did not end in time and was killed; {self._state(server)}") from None
        if generator.returncode != 0:
            self._let_die(server)
        self._check_alive(server)
        if generator.returncode not in JUDGED:
            raise Failed(
                f"loadgen {process.ending(generator.returncode, errors.splitlines())}; "
                f"the command was: {shlex.join(generator.args)}"  # type: ignore[arg-type]
            )
        try:
            return json.loads(json_path.read_text())
        except (OSError, ValueError) as error:
            raise Failed(f"loadgen left no JSON that can be read: {error}") from None

    def _watch(
        self, server: Server, load: Load, generator: subprocess.Popen[str], deadline: float
    ) -> tuple[Optional[Snapshot], Optional[Snapshot]]:
        """The server at two moments of the measured time; None for a moment at which the load had already ended."""
        while generator.poll() is None:
            counts = self._statistics(server)
            # Each connection proves itself by one frame. The next frame is the first of the load.
            if counts["accepted"] >= load.connections and counts["frames"] > load.connections:
                break
            if time.monotonic() > deadline:
                late = f"loadgen did not make all of {load.connections} connections in time"
                raise Failed(f"{late}; {self._state(server)}")
            time.sleep(LOOK_EVERY)
        start = time.monotonic() + load.warmup
        snapshots: list[Optional[Snapshot]] = []
        for share in (0.1, 0.75):
            there = self._sleep(server, generator, start + share * load.duration)
            snapshots.append(self._snapshot(server, load.counting) if there else None)
        return snapshots[0], snapshots[1]

    def _sleep(self, server: Server, generator: subprocess.Popen[str], until: float) -> bool:
        """False if the load generator ended earlier."""
        while generator.poll() is None:
            self._check_alive(server)
            left = until - time.monotonic()
            if left <= 0:
                return True
            time.sleep(min(left, 0.2))
        return False

    # -- the server --------------------------------------------------------------------------------

    def _snapshot(self, server: Server, counting: bool = False) -> Snapshot:
        earlier_ns, earlier_cpu = time.time_ns(), process.cpu_ns(server.process.pid)
        counts = self._statistics(server)
        later_ns, later_cpu = time.time_ns(), process.cpu_ns(server.process.pid)
        cpu = None
        if earlier_cpu is not None and later_cpu is not None:
            cpu = (earlier_cpu + later_cpu) // 2
        return Snapshot((earlier_ns + later_ns) // 2, cpu, counts, memory.look(server.process.pid, counting))

    def _statistics(self, server: Server) -> dict[str, Any]:
        """The server's statistics now. Unlike Server.statistics() this notices when the server has ended."""
        before = sum(line.startswith("{") for line in server.errors())
        server.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + self.patience
        while True:
            lines = [line for line in server.errors() if line.startswith("{")]
            if len(lines) > before:
                return json.loads(lines[before])
            self._check_alive(server)
            if time.monotonic() > deadline:
                raise Failed(f"no statistics within {self.patience:g} s of SIGUSR1: it hangs; {self._state(server)}")
            time.sleep(0.001)

    def _let_die(self, server: Server) -> None:
        """A server that dies closes its connections before it ends, so that the load generator may notice first. This
        waits for the end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(0.2)

    def _check_alive(self, server: Server) -> None:
        if server.process.poll() is not None:
            raise Failed(self._state(server))

    def _state(self, server: Server, when: str = "in mid-run") -> str:
        """Name, exit status, last lines."""
        status = server.process.poll()
        if status is not None:
            server.wait_exit()  # until its last lines are read
        lines = [line for line in server.errors() if not line.startswith("{")]
        return f"{server.name} {process.ending(status, lines, when)}"

    def _stop(self, server: Server) -> None:
        server.process.terminate()
        try:
            status = server.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            late = f"not stopped within {self.patience:g} s of SIGTERM, so it was killed"
            raise Failed(f"{late}; {self._state(server)}") from None
        if status != 0:
            raise Failed(self._state(server, "after SIGTERM"))


def _inside(report: dict[str, Any], before: Optional[Snapshot], after: Optional[Snapshot]) -> bool:
    """Whether both snapshots lie in the time that the load generator measured."""
    if before is None or after is None:
        return False
    start_ns = report["started_unix_ns"]
    return start_ns <= before.unix_ns < after.unix_ns <= start_ns + report["seconds"] * 1e9
