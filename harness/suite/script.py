"""Scripts: what peers do to a server, one action after the other, as Python objects and as JSON files.

Every sequence of actions is a script: an action that makes no sense where it stands (sending after a
reset) does nothing. So a script can be shortened by leaving anything out of it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

SCHEMA = "script/1"

# A peer connects with its first action.
ACTIONS = {
    "connect": "does no more than that",
    "send": "composes frames of the sizes in `frames` behind what it held back; sends all but `hold` bytes",
    "flood": "sends frames of `size` bytes, `bytes` in all, as fast as they are taken",
    "oversize": "sends a header that announces `size` bytes more than max-frame, and some more bytes",
    "half_close": "shuts its sending side down, when all before that has been taken",
    "reset": "resets the connection",
    "close": "closes, whatever has come or is still to come",
    "stop_reading": "reads no more",
    "read_again": "reads again",
    "settle": "everyone waits until the server has answered all that it can answer",
    "freeze": "the server is stopped (SIGSTOP); what peers do now meets in one wake-up",
    "thaw": "it goes on, once all that was sent has reached its kernel",
    "urgent": "sends one urgent byte (MSG_OOB), once a peer: it is no part of the stream",
    "stall": "while the server is stopped: for longer than its idle-timeout",
    "stop": "the last action: SIGTERM, and everyone reads to the end",
    "idle": "the last action: everyone waits until the server has closed all connections",
}


class BadScript(Exception):
    """What is wrong with a file, in one line."""


@dataclass(frozen=True)
class Action:
    do: str
    peer: int = 0
    frames: tuple[int, ...] = ()
    hold: int = 0
    size: int = 0
    bytes: int = 0

    def as_json(self) -> dict:
        defaults = {each.name: each.default for each in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != defaults[name]}


@dataclass(frozen=True)
class Script:
    actions: tuple[Action, ...]
    narrow: tuple[int, ...] = ()  # peers with a small receive window and small segments
    idle_timeout: float = 0  # of the server; 0: off
    about: str = field(default="", compare=False)
    room: int | None = None  # how many descriptors the server can open; None: what its limit allows

    def text(self) -> str:
        """As a JSON file; an action a line."""
        head = {"schema": SCHEMA, "about": self.about, "idle_timeout": self.idle_timeout, "narrow": self.narrow}
        if self.room is not None:
            head["room"] = self.room
        lines = [f'  "{name}": {json.dumps(value, ensure_ascii=False)},' for name, value in head.items()]
        actions = ",\n".join(f"    {json.dumps(action.as_json())}" for action in self.actions)
        return "{\n" + "\n".join(lines) + f'\n  "actions": [\n{actions}\n  ]\n}}\n'


def load(path: Path) -> Script:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadScript(f"{path}: {error}") from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise BadScript(f"{path}: no script: \"schema\" is not \"{SCHEMA}\"")
    try:
        actions = []
        for number, each in enumerate(content["actions"], 1):
            values: dict[str, Any] = {**each, "frames": tuple(each.get("frames", ()))}
            action = Action(**values)
            if action.do not in ACTIONS:
                raise BadScript(f"{path}: action {number}: {action.do!r} is not one of {', '.join(ACTIONS)}")
            actions.append(action)
        return Script(
            tuple(actions),
            tuple(content.get("narrow", ())),
            float(content.get("idle_timeout", 0)),
            str(content.get("about", "")),
            None if content.get("room") is None else int(content["room"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadScript(f"{path}: not a script: {error!r}") from None
