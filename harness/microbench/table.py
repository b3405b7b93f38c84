"""What the calls behind the servers cost, for each API that there is: the three microbenchmarks in one table.

One run a cell, a quick look. `make bench` repeats them, pinned to a CPU, and judges.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from suite import ending, servers

SECONDS = "0.2"  # a measurement
PATIENCE = 60


@dataclass(frozen=True)
class Column:
    """One measurement: what it is called, the program with its options, and the figure that is shown of it."""

    title: str
    words: tuple[str, ...]
    figure: str
    decimals: int = 1

    def run(self, choice: str, name: str) -> dict[str, Any]:
        """What the program printed. Raises RuntimeError with its line where it cannot run."""
        command = [str(servers.program(self.words[0])), choice, name, *self.words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip() or f"{command[0]}: exit status {done.returncode}")
        return json.loads(done.stdout)


def wait(watched: int, ready: int) -> Column:
    words = ("microbench_wait", "--watched", str(watched), "--ready", str(ready), "--seconds", SECONDS)
    return Column(f"{watched}", words, "wait_us", 2)


def cycle(watched: int, ready: int) -> Column:
    words = ("microbench_wait", "--cycle", "--watched", str(watched), "--ready", str(ready), "--place", "spread")
    return Column(f"{ready} of {watched}", (*words, "--seconds", SECONDS), "cycle_us")


def chain(pairs: int, active: int) -> Column:
    words = ("microbench_chain", "--pairs", str(pairs), "--active", str(active), "--seconds", SECONDS)
    return Column(f"{active} of {pairs}", words, "chain_us")


APIS = {
    "us for one wait, of so many sockets watched, one is readable": [wait(100, 1), wait(1000, 1), wait(8000, 1)],
    "us for a cycle: wait, find, read those that are readable": [cycle(1000, 10), cycle(1000, 500)],
    "us for a chain: a byte is handed on as often as there are pairs": [
        chain(100, 1), chain(1000, 1), chain(1000, 100)
    ],
}
CALLS = ("microbench_calls", "--messages", "2000")
POLICIES = {
    "system calls for a message, one connection": [
        Column(figure, CALLS, figure) for figure in ("calls", "waits", "reads", "writes", "changes")
    ]
}


def choices(program: str, option: str) -> list[str]:
    """The names that an option takes, as the program's help lists them."""
    shown = subprocess.run([str(servers.program(program)), "--help"], capture_output=True, text=True, timeout=PATIENCE)
    found = re.search(rf"^  {option} \w+ .*: (\w+(?:, \w+)*)$", shown.stdout, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{program} --help lists nothing for {option}")
    return found[1].split(", ")


def cells(choice: str, name: str, columns: Sequence[Column], reasons: list[str]) -> Iterator[str]:
    for column in columns:
        try:
            figure: Optional[float] = column.run(choice, name)["figures"][column.figure]
        except RuntimeError as reason:
            figure = None
            if str(reason) not in reasons:
                reasons.append(str(reason))
        yield "-" if figure is None else f"{figure:.{column.decimals}f}"


def label(choice: str, name: str) -> str:
    """The name, and who provides it where the system does not."""
    try:
        words = ("microbench_wait", "--watched", "1", "--seconds", "0.001")
        by = Column("", words, "").run(choice, name)["implementation"] if choice == "--api" else "native"
    except RuntimeError:
        by = "native"
    return name if by == "native" else f"{name} ({by})"


def print_tables(tables: dict[str, list[Column]], choice: str, names: Sequence[str]) -> None:
    labels = {name: label(choice, name) for name in names}
    width = max(map(len, labels.values()))
    reasons: list[str] = []
    for title, columns in tables.items():
        print(f"{title}\n{'':<{width}}" + "".join(f"{column.title:>14}" for column in columns))
        for name in names:
            print(f"{labels[name]:<{width}}", end="", flush=True)
            for cell in cells(choice, name, columns, reasons):
                print(f"{cell:>14}", end="", flush=True)
            print()
        print()
    for reason in reasons:
        print(f"-: {reason}")


def main() -> int:
    try:
        print_tables(APIS, "--api", choices("microbench_wait", "--api"))
        print_tables(POLICIES, "--policy", choices("microbench_calls", "--policy"))
    except OSError as error:
        if error.filename == ending.STANDARD_OUTPUT:
            raise
        print(f"microbench: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        print(f"microbench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    ending.run(main, "microbench")
