"""Reads what strace writes, while it writes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from suite.strace import UNFINISHED, whole_lines

from tracing.calls import Call, Namer

FROM_US = ("SIGSTOP", "SIGCONT")
CHILD = "child: "
MASK = "sigprocmask"
LET_GO = (" <detached ...>", UNFINISHED)  # how the line of the last call of a child ends: UNTIL_EXECVE


class Reader:
    """With the number of a server's process: what others do that it starts stands behind its fork(2). They run at the
    same time, so strace's lines of both come in another order each time."""

    def __init__(self, trace: Path, peer_of_port: Mapping[int, str], pid: int | None = None, program: str = ""):
        self._trace = trace
        self._read = 0
        self._pid = pid
        self._namer = Namer(peer_of_port, program)

    def calls(self) -> list[Call]:
        """Those that have ended since the last look. A wait that our own SIGSTOP and SIGCONT have ended is not of the
        server's making."""
        found: list[Call] = []
        interrupted: list[Call] = []
        own, children = self._by_process(self.lines())
        for entry in whole_lines(own):
            call = self._namer.take(entry)
            if isinstance(call, Call):
                found.append(call)
                interrupted = []
                if call.name == "fork":
                    found += self._of_child(children.get(entry.rpartition(" ")[2], []))
            elif call is not None and call.name not in FROM_US:
                found += interrupted  # another signal would have ended it as well
            elif call is not None and found and found[-1].waits and found[-1].fails == "EINTR":
                interrupted = [found.pop()]
        return _without_the_mask_of_fork(found)

    def _by_process(self, lines: list[str]) -> tuple[list[str], dict[str, list[str]]]:
        """The server's lines, and those of each child."""
        if self._pid is None:
            return lines, {}
        children: dict[str, list[str]] = {}
        for line in lines:
            children.setdefault(line.partition(" ")[0], []).append(line)
        return children.pop(str(self._pid), []), children

    def _of_child(self, lines: list[str]) -> list[Call]:
        """Until it is another program."""
        namer = self._namer.forked()
        for end in LET_GO:
            if lines and " execve(" in lines[-1] and lines[-1].endswith(end):
                lines = [*lines[:-1], lines[-1].removesuffix(end) + ") = 0"]
        calls = [call for call in map(namer.take, whole_lines(lines)) if isinstance(call, Call)]
        return [dataclasses.replace(call, text=CHILD + call.text) for call in calls]

    def lines(self) -> list[str]:
        """Since the last look."""
        with self._trace.open(encoding="utf-8", errors="replace") as stream:
            stream.seek(self._read)
            text = stream.read()
        whole = text.rpartition("\n")[0]
        self._read += len(whole.encode()) + 1 if whole else 0
        return whole.splitlines()

    def written(self) -> int:
        """In bytes."""
        return self._trace.stat().st_size


def _without_the_mask_of_fork(calls: list[Call]) -> list[Call]:
    """Newer C libraries block all signals before fork(2), and give the mask back in both processes."""
    found: list[Call] = []
    gives_back: set[bool] = set()  # the next call of the child, or of the other process, may be that one
    for call in calls:
        of_child = call.text.startswith(CHILD)
        if call.name == "fork":
            gives_back = {True, False}
            if found and found[-1].name == MASK:
                found.pop()
        elif of_child in gives_back:
            gives_back.discard(of_child)
            if call.name == MASK:
                continue
        found.append(call)
    return found
