"""A server under a path of its own, so that another program can take its place: a restart then starts that one."""

from __future__ import annotations

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
