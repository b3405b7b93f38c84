"""The measurements without a server. They must measure what they claim, count exactly, and leave nothing behind. No
test compares a time."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from suite import kernel, needs, servers, steps, waiting

from suite.strace import UNDER_STRACE

APIS = ("select", "poll", "epoll_lt", "epoll_et", "kqueue")
POLICIES = {"level": 3, "edge_would_block": 4, "edge_short_read": 3, "one_shot": 4, "add_delete": 5}
PROGRAMS = ("microbench_wait", "microbench_chain", "microbench_calls")
SOON = ("--seconds", "0.01")

epoll_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="epoll needs Linux")
needs_proc = pytest.mark.skipif(not kernel.HAS_PROC, reason=kernel.NO_PROC)


@pytest.fixture(params=APIS)
def api(request: pytest.FixtureRequest) -> str:
    reason = servers.absent(request.param)
    if reason:
        pytest.skip(f"{request.param}: {reason}")
    return request.param


def command(program: str, *options: object) -> list[str]:
    return [str(servers.program(program)), *map(str, options)]


def run_words(words: list[str], **how: object) -> subprocess.CompletedProcess:
    """Runs the program in a process group of its own, and checks that no process of the group outlives it."""
    steps.note(shlex.join(words))
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, **how,
    )  # fmt: skip
    try:
        out, errors = process.communicate(timeout=60)
        assert kernel.group_is_gone(process.pid)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert "Sanitizer" not in errors and "runtime error" not in errors, errors
    return subprocess.CompletedProcess(words, process.returncode, out, errors)


def run_plain(program: str, *options: object, **how: object) -> subprocess.CompletedProcess:
    return run_words(command(program, *options), **how)


def outcome_of(result: subprocess.CompletedProcess) -> dict:
    assert result.returncode == 0 and result.stderr == "", result
    assert result.stdout.count("\n") == 1 and result.stdout.endswith("}\n"), result.stdout
    return json.loads(result.stdout)


def run(program: str, *options: object) -> dict:
    return outcome_of(run_plain(program, *options))


def figures(program: str, *options: object) -> dict:
    return run(program, *options)["figures"]


def fails(result: subprocess.CompletedProcess, status: int, part: str) -> None:
    assert result.returncode == status and result.stdout == "", result
    assert result.stderr.count("\n") == 1 and part in result.stderr, result.stderr


@dataclass
class Call:
    name: str
    arguments: str
    result: int
    more: str  # what strace appends to the result


CALL = re.compile(r"^(\w+)\((.*)\) += (-?\d+)(.*)$", re.MULTILINE)


def traced(tmp_path: Path, program: str, *options: object) -> tuple[dict, list[Call]]:
    """The output, and the calls of the first process. strace does not follow the process of the other ends."""
    trace = tmp_path / "trace"
    words = ["strace", "-v", "-o", str(trace), *command(program, *options)]
    outcome = outcome_of(run_words(words, env={**os.environ, **UNDER_STRACE}))
    return outcome, [Call(m[1], m[2], int(m[3]), m[4]) for m in CALL.finditer(trace.read_text())]


BAD = [
    ("microbench_wait", (), "--api"),
    ("microbench_wait", ("--api", "epoll"), "select poll epoll_lt epoll_et kqueue"),
    ("microbench_wait", ("--api", "poll", "--watched", "0"), "--watched"),
    ("microbench_wait", ("--api", "poll", "--watched", "1e3"), "--watched"),
    ("microbench_wait", ("--api", "poll", "--watched", "9999999"), "--watched"),
    ("microbench_wait", ("--api", "poll", "--watched", "5", "--ready", "6"), "--ready"),
    ("microbench_wait", ("--api", "poll", "--ready", "-1"), "--ready"),
    ("microbench_wait", ("--api", "poll", "--ready", "0", "--cycle"), "--ready"),
    ("microbench_wait", ("--api", "poll", "--same"), "--ready: must be 0 with --same"),
    ("microbench_wait", ("--api", "poll", "--block", "5", "--ready", "3"), "--ready: must be 0 with --block"),
    ("microbench_wait", ("--api", "poll", "--ready", "0", "--block", "0"), "--block"),
    ("microbench_wait", ("--api", "poll", "--ready", "0", "--block", "1000"), "--block"),
    ("microbench_wait", ("--api", "poll", "--place", "middle"), "last first spread"),
    ("microbench_wait", ("--api", "poll", "--seconds", "0"), "--seconds"),
    ("microbench_wait", ("--api", "poll", "--seconds", "nan"), "--seconds"),
    ("microbench_wait", ("--api", "poll", "--seconds", "1s"), "--seconds"),
    ("microbench_wait", ("--api", "poll", "--seconds", "0x1"), "--seconds"),
    ("microbench_wait", ("--api", "poll", "--seed", "18446744073709551616"), "--seed"),
    ("microbench_wait", ("--api", "poll", "stray"), "stray"),
    ("microbench_wait", ("--api",), "api"),
    ("microbench_chain", (), "--api"),
    ("microbench_chain", ("--api", "poll", "--pairs", "3", "--active", "4"), "--active"),
    ("microbench_chain", ("--api", "poll", "--active", "0"), "--active"),
    ("microbench_chain", ("--api", "poll", "--kind", "fifo"), "socketpair pipe"),
    ("microbench_chain", ("--api", "poll", "--rounds", "0"), "--rounds"),
    ("microbench_chain", ("--nonsense",), "nonsense"),
    ("microbench_calls", (), "--policy"),
    ("microbench_calls", ("--policy", "edge"), " ".join(POLICIES)),
    ("microbench_calls", ("--policy", "level", "--connections", "0"), "--connections"),
    ("microbench_calls", ("--policy", "level", "--messages", "0"), "--messages"),
    ("microbench_yardstick", ("--seconds", "0"), "--seconds"),
    ("microbench_yardstick", ("stray",), "stray"),
]


def test_the_yardstick_asks_the_kernel_each_time() -> None:
    report = json.loads(run_plain("microbench_yardstick", *SOON).stdout)
    figures = report["figures"]
    assert 0 < figures["call_ns_least"] <= figures["call_ns"] and figures["batches"] >= 1


@pytest.mark.parametrize("program, options, part", BAD, ids=lambda v: " ".join(v) if isinstance(v, tuple) else None)
def test_bad_option_is_one_line_and_status_2(program, options, part):
    result = run_plain(program, *options)
    fails(result, 2, part)
    assert program in result.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_names_every_setting_that_is_printed(program):
    result = run_plain(program, "--help")
    assert result.returncode == 0 and result.stderr == ""
    option = {"microbench_wait": "--watched", "microbench_chain": "--pairs", "microbench_calls": "--messages"}
    smallest = {name: (word, 2) for name, word in option.items()}
    choice = ("--policy", "level") if program == "microbench_calls" else ("--api", "poll")
    if program == "microbench_calls" and servers.absent("epoll_lt"):
        return
    printed = run(program, *choice, *smallest[program], *(SOON if program == "microbench_wait" else ()))
    of_the_program = {"schema", "program", "api", "implementation", "schedule_hash", "counts", "figures"}
    for setting in set(printed) - of_the_program | {choice[0][2:]}:
        assert f"--{setting}" in result.stdout, setting


@pytest.mark.cause("a setting or a figure is missing in the JSON, or has another name")
def test_wait_prints_what_was_asked_and_found(api):
    words = ("--watched", 30, "--ready", 3, "--place", "first", "--seed", 7, "--from", 50)
    outcome = run("microbench_wait", "--api", api, *words, *SOON)
    found = outcome.pop("figures")
    assert re.fullmatch("[0-9a-f]{16}", outcome.pop("schedule_hash"))
    assert outcome.pop("implementation") in (("native", "libkqueue", "emulation") if api == "kqueue" else ("native",))
    assert outcome == {
        "schema": "microbench/1", "program": "microbench_wait", "api": api, "watched": 30, "ready": 3, "place": "first",
        "from": 50, "same": False, "seed": 7, "seconds": 0.01, "cycle": False, "block": 0,
    }  # fmt: skip
    assert set(found) == {"preempted", "wait_us", "wait_us_least", "events", "calls", "batches"}
    assert 0 < found["wait_us_least"] <= found["wait_us"]
    assert found["events"] == 3 and found["calls"] >= found["batches"] >= 20


@pytest.mark.parametrize("ready", (0, 1, 7, 40))
@pytest.mark.parametrize("place", ("first", "last", "spread"))
def test_exactly_the_chosen_ones_are_reported(api, place, ready):
    """The program itself fails when the call reports another number of sockets, or other sockets."""
    found = figures("microbench_wait", "--api", api, "--watched", 40, "--ready", ready, "--place", place, *SOON)
    assert found["events"] == ready


def elapsed_us(*words: object) -> tuple[dict, float]:
    begun = time.monotonic()
    found = figures(*words)
    return found, (time.monotonic() - begun) * 1e6


@pytest.mark.cause("a sum passes for a time of one call, or the unit is not microseconds")
def test_times_fit_into_the_time_that_it_took(api):
    """Half of the samples take at least the median. Together they cannot take longer than the whole run."""
    found, whole = elapsed_us("microbench_wait", "--api", api, "--watched", 500, "--seconds", 0.05)
    assert found["wait_us"] * found["calls"] / 2 <= whole
    assert found["wait_us_least"] > (0.5 if api in ("select", "poll") else 0.02), "1 ns a socket; 20 ns a call"
    found, whole = elapsed_us("microbench_wait", "--api", api, "--watched", 500, "--cycle", *SOON)
    assert found["wait_us"] < found["cycle_us"]
    assert found["cycle_us"] * found["rounds"] / 2 <= whole
    found, whole = elapsed_us("microbench_chain", "--api", api, "--pairs", 400, "--rounds", 3)
    assert 400 * 0.1 < sum(found["rounds_us"]) <= whole


@needs.to_trace
@pytest.mark.parametrize("place, expected", (("first", {0, 1, 2}), ("last", {9, 10, 11}), ("spread", {3, 7, 11})))
@pytest.mark.cause("the wrong sockets are written to, or the order of accepting is not that of connecting")
def test_place_is_where_the_ready_ones_stand(tmp_path, place, expected):
    outcome, calls = traced(
        tmp_path, "microbench_wait", "--api", "poll", "--watched", 12, "--ready", 3, "--place", place, *SOON
    )
    accepted = [call.result for call in calls if call.name == "accept"]
    assert accepted == sorted(accepted) and len(accepted) == 12
    polls = [call for call in calls if call.name == "poll" and call.arguments.endswith(", 12, 0")]
    assert len(polls) > outcome["figures"]["calls"], "the timed calls, and those before them"
    for call in polls:
        fds = {int(fd) for fd in re.findall(r"fd=(\d+), revents=POLLIN\}", call.more)}
        assert fds == {accepted[number] for number in expected} and call.result == 3, call


@needs.to_trace
@epoll_only
@pytest.mark.cause("an edge is reported once only: without being armed again, later calls have nothing to report")
def test_edge_has_all_pending_at_each_call(tmp_path):
    outcome, calls = traced(tmp_path, "microbench_wait", "--api", "epoll_et", "--watched", 12, "--ready", 5, *SOON)
    waits = [call.result for call in calls if call.name == "epoll_wait"]
    assert set(waits) == {5} and len(waits) > outcome["figures"]["calls"]
    changes = [call.arguments for call in calls if call.name == "epoll_ctl"]
    assert sum("EPOLL_CTL_ADD" in each for each in changes) == 12
    assert all("EPOLLET" in each for each in changes)


@needs.descriptors(1200)
@needs.to_trace
@epoll_only
@pytest.mark.cause("the bitmaps end at FD_SETSIZE, or are read by bytes that the kernel does not have there")
def test_select_goes_beyond_its_fd_set(tmp_path):
    _, calls = traced(
        tmp_path, "microbench_wait", "--api", "select", "--watched", 1100, "--ready", 2, "--place", "last", *SOON
    )
    highest = max(call.result for call in calls if call.name == "accept")
    waits = [call for call in calls if call.name == "pselect6"]
    assert highest > 1024 and waits
    for call in waits:
        assert call.arguments.startswith(f"{highest + 1}, ") and call.result == 2, call


@needs.to_trace
@epoll_only
@pytest.mark.cause("what a call left behind is handed to the next, as if only that had been watched")
def test_select_asks_for_all_each_time(tmp_path):
    _, calls = traced(tmp_path, "microbench_wait", "--api", "select", "--watched", 12, "--ready", 2, *SOON)
    accepted = " ".join(str(call.result) for call in calls if call.name == "accept")
    waits = [call.arguments for call in calls if call.name == "pselect6"]
    assert waits and all(f", [{accepted}], " in arguments for arguments in waits)


@needs.to_trace
@pytest.mark.cause("other sockets are watched, or the duplicates are not those of one")
def test_same_watches_duplicates_of_one_socket(tmp_path):
    _, calls = traced(
        tmp_path, "microbench_wait", "--api", "poll", "--watched", 12, "--ready", 0, "--same", *SOON
    )
    accepted = [call.result for call in calls if call.name == "accept"]
    copies = [call for call in calls if call.name == "dup"]
    assert len(accepted) == 1 and len(copies) == 11
    assert {call.arguments for call in copies} == {str(accepted[0])}
    watched = {*accepted, *(call.result for call in copies)}
    polls = [call for call in calls if call.name == "poll" and call.arguments.endswith(", 12, 0")]
    assert len(watched) == 12 and polls
    for call in polls:
        assert {int(fd) for fd in re.findall(r"fd=(\d+)", call.arguments)} == watched and call.result == 0


@pytest.mark.parametrize("more", ((), ("--same",)))
@pytest.mark.cause("the call does not sleep: the cheap case is measured, in which nothing is put on a queue")
def test_block_sleeps_at_each_call(api, more):
    options = ("--watched", 40, "--ready", 0, "--block", 20, *more, *SOON)
    found = figures("microbench_wait", "--api", api, *options)
    assert set(found) == {"preempted", "cpu_us", "sleeps", "calls"}
    assert found["calls"] == 5 and found["cpu_us"] > 0


@needs.to_trace
@epoll_only
@pytest.mark.parametrize("of, call", (("poll", "poll"), ("epoll_lt", "epoll_wait")))
def test_block_is_the_timeout_of_the_call(tmp_path, of, call):
    outcome, calls = traced(
        tmp_path, "microbench_wait", "--api", of, "--watched", 3, "--ready", 0, "--block", 7, *SOON
    )
    waits = [each for each in calls if each.name == call and each.arguments.endswith(", 7")]
    assert len(waits) == outcome["figures"]["calls"] + 1, "one before them does not count"
    assert all(each.result == 0 for each in waits)


@pytest.mark.parametrize("ready", (1, 7, 40))
@pytest.mark.parametrize("place", ("first", "last", "spread"))
def test_cycle_receives_all(api, place, ready):
    options = ("--watched", 40, "--ready", ready, "--place", place, "--cycle", *SOON)
    found = figures("microbench_wait", "--api", api, *options)
    assert set(found) == {"cycle_us", "cycle_us_least", "wait_us", "waits", "received", "rounds"}
    assert found["received"] == ready and found["rounds"] >= 5 and found["waits"] >= 1
    assert 0 < found["cycle_us_least"] <= found["cycle_us"] and 0 < found["wait_us"]


@needs.to_trace
def test_cycle_reads_every_byte(tmp_path, api):
    outcome, calls = traced(tmp_path, "microbench_wait", "--api", api, "--watched", 20, "--ready", 6, "--cycle", *SOON)
    received = [call.result for call in calls if call.name == "recvfrom"]
    assert set(received) == {1}
    assert len(received) == 6 * (outcome["figures"]["rounds"] + 1), "each round, and one that does not count"
    assert len(received) == sum(call.name == "sendto" for call in calls), "each is answered"


def test_chain_prints_what_was_asked_and_found(api):
    options = ("--pairs", 9, "--active", 2, "--writes", 30, "--kind", "pipe", "--seed", 3, "--rounds", 4)
    outcome = run("microbench_chain", "--api", api, *options)
    found = outcome.pop("figures")
    assert re.fullmatch("[0-9a-f]{16}", outcome.pop("schedule_hash"))
    outcome.pop("implementation")
    assert outcome == {
        "schema": "microbench/1", "program": "microbench_chain", "api": api, "pairs": 9, "active": 2, "writes": 30,
        "kind": "pipe", "seed": 3, "rounds": 4, "seconds": 20,
    }  # fmt: skip
    assert set(found) == {"rounds_us", "chain_us", "chain_us_least", "written", "received", "waits", "preempted"}
    rounds = found["rounds_us"]
    assert len(rounds) == 4 and found["chain_us_least"] == min(rounds)
    assert found["chain_us"] == pytest.approx(statistics.median(rounds), abs=0.002)


@pytest.mark.parametrize("kind", ("socketpair", "pipe"))
@pytest.mark.parametrize("pairs, active, writes", ((1, 1, 5), (10, 1, 10), (10, 3, 25), (10, 10, 1000), (10, 2, 0)))
@pytest.mark.cause("a byte is stranded: an edge was reported once for two of them")
def test_chain_hands_on_every_byte(api, kind, pairs, active, writes):
    sizes = ("--pairs", pairs, "--active", active, "--writes", writes)
    found = figures("microbench_chain", "--api", api, *sizes, "--kind", kind, "--rounds", 3)
    assert found["written"] == found["received"] == active + writes
    if active == 1:
        assert found["waits"] == writes + 1, "one byte is under way: each wait finds one"


@needs.to_trace
def test_chain_writes_as_often_as_asked(tmp_path):
    _, calls = traced(
        tmp_path, "microbench_chain", "--api", "poll", "--pairs", 10, "--active", 2, "--writes", 30, "--rounds", 3
    )
    writes = [call.arguments for call in calls if call.name == "write" and '"e", 1' in call.arguments]
    assert len(writes) == 3 * (2 + 30)
    pairs = re.findall(r"\[(\d+), (\d+)\]", " ".join(c.more + c.arguments for c in calls if c.name == "socketpair"))
    ends = [int(end) for _, end in pairs]
    first_round = [ends.index(int(arguments.split(",")[0])) for arguments in writes[:32]]
    assert first_round[:2] == [0, 5], "evenly spaced from the first pair on"
    assert first_round[2:6] == [1, 6, 2, 7], "each byte goes to the next pair"


def test_chain_writes_as_many_as_pairs_unless_told():
    assert run("microbench_chain", "--api", "poll", "--pairs", 12, "--rounds", 1)["writes"] == 12


@epoll_only
@pytest.mark.parametrize("policy, calls", POLICIES.items())
def test_calls_of_one_connection_are_exact(policy, calls):
    outcome = run("microbench_calls", "--policy", policy, "--connections", 1, "--messages", 500)
    found = outcome["figures"]
    assert found["calls"] == calls
    assert found["waits"] == 1 and found["writes"] == 1
    assert found["reads"] == (2 if policy == "edge_would_block" else 1)
    assert found["changes"] == {"one_shot": 1, "add_delete": 2}.get(policy, 0)
    assert outcome["messages"] == 500 and outcome["policy"] == policy and outcome["connections"] == 1


@epoll_only
@needs.to_trace
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.cause("a counter is forgotten at one of the places where its call is made")
def test_calls_agree_with_strace(tmp_path, policy):
    outcome, calls = traced(tmp_path, "microbench_calls", "--policy", policy, "--connections", 7, "--messages", 100)
    counted = outcome["counts"]
    seen = Counter(call.name for call in calls)
    assert counted["waits"] == seen["epoll_wait"]
    assert counted["reads"] == seen["recvfrom"]
    assert counted["writes"] == seen["sendto"] == 100
    registered = 0 if policy == "add_delete" else 7
    assert counted["changes"] == seen["epoll_ctl"] - registered
    assert sum(counted.values()) == pytest.approx(100 * outcome["figures"]["calls"])
    for name in counted:
        assert outcome["figures"][name] == pytest.approx(counted[name] / 100)


@epoll_only
@pytest.mark.parametrize("policy", POLICIES)
def test_fewer_messages_than_connections(policy):
    assert run("microbench_calls", "--policy", policy, "--connections", 9, "--messages", 4)["messages"] == 4


def test_hash_tells_what_was_asked_and_not_who_does_it():
    apis = [name for name in APIS if not servers.absent(name)]
    base = {"--watched": 20, "--ready": 2, "--place": "last", "--seed": 5}
    others = ({"--watched": 21}, {"--ready": 3}, {"--place": "first"}, {"--place": "spread"}, {"--seed": 6})
    nothing_ready = {"--ready": 0}

    def hash_of(program: str, *options: object) -> str:
        return run(program, *options)["schedule_hash"]

    def words(changed: dict) -> list[object]:
        return [word for pair in {**base, **changed}.items() for word in pair]

    waits = {hash_of("microbench_wait", "--api", name, *words({}), *SOON) for name in apis}
    chains = {hash_of("microbench_chain", "--api", name, "--pairs", 5, "--rounds", 1) for name in apis}
    assert len(waits) == len(chains) == 1
    different = [hash_of("microbench_wait", "--api", "poll", *words(changed), *SOON) for changed in others]
    different.append(hash_of("microbench_wait", "--api", "poll", *words({}), "--cycle", *SOON))
    for more in ((), ("--same",), ("--block", 20)):
        different.append(hash_of("microbench_wait", "--api", "poll", *words(nothing_ready), *more, *SOON))
    for changed in (("--pairs", 6), ("--active", 2), ("--writes", 6), ("--kind", "pipe"), ("--seed", 2)):
        different.append(hash_of("microbench_chain", "--api", "poll", "--pairs", 5, "--rounds", 1, *changed))
    assert len({*waits, *chains, *different}) == 2 + len(different)


def limited(soft: int, hard: int):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


TOO_MANY = [
    ("microbench_wait", ("--api", "poll", "--watched", 100)),
    ("microbench_chain", ("--api", "poll", "--pairs", 60)),
    pytest.param("microbench_calls", ("--policy", "level", "--connections", 100), marks=epoll_only),
]


@pytest.mark.parametrize("program, options", TOO_MANY, ids=PROGRAMS)
def test_too_many_descriptors_is_said_before_anything_is_opened(program, options):
    fails(run_plain(program, *options, preexec_fn=limited(100, 100)), 1, "descriptors, and the limit is 100")


@pytest.mark.parametrize("program, options", TOO_MANY, ids=PROGRAMS)
def test_soft_limit_is_raised(program, options):
    more = SOON if program == "microbench_wait" else ()
    outcome_of(run_plain(program, *options, *more, preexec_fn=limited(100, 200)))


LONG = [
    ("microbench_wait", ("--api", "poll", "--watched", 10, "--seconds", 3600)),
    ("microbench_wait", ("--api", "poll", "--watched", 10, "--seconds", 3600, "--cycle")),
    pytest.param("microbench_calls", ("--policy", "level", "--messages", 1 << 30), marks=epoll_only),
]


def start_long(program: str, options: tuple) -> tuple[subprocess.Popen, int]:
    """The program, and its child process with the other ends."""
    words = command(program, *options)
    steps.note(shlex.join(words))
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        found = waiting.until(lambda: children.read_text().split(), "the process of the other ends")
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return process, int(found[0])


@needs_proc
@pytest.mark.parametrize("program, options", LONG)
@pytest.mark.cause("the other ends die unnoticed, and the program waits for ever or goes on with figures")
def test_death_of_the_other_ends_is_an_error(program, options):
    process, child = start_long(program, options)
    try:
        os.kill(child, signal.SIGKILL)
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    fails(subprocess.CompletedProcess(process.args, process.returncode, out, errors), 1, program)


@needs_proc
@pytest.mark.parametrize("program, options", LONG)
@pytest.mark.cause("the process of the other ends keeps the pipe open by which it is to see its parent end")
def test_other_ends_die_with_their_parent(program, options):
    process, child = start_long(program, options)
    process.kill()
    process.communicate()
    try:
        waiting.until(lambda: kernel.is_gone(child), "the end of the other process")
    except AssertionError:
        os.kill(child, signal.SIGKILL)
        raise


@pytest.mark.cause("output that could not be written passes for success")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_output_that_cannot_be_written_is_status_1():
    for words in (
        command("microbench_wait", "--api", "poll", "--watched", 2, *SOON),
        command("microbench_chain", "--api", "poll", "--pairs", 2, "--rounds", 1),
    ):
        with open("/dev/full", "w") as full:
            assert subprocess.run(words, stdout=full, stderr=subprocess.DEVNULL, timeout=60).returncode == 1, words
