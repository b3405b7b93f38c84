"""make compare and make read: in a pipe, on terminals of several sizes, and without arguments."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest

from suite.servers import ROOT

A = """/* One. */
#include <poll.h>

static int wait_for_any_of_the_descriptors(struct mux *mux, unsigned long count, int timeout_ms)
{
    return poll(mux->fds, count, timeout_ms);
}
"""
B = A.replace("poll", "select")
TURN = "void serve(struct loop *loop, struct connection *connection)\n{\n}\n"
FILES = {
    "a_srv/server.c": A,
    "b_srv/server.c": B,
    "edge/server.c": B + TURN,
    **{f"common/{name}.h": f"/* {name} */\n" for name in ("loop", "connection")},
    **{f"common/{name}.c": f"/* {name} */\n" for name in ("loop", "level", "listener")},
    **{f"common/{name}.c": f"/* {name} */\n" for name in ("connection", "transport", "connections")},
}
WHICH = "a_srv, b_srv, edge"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "harness").mkdir()
    for name in ("show", "python"):
        shutil.copy(ROOT / "harness" / name, tmp_path / "harness")
    for name in ("checks", "suite"):
        shutil.copytree(ROOT / "harness" / name, tmp_path / "harness" / name)
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LESS", "NO_COLOR", "PAGER")}
    return {**kept, "TERM": "xterm", "PYTHON": sys.executable, **more}


def show(tree: Path, *words: str, **more: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["harness/show", *words], cwd=tree, capture_output=True, text=True, env=environment(**more), timeout=60
    )


def on_a_terminal(tree: Path, *words: str, rows: int, columns: int, **more: str) -> str:
    """What is written to a terminal of this size."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        ["harness/show", *words], cwd=tree, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(**more)
    )
    os.close(theirs)
    killer = threading.Timer(60, process.kill)
    killer.start()
    seen = b""
    try:
        while piece := os.read(ours, 65536):
            seen += piece
    except OSError:  # EIO: the other side is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    killer.cancel()
    return seen.decode().replace("\r\n", "\n")


def plain(text: str) -> str:
    return re.sub(r"\033\[[0-9;]*[A-Za-z]", "", text)


def without_blanks(text: str) -> str:
    return "".join(text.split())


# -- without arguments, and with wrong ones --------------------------------------------------------


@pytest.mark.parametrize(
    "words, message",
    (
        (("compare", "", ""), f"compare: which servers? A=... B=..., of {WHICH}; as in: make compare A=a_srv B=b_srv"),
        (("read", ""), f"read: which server? S=..., of {WHICH}; as in: make read S=a_srv"),
        (("read", "c_srv"), f"read: there is no c_srv/server.c; the servers here are {WHICH}"),
    ),
)
def test_what_is_not_a_server_is_answered_with_those_that_are(tree, words, message):
    done = show(tree, *words)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message + "\n")


def test_make_says_which_servers_there_are():
    for target in ("compare", "read"):
        done = subprocess.run(["make", target], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and done.stderr.startswith(f"{target}: which server") and "epoll_lt" in done.stderr


# -- in a pipe -------------------------------------------------------------------------------------


def test_a_pipe_gets_whole_lines_and_no_colour(tree):
    done = show(tree, "compare", "a_srv", "b_srv")
    assert done.returncode == 0 and "\033" not in done.stdout
    line = next(line for line in done.stdout.splitlines() if "timeout_ms)\n" in line + "\n")
    assert line.count("int wait_for_any_of_the_descriptors(struct mux *mux, unsigned long count, int timeout_ms)") == 2
    done = show(tree, "read", "a_srv")
    assert done.returncode == 0 and "\033" not in done.stdout and A in done.stdout


def test_a_reader_that_has_seen_enough_is_no_error(tree):
    (tree / "a_srv/server.c").write_text(A * 3000)  # more than a pipe holds
    for words in (("compare", "a_srv", "b_srv"), ("read", "a_srv")):
        process = subprocess.Popen(
            ["harness/show", *words], cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
        )
        assert process.stdout and process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        assert (process.stderr.read(), process.wait(60)) == (b"", 0)
        process.stderr.close()


@pytest.mark.parametrize("columns", (44, 60, 80, 100, 171))
def test_nothing_is_cut(tree, columns):
    done = show(tree, "compare", "a_srv", "edge", COLUMNS=str(columns))
    assert done.returncode == 0 and max(map(len, done.stdout.splitlines())) <= columns
    left, right = "", ""
    middle = (columns - 4) // 2
    for line in done.stdout.splitlines()[2:]:
        left += line[:middle] + "\n"
        right += line[middle + 4:] + "\n"
    assert without_blanks(left) == without_blanks(A) and without_blanks(right) == without_blanks(B + TURN)


def test_too_few_columns_are_refused(tree):
    done = show(tree, "compare", "a_srv", "b_srv", COLUMNS="43")
    assert (done.returncode, done.stderr) == (2, "compare: 43 columns are too few for two files; 44 are needed\n")


# -- on a terminal ---------------------------------------------------------------------------------


def test_a_terminal_gets_colour_and_its_width_is_used(tree):
    seen = on_a_terminal(tree, "compare", "a_srv", "b_srv", rows=60, columns=90, PAGER="cat")
    assert "\033[36m" in seen
    widest = max(map(len, plain(seen).splitlines()))
    assert 80 < widest <= 90
    seen = on_a_terminal(tree, "compare", "a_srv", "b_srv", rows=60, columns=90, PAGER="cat", NO_COLOR="1")
    assert "\033" not in seen


@pytest.mark.skipif(shutil.which("less") is None, reason="needs less(1)")
def test_what_fits_on_the_screen_needs_no_key(tree):
    seen = plain(on_a_terminal(tree, "compare", "a_srv", "b_srv", rows=60, columns=90))
    assert "select" in seen and "(END)" not in seen


def test_what_is_longer_goes_through_the_pager(tree):
    """A pager that counts lines stands for less, which would wait for a key."""
    pager = tree / "pager"
    pager.write_text("#!/bin/sh\necho $(wc -l) lines\n")
    pager.chmod(0o755)
    seen = on_a_terminal(tree, "read", "a_srv", rows=10, columns=90, PAGER=str(pager))
    assert re.fullmatch(r"\d\d lines\n", seen)
    assert "lines" not in show(tree, "read", "a_srv", PAGER=str(pager)).stdout


def test_without_a_pager_it_is_printed(tree):
    assert "select" in plain(on_a_terminal(tree, "compare", "a_srv", "b_srv", rows=9, columns=90, PAGER="/nonexistent"))


# -- what is read ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name, turn", (("a_srv", True), ("edge", False)))
def test_the_path_of_a_server_is_read_in_order(tree, name, turn):
    shown = re.findall(r"^==== (\S+)", show(tree, "read", name).stdout, re.MULTILINE)
    assert shown[:2] == ["common/loop.h", "common/loop.c"]
    assert ("common/level.c" in shown) == turn
    assert shown[3 if turn else 2] == f"{name}/server.c"
    assert {"common/connection.c", "common/transport.c"} <= set(shown[4 if turn else 3:])


def test_a_server_elsewhere_is_named_by_its_directory(tree):
    (tree / "elsewhere/mine").mkdir(parents=True)
    (tree / "elsewhere/mine/server.c").write_text(A)
    done = show(tree, "compare", "elsewhere/mine", "b_srv")
    assert done.returncode == 0 and "elsewhere/mine/server.c" in done.stdout


def test_every_server_here_can_be_read():
    for name in ("epoll_lt", "epoll_et"):
        done = subprocess.run(["make", "-s", "read", f"S={name}"], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
