"""The sources of a lab in one variant, and what is built of them: the reference, planted bugs, the starter, and what a
submission is compiled against.

Everything stands under build/labs in a place that is named by a hash of what it is made of. So nothing there ever
changes, two graders can build at once, and what has not changed is not built again.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from labkit import cut, sources
from labkit.lab import ROOT, BadLab, HandIn, Lab, Mistake
from suite import servers
from suite.protocol import Protocol

BUILT = ROOT / (os.environ.get("BUILD_DIR") or "build") / "labs"
COMPILER = os.environ.get("CC", "cc").split()

# As the Makefile compiles the servers.
COMMON_FLAGS = (
    *("-std=c17", "-O2", "-g", "-fstack-protector-strong", "-fPIE", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"),
    "-D_GNU_SOURCE",
)
LINK_FLAGS = ("-pie", "-Wl,-z,relro,-z,now")
LIBRARIES = ("-lm", "-pthread")

Tree = Mapping[str, str]  # the text of each file, by its path in the project


class CannotBuild(Exception):
    """The project's own sources do not compile here: a fault of the machine or of the project, of no student."""


# -- what stands in the tree -------------------------------------------------------------------------


def source_files(lab: Lab) -> list[str]:
    """The C files of the program, those that are handed in among them."""
    if lab.kind == "program":
        return sorted({*lab.sources, *(each.source for each in lab.files)})
    kind = servers.OF[lab.program]
    patterns = ["common/*.c", f"{kind.directory}/*.c"]
    if kind.stand_in:
        patterns.append(f"{kind.directory}/emulation/*.c")
    return sorted(str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern))


def extra_flags(lab: Lab, given: str) -> tuple[str, ...]:
    """kqueue is the emulation everywhere, so that every machine grades alike."""
    if lab.kind == "server" and servers.OF[lab.program].stand_in:
        directory = servers.OF[lab.program].directory
        return (f"-I{given}/{directory}/emulation", '-DKQUEUE_IMPLEMENTATION="emulation"')
    return ()


def texts(lab: Lab, protocol: Protocol) -> dict[str, str]:
    """The sources and the headers that they include."""
    return _with_headers(source_files(lab), protocol)


def _with_headers(paths: Iterable[str], protocol: Protocol) -> dict[str, str]:
    found: dict[str, str] = {}
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = sources.text(protocol, path)
            waiting += included(path, found[path])
    return found


def included(path: str, text: str) -> list[str]:
    """The project's headers that this file includes itself, by their paths in the project."""
    found = []
    for name in re.findall(r'^\s*#\s*include\s*["<]([^">]+)[">]', text, re.MULTILINE):
        beside = os.path.normpath(PurePosixPath(path).parent / name)
        for candidate in (beside, f"kqueue_srv/emulation/{name}" if path.startswith("kqueue_srv/") else beside):
            if (ROOT / candidate).is_file():
                found.append(candidate)
                break
    return found


# -- places that are named by what is in them --------------------------------------------------------


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


@functools.cache
def _compiler_version() -> str:
    try:
        return subprocess.run([*COMPILER, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotBuild(f"the compiler '{' '.join(COMPILER)}' does not work: {error}") from None


def _place(kind: str, name: str, fill: Callable[[Path], None]) -> Path:
    """The directory of that name. If it is not there, it is filled elsewhere and moved here whole."""
    place = BUILT / kind / name
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=place.parent))
        try:
            fill(new)
            new.chmod(0o755)
            new.rename(place)
        except OSError:
            if not place.exists():  # nobody else was faster
                raise
        finally:
            shutil.rmtree(new, ignore_errors=True)
    return place


def _write(directory: Path, files: Tree) -> None:
    for path, text in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)


def _run(command: list[str], **more: str | Path) -> None:
    result = subprocess.run(command, capture_output=True, text=True, **more)  # type: ignore[call-overload]
    if result.returncode != 0:
        complaint = [line for line in result.stderr.splitlines() if "error" in line]
        raise CannotBuild(f"{command[0]}: {(complaint or [result.stderr or str(result.returncode)])[0]}")


# -- building what is trusted ------------------------------------------------------------------------


def _object(tree: Tree, path: str, extra: tuple[str, ...]) -> Path:
    """One compiled file."""
    reached = {path}
    waiting = [path]
    while waiting:
        name = waiting.pop()
        new = {each for each in included(name, tree[name]) if each in tree} - reached
        reached |= new
        waiting += new
    flags = (*COMMON_FLAGS, *extra, "-w")
    what = _hash(_compiler_version(), *flags, path, *(f"{name}\0{tree[name]}" for name in sorted(reached)))

    def fill(new: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            _write(Path(scratch), {name: tree[name] for name in reached})
            _run([*COMPILER, *flags, "-c", "-o", str(new / _object_name(path)), path], cwd=scratch)

    return _place("objects", what, fill) / _object_name(path)


def _object_name(path: str) -> str:
    return path.replace("/", "-").removesuffix(".c") + ".o"


def _objects(tree: Tree, paths: Iterable[str], extra: tuple[str, ...] = ()) -> list[Path]:
    with ThreadPoolExecutor(2) as workers:
        return list(workers.map(lambda path: _object(tree, path, extra), paths))


def _archive(into: Path, objects: list[Path]) -> None:
    _run(["ar", "rcsD", str(into), *map(str, objects)])


def _program(lab: Lab, tree: Tree) -> Path:
    """As the Makefile does: the objects of the program's own directory, and what they need of common/."""
    return _linked(lab.program, tree, source_files(lab), extra_flags(lab, "."))


def _linked(name: str, tree: Tree, paths: Iterable[str], extra: tuple[str, ...] = ()) -> Path:
    paths = list(paths)
    parts = _objects(tree, [path for path in paths if not path.startswith("common/")], extra)
    others = _objects(tree, [path for path in paths if path.startswith("common/")], extra)
    what = _hash(name, *map(str, (*parts, *others)), *LINK_FLAGS, *LIBRARIES)

    def fill(new: Path) -> None:
        _archive(new / "common.a", others)
        program = str(new / name)
        _run([*COMPILER, *LINK_FLAGS, "-o", program, *map(str, parts), str(new / "common.a"), *LIBRARIES])
        (new / "common.a").unlink()

    return _place("programs", what, fill) / name


def reference(lab: Lab, protocol: Protocol) -> Path:
    """The right program of this variant."""
    return _program(lab, texts(lab, protocol))


def patched(lab: Lab, protocol: Protocol, bug: Mistake) -> Path:
    """The right program with one planted bug."""
    tree = texts(lab, protocol)
    patch = _part(lab.patch(bug).read_text(), tree)
    if not patch:
        raise BadLab(f"{lab.name}: the patch '{bug.name}' changes no file of {lab.program}")
    with tempfile.TemporaryDirectory() as scratch:
        _write(Path(scratch), tree)
        command = ["patch", "-p1", "-F0", "-f", "-s", "-r", "-", "--no-backup-if-mismatch"]
        result = subprocess.run(command, cwd=scratch, input=patch, capture_output=True, text=True)
        if result.returncode != 0:
            raise BadLab(f"{lab.name}: the patch '{bug.name}' does not apply: {result.stdout.splitlines()[0]}")
        tree = {path: (Path(scratch) / path).read_text() for path in tree}
    return _program(lab, tree)


def _part(patch: str, tree: Tree) -> str:
    """What a patch does to files of this tree: one in harness/mutants/ may change several servers."""
    parts = re.split(r"^(?=--- )", patch, flags=re.MULTILINE)
    return "".join(part for part in parts if (name := re.match(r"--- a/(\S+)", part)) and name[1] in tree)


# -- the student's side ------------------------------------------------------------------------------


def starter_text(hand_in: HandIn, protocol: Protocol) -> str:
    """A file of the kit, as the student gets it."""
    text = sources.text(protocol, hand_in.source)
    return cut.starter(hand_in.source, text, hand_in.cut, drop_unused=hand_in.source == "common/frame.c")


def starter(lab: Lab, protocol: Protocol) -> Path:
    """A directory with the files to hand in, as the student gets them."""
    return _hand_ins("starters", {each.path: starter_text(each, protocol) for each in lab.files})


def solution(lab: Lab, protocol: Protocol) -> Path:
    """A directory with the files to hand in, as the project has them."""
    return _hand_ins("solutions", {each.path: sources.text(protocol, each.source) for each in lab.files})


def _hand_ins(kind: str, files: Tree) -> Path:
    what = _hash(*(f"{path}\0{text}" for path, text in sorted(files.items())))
    return _place(kind, what, lambda new: _write(new, files))


def given(lab: Lab, protocol: Protocol) -> Path:
    """A directory with what a submission is compiled against: the headers at their paths in the project, and given.a,
    the objects of all that is not handed in. No source is there."""
    tree = texts(lab, protocol)
    headers = {path: text for path, text in tree.items() if path.endswith(".h")}
    handed_in = {each.source for each in lab.files}
    objects = _objects(tree, (path for path in source_files(lab) if path not in handed_in), extra_flags(lab, "."))
    what = _hash(*(f"{path}\0{text}" for path, text in sorted(headers.items())), *map(str, objects))

    def fill(new: Path) -> None:
        _write(new, headers)
        for each in lab.files:  # "../common/loop.h" is found from here
            (new / each.source).parent.mkdir(parents=True, exist_ok=True)
        _archive(new / "given.a", objects)

    return _place("given", what, fill)


def compile_commands(lab: Lab, given: str, submission: str, out: str) -> list[list[str]]:
    """The commands that make out/PROGRAM of the files in `submission`, one for each file and one that links. The three
    are directories as the compiler sees them: `given` is what given() returns, wherever that is mounted. A warning is
    what the compiler says at exit status 0."""
    commands, objects = [], []
    for each in lab.files:
        objects.append(f"{out}/{each.path.removesuffix('.c')}.o")
        beside = PurePosixPath(each.source).parent
        flags = [*COMMON_FLAGS, *servers.warnings(), f"-I{given}/{beside}", *extra_flags(lab, given)]
        commands.append([*COMPILER, *flags, "-c", "-o", objects[-1], f"{submission}/{each.path}"])
    link = [*COMPILER, *LINK_FLAGS, "-o", f"{out}/{lab.program}", *objects, f"{given}/given.a", *LIBRARIES]
    return [*commands, link]


def built(lab: Lab, protocol: Protocol, submission: Path) -> Path:
    """The program of a submission that is trusted: the starter, the solution, those of the self-test."""
    files = {each.path: (submission / each.path).read_text() for each in lab.files}
    what = _hash(str(given(lab, protocol)), *(f"{path}\0{text}" for path, text in sorted(files.items())))

    def fill(new: Path) -> None:
        for command in compile_commands(lab, str(given(lab, protocol)), str(submission), str(new)):
            _run(command)

    return _place("submissions", what, fill) / lab.program


# -- the load generator ------------------------------------------------------------------------------

LOADGEN_COMMON = ("clock", "option_table", "json", "address", "error", "standard_streams")


def loadgen(protocol: Protocol) -> Path:
    """The load generator of this variant: it sends its frames, and checks the replies. It does not speak TLS, and has
    no self-test (whose built-in server sends back what it gets)."""
    paths = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "harness" / "loadgen").glob("*.c"))]
    paths += [f"common/{name}.c" for name in LOADGEN_COMMON]
    return _linked("loadgen", _with_headers(paths, protocol), paths)
