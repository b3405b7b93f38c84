"""Runs the checks that are named, or all. Every finding is a line on standard error; the exit status is 1 then."""

from __future__ import annotations

import sys
from pathlib import Path

from suite import ending

from checks import comments, marks, names, repeats, rooms, sources, text

CHECKS = {"marks": marks, "repeats": repeats, "rooms": rooms, "comments": comments, "text": text, "names": names}


def main(asked: list[str]) -> int:
    for name in asked:
        if name not in CHECKS:
            print(f"check: there is no check '{name}', only {', '.join(CHECKS)}", file=sys.stderr)
            return 2
    found: list[str] = []
    for name in asked or CHECKS:
        try:
            found += [f"{name}: {finding}" for finding in CHECKS[name].check(Path("."))]
        except sources.CannotCheck as error:
            found.append(f"{name}: {error}")
    for finding in found:
        print(finding, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    ending.run(lambda: main(sys.argv[1:]), "check")
