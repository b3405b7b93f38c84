"""A server under a path of its own, so that another program can take its place: a restart then starts that one."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from suite import servers


class Replaced:
    """A copy of a server's program, to be started by its path. Whatever is put in its place later, a restart finds."""

    def __init__(self, name: str, directory: Path):
        self.good = servers.program(name)
        self.path = directory / name
        shutil.copy2(self.good, self.path)

    def replace(self, text: str | None, mode: int = 0o755) -> None:
        """By a script, or by the good program. As an installer does it: a running program cannot be written to."""
        new = self.path.with_suffix(".new")
        if text is None:
            shutil.copy2(self.good, new)
        else:
            new.write_text(text)
            new.chmod(mode)
        new.replace(self.path)


# In the place of the new program: it does nothing until it is told, and ends when nobody is left who could tell it.
TOLD = """#!/bin/sh
while read -r word; do
    case $word in
    listens) echo >&"$READY_FD" ;;
    ends) exit 7 ;;
    esac
done <{gate}
"""


class StandIn(Replaced):
    """What it does, and when, is up to us: so what the old server does comes in one order."""

    def __init__(self, name: str, directory: Path):
        super().__init__(name, directory)
        self._fifo = directory / "gate"
        os.mkfifo(self._fifo)
        self._gate = os.open(self._fifo, os.O_RDWR)  # to open it for writing alone would wait for the one who reads

    def take_its_place(self) -> None:
        self.replace(TOLD.format(gate=shlex.quote(str(self._fifo))))

    def tell(self, word: str) -> None:
        os.write(self._gate, f"{word}\n".encode())

    def close(self) -> None:
        os.close(self._gate)
