"""The player: right servers pass, and each fault of a server is found, for the reason that it is."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import re
import socket
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest
import wrong_server

from grader import play, stillness, telling
from grader.host import HostFault
from grader.local import LocalHost, LocalRunning
from grader.result import Outcome
from labkit.protocol import SHAPES
from suite import kernel, needs, servers, waiting
from suite import script as scripts
from suite.model import PeerModel
from suite.protocol import ECHO, Protocol
from suite.script import Action, BadScript
from suite.strace import faults
from tracing.calls import Call

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the labs are graded on Linux")


def written(directory: Path, actions: list[dict[str, Any]], **top: Any) -> Path:
    path = directory / "script.json"
    path.write_text(json.dumps({"schema": "script/2", "actions": actions, **top}))
    return path


@pytest.fixture
def server(tmp_path):
    """Writes a program that is wrong_server.py with a fault."""

    def make(fault: str, protocol: Protocol = ECHO) -> Path:
        return wrong_server.written(tmp_path / "server", fault, protocol)

    return make


def played(
    program: Path, directory: Path, actions: list[dict[str, Any]], protocol: Protocol = ECHO, **top: Any
) -> Outcome:
    return play.play(LocalHost(), program, written(directory, actions, **top), protocol)


ONE = [{"do": "send", "peer": 0, "frames": [5]}, {"do": "settle"}]
TWICE = [
    *ONE, {"do": "stop_reading", "peer": 0}, {"do": "signal", "name": "SIGTERM"}, {"do": "expect_asleep"},
    {"do": "signal", "name": "SIGTERM"}, {"do": "expect_exit"},
]  # fmt: skip
MANY = [
    {"do": "send", "peer": 0, "frames": [5, 0, "max"], "hold": 3}, {"do": "settle"}, {"do": "send", "peer": 0},
    {"do": "freeze"}, {"do": "send", "peer": 1, "frames": [1, 2, 3]}, {"do": "half_close", "peer": 1}, {"do": "thaw"},
    {"do": "settle"}, {"do": "expect_asleep"}, {"do": "send", "peer": 2, "frames": [7]},
    {"do": "oversize", "peer": 2, "size": 1}, {"do": "undersize", "peer": 3},
    {"do": "wrong_check", "peer": 4, "size": 9}, {"do": "raw", "peer": 5, "hex": "00"}, {"do": "settle"},
    {"do": "reset", "peer": 0}, {"do": "send", "peer": 6, "frames": ["2*low-30000"]}, {"do": "expect_alive"},
]  # fmt: skip


# -- right ones ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES[:: len(SHAPES) // 7], ids=str)
def test_a_right_server_passes_in_each_protocol(server, tmp_path, shape):
    outcome = played(server("none", shape), tmp_path, MANY, shape)
    assert outcome.passed, outcome


def test_another_protocol_fails(server, tmp_path):
    outcome = played(server("none"), tmp_path, ONE, Protocol(transform="xor", key=5))
    assert not outcome.passed and "from byte 4 on" in outcome.expected


LIMITS: dict[str, list[dict[str, Any]]] = {
    "no-descriptor": [
        *ONE, {"do": "limit", "descriptors": 0}, {"do": "send", "peer": 1, "frames": [5]},
        {"do": "expect_refused", "peer": 1}, {"do": "send", "peer": 2, "frames": [7]},
        {"do": "send", "peer": 0, "frames": [9]}, {"do": "settle"}, {"do": "expect_asleep"},
        {"do": "half_close", "peer": 0}, {"do": "settle"}, {"do": "expect_served", "peer": 2}, {"do": "limit"},
        {"do": "send", "peer": 5, "frames": [3]}, {"do": "settle"},
    ],
    "no-descriptor-at-all": [
        {"do": "limit", "descriptors": 0},
        *({"do": do, "peer": peer} for peer in (1, 2) for do in ("connect", "half_close")),
        {"do": "send", "peer": 3, "frames": [5]}, {"do": "half_close", "peer": 3}, {"do": "settle"},
    ],
    "stop": [{"do": "send", "peer": 0, "frames": [5, 8], "hold": 2}, {"do": "connect", "peer": 1}, {"do": "stop"}],
    "request-before-the-signal": [
        {"do": "connect", "peer": 0}, {"do": "settle"}, {"do": "freeze"}, {"do": "send", "peer": 0, "frames": [5, 8]},
        {"do": "signal", "name": "SIGTERM"}, {"do": "thaw"}, {"do": "settle"}, {"do": "expect_exit"},
    ],
    "two-signals": [
        {"do": "send", "peer": 0, "frames": [5, 8], "hold": 2}, {"do": "settle"}, {"do": "signal", "name": "SIGTERM"},
        {"do": "settle"}, {"do": "signal", "name": "SIGTERM"}, {"do": "expect_exit"},
    ],
    "second-signal": TWICE,
    "another-signal": [*ONE, {"do": "signal", "name": "SIGPIPE"}, {"do": "send", "peer": 0, "frames": [2]}],
    "memory": [
        {"do": "stop_reading", "peer": 0}, {"do": "flood", "peer": 0, "size": 7000, "bytes": "40*high"},
        {"do": "settle"}, {"do": "expect_memory", "most": "10*high"},
    ],
}  # fmt: skip
TRACED: dict[str, list[dict[str, Any]]] = {
    "calls-fail": [
        {"do": "inject", "call": "recv", "error": "EINTR", "when": 2, "times": 5, "every": 2},
        {"do": "send", "peer": 0, "frames": [5, 6, "max"]}, {"do": "settle"},
        {"do": "send", "peer": 1, "frames": [5, 6, "max"]}, {"do": "settle"},
    ],
    "a-reset": [
        {"do": "inject", "call": "recv", "error": "ECONNRESET"}, *ONE, {"do": "send", "peer": 1, "frames": [5]},
    ],
    "no-descriptor-for-accept": [
        {"do": "inject", "call": "accept", "error": "EMFILE", "when": 2}, *ONE,
        {"do": "send", "peer": 1, "frames": [5]}, {"do": "send", "peer": 2, "frames": [5]}, {"do": "settle"},
        {"do": "expect_asleep"},
    ],
    "calls-counted": [
        *ONE, {"do": "count"}, {"do": "send", "peer": 0, "frames": [5]},
        {"do": "expect_calls", "name": "recv", "text": "peer 0", "least": 1, "most": 3},
        {"do": "expect_calls", "name": "send", "text": "peer 0", "least": 1, "most": 1},
        {"do": "expect_calls", "name": "accept", "most": 0}, {"do": "expect_calls", "name": "wait", "least": 1},
        {"do": "connect", "peer": 1},
        {"do": "expect_calls", "name": "accept", "text": "= peer 1", "least": 1, "most": 1},
        {"do": "expect_calls", "name": "send", "most": 0},
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", ["epoll_lt", "epoll_et"])
@pytest.mark.parametrize("what", LIMITS)
def test_the_projects_servers_pass(name, what, tmp_path):
    outcome = played(servers.program(name), tmp_path, LIMITS[what])
    assert outcome.passed, outcome


@needs.to_trace
@pytest.mark.parametrize("name", ["epoll_lt", "epoll_et"])
@pytest.mark.parametrize("what", TRACED)
def test_the_projects_servers_pass_under_strace(name, what, tmp_path):
    outcome = played(servers.program(name), tmp_path, TRACED[what])
    assert outcome.passed, outcome


@pytest.mark.parametrize("top", [{"idle_timeout": 0.3}, {"max_lifetime": 0.3}], ids=["idle", "old"])
def test_timeouts(top, tmp_path):
    actions = [*ONE, {"do": "connect", "peer": 1}, {"do": "settle"}, {"do": "idle"}]
    outcome = played(servers.program("epoll_lt"), tmp_path, actions, **top)
    assert outcome.passed, outcome


# -- wrong ones ----------------------------------------------------------------------------------------------

ASLEEP = [*ONE, {"do": "expect_asleep"}]
HALF = [{"do": "send", "peer": 0, "frames": [5], "hold": 2}, {"do": "settle"}]
FAULTS: list[tuple[str, list[dict[str, Any]], str, str]] = [
    ("silent", ONE, "every reply", r"peer 0 got 0 of 9 bytes; the server does not go on: it sleeps"),
    ("wrong", ONE, "from byte 8 on", r"[0-9a-f]{2}"),
    ("twice", ONE, "no byte but those of replies", "18 bytes came, only 9"),
    ("early", HALF, "no byte but those of replies", "7 bytes came, only 0"),
    ("closes", ONE, "", "the server ended the stream|reset"),
    ("dies", ONE, "", "the server ended: SIGSEGV"),
    ("ends", ONE, "", "the server ended: exit status 3"),
    ("spins", ASLEEP, "the server sleeps", "it runs, and has nothing to do|it wakes up again and again"),
    ("ticks", ASLEEP, "the server sleeps", "it wakes up again and again|it runs"),
    ("keeps", ONE, "closes the descriptor of each connection", "1 socket more than at the start is open"),
    ("holds", [*ONE, {"do": "expect_memory", "most": 1 << 20}], "at most 1,048,576 bytes more", "[0-9,]+ bytes more"),
    ("refuses", [{"do": "connect", "peer": 0}, {"do": "settle"}], "", "ended the stream|reset"),
    ("refuses", [{"do": "freeze"}, *ONE, {"do": "thaw"}], "", "^peer 0: the server has reset the connection, with 9"),
    ("deaf", ONE, "the server starts, and listens", "it does not listen"),
    ("at-once", ONE, "the server starts, and listens", "(?s)exit status 2.*no such option"),
    ("bad-status", [*ONE, {"do": "stop"}], "exit status 0", "exit status 1"),
    ("deaf-to-signals", [*ONE, {"do": "stop"}], "", "it sleeps"),
    ("drains", TWICE, "the server ends", "it sleeps"),
    ("stops", ONE, "every reply", "it has stopped itself"),
]


@pytest.mark.parametrize("fault, actions, expected, came", FAULTS, ids=[each[0] for each in FAULTS])
def test_a_fault_is_found(server, tmp_path, fault, actions, expected, came):
    outcome = played(server(fault), tmp_path, actions)
    assert not outcome.passed and expected in outcome.expected, outcome
    assert re.search(came, outcome.came), outcome
    assert not outcome.noisy and outcome.steps[0].startswith("the server starts: --port 0 --max-frame 30000")


@needs.to_trace
def test_a_trace_that_the_disk_had_no_room_for_is_no_servers_fault(server, tmp_path, monkeypatch):
    """strace says nothing of what it cannot write, so calls would be missing."""
    full = os.statvfs_result((4096, 4096, 9, 9, 0, 9, 9, 9, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    assert played(server("none"), tmp_path, ONE).passed
    with pytest.raises(HostFault, match="no space is left"):
        played(server("none"), tmp_path, [*ONE, {"do": "expect_calls", "name": "recv", "least": 1}])


@needs.to_trace
def test_who_stops_itself_under_strace_is_found(server, tmp_path):
    outcome = played(server("stops"), tmp_path, [*ONE, {"do": "count"}])
    assert not outcome.passed and "it has stopped itself" in outcome.came and not outcome.noisy, outcome


def test_a_child_that_has_ended_is_asleep(server, tmp_path):
    outcome = played(server("zombie"), tmp_path, ASLEEP)
    assert outcome.passed, outcome


def test_output_without_end_is_bounded(server, tmp_path):
    """A pipe that nobody empties would stop the server."""
    outcome = played(server("loud"), tmp_path, [*ONE, {"do": "send", "peer": 0, "frames": [1] * 9}, {"do": "settle"}])
    assert outcome.passed, outcome


def test_nothing_is_left_behind(server, tmp_path):
    played(server("deaf"), tmp_path, ONE)
    left = [path for path in Path("/proc").glob("[0-9]*") if b"wrong_server.py" in _command(path)]
    assert not [path for path in left if _parent(path) == os.getpid()]


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


# Each expects what epoll_lt does not do.
REFUTED: dict[str, list[dict[str, Any]]] = {
    "served": [
        *ONE, {"do": "limit", "descriptors": 0}, {"do": "connect", "peer": 1}, {"do": "expect_served", "peer": 1},
    ],
    "refused": [*ONE, {"do": "send", "peer": 1, "frames": [3]}, {"do": "expect_refused", "peer": 1}],
    "exit": [*ONE, {"do": "signal", "name": "SIGTERM"}, {"do": "expect_exit", "status": 3}],
    "alive": [*ONE, {"do": "expect_exit"}],
    "memory": [
        {"do": "stop_reading", "peer": 0}, {"do": "flood", "peer": 0, "size": 7000, "bytes": "40*high"},
        {"do": "settle"}, {"do": "expect_memory", "most": 10},
    ],
}  # fmt: skip


@pytest.mark.parametrize("what", REFUTED)
def test_what_is_expected_and_does_not_come(what, tmp_path):
    outcome = played(servers.program("epoll_lt"), tmp_path, REFUTED[what])
    assert not outcome.passed and outcome.expected and outcome.came, outcome


@needs.to_trace
@pytest.mark.parametrize(
    "action, came",
    [
        ({"name": "recv", "text": "peer 0", "least": 50}, r"\d calls?: recv\(peer 0, \d+\) = 9"),
        ({"name": "epoll_ctl", "text": "ADD", "most": 0}, r"\d calls?: epoll_ctl\(ADD, "),
        ({"name": "shutdown", "least": 1}, "0 calls"),
    ],
)
def test_calls_that_do_not_fit(action, came, tmp_path):
    outcome = played(servers.program("epoll_lt"), tmp_path, [*ONE, {"do": "expect_calls", **action}])
    assert not outcome.passed and re.match(came, outcome.came), outcome


def test_a_call_counts_by_what_it_does():
    read, pipe, child = Call("read", "read(peer 0) = 5"), Call("read", "read(pipe 0) = 5"), Call("fork", "fork()")
    assert play.is_call(read, "recv") and not play.is_call(pipe, "recv") and play.is_call(pipe, "read")
    assert all(play.is_call(child, name) for name in ("fork", "vfork", "clone", "clone3"))
    assert not play.is_call(read, "clone")


def test_a_program_that_is_not_there_is_the_graders_fault(tmp_path):
    with pytest.raises(HostFault, match="not there"):
        played(tmp_path / "nothing", tmp_path, ONE)


# -- scripts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "actions, complaint",
    [
        ([], "at least one action"),
        ([{"do": "sned"}], "action 1: 'sned' is not one of"),
        ([{"peer": 0}], 'action 1: an action is an object with a "do"'),
        (["settle"], "action 1: an action is an object"),
        (
            [{"do": "settle"}, {"do": "send", "size": 3}],
            "action 2: 'send' takes no 'size'; it takes peer, frames, hold",
        ),
        ([{"do": "settle", "peer": 0}], "action 1: 'settle' takes no 'peer'"),
        ([{"do": "flood", "size": 3}], "action 1: 'flood' needs a 'bytes'"),
        ([{"do": "send", "frames": 5}], "'frames' has to be a list"),
        ([{"do": "send", "frames": [-1]}], "a size in 'frames' has to be a whole number from 0"),
        ([{"do": "send", "frames": [True]}], "a size in 'frames' has to be a whole number"),
        ([{"do": "send", "frames": [1.5]}], "a size in 'frames' has to be a whole number"),
        ([{"do": "send", "frames": ["max+1"]}], "a frame of more than max-frame (30,000); use 'oversize'"),
        ([{"do": "send", "frames": ["half"]}], "a size in 'frames' is 'half': write a number"),
        ([{"do": "send", "peer": 256}], "'peer' has to be a whole number from 0 to 255"),
        ([{"do": "flood", "size": 5, "bytes": 1 << 40}], "'bytes' has to be a whole number"),
        ([{"do": "flood", "size": 5, "bytes": 32 << 20}, {"do": "send", "frames": [1]}], "33,554,433 bytes"),
        ([{"do": "raw", "hex": "0g"}], "'hex' has to be bytes in hexadecimal"),
        ([{"do": "stop"}, {"do": "settle"}], "action 1: 'stop' has to be the last action"),
        ([{"do": "idle"}], '"idle" needs an "idle_timeout" or a "max_lifetime"'),
        ([{"do": "signal", "name": "SIGKILL"}], "'name' has to be one of SIGTERM"),
        ([{"do": "inject", "call": "fork", "error": "EINTR"}], "'call' has to be one of accept"),
        ([{"do": "inject", "call": "recv", "error": "EOOPS"}], "'error' has to be one of EINTR"),
        (
            [{"do": "inject", "call": name, "error": "EINTR"} for name in ("recv", "recvfrom")],
            "action 2: 'recvfrom' is made to fail by an action before this one already",
        ),
        ([{"do": "inject", "call": "recv", "error": "EINTR", "times": 60000, "every": 2}], "counted up to 65,535"),
        ([{"do": "expect_calls", "name": "recv"}], "needs a 'least' or a 'most'"),
        ([{"do": "expect_calls", "name": "recv", "least": 3, "most": 2}], "'least' is 3 and 'most' is 2"),
        ([{"do": "stall"}] * 3 + [{"do": "settle"}], "the actions wait for 15 seconds in all; 12 are the most"),
        ([{"do": "expect_asleep"}] * 121, "the actions wait for 12.1 seconds in all; 12 are the most"),
        ([{"do": "count"}, {"do": "expect_calls", "name": "recv", "most": 0}] * 61, "wait for 12.2 seconds in all"),
        (
            [{"do": "settle"}, {"do": "replace"}],
            "action 2: 'replace' is for traces: a test cannot replace the program of the server",
        ),
        ([{"do": "new_program", "does": "ends"}], "action 1: 'new_program' is for traces"),
        ([{"do": "new_program"}], "'new_program' needs a 'does'"),
        ([{"do": "new_program", "does": "waits"}], "'does' has to be one of listens, ends, not 'waits'"),
        ([{"do": "settle"}] * 301, "301 actions; 300 are the most"),
    ],
)
def test_a_mistake_in_a_script_is_named(tmp_path, actions, complaint):
    path = written(tmp_path, actions, **({"idle_timeout": 5} if {"do": "stall"} in actions else {}))
    with pytest.raises(BadScript) as caught:
        scripts.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and complaint in message and "\n" not in message and len(message) < 800


@pytest.mark.parametrize(
    "content",
    [b"[" * 30_000, b"\xff\xfe", b"9" * 5000, b'{"schema": "script/2", "actions": [{"do": "send", "frames": [1e999]}]}',
     b'{"schema": "script/2", "actions": [{"do": "settle"}], "idle_timeout": NaN}', b" " * (1 << 17),
     b'{"schema": "script/2", "actions": [{"do": "settle"}], "narrow": [[]]}', b'{"schema": "script/2"}',
     b'{"schema": "script/2", "actions": [{"do": "settle"}], "options": ["--help"]}'],
    ids=range(9),
)  # fmt: skip
def test_a_file_that_is_none_costs_one_line(tmp_path, content):
    path = tmp_path / "script.json"
    path.write_bytes(content)
    with pytest.raises(BadScript) as caught:
        scripts.load(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_sizes_follow_the_protocol(tmp_path):
    protocol = Protocol(max_frame=100, high_water=1000, low_water=10)
    path = written(tmp_path, [{"do": "send", "frames": ["max", "max-1", 7, "9*low", "0*high"], "hold": "low+1"}])
    assert scripts.load(path, protocol).actions[0] == Action("send", frames=(100, 99, 7, 90, 0), hold=11)


def test_a_script_of_labs_is_what_was_written(tmp_path):
    path = written(tmp_path, [*MANY, *LIMITS["no-descriptor"], *TRACED["calls-fail"]], max_lifetime=1.5)
    script = scripts.load(path)
    path.write_text(script.text())
    assert scripts.load(path) == script


def test_a_script_has_an_end(server, tmp_path, monkeypatch):
    """Each wait by itself is over soon."""
    monkeypatch.setattr(play, "LONGEST", 0)
    outcome = played(server("none"), tmp_path, ONE)
    assert not outcome.passed and outcome.noisy and outcome.late
    assert "the script as a whole took more than 0 s" in outcome.came
    monkeypatch.setattr(LocalRunning, "hurry", True)  # it is another, shorter one
    assert played(server("none"), tmp_path, ONE).passed


# -- words ---------------------------------------------------------------------------------------------------


def test_peers_that_do_the_same_are_told_as_one():
    told = [line for peer in range(10) for line in (f"peer {peer} sends a frame", f"peer {peer} closes")]
    assert telling.steps(["first", *told, "peer 3 reads again"]) == [
        "first", "peers 0 to 9, each: sends a frame; closes", "peer 3 reads again",
    ]  # fmt: skip
    assert telling.steps(["peer 0 closes", "peer 1 closes", "peer 3 closes"]) == [
        "peer 0 closes", "peer 1 closes", "peer 3 closes",
    ]  # fmt: skip


def test_many_steps_and_many_peers_are_cut_short():
    lines = telling.steps([f"step {number}" for number in range(100)])
    assert lines[0] == "step 0" and lines[1] == "(40 steps more)" and lines[-1] == "step 99" and len(lines) == 61
    model = PeerModel()
    model.send(b"\0\0\0\1a")
    assert telling.missing([(f"peer {number}", model) for number in range(6)]).endswith("; 2 more peers lack something")


def test_faults_as_strace_takes_them():
    script = scripts.Script((Action("inject", call="accept", error="EMFILE", when=2, times=3, every=4),
                             Action("inject", call="close", error="EIO", times=0)))  # fmt: skip
    assert faults(script) == ("?accept,?accept4:error=EMFILE:when=2..10+4", "?close:error=EIO:when=1+1")


# -- when a server is at rest --------------------------------------------------------------------------------


def stuffed(room: int, size: int) -> tuple[socket.socket, socket.socket]:
    """A sender that has sent what its kernel takes, and a receiver that does not read. The window that is left is often
    smaller than a segment."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        sender = socket.create_connection(listener.getsockname())
        receiver, _ = listener.accept()
    sender.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sender.send(b"x" * size)
    return sender, receiver


def unread(receiver: socket.socket) -> int:
    return int(struct.unpack("i", fcntl.ioctl(receiver, termios.FIONREAD, struct.pack("i", 0)))[0])


def test_what_the_kernel_still_sends_by_itself_is_known():
    pairs = [stuffed(room, size) for room in (50_000, 100_000, 150_000, 300_000) for size in (600, 5_000, 65_536)]
    try:
        waiting.until(lambda: not any(kernel.will_be_sent(each) for each, _ in pairs), "the persist timers")
        before = [unread(each) for _, each in pairs]
        time.sleep(0.5)  # more than a persist timer takes
        assert [unread(each) for _, each in pairs] == before
    finally:
        for each in itertools.chain(*pairs):
            each.close()


def test_a_program_may_call_itself_by_any_bytes():
    """PR_SET_NAME (prctl(2)): the name stands in stat, status and comm."""
    code = "import ctypes, time; ctypes.CDLL(None).prctl(15, b'\\xff) Z 1', 0); print(1, flush=True); time.sleep(99)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None and program.stdout.readline() == b"1\n"
        waiting.until(lambda: kernel.state(program.pid) == "S" and kernel.rests(program.pid), "sleep")
        assert not kernel.is_gone(program.pid)
        assert kernel.memory_bytes(program.pid, "VmRSS") > 0 and kernel.page_faults(program.pid) > 0
        assert not stillness.stopped(program.pid) and stillness.runs(program.pid)
        program.kill()


def test_what_is_nested_too_deep_to_be_shown_is_refused():
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert scripts._quoted(deep) == "something nested without end"


@pytest.mark.parametrize("action", ["settle", "expect_asleep"])
def test_a_server_that_will_get_more_is_not_at_rest(action, server, tmp_path, monkeypatch):
    looks = iter([3000] * 8)
    monkeypatch.setattr(kernel, "will_be_sent", lambda _: next(looks, 0))
    right = server("")
    assert played(right, tmp_path, [ONE[0], {"do": action}]).passed
    assert next(looks, None) is None


# -- when nothing more will come -----------------------------------------------------------------------------


def test_stillness_begins_anew_when_something_moves(monkeypatch):
    now, ran = [0.0], [5]
    monkeypatch.setattr(stillness.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(stillness, "runs", lambda _: ran[0])
    still = stillness.Stillness(os.getpid(), silence=1.0)

    def look(moved: int) -> str:
        now[0] += 0.4
        return still.look(moved)

    assert [look(1) for _ in range(5)] == ["", "", "", "", "it sleeps"]
    assert look(2) == "" and [look(2) for _ in range(3)] == ["", "", ""]
    ran[0] = 6  # it has run: it may go on by itself
    assert look(2) == "" and look(2) == ""


def test_who_wakes_up_for_nothing_does_nothing(monkeypatch):
    now, ran = [0.0], [0]
    monkeypatch.setattr(stillness.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(stillness, "runs", lambda _: ran[0])
    still = stillness.Stillness(os.getpid(), silence=1.0)
    said = ""
    while not said:
        now[0] += 0.4
        ran[0] += 1
        said = still.look(0)
    assert said == "it wakes up again and again" and ran[0] > stillness.WAKES


@pytest.mark.parametrize(
    "least, most, said",
    [(0, 0, "no calls of wait"), (1, 1, "1 call of wait"), (0, 1, "at most 1 call of wait"), (2, 2, "2 calls of wait"),
     (1, None, "1 or more calls of wait"), (2, None, "2 or more calls of wait"), (0, 2, "at most 2 calls of wait")],
)  # fmt: skip
def test_a_number_of_calls_is_said_as_people_say_it(least, most, said):
    assert telling.of_calls(scripts.Action("expect_calls", name="wait", least=least, most=most)) == said
