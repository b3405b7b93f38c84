"""All servers give the same answers: made-up peers do the same to each of them, stops and stalls among them, and get
the same bytes and the same ends."""

from __future__ import annotations

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from suite import servers
from suite.play import HIGH_WATER, MAX_FRAME, Play, ScriptedPeer, options
from suite.script import Action, Script
from suite.server import Server

BLOCKS, SCRIPTS_A_BLOCK = 10, 25
IDLE_TIMEOUT = 0.25
HERE = [name for name in servers.FRAMES if servers.absent(name) is None]
# Their peers come before the first action (suite/play.py), so that a stop refuses none of them.
EARLY = servers.having(transport="tls")


@dataclass(frozen=True)
class Answer:
    """What one peer got. Nothing is compared where the peer itself cut the connection, or a timeout or a stop was free
    to come before or after the last bytes."""

    received: int
    digest: str
    end: str


REFUSED = Answer(0, "", "refused at the stop")


def answer(peer: ScriptedPeer) -> Answer | None:
    model = peer.model
    if model.refused:
        return REFUSED
    if not model.exact or peer.queued:
        return None
    return Answer(model.received, hashlib.sha256(model.sent[: model.received]).hexdigest()[:12], peer.end)


class Maker:
    """Makes scripts up: the same ones for the same seed."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def script(self) -> Script:
        last = self.random.choice(("stop", "stop", "frozen stop", "stall", "finish"))
        actions = [self._action() for _ in range(self.random.randint(1, 15))]
        if last == "stop":
            actions.append(Action("stop"))
        elif last == "frozen stop":
            actions += [Action("settle"), Action("freeze"), *self._burst(), Action("stop")]
        elif last == "stall":
            actions = [*self._burst(), Action("settle"), Action("freeze"), *self._burst(), Action("stall")]
        narrow = tuple(peer for peer in range(3) if self.random.random() < 0.2)
        return Script(tuple(actions), narrow, IDLE_TIMEOUT if last == "stall" else 0, f"made up: {last}")

    def _burst(self) -> list[Action]:
        return [self._of_peer() for _ in range(self.random.randint(1, 6))]

    def _action(self) -> Action:
        if self.random.random() < 0.3:
            return Action(self.random.choice(("settle", "settle", "freeze", "thaw")))
        return self._of_peer()

    def _of_peer(self) -> Action:
        peer, what = self.random.randrange(3), self.random.random()
        if what < 0.55:
            sizes = tuple(self._size() for _ in range(self.random.randint(0, 4)))
            return Action("send", peer, frames=sizes, hold=self.random.randint(0, 12))
        if what < 0.65:
            return Action("flood", peer, size=self.random.choice((300, 7_000)), bytes=HIGH_WATER // 2)
        if what < 0.75:
            return Action("urgent", peer)
        if what < 0.85:
            return Action(self.random.choice(("half_close", "reset", "close")), peer)
        if what < 0.9:
            return Action("oversize", peer, size=self.random.choice((1, 1 << 20, 0xFFFFFFFF)))
        return Action(self.random.choice(("stop_reading", "read_again")), peer)

    def _size(self) -> int:
        return self.random.choice((self.random.randint(0, 8), self.random.randint(0, 300), 5_000, MAX_FRAME))


def played(name: str, script: Script) -> tuple[dict[int, Answer | None], dict[str, int]]:
    with Server(name, *options(script)) as server:
        play = Play(server, script)
        try:
            play.run()
        except AssertionError as failure:
            raise AssertionError(f"{name}: {failure}") from None
        return {number: answer(peer) for number, peer in play.peers.items()}, play.closed


def difference(script: Script) -> str:
    """How the servers differ, in words; nothing if they do not."""
    with ThreadPoolExecutor(len(HERE)) as pool:
        found = dict(zip(HERE, pool.map(lambda name: played(name, script), HERE)))
    if any(each == REFUSED for answers, _ in found.values() for each in answers.values()):
        found = {name: each for name, each in found.items() if name not in EARLY}
    lines = []
    numbers = sorted({number for answers, _ in found.values() for number in answers})
    for number in numbers:
        answers = {name: each[number] for name, (each, _) in found.items()}
        if None not in answers.values() and len(set(answers.values())) > 1:
            lines += [f"peer {number}, {name}: {each}" for name, each in answers.items()]
    compared = [closed for answers, closed in found.values() if None not in answers.values()]
    if len(compared) == len(found) and any(closed != compared[0] for closed in compared):
        lines += [f"closed by {name}: {closed}" for name, (_, closed) in found.items()]
    return "\n".join(lines)


@pytest.mark.inside
@pytest.mark.cause("one server answers what another does not: docs/protocol.md says what is right")
@pytest.mark.skipif(servers.sanitizer() is not None, reason="played without sanitizers; each script costs a start")
@pytest.mark.parametrize("block", range(BLOCKS))
def test_made_up_scripts_get_the_same_answers(block):
    maker = Maker(block)
    for _ in range(SCRIPTS_A_BLOCK):
        script = maker.script()
        try:
            differs = difference(script)
        except AssertionError as failure:
            differs = str(failure)
        assert not differs, f"{differs}\n{script.text()}"
