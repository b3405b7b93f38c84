"""How much of the files that students read first is comment, and how long the servers are.

A line that is comment and nothing else is a comment line; blank lines do not count."""

from __future__ import annotations

from pathlib import Path

from checks import sources

LEAST, MOST = 25, 33  # percent
# level.c has one function of a few lines. Nothing else explains the policy that four servers follow, so half may be
# comment.
MOST_OF = {"common/level.c": 50}
STUDIED = ("loop", "level", "listener", "connection", "connections", "transport")
LONGEST = 190
LONGER = {"epoll_et": 240}  # it has a turn and a queue of its own
BEYOND = 240  # a server under beyond/ shows more than how to wait


def check(root: Path) -> list[str]:
    found = []
    limits = {
        f"{directory}/server.c": BEYOND if directory.startswith("beyond/") else LONGER.get(name, LONGEST)
        for name, directory in sources.servers(root).items()
    }
    for name in [*limits, *(f"common/{each}.c" for each in STUDIED)]:
        try:
            text = sources.read(root, name)
        except sources.CannotCheck as error:
            found.append(str(error))
            continue
        share = percentage(text)
        length = len(text.splitlines())
        limit = limits.get(name)
        of = f", at most {limit}" if limit else ""
        print(f"{name:24} {length:4} lines{of:15} {share:3.0f}% comment")
        if limit and length > limit:
            found.append(f"{name}: {length} lines, more than {limit}")
        most = MOST_OF.get(name, MOST)
        if not LEAST <= share <= most:
            found.append(f"{name}: {share:.0f}% of its lines are comment; expected {LEAST} to {most}%")
    return found


def percentage(text: str) -> float:
    """Of the lines that are not blank, how many are comment alone."""
    lines = [each for each in sources.lines(text) if each.code or each.comment]
    return 100 * sum(not each.code for each in lines) / len(lines) if lines else 0.0
