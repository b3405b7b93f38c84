"""Who may include whom: docs/architecture.md has the table, and the sources keep to it.

A room is a .h of common/ with the .c of the same name, or one of them alone. A line of the block ```rooms is
`room: what it includes`; `server` stands for the server.c of the five. A server under beyond/ may include any room."""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from checks import sources

PAGE = "docs/architecture.md"
BLOCK = re.compile(r"^```rooms\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
SERVER = "server"


def check(root: Path) -> list[str]:
    allowed = table(root)
    actual = included(root)
    found = []
    for room in sorted(set(actual) - set(allowed)):
        found.append(f"{PAGE}: the table has no line for {room}")
    for room in sorted(set(allowed) - set(actual)):
        found.append(f"{PAGE}: the table has a line for {room}, which is no file of common/")
    for room in sorted(set(allowed) & set(actual)):
        for other, place in sorted(actual[room].items()):
            if other not in allowed[room]:
                found.append(f"{place}: includes {other}.h; the table of {PAGE} does not allow it to {room}")
        for other in sorted(allowed[room] - set(actual[room])):
            found.append(f"{PAGE}: the table lets {room} include {other}, but it does not")
    try:
        TopologicalSorter({room: set(others) for room, others in actual.items()}).prepare()
    except CycleError as error:
        found.append(f"rooms include each other in a circle: {' -> '.join(reversed(error.args[1]))}")
    return found


def table(root: Path) -> dict[str, set[str]]:
    block = BLOCK.search(sources.read(root, PAGE))
    if block is None:
        raise sources.CannotCheck(f"{PAGE}: there is no block of rooms")
    allowed: dict[str, set[str]] = {}
    for line in block[1].splitlines():
        room, colon, others = line.partition(":")
        if not colon or room.strip() in allowed:
            raise sources.CannotCheck(f"{PAGE}: '{line}' is not `room: rooms`, or a second line for the same room")
        allowed[room.strip()] = set(others.split())
    return allowed


def included(root: Path) -> dict[str, dict[str, str]]:
    """What each room includes, and the file that does. A room's own header is no include of it."""
    rooms: dict[str, dict[str, str]] = {SERVER: {}}
    files = [(each.stem, f"common/{each.name}") for each in sorted((root / "common").glob("*.[ch]"))]
    of_servers = sources.servers(root).values()
    files += [(SERVER, f"{each}/server.c") for each in of_servers if not each.startswith("beyond/")]
    for room, name in files:
        reached = rooms.setdefault(room, {})
        for target in INCLUDE.findall(sources.read(root, name)):
            inside = "common/" in target or "/" not in target and room != SERVER
            if inside and Path(target).stem != room:
                reached.setdefault(Path(target).stem, name)
            elif "/" in target and room != SERVER:
                raise sources.CannotCheck(f"{name}: includes {target}, which is outside common/")
    return rooms
