"""What of a recording is the same in every run, so that it can be compared as text."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tracing.calls import Call

if TYPE_CHECKING:
    from tracing.trace import Step

ROOM_ONLY = re.compile(r"\) = peer \d+: OUT(, peer \d+: OUT)*$")
LONGEST_ROUND = 8  # calls that a server which does not sleep makes again and again
SURE = 5  # rounds
MANY = 20  # times the same calls
SHORT_ROUND = 3  # calls, of a round that ends in the same step
LONG = 500  # calls of one step
COUNTED = "sigprocmask"  # select_srv and poll_srv make it once in so many events


def steady(steps: Sequence[Step]) -> list[Step]:
    """How often a server goes round that does not sleep is a matter of time, and where in its round it is when a peer
    does something. So a round is told once, and not again at the beginning of the next step."""
    found: list[Step] = []
    restless = not all(step.sleeps and len(step.calls) < LONG for step in steps)
    for step in steps:
        if restless:
            step = dataclasses.replace(step, calls=[call for call in step.calls if call.name != COUNTED])
        calls = _of_use(step.calls) if step.sleeps else _rounds_once(step.calls)
        if found and not found[-1].sleeps:
            calls = _after([call for call in found[-1].calls if call.often], calls)
        found.append(dataclasses.replace(step, calls=_middle_once(calls)))
    return found


def _of_use(calls: Sequence[Call]) -> list[Call]:
    """Without the wake-ups that only say that there is room to send, and that nothing follows. An edge-triggered
    server has them when acknowledgements come, and how many come is not the same each time."""
    following = [*calls[1:], None]
    return [
        call for call, after in zip(calls, following)
        if not (ROOM_ONLY.search(call.text) and call.waits and (after is None or after.waits))
    ]  # fmt: skip


def _rounds_once(calls: list[Call]) -> list[Call]:
    """The calls until the rounds begin, and one round. It begins with a wait."""
    texts = [call.text for call in calls]
    for size in range(1, LONGEST_ROUND + 1):
        same = [one == other for one, other in zip(texts, texts[size:])]
        if len(same) < SURE * size or not all(same[-SURE * size :]):
            continue
        start = next((i + 1 for i in range(len(same) - 1, -1, -1) if not same[i]), 0)
        start += next((i for i, call in enumerate(calls[start : start + size]) if call.waits), 0)
        return calls[:start] + [dataclasses.replace(call, often=True) for call in calls[start : start + size]]
    return calls


def _after(round_: Sequence[Call], calls: list[Call]) -> list[Call]:
    """Without the rounds that belong to the step before."""
    size, texts = len(round_), [call.text for call in round_]
    first = next((i for i, call in enumerate(calls) if call.waits), 0)
    if size and all(call.text in texts for call in calls[:first]):
        calls = calls[first:]
    while size and [call.text for call in calls[:size]] == texts and not calls[0].often:
        calls = calls[size:]
    return calls


def _middle_once(calls: Sequence[Call]) -> list[Call]:
    """Rounds that come to an end within the step."""
    found: list[Call] = []
    for at, size, times in rounds([call.text for call in calls], MANY):
        found += [dataclasses.replace(call, often=call.often or times > 1) for call in calls[at : at + size]]
    return found


def rounds(texts: Sequence[str], least: int) -> Iterator[tuple[int, int, int]]:
    """Where each begins, of how many calls it is, and how many times it comes in a row: `least` times or more. Or it is
    one call that comes once."""
    at = 0
    while at < len(texts):
        times, size = max((_times(texts, at, size), -size) for size in range(1, SHORT_ROUND + 1))
        times, size = (times, -size) if times >= least else (1, 1)
        yield at, size, times
        at += size * times


def _times(texts: Sequence[str], at: int, size: int) -> int:
    """How many times the `size` calls from there come in a row."""
    times = 1
    while texts[at : at + size] == texts[at + times * size : at + (times + 1) * size]:
        times += 1
    return times if len(texts) - at >= size else 0
