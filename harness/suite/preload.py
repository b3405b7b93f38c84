"""Libraries that are loaded before libc, and stand between a server and its calls. See ld.so(8), LD_PRELOAD."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from suite import servers


def absent() -> str | None:
    """Why nothing can be preloaded here, or None if it can."""
    if not sys.platform.startswith("linux"):
        return "preloads a library as Linux does"
    if shutil.which("cc") is None:
        return "needs cc, to build a library to preload"
    if servers.sanitizer() == "asan":
        return "AddressSanitizer wants to be loaded first"
    return None


def build(source: Path, directory: Path) -> Path:
    library = directory / source.with_suffix(".so").name
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, source, "-ldl"], check=True)
    return library
