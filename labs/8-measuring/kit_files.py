"""Five result sets for a student (lab 8): rows, and the table that somebody published of them. One is dishonest."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import modules
from labkit.protocol import choices
from suite.protocol import Protocol

expected = modules.load(Path(__file__).with_name("expected.py"))

MICROSECOND, MILLISECOND = 1_000, 1_000_000
RATE_GAP = 500 * MICROSECOND  # 2,000 requests a second
COUNT = 12_000
DRAIN = 200 * MILLISECOND
NAMES = "ABCDE"
WAYS = ("sent", "answered", "cut")


@dataclass(frozen=True)
class Stall:
    """The server answers nothing for a while. What is due meanwhile is sent when the stall ends."""

    begin: int
    length: int


def _run(dice: random.Random, typical: int, stalls: list[Stall], silent: int) -> Any:
    """An open loop at a constant rate. The last `silent` requests are never answered; the youngest of them not sent."""
    start = dice.randrange(10**9, 2 * 10**9)
    rows, free = [], 0
    for number in range(COUNT):
        due = start + number * RATE_GAP
        sent = due + dice.randrange(200, 4_000)
        for stall in stalls:
            if start + stall.begin <= sent < start + stall.begin + stall.length:
                sent = start + stall.begin + stall.length
        sent = max(sent, free)
        time = typical // 2 + int(dice.expovariate(2 / typical))
        free = sent + time // 8 if sent - due > MILLISECOND else 0  # after a stall they leave one after the other
        if number >= COUNT - silent:
            rows.append(expected.Row(due, None if number >= COUNT - silent // 4 else sent, None))
        else:
            rows.append(expected.Row(due, sent, sent + time))
    last = max(row.received or row.sent or row.scheduled for row in rows)
    return expected.Run(last + DRAIN, tuple(rows))


@dataclass(frozen=True)
class ResultSet:
    name: str
    run: Any  # expected.Run
    table: tuple[str, ...]  # as published
    way: str  # in which it is dishonest; "": it is not


def _published(run: Any, way: str) -> list[str]:
    """The table, made better than the rows in one way. Its counts are right: they would tell at a glance."""
    rows = list(run.rows)
    if way == "sent":
        rows = [expected.Row(row.scheduled if row.sent is None else row.sent, row.sent, row.received) for row in rows]
    elif way == "answered":
        rows = [row for row in rows if row.received is not None]
    elif way == "cut":
        slow = [row.received is not None and row.received - row.scheduled > 20 * MILLISECOND for row in rows]
        rows = [row for row, late in zip(rows, slow) if not late]
    return expected.table(run)[:2] + expected.table(expected.Run(run.end, tuple(rows)))[2:]


def sets(word: str) -> list[ResultSet]:
    dice = choices(word, "results of lab 8")
    stall = Stall(dice.randrange(1, 4) * 10**9, dice.randrange(220, 380) * MILLISECOND)
    typical = [dice.randrange(60, 140) * MICROSECOND for _ in NAMES]
    kinds = {
        "steady": _run(dice, typical[0], [], 0),
        "slow": _run(dice, 40 * typical[1], [], 0),
        "stall": _run(dice, typical[2], [stall], 0),
        "spikes": _run(dice, typical[3], [Stall(n * 700 * MILLISECOND, 45 * MILLISECOND) for n in range(1, 8)], 0),
        "silence": _run(dice, typical[4], [], dice.randrange(150, 400)),
    }
    way = dice.choice(WAYS)
    liar = {"sent": "stall", "answered": "silence", "cut": "spikes"}[way]
    names = list(NAMES)
    dice.shuffle(names)
    made = []
    for name, (kind, run) in zip(names, kinds.items()):
        dishonest = way if kind == liar else ""
        made.append(ResultSet(name, run, tuple(_published(run, dishonest)), dishonest))
    return sorted(made, key=lambda each: each.name)


def files(protocol: Protocol, word: str) -> dict[str, bytes]:
    del protocol
    found = {}
    for each in sets(word):
        found[f"results/{each.name}.rows"] = each.run.text().encode()
        found[f"results/{each.name}.table"] = "".join(f"{line}\n" for line in each.table).encode()
    return found
