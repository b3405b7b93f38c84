"""Adds up runs of the load generator: what one run over all of them would have given.

Reads files that `loadgen --json` or this command wrote. Counts and histograms add up; the verdict is the first by
precedence, and each reason names its file. Rates are those of the time in which at least one of the runs measured.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Optional, Union

from suite import ending
from suite.generator import STATUS

from loadgen import histogram, shown
from loadgen.histogram import Histogram
from loadgen.runs import (
    SCHEMA, TIMES, Part, Refused, Run, intervals, member, number, printable, read, refuse, seconds_of, whole,
)  # fmt: skip

# What must be equal, or the sum is of nothing that exists: all that changes a figure or a verdict.
ALIKE = (
    # Where the load goes, and what it is.
    "target", "tls", "connections", "active", "placement", "idle", "payload", "pipeline", "rate", "arrivals", "churn",
    "fragment",
    "close",  # a reset costs the server less than an end in the normal way, in each replacement
    "warmup",  # how warm the server is, and from which replies the verdict says that it is steady
    "drain",  # which requests are never answered
    "timeout",  # which replies are errors
    "connect_timeout",  # which replacements are errors
    "threads", "spin_us",  # how late requests are sent
    "max_outstanding",  # when a run ends as OVERLOADED
    "limits",  # all other verdicts
)  # fmt: skip
# Runs at the same time have these each for itself: with one seed they would send the same, CPUs, addresses and
# a ceiling are those of a machine. Of runs one after the other they must be equal: another seed makes another load.
OWN = ("seed", "pin", "source", "ports_per_source", "ceiling")
# What may differ, because no figure and no verdict follows from it alone.
FREE = (
    "command", "host", "port",  # what came of them counts: each other option, and the target
    "loop",  # two of them are refused, whatever is forced
    "tls_ca", "connects",  # only how connections come about, before the time is measured
    "duration",  # times and counts add up
    "server_pid",  # a server that was started again has another. Other machines than the server's cannot have any
    "json", "hgrm", "csv", "quiet",
)  # fmt: skip
NAMES = {"target": "server", "connections": "number of connections", "arrivals": "kind of arrivals"}

# Of what a verdict is made from, these add up; of the others the largest counts.
SUMS = (
    "errors", "offered", "achieved", "unanswered", "quarter_before", "quarter_after", "listen_overflows",
    "listen_drops", "retransmits",
)  # fmt: skip
CLIENT = ("cpu_ns", "user_ns", "system_ns", "spun_ns", "waited_ns", "switches", "wall_ns")
SERVER = ("cpu_ns", "user_ns", "system_ns", "switches")


@dataclass(frozen=True)
class Sum:
    """All that is known of the runs together."""

    members: dict[str, Any]  # what stands in the JSON, but for percentiles and histograms
    times: dict[str, Histogram]
    apart: int  # how many stretches of time there are in which at least one of the runs measured

    @property
    def open_loop(self) -> bool:
        return self.members["options"]["loop"] == "open"

    @property
    def has_figures(self) -> bool:
        return self.apart > 0 and not any(self.members["errors"].values())


def overlap(one: Part, other: Part) -> bool:
    return one.from_ns < other.to_ns and other.from_ns < one.to_ns


def alone(run: Run, runs: Sequence[Run]) -> bool:
    """No run was made at the same time, nor is it a sum of such runs."""
    parts = [part for each in runs for part in each.parts]
    return not any(overlap(one, other) for one in run.parts for other in parts if one is not other)


def differences(run: Run, runs: Sequence[Run]) -> list[str]:
    """What the run was asked for and the first was not. An older load generator does not say all of it."""
    found = []
    for name in (*ALIKE, *OWN) if alone(run, runs) else ALIKE:
        one, first = (each.options.get(name, "not said") for each in (run, runs[0]))
        if name == "limits" and isinstance(one, dict) and isinstance(first, dict):
            unlike = [limit for limit in {**first, **one} if one.get(limit) != first.get(limit)]
            found += [f"another limit {limit} ({one.get(limit)}, not {first.get(limit)})" for limit in unlike]
        elif one != first:
            found.append(f"another {NAMES.get(name, name)} ({one}, not {first})")
    return found


def same_load(part: Part, other: Part) -> bool:
    """Two clients with one seed at the same time: both send the same, at the same moments."""
    return part.seed == other.seed and part.seed is not None and overlap(part, other)


def check(runs: Sequence[Run], force: bool) -> list[dict[str, str]]:
    """Refuses what does not add up, or returns what was forced, as remarks."""
    remarks = []
    seen: list[tuple[Part, str]] = []
    for run in runs:
        if run.options["loop"] != runs[0].options["loop"]:
            refuse(run.path, "open loop and closed loop do not add up")
        pairs = [(part, other, path) for part in run.parts for other, path in seen]
        seen += [(part, run.path) for part in run.parts]
        twice = [f"the same run as in {path}" for part, other, path in pairs if part.is_the_run(other)]
        same = [f"the same seed as in {path}, at the same time" for one, other, path in pairs if same_load(one, other)]
        unlike = differences(run, runs)
        found = twice[:1] or same[:1] + ([f"unlike {runs[0].path}: {', '.join(unlike)}"] if unlike else [])
        if found and not force:
            refuse(run.path, f"{'; '.join(found)}; --force merges it all the same")
        if found:
            remarks.append({"verdict": "VALID", "text": f"{run.path}: forced: {'; '.join(found)}"})
    return remarks


def parts_of(runs: Sequence[Run], name: str) -> list[tuple[str, dict[str, Any]]]:
    """The member of that name of each run, with the run's path."""
    return [(run.path, member(run.path, run.members, name, dict)) for run in runs]


def add_counts(runs: Sequence[Run], name: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for path, counts in parts_of(runs, name):
        for key in counts:
            found[key] = found.get(key, 0) + whole(path, counts, key)
    return found


def add_examples(runs: Sequence[Run]) -> dict[str, str]:
    """Of each kind of error the first."""
    found: dict[str, str] = {}
    for path, examples in parts_of(runs, "error_examples"):
        for kind in examples:
            found.setdefault(kind, printable(member(path, examples, kind, str)))
    return found


def add_basis(runs: Sequence[Run]) -> dict[str, float]:
    found: dict[str, float] = {}
    for path, basis in parts_of(runs, "verdict_basis"):
        for key in basis:
            value = number(path, basis, key, -1)
            found[key] = found.get(key, 0) + value if key in SUMS else max(found.get(key, 0), value)
    return found


def add_client(runs: Sequence[Run]) -> dict[str, int]:
    clients = parts_of(runs, "client")
    found = {name: sum(whole(path, client, name) for path, client in clients) for name in CLIENT}
    return found | {"most_resident_bytes": max(whole(path, each, "most_resident_bytes") for path, each in clients)}


def add_server(runs: Sequence[Run]) -> Optional[dict[str, Any]]:
    """Of the runs that saw the server's process; its size is that of the last one."""
    for run in runs:
        if "server" not in run.members:
            refuse(run.path, "holds no server")
    seen = parts_of([run for run in runs if run.members["server"] is not None], "server")
    if not seen:
        return None
    found: dict[str, Any] = {name: sum(whole(path, server, name) for path, server in seen) for name in SERVER}
    return found | {"resident_bytes": whole(*seen[-1], "resident_bytes"), "bytes_a_connection": -1.0}


def add_witness(runs: Sequence[Run], basis: dict[str, float]) -> dict[str, Any]:
    seen = parts_of(runs, "witness")
    return {
        "privileged": all(member(path, each, "privileged", bool) for path, each in seen),
        "looks": sum(number(path, each, "looks") for path, each in seen),
        "lost_percent": basis.get("witness", 0),
        "most_ns": basis.get("witness_most", 0),
    }


def reasons_of(run: Run) -> list[dict[str, str]]:
    found = []
    for reason in member(run.path, run.members, "reasons", list):
        if not isinstance(reason, dict) or reason.get("verdict") not in list(STATUS):  # it may be a list or the like
            refuse(run.path, "reasons in it is damaged")
        text = member(run.path, reason, "text", str)
        found.append({"verdict": reason["verdict"], "text": f"{run.path}: {printable(text)}"})
    if run.members.get("verdict") != verdict_of(found):
        refuse(run.path, "verdict in it is damaged: its reasons give another")
    return found


def verdict_of(reasons: Sequence[dict[str, str]]) -> str:
    """The first by precedence, which is the order of STATUS, but VALID gives way to all."""
    found = {reason["verdict"] for reason in reasons}
    return next((name for name in STATUS if name != "VALID" and name in found), "VALID")


def add_times(runs: Sequence[Run]) -> dict[str, Histogram]:
    times = {name: Histogram() for name in TIMES}
    for run in runs:
        if run.times is not None:
            times = {name: times[name] + run.times[name] for name in TIMES}
    return times


def add_partial(runs: Sequence[Run]) -> dict[str, Any]:
    """Whether a run was ended early. A sum is partial if a part of it is."""
    partial = [run for run in runs if run.members["partial"]]
    reasons = [f"{run.path}: {printable(run.members['partial_reason'])}" for run in partial]
    return {"partial": bool(partial)} | ({"partial_reason": "; ".join(reasons)} if partial else {})


def rate(count: int, seconds: float) -> float:
    return round(count / seconds, 6) if seconds > 0 else 0.0


def add(runs: Sequence[Run], force: bool = False) -> Sum:
    """Raises Refused. What cannot be added up, such as the options, is that of the first."""
    remarks = check(runs, force)
    first, times, parts = runs[0], add_times(runs), [part for run in runs for part in run.parts]
    reasons = [reason for run in runs for reason in reasons_of(run)] + remarks
    apart, seconds = intervals(parts), seconds_of(parts)
    counts, basis = add_counts(runs, "counts"), add_basis(runs)
    basis |= {
        "seconds": seconds,
        "mean_service": histogram.timing(times, "service").joint.mean_ns,
        "response_p99": histogram.percentile(times["response"], times["censored"], 99000).ns,
        "lag_p99": histogram.percentile(times["lag"], None, 99000).ns,
    }
    members = {
        "schema": SCHEMA,
        "verdict": verdict_of(reasons),
        "exit_status": STATUS[verdict_of(reasons)],
        "reasons": reasons,
        "options": first.options,
        "environment": first.members.get("environment"),
        **add_partial(runs),
        "runs": sum(whole(run.path, run.members, "runs", 1) for run in runs),
        "in_turn": len(apart) == len(parts),
        "parts": [vars(part) for part in parts],
        "schedule_hash": first.members.get("schedule_hash"),
        "started_unix_ns": min((part.from_ns for part in parts), default=0),
        "setup_seconds": max(number(run.path, run.members, "setup_seconds") for run in runs),
        "seconds": seconds,
        "offered": rate(counts.get("issued", 0), seconds),
        "achieved": rate(counts.get("achieved", 0), seconds),
        "counts": counts,
        "errors": add_counts(runs, "errors"),
        "error_examples": add_examples(runs),
        "verdict_basis": basis,
        "client": add_client(runs),
        "server": add_server(runs),
        "machine": None,
        "witness": add_witness(runs, basis),
        "timeline": None,  # the runs of a sum have no time in common
    }
    return Sum(members, times, len(apart))


# -- the command ---------------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    """One line for bad usage, as all programs of the project have it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see --help\n")


Place = Union[tuple[int, int], str, None]
Made = Callable[[Sum], str]
STANDARD_OUTPUT = 1


def wanted(arguments: argparse.Namespace) -> list[tuple[str, Made]]:
    """What is written, and where."""
    found: list[tuple[str, Made]] = [(path, make) for path, make in (
        (arguments.json, shown.as_json), (arguments.hgrm, shown.as_hgrm), (arguments.csv, shown.as_csv),
    ) if path is not None]  # fmt: skip
    if not arguments.quiet and all(path != "-" for path, _ in found):
        found.insert(0, ("-", shown.as_table))
    return found


def name_of(path: str) -> str:
    return "standard output" if path == "-" else printable(path)


def place_of(path: Union[str, int]) -> Place:
    """Equal for two paths to one file, by whatever links; a number is a descriptor. None for what keeps nothing: many
    may write there."""
    try:
        found, null = os.stat(path), os.stat(os.devnull)
    except (OSError, ValueError):
        return os.path.realpath(path) if isinstance(path, str) else None
    return None if os.path.samestat(found, null) else (found.st_dev, found.st_ino)


def refuse_clashes(parser: Parser, arguments: argparse.Namespace) -> None:
    """Two formats in one file would overwrite each other, and an input that is written is lost."""
    inputs = {place_of(path) for path in arguments.files if os.path.isfile(path)}
    seen: dict[Place, str] = {}
    for path, _ in wanted(arguments):
        place = place_of(STANDARD_OUTPUT) or "-" if path == "-" else place_of(path)
        if place is None:
            continue
        if place in seen:
            also = "" if path == seen[place] else f", which is {name_of(seen[place])} too"
            parser.error(f"{name_of(path)}: two formats cannot go there{also}")
        if place in inputs:
            parser.error(f"{name_of(path)}: it is one of the files to read")
        seen[place] = path


def parse_arguments(words: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = Parser(
        prog="merge",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit status: the verdict's, as of loadgen; 1 when the files do not add up, 2 for a bad option.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="made by loadgen --json, or by this command")
    parser.add_argument("--json", metavar="PATH", help="everything, as loadgen has it; - for standard output")
    parser.add_argument("--hgrm", metavar="PATH", help="percentiles as HdrHistogram's plotters read them")
    parser.add_argument("--csv", metavar="PATH", help="percentiles as columns")
    parser.add_argument("--quiet", action="store_true", help="no table")
    parser.add_argument(
        "--force", action="store_true", help="merge unlike runs too, or a run twice; the output says which"
    )
    arguments = parser.parse_args(words)
    refuse_clashes(parser, arguments)
    return arguments


def keeps_what_is_written(path: str) -> bool:
    """A regular file, or none yet. Of a file that is open without a name the path leads elsewhere."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return True
    target = os.path.realpath(path)
    return stat.S_ISREG(found.st_mode) and os.path.exists(target) and os.path.samestat(found, os.stat(target))


def mode_of(target: str) -> int:
    """That of the file, or of a new one. Raises OSError if the file cannot be written."""
    if os.path.basename(target) in ("", ".", ".."):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if os.path.exists(target):
        with open(target, "r+b") as stream:
            return stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def replace(path: str, data: bytes) -> None:
    """Whole, or not at all: a full disk leaves the old file as it was."""
    mode = mode_of(path)
    target = os.path.realpath(path)  # a link stays a link
    descriptor, beside = tempfile.mkstemp(prefix=".merge-", dir=os.path.dirname(target))
    try:
        with open(descriptor, "wb") as stream:
            stream.write(data)
        os.chmod(beside, mode)
        os.replace(beside, target)
    except BaseException:
        os.unlink(beside)
        raise


def write_standard(text: str) -> None:
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        ending.drop_output()
        raise


def write(path: str, text: str) -> None:
    """Raises OSError with the name of what could not be written."""
    data = text.encode("utf-8", "backslashreplace")
    try:
        if path == "-":
            write_standard(text)
        elif keeps_what_is_written(path) and place_of(path) != place_of(STANDARD_OUTPUT):
            replace(path, data)
        else:  # another file in its place would not be the one that the shell opened
            Path(path).write_bytes(data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, name_of(path)) from None


def main(words: Optional[Sequence[str]] = None) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path, or an encoding such as ASCII, costs no output
    arguments = parse_arguments(words)
    try:
        found = add([read(path) for path in arguments.files], arguments.force)
    except Refused as refused:
        print(f"merge: {refused}", file=sys.stderr)
        return 1
    status = found.members["exit_status"]
    for path, make in wanted(arguments):  # one that cannot be written costs no other
        try:
            write(path, make(found))
        except OSError as error:
            print(f"merge: write {error.filename}: {error.strerror}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    ending.run(main, "merge")
