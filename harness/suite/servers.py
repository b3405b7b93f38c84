"""Which servers there are (harness/servers.toml), what they are like, and why one is not here; or, with SERVER=... in
the environment, which one is under test: one of the list by its name, or a stranger's."""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from suite import kernel

ROOT = Path(__file__).resolve().parents[2]
LIST = ROOT / "harness" / "servers.toml"
STANDARD = "-std=c17"


class BadList(Exception):
    """Its text says in one line what is wrong with servers.toml."""


@dataclass(frozen=True)
class Kind:
    """An entry of servers.toml, where each key is explained."""

    name: str
    directory: str
    label: str
    colour: str
    mark: int
    platform: str
    stand_in: bool
    draft: bool
    protocol: str
    transport: str
    threads: str
    restarts: bool
    trigger: str
    ceiling: str
    signals: str
    timeouts: str
    interest: str
    wait: str
    waits: list[str]
    registers: str
    transfers: int
    reads: int
    idle_bytes: int
    microbench: str


CHOICES = {
    "platform": ("any", "linux"),
    "protocol": ("frames", "http"),
    "transport": ("plain", "tls"),
    "threads": ("one", "several"),
    "trigger": ("level", "edge", "oneshot", "completion"),
    "ceiling": ("none", "fd_setsize"),
    "signals": ("mask", "event"),
    "timeouts": ("argument", "timerfd", "event"),
    "interest": ("store", "call"),
}
OF_TYPE = {"str": str, "int": int, "bool": bool, "list[str]": list}


def read_list(path: Path = LIST) -> tuple[Kind, ...]:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("server", [])
    except tomllib.TOMLDecodeError as error:
        raise BadList(f"{path.name}: {error}") from None
    kinds = tuple(_kind(path.name, number, entry) for number, entry in enumerate(entries, 1))
    names = [kind.name for kind in kinds]
    for name in names:
        if names.count(name) > 1:
            raise BadList(f"{path.name}: {name} is there {names.count(name)} times")
    return kinds


def _kind(file: str, number: int, entry: dict) -> Kind:
    where = f"{file}: {entry.get('name', f'server {number}')}"
    for each in fields(Kind):
        if each.name not in entry:
            raise BadList(f"{where} has no {each.name}")
        if type(entry[each.name]) is not OF_TYPE[str(each.type)]:
            raise BadList(f"{where}: {each.name} = {entry[each.name]!r} is not of type {each.type}")
        allowed = CHOICES.get(each.name)
        if allowed and entry[each.name] not in allowed:
            raise BadList(f"{where}: {each.name} = {entry[each.name]!r} is not one of {', '.join(allowed)}")
    unknown = set(entry) - {each.name for each in fields(Kind)}
    if unknown:
        raise BadList(f"{where}: nobody knows the key {sorted(unknown)[0]}")
    return Kind(**entry)


KINDS = read_list()
ALL = tuple(kind.name for kind in KINDS)
FIVE = tuple(kind.name for kind in KINDS if not kind.directory.startswith("beyond/"))
FRAMES = tuple(
    kind.name for kind in KINDS
    if kind.protocol == "frames" and (not kind.draft or os.environ.get("SERVER") == kind.name)
)  # fmt: skip
WHOLE = (*FRAMES, *(kind.name for kind in KINDS if kind.protocol == "http"))  # all that can be tested
OF = {kind.name: kind for kind in KINDS}


def five(**traits: object) -> tuple[str, ...]:
    """As having(), of the five that every experiment compares."""
    return tuple(name for name in having(**traits) if name in FIVE)


def having(**traits: object) -> tuple[str, ...]:
    """The names of the servers with these values in the list, e.g. having(trigger="edge")."""
    return tuple(
        kind.name for kind in KINDS if all(getattr(kind, trait) == value for trait, value in traits.items())
    )


LANDINGS_BYTES = 128 * 8256  # what one wake-up of a server by completion can bring (beyond/uring/ring.h)


def burst(name: str) -> int:
    """How many bytes of one connection can come although it is above the high-water mark by then. A server by
    completion learns of several receives at once: none asked it first, and more are under way when it cancels."""
    return LANDINGS_BYTES if name in having(trigger="completion") else 0


def build_dir() -> Path:
    """Where the programs are: BUILD_DIR in the environment, or build/."""
    return ROOT / os.environ.get("BUILD_DIR", "build")


def program(name: str) -> Path:
    given = stranger()
    return given.program if given and given.name == name else build_dir() / name


def compiler() -> list[str]:
    """The compiler of the programs, with the options that came before all others (CC, CPPFLAGS): what a test builds to
    go with them has to fit."""
    flags = build_dir() / "flags"
    words = shlex.split(flags.read_text(encoding="utf-8")) if flags.exists() else []
    return words[: words.index(STANDARD)] if STANDARD in words else ["cc"]


@functools.cache
def warnings() -> list[str]:
    """What the compiler warns of in all that is built: STRICT in the Makefile, without -Werror."""
    strict = re.findall(r"^STRICT(?:.*\\\n)*.*", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    return [word for word in strict[0].split() if word.startswith("-W")]


def _any_program() -> Path | None:
    return next((path for name in ALL if (path := build_dir() / name).exists()), None)


def of_32_bits() -> bool:
    """Whether the programs that are built are. The fifth byte of an ELF file says so (elf(5), EI_CLASS)."""
    program = _any_program()
    if program is None:
        return False
    with program.open("rb") as file:
        return file.read(5) == b"\x7fELF\x01"


@functools.cache
def foreign() -> str | None:
    """Why the programs that are built cannot be executed here, such as those of 32 bits where a kernel has only 64."""
    program = _any_program()
    try:
        if program is not None:
            subprocess.run([str(program), "--help"], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    except OSError as error:
        return f"{program}: {error.strerror}"
    return None


def sanitizer() -> str | None:
    """The sanitizer that the programs were built with, by the name of the directory they are in."""
    name = build_dir().name
    return name if name in ("asan", "tsan") else None


def absent(name: str) -> str | None:
    """Why a server cannot be tested on this system, or None if it can. `make all` writes down what it left out."""
    if name in OF and OF[name].platform == "linux" and not sys.platform.startswith("linux"):
        return "needs Linux"
    if name in OF and OF[name].transport == "tls" and not shutil.which("openssl"):
        return "there is no openssl to make a certificate with"
    if name in having(trigger="completion") and kernel.NO_RINGS:
        return kernel.NO_RINGS
    skipped = build_dir() / "skipped"
    text = skipped.read_text(encoding="utf-8") if skipped.exists() else ""
    found = re.search(rf"^skipped: {re.escape(name)} \((.*)\)$", text, re.MULTILINE)
    return found[1] if found else None


# -- strangers -----------------------------------------------------------------------------------------------

DECLARATION = "server.toml"


@dataclass(frozen=True)
class Stranger:
    """A server that is not in the list: only what a peer and the kernel can see of it is tested."""

    name: str
    program: Path
    options: tuple[str, ...] | None = None  # that it takes besides --port; None: those that its --help names
    backlog: int = 100  # how many peers its listen queue holds
    ceiling: str = "none"


def _declared(directory: Path) -> dict:
    """What server.toml in that directory says; its keys are those of Stranger, but for `name`."""
    path = directory / DECLARATION
    if not path.exists():
        return {}
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BadList(f"{path}: {error}") from None
    wanted = {"program": str, "options": list, "backlog": int, "ceiling": str}
    for key, value in said.items():
        if key not in wanted:
            raise BadList(f"{path}: nobody knows the key {key}; there are {', '.join(wanted)}")
        if type(value) is not wanted[key]:
            raise BadList(f"{path}: {key} = {value!r} is not of type {wanted[key].__name__}")
    if said.get("ceiling", "none") not in CHOICES["ceiling"]:
        raise BadList(f"{path}: ceiling = {said['ceiling']!r} is not one of {', '.join(CHOICES['ceiling'])}")
    return said


@functools.cache
def stranger() -> Stranger | None:
    """The stranger's server that SERVER names: a program, or a directory. The Makefile has built what is in it."""
    given = os.environ.get("SERVER", "")
    if not given or given in OF:
        return None
    path = (ROOT / given).resolve()
    if not path.exists():
        raise BadList(f"SERVER={given}: neither a server of the list ({', '.join(ALL)}) nor a file or a directory")
    directory = path if path.is_dir() else path.parent
    said = _declared(directory)
    if path.is_file():
        found = path
    elif "program" in said:
        found = directory / said["program"]
    elif (directory / "Makefile").exists():
        found = directory / directory.name
    elif (directory / "server.c").exists():
        found = build_dir() / "stranger" / directory.name
    else:
        needs = f"a server.c, a Makefile, or a {DECLARATION} that names its program"
        raise BadList(f"SERVER={given}: a directory needs {needs} (docs/adding-a-server.md)")
    if not (found.is_file() and os.access(found, os.X_OK)):
        raise BadList(f"SERVER={given}: {found} is not there, or may not be executed (chmod +x)")
    name = path.stem if path.is_file() else path.name
    options = said.get("options")
    return Stranger(
        f"other_{name}" if name in OF else name,
        found,
        None if options is None else tuple(options),
        said.get("backlog", Stranger.backlog),
        said.get("ceiling", Stranger.ceiling),
    )


def under_test(**traits: object) -> tuple[str, ...]:
    """The servers that the tests run on, those with these traits. Of a stranger only the ceiling is known."""
    given = stranger()
    if given:
        return (given.name,) if all(getattr(given, trait, None) == value for trait, value in traits.items()) else ()
    chosen = os.environ.get("SERVER")
    return tuple(name for name in having(**traits) if name in FRAMES and chosen in (None, "", name))
