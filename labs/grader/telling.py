"""What was done and what came, in few lines that are the same in each run."""

from __future__ import annotations

import itertools
import re
import signal
from collections.abc import Iterable, Sequence

from suite.model import PeerModel
from suite.script import Action, describe

MOST_STEPS = 60
MOST_PEERS = 4  # one by one
MOST_LINES = 6  # of a program that has crashed
ALIKE = 3  # peers in a row that do the same are told as one
OF_PEER = re.compile(r"peer (\d+) (.*)", re.DOTALL)


def step(action: Action) -> str:
    words = {
        "connect": f"peer {action.peer} connects",
        "settle": "everyone waits until the server has answered all",
        "freeze": "the server is stopped (SIGSTOP)",
        "thaw": "the server goes on (SIGCONT), and finds all of that",
        "count": "calls are counted from here on",
        "expect_asleep": "the server must sleep now",
        "expect_alive": "the server must run",
        "expect_memory": f"the server must hold {of_memory(action)}",
        "expect_served": f"peer {action.peer} must be served",
        "expect_refused": f"peer {action.peer} must be refused",
        "expect_exit": f"the server must end with status {action.status}",
        "expect_calls": f"the server must have made {of_calls(action)}",
    }
    return words.get(action.do) or describe(action) or action.do


def of_memory(action: Action) -> str:
    return f"at most {action.most or 0:,} bytes more than at the start"


def of_calls(action: Action) -> str:
    what = f"call{'s' * (action.most != 1)} of {action.name}" + (f" with \"{action.text}\"" if action.text else "")
    if action.most is None:
        return f"{action.least} or more {what}"
    if action.most == action.least:
        return f"{action.least} {what}" if action.least else f"no {what}"
    return f"{action.least} to {action.most} {what}" if action.least else f"at most {action.most} {what}"


# -- many peers ----------------------------------------------------------------------------------------------


def steps(told: Sequence[str]) -> list[str]:
    """Peers in a row that do the same become one line. Of many lines, the first one and the last ones."""
    lines = [line for group in _alike(_by_peer(told)) for line in group]
    if len(lines) > MOST_STEPS:
        left_out = len(lines) - MOST_STEPS
        lines = [lines[0], f"({left_out} steps more)", *lines[-(MOST_STEPS - 1) :]]
    return lines


def _by_peer(told: Iterable[str]) -> list[tuple[int | None, tuple[str, ...]]]:
    """The number of a peer, and what it does one after the other; without a number: one line."""
    found: list[tuple[int | None, tuple[str, ...]]] = []
    for line in told:
        match = OF_PEER.fullmatch(line)
        if match is None:
            found.append((None, (line,)))
        elif found and found[-1][0] == int(match[1]):
            found[-1] = (found[-1][0], (*found[-1][1], match[2]))
        else:
            found.append((int(match[1]), (match[2],)))
    return found


def _alike(blocks: list[tuple[int | None, tuple[str, ...]]]) -> list[list[str]]:
    found: list[list[str]] = []
    for (_, does), group in itertools.groupby(enumerate(blocks), lambda each: _run(*each)):
        peers = [number for _, (number, _) in group]
        if peers[0] is not None and len(peers) >= ALIKE:
            found.append([f"peers {peers[0]} to {peers[-1]}, each: {'; '.join(does)}"])
        else:
            found += [[line if peer is None else f"peer {peer} {line}" for line in does] for peer in peers]
    return found


def _run(at: int, block: tuple[int | None, tuple[str, ...]]) -> tuple[object, tuple[str, ...]]:
    """The same for neighbours that do the same and have numbers that follow each other."""
    number, does = block
    return (("line", at) if number is None else number - at), does


# -- what is missing -----------------------------------------------------------------------------------------


def missing(models: Sequence[tuple[str, PeerModel]]) -> str:
    """Of the peers that do not have all that they must get."""
    lacking = [f"{name} got {_of(model)}" for name, model in models if model.due or model.ends and not model.saw_end]
    more = len(lacking) - MOST_PEERS
    return "; ".join(lacking[:MOST_PEERS] + [f"{more} more peers lack something"] * (more > 0))


def _of(model: PeerModel) -> str:
    if model.due:
        return f"{model.received:,} of {model.whole:,} bytes"
    return f"all {model.whole:,} bytes, but not the end of the stream" if model.whole else "no end of the stream"


# -- how a program ended -------------------------------------------------------------------------------------


def last_words(err: bytes) -> list[str]:
    """What it said on standard error, without the statistics: a sanitizer's report, for instance."""
    lines = [line for line in err.decode(errors="replace").splitlines() if line.strip() and not line.startswith("{")]
    return [line[:200] for line in lines[-MOST_LINES:]]


def ending(status: int | None, by: str = "") -> str:
    """An exit status in words. `by` stands before the name of a signal."""
    if status is None:
        return "with an unknown status"
    if status < 0:
        names = {each.value: each.name for each in signal.Signals}
        return by + names.get(-status, f"signal {-status}")
    return f"exit status {status}"
