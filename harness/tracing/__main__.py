"""python -m tracing: what peers do, and the system calls of each server, side by side. `make trace` calls it.

Exit status: 0; 1 if a server could not be traced; 2 for bad usage."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import sys
from pathlib import Path

from suite import servers
from suite.script import BadScript, Script, load
from suite.strace import NO_TRACE

from tracing import golden, show
from tracing.bugs import CannotTrace, Program, check_bug, planted
from tracing.record import Trace, record


def main() -> int:
    arguments = _parse()
    if not arguments.scripts and not arguments.accept:
        return _list()
    try:
        names = _servers(arguments.servers)
        scripts = {word: _script(word) for word in arguments.scripts or golden.EXPECTED}
        check_bug(arguments.bug, names)
    except (BadScript, servers.BadList) as error:
        print(f"trace: {error}", file=sys.stderr)
        return 2
    if NO_TRACE is not None:
        print(f"trace: {NO_TRACE}", file=sys.stderr)
        return 1
    try:
        with planted(arguments.bug, names) as programs:
            for word, script in scripts.items():
                traces = [_record(each, script) for each in programs]
                if arguments.accept:
                    _accept(word, traces)
                else:
                    print(f"{word}: {script.about}\n\n{show.table(traces, arguments.width)}")
    except CannotTrace as error:
        print(f"trace: {error}", file=sys.stderr)
        return 1
    return 0


def _record(program: Program, script: Script) -> Trace:
    before = os.environ.get("BUILD_DIR")
    os.environ["BUILD_DIR"] = str(program.build)
    try:
        return dataclasses.replace(record(program.server, script), server=program.label)
    except (AssertionError, OSError) as error:
        raise CannotTrace(f"{program.label}: {error}") from None
    finally:
        os.environ.pop("BUILD_DIR")
        if before is not None:
            os.environ["BUILD_DIR"] = before


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="trace",
        description="Plays a script against servers under strace, and prints what each of them did after each action.",
    )
    parser.add_argument(
        "scripts", nargs="*", metavar="SCRIPT", help="one of the list that is printed without it, or a file"
    )
    parser.add_argument(
        "--servers", nargs="+", default=[], metavar="SERVER",
        help=f"of {', '.join(golden.TRACED)} (default: all); SERVER=PATH in the environment adds one of yours",
    )  # fmt: skip
    parser.add_argument("--bug", metavar="NAME", help="trace servers with this planted bug (docs/pitfalls/), too")
    columns = shutil.get_terminal_size((160, 24)).columns
    width = "of a line (default: the terminal's)"
    parser.add_argument("--width", type=int, default=columns, metavar="COLUMNS", help=width)
    accept = "write the traces to harness/tracing/golden/, where the tests expect them (default: of all scripts)"
    parser.add_argument("--accept", action="store_true", help=accept)
    return parser.parse_args()


def _list() -> int:
    print("Which script? make trace SCRIPT=one-echo. There are:\n")
    for name in golden.SCRIPTS:
        print(f"  {name:20} {golden.script(name).about}")
    return 2


def _servers(words: list[str]) -> list[str]:
    for word in words:
        if word not in servers.OF:
            raise servers.BadList(f"{word!r} is no server; there are {', '.join(golden.TRACED)}")
        if word not in golden.TRACED:
            raise servers.BadList(f"{word}: strace does not see what it asks for, or not always in one order")
    stranger = servers.stranger() if os.environ.get("SERVER") else None
    names = [name for name in words or golden.TRACED if servers.absent(name) is None]
    return [*names, stranger.name] if stranger else names


def _script(word: str) -> Script:
    if word in golden.SCRIPTS:
        return golden.script(word)
    if not Path(word).exists():
        raise BadScript(f"{word!r} is no script and no file; there are {', '.join(golden.SCRIPTS)}")
    return load(Path(word))


def _accept(word: str, traces: list[Trace]) -> None:
    for trace in traces:
        path = golden.path_of(word, trace.server)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(trace.steady().text(), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
