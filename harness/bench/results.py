"""A result set: a directory with the rows of all runs, their settings and their machine.

    <time>-<host>/settings.json      schema, mode, seed, pinned, descriptors, started
                  fingerprint.json   the machine, the kernel, the build
                  fingerprint-<time>.json   the same from that time on: a session elsewhere, or another build
                  runs.csv           one row a run (rows.py)
                  loadgen/*.json     what the load generator said of each run
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import files
from bench import fingerprint as fingerprints
from bench import rows as table
from bench.rows import BROKEN, Row
from suite import locks

SCHEMA = "results/2"
MODES = ("quick", "full", "smoke")
ENOUGH = 20000  # descriptors a process: every point can be reached
Key = tuple[str, str, str, int]
STARTED = "%Y-%m-%dT%H:%M:%SZ"
MOMENT = "%Y%m%dT%H%M%SZ"  # as in the name of a later fingerprint: UTC
LATER = re.compile(r"fingerprint-(\d{8}T\d{6}Z)\.json$")

# Attempts at one run. A session makes a run again if the machine was disturbed, and for no other reason: whoever
# repeats runs because of their figures chooses among figures. In quick mode there are fewer, so that it ends soon on a
# noisy machine too. A smoke run proves only that everything works.
ATTEMPTS = {"quick": 2, "full": 3, "smoke": 1}


class BadResults(Exception):
    """Results that cannot be used: what, where, why, on one line."""


def hold(path: Path) -> None:
    """Keeps a result set for this process until it ends: two that add rows would make each run twice, and take each
    other's files away. Raises BadResults if another process has it. Where a file system knows no locks, nobody is
    refused; what is wrong with the path is told by whoever opens it."""
    try:
        locks.take(path)
    except BlockingIOError:
        raise BadResults(f"{path}: another process is adding runs to these results; wait until it ends") from None
    except OSError:
        return


def needs_another(attempts: list[Row], mode: str) -> bool:
    """Whether a run must be made again. `attempts`: at this run so far, in their order."""
    if not attempts:
        return True
    last = attempts[-1]
    searched = last.experiment == "E3-capacity"  # a search for a capacity repeats its own probes
    return bool(last.disturbed) and not searched and len(attempts) < ATTEMPTS[mode]


def attempts_by_key(rows: Iterable[Row]) -> dict[Key, list[Row]]:
    groups: dict[Key, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.key, []).append(row)
    return groups


@dataclass
class Results:
    path: Path
    fingerprint: dict[str, Any]
    settings: dict[str, Any]
    _rows: list[Row] = field(default_factory=list, repr=False)
    later: dict[str, dict[str, Any]] = field(default_factory=dict)  # further fingerprints, by when they begin

    @classmethod
    def create(cls, parent: Path, mode: str, seed: int, pinned: bool, descriptors: int) -> Results:
        """Makes a new directory in `parent`. `descriptors`: the limit of a process, which decides which points
        there are. The directory is filled under another name and then renamed, so that a kill leaves no
        incomplete one."""
        if mode not in MODES:
            raise BadResults(f"mode {mode!r}: it must be one of {', '.join(MODES)}")
        now = time.gmtime()
        settings = {
            "schema": SCHEMA,
            "mode": mode,
            "seed": seed,
            "pinned": pinned,
            "descriptors": descriptors,
            "started": time.strftime(STARTED, now),
        }
        fingerprint = fingerprints.collect()
        try:
            parent.mkdir(parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
            unfinished.chmod(0o755)
            (unfinished / "loadgen").mkdir()
            _write_json(unfinished / "fingerprint.json", fingerprint)
            _write_json(unfinished / "settings.json", settings)
            path = _rename(unfinished, parent / f"{time.strftime('%Y%m%d-%H%M%S', now)}-{_host()}")
        except OSError as error:
            raise BadResults(f"{parent}: no result set can be made there: {error.strerror}") from None
        return cls(path, fingerprint, settings)

    @classmethod
    def open(cls, path: Path) -> Results:
        path = Path(path)
        if not path.is_dir():
            raise BadResults(f"{path}: {'is no directory' if path.exists() else 'there is no such directory'}")
        settings = _read_json(path / "settings.json")
        if settings.get("schema") != SCHEMA:
            raise BadResults(
                f"{path / 'settings.json'}: schema {settings.get('schema')!r}, expected {SCHEMA!r}"
            )
        _check_settings(path / "settings.json", settings)
        named = [(found[1], each) for each in sorted(path.iterdir()) if (found := LATER.match(each.name))]
        later = {since: _read_fingerprint(each) for since, each in named}
        first = _read_fingerprint(path / "fingerprint.json")
        return cls(path, first, settings, _read_rows(path / "runs.csv"), later)

    @property
    def newest(self) -> dict[str, Any]:
        """The fingerprint of the last session."""
        return [self.fingerprint, *self.later.values()][-1]

    def go_on(self) -> list[str]:
        """Begins a further session. If the machine or the build is not that of the session before, the set gets
        another fingerprint. Returns what has changed, in words. Raises BadResults where the rows of both cannot be in
        one set."""
        now = fingerprints.collect()
        for name in ("system", "kqueue"):  # each server has one name in the pictures, so it must be one thing
            was = self.fingerprint.get(name)
            if was and now.get(name) not in (was, None):
                raise BadResults(f"{self.path}: {name} is {was} in these results, and {now[name]} here")
        latest = max([*self.later, *(_moment(row.started) for row in self._rows)], default="")
        if time.strftime(MOMENT, time.gmtime()) < latest:
            raise BadResults(f"{self.path}: the last session was at {latest}, which is later than the clock says here")
        changed = fingerprints.changes(self.newest, now)
        if changed:
            while (moment := time.strftime(MOMENT, time.gmtime())) == latest:
                time.sleep(0.05)  # so that no row from before seems to belong to what is new
            _write_json(self.path / f"fingerprint-{moment}.json", now)
            self.later[moment] = now
        return changed

    def origin(self, row: Row) -> str:
        """When the machine and build that made this row came in: the name of the fingerprint; of the first it is
        empty."""
        return max((since for since in self.later if since <= _moment(row.started)), default="")

    @property
    def fingerprints(self) -> dict[str, dict[str, Any]]:
        """All fingerprints, by the name that origin() gives."""
        return {"": self.fingerprint, **self.later}

    def origins(self, rows: Iterable[Row]) -> dict[str, dict[str, Any]]:
        """The fingerprints of these rows, in their order of time. Of no rows it is the first."""
        used = {self.origin(row) for row in rows} or {""}
        return {since: found for since, found in self.fingerprints.items() if since in used}

    def rows(self) -> list[Row]:
        """All attempts, in the order in which they were made."""
        return list(self._rows)

    def add(self, row: Row) -> None:
        with files.naming(self.path / "runs.csv"):
            table.append(self.path / "runs.csv", row)
        self._rows.append(row)

    def attempts(self, key: Key) -> list[Row]:
        return [row for row in self._rows if row.key == key]

    def remove(self) -> None:
        """A set that has no row, and to which none can be added, is none."""
        shutil.rmtree(self.path)

    def describe(self, name: str, value: object) -> None:
        """Adds to the fingerprint what it cannot know by itself."""
        self.fingerprint[name] = value
        _write_json(self.path / "fingerprint.json", self.fingerprint)

    def finished(self) -> set[Key]:
        """The runs that a further session need not make again. One that went wrong is made again: it may have been the
        disk, and as it has no figures, nobody chooses among figures by it."""
        groups = attempts_by_key(self._rows)
        return {
            key
            for key, attempts in groups.items()
            if attempts[-1].verdict not in BROKEN and not needs_another(attempts, self.settings["mode"])
        }

    def loadgen_json(self, row: Row, number: int = 0) -> Path:
        """The path for the load generator's JSON of a run. `number` distinguishes several loads of one run."""
        name = "_".join([row.experiment, row.server, *row.point.split()])
        suffix = f"_{number}" if number else ""
        folder = self.path / "loadgen"
        folder.mkdir(exist_ok=True)
        return folder / f"{name}_repeat={row.repeat}_attempt={row.attempt}{suffix}.json"


def _moment(started: str) -> str:
    """The start of a row, as MOMENT writes it."""
    return started.replace("-", "").replace(":", "")


def _host() -> str:
    name = re.sub(r"[^A-Za-z0-9-]", "", socket.gethostname().split(".")[0])
    return name or "host"


def _rename(source: Path, target: Path) -> Path:
    """Renames a directory to `target`, or, where that is taken, to the next free `target`-N."""
    number = 1
    while True:
        path = target if number == 1 else target.with_name(f"{target.name}-{number}")
        if not path.exists():
            source.rename(path)
            return path
        number += 1


def _write_json(path: Path, value: dict[str, Any]) -> None:
    files.replace(path, json.dumps(value, indent=2) + "\n")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadResults(f"{path}: missing; {path.parent} is no result set") from None
    except OSError as error:
        raise BadResults(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise BadResults(f"{path}: no JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadResults(f"{path}: no JSON object")
    return value


def _check_settings(path: Path, settings: dict[str, Any]) -> None:
    kinds = {"mode": str, "seed": int, "pinned": bool, "descriptors": int, "started": str}
    for name, kind in kinds.items():
        if type(settings.get(name)) is not kind:  # True is an int to isinstance()
            raise BadResults(f"{path}: {name}: {settings.get(name)!r}, expected {kind.__name__}")
    if not 1 <= settings["descriptors"] <= ENOUGH:
        raise BadResults(f"{path}: descriptors: {settings['descriptors']}, expected 1 to {ENOUGH}")
    try:
        time.strptime(settings["started"], STARTED)
    except ValueError:
        raise BadResults(
            f"{path}: started: {settings['started']!r}, expected a time such as 2026-11-26T02:08:41Z"
        ) from None
    if settings["mode"] not in MODES:
        raise BadResults(f"{path}: mode: {settings['mode']!r}, expected one of {', '.join(MODES)}")


def _read_fingerprint(path: Path) -> dict[str, Any]:
    found = _read_json(path)
    wrong = fingerprints.damaged(found)
    if wrong:
        raise BadResults(f"{path}: {wrong}")
    return found


def _read_rows(path: Path) -> list[Row]:
    """No rows if there is no file: the first run makes it."""
    if not path.exists():
        return []
    try:
        return table.read(path)
    except table.BadRows as error:
        raise BadResults(str(error)) from None
