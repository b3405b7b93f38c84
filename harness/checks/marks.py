"""The nine marks that docs/reading.md goes through.

Each stands once on the path of every server: in its server.c, or in a file of common/ that is on its path (see
sources.ORDER; common/level.c is not on the path of a server that has a turn of its own). "[N] does not apply: why"
stands for a mark. common/ names no multiplexing API, except in the files of API_ALLOWED."""

from __future__ import annotations

import re
from pathlib import Path

from checks import sources

TITLES = (
    "Register", "Wait", "Accept", "Read policy", "Partial write", "Half-close", "Out of descriptors", "Timeouts",
    "Stop",
)
# poll(2) asks here whether one line can be written to standard error without waiting. It takes no part in a loop, and
# every server does it alike, whatever API it waits with.
API_ALLOWED = {"common/log.c"}
API = re.compile(r"\b(e?poll|p?select|ppoll|kqueue|kevent|epoll_[a-z]+)\b", re.IGNORECASE)


def check(root: Path) -> list[str]:
    found = []
    for name, directory in sources.servers(root).items():
        path = sources.path_of(root, directory)
        texts = {each: sources.read(root, each) for each in path}
        for number, title in enumerate(TITLES, 1):
            mark = re.compile(rf"\[{number}\] (?:{title}[:.]|does not apply: \w)")
            places = [each for each, text in texts.items() for _ in mark.findall(text)]
            if len(places) != 1:
                where = ", ".join(places) or "none of " + ", ".join(path)
                found.append(f"{name}: mark [{number}] {title}: found {len(places)} times, expected once: {where}")
    for each in sorted((root / "common").glob("*.[ch]")):
        source = f"common/{each.name}"
        if source in API_ALLOWED:
            continue
        for row, line in enumerate(sources.read(root, source).splitlines(), 1):
            if API.search(line):
                found.append(f"{source}:{row}: common/ names a multiplexing API: {line.strip()}")
    return found
