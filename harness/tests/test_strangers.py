"""A server that is none of ours is tested as far as a peer can see, and what is wrong with it is said in words that
make sense for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from suite import kernel, needs, servers

HERE = Path(__file__).parent
RIGHT = HERE / "strangers" / "right.py"
ENDINGS, PROTOCOL = "harness/conformance/test_endings.py", "harness/conformance/test_protocol.py"
SPLIT = f"{PROTOCOL}::test_one_byte_a_segment"
WHOLE = f"{PROTOCOL}::test_nothing_is_sent_before_a_frame_is_whole"
HALF_CLOSE = f"{ENDINGS}::test_half_close_after_whole_frames"

pytestmark = pytest.mark.skipif(not kernel.HAS_PROC, reason=kernel.NO_PROC)


def run(server: Path | str, *words: str, patience: int = 5) -> subprocess.CompletedProcess:
    """The suite on this server, in one process."""
    return subprocess.run(
        ["harness/pytest", *(words or (SPLIT, WHOLE, HALF_CLOSE)), "-n", "0"], cwd=servers.ROOT,
        capture_output=True, text=True, timeout=100,
        env={**os.environ, "SERVER": str(server), "SUITE_PATIENCE": str(patience), "PYTHONUNBUFFERED": ""},
    )  # fmt: skip


def changed(directory: Path, old: str, new: str) -> Path:
    """The right server with one mistake in it."""
    text = RIGHT.read_text()
    assert text.count(old) == 1
    path = directory / "mine.py"
    path.write_text(text.replace(old, new))
    path.chmod(0o755)
    return path


def test_a_right_one_passes():
    result = run(RIGHT)
    assert result.returncode == 0 and "8 passed" in result.stdout, result.stdout


MODULES = sorted(path.name for path in (servers.ROOT / "harness" / "conformance").glob("test_*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_a_right_one_fails_nothing_that_is_asked_of_it(module):
    """Whatever runs on a stranger's server asks for what a peer can see, and not how the program gets its memory."""
    result = run(RIGHT, f"harness/conformance/{module}", patience=20)  # its drain takes 5 s
    assert result.returncode in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED), result.stdout
    assert "Falsifying" not in result.stdout, result.stdout


@needs.ipv6
def test_what_looks_inside_is_left_out():
    result = run(RIGHT, "harness/conformance/test_counts.py", f"{PROTOCOL}", "-k", "test_counts or statistics or ipv6")
    assert "1 skipped" in result.stdout and "right takes no --bind" in result.stdout, result.stdout
    assert "deselected" in result.stdout and "passed" not in result.stdout and "failed" not in result.stdout


WRONG = {
    "loses what a read leaves of a frame": (
        "self.input += data", "self.input = bytearray(data)",
        SPLIT, "a header or payload that is split between reads is forgotten",
    ),
    "echoes before the frame is whole": (
        "self.output += self.input[:end]\n        del self.input[:end]", "self.output += data",
        WHOLE, "bytes of a frame something came back",
    ),
    "closes at the half-close before it answers": (
        "            if events & READ:\n",
        "            if events & READ:\n                import select\n                look = select.poll()\n"
        "                look.register(self.sock, select.POLLRDHUP)\n                if look.poll(0):\n"
        "                    return self.close()\n",
        f"{ENDINGS}::test_data_and_end_in_one_wake_up", "the end of the input is taken from a hang-up event",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_one_fails_with_what_is_wrong(tmp_path, mistake):
    old, new, test, said = WRONG[mistake]
    result = run(changed(tmp_path, old, new), test)
    assert result.returncode == 1, result.stdout
    assert said in result.stdout and "possible cause" in result.stdout
    assert "SERVER=" in result.stdout.partition("to repeat")[2]


TAKES = "                self.take(data)\n"
SAYS_AND_ABORTS = """                if self.output.endswith(b"\\1x"):
                    print("==7==ERROR: AddressSanitizer: heap-use-after-free", file=sys.stderr, flush=True)
                    os.abort()
"""


def test_a_crash_is_called_a_crash(tmp_path):
    """At the last frame that the test sends."""
    result = run(changed(tmp_path, TAKES, TAKES + SAYS_AND_ABORTS), SPLIT)
    assert result.returncode == 1, result.stdout
    said = "mine: it crashed by itself (signal SIGABRT)\n==7==ERROR: AddressSanitizer: heap-use-after-free\n"
    assert said in result.stdout, result.stdout
    assert "possible cause" not in result.stdout and "after a signal" not in result.stdout


GATE = {
    "no ready line": ("print(f\"listening on", "print(f\"ready on", "'ready on 127.0.0.1:"),
    "a ready line that stays in its buffer": (", flush=True)", ")", "no ready line within 10 s"),
    "the port that was asked for": ("{listener.getsockname()[1]}", "0", "'listening on 127.0.0.1:0"),
    "no echo": ("self.output += self.input[:end]", "pass", "expected 18 bytes, 0 came, then nothing more"),
}


@pytest.mark.parametrize("mistake", GATE)
def test_without_the_first_echo_nothing_else_is_tried(tmp_path, mistake):
    old, new, said = GATE[mistake]
    result = run(changed(tmp_path, old, new), "harness/conformance")
    assert result.returncode == 1
    assert "mine does not pass the first echo, so nothing else is tried." in result.stdout + result.stderr
    assert said in result.stdout + result.stderr, result.stdout + result.stderr
    assert "failed" not in result.stdout and "passed" not in result.stdout


def test_a_directory_says_what_it_needs():
    result = run("harness")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    said = "a directory needs a server.c, a Makefile, or a server.toml that names its program"
    assert f"SERVER=harness: {said}" in result.stderr, result.stderr


def test_a_server_of_the_list_that_is_broken_fails_once(tmp_path):
    """The others go on."""
    build = tmp_path / "build"
    build.mkdir()
    for name in servers.FRAMES:
        shutil.copy(servers.program(name), build)
    (build / "poll_srv").write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    result = subprocess.run(
        ["harness/pytest", SPLIT, HALF_CLOSE, "-k", "poll_srv or select_srv", "-n", "0"], cwd=servers.ROOT,
        capture_output=True, text=True, timeout=100, env={**os.environ, "BUILD_DIR": str(build), "SERVER": ""},
    )  # fmt: skip
    others = 2 * (len(servers.FRAMES) - 2)
    assert f"2 passed, 1 skipped, {others} deselected, 1 error" in result.stdout, result.stdout
    assert "poll_srv does not pass the first echo" in result.stdout and "broken" in result.stdout


def test_programs_for_another_machine_are_not_run(tmp_path):
    program = tmp_path / "poll_srv"
    program.write_bytes(b"\x7fELF of another kind of machine")
    program.chmod(0o755)
    environment = {**os.environ, "BUILD_DIR": str(tmp_path), "SERVER": ""}
    result = subprocess.run(
        ["harness/pytest", SPLIT], cwd=servers.ROOT, capture_output=True, text=True, timeout=100, env=environment
    )
    assert result.returncode == 1
    assert f"no test was run: {program}: Exec format error" in result.stdout + result.stderr


@needs.ipv6
def test_what_is_declared_beside_it(tmp_path):
    (tmp_path / "server.py").write_text(RIGHT.read_text())
    (tmp_path / "server.py").chmod(0o755)
    (tmp_path / "server.toml").write_text('program = "server.py"\noptions = ["--bind"]\n')
    result = run(tmp_path, f"{PROTOCOL}::test_ipv6")
    assert result.returncode == 1 and "listening on [::1]" in result.stdout, "it says that it takes --bind"


@pytest.mark.parametrize("said, complaint", (
    ("speed = 1", "nobody knows the key speed; there are program, options, backlog, ceiling"),
    ("backlog = 'many'", "backlog = 'many' is not of type int"),
    ("backlog =", "Invalid value"),
    ("program = 'gone'", "is not there, or may not be executed (chmod +x)"),
))  # fmt: skip
def test_a_declaration_that_is_wrong(tmp_path, said, complaint):
    (tmp_path / "server.toml").write_text(said)
    result = run(tmp_path)
    assert result.returncode == 4 and complaint in result.stderr, result.stderr
    assert "Traceback" not in result.stderr


def test_a_name_that_is_none():
    result = run("no_such_srv")
    assert result.returncode == 4
    assert "SERVER=no_such_srv: neither a server of the list (select_srv, " in result.stderr


MINE = {
    "linked with common/": {},
    "with a main of its own": {"server.c": "#include <stdio.h>\nint main(void) { return puts(\"no\"); }\n"},
    "with a Makefile": {"Makefile": "made: ; printf '#!/bin/sh\\necho no\\n' > $@ && chmod +x $@\n"},
}


@pytest.mark.parametrize("how", MINE)
def test_make_builds_what_the_directory_holds(tmp_path, how):
    """A copy of one of our servers is a stranger's as well: the rest are told apart by what they print."""
    directory = tmp_path / "made"
    directory.mkdir()
    if not MINE[how]:
        shutil.copytree(servers.ROOT / servers.KINDS[1].directory, directory, dirs_exist_ok=True)
    for name, text in MINE[how].items():
        (directory / name).write_text(text)
    result = subprocess.run(
        ["make", "test", f"SERVER={directory}", f"BUILD={tmp_path / 'build'}", "ARGS=-n 0 -k one_byte_a_segment"],
        cwd=servers.ROOT, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    if how == "linked with common/":
        assert result.returncode == 0 and "1 passed" in result.stdout, result
    else:
        assert result.returncode != 0 and "'no\\n' in place of its ready line" in result.stdout + result.stderr, result
