"""Compiles what was handed in, inside the sandbox: a compiler works for whoever writes its input. The trusted files of
the lab are all that it sees. The program comes back on standard output, so nothing outside can be written."""

from __future__ import annotations

import io
import re
import shlex
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labkit import tree
from labkit.calls import NM, another_lab
from labkit.lab import PARTS, HandIn, Lab
from labkit.protocol import Protocol
from suite import kernel

from grader import scratch
from grader.host import HostFault, Launch
from grader.level import Level
from grader.profile import COMPILER
from grader.result import Item
from grader.sandbox import SEES, SandboxHost
from grader.sandboxed import Sandboxed
from grader.submission import Submission

SYMBOLS = "symbols"
SHELL = Path("/usr/bin/sh")
GIVEN, HANDED = f"{SEES}/given", f"{SEES}/handed"
MOST_CPU = 30.0  # seconds of processor time, of all compilers; an honest lab takes two
PATIENCE = 600.0  # seconds, on a machine that does nothing for us
MOST_LINES = 12  # of the compiler, that are shown
DIRECTIVE = re.compile(rb"^[ \t\f\v]*(?:#|%:)[ \t\f\v]*(line\b|pragma\b(?![ \t\f\v]+once\b)|\d+)", re.MULTILINE)
PRAGMA = re.compile(r"^#pragma (?!once\b|STDC\b)", re.MULTILINE)
MARKER = re.compile(r'^# \d+ "([^"]*)"((?: \d)*)')
BEFORE = ("<command-line>", "<command line>")  # the last that the preprocessor reads before the file itself
ENTERS, RETURNS, OF_THE_SYSTEM = "1", "2", " 3"  # flags of a marker; what a macro of <stddef.h> has left is " 3 4"


@dataclass
class Built:
    item: Item
    program: Path | None


class _Failed(Exception):
    """What the compiler said, or what became of it."""


@contextmanager
def build(lab: Lab, protocol: Protocol, submission: Submission, level: Level) -> Iterator[Built]:
    """The program is there as long as the context."""
    item = Item("build", "build", "compiles without a warning", PARTS["build"])
    item.steps = [f"compile {', '.join(each.path for each in lab.files)}"]
    item.expected = "a program, and no word of the compiler"
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        place = Path(folder)
        place.chmod(0o711)  # at the weak level another user executes the program
        try:
            program = _build(lab, protocol, submission, level, place, item)
        except tree.CannotBuild as error:
            raise HostFault(str(error)) from None
        yield Built(item, program)


def _build(
    lab: Lab, protocol: Protocol, submission: Submission, level: Level, place: Path, item: Item
) -> Path | None:
    missing = [each.path for each in lab.files if each.path not in submission.files]
    if missing:
        item.came = f"{', '.join(missing)}: not handed in"
        return None
    handed = place / "handed"
    handed.mkdir()
    for each in lab.files:
        (handed / each.path).write_bytes(submission.files[each.path])
    try:
        made, said = _compile(lab, tree.given(lab, protocol), handed, level, place)
    except _Failed as failure:
        item.came = str(failure)
        item.cause = "an error in the C code: no test can be run"
        return None
    program = place / lab.program
    program.write_bytes(made.pop(lab.program))
    program.chmod(0o755)
    item.came = another_lab(made.pop(SYMBOLS).decode(errors="replace"), lab.needs, lab.refuses)
    if item.came:
        item.cause = "the lab is about one API: read in the handout which one"
        return None
    item.came = _silences(submission, lab, made) or _shown(said)
    item.passed = not item.came
    item.points = item.of if item.passed else 0
    if not item.passed:
        item.cause = "a warning: the compiler sees something that is legal and probably wrong"
    return program


def _compile(lab: Lab, given: Path, handed: Path, level: Level, place: Path) -> tuple[dict[str, bytes], str]:
    """What was made, by name, and what the compiler said."""
    host = SandboxHost(level, COMPILER, {GIVEN: given, HANDED: handed})
    script = _script(lab, GIVEN, HANDED, "/tmp/work")
    if level.why_weak:  # there it sees everything: it works on a copy, since it may not look into the project
        shutil.copytree(given, place / "given")
        (place / "work").mkdir()
        (place / "work").chmod(0o777)
        script = _script(lab, str(place / "given"), str(handed), str(place / "work"))
    with host.start(SHELL.resolve(), Launch(("-euc", script))) as compiler:
        status = _wait(compiler)
        if compiler.killed_because:
            raise _Failed(f"the compiler was stopped: {compiler.killed_because}")
        out, err = compiler.output()
    said = err.decode(errors="replace")
    if status != 0 and level.why_weak:  # otherwise it writes to memory
        scratch.must_hold(place, COMPILER.folder)
    if status != 0:
        raise _Failed(_shown(said) or f"the compiler ended with status {status}, without a word")
    return _unpacked(out, lab), said


def _script(lab: Lab, given: str, handed: str, work: str) -> str:
    """Compiles, and writes the program and the preprocessed sources to standard output."""
    commands = [[_found(command[0]), *command[1:]] for command in tree.compile_commands(lab, given, handed, work)]
    compiled = [command for command in commands if "-c" in command]
    preprocess = [
        ["-E" if word == "-c" else re.sub(r"\.o$", ".i", word) for word in command] for command in compiled
    ]
    objects = [command[command.index("-o") + 1] for command in compiled]
    symbols = f"{shlex.join([_found(NM[0]), *NM[1:], *objects])} > {work}/{SYMBOLS}"
    names = [lab.program, SYMBOLS, *(Path(command[command.index("-o") + 1]).name for command in preprocess)]
    pack = ["tar", "-C", work, "-cf", "-", *names]
    lines = [f"mkdir -p {work}", *map(shlex.join, commands), *map(_quiet, preprocess), symbols, shlex.join(pack)]
    return "\n".join(lines)


def _quiet(command: list[str]) -> str:
    """Its warnings have been said."""
    return f"{shlex.join(command)} 2>/dev/null"


def _found(name: str) -> str:
    """The compiler's file itself: `cc` may be a link to a link in /etc, which the sandbox does not have."""
    path = shutil.which(name)
    return str(Path(path).resolve()) if path else name


def _wait(compiler: Sandboxed) -> int:
    """Until it has ended, or has used more time of the processor than any honest file needs."""
    began = time.monotonic()
    while True:
        status = compiler.wait(0.05)
        if status is not None:
            return status
        try:
            used = kernel.cpu_seconds(compiler.pid)
        except OSError:
            continue
        if used > MOST_CPU:
            raise _Failed(f"the compiler was stopped: it took more than {MOST_CPU:.0f} s of processor time")
        if time.monotonic() - began > PATIENCE:
            raise HostFault(f"a compiler does not end, and has used {used:.0f} s of processor time only")


def _unpacked(out: bytes, lab: Lab) -> dict[str, bytes]:
    """What is cut off between two files of the archive looks whole to tarfile."""
    made = {}
    too_long = f"the program has more than {COMPILER.output >> 20} MiB"
    if len(out) >= COMPILER.output:
        raise _Failed(too_long)
    try:
        with tarfile.open(fileobj=io.BytesIO(out)) as archive:
            for entry in archive:
                content = archive.extractfile(entry) if entry.isreg() else None
                if content is not None:
                    made[entry.name] = content.read()
    except tarfile.TarError:
        raise _Failed(too_long) from None
    if not {lab.program, SYMBOLS, *map(_preprocessed, lab.files)} <= made.keys():
        raise _Failed("what the compiler made is not whole")
    return made


def _preprocessed(file: HandIn) -> str:
    return f"{file.path.removesuffix('.c')}.i"


def _shown(said: str) -> str:
    lines = said.strip().splitlines()
    more = [f"and {len(lines) - MOST_LINES} lines more"] if len(lines) > MOST_LINES else []
    return "\n".join([*(line[:300] for line in lines[:MOST_LINES]), *more])


def _silences(submission: Submission, lab: Lab, preprocessed: Mapping[str, bytes]) -> str:
    """Does the submission switch warnings off? #pragma and its like can; `_Pragma` comes out of macros, so it is looked
    for after the preprocessor has run, in what comes from the submission."""
    for each in lab.files:
        found = DIRECTIVE.search(_plain(submission.files[each.path]))
        if found:
            word = found[1].decode()
            return f"{each.path}: '#{word}' can switch warnings off, so it may not be there"
        text = preprocessed[_preprocessed(each)].decode(errors="replace")
        if any(PRAGMA.search(part) for part in _own_parts(text)):
            return f"{each.path}: _Pragma can switch warnings off, so it may not be there"
        if _poses(text):
            return f"{each.path}: it says that it is another file, or a header of the system, where warnings are off"
    return ""


def _plain(source: bytes) -> bytes:
    """Lines put together and comments taken out, roughly as the compiler does first (C17 5.1.1.2)."""
    source = source.removeprefix(b"\xef\xbb\xbf")  # a byte order mark
    source = source.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"??=", b"#").replace(b"??/", b"\\")
    joined = re.sub(rb"\\[ \t\f\v]*\n", b"", source)
    strings_or_comments = rb"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
    return re.sub(strings_or_comments, lambda m: b" " if m[0][:1] == b"/" else m[0], joined, flags=re.DOTALL)


def _poses(preprocessed: str) -> bool:
    """_plain() is not the compiler: in `__has_include(</*>)` no comment begins. So what a directive has done is looked
    for in the markers, too: where the preprocessor enters no file and returns to none, the name stays."""
    at: list[str] = []
    begun = False
    for name, flags in (found.groups() for found in map(MARKER.match, preprocessed.split("\n")) if found):
        handed = "/handed/" in name
        if not at:
            at, begun = ([name] if begun and handed else []), begun or name in BEFORE
        elif ENTERS in flags:
            at.append(name)
        elif RETURNS in flags:
            at.pop()
        elif name != at[-1]:
            return True
        if handed and len(at) > 1 and flags == OF_THE_SYSTEM:  # the first file cannot say so of itself
            return True
    return False


def _own_parts(preprocessed: str) -> Iterator[str]:
    """What comes from no header. splitlines() would also end a line at a form feed, within a string."""
    own: list[str] = []
    system = False
    for line in preprocessed.split("\n"):
        marker = MARKER.match(line)
        if marker:
            system = "/handed/" not in marker[1]
        elif not system:
            own.append(line)
    yield "\n".join(own)
