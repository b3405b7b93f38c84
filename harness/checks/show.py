"""Sources on a terminal: `make compare` and `make read`.

On a terminal there is colour, and a pager for what is longer than the screen. A pipe gets plain text. Lines that are
too long for the width (COLUMNS, or the terminal's) are folded, not cut."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from importlib.util import find_spec
from pathlib import Path

from suite import ending

from checks import sources

VARIABLES = {"compare": ("A", "B"), "read": ("S",)}
NARROWEST = 20  # columns: less than that and nothing can be read side by side


class CannotShow(Exception):
    """Says why."""


def main(words: list[str]) -> int:
    what, *names = words or [""]
    if what not in VARIABLES:
        print(f"show: what? {' or '.join(VARIABLES)}", file=sys.stderr)
        return 2
    root = Path(".")
    try:
        directories = [directory_of(root, each) for each in chosen(root, what, names)]
        text = compare(root, *directories) if what == "compare" else read(root, directories[0])
    except (CannotShow, sources.CannotCheck, OSError) as error:
        print(f"{what}: {error}", file=sys.stderr)
        return 2
    put(text)
    return 0


def chosen(root: Path, what: str, names: list[str]) -> list[str]:
    names = [each for each in names if each]
    if len(names) != len(VARIABLES[what]):
        listed = list(sources.servers(root))
        asked = " ".join(f"{each}=..." for each in VARIABLES[what])
        example = " ".join(f"{each}={name}" for each, name in zip(VARIABLES[what], listed))
        raise CannotShow(
            f"which server{'s' * (len(VARIABLES[what]) > 1)}? {asked}, of {', '.join(listed)}; "
            f"as in: make {what} {example}"
        )
    return names


def directory_of(root: Path, name: str) -> str:
    """Of a server in the list, or of one that stands elsewhere and is named by its directory."""
    listed = sources.servers(root)
    if name in listed:
        return listed[name]
    if not (root / name / "server.c").is_file():
        raise CannotShow(f"there is no {name}/server.c; the servers here are {', '.join(listed)}")
    return name.rstrip("/")


# -- what is shown ---------------------------------------------------------------------------------


def compare(root: Path, first: str, second: str) -> str:
    """diff -y of two servers. Long lines are folded before, because diff would cut them."""
    files = [sources.read(root, f"{each}/server.c").expandtabs() for each in (first, second)]
    longest = max(len(line) for text in files for line in text.splitlines())
    width = min(columns() or 2 * longest + 4, 2 * longest + 4)
    column = (width - 4) // 2  # diff keeps three columns between the halves, and rounds down
    if column < NARROWEST:
        raise CannotShow(f"{width} columns are too few for two files; {2 * NARROWEST + 4} are needed")
    command = ["diff", "-t", "-W", str(2 * column + 4), "-y", "a", "b"]
    with tempfile.TemporaryDirectory() as folder:
        for name, text in zip("ab", files):
            Path(folder, name).write_text(folded(text, column), encoding="utf-8")
        done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8")
    if done.returncode > 1:
        raise CannotShow(f"diff: {done.stderr.strip()}")
    lines = done.stdout.splitlines()
    if colourful():
        lines = [coloured(line, line[column:column + 4].strip()) for line in lines]
    return "\n".join([f"{first}/server.c".ljust(column + 4) + f"{second}/server.c", "", *lines, ""])


def coloured(line: str, sign: str) -> str:
    """By the sign that diff puts between the halves."""
    colour = {"<": 31, ">": 32, "|": 36}.get(sign[:1])
    return f"\033[{colour}m{line}\033[0m" if colour else line


def folded(text: str, width: int) -> str:
    """Long lines go on in the next one, indented further; where there is no blank, words are cut."""
    pieces = []
    for line in text.splitlines():
        indent = min(len(line) - len(line.lstrip()) + 4, width // 2)
        pieces += textwrap.wrap(
            line, width, subsequent_indent=" " * indent, replace_whitespace=False, break_on_hyphens=False
        ) or [""]
    return "\n".join(pieces) + "\n"


def read(root: Path, directory: str) -> str:
    path = sources.path_of(root, directory)
    parts = [f"On the path of {directory}, in the order of reading:", *(f"    {each}" for each in path), ""]
    for each in path:
        rule = f"==== {each} ".ljust(min(columns() or 100, 100), "=")
        parts += [f"\033[1m{rule}\033[0m" if colourful() else rule, "", highlighted(sources.read(root, each))]
    return "\n".join(parts)


def highlighted(text: str) -> str:
    """C in colours, where Pygments is installed."""
    if not colourful() or find_spec("pygments") is None:
        return text
    from pygments import formatters, highlight, lexers

    return highlight(text, lexers.CLexer(stripnl=False), formatters.TerminalFormatter())


# -- where it is shown -----------------------------------------------------------------------------


def on_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()  # None: closed


def colourful() -> bool:
    return on_terminal() and os.environ.get("TERM") != "dumb" and "NO_COLOR" not in os.environ


def columns() -> int | None:
    """How wide the output may be; None in a pipe, which takes any width."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    return os.get_terminal_size(sys.stdout.fileno()).columns or 80 if on_terminal() else None


def put(text: str) -> None:
    """Through a pager on a terminal (less leaves at once what fits on the screen), else as it is."""
    pager = shlex.split(os.environ.get("PAGER") or "less")
    if on_terminal() and shutil.which(pager[0]):
        environment = {"LESS": "FRX", "LESSCHARSET": "utf-8", **os.environ}
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the pager
        subprocess.run(pager, input=text.encode(), env=environment)
        return
    if sys.stdout is not None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    ending.run(lambda: main(sys.argv[1:]), "".join(sys.argv[1:2]))
