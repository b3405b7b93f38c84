"""What has been measured is not lost: outputs are opened before the run, one that fails costs no other, and a signal
at any moment leaves what there is, marked as partial."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import termios
from array import array
from pathlib import Path
from typing import Any

import pytest

from loadgen import merge
from suite import faulty_peers, generator, limits, waiting

LINUX = sys.platform.startswith("linux")
linux = pytest.mark.skipif(not LINUX, reason="needs /proc")
FORMS = ("json", "hgrm", "csv")
LONG = ("--connections", 3, "--warmup", 0, "--duration", 50, *limits.options())
SHORT = ("--connections", 3, "--warmup", 0, "--duration", 0.2, *limits.options())


@pytest.fixture
def peer():
    with faulty_peers.Peer(faulty_peers.honest) as one:
        yield one


def files(folder: Path) -> list[object]:
    return [word for form in FORMS for word in (f"--{form}", folder / f"run.{form}")]


STARTED: list[subprocess.Popen] = []


@pytest.fixture(autouse=True)
def none_outlives_its_test():
    yield
    while STARTED:
        with STARTED.pop() as process:
            process.kill()


def launch(*words: object, **how: Any) -> subprocess.Popen:
    how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | how
    STARTED.append(subprocess.Popen(generator.command(*words), text=True, **how))
    return STARTED[-1]


def run(*words: object, **how: Any) -> subprocess.CompletedProcess:
    process = launch(*words, **how)
    out, errors = process.communicate(timeout=60)
    return subprocess.CompletedProcess(words, process.returncode, out, errors)


# -- before the run --------------------------------------------------------------------------------


@pytest.mark.cause("a file is opened when the run is over")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "path, why", (("/nonexistent/out", "No such file or directory"), ("/", "Is a directory"), ("''", "No such file"))
)
def test_a_path_that_is_wrong_is_said_before_the_first_connect(peer, form, path, why):
    result = run("--port", peer.port, *SHORT, f"--{form}", path.strip("'"))
    assert (result.returncode, result.stdout) == (1, "") and result.stderr.count("\n") == 1, result
    assert result.stderr.startswith(f"loadgen: open {path}: {why}"), result.stderr
    assert not peer.connections


def test_a_fifo_that_nobody_reads_is_said_before_the_first_connect(peer, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    result = run("--port", peer.port, *SHORT, "--json", tmp_path / "fifo")
    assert result.returncode == 1 and "nobody reads it" in result.stderr and not peer.connections


def test_a_fifo_that_somebody_reads_is_written(peer, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    process = launch("--port", peer.port, *SHORT, "--quiet", "--json", tmp_path / "fifo")
    with open(reader, encoding="utf-8") as stream:
        waiting.until(lambda: peer.connections, "a connection, so the file is open")
        assert json.load(stream)["schema"] == "loadgen/1"
    assert process.wait(60) == 0


@pytest.mark.parametrize("how", ("closed", "read only"))
def test_a_standard_output_that_cannot_be_written_is_said_before_the_first_connect(peer, tmp_path, how):
    """One that is closed must not become the number of a connection either, or the table is sent to the server."""

    def prepare() -> None:
        os.close(1)
        if how == "read only":
            os.open("/dev/null", os.O_RDONLY)

    result = run("--port", peer.port, *SHORT, preexec_fn=prepare)
    assert (result.returncode, result.stderr) == (1, "loadgen: write standard output: Bad file descriptor\n")
    assert not peer.connections
    result = run("--port", peer.port, *SHORT, "--quiet", *files(tmp_path), preexec_fn=prepare)
    assert (result.returncode, result.stderr) == (0, ""), "nobody asked for standard output"
    assert json.loads((tmp_path / "run.json").read_text())["verdict"] == "VALID"


def test_all_standard_streams_closed(peer, tmp_path):
    result = run("--port", peer.port, *SHORT, "--quiet", *files(tmp_path), preexec_fn=lambda: os.closerange(0, 3))
    assert result.returncode == 0 and json.loads((tmp_path / "run.json").read_text())["verdict"] == "VALID"


def test_one_file_for_two_formats_is_refused(peer, tmp_path):
    (tmp_path / "link").symlink_to("one")
    result = run("--port", peer.port, *SHORT, "--json", tmp_path / "one", "--csv", tmp_path / "link")
    assert (result.returncode, result.stderr) == (
        1, f"loadgen: --csv {tmp_path}/link: --json goes to the same file\n"
    )  # fmt: skip
    assert not peer.connections and not (tmp_path / "one").exists()


def test_one_pipe_for_two_formats_is_refused(peer):
    result = run("--port", peer.port, *SHORT, "--json", "/dev/stdout")
    assert (result.returncode, result.stdout) == (1, ""), result
    assert result.stderr == "loadgen: the table standard output: --json goes to the same file\n"
    assert run("--port", peer.port, *SHORT, "--json", "/dev/null", "--csv", "/dev/null").returncode == 0


def test_a_link_to_a_file_that_is_not_there_yet(peer, tmp_path):
    (tmp_path / "link").symlink_to("target")
    assert run("--port", peer.port, *SHORT, "--quiet", "--json", tmp_path / "link").returncode == 0
    assert (tmp_path / "link").is_symlink() and json.loads((tmp_path / "target").read_text())["verdict"] == "VALID"


@pytest.mark.cause("the results go to a file without a name")
def test_a_file_that_is_removed_during_the_run_is_made_again(peer, tmp_path):
    peer.goal = 500
    process = launch("--port", peer.port, *LONG, *files(tmp_path))
    assert peer.reached.wait(waiting.PATIENCE)
    for form in FORMS:
        (tmp_path / f"run.{form}").unlink()
    process.send_signal(signal.SIGTERM)
    table, errors = process.communicate(timeout=60)
    assert errors == ""
    assert_marked(tmp_path, table, "ended by a signal after ")


def test_a_run_that_cannot_begin_leaves_files_as_they_were(tmp_path):
    (tmp_path / "run.json").write_text("an earlier run")
    result = run("--host", "no.such.name.invalid", *SHORT, *files(tmp_path))
    assert result.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert (tmp_path / "run.json").read_text() == "an earlier run"


def test_a_longer_file_is_replaced_as_a_whole(peer, tmp_path):
    (tmp_path / "run.csv").write_text("x" * 1_000_000)
    assert run("--port", peer.port, *SHORT, *files(tmp_path)).returncode == 0
    assert "x" not in (tmp_path / "run.csv").read_text()


# -- one that fails at the end -----------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.cause("the first output that fails ends the writing")
@pytest.mark.parametrize("full", FORMS)
def test_a_full_disk_costs_no_other(peer, tmp_path, full):
    result = run("--port", peer.port, *SHORT, *files(tmp_path), f"--{full}", "/dev/full")
    assert (result.returncode, result.stderr) == (1, "loadgen: write /dev/full: No space left on device\n")
    assert "verdict    VALID" in result.stdout
    assert sorted(path.suffix[1:] for path in tmp_path.iterdir() if path.read_text()) == sorted({*FORMS} - {full})


def test_each_failure_has_a_line(peer, tmp_path):
    """RLIMIT_FSIZE: the signal SIGXFSZ would kill the client."""
    result = run(
        "--port", peer.port, *SHORT, *files(tmp_path),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )  # fmt: skip
    assert result.returncode == 1 and "verdict    VALID" in result.stdout, result
    assert result.stderr == "".join(f"loadgen: write {tmp_path}/run.{form}: File too large\n" for form in FORMS)


@pytest.mark.parametrize("words", ((), ("--json", "-"), ("--csv", "-")))
def test_a_reader_that_has_gone_costs_no_file(peer, tmp_path, words):
    ours, theirs = os.pipe()
    os.close(ours)
    with open(theirs, "w") as gone:
        result = run("--port", peer.port, *SHORT, *files(tmp_path), *words, stdout=gone)
    assert (result.returncode, result.stderr) == (1, "loadgen: write standard output: Broken pipe\n")
    assert len([path for path in tmp_path.iterdir() if path.read_text()]) == 3 - bool(words)


def unread(pipe: int) -> int:
    """Bytes in a pipe."""
    count = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="needs a pipe of a known size")
@pytest.mark.parametrize("blocking", (True, False), ids=("blocking", "not blocking"))
def test_a_slow_reader_gets_all_of_it_also_after_signals(peer, blocking):
    """The pipe is full, so the client is in the middle of writing. Where the pipe does not block, a write that fails
    with EAGAIN must be repeated."""
    ours, theirs = os.pipe()
    size = fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(theirs, blocking)
    process = launch("--port", peer.port, *SHORT, "--json", "-", stdout=theirs)
    os.close(theirs)
    waiting.until(lambda: unread(ours) == size, "a full pipe")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        process.send_signal(number)
    with open(ours, encoding="utf-8") as reader:
        report = json.load(reader)
    assert process.wait(60) == report["exit_status"] == 0 and not report["partial"]


# -- signals -----------------------------------------------------------------------------------------


def catches(pid: int, number: int) -> bool:
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return bool(int(text.split("\nSigCgt:")[1].split()[0], 16) >> (number - 1) & 1)


def interrupt(process: subprocess.Popen, number: int = signal.SIGINT) -> None:
    """Sends the signal until the client ends: a second one may end what the first one did not, and none kills."""

    def ended() -> bool:
        if process.poll() is None:
            process.send_signal(number)
        return process.poll() is not None

    waiting.until(ended, "the client's end")


def assert_marked(folder: Path, table: str, why: str) -> dict[str, Any]:
    """Every form says that the run is partial, and why. Returns the JSON."""
    report = json.loads((folder / "run.json").read_text())
    assert report["partial"] is True and why in report["partial_reason"], report["partial_reason"]
    assert any("interrupted:" in reason["text"] for reason in report["reasons"]), report["reasons"]
    for form in ("hgrm", "csv"):
        assert f"# partial: {report['partial_reason']}\n" in (folder / f"run.{form}").read_text(), form
    assert f"partial    {report['partial_reason']}\n" in table, table
    return report


SIGNALS = (
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM,
    signal.SIGXCPU, signal.SIGPROF, signal.SIGIO,
    *(getattr(signal, name) for name in ("SIGPWR", "SIGSTKFLT", "SIGRTMIN", "SIGRTMAX") if hasattr(signal, name)),
)  # fmt: skip


@pytest.mark.cause("the signal kills the client, or is not heard")
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_while_it_measures(peer, tmp_path, number):
    peer.goal = 500
    process = launch("--port", peer.port, *LONG, *files(tmp_path))
    assert peer.reached.wait(waiting.PATIENCE)
    process.send_signal(number)
    table, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (generator.STATUS["UNSTABLE"], "")
    report = assert_marked(tmp_path, table, "ended by a signal after ")
    assert report["counts"]["answered"] > 0 and 0 < report["seconds"] < 50
    assert "achieved" in table and report["histograms"]["service"]["count"] > 0


@pytest.mark.cause("a client behind its schedule sends all that is due before it looks for a signal")
def test_while_it_is_behind_its_schedule(peer, tmp_path):
    """Four million are due in a second. The client can send a tenth of these, and counts the others as unanswered."""
    peer.goal = 2000
    process = launch(
        "--port", peer.port, "--connections", 3, "--rate", 4_000_000, "--warmup", 0, "--duration", 1, "--drain", 1,
        *limits.options(), *files(tmp_path),
    )  # fmt: skip
    assert peer.reached.wait(waiting.PATIENCE)
    interrupt(process)
    counts = assert_marked(tmp_path, process.communicate()[0], "ended by a signal")["counts"]
    assert counts["issued"] == counts["answered"] + counts["unanswered"]
    assert peer.frame_count < counts["issued"]


@linux
def test_while_it_connects(tmp_path):
    """To a port where nobody listens yet, and to a server that never answers."""
    with faulty_peers.Peer(faulty_peers.never_answers) as peer:
        process = launch("--port", peer.port, *LONG, "--connect-timeout", 60, *files(tmp_path))
        waiting.until(lambda: peer.connections and peer.connections[0].byte_count, "a connection")
        interrupt(process)
        report = assert_marked(tmp_path, process.communicate()[0], "while connecting")
    assert process.returncode == generator.STATUS["UNSTABLE"] and report["histograms"] is None
    process = launch("--port", peer.port, *LONG, "--connect-timeout", 60, *files(tmp_path))
    waiting.until(lambda: catches(process.pid, signal.SIGINT), "a client that hears the signal")
    interrupt(process)
    assert_marked(tmp_path, process.communicate()[0], "while connecting")


def test_in_the_warm_up(peer, tmp_path):
    peer.goal = 500
    process = launch("--port", peer.port, *LONG, "--warmup", 50, *files(tmp_path))
    assert peer.reached.wait(waiting.PATIENCE)
    process.send_signal(signal.SIGINT)
    report = assert_marked(tmp_path, process.communicate(timeout=60)[0], "in the warm-up")
    assert report["percentiles"] is None and report["started_unix_ns"] == 0, "nothing was measured"


@pytest.mark.cause("nobody looks for a signal while the last replies are awaited")
def test_while_the_last_replies_are_awaited(tmp_path):
    """The peer has got all 100 requests, and answers none. A signal may still find the last moment of the measured
    time; then the next one ends the wait."""
    with faulty_peers.Peer(faulty_peers.falls_silent) as peer:
        peer.goal = 3 + 100
        process = launch(
            "--port", peer.port, "--connections", 3, "--rate", 500, "--warmup", 0, "--duration", 0.2, "--drain", 50,
            *limits.options(), *files(tmp_path),
        )  # fmt: skip
        assert peer.reached.wait(waiting.PATIENCE)
        interrupt(process)
        report = assert_marked(tmp_path, process.communicate()[0], "ended by a signal")
    assert process.returncode == generator.STATUS["OVERLOADED"]
    assert report["counts"]["unanswered"] == report["histograms"]["censored"]["count"] == 100


@linux
def test_what_a_parent_ignores_stays_ignored(peer, tmp_path):
    """As nohup does it, and a shell for a job in the background."""
    process = launch(
        "--port", peer.port, *LONG, *files(tmp_path), preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    waiting.until(lambda: catches(process.pid, signal.SIGINT), "a client that hears signals")
    assert not catches(process.pid, signal.SIGHUP)
    waiting.until(lambda: peer.frame_count > 100, "a run")
    process.send_signal(signal.SIGHUP)
    before = peer.frame_count
    waiting.until(lambda: peer.frame_count > before + 500, "a run that goes on")
    interrupt(process)
    assert_marked(tmp_path, process.communicate()[0], "ended by a signal after")


def test_what_a_parent_blocks_is_heard(peer, tmp_path):
    def block() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})

    peer.goal = 500
    process = launch("--port", peer.port, *LONG, *files(tmp_path), preexec_fn=block)
    assert peer.reached.wait(waiting.PATIENCE)
    process.send_signal(signal.SIGTERM)
    assert_marked(tmp_path, process.communicate(timeout=60)[0], "ended by a signal after")


def test_a_sum_with_a_partial_run_is_partial(peer, tmp_path, capsys):
    peer.goal = 500
    process = launch("--port", peer.port, *LONG, *files(tmp_path))
    assert peer.reached.wait(waiting.PATIENCE)
    interrupt(process)
    process.communicate()
    path = tmp_path / "run.json"
    merge.main([str(path), "--json", str(tmp_path / "J"), "--hgrm", str(tmp_path / "H"), "--csv", str(tmp_path / "C")])
    report = json.loads((tmp_path / "J").read_text())
    assert report["partial"] and report["partial_reason"].startswith(f"{path}: ended by a signal after ")
    for text in ((tmp_path / "H").read_text(), (tmp_path / "C").read_text()):
        assert f"# partial: {report['partial_reason']}\n" in text
    assert f"partial    {report['partial_reason']}\n" in capsys.readouterr().out


@linux
def test_the_self_test_prints_what_it_knows(tmp_path):
    process = launch("--selftest", "--connections", 3, "--json", tmp_path / "J", "--csv", tmp_path / "C")
    waiting.until(lambda: process.poll() is not None or catches(process.pid, signal.SIGINT), "a client that hears")
    interrupt(process)
    table, errors = process.communicate()
    assert (process.returncode, errors) == (generator.STATUS["UNSTABLE"], "")
    report = json.loads((tmp_path / "J").read_text())
    assert report["partial"] and "points" not in report
    assert "partial    ended by a signal" in table and (tmp_path / "C").read_text().startswith("# partial")


@pytest.mark.parametrize("name", (
    b"\xc3\xa9 \xe2\x82\xac \xe0\xa0\x80 \xf0\x9f\x90\xa7 \xed\x9f\xbf \xf4\x8f\xbf\xbf",  # of 2, 3 and 4 bytes
    b'tab\t quote" back\\ \x01 \x1f \x7f',
    b"\xff \x80 \xc1\xbf \xf5\x80\x80\x80",  # no byte that begins a character
    b"\xe0\x9f\xbf \xed\xa0\x80 \xf0\x8f\xbf\xbf \xf4\x90\x80\x80",  # longer than need be, surrogates, too high
    b"\xc3( \xe2\x82( \xf0\x9f\x90(", b"cut \xe2\x82",
), ids=("characters", "escapes", "bytes", "ranges", "cut", "cut by the end"))  # fmt: skip
def test_the_json_is_utf_8_whatever_a_path_is(peer, tmp_path, name):
    """A file's name is bytes (path_resolution(7)); JSON is UTF-8 (RFC 8259, 8.1). Each byte that is none is U+FFFD."""
    path = os.fsencode(tmp_path) + b"/" + name
    process = launch("--port", peer.port, *SHORT, "--json", os.fsdecode(path))
    process.communicate(timeout=60)
    command = json.loads(Path(os.fsdecode(path)).read_bytes().decode())["options"]["command"]
    expected = name.decode("utf-8", "surrogateescape")
    assert command[-1].endswith("/" + "".join("\ufffd" if "\udc80" <= each <= "\udcff" else each for each in expected))
