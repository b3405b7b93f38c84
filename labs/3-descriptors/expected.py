"""What the kernel answers to the operations of a case (lab 3): the calls are really made, in processes of their own.

A case is {"about": "...", "operations": ["0 pipe", "0 write 4 10", ...]}; main.c lists the operations.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from grader.cases import BadCase
from suite.protocol import Protocol

PROCESSES = 4  # model.h
NESTED = "nested"  # kernel.py
MOST_OPERATIONS = 200
MOST_BYTES = 4096  # of all writes of a case: a pipe is never full
WITHIN = 20.0  # seconds; a call that would wait is not made

NUMBER = r"-?\d{1,2}"
EVENTS = r"(?:in|out|in\+out)(?: edge)?"
GRAMMAR = re.compile(
    rf"(?P<process>\d) (?:open|pipe|epoll|fork|exec|exit|(?:dup|close|flags|wait) {NUMBER}|dup2 {NUMBER} {NUMBER}"
    rf"|(?:nonblock|cloexec) {NUMBER} (?:on|off)|(?P<way>write|read) {NUMBER} (?P<count>\d{{1,4}})"
    rf"|(?:add|mod) {NUMBER} {NUMBER} {EVENTS}|del {NUMBER} {NUMBER})"
)


def operations(case: dict[str, Any]) -> list[str]:
    """Those of the case, if they make sense."""
    lines = case.get("operations")
    if not isinstance(lines, list) or not lines or not all(isinstance(line, str) for line in lines):
        raise BadCase('"operations" is not a list of lines, such as ["0 pipe", "0 write 4 10"]')
    if len(lines) > MOST_OPERATIONS:
        raise BadCase(f"{len(lines)} operations; at most {MOST_OPERATIONS} are allowed")
    alive, written = [True] + [False] * (PROCESSES - 1), 0
    for at, line in enumerate(lines, 1):
        found = GRAMMAR.fullmatch(line)
        if found is None:
            raise BadCase(f"operation {at}: {line!r}: no such operation, or a word is missing: see the top of main.c")
        process = int(found["process"])
        if process >= PROCESSES or not alive[process]:
            raise BadCase(f"operation {at}: {line!r}: there is no process {process} now")
        if found["way"] is not None and int(found["count"]) == 0:
            raise BadCase(f"operation {at}: {line!r}: a count of 0; at least 1 is needed")
        written += int(found["count"]) if found["way"] == "write" else 0
        if written > MOST_BYTES:
            raise BadCase(f"operation {at}: {line!r}: more than {MOST_BYTES} bytes in all; a pipe must not get full")
        if line.endswith(" fork"):
            if all(alive):
                raise BadCase(f"operation {at}: {line!r}: there are {PROCESSES} processes already")
            alive[alive.index(False)] = True
        elif line.endswith(" exit"):
            alive[process] = False
    return lines


def undone(protocol: Protocol, payload: bytes) -> bytes:
    """What the protocol transforms into this payload."""
    if protocol.transform == "reverse":
        return payload[::-1]
    return payload.translate(bytes(protocol.transformed(bytes(range(256))).index(byte) for byte in range(256)))


def stdin(case: dict[str, Any], protocol: Protocol) -> bytes:
    return b"".join(protocol.frame(undone(protocol, line.encode() + b"\n")) for line in operations(case))


def answers(lines: list[str]) -> list[str]:
    """Of the kernel of this machine."""
    pairs = [socket.socketpair() for _ in range(PROCESSES)]
    alive = [True] + [False] * (PROCESSES - 1)
    numbers = [str(theirs.fileno()) for _, theirs in pairs]
    program = [sys.executable, "-I", "-S", str(Path(__file__).with_name("kernel.py")), "0", *numbers]
    came = []
    try:
        process = subprocess.Popen(program, pass_fds=[theirs.fileno() for _, theirs in pairs])
        for _, theirs in pairs:
            theirs.close()
        for line in lines:
            number, *words = line.split()
            if words == ["fork"]:
                words.append(str(alive.index(False)))
                alive[int(words[1])] = True
            elif words == ["exit"]:
                alive[int(number)] = False
            came.append(_ask(pairs[int(number)][0], " ".join(words)))
            if came[-1] == NESTED:
                raise BadCase(f"operation {len(came)}: {line!r}: one epoll set inside another is no part of this lab")
    finally:
        for ours, theirs in pairs:  # whoever still runs reads the end of its socket, and ends
            ours.close()
            theirs.close()
    process.wait(WITHIN)
    return came


def _ask(control: socket.socket, words: str) -> str:
    control.settimeout(WITHIN)
    control.sendall(words.encode())
    line = control.recv(256).decode()
    if not line.endswith("\n"):
        raise RuntimeError(f"kernel.py: no answer to {words!r}: {line!r}")
    return line.rstrip("\n")


def expected(case: dict[str, Any], protocol: Protocol) -> bytes:
    del protocol  # the answers are plain lines
    return "".join(f"{answer}\n" for answer in answers(operations(case))).encode()


def explain(case: dict[str, Any], protocol: Protocol, came: bytes) -> list[str]:
    """The operations up to the first answer that differs."""
    given = came.decode(errors="backslashreplace").splitlines()
    lines = []
    for at, (operation, right) in enumerate(zip(operations(case), expected(case, protocol).decode().splitlines())):
        if at >= len(given):
            lines.append(f"{operation}: expected {right}, but your program prints no more lines")
            break
        if given[at] != right:
            lines.append(f"{operation}: expected {right}, came {given[at]}")
            break
        lines.append(f"{operation}: {right}")
    return lines[-10:]
