"""Times of libevent's chain that others have published, to be drawn beside ours: plots/published/chain.dat."""

from __future__ import annotations

from suite import servers

from bench.columns import CURVE, Line, Table
from bench.results import BadResults

FILE = servers.ROOT / "plots/published/chain.dat"
BESIDE = ("poll_srv", "epoll_lt")  # our curves: one that scans and one that does not
SOURCE = (
    "libevent and coroio: medians of 25 rounds on an Intel i7-12800H, Ubuntu 23.04, with pipes; published in 2023 at "
    "github.com/resetius/coroio, bench/."
)


def beside(ours: Table, active: str) -> Table:
    """Our lines and the published ones, told apart by the column `library`; ours is called "here"."""
    table = Table((*ours.columns, "library"), summaries=ours.summaries, seconds=ours.seconds)
    table.lines.extend(line | {"library": "here"} for line in ours.lines)
    held = {name: ours.lines[0][name] for name in ours.columns if name not in CURVE}
    for words in _lines():
        library, server, pairs, with_active, writes, time = words
        if (with_active, writes) == (active, held["writes"]):
            line: Line = {"server": server, "x": float(pairs), "median": float(time), "low": float(time)}
            line |= {"high": float(time), "runs": 1, "bound": 0, "disturbed": 0, "end": False, "library": library}
            table.lines.append(line | held)
    return table


def _lines() -> list[list[str]]:
    text = [line for line in FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    lines = [line.split() for line in text[1:]]
    for number, words in enumerate(lines, start=1):
        if len(words) != 6 or not all(word.isdigit() for word in words[2:]):
            raise BadResults(f"{FILE}: line {number} after the columns: {' '.join(words)!r} is no published time")
    return lines
