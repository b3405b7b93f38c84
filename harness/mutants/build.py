"""Scratch copies of the sources. Each kind of build has one unpatched copy, and each mutant is a copy of that one, so
that make compiles again only what the patch touches."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from mutants.manifest import LOADGEN, Mutant
from suite import servers

HERE = Path(__file__).parent


class CannotBuild(Exception):
    """The text of the exception is the line to report."""


def make_base(scratch: Path, kind: str, programs: Iterable[str]) -> Path:
    """Builds the unpatched sources. `kind` is "" or the name of a sanitizer."""
    tree = scratch / f"unpatched-{kind or 'plain'}"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    shutil.copy2(servers.ROOT / "Makefile", tree)
    for each in ("common", *(kind.directory for kind in servers.KINDS)):
        shutil.copytree(servers.ROOT / each, tree / each)
    (tree / "harness").mkdir()
    for each in ("servers", "servers.toml"):
        shutil.copy2(servers.ROOT / "harness" / each, tree / "harness")
    (tree / "harness" / LOADGEN).mkdir()
    for source in (servers.ROOT / "harness" / LOADGEN).glob("*.[ch]"):
        shutil.copy2(source, tree / "harness" / LOADGEN)
    for part in (*(servers.ROOT / "harness").rglob("*.mk"), servers.ROOT / "labs" / "labs.mk"):  # the Makefile's
        target = tree / part.relative_to(servers.ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(part, target)
    _make(tree, kind, programs)
    return tree


def make_mutant(scratch: Path, base: Path, mutant: Mutant) -> Path:
    """Copies base, applies the patch, and builds the mutant."""
    tree = scratch / mutant.name
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(base, tree)
    _apply(tree, mutant)
    for each in mutant.servers:  # or a build that fails would leave the unpatched program here
        (programs_of(tree, mutant.sanitize) / each).unlink()
    _make(tree, mutant.sanitize, mutant.servers)
    return tree


def programs_of(tree: Path, kind: str) -> Path:
    """The tests recognize a sanitizer build by the name of its directory (suite/servers.py)."""
    return tree / ("asan" if kind == "address" else "build")


def _apply(tree: Path, mutant: Mutant) -> None:
    """Applies the patch without fuzz: if the lines around it have changed, somebody must look at the patch again."""
    with open(HERE / f"{mutant.name}.patch", encoding="utf-8") as patch:
        result = subprocess.run(
            ["patch", "-p1", "-F", "0", "-f", "-s", "-r", "-"], cwd=tree, stdin=patch, capture_output=True, text=True
        )
    if result.returncode != 0:
        raise CannotBuild(f"the patch does not apply: {' / '.join(result.stdout.split(chr(10))[:2])}")
    leftovers = [*tree.rglob("*.orig")]
    for each in leftovers:  # patch(1) leaves one when it finds a hunk some lines away
        each.unlink()


def _make(tree: Path, kind: str, programs: Iterable[str]) -> None:
    """Builds with an empty STRICT, because a planted bug often causes a warning."""
    directory = programs_of(tree, kind).name
    outer = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    result = subprocess.run(
        ["make", "-s", "-C", str(tree), f"BUILD={directory}", f"SANITIZE={kind}", "STRICT=",
         *(f"{directory}/{program}" for program in programs)],
        capture_output=True, text=True, env=outer,
    )
    if result.returncode != 0:
        errors = [line for line in result.stderr.splitlines() if "error" in line] or result.stderr.splitlines()
        raise CannotBuild(f"does not build: {errors[0] if errors else result.returncode}")
