"""The system calls that each server makes on the teaching scripts, compared with what was accepted: a change of a
server's calls is seen in review."""

from __future__ import annotations

import argparse
import difflib
import json
import re
import subprocess
from pathlib import Path

import pytest

from suite import kernel, needs, servers, steps, waiting
from suite.replaced import StandIn
from suite.script import BadScript, load
from suite.strace import whole_lines
from tracing import bugs, golden, planted, show
from tracing.__main__ import _bugs, _check_restarts, main
from tracing.calls import Call, Namer, Signal
from tracing.reader import Reader
from tracing.record import Step, Trace, TracedServer, record

# Other builds make other calls: a sanitizer's, those that write counters, poll(2) in place of ppoll(2).
PLAIN = servers.sanitizer() is None and "WITHOUT_PPOLL" not in " ".join(servers.compiler())
PLAIN = PLAIN and servers.build_dir().name != "coverage"
pytestmark = [needs.to_trace, pytest.mark.skipif(not PLAIN, reason="this build makes calls of its own")]
HERE = [name for name in golden.TRACED if servers.absent(name) is None]


@pytest.mark.parametrize("name", golden.EXPECTED)
@pytest.mark.parametrize("server", HERE)
def test_the_calls_are_those_that_were_accepted(server: str, name: str) -> None:
    path = golden.path_of(name, server)
    assert path.exists(), f"no trace was accepted: make trace-accept S={server}"
    expected, found = path.read_text(encoding="utf-8"), record(server, golden.script(name)).steady().text()
    difference = difflib.unified_diff(
        expected.splitlines(), found.splitlines(), "accepted", "now", lineterm="", n=2
    )
    steps.note(f"if that is meant: make trace-accept S={server} SCRIPT={name}, and look at the difference in git")
    assert expected == found, "\n".join(difference)


@pytest.mark.parametrize("server", [name for name in golden.OF_STEPS if servers.absent(name) is None])
def test_the_calls_of_the_steppers_are_those_that_were_accepted(server: str) -> None:
    found = record(server, golden.script(golden.STEPPED), *golden.OF_STEPS[server]).steady().text()
    command = f"make trace-accept S={server} SCRIPT={golden.STEPPED}"
    steps.note(f"if that is meant: {command}, and look at the difference in git")
    assert found == golden.path_of(golden.STEPPED, server).read_text(encoding="utf-8")


def test_every_accepted_trace_is_of_a_script_and_a_server_that_exist() -> None:
    accepted = {path for path in (golden.HERE / "golden").rglob("*.txt")}
    of_servers = {golden.path_of(name, server) for name in golden.SCRIPTS for server in golden.TRACED}
    of_steps = {golden.path_of(golden.STEPPED, name) for name in golden.OF_STEPS}
    expected = of_servers | of_steps | planted.expected()
    assert not accepted - expected, "nobody reads these"
    assert not expected - accepted, "make trace-accept S=NAME writes those of a server"


@pytest.mark.parametrize("name", sorted(golden.RECORDINGS))
def test_a_recording_is_made_of_every_server(name: str) -> None:
    """How the kernel cuts a flood is not always the same; that every byte comes back is."""
    for server in HERE:
        trace = record(server, golden.script(name))
        received, sent = (
            sum(int(call.text.rpartition(" = ")[2]) for step in trace.steps for call in step.calls
                if call.name == name and not call.fails)
            for name in ("recv", "send")
        )  # fmt: skip
        assert received == sent > 60_000, f"{server}: {received} bytes received, {sent} sent"


# -- how a line becomes a call ---------------------------------------------------------------------


def named(*lines: str) -> list[str]:
    namer = Namer({40000: "peer 0"})
    found = [namer.take(each) for each in whole_lines(lines)]
    return [each.text if isinstance(each, Call) else each.name for each in found if each is not None]


ACCEPT = (
    "7 accept4(3<TCP:[127.0.0.1:9000]>, NULL, NULL, SOCK_CLOEXEC|SOCK_NONBLOCK) = "
    "5<TCP:[127.0.0.1:9000->127.0.0.1:40000]>"
)


def test_numbers_become_names() -> None:
    add = "7 epoll_ctl(4<anon_inode:[eventpoll]>, EPOLL_CTL_ADD, 5<TCP:[127.0.0.1:9000->127.0.0.1:40000]>, {events="
    assert named(
        ACCEPT,
        add + "EPOLLIN|EPOLLET, data={u32=1, u64=7001}}) = 0",
        "7 epoll_wait(4<anon_inode:[eventpoll]>, [{events=EPOLLIN, data={u32=1, u64=7001}}], 256, -1) = 1",
        "7 close(5<TCP:[127.0.0.1:9000->127.0.0.1:40000]>) = 0",
    ) == ["accept(listener) = peer 0", "epoll_ctl(ADD, peer 0, IN|ET)", "epoll_wait() = peer 0: IN", "close(peer 0)"]


def test_a_number_that_is_given_again_gets_the_new_name() -> None:
    again = ACCEPT.replace("40000", "40001")
    assert named(ACCEPT, "7 close(5) = 0", again)[-1] == "accept(listener) = a peer"


def test_a_copy_of_a_standard_stream_is_no_pipe_of_the_server() -> None:
    assert named(
        "7 fcntl(2<pipe:[1]>, F_DUPFD_CLOEXEC, 0) = 5<pipe:[1]>",
        "7 close(5<pipe:[1]>) = 0",
        "7 pipe2([5<pipe:[9]>, 6<pipe:[9]>], 0) = 0",
    ) == ["fcntl(standard error, DUPFD_CLOEXEC)", "close(standard error)", "pipe() = pipe 0"]


def test_a_call_that_another_thread_interrupts_stands_where_it_ends() -> None:
    assert named(
        "7 epoll_wait(4<anon_inode:[eventpoll]>,  <unfinished ...>",
        ACCEPT.replace("7 ", "8 ", 1),
        "7 <... epoll_wait resumed>[], 256, -1) = 0",
    ) == ["accept(listener) = peer 0", "epoll_wait() = nothing"]


def test_signals_and_noise() -> None:
    assert named(
        "7 brk(NULL) = 0x1000",
        "7 --- SIGTERM {si_signo=SIGTERM} ---",
        "7 +++ exited with 0 +++",
        "7 poll([{fd=2<pipe:[1]>, events=POLLOUT}], 1, 0) = 1 ([{fd=2, revents=POLLOUT}])",
        r'7 read(4<anon_inode:[signalfd]>, "\17"..., 128) = 128',
        r'7 read(4<anon_inode:[signalfd]>, "\n\0\0\0"..., 128) = 128',
        r'7 read(4<anon_inode:[signalfd]>, "\f\0\0\0"..., 128) = 128',
    ) == ["SIGTERM", "poll(standard error: OUT) = standard error: OUT",
          *(f"read(signals) = {name}" for name in ("SIGTERM", "SIGUSR1", "SIGUSR2"))]  # fmt: skip
    assert isinstance(Namer({}).take("--- SIGTERM {si_signo=SIGTERM} ---"), Signal)


def test_wake_ups_that_only_tell_of_room_are_no_part_of_what_is_expected() -> None:
    wait = Call("epoll_wait", "epoll_wait() = peer 0: OUT", waits=True)
    both = Call("epoll_wait", "epoll_wait() = peer 1: OUT, peer 0: OUT", waits=True)
    send = Call("send", "send(peer 0, 9) = 9")
    trace = Trace("epoll_et", [Step("one", [wait, both, wait, send]), Step("two", [both])])
    assert [step.calls for step in trace.steady().steps] == [[wait, send], []]


def test_rounds_of_the_same_calls_are_told_once() -> None:
    def lines(words: str) -> list[str]:
        return Step("peer", calls(words)).lines

    assert lines("a " + "w e " * 10 + "b") == ["a", "w", "e", "these 2 calls: 10 times", "b"]
    assert lines("a " + "w e " * 9) == ["a"] + ["w", "e"] * 9
    assert lines("w " * 12 + "b b") == ["w   12 times", "b   2 times"]


# -- on the terminal -------------------------------------------------------------------------------


def trace_of(server: str, *calls: str) -> Trace:
    return Trace(server, [Step("peer 0 connects", [Call(text.partition("(")[0], text) for text in calls])])


def test_servers_stand_side_by_side_and_long_cells_are_folded() -> None:
    long = "epoll_ctl(ADD, peer 0, IN|PRI|OUT|RDHUP|ET)"
    text = show.table([trace_of("one", "recv(peer 0, 9) = 9"), trace_of("two", long)], 60)
    assert max(map(len, text.splitlines())) <= 60
    assert "  recv(peer 0, 9) = 9  epoll_ctl(ADD, peer 0," in text and "1 recv" in text
    narrow = show.table([trace_of("one", "recv(peer 0, 9) = 9"), trace_of("two", long)], 40)
    assert narrow.index("== one") < narrow.index("== two")


@pytest.mark.parametrize("words, status, said", (
    ([], 2, "one-echo"),
    (["nothing-like-it"], 2, "'nothing-like-it' is no script and no file"),
    (["one-echo", "--servers", "nobody"], 2, "'nobody' is no server"),
    (["one-echo", "--servers", "kqueue_srv"], 2, "kqueue_srv: strace does not see"),
    (["--accept", "--bug", "counter-forgotten"], 2, "no trace of it is kept: a number in the statistics is wrong"),
))  # fmt: skip
def test_bad_usage(words: list[str], status: int, said: str) -> None:
    done = subprocess.run(
        ["sh", "-c", 'PYTHONPATH=harness exec "$(harness/python)" -m tracing "$@"', "sh", *words],
        cwd=servers.ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == status and said in done.stdout + done.stderr, done.stdout + done.stderr


# -- what script/2 can do more ---------------------------------------------------------------------

MORE = (
    {"do": "send", "frames": [5]}, {"do": "count"}, {"do": "limit", "descriptors": 0}, {"do": "expect_asleep"},
    {"do": "connect", "peer": 1}, {"do": "limit"}, {"do": "raw", "hex": "00 00 00 01 61"},
    {"do": "signal", "name": "SIGTERM"}, {"do": "expect_exit"},
)  # fmt: skip


def test_what_script_2_can_do_more_is_recorded_and_what_it_expects_is_not(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"schema": "script/2", "actions": MORE}))
    steps_ = {step.what: step.lines for step in record("poll_srv", load(path)).steps}
    assert "accept(listener) = EMFILE" in steps_["peer 1 connects"]
    assert "recv(peer 0, 65536) = 5" in steps_["peer 0 sends the bytes 00 00 00 01 61"]
    assert "close(listener)" in steps_["SIGTERM"]
    assert not [what for what in steps_ if "expect" in what or "count" in what]


# -- a restart -------------------------------------------------------------------------------------

FORKS = (
    "7 pipe2([5<pipe:[11]>, 6<pipe:[11]>], 0) = 0",
    "7 rt_sigprocmask(SIG_BLOCK, ~[], [], 8) = 0",
    "7 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD <unfinished ...>",
    "8 set_robust_list(0x1, 24 <unfinished ...>",
    "7 <... clone resumed>, child_tidptr=0x1) = 8",
    "7 rt_sigprocmask(SIG_SETMASK, [], NULL, 8 <unfinished ...>",
    "8 <... set_robust_list resumed>) = 0",
    "7 <... rt_sigprocmask resumed>) = 0",
    "8 rt_sigprocmask(SIG_SETMASK, [], NULL, 8) = 0",
    "7 close(6<pipe:[11]>) = 0",
    "8 dup2(6<pipe:[11]>, 4) = 4<pipe:[11]>",
    "7 read(5<pipe:[11]>,  <unfinished ...>",
    "8 rt_sigprocmask(SIG_SETMASK, [], NULL, 8) = 0",
)
EXECVE = '8 execve("/there/my_srv", ["/the"...], ["PATH"...]'
FOLLOWED = ["pipe() = pipe 0", "fork()", "child: dup2(pipe 0, 4)", "child: sigprocmask(SETMASK)"]
READS = '7 <... read resumed>"", 4) = 0'


@pytest.mark.parametrize("lines, became", (
    ((f"{EXECVE} <detached ...>", READS), "child: execve(argv[0])"),
    ((f"{EXECVE} <unfinished ...>", READS), "child: execve(argv[0])"),
    ((f"{EXECVE} <unfinished ...>", READS, "8 <... execve resumed>) = -1 ENOENT (No such file)"),
     "child: execve(argv[0]) = ENOENT"),
    ((EXECVE.replace("/there/my_srv", "/proc/self/exe") + " <detached ...>", READS), "child: execve(/proc/self/exe)"),
))  # fmt: skip
def test_the_calls_of_a_child_stand_behind_the_fork(tmp_path: Path, lines: tuple[str, ...], became: str) -> None:
    """However strace has mixed them; and without those that a newer C library adds."""
    path = tmp_path / "trace"
    path.write_text("\n".join([*FORKS, *lines, ""]))
    found = [call.text for call in Reader(path, {}, 7, "/there/my_srv").calls()]
    assert found == [*FOLLOWED, became, "close(pipe 0)", "read(pipe 0) = 0"]


def test_a_thread_is_no_child() -> None:
    assert named("7 clone3({flags=CLONE_VM|CLONE_THREAD, stack=0x1}, 88) = 8") == ["clone3()"]
    assert named("7 kill(9, SIGTERM) = 0", "7 fork() = 9", "7 kill(9, SIGTERM) = 0") == [
        "kill(a process, SIGTERM)", "fork()", "kill(child, SIGTERM)",
    ]  # fmt: skip


REPLACE, SIGUSR2 = {"do": "replace"}, {"do": "signal", "name": "SIGUSR2"}
LISTENS, ENDS = {"do": "new_program", "does": "listens"}, {"do": "new_program", "does": "ends"}


@pytest.mark.parametrize("actions, wrong", (
    ([LISTENS], 1), ([REPLACE, LISTENS], 2), ([SIGUSR2, REPLACE, LISTENS], 3), ([REPLACE, SIGUSR2, ENDS, LISTENS], 4),
))  # fmt: skip
def test_nobody_is_told_anything_who_does_not_run(tmp_path: Path, actions: list[dict], wrong: int) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"schema": "script/2", "actions": actions}))
    with pytest.raises(BadScript, match=f"action {wrong}: 'new_program' needs a 'replace' before it, and then a 'sig"):
        load(path, may_replace=True)


def test_a_server_that_may_not_restart_is_refused() -> None:
    with pytest.raises(BadScript, match="restart: a restart, and nobody has said that a_strangers restarts at SIGUSR2"):
        _check_restarts(["poll_srv", "a_strangers"], {"restart": golden.script("restart")})
    _check_restarts(["poll_srv", "a_strangers"], {"one-echo": golden.script("one-echo")})


def test_a_program_that_has_no_path_costs_nothing() -> None:
    assert named("7 execve(NULL, NULL, NULL) = -1 EFAULT (Bad address)") == ["execve() = EFAULT"]


def test_nothing_of_a_restart_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the new program is a server, which ends only if somebody ends it."""
    groups: list[int] = []

    class Watched(TracedServer):
        def kill(self) -> None:
            groups.append(self.process.pid)
            super().kill()

    monkeypatch.setattr("tracing.record.TracedServer", Watched)
    monkeypatch.setattr(StandIn, "take_its_place", lambda _: None)
    trace = record("poll_srv", golden.script("restart"))
    assert "child: execve(argv[0])" in trace.text() and "accept(listener) = peer 1" not in trace.text()
    waiting.until(lambda: kernel.group_is_gone(groups[0]), "the end of the new program")


# -- accepting -------------------------------------------------------------------------------------


def accept(monkeypatch: pytest.MonkeyPatch, into: Path, *words: str) -> int:
    monkeypatch.setattr(golden, "HERE", into)
    monkeypatch.setattr("sys.argv", ["trace", "--accept", *words])
    return main()


@pytest.mark.parametrize("script", ("one-echo", golden.STEPPED))
def test_of_one_server_nobody_elses_trace_is_accepted(monkeypatch, tmp_path: Path, script: str) -> None:
    assert accept(monkeypatch, tmp_path, script, "--servers", "poll_srv") == 0
    assert list(tmp_path.rglob("*.txt")) == [golden.path_of(script, "poll_srv")]


def test_of_one_server_no_bug_is_built_that_others_have() -> None:
    def bugs_of(*names: str) -> list[str]:
        return _bugs(argparse.Namespace(bug=None, scripts=[], servers=list(names)))

    assert bugs_of("new_srv") == []
    assert "edge-reads-once" in bugs_of("epoll_et") and "edge-reads-once" not in bugs_of("poll_srv")
    assert set(bugs_of()) == set(bugs_of(*golden.TRACED))


def test_what_cannot_be_written_is_said_in_a_line(monkeypatch, tmp_path: Path, capsys) -> None:
    (tmp_path / "golden").write_text("no directory")
    assert accept(monkeypatch, tmp_path, "one-echo", "--servers", "poll_srv") == 1
    path = golden.path_of("one-echo", "poll_srv")
    assert capsys.readouterr().err == f"trace: {path}: cannot be written: Not a directory\n"


@pytest.mark.parametrize("word, said", (
    ("nosuch", f"'nosuch' is no server; there are {', '.join(servers.ALL)}; traced are {', '.join(golden.TRACED)}"),
    ("kqueue_srv", f"; traced are {', '.join(golden.TRACED)}"),
))  # fmt: skip
def test_the_servers_that_can_be_named_are_named(monkeypatch, tmp_path: Path, capsys, word: str, said: str) -> None:
    assert accept(monkeypatch, tmp_path, "one-echo", "--servers", word) == 2
    assert said in capsys.readouterr().err


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_trace_that_comes_out_differently_is_left_alone_unless_it_is_named(monkeypatch, tmp_path, capsys) -> None:
    """The reviewer of another change would see it changed, too."""
    taken = golden.Accepted(named=False)
    flood, other = golden.path_of("flood", "poll_srv"), tmp_path / "other.txt"
    assert taken.leaves(flood, same_each_time=False) and not taken.leaves(flood, same_each_time=True)
    assert not taken.leaves(other, same_each_time=False)
    assert not taken.leaves(flood, False, lambda text: False), "it does not hold any more"
    assert not golden.Accepted(named=True).leaves(flood, same_each_time=False)
    monkeypatch.setattr(golden, "SCRIPTS", {name: golden.SCRIPTS[name] for name in ("flood", "one-echo")})
    monkeypatch.setattr("tracing.__main__._bugs", lambda _: [])
    for path in (golden.HERE / "golden").glob("*/*.txt"):
        copy = tmp_path / path.relative_to(golden.HERE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("kept\n" if path.parent.name == "flood" else path.read_text())
    before = files(tmp_path)
    assert accept(monkeypatch, tmp_path) == 0
    assert files(tmp_path) == before
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"written: 0 traces; the same as before: {len(HERE)}"
    assert said[1].startswith(f"left alone, as no two runs leave the same: {len(HERE)}; ")
    assert accept(monkeypatch, tmp_path, "flood", "--servers", "poll_srv") == 0
    changed = {name for name, text in files(tmp_path).items() if text != before.get(name)}
    assert changed == {"golden/flood/poll_srv.txt"}
    assert capsys.readouterr().out.startswith("golden/flood/poll_srv.txt: written\nwritten: 1 ")


def test_an_interrupt_leaves_whole_files_and_says_which_are_new(monkeypatch, tmp_path, capsys) -> None:
    before = {"golden/one-echo/epoll_lt.txt": "old\n", "golden/one-echo/poll_srv.txt": "old\n"}
    for name, text in before.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def replace(self: Path, target: Path) -> None:
        if target.stem == "epoll_lt":
            raise KeyboardInterrupt
        target.write_text(self.read_text())
        self.unlink()

    monkeypatch.setattr(Path, "replace", replace)
    assert accept(monkeypatch, tmp_path, "one-echo", "--servers", "poll_srv", "epoll_lt") == 130
    found = files(tmp_path)
    assert found.keys() == before.keys() and found["golden/one-echo/epoll_lt.txt"] == "old\n"
    out, errors = capsys.readouterr()
    assert out == "golden/one-echo/poll_srv.txt: written\nwritten: 1 traces; the same as before: 0\n"
    assert errors == "trace: interrupted; the traces that came behind are as they were\n"


# -- planted bugs ----------------------------------------------------------------------------------


@pytest.mark.timeout(600)  # builds the server twice
def test_a_planted_bug_stands_beside_the_server_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """epoll_lt asks for EPOLLOUT although nothing is to be sent: every wait returns at once."""
    with bugs.planted("write-interest-always-on", ["epoll_lt"]) as (whole, wrong):
        assert (whole.label, wrong.label) == ("epoll_lt", "epoll_lt: write-interest-always-on")
        monkeypatch.setenv("BUILD_DIR", str(wrong.build))
        trace = record(wrong.server, golden.script("frame-in-pieces"))
    assert not any(step.sleeps for step in trace.steps[1:-1]) and "    it does not sleep" in trace.text()
    assert re.search(r"^    epoll_wait\(\) = peer 0: OUT   [\d,]{3,} times$", trace.text(), re.MULTILINE)


@pytest.mark.parametrize("bug, said", (
    ("nothing-like-it", "'nothing-like-it' is no planted bug"),
    ("edge-reads-once", "edge-reads-once is planted in epoll_et, and not in poll_srv"),
    ("freed-in-the-batch", "shows in memory, not in system calls"),
))  # fmt: skip
def test_a_bug_that_cannot_be_shown(bug: str, said: str) -> None:
    with pytest.raises(servers.BadList, match=re.escape(said)):
        bugs.check_bug(bug, ["poll_srv"])


# -- servers that do not sleep ---------------------------------------------------------------------


def calls(words: str) -> list[Call]:
    """`w`: a wait."""
    return [Call(word, word, waits=word == "w") for word in words.split()]


def folded(*steps_: tuple[str, bool]) -> list[list[str]]:
    trace = Trace("epoll_lt", [Step("peer", calls(words), sleeps) for words, sleeps in steps_])
    return [[call.text + "*" * call.often for call in step.calls] for step in trace.steady().steps]


def test_a_round_that_goes_on_is_told_once() -> None:
    assert folded(("accept " + "w e " * 30 + "w", False)) == [["accept", "w*", "e*"]]


def test_the_rounds_before_a_peer_does_something_belong_to_the_step_before() -> None:
    again = folded(("w e " * 30, False), ("e w e w e w recv close", True), ("w send", True))
    assert again == [["w*", "e*"], ["w", "recv", "close"], ["w", "send"]]


def test_rounds_that_end_within_the_step_are_told_once() -> None:
    assert folded(("w " + "w e " * 30 + "w close", True)) == [["w", "w*", "e*", "w", "close"]]
    assert folded(("w " * 19 + "recv", True)) == [["w"] * 19 + ["recv"]]


@pytest.mark.parametrize("bug, misses, wrong", (
    ("edge-forgets-after-pause", 2, 0), ("edge-forgets-after-pause", 3, 1), ("edge-forgets-waiting-peers", 1, 1),
))  # fmt: skip
def test_a_trace_that_differs_each_time_may_show_its_bug_at_the_third_attempt(monkeypatch, bug, misses, wrong) -> None:
    """The kernel may cut a flood so that the bug does not show. All other traces show it each time."""
    (claim,) = planted.of_bug(bug)
    kept, whole = planted.path_of(claim, "epoll_et").read_text(), planted.whole_of(claim, "epoll_et")
    texts = iter([whole] * misses + [kept] * 4)

    class Recorded:
        def steady(self) -> Recorded:
            return self

        def text(self) -> str:
            return next(texts)

    monkeypatch.setattr(planted, "record", lambda *_: Recorded())
    assert len(planted.again(bug, Path())) == wrong
