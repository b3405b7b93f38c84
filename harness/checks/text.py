"""Layout that clang-format leaves alone: no line of C over 100 columns, no blanks at line ends (a patch has them
where an empty line is context), no absolute path of somebody's machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

COLUMNS = 100
SOMEBODYS = re.compile(r"/(?:home|Users|root|work)/")
OURS = Path("harness/checks/text.py")  # names the paths that it looks for
NOT_KEPT = {".git", "build", "results", "__pycache__"}


def check(root: Path) -> list[str]:
    found = []
    for name in files(root):
        content = (root / name).read_bytes()
        if b"\0" in content:
            continue
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            if "corpus" not in name.parts:
                found.append(f"{name}: is neither UTF-8 nor binary")
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if name.suffix in (".c", ".h") and len(line) > COLUMNS:
                found.append(f"{name}:{number}: {len(line)} columns, more than {COLUMNS}")
            if line.rstrip() != line and name.suffix not in (".svg", ".patch") and "corpus" not in name.parts:
                found.append(f"{name}:{number}: blanks at the end of the line")
            if SOMEBODYS.search(line) and name != OURS:
                found.append(f"{name}:{number}: an absolute path: {line.strip()[:80]}")
    return found


def files(root: Path) -> list[Path]:
    """Those that git knows, and those that it would take; all of them where there is no repository."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
        names = sorted({Path(each) for each in listed if each})
    except (OSError, subprocess.CalledProcessError):
        names = [each.relative_to(root) for each in sorted(root.rglob("*")) if not NOT_KEPT & set(each.parts)]
    return [each for each in names if (root / each).is_file()]
