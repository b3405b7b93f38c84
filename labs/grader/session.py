"""Starts a grader for each submission, in a network namespace of its own, and reads what it has put down."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.lab import Lab
from suite import locks

from grader import signals
from grader.host import HostFault
from grader.level import Level
from grader.result import FILE, BadResult, Result, load
from grader.submission import ARCHIVES

LONGEST = 3600.0  # seconds: a grader that has not ended by then never will

_cells: set[subprocess.Popen[str]] = set()  # that grade now


@dataclass(frozen=True)
class Order:
    """What to grade, and where the result goes."""

    lab: Lab
    variant: str  # {} stands for the name of the submission
    source: Path
    out: Path
    name: str

    @property
    def word(self) -> str:
        return self.variant.replace("{}", self.name)

    def not_graded(self, level: Level, fault: str = "") -> Result:
        return Result(self.lab.number, self.word, self.name, level.name, title=self.lab.title, fault=fault)


def submission_name(source: Path) -> str:
    name = source.absolute().name
    return next((name[: -len(end)] for end in ARCHIVES if name.lower().endswith(end)), name)


def run(order: Order, level: Level, progress: bool = False) -> Result:
    """The result is in order.out, too. What the grader itself prints goes to standard error."""
    if signals.came:  # meanwhile, in another thread
        raise signals.Ended(signals.came[0])
    try:
        with alone(order.out):
            (order.out / FILE).unlink(missing_ok=True)
            return _run(order, level, progress)
    except OSError as error:  # the others of the class are graded nevertheless
        return order.not_graded(level, f"{error.filename}: {error.strerror}")
    except HostFault as fault:
        return order.not_graded(level, str(fault))


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Makes it. Two graders at once would remove each other's results."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        place = locks.take(folder)
    except BlockingIOError:
        raise HostFault(f"{folder}: another grader works there") from None
    try:
        yield
    finally:
        os.close(place)


def _run(order: Order, level: Level, progress: bool) -> Result:
    command = [
        *level.network, sys.executable, "-m", "grader", "cell", *(["--progress"] if progress else []),
        "--", str(order.lab.number), order.word, str(order.source),  # a name may begin with '-'
        str(order.out), order.name, str(os.getpid()), *level.words(),
    ]  # fmt: skip
    status, lines = _cell(command)
    try:
        result = load(order.out / FILE)
    except BadResult:
        result = order.not_graded(level)
    if not result.complete and not result.fault:
        result.fault = f"the grader ended with status {status}: {lines[-1] if lines else 'it said nothing'}"
        if signals.came:
            result.fault = str(signals.Ended(signals.came[0]))
        _save(result, order.out)
    if result.fault and lines and not signals.came:
        sys.stderr.write("\n".join(lines) + "\n")
        sys.stderr.flush()
    return result


def _save(result: Result, out: Path) -> None:
    """If there is no room for it: a part of a result, which has points and no fault, is no result."""
    try:
        result.save(out)
    except OSError:
        (out / FILE).unlink(missing_ok=True)


def _cell(command: list[str]) -> tuple[int, list[str]]:
    """Its status, and what it said. When a signal ends us, end_cells() has told it to end, too, and we wait for it."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as cell:
        _cells.add(cell)
        try:
            if signals.came:
                cell.send_signal(signals.came[0])
            _, said = cell.communicate(timeout=LONGEST)
            return cell.returncode, said.strip().splitlines()
        except subprocess.TimeoutExpired:
            cell.kill()
            return 1, [f"the grader did not end within {LONGEST:.0f} s"]
        finally:
            _cells.discard(cell)


def end_cells() -> None:
    for cell in list(_cells):
        cell.send_signal(signals.came[0])


def dies_with(parent: int) -> None:
    """So that a grader of a class that is killed leaves no process: by SIGTERM, after which nothing else is left
    either. The parent may have ended already. In a container it may be process 1."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        sys.exit(1)
