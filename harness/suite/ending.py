"""How a program of the project ends that prints: what it cannot print is said in one line, without a traceback."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

STANDARD_OUTPUT = "standard output"


class _Output(io.FileIO):
    """Standard output. An error of write(2) names no file by itself; this one does."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            error.filename = STANDARD_OUTPUT
            raise


def fill_streams() -> None:
    """Puts /dev/null where a standard stream was closed, or the next file that is opened would get its number and what
    a child prints. As common/standard_streams.c does: only for reading, so that nobody who writes there believes it."""
    for stream in range(3):
        try:
            os.fstat(stream)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)  # the lowest free number: this one


def name_output() -> None:
    """From here on an error of standard output says that it is one."""
    fill_streams()
    out = sys.stdout
    if not isinstance(out, io.TextIOWrapper):  # closed, or a test has taken its place
        return
    out.flush()
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Output(out.fileno(), "wb", closefd=False)), out.encoding, out.errors,
        line_buffering=out.line_buffering, write_through=out.write_through,
    )  # fmt: skip


def is_unread(error: OSError) -> bool:
    """Whether the reader of the output, such as head, has closed the pipe: it has seen enough."""
    return isinstance(error, BrokenPipeError) and error.filename == STANDARD_OUTPUT


def drop_output() -> None:
    """What is left in the buffer would be written, and fail, once more at the end."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def of_output(error: OSError, name: str, unread: int = 0) -> int:
    """Says why standard output took no more. Returns the exit status: `unread` where nobody reads it."""
    drop_output()
    if is_unread(error):
        return unread
    print(f"{name}: {STANDARD_OUTPUT}: {error.strerror}", file=sys.stderr)
    return 1


def status_of(step: Callable[[], int]) -> int:
    """What `step` returns, also where it raises SystemExit. All that it has printed is written."""
    try:
        status = step()
    except SystemExit as end:  # argparse, after its help
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    if sys.stdout is not None:
        sys.stdout.flush()
    return status


def run(main: Callable[[], int], name: str, unread: int = 0) -> NoReturn:
    """Calls `main` and exits with its status. A reader that closes the pipe ends it in silence: `unread` is 1 where
    more was to be done than to print. So does Ctrl-C: 130."""
    name_output()
    try:
        raise SystemExit(status_of(main))
    except OSError as error:
        if error.filename != STANDARD_OUTPUT:
            raise
        raise SystemExit(of_output(error, name, unread)) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
