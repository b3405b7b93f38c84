"""Takes what may be handed in out of a directory, a .zip or a .tar.gz: regular files with the names that are expected,
up to a size. Nothing else is looked at, so neither a link nor a file that unpacks to terabytes does any harm."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import itertools
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from labkit.lab import Lab

from grader.host import HostFault

ANSWERS = "answers.toml"
OWN = "own"
MOST_SCRIPTS = 12
MOST_C = 256 << 10  # bytes of a C file; the longest of the project has 12,000
MOST_DATA = 64 << 10  # of answers.toml, and of a script
MOST_ENTRIES = 20_000  # of an archive or a directory that are looked at: more than the whole project has
MOST_UNPACKED = 64 << 20  # of a .tar.gz, which has to be unpacked to be read
MOST_ARCHIVE = 16 << 20
MOST_NAME = 200  # bytes of a script's name
ARCHIVES = (".zip", ".tar.gz", ".tgz")  # in capitals, too
OTHER_ARCHIVES = (".tar", ".tar.bz2", ".tar.xz", ".tar.zst", ".rar", ".7z")
OF_A_MAC = "__MACOSX"  # it packs a file `._NAME` in there for each NAME
OF_THE_FILE = (errno.EISDIR, errno.ELOOP, errno.ENOTDIR, errno.ENXIO)  # no right would help to open it
# RuntimeError: a method that Python does not know, encryption, headers nested too deeply.
UNREADABLE = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, struct.error,
              ValueError, LookupError, OverflowError, RuntimeError)  # fmt: skip


@dataclass
class Submission:
    """`files`: by the name in the submission. `notes`: what was not taken, and why."""

    files: dict[str, bytes] = field(default_factory=dict)
    answers: bytes | None = None
    scripts: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class _Refused(Exception):
    """Why a file is not taken."""


def take(source: Path, lab: Lab) -> Submission:
    try:
        os.close(os.open(source, os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:  # whoever grades has no right to it, or has moved it: that is no 0
        raise HostFault(f"{source}: {error.strerror}") from None
    taken = Submission()
    wanted = {each.path for each in lab.files} | {ANSWERS}
    seen: list[str] = []
    try:
        if source.is_dir():
            found = _of_directory(source, wanted, taken.notes, seen)
        else:
            with _opened(source) as stream:
                found = _of_archive(source.name, stream, wanted, taken.notes, seen)
    except (_Refused, *UNREADABLE) as error:
        taken.notes.append(f"{source.name}: cannot be read: {_line(error)}")
        return taken
    for name, content in sorted(found.items()):
        if name == ANSWERS:
            taken.answers = content
        elif name in wanted:
            taken.files[name] = content
        else:
            taken.scripts[name.removeprefix(f"{OWN}/")] = content
    left = sorted(taken.scripts)[MOST_SCRIPTS:]
    if left:
        taken.notes.append(f"{OWN}/: {len(taken.scripts)} scripts; only the first {MOST_SCRIPTS} by name are taken")
    for name in left:
        del taken.scripts[name]
    missing = [name for name in sorted(wanted) if name not in found]
    if missing and source.is_dir():
        seen += _below(source)
    taken.notes += [f"{name}: is missing{_elsewhere(name, seen)}" for name in missing]
    return taken


def is_archive(name: str) -> bool:
    return name.lower().endswith(ARCHIVES)


def _line(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__).splitlines()[0][:200]


def _most(name: str) -> int:
    return MOST_C if name.endswith((".c", ".h")) else MOST_DATA


def _is_script(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return folder == OWN and name.endswith(".json")


def _why_not(path: str) -> str:
    """Why a script with this name is not taken; empty if it is."""
    name = path.rpartition("/")[2]
    if name.startswith(".") or not name.isprintable() or len(name.encode()) > MOST_NAME:
        return f"{OWN}/{_shown(name)}: is not taken: its name begins with '.', is too long, or cannot be shown"
    return ""


def _may_be_around(folder: str) -> bool:
    """Whoever packs a directory gets its name before each file's: one such name is taken off."""
    return not folder.startswith(".") and folder != OF_A_MAC


# -- what is missing -----------------------------------------------------------------------------------------


def _elsewhere(name: str, seen: Iterable[str]) -> str:
    """Where a file stands that was meant, perhaps: too deep, in capitals, with an ending that Windows does not show."""
    for path in seen:
        *folders, last = path.split("/")
        if last.casefold() in (name, f"{name}.txt") and path != name and all(map(_may_be_around, folders)):
            return f"; {_shown(path)} is not looked at"
    return ""


def _archives_left(names: Iterable[str]) -> list[str]:
    left = [_shown(name) for name in names if name.lower().endswith((*ARCHIVES, *OTHER_ARCHIVES)) and name[0] != "."]
    only = f"only one {', '.join(ARCHIVES[:-1])} or {ARCHIVES[-1]} alone is"
    return [f"{', '.join(left[:3])}: not looked at: {only}"] if left else []


def _bounded(stream: IO[bytes], most: int) -> bytes:
    content = stream.read(most + 1)
    if len(content) > most:
        raise _Refused(f"has more than {most:,} bytes")
    return content


# -- a directory ---------------------------------------------------------------------------------------------


def _of_directory(source: Path, wanted: set[str], notes: list[str], seen: list[str]) -> dict[str, bytes]:
    folder = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    try:
        names = _names(folder)
        if wanted & set(names):
            return _of_folder(folder, wanted, notes)
        archives = [name for name in names if is_archive(name) and not name.startswith(".")]
        if len(archives) == 1:
            content = _regular(folder, archives[0], MOST_ARCHIVE)
            return _of_archive(archives[0], io.BytesIO(content), wanted, notes, seen)
        inside = {name: _inside(folder, name, wanted) for name in names if _may_be_around(name)}
        only = max(inside, key=lambda name: inside[name], default="")
        if inside.get(only, 0) == 0:
            notes += _archives_left(names)
            return _of_folder(folder, wanted, notes)
        with _folder(folder, only, notes) as around:
            return _of_folder(around, wanted, notes) if around is not None else {}
    finally:
        os.close(folder)


def _of_folder(folder: int, wanted: set[str], notes: list[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    names = _names(folder)
    _take(folder, "", sorted(wanted & set(names)), found, notes)
    if OWN in names:
        with _folder(folder, OWN, notes) as own:
            _take_scripts(own, found, notes)
    return found


def _inside(folder: int, name: str, wanted: set[str]) -> int:
    """How many of the files are in that directory. A link is none."""
    with _folder(folder, name, []) as inner:
        return len(wanted & set(os.listdir(inner))) if inner is not None else 0


def _below(source: Path) -> list[str]:
    """Not in the order of the disk: what is said is the same in each run."""
    paths = (os.path.relpath(os.path.join(at, name), source) for at, _, names in os.walk(source) for name in names)
    return sorted(itertools.islice(paths, MOST_ENTRIES), key=lambda path: (path.count("/"), path))


def _take_scripts(own: int | None, found: dict[str, bytes], notes: list[str]) -> None:
    """Too many files here cost the points of own/ and no others."""
    try:
        names = _names(own) if own is not None else []
    except _Refused as error:
        notes.append(f"{OWN}/: is not taken: {_line(error)}")
        return
    scripts = [name for name in names if _is_script(f"{OWN}/{name}")]
    _take(own, f"{OWN}/", [name for name in scripts if not _why_not(name)], found, notes)
    notes += [_why_not(name) for name in scripts if _why_not(name)]


def _shown(name: str) -> str:
    return ascii(name[:100])[1:-1]


def _names(folder: int) -> list[str]:
    names = sorted(os.listdir(folder))
    if len(names) > MOST_ENTRIES:
        raise _Refused(f"there are {len(names):,} files in a directory")
    return names


@contextlib.contextmanager
def _folder(parent: int, name: str, notes: list[str]) -> Iterator[int | None]:
    try:
        with _rights(name):
            folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    except OSError:
        notes.append(f"{name}: is not taken: it is no directory")
        yield None
        return
    try:
        yield folder
    finally:
        os.close(folder)


def _take(folder: int | None, before: str, names: list[str], found: dict[str, bytes], notes: list[str]) -> None:
    for name in names if folder is not None else ():
        try:
            found[before + name] = _regular(folder, name, _most(name))
        except (_Refused, OSError) as error:
            notes.append(f"{before}{name}: is not taken: {_line(error)}")


def _regular(folder: int | None, name: str, most: int) -> bytes:
    with _rights(name):
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise _Refused("it is a symbolic link")
        with _opened(name, os.O_NOFOLLOW, folder) as stream:
            return _bounded(stream, most)


@contextlib.contextmanager
def _rights(name: str) -> Iterator[None]:
    """What the grader has no right to, or a disk cannot give, is no 0."""
    try:
        yield
    except OSError as error:
        if error.errno in OF_THE_FILE:
            raise
        raise HostFault(f"{name}: {error.strerror}") from None


def _opened(path: str | Path, flags: int = 0, folder: int | None = None) -> IO[bytes]:
    """O_NONBLOCK: a FIFO would wait for somebody who writes."""
    stream = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | flags, dir_fd=folder), "rb")
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise _Refused("it is no regular file")
    return stream


# -- an archive ----------------------------------------------------------------------------------------------


def _of_archive(
    name: str, stream: IO[bytes], wanted: set[str], notes: list[str], seen: list[str]
) -> dict[str, bytes]:
    entries = _zipped if name.lower().endswith(".zip") else _tarred
    if not is_archive(name):
        raise _Refused(f"it is neither a directory nor one of {', '.join(ARCHIVES)}")
    at: dict[str, dict[str, bytes]] = {}
    for number, (path, reader) in enumerate(entries(stream)):
        if number >= MOST_ENTRIES:
            notes.append(f"{name}: holds more than {MOST_ENTRIES:,} files; only the first of them are looked at")
            break
        path = path.removeprefix("./")
        seen.append(path)
        folder, rest = "", path
        if rest not in wanted and not _is_script(rest):
            folder, _, rest = path.partition("/")
        if rest not in wanted and not _is_script(rest) or not _may_be_around(folder):
            continue
        if _is_script(rest) and _why_not(rest):
            notes.append(_why_not(rest))
            continue
        try:
            at.setdefault(folder, {})[rest] = _bounded(reader, _most(rest))
        except _Refused as error:
            notes.append(f"{rest}: is not taken: {_line(error)}")
    empty: dict[str, bytes] = {}
    return at.get("", empty) or max(at.values(), key=lambda files: len(files), default=empty)


def _zipped(stream: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(stream) as archive:
        for entry in archive.infolist():
            kind = entry.external_attr >> 16
            if entry.is_dir() or stat.S_IFMT(kind) not in (0, stat.S_IFREG):
                continue
            if entry.flag_bits & 1:
                raise _Refused("it is encrypted")
            with archive.open(entry) as reader:
                yield entry.filename.replace("\\", "/"), reader  # some programs of Windows write them so


class _Limited(io.RawIOBase):
    """A stream that ends with an error when too much comes out of it."""

    def __init__(self, stream: gzip.GzipFile):
        self.stream, self.left = stream, MOST_UNPACKED

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        data = self.stream.read(len(view))
        self.left -= len(data)
        if self.left < 0:
            raise _Refused(f"it unpacks to more than {MOST_UNPACKED >> 20} MiB")
        view[: len(data)] = data
        return len(data)


def _tarred(stream: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    limited = _Limited(gzip.GzipFile(fileobj=stream))
    with tarfile.open(fileobj=io.BufferedReader(limited), mode="r|") as archive:
        for entry in archive:
            content = archive.extractfile(entry) if entry.isreg() and not entry.issparse() else None
            if content is not None:
                yield entry.name, content
