"""How each program of this package ends: what it cannot do is said in one line, without a traceback."""

from __future__ import annotations

import argparse
import io
import math
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from suite import ending

from bench.results import BadResults
from bench.rows import BadRows

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

A_DAY = 86400.0  # seconds
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupted_by_signals() -> None:
    """SIGTERM and SIGHUP end the program as Ctrl-C does: what it has started and made ends with it. A signal that was
    ignored when the program was started stays ignored."""
    for number in ENDING[1:]:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    sys.unraisablehook = _send_again


def _send_again(dropped: UnraisableHookArgs) -> None:
    """Python drops an exception that is raised in a finalizer, or in what modules have it do around fork(2). An
    interrupt that came just then comes once more."""
    if not isinstance(dropped.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
        return
    ends = [each for each in ENDING if signal.getsignal(each) is signal.default_int_handler]
    threading.Timer(0.05, os.kill, (os.getpid(), ends[0])).start()


def seconds(text: str) -> float:
    """The value of an option: a time that a program can wait."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= A_DAY:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0, and a day at most")
    return value


def failed(error: OSError, hint: str = "") -> int:
    """Says what an error of the system has ended, and how to go on. Returns the exit status."""
    if error.filename == ending.STANDARD_OUTPUT:
        ending.drop_output()
    what = f"{error.filename or 'writing results'}: {error.strerror}"
    if ending.is_unread(error):
        if not hint:  # nothing was to be done but to print
            return 0
        what = "nobody reads the output any more"
    print(f"bench: {what}{f'; {hint}' if hint else ''}", file=sys.stderr)
    return 1


def interrupted(hint: str = "") -> int:
    """Says so, and how to go on. Returns the exit status."""
    print(f"interrupted{f'; {hint}' if hint else ''}", file=sys.stderr)
    return 130


def resumable(step: Callable[[], int], hint: Callable[[], str]) -> int:
    """What `step` returns; or says what has ended it, and how to go on."""
    try:
        return step()
    except KeyboardInterrupt:
        return interrupted(hint())
    except OSError as error:
        return failed(error, hint())


def status_of(step: Callable[[], int]) -> int:
    """What `step` returns, or 1 and one line on standard error when it cannot be done."""
    try:
        return ending.status_of(step)
    except (BadResults, BadRows) as error:
        print(f"bench: {error}", file=sys.stderr)
    except OSError as error:
        return failed(error)
    return 1


def run(main: Callable[[], int]) -> NoReturn:
    """Calls `main` and exits with its status. What it prints is UTF-8, also where the locale has no µ."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
    ending.name_output()
    try:
        raise SystemExit(status_of(main))
    except KeyboardInterrupt:
        raise SystemExit(interrupted()) from None
