"""Random peers against a model of the protocol: whatever they do, every peer gets what it must, and the server
counts what has happened.

The scripts in scripts/ are played in each run, then some that are made up; the same ones each time, unless
MODEL_EXAMPLES=N asks for another number (MODEL_SEED=N: from that seed). One that fails is shortened as far as
it still fails, and written to a file. MODEL_SCRIPT=FILE plays that file alone.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from suite import script as scripts
from suite import servers, steps, waiting
from suite.frames import frame, header
from suite.model import PeerModel, possible
from suite.plugin import LONGEST, command
from suite.play import HIGH_WATER, MAX_FRAME, Play, options
from suite.protocol import Protocol
from suite.script import Action, Script

try:
    import hypothesis
    from hypothesis import strategies
except ImportError:
    hypothesis = None

HERE = Path(__file__).parent
KEPT = sorted((HERE / "scripts").glob("*.json"))
GIVEN = os.environ.get("MODEL_SCRIPT")
CHOSEN = [Path(GIVEN)] if GIVEN else KEPT
EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "0"))
USUAL_EXAMPLES, IDLE_EXAMPLES = 100, 8
IDLE_TIMEOUT = 0.25
SHORTENING = 60  # seconds: after that, the shortest script so far will do
CAUSE = "the script above is the shortest that fails; docs/protocol.md says what each of its actions asks for"


# Whether a server ever pauses in the scripts that are made up depends on how fast peers read. In this one nobody does.
PAUSES = Script(
    (Action("stop_reading"), Action("flood", size=7_000, bytes=5 * HIGH_WATER), Action("settle")),
    narrow=(0,),
    idle_timeout=0,
    about="a peer that does not read",
)


class UntilPaused(Play):
    """How much a kernel takes for a peer that does not read is its own affair, and so is in how many wake-ups the
    server gets it. So each settle lets the peers send more, until a connection is paused."""

    def _settle(self) -> None:
        super()._settle()
        floods = [action for action in self.script.actions if action.do == "flood"]

        def paused(statistics: dict) -> bool:
            self._pump()
            if not any(peer.interest() for peer in self.peers.values()):  # the kernel took all
                for flood in floods:
                    self._act(flood)
            return statistics["pauses"] > self._before["pauses"]

        if self.server.tells:
            self.server.wait_statistics(paused, "a connection paused")


class Servers:
    """Servers for many scripts, one for each set of options, started anew after a failure."""

    def __init__(self, start):
        self.start = start
        self.running: dict[tuple[str, ...], object] = {}

    def ready(self, script: Script) -> tuple[str, ...]:
        wanted = options(script)
        if wanted not in self.running:
            self.running[wanted] = self.start(*wanted)
        return wanted

    def play(self, script: Script, patience: float = waiting.PATIENCE) -> None:
        wanted = self.ready(script)
        try:
            kind = UntilPaused if script == PAUSES else Play
            kind(self.running[wanted], script, patience).run()
        except BaseException:
            self.running.pop(wanted).kill()
            raise


class Search:
    """Plays what is made up; remembers what failed, so that looking for a shorter script takes bounded time:
    a failure has been seen by then, and a script that waits in vain need not do so for long."""

    def __init__(self, start, server_name: str):
        self.servers = Servers(start)
        self.file = servers.build_dir() / "model" / f"{server_name}.json"
        self.failures: dict[Script, AssertionError] = {}
        self.since = 0.0

    def play(self, script: Script) -> None:
        if script in self.failures:
            raise self.failures[script]
        if self.failures and time.monotonic() - self.since > SHORTENING:
            return
        steps.begin()
        try:
            self.servers.play(script, patience=1.0 if self.failures else waiting.PATIENCE)
        except AssertionError as failure:
            self.since = self.since or time.monotonic()
            self.failures[script] = self._explained(script, failure)
            raise self.failures[script] from None

    def _explained(self, script: Script, failure: AssertionError) -> AssertionError:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(script.text())
        again = command(
            "harness/pytest", "harness/conformance/test_model.py",
            MODEL_SCRIPT=os.path.relpath(self.file, servers.ROOT), SERVER=os.environ.get("SERVER") or self.file.stem,
        )  # fmt: skip
        return AssertionError(f"{failure}\n{script.text()}to play it again:\n{again}\n{steps.report()}")


def made_up(idle: bool):
    """Scripts of up to 20 actions of three peers; more likely actions stand for themselves more often."""
    peer = strategies.integers(0, 2)
    sizes = strategies.one_of(
        strategies.integers(0, 8), strategies.integers(0, 300), strategies.sampled_from((5_000, MAX_FRAME))
    )

    def action(*names: str, **given):
        return strategies.builds(Action, strategies.sampled_from(names), peer, **given)

    send = action("send", frames=strategies.lists(sizes, max_size=4).map(tuple), hold=strategies.integers(0, 12))
    plenty = strategies.integers(1, 5).map(lambda times: times * HIGH_WATER)
    flood = action("flood", size=strategies.sampled_from((300, 7_000)), bytes=plenty)
    oversize = action("oversize", size=strategies.sampled_from((1, 1 << 20, 0xFFFFFFFF)))
    ends = action("half_close", "half_close", "reset", "close")
    reading = action("stop_reading", "stop_reading", "read_again")
    of_all = strategies.builds(Action, strategies.sampled_from(("settle", "settle", "freeze", "thaw")))
    actions = strategies.lists(
        strategies.one_of(send, send, send, of_all, of_all, reading, flood, ends, oversize), min_size=1, max_size=20
    ).map(tuple)
    narrow = strategies.sets(peer).map(lambda some: tuple(sorted(some)))
    if idle:
        actions = actions.map(lambda some: (*some, Action("idle")))
    return strategies.builds(
        Script, actions, narrow, strategies.just(IDLE_TIMEOUT if idle else 0), strategies.just("made up")
    )


def search(start, server_name: str, idle: bool, examples: int) -> None:
    found = Search(start, server_name)
    found.servers.ready(PAUSES)  # hypothesis would report a skip as an example that fails

    @hypothesis.settings(
        max_examples=examples,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(made_up(idle))
    @hypothesis.example(PAUSES)
    def play(script: Script) -> None:
        found.play(script)

    if EXAMPLES:
        play = hypothesis.seed(int(os.environ.get("MODEL_SEED", time.time_ns())))(play)
    play()


@pytest.mark.cause(CAUSE)
@pytest.mark.parametrize("path", CHOSEN, ids=[path.stem for path in CHOSEN])
def test_script(start, path):
    try:
        script = scripts.load(path)
    except scripts.BadScript as error:
        pytest.fail(str(error), pytrace=False)
    Servers(start).play(script)


@pytest.mark.skipif(hypothesis is None, reason="needs the Python package hypothesis")
@pytest.mark.skipif(GIVEN is not None, reason="MODEL_SCRIPT is set")
@pytest.mark.timeout(0 if EXAMPLES else LONGEST)  # as long as was asked for
@pytest.mark.cause(CAUSE)
def test_made_up_scripts(start, server_name):
    search(start, server_name, False, EXAMPLES or USUAL_EXAMPLES)


@pytest.mark.skipif(hypothesis is None, reason="needs the Python package hypothesis")
@pytest.mark.skipif(GIVEN is not None, reason="MODEL_SCRIPT is set")
@pytest.mark.timeout(0 if EXAMPLES else LONGEST)  # as long as was asked for
@pytest.mark.cause(CAUSE)
def test_made_up_scripts_with_idle_ends(start, server_name):
    search(start, server_name, True, max(EXAMPLES // 10, IDLE_EXAMPLES))


# -- the parts by themselves ---------------------------------------------------------------------------------


def test_model_takes_nothing_but_the_next_bytes_that_are_due():
    model = PeerModel()
    model.send(frame(b"one") + frame(b"two")[:-1])
    assert (model.whole, model.frames, model.tail) == (7, 1, True)
    with pytest.raises(AssertionError, match="differs from byte 4 on"):
        model.receive(frame(b"eno"))
    with pytest.raises(AssertionError, match="8 bytes came, only 7"):
        model.receive(frame(b"one") + b"\0")
    with pytest.raises(AssertionError, match="without a reason, with"):
        model.end()
    model.receive(frame(b"one")[:5])
    model.half_closed = True
    with pytest.raises(AssertionError, match="with 2 of 7 bytes not echoed"):
        model.end()
    model.receive(frame(b"one")[5:])
    model.end()
    assert model.reasons() == {"truncated"}


def test_model_looks_at_nothing_behind_an_oversize_header():
    model = PeerModel(Protocol(max_frame=3))
    model.send(frame(b"abc") + header(4) + frame(b"abc"))
    assert (model.whole, model.frames, model.oversize, model.reasons()) == (7, 1, True, {"oversize"})


def test_reasons_are_given_out_once_each():
    assert possible({"end": 1, "reset": 1, "idle": 0}, [{"end", "reset"}, {"end"}])
    assert not possible({"end": 2}, [{"end", "reset"}, {"reset"}])
    assert not possible({"end": 1}, [{"end"}, {"end"}])
    assert not possible({"end": 1, "error": 1}, [{"end"}])


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("", "Expecting value"),
        ("[]", "no script"),
        ('{"schema": "script/3"}', "no script"),
        ('{"schema": "script/1"}', "'actions'"),
        ('{"schema": "script/1", "actions": [{"do": "wait"}]}', "action 1: 'wait' is not one of"),
        ('{"schema": "script/1", "actions": [{"do": "send", "size": 1, "speed": 2}]}', "speed"),
    ],
)
def test_bad_script(tmp_path, text, complaint):
    file = tmp_path / "bad.json"
    file.write_text(text)
    with pytest.raises(scripts.BadScript) as caught:
        scripts.load(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: ") and complaint in message and "\n" not in message


def test_script_is_what_was_written(tmp_path):
    script = Script((Action("send", 1, frames=(3, 0), hold=2), Action("idle")), (1,), 0.5, "about")
    file = tmp_path / "script.json"
    file.write_text(script.text())
    assert scripts.load(file) == script
