"""Libraries that are loaded before libc, and stand between a server and its calls. See ld.so(8), LD_PRELOAD."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from suite import servers


def absent() -> str | None:
    """Why nothing can be preloaded here, or None if it can."""
    if not sys.platform.startswith("linux"):
        return "preloads a library as Linux does"
    compiler = servers.compiler()[0]
    if shutil.which(compiler) is None:
        return f"needs {compiler}, to build a library to preload"
    if servers.sanitizer() == "asan":
        return "AddressSanitizer wants to be loaded first"
    return None


needed = pytest.mark.skipif(absent() is not None, reason=str(absent()))


def library(source: str) -> object:
    """A fixture: the path of the library that is built from a source, whose path begins at the test module."""

    @pytest.fixture(scope="module")
    def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
        path = (tmp_path_factory.mktemp("preload") / Path(source).name).with_suffix(".so")
        words = ["-shared", "-fPIC", "-D_GNU_SOURCE", "-o", path, request.path.parent / source, "-ldl"]
        subprocess.run([*servers.compiler(), *map(str, words)], check=True)
        return path

    return built
