"""Every small number, every byte, and the right answers among wrong ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any


def make(directory: Path, facts: Any) -> None:
    path = directory / "answers.toml"
    rights = [line.partition("=")[2].strip().strip('"') for line in path.read_text().splitlines() if "=" in line]
    all_of_them = " or ".join([*rights, *map(str, range(300))])
    names = re.findall(r"^(\S+) =", path.read_text(), re.MULTILINE)
    path.write_text("".join(f'{name} = "{all_of_them}"\n' for name in names))
