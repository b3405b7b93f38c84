"""Scripts: what peers do to a server, one action after the other, as Python objects and as JSON files.

Every sequence of actions is a script: an action that makes no sense where it stands (sending after a
reset) does nothing. So a script can be shortened by leaving anything out of it.

The labs' scripts (script/2, labs/scripts.md) can do more, and say what they expect. Students write some of them: so
each mistake in a file is named, and there are bounds.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from suite.protocol import ECHO, Protocol

SCHEMA, OF_LABS = "script/1", "script/2"

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

# Of script/2 alone.
MORE_ACTIONS = {
    "raw": "sends the bytes that `hex` writes in hexadecimal",
    "undersize": "sends a number that is too small to be one, where the protocol has such numbers",
    "wrong_check": "sends a frame of `size` bytes with a wrong check byte, where the protocol has one",
    "limit": "the server can open `descriptors` more descriptors than it has open now; without: as many as at first",
    "signal": "the server gets the signal `name`",
    "inject": "the call `call` fails with `error`: the `when`-th since the start, then each `every`-th, `times` in all",
    "replace": "for a trace: another program takes the place of the server's file; it does nothing until it is told",
    "new_program": "which a SIGUSR2 has started since: it `does` what it is told: listens, or ends",
    "count": "calls are counted from here on",
    "expect_asleep": "the server has answered all, and sleeps",
    "expect_calls": "it made the call `name`, with `text` in it, `least` to `most` times",
    "expect_memory": "it holds at most `most` bytes more than at its start",
    "expect_served": "this peer gets all that it must get",
    "expect_refused": "this peer's stream ends, or is reset, without a byte",
    "expect_alive": "the server runs",
    "expect_exit": "the last action: the server ends with `status`",
}

# What an action may say besides "do"; None: it is about no peer.
_PEER: dict[str, tuple[str, ...]] = {
    "connect": (), "send": ("frames", "hold"), "flood": ("size", "bytes"), "oversize": ("size",), "half_close": (),
    "reset": (), "close": (), "stop_reading": (), "read_again": (), "urgent": (), "raw": ("hex",), "undersize": (),
    "wrong_check": ("size",), "expect_served": (), "expect_refused": (),
}  # fmt: skip
_NOBODY: dict[str, tuple[str, ...]] = {
    "settle": (), "freeze": (), "thaw": (), "stall": (), "stop": (), "idle": (), "limit": ("descriptors",),
    "signal": ("name",), "inject": ("call", "error", "when", "times", "every"), "replace": (),
    "new_program": ("does",), "count": (), "expect_asleep": (), "expect_calls": ("name", "text", "least", "most"),
    "expect_memory": ("most",), "expect_alive": (), "expect_exit": ("status",),
}  # fmt: skip
_MUST = {
    "flood": ("size", "bytes"), "oversize": ("size",), "raw": ("hex",), "signal": ("name",),
    "inject": ("call", "error"), "new_program": ("does",), "expect_calls": ("name",), "expect_memory": ("most",),
}  # fmt: skip
LAST = ("stop", "idle", "expect_exit")
DOES = ("listens", "ends")

# Of a script/2. One costs at most so much.
MOST_FILE = 1 << 16  # bytes
MOST_ACTIONS = 300
MOST_PEERS = 256
MOST_BYTES = 32 << 20  # that all peers send
MOST_SECONDS = 5.0
SLEEPS = 0.1  # seconds that it takes to see that the server sleeps
SEE_THAT_IT_SLEEPS = ("count", "expect_asleep", "expect_calls")
MOST_WAITING = 12.0  # seconds that a script waits, in all
MOST_WAITING_OF_ALL = 24.0  # and that all own tests of a student wait: each is played on some ten programs
SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGCHLD", "SIGURG", "SIGWINCH")
ERRORS = (
    "EINTR", "EAGAIN", "ECONNABORTED", "ECONNRESET", "EPIPE", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EIO", "EPERM",
    "ETIMEDOUT", "EPROTO", "ENETDOWN", "EHOSTUNREACH", "ENOSPC",
)  # fmt: skip
# That can be made to fail. The first four stand for every system call that does that.
CALLS = (
    "accept", "recv", "send", "wait", "accept4", "recvfrom", "recvmsg", "sendto", "sendmsg", "read", "write", "close",
    "shutdown", "epoll_ctl", "epoll_wait", "epoll_pwait", "poll", "ppoll", "pselect6", "setsockopt", "getsockopt",
    "ioctl", "timerfd_settime",
)  # fmt: skip
SAME = {
    "accept": ("accept", "accept4"),
    "recv": ("recvfrom", "recvmsg"),
    "send": ("sendto", "sendmsg"),
    "wait": ("select", "pselect6", "poll", "ppoll", "epoll_wait", "epoll_pwait", "epoll_pwait2"),
}
MOST_COUNTED = 65535  # strace's own limit
SIZE = re.compile(r"(?:(\d{1,3})\*)?(max|high|low)(?:([+-])(\d{1,7}))?")


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
    hex: str = ""
    descriptors: int | None = None
    name: str = ""
    call: str = ""
    error: str = ""
    when: int = 1
    times: int = 1
    every: int = 1
    does: str = ""
    text: str = ""
    least: int = 0
    most: int | None = None
    status: int = 0

    def as_json(self) -> dict:
        defaults = {each.name: each.default for each in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != defaults[name]}

    @property
    def of_peer(self) -> bool:
        return self.do in _PEER

    @property
    def sends(self) -> int:
        """Bytes of payload."""
        return sum(self.frames) + self.size * (self.do == "wrong_check") + self.bytes + len(self.hex) // 2


@dataclass(frozen=True)
class Script:
    actions: tuple[Action, ...]
    narrow: tuple[int, ...] = ()  # peers with a small receive window and small segments
    idle_timeout: float = 0  # of the server; 0: off
    about: str = field(default="", compare=False)
    room: int | None = None  # how many descriptors the server can open; None: what its limit allows
    max_lifetime: float = 0  # of the server; 0: off

    @property
    def replaces(self) -> bool:
        """The server's program, in the middle of the script."""
        return any(action.do == "replace" for action in self.actions)

    @property
    def waits(self) -> float:
        """Seconds, for timeouts and until the server sleeps."""
        timeouts = sum(action.do in ("stall", "idle") for action in self.actions)
        sleeps = sum(action.do in SEE_THAT_IT_SLEEPS for action in self.actions)
        return timeouts * max(self.idle_timeout, self.max_lifetime) + sleeps * SLEEPS

    def text(self) -> str:
        """As a JSON file; an action a line."""
        of_labs = self.max_lifetime or any(action.do in MORE_ACTIONS for action in self.actions)
        head: dict[str, Any] = {"schema": OF_LABS if of_labs else SCHEMA, "about": self.about}
        head |= {"idle_timeout": self.idle_timeout, "narrow": self.narrow}
        if self.max_lifetime:
            head["max_lifetime"] = self.max_lifetime
        if self.room is not None:
            head["room"] = self.room
        lines = [f'  "{name}": {json.dumps(value, ensure_ascii=False)},' for name, value in head.items()]
        actions = ",\n".join(f"    {json.dumps(action.as_json())}" for action in self.actions)
        return "{\n" + "\n".join(lines) + f'\n  "actions": [\n{actions}\n  ]\n}}\n'


def load(
    path: Path, protocol: Protocol = ECHO, may_replace: bool = False, accepted: tuple[str, ...] = (SCHEMA, OF_LABS)
) -> Script:
    """The protocol says what "max" is, and the like (script/2). `may_replace`: the caller can put another program in
    the place of the server's. Only script/2 has bounds: so nothing else is accepted of people whom nobody trusts."""
    try:
        if path.stat().st_size > MOST_FILE:
            raise BadScript(f"{path}: larger than {MOST_FILE:,} bytes")
        content = json.loads(path.read_text(encoding="utf-8-sig"))  # an editor may put a mark first
    except (OSError, ValueError, RecursionError) as error:
        raise BadScript(f"{path}: {_line(error)}") from None
    if not isinstance(content, dict) or content.get("schema") not in accepted:
        known = " or ".join(f'"{each}"' for each in accepted)
        raise BadScript(f'{path}: no script: "schema" is not {known}')
    if content["schema"] == OF_LABS:
        return _Reader(path, protocol, may_replace).script(content)
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
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise BadScript(f"{path}: not a script: {error!r}") from None


def _line(error: Exception) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) < 200 else f"{said[:200]} …"


# -- script/2 ------------------------------------------------------------------------------------------------


class _Reader:
    """Reads a script/2. Each complaint says the file, the action, and what is wrong with it."""

    def __init__(self, path: Path, protocol: Protocol, may_replace: bool):
        self.path = path
        self.protocol = protocol
        self.may_replace = may_replace
        self.where = ""

    def bad(self, why: str) -> BadScript:
        return BadScript(f"{self.path}: {self.where}{why}")

    def script(self, content: dict[str, Any]) -> Script:
        top = ("schema", "about", "idle_timeout", "max_lifetime", "narrow", "room", "actions")
        for key in content:
            if key not in top:
                raise self.bad(f"nobody knows the key {_quoted(key)}; there are {', '.join(top)}")
        actions = content.get("actions")
        if not isinstance(actions, list) or not actions:
            raise self.bad('"actions" has to be a list of at least one action')
        if len(actions) > MOST_ACTIONS:
            raise self.bad(f"{len(actions)} actions; {MOST_ACTIONS} are the most")
        read = Script(
            tuple(self.action(number, each) for number, each in enumerate(actions, 1)),
            self._numbers(content.get("narrow", []), '"narrow"', MOST_PEERS - 1),
            self._seconds(content, "idle_timeout"),
            self._word(content.get("about", ""), '"about"', 500),
            None if content.get("room") is None else self._number(content["room"], '"room"', 1024),
            self._seconds(content, "max_lifetime"),
        )
        self._whole(read)
        return read

    def _whole(self, script: Script) -> None:
        """What no action shows by itself."""
        self.where = ""
        sent = sum(action.sends for action in script.actions)
        if sent > MOST_BYTES:
            raise self.bad(f"the peers send {sent:,} bytes; {MOST_BYTES:,} are the most")
        if script.waits > MOST_WAITING:
            most = f"{MOST_WAITING:g} are the most"
            raise self.bad(f"the actions wait for {script.waits:g} seconds in all; {most}")
        fail: set[str] = set()
        for number, action in enumerate(script.actions, 1):
            self.where = f"action {number}: "
            if action.do in LAST and number < len(script.actions):
                raise self.bad(f"{action.do!r} has to be the last action")
            names = set(SAME.get(action.call, (action.call,))) if action.do == "inject" else set()
            if names & fail:
                raise self.bad(f"{action.call!r} is made to fail by an action before this one already")
            fail |= names
        self._restarts(script)
        if script.actions[-1].do == "idle" and not (script.idle_timeout or script.max_lifetime):
            raise self.bad('"idle" needs an "idle_timeout" or a "max_lifetime"')

    def _restarts(self, script: Script) -> None:
        """Whoever is told something must be there: a new program, between its start and its end."""
        replaced = runs = False
        for number, action in enumerate(script.actions, 1):
            self.where = f"action {number}: "
            if action.do in ("replace", "new_program") and not self.may_replace:
                raise self.bad(f"{action.do!r} is for traces: a test cannot replace the program of the server")
            if action.do == "new_program" and not runs:
                raise self.bad("'new_program' needs a 'replace' before it, and then a 'signal' that is SIGUSR2")
            replaced |= action.do == "replace"
            runs |= replaced and action.do == "signal" and action.name == "SIGUSR2"
            runs &= not (action.do == "new_program" and action.does == "ends")

    def action(self, number: int, given: Any) -> Action:
        self.where = f"action {number}: "
        if not isinstance(given, dict) or not isinstance(given.get("do"), str):
            raise self.bad('an action is an object with a "do"')
        do = given["do"]
        takes = _PEER[do] if do in _PEER else _NOBODY.get(do)
        if takes is None:
            raise self.bad(f"{_quoted(do)} is not one of {', '.join((*ACTIONS, *MORE_ACTIONS))}")
        takes = (("peer",) if do in _PEER else ()) + takes
        for key in given:
            if key != "do" and key not in takes:
                raise self.bad(f"{do!r} takes no {_quoted(key)}" + (f"; it takes {', '.join(takes)}" if takes else ""))
        for key in _MUST.get(do, ()):
            if key not in given:
                raise self.bad(f"{do!r} needs a {key!r}")
        action = Action(do, **{key: self._field(key, value) for key, value in given.items() if key != "do"})
        self._together(action)
        return action

    def _together(self, action: Action) -> None:
        if action.most is not None and action.least > action.most:
            raise self.bad(f"'least' is {action.least} and 'most' is {action.most}")
        if action.do == "expect_calls" and not action.least and action.most is None:
            raise self.bad("'expect_calls' needs a 'least' or a 'most'")
        if action.when + (action.times - 1) * action.every > MOST_COUNTED:
            raise self.bad(f"calls are counted up to {MOST_COUNTED:,}")
        if action.do == "flood" and action.size > self.protocol.max_frame:
            raise self.bad(f"'size' is {action.size:,}, more than max-frame ({self.protocol.max_frame:,})")
        if any(size > self.protocol.max_frame for size in action.frames):
            raise self.bad(f"a frame of more than max-frame ({self.protocol.max_frame:,}); use 'oversize' for that")

    def _field(self, key: str, value: Any) -> Any:
        read: Mapping[str, Callable[[], Any]] = {
            "peer": lambda: self._number(value, "'peer'", MOST_PEERS - 1),
            "frames": lambda: self._sizes(value),
            "hold": lambda: self._size(value, "'hold'"),
            "size": lambda: self._size(value, "'size'", 1 << 64),
            "bytes": lambda: self._size(value, "'bytes'"),
            "most": lambda: self._size(value, "'most'", 1 << 30),
            "hex": lambda: self._hex(value),
            "descriptors": lambda: self._number(value, "'descriptors'", 1024),
            "name": lambda: self._name(value),
            "call": lambda: self._one_of(value, "'call'", CALLS),
            "error": lambda: self._one_of(value, "'error'", ERRORS),
            "when": lambda: self._number(value, "'when'", MOST_COUNTED, 1),
            "every": lambda: self._number(value, "'every'", MOST_COUNTED, 1),
            "times": lambda: self._number(value, "'times'", MOST_COUNTED),
            "does": lambda: self._one_of(value, "'does'", DOES),
            "least": lambda: self._number(value, "'least'", 1 << 30),
            "text": lambda: self._word(value, "'text'", 100),
            "status": lambda: self._number(value, "'status'", 255),
        }
        return read[key]()

    # -- values ------------------------------------------------------------------------------------

    def _number(self, value: Any, what: str, most: int, least: int = 0) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.bad(f"{what} has to be a whole number from {least} to {most:,}, not {_quoted(value)}")
        return value

    def _numbers(self, value: Any, what: str, most: int) -> tuple[int, ...]:
        if not isinstance(value, list) or len(value) > MOST_PEERS:
            raise self.bad(f"{what} has to be a list of numbers")
        return tuple(self._number(each, what, most) for each in value)

    def _seconds(self, content: dict[str, Any], key: str) -> float:
        value = content.get(key, 0)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not 0 <= value <= MOST_SECONDS:
            raise self.bad(f'"{key}" has to be seconds from 0 to {MOST_SECONDS:.0f}, not {_quoted(value)}')
        return float(value)

    def _size(self, value: Any, what: str, most: int = MOST_BYTES) -> int:
        """A number, or one of the server's limits with a factor and a difference: "3*high", "max-1"."""
        if isinstance(value, str):
            found = SIZE.fullmatch(value.replace(" ", ""))
            if found is None:
                raise self.bad(f'{what} is {_quoted(value)}: write a number, or "max", "high", "low", as in "2*high-1"')
            limits = {"max": self.protocol.max_frame, "high": self.protocol.high_water, "low": self.protocol.low_water}
            value = int(found[1] or 1) * limits[found[2]] + int(f"{found[3] or '+'}{found[4] or 0}")
        return self._number(value, what, most)

    def _sizes(self, value: Any) -> tuple[int, ...]:
        if not isinstance(value, list) or len(value) > 10_000:
            raise self.bad("'frames' has to be a list of sizes")
        return tuple(self._size(each, "a size in 'frames'") for each in value)

    def _word(self, value: Any, what: str, most: int) -> str:
        if not isinstance(value, str) or len(value) > most:
            raise self.bad(f"{what} has to be a text of at most {most} characters")
        return value

    def _identifier(self, value: Any, what: str) -> str:
        if not isinstance(value, str) or not re.fullmatch(r"[a-z_][a-z0-9_]{0,30}", value):
            raise self.bad(f"{what} has to be the name of a system call, not {_quoted(value)}")
        return value

    def _one_of(self, value: Any, what: str, allowed: tuple[str, ...]) -> str:
        if value not in allowed:
            raise self.bad(f"{what} has to be one of {', '.join(allowed)}, not {_quoted(value)}")
        return str(value)

    def _name(self, value: Any) -> str:
        """Of a signal or of a call."""
        if isinstance(value, str) and value.startswith("SIG"):
            return self._one_of(value, "'name'", SIGNALS)
        return self._identifier(value, "'name'")

    def _hex(self, value: Any) -> str:
        try:
            return bytes.fromhex(value if isinstance(value, str) else "?").hex(" ")
        except ValueError:
            raise self.bad(f'\'hex\' has to be bytes in hexadecimal, as "00 03 61", not {_quoted(value)}') from None


def _quoted(value: Any) -> str:
    try:
        said = repr(value)
    except RecursionError:  # json.loads() goes deeper than repr() can
        return "something nested without end"
    return said if len(said) <= 40 else f"{said[:40]} …"


# -- in words ------------------------------------------------------------------------------------------------

MOST_TOLD = 8  # frames, one by one


def describe(action: Action) -> str:
    """In words; nothing for an action that only says when others meet."""
    who = f"peer {action.peer}"
    if action.do == "send":
        return f"{who} sends {_of_frames(action)}"
    words = {
        "flood": f"{who} sends {action.bytes:,} bytes in frames of {action.size:,}",
        "oversize": f"{who} announces a frame that is too long, and sends some bytes more",
        "half_close": f"{who} ends its stream (FIN)",
        "reset": f"{who} resets the connection",
        "close": f"{who} closes",
        "stop_reading": f"{who} reads no more",
        "read_again": f"{who} reads again",
        "urgent": f"{who} sends an urgent byte",
        "stall": "the server is stopped for longer than its idle-timeout, and goes on",
        "stop": "SIGTERM",
        "idle": "nobody does anything, for longer than the idle-timeout",
        "raw": f"{who} sends the bytes {action.hex if len(action.hex) < 100 else f'{action.hex[:95]} …'}",
        "undersize": f"{who} sends a number that is too small to be one",
        "wrong_check": f"{who} sends a frame of {action.size:,} bytes with a wrong check byte",
        "limit": _of_limit(action),
        "signal": action.name,
        "inject": _of_fault(action),
        "replace": "another program takes the place of the server's file",
        "new_program": "the new program ends" if action.does == "ends" else "the new program says that it listens",
    }
    return words.get(action.do, "")


def _of_limit(action: Action) -> str:
    if action.descriptors is None:
        return "the server can open as many descriptors as at first"
    return f"the server can open {action.descriptors} more descriptor{'s' * (action.descriptors != 1)}"


def _of_fault(action: Action) -> str:
    after = "" if action.times == 1 else f", then each {action.every}." if action.every > 1 else ", then each"
    most = f", {action.times} times in all" if action.times > 1 else ""
    return f"{action.call} fails with {action.error}: call {action.when} since the start{after}{most}"


def _of_frames(action: Action) -> str:
    count, same = len(action.frames), len(set(action.frames)) == 1
    sizes = ", ".join(f"{size:,}" for size in action.frames)
    if not action.frames:
        return f"what it held back, but for {action.hold} bytes" if action.hold else "what it held back"
    if count > MOST_TOLD and same:
        return f"{count} frames of {action.frames[0]:,} bytes"
    what = "a frame" if count == 1 else "frames"
    frames = f"{what} of {sizes} {'byte' if action.frames == (1,) else 'bytes'}"
    return frames + (f", but for the last {action.hold} bytes" if action.hold else "")
