"""How each program of this package ends: what it cannot do is said in one line, without a traceback."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from bench.results import BadResults
from bench.rows import BadRows


def interrupted_by_signals() -> None:
    """SIGTERM and SIGHUP end the program as Ctrl-C does: what it has started and made ends with it. A signal that was
    ignored when the program was started stays ignored."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def status_of(step: Callable[[], int]) -> int:
    """What `step` returns, or 1 and one line on standard error when it cannot be done."""
    try:
        status = step()
        sys.stdout.flush()
        return status
    except (BadResults, BadRows) as error:
        print(f"bench: {error}", file=sys.stderr)
    except BrokenPipeError:  # the reader, such as head, has closed the pipe: there is nothing to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        print(f"bench: {error.filename or 'writing results'}: {error.strerror}", file=sys.stderr)
    return 1


def run(main: Callable[[], int]) -> NoReturn:
    """Calls `main` and exits with its status. What it prints is UTF-8, also where the locale has no µ."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
    try:
        raise SystemExit(status_of(main))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
