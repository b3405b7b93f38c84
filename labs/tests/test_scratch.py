"""A grader that is killed leaves nothing: at SIGTERM and SIGINT it clears away, after SIGKILL the next one does."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grader import launcher, level, scratch
from grader.listeners import descendants
from labkit import lab as labs
from labkit import tree
from labkit.protocol import of_word
from suite import kernel, waiting

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the grader is for Linux")

LAB = labs.load(1)
FOUND = level.find()
LEVELS = (
    pytest.param(FOUND, id="bubblewrap", marks=pytest.mark.skipif(bool(FOUND.why_weak), reason=FOUND.why_weak)),
    pytest.param(level.Level("it is tested", (), FOUND.user), id="weak"),
)
# The server that it is linked into never listens, and another process has left it.
SLEEPS = """
#include <unistd.h>
__attribute__((constructor)) static void sleep_for_good(void)
{
    if (fork() == 0 && fork() != 0)
        _exit(0);
    for (;;)
        pause();
}
"""
HOLDS = """
import time
from grader import scratch
with scratch.own() as place:
    print(place, flush=True)
    time.sleep(600)
"""


# -- what killed graders have left -------------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where graders of this test work: at the weak level another user has to come there. tmp_path is made before, since
    pytest's own directory stays."""
    with tempfile.TemporaryDirectory(prefix="scratch-test-", dir="/tmp") as place:
        Path(place).chmod(0o711)
        monkeypatch.setattr(tempfile, "tempdir", place)
        monkeypatch.setenv("TMPDIR", place)
        yield Path(place)
        for pid in running_from(place):  # at the weak level nobody ends what has left a program after SIGKILL
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def running_from(place: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().startswith(f"{place}/".encode()):
                found.append(int(path.parent.name))
    return found


def there(temporary: Path) -> list[str]:
    return sorted(path.name for path in temporary.iterdir() if path.name.startswith(scratch.PREFIX))


@contextmanager
def another_grader() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True, env=environment) as other:
        try:
            assert other.stdout is not None
            yield other, Path(other.stdout.readline().strip())
        finally:
            other.kill()


def test_what_a_killed_grader_has_left_goes_and_what_another_works_in_stays(temporary):
    with another_grader() as (killed, left), another_grader() as (_, used):
        (left / "lab-own" / "deep").mkdir(parents=True)
        killed.kill()
        killed.wait()
        scratch.sweep()
        assert there(temporary) == [used.name] and (used / scratch.LOCK).exists()


def test_a_grader_removes_its_own_directory_whatever_happens(temporary):
    with pytest.raises(KeyError), scratch.own() as place:
        assert tempfile.mkdtemp().startswith(f"{place}/")
        raise KeyError
    assert there(temporary) == [] and tempfile.gettempdir() == str(temporary)


def test_what_is_no_directory_of_a_grader_stays(temporary, tmp_path):
    """A symbolic link, a file, a directory without a lock that has something in it, a fifo in the place of the lock."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / scratch.LOCK).touch()
    (temporary / f"{scratch.PREFIX}link").symlink_to(elsewhere)
    (temporary / f"{scratch.PREFIX}file").touch()
    (temporary / f"{scratch.PREFIX}full" / "something").mkdir(parents=True)
    locked = temporary / f"{scratch.PREFIX}locked"
    locked.mkdir()
    (locked / scratch.LOCK).symlink_to(elsewhere / scratch.LOCK)
    (temporary / "lab-notes").mkdir()
    scratch.sweep()
    assert there(temporary) == [f"{scratch.PREFIX}{name}" for name in ("file", "full", "link", "locked")]
    assert (elsewhere / scratch.LOCK).exists() and (temporary / "lab-notes").exists()


def test_a_link_in_what_is_left_is_not_followed(temporary, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    left = temporary / f"{scratch.PREFIX}left"
    left.mkdir()
    (left / scratch.LOCK).touch()
    (left / "link").symlink_to(kept)
    scratch.sweep()
    assert there(temporary) == [] and (kept / "file").exists()


def test_a_directory_that_was_never_locked_goes_if_it_is_empty(temporary):
    (temporary / f"{scratch.PREFIX}new").mkdir()
    scratch.sweep()
    assert there(temporary) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of another user")
def test_another_user_s_directory_stays(temporary):
    theirs = temporary / f"{scratch.PREFIX}theirs"
    theirs.mkdir()
    (theirs / scratch.LOCK).touch()
    os.chown(theirs, 1000, 1000)
    scratch.sweep()
    assert there(temporary) == [theirs.name]


def test_a_directory_that_is_swept_before_it_is_locked_is_made_anew(temporary, monkeypatch):
    make, made = tempfile.mkdtemp, []

    def swept(**options: str) -> str:
        made.append(make(**options))
        if len(made) == 1:
            scratch.sweep()
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", swept)
    with scratch.own() as place:
        assert len(made) == 2 and there(temporary) == [place.name]


def test_a_directory_that_is_swept_while_it_is_locked_is_made_anew(temporary, monkeypatch):
    lock, locked = fcntl.flock, []

    def swept(descriptor: int, how: int) -> None:
        locked.append(how)
        if locked == [fcntl.LOCK_EX]:
            scratch.sweep()
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", swept)
    with scratch.own() as place:
        assert locked.count(fcntl.LOCK_EX) == 2 and there(temporary) == [place.name]


# -- a grader that is ended while it grades ----------------------------------------------------------------------


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    folder = tmp_path / "class" / "alice"
    folder.mkdir(parents=True)
    tree.given(LAB, of_word(""))  # the grader of the test need not build what it needs
    launcher.program()
    right = (tree.solution(LAB, of_word("")) / "frame.c").read_text()
    (folder / "frame.c").write_text(right + SLEEPS)
    return folder


@contextmanager
def grading(command: list[str], programs: int = 1) -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    """Once the programs of the submission run: the grader, and all that it has started."""
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    grader = subprocess.Popen(command, env=environment, **quiet)  # type: ignore[call-overload]

    def started() -> list[int]:
        """Of each submission two: the server, and what has left it."""
        pids = descendants(grader.pid)[1:]
        names = [name(pid) for pid in pids]
        assert grader.poll() is None, "it has ended"
        return pids if names.count(LAB.program) >= 2 * programs else []

    try:
        yield grader, waiting.until(started, "the program of the submission")
    finally:
        grader.kill()
        grader.wait()


def name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def nothing_is_left(pids: list[int], temporary: Path) -> Callable[[], bool]:
    return lambda: all(map(kernel.is_gone, pids)) and not list(temporary.iterdir())


def cell(of: level.Level, submission: Path, out: Path) -> list[str]:
    words = ["cell", "1", "", str(submission), str(out), "alice", str(os.getpid()), *of.words()]
    return [*of.network, sys.executable, "-m", "grader", *words]


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT, signal.SIGHUP), ids=lambda number: number.name)
@pytest.mark.parametrize("of", LEVELS)
def test_a_signal_ends_the_submission_and_clears_away(of, number, temporary, submission, tmp_path):
    (tmp_path / "out").mkdir()
    with grading(cell(of, submission, tmp_path / "out")) as (grader, pids):
        assert len(there(temporary)) == 1
        grader.send_signal(number)
        assert grader.wait(60) == 128 + number
        assert nothing_is_left(pids, temporary)() and running_from(str(temporary)) == []


@pytest.mark.parametrize("of", LEVELS)
def test_after_sigkill_the_next_grader_clears_away(of, temporary, submission, tmp_path):
    (tmp_path / "out").mkdir()
    with grading(cell(of, submission, tmp_path / "out")) as (grader, _):
        grader.kill()
        grader.wait()
        (left,) = there(temporary)
        with scratch.own() as place:
            assert there(temporary) == [place.name] != [left]


@pytest.mark.parametrize(
    "number", (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL), ids=lambda number: number.name
)
def test_a_grader_of_a_class_takes_all_its_graders_along(number, temporary, submission, tmp_path):
    """Killed by SIGKILL, it leaves graders that end in order by themselves."""
    for other in ("bob", "carol"):
        (submission.parent / other).mkdir()
        (submission.parent / other / "frame.c").write_text((submission / "frame.c").read_text())
    words = ["--dirs", f"{submission.parent}/*", "--out", str(tmp_path / "out"), "--jobs", "2"]
    with grading([str(labs.LABS / "run"), "grader", "grade-all", "--lab", "1", *words], 2) as (grader, pids):
        grader.send_signal(number)
        assert grader.wait(60) == (-number if number == signal.SIGKILL else 128 + number)
        waiting.until(nothing_is_left(pids, temporary), "nothing is left")
    assert not (tmp_path / "out" / "carol").exists()
    if number != signal.SIGKILL:
        why = f"ended by {number.name}"
        with open(tmp_path / "out" / "class.csv", newline="") as table:
            rows = [(row["submission"], row["points"], row["fault"]) for row in csv.DictReader(table)]
        assert rows == [("alice", "", why), ("bob", "", why), ("carol", "", f"not begun: {why}")]
        assert f"NOT GRADED: {why}" in (tmp_path / "out" / "bob" / "report.txt").read_text()
