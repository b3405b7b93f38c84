"""User-space instructions that each server executes for a message, counted by valgrind's callgrind.

Each server runs twice: it echoes M messages, then 2 x M. The difference, divided by M, is what a message costs:
start, connecting and stop are in both runs and cancel out. The client sends the next messages only when it has all
echoes of the last ones, so the server does the same work in every run and the figures repeat. A busy machine
takes longer and changes no figure.

There are two columns:
    1   one connection, one message under way: each message has a wake-up of its own
  100   a hundred connections, each with one message under way. The server is stopped (SIGSTOP) while they are sent,
        so it meets all of them in one wake-up

What the kernel executes in system calls is not in these figures. The last digit may differ by one: the server prints
its uptime, and that takes more instructions for some numbers than for others.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from suite import ending, frames, kernel, servers, waiting
from suite.peer import Peer
from suite.server import Server

SHAPES = (1, 100)
MESSAGES = 2_000
PAYLOAD = 64
BAREST = "barest loop"


Profile = Counter[str]  # instructions by the function that executed them, its callees not included


@dataclass(frozen=True)
class PerMessage:
    by_function: dict[str, float]

    @property
    def instructions(self) -> float:
        return sum(self.by_function.values())


def read_profile(text: str) -> Profile:
    """Reads a file in callgrind's format (valgrind's manual, "Callgrind Format Specification"): "fn=" names a
    function, a line of numbers has a position and a cost. The line after "calls=" has the callee's cost, which is
    counted at the callee."""
    names: dict[str, str] = {}  # a name is written once, with a number; from then on the number stands alone
    costs: Profile = Counter()
    function, of_callee = "", False
    for line in text.splitlines():
        if line.startswith("fn="):
            number, _, name = line[3:].partition(" ")
            function = names.setdefault(number, name)
        elif line.startswith("cfn="):
            number, _, name = line[4:].partition(" ")
            if name:
                names.setdefault(number, name)
        elif line.startswith("calls="):
            of_callee = True
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            if not of_callee:
                costs[function] += int(line.split()[-1])
            of_callee = False
    return costs


def callgrind(directory: Path) -> list[str]:
    return ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={directory}/%p"]


def profile(directory: Path, process: int) -> Profile:
    return read_profile((directory / str(process)).read_text())


def await_sleep(server: Server) -> None:
    waiting.until(lambda: kernel.state(server.pid) == "S", f"{server.name}: asleep in its wait")


@contextlib.contextmanager
def one_wake_up(server: Server) -> Iterator[None]:
    """What the peers do in here, the server meets in one wake-up. It is asleep in its wait when it is stopped, so
    that the stop interrupts the same call each time; what is sent over loopback has arrived when send returns."""
    await_sleep(server)
    with server.frozen():
        yield


def expect_echo(server: Server, peer: Peer, frame: bytes) -> None:
    came = peer.socket.recv(len(frame), socket.MSG_WAITALL)
    if came != frame:
        raise AssertionError(f"{server.name}: sent {frame[:12].hex(' ')}, came back {came[:12].hex(' ')}")


def connect(server: Server, connections: int, frame: bytes) -> list[Peer]:
    with one_wake_up(server):
        peers = [server.connect() for _ in range(connections)]
        for peer in peers:
            peer.socket.sendall(frame)
    for peer in peers:
        expect_echo(server, peer, frame)
    return peers


def echo(server: Server, peers: Sequence[Peer], frame: bytes) -> None:
    """One message on each connection."""
    with one_wake_up(server) if len(peers) > 1 else contextlib.nullcontext():
        for peer in peers:
            peer.socket.sendall(frame)
    for peer in peers:
        expect_echo(server, peer, frame)


def count(name: str, connections: int, rounds: int, directory: Path) -> Profile:
    """The instructions of one run, from the start of the program to its end."""
    frame = frames.frame(frames.payload(PAYLOAD))
    with Server(name, "--stats", os.devnull, wrapper=callgrind(directory)) as server:
        peers = connect(server, connections, frame)
        for _ in range(rounds):
            echo(server, peers, frame)
        with one_wake_up(server):
            for peer in peers:
                peer.half_close()
        await_sleep(server)
        server.stop()
        return profile(directory, server.process.pid)


def difference(shorter: Profile, longer: Profile, messages: int) -> PerMessage:
    more = Counter(longer)
    more.subtract(shorter)
    return PerMessage({name: cost / messages for name, cost in more.most_common() if cost != 0})


def measure(name: str, connections: int, messages: int, directory: Path) -> PerMessage:
    rounds = max(1, messages // connections)
    shorter = count(name, connections, rounds, directory)
    longer = count(name, connections, 2 * rounds, directory)
    return difference(shorter, longer, rounds * connections)


def barest(messages: int, directory: Path) -> PerMessage:
    """What a loop of epoll_wait, recv and send costs that keeps no rule of the protocol (microbench_calls)."""
    runs = []
    for number in (messages, 2 * messages):
        command = [str(servers.program("microbench_calls")), "--policy", "level", "--messages", str(number)]
        # Before and after it, the program waits for its client and reads the clock, as often as it happens to.
        valgrind = [*callgrind(directory), "--toggle-collect=policy_serve"]
        process = subprocess.Popen([*valgrind, *command], stdout=subprocess.DEVNULL)
        if process.wait() != 0:
            raise AssertionError(f"{command[0]}: exit status {process.returncode}")
        runs.append(profile(directory, process.pid))
    return difference(*runs, messages)


def absent(names: Sequence[str]) -> str | None:
    """Why nothing can be counted here, or None."""
    if not sys.platform.startswith("linux"):
        return "needs Linux"
    if shutil.which("valgrind") is None:
        return "valgrind is not installed"
    for name in (*names, "microbench_calls"):
        if not servers.program(name).exists():
            return f"{servers.program(name)} is not there: make all"
    return None


def print_functions(shape: int, result: PerMessage, most: int) -> None:
    print(f"    of them, {shape} connection{'s' if shape > 1 else ''}:")
    for name, cost in list(result.by_function.items())[:most]:
        print(f"        {cost:8.1f}  {name}")


def print_table(names: Sequence[str], messages: int, functions: int, directory: Path) -> None:
    print(f"User-space instructions a message of {PAYLOAD} bytes, by connections (each has one message under way)")
    print(f"{'':<12}" + "".join(f"{shape:>12}" for shape in SHAPES))
    print(f"{BAREST:<12}{barest(messages, directory).instructions:12.1f}", flush=True)
    for name in names:
        print(f"{name:<12}", end="", flush=True)
        results = []
        for shape in SHAPES:
            results.append(measure(name, shape, messages, directory))
            print(f"{results[-1].instructions:12.1f}", end="", flush=True)
        print()
        for shape, result in zip(SHAPES, results):
            if functions > 0:
                print_functions(shape, result, functions)


def parse_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="instructions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("servers", nargs="*", metavar="SERVER", help="all there are, unless some are named")
    parser.add_argument("--messages", type=int, default=MESSAGES, metavar="M", help=f"in the shorter run ({MESSAGES})")
    parser.add_argument("--functions", type=int, default=0, metavar="N", help="also the N functions that cost most")
    parser.add_argument("--build", metavar="DIR", help="where the programs are (build)")
    arguments = parser.parse_args(words)
    unknown = [name for name in arguments.servers if name not in servers.FIVE]
    if unknown:
        parser.error(f"{unknown[0]!r} is no server; there are: {' '.join(servers.FIVE)}")
    for option in ("messages", "functions"):
        least = max(SHAPES) if option == "messages" else 0
        if getattr(arguments, option) < least:
            parser.error(f"--{option}: expected {least} or more, not {getattr(arguments, option)}")
    return arguments


def main(words: Sequence[str] | None = None) -> int:
    arguments = parse_arguments(words)
    if arguments.build:
        os.environ["BUILD_DIR"] = arguments.build
    names = arguments.servers or [name for name in servers.FIVE if servers.absent(name) is None]
    reason = absent(names)
    if reason:
        print(f"instructions: {reason}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as directory:
        try:
            print_table(names, arguments.messages, arguments.functions, Path(directory))
        except AssertionError as error:
            print(f"\ninstructions: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM ends the servers as well
    ending.run(main, "instructions")
