"""The servers, the files on a server's path, and C sources as lines of code and of comment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# The order of reading.
SERVER = "the server"
ORDER = (
    "common/loop.h", "common/loop.c", "common/level.c", SERVER, "common/listener.c",
    "common/connection.h", "common/connection.c", "common/transport.c", "common/connections.c",
)
# A server that defines this function itself, as an edge-triggered one has its own turn, is linked without the file of
# common/ that has it.
BRINGS = {
    "common/loop.c": "loop_ready", "common/level.c": "serve", "common/listener.c": "listener_accept",
    "common/transport.c": "transport_read",
}

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
    """The files on a server's path, in the order of reading: of its own ones server.c comes first."""
    server = f"{directory}/server.c"
    others = sorted(f"{directory}/{each.name}" for each in (root / directory).glob("*.c") if each.name != "server.c")
    texts = [read(root, each) for each in (server, *others)]
    path = []
    for each in ORDER:
        if each == SERVER:
            path += [server, *others]
        elif not (each in BRINGS and any(_defines(text, BRINGS[each]) for text in texts)):
            path.append(each)
    return path


def _defines(text: str, function: str) -> bool:
    return re.search(rf"^\w[\w *]*\b{function}\([^;{{]*\)\s*\{{", text, re.MULTILINE) is not None


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
