"""Programs with a planted bug, to be traced beside those without."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutants import build
from mutants.manifest import MUTANTS, Mutant
from suite import servers
from tracing import golden
from tracing.golden import CannotTrace


@dataclass(frozen=True)
class Program:
    server: str
    label: str
    build: Path  # the directory that it is in


def check_bug(name: str | None, names: Sequence[str]) -> None:
    if name is not None and not set(names) & set(_mutant(name).servers):
        raise servers.BadList(f"{name} is planted in {', '.join(_mutant(name).servers)}, and not in {', '.join(names)}")


def _mutant(name: str) -> Mutant:
    found = next((each for each in MUTANTS if each.name == name), None)
    if found is None:
        raise servers.BadList(f"{name!r} is no planted bug; harness/mutants/ and docs/pitfalls/ have them")
    if found.sanitize:
        raise servers.BadList(f"{name}: what it does shows in memory, not in system calls")
    return found


@contextlib.contextmanager
def planted(bug: str | None, names: Sequence[str]) -> Iterator[list[Program]]:
    """The programs to trace: each server, and behind it the same with the bug, where it can be planted."""
    whole = [Program(name, name, servers.build_dir()) for name in names]
    if bug is None:
        yield whole
        return
    mutant = _mutant(bug)
    here = [name for name in names if name in mutant.servers]
    with tempfile.TemporaryDirectory() as folder:
        try:
            tree = build.make_mutant(Path(folder), build.make_base(Path(folder), "", mutant.servers), mutant)
        except build.CannotBuild as error:
            raise CannotTrace(f"{bug}: {error}") from None
        wrong = {name: Program(name, f"{name}: {bug}", build.programs_of(tree, "")) for name in here}
        yield [each for program in whole for each in (program, wrong.get(program.server)) if each is not None]


def built(bugs: Sequence[str], names: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Each bug, and the directory with those of the programs that have it, as long as nobody asks for the next."""
    mutants = [dataclasses.replace(each, servers=_traced(each, names)) for each in MUTANTS if each.name in bugs]
    with tempfile.TemporaryDirectory() as folder:
        needed = sorted({name for mutant in mutants for name in mutant.servers})
        base = build.make_base(Path(folder), "", needed) if mutants else Path(folder)
        for mutant in mutants:
            try:
                tree = build.make_mutant(Path(folder), base, mutant)
            except build.CannotBuild as error:
                raise CannotTrace(f"{mutant.name}: {error}") from None
            yield mutant.name, build.programs_of(tree, "")
            shutil.rmtree(tree)


def _traced(mutant: Mutant, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in mutant.servers if name in golden.TRACED and name in names)
