"""The servers, the files on a server's path, and C sources as lines of code and of comment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# The order of reading. TURN is left out for a server that has a turn of its own, as an edge-triggered one has.
SERVER = "the server"
TURN = "common/level.c"
ORDER = (
    "common/loop.h", "common/loop.c", TURN, SERVER, "common/listener.c",
    "common/connection.h", "common/connection.c", "common/transport.c", "common/connections.c",
)

OWN_TURN = re.compile(r"^void serve\([^;{]*\)\s*\{", re.MULTILINE)
LITERAL_OR_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
FUNCTION = re.compile(r"^[A-Za-z_].*?(\w+)\(")


class CannotCheck(Exception):
    """The tree lacks what a check needs."""


def read(root: Path, name: str) -> str:
    try:
        return (root / name).read_text(encoding="utf-8")
    except OSError as error:
        raise CannotCheck(f"{name}: {error.strerror}") from None


def servers(root: Path) -> dict[str, str]:
    """Name of each server, and its directory: as harness/servers.toml lists them, or all that have a server.c."""
    listed = root / "harness" / "servers.toml"
    if not listed.exists():
        return {each.parent.name: each.parent.name for each in sorted(root.glob("*/server.c"))}
    import tomllib  # Python 3.11

    found: dict[str, str] = {}
    for key, value in tomllib.loads(listed.read_text(encoding="utf-8")).items():
        for table in value if isinstance(value, list) else [value]:
            if isinstance(table, dict):
                name = table.get("name", key)
                found[name] = table.get("directory", name)
    return {name: directory for name, directory in found.items() if (root / directory / "server.c").exists()}


def path_of(root: Path, directory: str) -> list[str]:
    """The files on a server's path, in the order of reading."""
    server = f"{directory}/server.c"
    own_turn = OWN_TURN.search(read(root, server))
    return [server if each == SERVER else each for each in ORDER if not (each == TURN and own_turn)]


@dataclass(frozen=True)
class Line:
    number: int
    code: str  # without comments, blanks joined; empty if there is none
    comment: bool  # there is comment on it
    function: str = ""  # the one that it stands in


def lines(text: str) -> list[Line]:
    """The lines of a C source."""
    without = LITERAL_OR_COMMENT.sub(_without_comment, text)
    result, function = [], ""
    for number, (before, after) in enumerate(zip(text.splitlines(), without.splitlines()), 1):
        begins = FUNCTION.match(after)
        if begins and not after.rstrip().endswith(";"):
            function = begins[1]
        comment = "\0" in after
        code = " ".join(after.replace("\0", " ").split())
        result.append(Line(number, code, comment, function))
        if after.startswith("}"):
            function = ""
    return result


def _without_comment(match: re.Match[str]) -> str:
    """A comment becomes one zero byte on each of its lines."""
    found = match[0]
    return "\n".join("\0" for _ in found.split("\n")) if found.startswith("/") else found
