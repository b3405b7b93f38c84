"""python -m tracing: what peers do, and the system calls of each server, side by side. `make trace` calls it.

Exit status: 0; 1 if a server could not be traced; 2 for bad usage."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import signal
import sys
from pathlib import Path

from suite import ending, servers
from suite.script import BadScript, Script, load
from suite.strace import NO_TRACE

from tracing import claims, golden, planted as kept, show
from tracing.bugs import CannotTrace, Program, built, check_bug, planted
from tracing.record import Trace, record


def main() -> int:
    arguments = _parse()
    if not arguments.scripts and not arguments.accept:
        return _list()
    try:
        names = _servers(arguments.servers, arguments.accept)
        scripts = {word: _script(word) for word in arguments.scripts or _all_scripts(arguments)}
        check_bug(arguments.bug, names)
        _check_restarts(names, scripts)
        if arguments.accept and arguments.bug:
            _check_kept(arguments.bug, arguments.servers)
    except (BadScript, servers.BadList) as error:
        print(f"trace: {error}", file=sys.stderr)
        return 2
    if NO_TRACE is not None:
        print(f"trace: {NO_TRACE}", file=sys.stderr)
        return 1
    try:
        if arguments.accept:
            named = bool(arguments.scripts or arguments.bug or arguments.servers)
            return _accept(names, scripts, _bugs(arguments), golden.Accepted(named))
        _show(names, scripts, arguments)
    except CannotTrace as error:
        print(f"trace: {error}", file=sys.stderr)
        return 1
    return 0


def _show(names: list[str], scripts: dict[str, Script], arguments: argparse.Namespace) -> None:
    with planted(arguments.bug, names) as programs:
        for word, script in scripts.items():
            traces = [_record(each, script) for each in programs]
            print(f"{word}: {script.about}\n\n{show.table(traces, arguments.width)}")


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
    accept = "write traces to harness/tracing/golden/, where the tests expect them (default: all, also those of bugs)"
    parser.add_argument("--accept", action="store_true", help=accept)
    return parser.parse_args()


def _list() -> int:
    print("Which script? make trace SCRIPT=one-echo. There are:\n")
    for name in golden.SCRIPTS:
        print(f"  {name:20} {golden.script(name).about}")
    return 2


def _servers(words: list[str], accept: bool = False) -> list[str]:
    traced = ", ".join(golden.TRACED)
    for word in words:
        if word not in servers.OF:
            raise servers.BadList(f"{word!r} is no server; there are {', '.join(servers.ALL)}; traced are {traced}")
        if word not in golden.TRACED and not (accept and word in golden.OF_STEPS):
            why = "strace does not see what it asks for, or not always in one order"
            raise servers.BadList(f"{word}: {why}; traced are {traced}")
        if reason := servers.absent(word):
            raise servers.BadList(f"{word}: {reason}")
    stranger = servers.stranger() if os.environ.get("SERVER") else None
    every = (*golden.TRACED, *golden.OF_STEPS) if accept else golden.TRACED
    names = [name for name in words or every if servers.absent(name) is None]
    return [*names, stranger.name] if stranger else names


def _script(word: str) -> Script:
    if word in golden.SCRIPTS:
        return golden.script(word)
    if not Path(word).exists():
        raise BadScript(f"{word!r} is no script and no file; there are {', '.join(golden.SCRIPTS)}")
    return load(Path(word), may_replace=True)


def _check_restarts(names: list[str], scripts: dict[str, Script]) -> None:
    strangers = [name for name in names if name not in servers.OF]
    for word, script in scripts.items():
        if script.replaces and strangers:
            raise BadScript(f"{word}: a restart, and nobody has said that {strangers[0]} restarts at SIGUSR2")


def _all_scripts(arguments: argparse.Namespace) -> list[str]:
    """What --accept means without a script: all of them, or none if it names a bug."""
    return [] if arguments.bug else list(golden.SCRIPTS)


def _check_kept(bug: str, words: list[str]) -> None:
    if not claims.of_bug(bug):
        raise servers.BadList(f"{bug}: no trace of it is kept: {claims.why_not(bug)}")
    if words and not claims.servers_of(bug) & set(words):
        raise servers.BadList(f"{bug}: its traces are kept of {', '.join(sorted(claims.servers_of(bug)))}")


def _bugs(arguments: argparse.Namespace) -> list[str]:
    """What --accept records besides scripts: the bug that it names; without one, and without a script, all that have
    traces of these servers."""
    if arguments.bug:
        return [arguments.bug]
    wanted = set(arguments.servers or golden.TRACED)
    return [] if arguments.scripts else [bug for bug in kept.bugs() if wanted & claims.servers_of(bug)]


def _accept(names: list[str], scripts: dict[str, Script], bugs: list[str], accepted: golden.Accepted) -> int:
    """However it ends, it says what was written: all other files are as they were."""
    status = 130
    try:
        _accept_all(names, scripts, bugs, accepted)
        status = 0
    except KeyboardInterrupt:
        print("trace: interrupted; the traces that came behind are as they were", file=sys.stderr)
    finally:
        print("\n".join(accepted.said()))
    return status


def _accept_all(names: list[str], scripts: dict[str, Script], bugs: list[str], accepted: golden.Accepted) -> None:
    for word, script in scripts.items():
        for name in names:
            path = golden.path_of(word, name)
            if name in golden.TRACED and not accepted.leaves(path, word not in golden.RECORDINGS):
                trace = _record(Program(name, name, servers.build_dir()), script)
                accepted.take(path, trace.steady().text())
        if word == golden.STEPPED:
            _accept_steps(script, names, accepted)
    for bug, build in built(bugs, names):
        kept.accept(bug, build, names, accepted)


def _accept_steps(script: Script, names: list[str], accepted: golden.Accepted) -> None:
    for name, more in golden.OF_STEPS.items():
        if name in names:
            accepted.take(golden.path_of(golden.STEPPED, name), record(name, script, *more).steady().text())


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what it has started and made ends with it
    ending.run(main, "trace")
