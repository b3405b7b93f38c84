"""Grades the grader (make lab-selftest). Each solution must get exactly the points that it deserves: the reference and
right solutions that are written otherwise all of them, the starter what the lab says; each planted bug loses the items
that are listed for it and no other; cheats get nothing for it, and leave nothing; repeats are identical, idle and busy.
Exit status 0: all of that holds; 1: it does not; 2: usage."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from grader import level, scratch, session, signals
from labkit import lab as labs
from suite import ending

from selftest import checks
from selftest.bench import Bench

TABLE = labs.ROOT / "results" / "labs" / "selftest.md"
STEPS = {
    "solutions": checks.solutions_of,
    "bugs": checks.bugs_of,
    "repeats": checks.repeats_of,
    "cheats": checks.cheats_of,
}


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        chosen = [labs.load(number) for number in options.labs] or [labs.read(path) for path in labs.directories()]
    except labs.BadLab as error:
        print(error, file=sys.stderr)
        return 2
    found = level.find()
    print(f"sandbox: {found.name}", flush=True)
    began = time.monotonic()
    try:
        with signals.heard(session.end_cells), scratch.own() as place:
            bench = Bench(place, found, options.variant, options.jobs)
            for lab in chosen:
                for name in options.steps:
                    STEPS[name](bench, lab, options)
    except signals.Ended as ended:
        print(ended, file=sys.stderr)
        return ended.status
    print("\n" + bench.table(chosen))
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text(bench.table(chosen) + "\n")
    for fault in bench.faults:
        print(f"WRONG: {fault}")
    right = f"{bench.graded} submissions graded, {bench.played} tests of planted bugs played, in"
    print(f"{len(bench.faults)} wrong; {right} {time.monotonic() - began:.0f} s; the table is in {TABLE}")
    return 1 if bench.faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="labs/run selftest", description=__doc__)
    parser.add_argument("--labs", nargs="+", type=_number, default=[], metavar="LAB", help="their numbers (all)")
    parser.add_argument("--repeat", type=_number, default=20, help="how often the same is graded, half of it busy (20)")
    parser.add_argument("--jobs", type=_number, default=2, help="how many are graded at a time (2)")
    parser.add_argument("--variant", default="self-test", help="the word of the protocol; cheats have their own")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS), help="(all)")
    parser.add_argument("--bugs", nargs="+", default=[], help="their names (all of the labs that are chosen)")
    parser.add_argument("--cheats", nargs="+", default=[], help="their names (all of the labs that are chosen)")
    return parser


def _number(word: str) -> int:
    if not word.isdecimal() or not 0 < int(word) <= 1000:
        raise argparse.ArgumentTypeError(f"{word!r}: a number from 1 to 1000")
    return int(word)


if __name__ == "__main__":
    ending.run(lambda: main(sys.argv[1:]), "selftest", unread=1)
