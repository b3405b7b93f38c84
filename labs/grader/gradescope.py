"""Gradescope: the .zip that its instructors upload, and what happens in its container."""

from __future__ import annotations

import json
import os
import shlex
import zipfile
from collections.abc import Iterator
from pathlib import Path

from labkit.lab import LABS, ROOT, Lab

from grader import report_gradescope
from grader.result import Result, named

# What the grader needs of the project. The pitfalls are named in what a student reads.
PARTS = ("Makefile", "LICENSE", "common", "harness", "labs", "docs/pitfalls", "docs/protocol.md")
LEFT_OUT = {"__pycache__", "tests", "build", "results"}  # tests of our own tools; those of the labs stay
WHEN = (2020, 1, 1, 0, 0, 0)  # so that the same sources give the same .zip
SETTINGS = "lab.conf"


def write(result: Result, target: Path) -> None:
    """Nothing when the grader has failed: a file with 0 points would be the student's loss."""
    target.unlink(missing_ok=True)
    if not result.fault:
        target.parent.mkdir(parents=True, exist_ok=True)
        with named(target):
            target.write_text(json.dumps(report_gradescope.convert(result), indent=1), encoding="utf-8")


def submitter(root: Path) -> str:
    """The address of the student; of a group, of the first in the alphabet, so that it does not matter who submits."""
    try:
        users = json.loads((root / "submission_metadata.json").read_text(encoding="utf-8"))["users"]
        return min(str(user["email"]) for user in users)
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown"


def pack(lab: Lab, variant: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    settings = f"LAB={lab.number}\nVARIANT={shlex.quote(variant)}\n"
    with named(target), zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("setup.sh", "run_autograder"):
            _add(archive, name, (LABS / "gradescope" / name).read_bytes(), 0o755)
        _add(archive, SETTINGS, settings.encode(), 0o644)
        for path in _sources():
            name = f"project/{path.relative_to(ROOT)}"
            _add(archive, name, path.read_bytes(), 0o755 if os.access(path, os.X_OK) else 0o644)


def _sources() -> Iterator[Path]:
    servers = (path.parent for path in ROOT.glob("*/server.c"))
    beyond = (path.parent for path in ROOT.glob("beyond/*/server.c"))
    for top in (*(ROOT / part for part in PARTS), *sorted(servers), *sorted(beyond)):
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and not path.is_symlink() and not _left_out(path):
                yield path


def _left_out(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts[:-1]
    of_a_lab = parts[:1] == ("labs",) and parts[1:2] and parts[1][:1].isdigit()
    return bool(LEFT_OUT & set(parts)) and not of_a_lab


def _add(archive: zipfile.ZipFile, name: str, content: bytes, mode: int) -> None:
    entry = zipfile.ZipInfo(name, WHEN)
    entry.external_attr = (0o100000 | mode) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)
