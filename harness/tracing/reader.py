"""Reads what strace writes, while it writes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from suite.strace import whole_lines

from tracing.calls import Call, Namer

FROM_US = ("SIGSTOP", "SIGCONT")


class Reader:
    def __init__(self, trace: Path, peer_of_port: Mapping[int, str]):
        self._trace = trace
        self._read = 0
        self._namer = Namer(peer_of_port)

    def calls(self) -> list[Call]:
        """Those that have ended since the last look. A wait that our own SIGSTOP and SIGCONT have ended is not of the
        server's making."""
        found: list[Call] = []
        interrupted: list[Call] = []
        for entry in whole_lines(self.lines()):
            call = self._namer.take(entry)
            if isinstance(call, Call):
                found.append(call)
                interrupted = []
            elif call is not None and call.name not in FROM_US:
                found += interrupted  # another signal would have ended it as well
            elif call is not None and found and found[-1].waits and found[-1].fails == "EINTR":
                interrupted = [found.pop()]
        return found

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
