"""What `loadgen --json` wrote, read again: everything that is used of it is checked first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Optional

from loadgen import histogram
from loadgen.histogram import Histogram

SCHEMA = "loadgen/1"
TIMES = ("response", "service", "lag", "censored", "censored_service")
# What every file has. Others may come with a newer load generator.
COUNTS = (
    "established", "issued", "answered", "unanswered", "achieved", "bytes_out", "bytes_in", "sends", "receives",
    "waits", "full_waits", "blocked_sends", "reconnects", "trickled",
)  # fmt: skip
ERRORS = (
    "corrupted", "reordered", "lost", "duplicated", "crossed", "late", "closed", "reset", "refused", "unproven",
    "failed",
)  # fmt: skip
BASIS = (
    "open_loop", "errors", "offered", "achieved", "seconds", "outstanding", "mean_service", "response_p99", "lag_p99",
    "unanswered", "oldest_unanswered", "capped", "interrupted", "busy", "batches", "preempted", "ceiling",
    "quarter_before", "quarter_after", "silence", "steal", "witness", "witness_most", "listen_overflows",
    "listen_drops", "retransmits", "churn",
)  # fmt: skip
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


def escaped(each: str) -> str:
    """Python has a byte of a path that is no UTF-8 as a character from U+DC80 on."""
    byte = ord(each) - 0xDC00
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else ascii(each)[1:-1]


def printable(text: str) -> str:
    """On one line, and in UTF-8: a path may hold line feeds, and bytes that are no UTF-8."""
    return "".join(each if each.isprintable() else escaped(each) for each in text)


def refuse(path: str, why: str) -> NoReturn:
    raise Refused(f"{printable(path)}: {why}")


def member(path: str, holder: dict[str, Any], name: str, kind: type) -> Any:
    value = holder.get(name)
    if not isinstance(value, kind):
        refuse(path, f"holds no {name}" if value is None else f"{name} in it is damaged")
    return value


def whole(path: str, holder: dict[str, Any], name: str, missing: Optional[int] = None) -> int:
    """A count. What an older load generator did not write has a value for it."""
    value = holder.get(name, missing)
    if value is None and name not in holder:
        refuse(path, f"holds no {name}")
    if type(value) is not int or not 0 <= value <= LARGEST:
        refuse(path, f"{name} in it is damaged: {str(value)[:40]!r} is no count")
    return value


def number(path: str, holder: dict[str, Any], name: str, least: int = 0) -> float:
    value = holder.get(name)
    if name not in holder:
        refuse(path, f"holds no {name}")
    if type(value) not in (int, float) or not least <= value <= LARGEST:
        refuse(path, f"{name} in it is damaged: {str(value)[:40]!r} is no number that it can be")
    return value


def not_a_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def plain(value: Any) -> Any:
    """The same for 500, 500.0 and 5e2. Raises OverflowError for what is infinite."""
    if isinstance(value, float):
        return int(value) if value == int(value) else value
    if isinstance(value, list):
        return [plain(each) for each in value]
    return {name: plain(each) for name, each in value.items()} if isinstance(value, dict) else value


def digest_of(members: Any) -> str:
    """Of what is said, not of how it is written: other indentation, order or digits make no other run of it."""
    return hashlib.sha256(json.dumps(plain(members), sort_keys=True).encode()).hexdigest()


def load(path: str) -> tuple[dict[str, Any], str]:
    """What a file holds, and the digest of that."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        refuse(path, str(error.strerror))
    try:
        members = json.loads(data, parse_constant=not_a_number)
        digest = digest_of(members)
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
    total = sum(count for _, count in value["slots"])
    if total != whole(path, value, "count") or total > LARGEST_SLOT:
        refuse(path, damaged)
    wrong = found.contradiction()
    if wrong is not None:
        refuse(path, f"{damaged}: {wrong}")
    return found


def read_times(path: str, members: dict[str, Any], measured: bool) -> Optional[dict[str, Histogram]]:
    if "histograms" not in members:
        refuse(path, "holds no histograms")
    histograms, errors = members["histograms"], any(members["errors"].values())
    if (histograms is None) == (measured and not errors):
        refuse(path, "histograms in it is damaged: a run has them if it measured, and had no errors")
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


def intervals(parts: Sequence[Part]) -> list[tuple[int, int]]:
    """When at least one of the runs measured; none of these overlaps another."""
    found: list[tuple[int, int]] = []
    for part in sorted(parts, key=lambda each: each.from_ns):
        if found and part.from_ns < found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], part.to_ns)
        else:
            found.append((part.from_ns, part.to_ns))
    return found


def seconds_of(parts: Sequence[Part]) -> float:
    return sum(end - begin for begin, end in intervals(parts)) / 1e9


def read_parts(path: str, members: dict[str, Any], digest: str) -> list[Part]:
    """None of a run that never measured."""
    begun, seed = whole(path, members, "started_unix_ns"), whole(path, members["options"], "seed")
    length = round(number(path, members, "seconds") * 1e9)
    if "parts" not in members:
        return [Part(begun, begun + length, seed, digest)] if begun else []
    found = []
    for part in member(path, members, "parts", list):
        if not isinstance(part, dict) or not isinstance(part.get("sha256"), str):
            refuse(path, "parts in it is damaged")
        each = None if part.get("seed") is None else whole(path, part, "seed")
        found.append(Part(whole(path, part, "from_ns"), whole(path, part, "to_ns"), each, part["sha256"]))
        if found[-1].to_ns < found[-1].from_ns:
            refuse(path, "parts in it is damaged: one ends before it begins")
    return found


def check_numbers(path: str, members: dict[str, Any]) -> None:
    """All that is added up is there, and can be what it is."""
    for name, known in (("counts", COUNTS), ("errors", ERRORS)):
        holder = member(path, members, name, dict)
        for each in {*known, *holder}:
            whole(path, holder, each)
    basis = member(path, members, "verdict_basis", dict)
    for each in {*BASIS, *basis}:
        number(path, basis, each, -1 if each == "steal" else 0)  # -1: not known
    if type(members.get("partial")) is not bool:
        refuse(path, "partial in it is damaged" if "partial" in members else "holds no partial")
    if members["partial"]:
        member(path, members, "partial_reason", str)


def check_times(path: str, members: dict[str, Any], parts: Sequence[Part]) -> None:
    runs = whole(path, members, "runs", None if "parts" in members else 1)
    if runs < len(parts) or ("parts" not in members and runs != 1):
        refuse(path, f"runs in it is damaged: {runs}, with {len(parts)} parts")
    if abs(seconds_of(parts) - members["seconds"]) > 1e-6:
        refuse(path, f"seconds in it is damaged: {members['seconds']}, but it measured for {seconds_of(parts)}")
    if members["started_unix_ns"] != min((part.from_ns for part in parts), default=0):
        refuse(path, "started_unix_ns in it is damaged: no part of it begins then")


def check_twice(path: str, members: dict[str, Any]) -> None:
    """What stands in a file twice is equal, or one of the two is damaged."""
    basis, counts = members["verdict_basis"], members["counts"]
    again = {
        "seconds": members["seconds"], "offered": counts["issued"], "achieved": counts["achieved"],
        "unanswered": counts["unanswered"], "errors": sum(members["errors"].values()),
    }  # fmt: skip
    if members["seconds"]:
        again["open_loop"] = int(members["options"]["loop"] == "open")
    for name, value in again.items():
        if abs(basis[name] - value) > 1e-6:
            refuse(path, f"{name} in it is damaged: {value}, but {basis[name]} in verdict_basis")


def read(path: str) -> Run:
    members, digest = load(path)
    loop = member(path, member(path, members, "options", dict), "loop", str)
    if loop not in ("open", "closed"):
        refuse(path, f"loop in it is damaged: {loop[:40]!r}")
    check_numbers(path, members)
    parts = read_parts(path, members, digest)
    check_times(path, members, parts)
    check_twice(path, members)
    times = read_times(path, members, bool(parts))
    if times is not None and "parts" not in members and times["response"].count != members["counts"]["answered"]:
        refuse(path, "answered in it is damaged: the histograms hold another number of requests")
    return Run(printable(path), members, parts, times)
