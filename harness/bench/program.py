"""How each program of this package ends: what it cannot do is said in one line, without a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from bench.results import BadResults
from bench.rows import BadRows


def run(main: Callable[[], int]) -> NoReturn:
    """Calls `main` and exits with its status, or with 1 and one line."""
    try:
        status = main()
        sys.stdout.flush()
    except (BadResults, BadRows) as error:
        print(f"bench: {error}", file=sys.stderr)
        status = 1
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except OSError as error:
        print(f"bench: {error.filename}: {error.strerror}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = 130
    raise SystemExit(status)
