"""The techniques that are counted without a server: what a program prints adds up, and is what strace sees. No test
compares a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from suite import kernel, needs, servers, waiting
from test_microbench import command, fails, limited, run, run_plain, start_long, traced

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="these techniques need Linux")

HERD = ("shared", "edge", "exclusive", "one_epoll", "reuseport")
RELAY = ("read_write", "splice", "zerocopy")
# Calls and segments for a batch of F frames, with TCP_NODELAY.
SENDS = {
    "apart": lambda frames: (2 * frames, 2 * frames),
    "each": lambda frames: (frames, frames),
    "more": lambda frames: (2 * frames, 1),
    "cork": lambda frames: (2 * frames + 2, 1),
    "iovecs": lambda frames: (1, 1),
    "mmsg": lambda frames: (1, frames),
    "joined": lambda frames: (1, 1),
}

BAD = [
    ("microbench_herd", (), "--way"),
    ("microbench_herd", ("--way", "herd"), " ".join(HERD)),
    ("microbench_herd", ("--way", "shared", "--workers", "0"), "--workers"),
    ("microbench_herd", ("--way", "shared", "--workers", "65"), "--workers"),
    ("microbench_herd", ("--way", "shared", "--connections", "0"), "--connections"),
    ("microbench_herd", ("--way", "shared", "--busy", "8"), "--busy: 8 busy workers leave none of 8 idle"),
    ("microbench_herd", ("--way", "shared", "stray"), "stray"),
    ("microbench_sends", (), "--way"),
    ("microbench_sends", ("--way", "send"), " ".join(SENDS)),
    ("microbench_sends", ("--way", "each", "--nodelay", "1"), "no yes"),
    ("microbench_sends", ("--way", "each", "--frames", "257"), "--frames"),
    ("microbench_sends", ("--way", "each", "--payload", "0"), "--payload"),
    ("microbench_sends", ("--way", "each", "--batches", "0"), "--batches"),
    ("microbench_relay", (), "--way"),
    ("microbench_relay", ("--way", "sendfile"), " ".join(RELAY)),
    ("microbench_relay", ("--way", "splice", "--piece", "65537"), "--piece"),
    ("microbench_relay", ("--way", "splice", "--rounds", "-1"), "--rounds"),
    ("microbench_relay", ("--nonsense",), "nonsense"),
]


@pytest.mark.parametrize("program, options, part", BAD, ids=lambda v: " ".join(v) if isinstance(v, tuple) else None)
def test_bad_option_is_one_line_and_status_2(program: str, options: tuple, part: str) -> None:
    result = run_plain(program, *options)
    fails(result, 2, part)
    assert program in result.stderr


PRINTED = {
    "microbench_herd": ("--way", "shared", "--workers", 2, "--connections", 1),
    "microbench_sends": ("--way", "each", "--batches", 1),
    "microbench_relay": ("--way", "read_write", "--rounds", 1),
}


@pytest.mark.parametrize("program", PRINTED)
def test_help_names_every_setting_that_is_printed(program: str) -> None:
    shown = run_plain(program, "--help")
    assert shown.returncode == 0 and shown.stderr == ""
    of_the_program = {"schema", "program", "api", "implementation", "schedule_hash", "counts", "figures"}
    for setting in set(run(program, *PRINTED[program])) - of_the_program:
        assert f"--{setting}" in shown.stdout, setting


@pytest.mark.parametrize("program", PRINTED)
def test_hash_tells_what_was_asked_and_not_the_way(program: str) -> None:
    first, second = {"microbench_herd": HERD, "microbench_sends": tuple(SENDS), "microbench_relay": RELAY}[program][:2]
    rest = PRINTED[program][2:]
    other = {
        "microbench_herd": ("--busy", 1), "microbench_sends": ("--payload", 65), "microbench_relay": ("--piece", 9)
    }  # fmt: skip
    hashes = [
        run(program, "--way", way, *rest, *more)["schedule_hash"]
        for way, more in ((first, ()), (second, ()), (first, other[program]))
    ]
    assert hashes[0] == hashes[1] != hashes[2]


# -- herd ----------------------------------------------------------------------------------------


def herd(*options: object) -> dict[str, Any]:
    outcome = run("microbench_herd", *options)
    counts, found, connections = outcome["counts"], outcome["figures"], outcome["connections"]
    assert counts["accepted"] == sum(counts["accepted_by"]) == connections
    assert len(counts["accepted_by"]) == outcome["workers"]
    assert found["most_share"] == pytest.approx(max(counts["accepted_by"]) / connections)
    assert found["least_share"] == pytest.approx(min(counts["accepted_by"]) / connections)
    for name in ("switches", "would_block", "waits", "waited"):
        assert found[name] == pytest.approx(counts[name] / connections)
    return counts


@pytest.mark.parametrize("way", HERD)
@pytest.mark.cause("a connection is lost, or counted for two workers, or a wake-up belongs to two connections")
def test_every_connection_is_accepted_once_and_by_somebody_who_woke_up(way: str) -> None:
    counts = herd("--way", way, "--workers", 5, "--connections", 40)
    assert counts["waits"] >= 40 and counts["switches"] >= 40 and counts["waited"] == 0
    if way == "edge":
        assert counts["would_block"] >= 40, "after an edge it accepts until it would block"
    if way in ("exclusive", "reuseport"):
        assert counts["would_block"] == 0, "nobody else was woken up"


@pytest.mark.parametrize("way, least, most", [("shared", 190, 210), ("edge", 190, 210), ("exclusive", 38, 50),
                                              ("one_epoll", 60, 120), ("reuseport", 38, 50)])  # fmt: skip
@pytest.mark.cause("a worker that slept was not counted, or the next connection came while one was still awake")
def test_the_wake_ups_of_five_workers_and_forty_connections(way: str, least: int, most: int) -> None:
    """A lock that another worker holds costs a switch of its own: hence the margins."""
    assert least <= herd("--way", way, "--workers", 5, "--connections", 40)["switches"] <= most


def test_exclusive_goes_to_the_first_and_then_to_the_next_that_is_idle() -> None:
    assert herd("--way", "exclusive", "--workers", 4, "--connections", 30)["accepted_by"] == [30, 0, 0, 0]
    counts = herd("--way", "exclusive", "--workers", 4, "--connections", 30, "--busy", 2)
    assert counts["accepted_by"] == [15, 15, 0, 0] and counts["waited"] == 0


def test_only_a_hash_lets_a_connection_wait_for_a_busy_worker() -> None:
    """That none of 100 meets a busy worker has a probability of (1/2) ^ 100 or less."""
    for way in HERD:
        counts = herd("--way", way, "--workers", 2, "--connections", 100, "--busy", 1)
        assert counts["waited"] == 0, "the only one that was busy is free again"
        counts = herd("--way", way, "--workers", 3, "--connections", 100, "--busy", 2)
        assert (counts["waited"] > 0) == (way == "reuseport"), counts


def test_too_many_descriptors_is_said_before_anything_is_opened() -> None:
    result = run_plain("microbench_herd", "--way", "reuseport", "--workers", 64, preexec_fn=limited(100, 100))
    fails(result, 1, "descriptors, and the limit is 100")


@pytest.mark.skipif(not kernel.HAS_PROC, reason=kernel.NO_PROC)
@pytest.mark.parametrize("program, options", [
    ("microbench_herd", ("--way", "one_epoll", "--connections", 1 << 20)),
    ("microbench_sends", ("--way", "apart", "--batches", 65536)),
])  # fmt: skip
def test_children_end_with_their_parent_and_their_death_is_an_error(program: str, options: tuple) -> None:
    process, child = start_long(program, options)
    process.kill()
    process.communicate()
    waiting.until(lambda: kernel.is_gone(child), "the end of the other process")
    process, child = start_long(program, options)
    try:
        os.kill(child, signal.SIGKILL)
        out, errors = process.communicate(timeout=90)
    finally:
        process.kill()
    fails(subprocess.CompletedProcess(process.args, process.returncode, out, errors), 1, program)


# -- sends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", (1, 4))
@pytest.mark.parametrize("way", SENDS)
def test_calls_and_segments_of_each_way(way: str, frames: int) -> None:
    """Without more frames than the initial congestion window has segments, nothing but the way decides (RFC 6928)."""
    options = ("--way", way, "--frames", frames, "--batches", 20, "--payload", 100, "--nodelay", "yes")
    outcome = run("microbench_sends", *options)
    counts, found = outcome["counts"], outcome["figures"]
    calls, segments = SENDS[way](frames)
    assert counts["calls"] == 20 * calls
    assert counts["segments"] - counts["retransmitted"] == 20 * segments
    assert counts["bytes"] == 20 * frames * 104
    assert counts["joined"] == (counts["bytes"] if way in ("each", "joined") else 0)
    assert found["calls"] == pytest.approx(calls / frames)
    assert found["copied"] == (2 if way in ("each", "joined") else 1)


def test_two_writes_stall_without_nodelay() -> None:
    """A count of what took 20 ms: the acknowledgement is delayed by 40 ms, whatever the machine does."""
    counts = run("microbench_sends", "--way", "apart", "--batches", 10)["counts"]
    assert counts["late"] >= 8 and counts["first_late"] in (1, 2, 3), counts
    assert counts["segments"] == counts["calls"] == 20


@needs.to_trace
@pytest.mark.parametrize("way", SENDS)
@pytest.mark.cause("a counter is forgotten at one of the places where its call is made")
def test_calls_agree_with_strace(tmp_path: Path, way: str) -> None:
    options = ("--way", way, "--frames", 3, "--batches", 5, "--nodelay", "yes")
    outcome, calls = traced(tmp_path, "microbench_sends", *options)
    seen = Counter(call.name for call in calls)
    corks = sum(call.name == "setsockopt" and "TCP_CORK" in call.arguments for call in calls)
    assert outcome["counts"]["calls"] == seen["sendto"] + seen["sendmsg"] + seen["sendmmsg"] + corks
    assert sum("MSG_MORE" in call.arguments for call in calls) == (5 * 5 if way == "more" else 0), "all but the last"
    assert sum("TCP_NODELAY, [1]" in call.arguments for call in calls) == 1


# -- relay ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("piece", (1, 68, 4096, 40000, 65536))
@pytest.mark.parametrize("way", RELAY)
@pytest.mark.cause("bytes are lost, or the copies that are said are not those that the sink saw")
def test_copies_add_up(way: str, piece: int) -> None:
    outcome = run("microbench_relay", "--way", way, "--piece", piece, "--rounds", 3)
    counts, found = outcome["counts"], outcome["figures"]
    passed = counts["bytes"]
    assert passed == 3 * piece * min(256, 65536 // piece)
    by_memory = 0 if way == "splice" else passed
    assert counts["received"] == by_memory
    assert counts["sent"] == (passed if way == "read_write" else 0)
    assert counts["pinned"] == (passed if way == "zerocopy" else 0)
    assert counts["pinned_copied"] <= counts["pinned"]
    assert counts["kept"] == by_memory, "the sink sees the source's own page only if nobody copied"
    copied = counts["received"] + counts["sent"] + counts["pinned_copied"] if by_memory else counts["kept"]
    assert found["copied"] == pytest.approx(copied / passed)
    assert found["calls_mib"] == pytest.approx(counts["calls"] * 2**20 / passed, rel=1e-5)


@needs.to_trace
@pytest.mark.parametrize("way", RELAY)
def test_calls_of_the_relay_agree_with_strace(tmp_path: Path, way: str) -> None:
    """Those of source and sink are told apart: the sink reads 4096 bytes, the source splices without a flag."""
    outcome, calls = traced(tmp_path, "microbench_relay", "--way", way, "--piece", 16384, "--rounds", 3)
    receives = sum(call.name == "recvfrom" and ", 65536, 0, NULL" in call.arguments for call in calls)
    sends = [call for call in calls if call.name == "sendto"]
    splices = sum(call.name == "splice" and "SPLICE_F_MOVE" in call.arguments for call in calls)
    news = sum(call.name == "recvmsg" and call.result >= 0 for call in calls)
    assert outcome["counts"]["calls"] == receives + len(sends) + splices + news
    assert (receives, len(sends)) == ((0, 0) if way == "splice" else (3, 3))
    assert all(("MSG_ZEROCOPY" in call.arguments) == (way == "zerocopy") for call in sends)
    assert (news > 0) == (way == "zerocopy") and (splices > 0) == (way == "splice")


@pytest.mark.cause("output that could not be written passes for success")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("program", PRINTED)
def test_output_that_cannot_be_written_is_status_1(program: str) -> None:
    with open("/dev/full", "w") as full:
        words = command(program, *PRINTED[program])
        assert subprocess.run(words, stdout=full, stderr=subprocess.DEVNULL, timeout=60).returncode == 1, words


def test_the_make_file_says_what_another_system_skips() -> None:
    made = subprocess.run(
        ["make", "--no-print-directory", "-n", "SYSTEM=Darwin", "techniques-skipped"],
        cwd=servers.ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    for program in PRINTED:
        assert f"skipped: {program} (needs Linux)" in made.stdout, made
