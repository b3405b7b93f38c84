"""runs.csv: one row for each run, the only thing that charts, verdicts and comparisons read."""

from __future__ import annotations

import csv
import io
import math
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import BinaryIO, Optional

SCHEMA = "runs/3"  # changes when a reader of the old one would misunderstand the new one


class BadRows(Exception):
    """A file of rows that cannot be used: what, where, why."""


@dataclass
class Row:
    """One line of the file. docs/experiments.md has the same list for readers of the file."""

    # Which run
    experiment: str  # such as E2 or E4-wait
    server: str  # also for a bare system call: poll_srv stands for poll. In E5 also a policy
    point: str  # what is varied, as pairs of name=value with a blank between, such as idle=8000 active=8
    repeat: int  # from 1
    attempt: int  # from 1; a run is made again if the machine was disturbed, and its last attempt counts
    seed: int  # of this run's load: the same for every server at one point and repeat
    # What became of it
    verdict: str  # VALID, another verdict of the load generator, or FAILED: no figures
    reasons: str = ""  # why it is not VALID
    disturbed: str = ""  # what disturbed the machine meanwhile: steal, stalls of the witness, sockets of others
    schedule_hash: str = ""  # of the load; rows with different hashes had different loads
    started: str = ""  # UTC, ISO 8601
    seconds: float = 0.0  # of the whole run with its set-up
    # Nanoseconds a system call of a fixed loop on the server's core, just before and after: how fast the machine was
    yardstick_before: Optional[float] = None
    yardstick_after: Optional[float] = None
    # Figures of this run; None where it does not measure them. Times are in microseconds
    throughput: Optional[float] = None  # replies a second
    offered: Optional[float] = None  # requests a second that the open loop asked for
    capacity: Optional[float] = None  # highest rate with the p99 of response under the limit, requests a second
    service_p50: Optional[float] = None  # from sending to the reply
    service_p99: Optional[float] = None
    service_p999: Optional[float] = None
    response_p50: Optional[float] = None  # from when a request was due to its reply
    response_p99: Optional[float] = None
    response_p999: Optional[float] = None
    lag_p99: Optional[float] = None  # from when a request was due to its sending: the client's own lateness
    server_cpu: Optional[float] = None  # CPU time of the server a message
    client_cpu: Optional[float] = None  # CPU time of the load generator a message
    calls: Optional[float] = None  # system calls of the server a message: waits, reads, writes, changes of interest
    waits: Optional[float] = None  # waits for readiness a message; they are among the calls
    events: Optional[float] = None  # events a wait
    scanned: Optional[float] = None  # descriptors that the kernel looked at for readiness a message
    event_cpu: Optional[float] = None  # CPU time of the server an event
    faults: Optional[float] = None  # page faults of the server a message
    wait: Optional[float] = None  # one call that waits for readiness, alone
    cycle: Optional[float] = None  # the call, the scan for ready descriptors and the reading of all of them
    chain: Optional[float] = None  # the whole run of libevent's chain
    server_bytes: Optional[float] = None  # memory of the server's process a connection
    kernel_bytes: Optional[float] = None  # memory of the kernel a connection: both ends and all buffers
    connects: Optional[float] = None  # connections made, served and ended a second
    accepts: Optional[float] = None  # connections accepted each time before accept(2) found nobody left in the queue
    switches: Optional[float] = None  # voluntary context switches of all workers an accepted connection
    would_block: Optional[float] = None  # calls of accept(2) that found nobody, an accepted connection
    most_share: Optional[float] = None  # part of the connections that the busiest worker accepted
    waited: Optional[float] = None  # part of the connections that no worker took while one was idle
    segments: Optional[float] = None  # TCP segments with data a frame
    delay: Optional[float] = None  # part of the messages whose answer took 20 ms or longer
    copied: Optional[float] = None  # how often each byte was copied
    calls_mib: Optional[float] = None  # system calls a MiB that was passed on
    instructions: Optional[float] = None  # of the processor, in kernel and program: for a wait, or for a whole cycle
    register: Optional[float] = None  # one epoll_ctl(2) that adds a descriptor
    objects: Optional[float] = None  # kernel objects a connection (E8), or epoll's own a watched descriptor (E15);
    # if there is none, kernel_bytes is the growth of the whole machine's slab
    lost: Optional[float] = None  # connections that a restart of the server has cost
    ring_bytes: Optional[float] = None  # of kernel_bytes, what io_uring keeps for a receive that is armed

    @property
    def key(self) -> tuple[str, str, str, int]:
        return (self.experiment, self.server, self.point, self.repeat)


COLUMNS = ("schema", *(each.name for each in fields(Row)))
# Something went wrong in such a run, and it has no figures; other runs that are not VALID have them.
BROKEN = ("ERRORS", "FAILED")
VERDICTS = ("VALID", "NOISY_HOST", "CLIENT_BOUND", "UNSTABLE", "OVERLOADED", *BROKEN)
WHOLE = {"repeat": 1, "attempt": 1, "seed": 0}  # the least of each
SIGNED = ("server_bytes", "kernel_bytes", "ring_bytes", "objects")  # differences of what is in use
FIGURES = COLUMNS[COLUMNS.index("yardstick_before") :]


def factors(point: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in point.split()]
    if not all(name and sign for name, sign, _ in pairs):
        raise ValueError(f"point {point!r}: not pairs of name=value")
    return {name: value for name, _, value in pairs}


def point(**values: object) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())


def append(path: Path, row: Row) -> None:
    """Adds a row. It is on the disk when this returns, so that a kill does not lose it. If an earlier kill has cut the
    last line short, that line is dropped."""
    values = {each.name: getattr(row, each.name) for each in fields(row)}
    text = io.StringIO()
    with path.open("ab+") as file:
        size = _drop_cut_line(file)
    _widen(path)
    with path.open("ab+") as file:
        file.seek(0)
        columns = file.readline().decode().rstrip("\n").split(",") if size else COLUMNS
        writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
        if size == 0:
            writer.writeheader()
        writer.writerow({"schema": SCHEMA} | {k: _text(v) for k, v in values.items()})
        file.write(text.getvalue().encode())
        file.flush()
        os.fsync(file.fileno())


def _drop_cut_line(file: BinaryIO) -> int:
    """Truncates the file to its whole lines and returns its size then."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return 0
    file.seek(size - 1)
    if file.read(1) == b"\n":
        return size
    file.seek(0)
    return file.truncate(file.read().rfind(b"\n") + 1)


def _widen(path: Path) -> None:
    """Gives an older file the columns that it lacks, or a new row's figures would have no place in it. A kill leaves
    the whole new file or the old one."""
    expected = ",".join(COLUMNS)
    with path.open(encoding="utf-8", newline="") as file:
        header = file.readline().rstrip("\n")
        if not expected.startswith(f"{header},"):
            return
        lines = file.read().split("\n")[:-1]
    missing = "," * (expected.count(",") - header.count(","))
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text("\n".join((expected, *(line + missing for line in lines), "")), encoding="utf-8")
    os.replace(unfinished, path)


def _text(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, str):  # A row is one line: a row without a line end was cut by a kill.
        return " ".join("".join(c if c.isprintable() else " " for c in value).split())
    if isinstance(value, float) and not math.isfinite(value):
        raise BadRows(f"{value} is no figure: a row with it could not be read again")
    return f"{value:.6g}" if isinstance(value, float) else value


def read(path: Path) -> list[Row]:
    """All rows, in the order of the file. A last line that a kill has cut short is left out. An older file may lack the
    last columns: nothing has measured them. Raises BadRows if anything else is wrong."""
    try:
        data = path.read_bytes()
        header, *lines = data[: data.rfind(b"\n") + 1].decode().split("\n")[:-1] or [""]
    except OSError as error:
        raise BadRows(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadRows(f"{path}: no text in UTF-8") from None
    expected = ",".join(COLUMNS)
    if header == "" and expected.encode().startswith(data):
        return []  # killed before the first row
    if not f"{expected},".startswith(f"{header},"):
        raise BadRows(f"{path}: line 1: the columns are not those of {SCHEMA!r}")
    columns = tuple(header.split(","))
    found = [_row(path, number, line, columns) for number, line in enumerate(lines, start=2)]
    _check_attempts(path, found)
    return found


def _check_attempts(path: Path, found: list[Row]) -> None:
    """A run is there once for each attempt: a row that was copied would look like another attempt."""
    seen: dict[tuple[tuple[str, str, str, int], int], int] = {}
    for line, row in enumerate(found, start=2):
        other = seen.setdefault((row.key, row.attempt), line)
        if other != line:
            raise BadRows(f"{path}: line {line}: attempt {row.attempt} at a run that line {other} has already")


def _row(path: Path, number: int, line: str, columns: tuple[str, ...]) -> Row:
    try:
        cells: list[str] = next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise BadRows(f"{path}: line {number}: {error}") from None
    if len(cells) != len(columns):
        raise BadRows(f"{path}: line {number}: {len(cells)} columns, expected {len(columns)}")
    texts = dict.fromkeys(COLUMNS, "") | dict(zip(columns, cells))
    schema = texts.pop("schema")
    if schema != SCHEMA:
        raise BadRows(f"{path}: line {number}: schema {schema!r}, expected {SCHEMA!r}")
    try:
        values: dict[str, object] = dict(texts)
        values |= {name: _whole(name, texts[name], least) for name, least in WHOLE.items()}
        values["seconds"] = _number("seconds", texts["seconds"])
        values |= {name: _number(name, texts[name]) if texts[name] else None for name in FIGURES}
        if texts["verdict"] not in VERDICTS:
            raise ValueError(f"verdict: {texts['verdict']!r}, expected one of {', '.join(VERDICTS)}")
        factors(texts["point"])
        return Row(**values)  # type: ignore[arg-type]
    except ValueError as error:
        raise BadRows(f"{path}: line {number}: {error}") from None


def _number(name: str, text: str) -> float:
    """Of nothing that is measured there is less than none, but for what memory a run gave back."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name}: {text!r} is no finite number")
    if number < 0 and name not in SIGNED:
        raise ValueError(f"{name}: {text} is below 0")
    return number


def _whole(name: str, text: str, least: int) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise ValueError(f"{name}: {text!r}, expected a whole number from {least} on")
    return int(text)


def final(rows: list[Row]) -> list[Row]:
    """The last attempt at each run."""
    last: dict[tuple[str, str, str, int], Row] = {}
    for row in rows:
        last[row.key] = row
    return list(last.values())
