"""What `loadgen --json` wrote, read again: everything that is used of it is checked first."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Optional, Union

from loadgen import histogram
from loadgen.histogram import Histogram

SCHEMA = "loadgen/1"
TIMES = ("response", "service", "lag", "censored", "censored_service")
NO_TIMES: dict[str, Any] = {"count": 0, "sum_ns": 0, "least_ns": 0, "most_ns": 0, "clamped": 0, "slots": []}
LARGEST = 2**64 - 1
LARGEST_SLOT = 2**53  # of some hundred files, the sum of a slot still fits an array of 64 bits


class Refused(Exception):
    """Why there is no sum, in one line."""


@dataclass(frozen=True)
class Part:
    """A run within a sum: when it measured, on the clock that machines share, its seed, and the digest of what its file
    holds."""

    from_ns: int
    to_ns: int
    seed: Optional[int]  # None: a sum of an older version does not say it
    sha256: str

    def is_the_run(self, other: Part) -> bool:
        """Two clients that load a server begin at the same nanosecond in tests only, and even there have two seeds."""
        times = (self.from_ns, self.to_ns) == (other.from_ns, other.to_ns)
        return self.sha256 == other.sha256 or times and (self.seed == other.seed or None in (self.seed, other.seed))


@dataclass
class Run:
    """A file: one run, or a sum of several."""

    path: str
    members: dict[str, Any]
    parts: list[Part]
    times: Optional[dict[str, Histogram]]  # None after errors: then there are no figures

    @property
    def options(self) -> dict[str, Any]:
        return self.members["options"]


def refuse(path: str, why: str) -> NoReturn:
    raise Refused(f"{path}: {why}")


def member(path: str, holder: dict[str, Any], name: str, kind: type) -> Any:
    value = holder.get(name)
    if not isinstance(value, kind):
        refuse(path, f"holds no {name}" if value is None else f"{name} in it is damaged")
    return value


def whole(path: str, holder: dict[str, Any], name: str, missing: int = 0) -> int:
    """A count; files of an older load generator lack some."""
    value = holder.get(name, missing)
    if type(value) is not int or not 0 <= value <= LARGEST:
        refuse(path, f"{name} in it is damaged: {str(value)[:40]!r} is no count")
    return value


def number(path: str, holder: dict[str, Any], name: str) -> float:
    value = holder.get(name, 0)
    if type(value) not in (int, float) or not math.isfinite(value):
        refuse(path, f"{name} in it is damaged: {str(value)[:40]!r} is no number")
    return value


def not_a_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def plain(word: str) -> Union[int, float]:
    """The same for 500, 500.0 and 5e2. Raises OverflowError for what becomes infinite."""
    value = float(word)
    return int(value) if value == int(value) else value


def digest_of(data: bytes) -> str:
    """Of what is said, not of how it is written: other indentation, order or digits make no other run of it."""
    members = json.loads(data, parse_float=plain, parse_constant=not_a_number)
    return hashlib.sha256(json.dumps(members, sort_keys=True).encode()).hexdigest()


def load(path: str) -> tuple[dict[str, Any], str]:
    """What a file holds, and the digest of that."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        refuse(path, str(error.strerror))
    try:
        members, digest = json.loads(data, parse_constant=not_a_number), digest_of(data)
    except json.JSONDecodeError as error:
        refuse(path, f"not JSON, from line {error.lineno}, column {error.colno} on")
    except (ValueError, OverflowError, RecursionError):  # not UTF-8, NaN, 1e999, or nested without end
        refuse(path, "not JSON")
    if not isinstance(members, dict) or members.get("schema") != SCHEMA:
        refuse(path, f"not of schema {SCHEMA}")
    return members, digest


def read_histogram(path: str, histograms: dict[str, Any], name: str) -> Histogram:
    value = histograms.get(name)
    damaged = f"a histogram in it is damaged: {name}"
    if not isinstance(value, dict) or not isinstance(value.get("slots"), list):
        refuse(path, damaged)
    found = Histogram(
        sum_ns=whole(path, value, "sum_ns"),
        least_ns=whole(path, value, "least_ns"),
        most_ns=whole(path, value, "most_ns"),
        clamped=whole(path, value, "clamped"),
    )
    for pair in value["slots"]:
        if not (isinstance(pair, list) and len(pair) == 2 and all(type(each) is int for each in pair)):
            refuse(path, damaged)
        slot, count = pair
        if not (0 <= slot < histogram.SLOTS and 0 <= count <= LARGEST_SLOT - found.slots[slot]):
            refuse(path, damaged)
        found.slots[slot] += count
    if sum(count for _, count in value["slots"]) != whole(path, value, "count"):
        refuse(path, damaged)
    return found


def read_times(path: str, members: dict[str, Any]) -> Optional[dict[str, Histogram]]:
    if "histograms" not in members:
        refuse(path, "holds no histograms")
    histograms = members["histograms"]
    if histograms is None:
        return None
    if not isinstance(histograms, dict):
        refuse(path, "histograms in it is damaged")
    if (histograms.get("step_bits"), histograms.get("value_bits")) != (histogram.STEP_BITS, histogram.VALUE_BITS):
        refuse(path, "its histograms have another shape")
    # An older load generator left what was never answered out of the service time.
    if "censored_service" not in histograms and not read_histogram(path, histograms, "censored").count:
        histograms = histograms | {"censored_service": NO_TIMES}
    if "censored_service" not in histograms:
        refuse(path, "its service times leave out what was never answered: made by an older loadgen")
    return {name: read_histogram(path, histograms, name) for name in TIMES}


def read_parts(path: str, members: dict[str, Any], digest: str) -> list[Part]:
    """None of a run that never measured."""
    if "parts" not in members:
        begun = whole(path, members, "started_unix_ns")
        seconds = number(path, members, "seconds")
        seed = whole(path, members["options"], "seed")
        return [Part(begun, begun + round(seconds * 1e9), seed, digest)] if begun else []
    found = []
    for part in member(path, members, "parts", list):
        if not isinstance(part, dict) or not isinstance(part.get("sha256"), str):
            refuse(path, "parts in it is damaged")
        seed = None if part.get("seed") is None else whole(path, part, "seed")
        found.append(Part(whole(path, part, "from_ns"), whole(path, part, "to_ns"), seed, part["sha256"]))
    return found


def read(path: str) -> Run:
    members, digest = load(path)
    member(path, member(path, members, "options", dict), "loop", str)
    return Run(path, members, read_parts(path, members, digest), read_times(path, members))
