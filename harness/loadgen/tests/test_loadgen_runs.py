"""Runs of the load generator as a user makes them. The peer must see what the user asked for, and the figures must say
what the peer did. Every asserted number is a count, never a time."""

from __future__ import annotations

import csv
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from suite import faulty_peers
from suite import generator
import pytest

from suite import limits, needs, preload, servers, tls, waiting
from suite.server import Server

BRIEF = ("--warmup", 0, "--duration", 0.3)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")
SERVER = "epoll_et" if sys.platform.startswith("linux") else "kqueue_srv"


@pytest.fixture
def server():
    with Server(SERVER) as one:
        yield one


@pytest.fixture
def peer():
    with faulty_peers.Peer(faulty_peers.honest) as one:
        yield one


def at(where, *options):
    port = where.address[1] if isinstance(where, Server) else where.port
    secrecy = tls.of_loadgen(where.name) if isinstance(where, Server) else ()
    return ("--port", port, *secrecy, *BRIEF, *limits.options(), *options)


def assert_valid(outcome: generator.Outcome) -> dict:
    counts = outcome.expect("VALID").json["counts"]
    assert counts["unanswered"] == 0 and counts["answered"] > 0
    assert counts["answered"] == outcome.json["histograms"]["response"]["count"]
    return counts


# -- every server, and what the run asks of it -----------------------------------------------------


def test_every_server_gets_a_valid_run(server_name):
    if reason := servers.absent(server_name):
        pytest.skip(reason)
    with Server(server_name) as one:
        outcome = generator.run(*at(one, "--connections", 20, "--pipeline", 3))
        assert_valid(outcome)
        assert outcome.json["counts"]["established"] == 20
        assert one.wait_statistics(lambda s: s["connections"] == 0, "all connections ended")["accepted"] == 20


LOADS = {
    "fragments": ("--connections", 5, "--pipeline", 4, "--fragment", "--payload", "0-300"),
    "threads": ("--connections", 9, "--threads", 3, "--pipeline", 2),
    "threads in open loop": ("--connections", 9, "--threads", 3, "--rate", 3000),
    "poisson": ("--connections", 4, "--rate", 3000, "--arrivals", "poisson"),
    # Time for one at least.
    "megabytes": ("--connections", 2, "--pipeline", 2, "--payload", "1048576", "--duration", 1.5),
    "sizes by weight": ("--connections", 4, "--payload", "0*3,16-32*2,70000"),
    "churn": ("--connections", 6, "--churn", 5),
    "churn in open loop": ("--connections", 6, "--churn", 3, "--rate", 2000, "--pipeline", 2),
    "churn by FIN": ("--connections", 3, "--churn", 50, "--close", "fin"),
    "fragments in threads, churning": ("--connections", 8, "--threads", 2, "--fragment", "--churn", 7, "--pipeline", 3),
    "idle trickle": ("--connections", 20, "--active", 3, "--idle", "trickle"),
    "idle half frames": ("--connections", 20, "--active", 3, "--idle", "half-frame"),
    "idle not reading": ("--connections", 8, "--active", 3, "--idle", "not-reading", "--payload", "20000"),
}


@pytest.mark.parametrize("load", LOADS)
def test_load_is_echoed_and_verified(server, load):
    counts = assert_valid(generator.run(*at(server, *LOADS[load])))
    assert ("churn" in load) == (counts["reconnects"] > 0)


@needs.ipv6
@pytest.mark.parametrize("written", ("::1", "[::1]"))
def test_ipv6(written):
    """With the brackets that the ready line prints, too."""
    with Server(SERVER, "--bind", written) as one:
        outcome = generator.run(*at(one, "--host", written, "--connections", 3))
    assert_valid(outcome)
    assert outcome.json["options"]["target"].startswith("[::1]:")


# -- what the peer sees ----------------------------------------------------------------------------


PLACES = {"first": {0, 1, 2}, "last": {7, 8, 9}, "spread": {3, 6, 9}}


@pytest.mark.parametrize("placement", PLACES)
def test_active_connections_stand_where_they_are_placed(peer, placement):
    assert_valid(generator.run(*at(peer, "--connections", 10, "--active", 3, "--placement", placement)))
    assert {i for i, each in enumerate(peer.connections) if len(each.frames) > 1} == PLACES[placement]


def test_random_placement_follows_from_the_seed():
    places = []
    for seed in (1, 1, 2, 3):
        with faulty_peers.Peer(faulty_peers.honest) as peer:
            generator.run(*at(peer, "--connections", 50, "--active", 5, "--placement", "random", "--seed", seed))
            places.append(tuple(i for i, each in enumerate(peer.connections) if len(each.frames) > 1))
    assert all(len(each) == 5 for each in places)
    assert places[0] == places[1] and len(set(places)) == 3


def test_rate_and_connections_are_exact():
    """A thousand a second for 0.3 s is 300 requests, at 0, 1, 2 to 299 ms, distributed in rounds. A peer that falls
    silent cannot hold any of them back."""
    with faulty_peers.Peer(faulty_peers.falls_silent) as peer:
        outcome = generator.run(*at(peer, "--connections", 6, "--rate", 1000, "--drain", 1))
        frames = Counter(len(each.frames) for each in peer.connections)
    assert outcome.json["counts"]["issued"] == outcome.json["counts"]["unanswered"] == 300
    assert frames == {1 + 300 // 6: 6}, "a proof and an even share for each connection"


def test_half_frames_stay_half(peer):
    assert_valid(generator.run(*at(peer, "--connections", 6, "--active", 2, "--idle", "half-frame", "--payload", 100)))
    halves = [each for each in peer.connections if len(each.frames) == 1]
    assert [len(each.received) for each in halves] == [(4 + 100) // 2 + 1] * 4


def test_trickle_is_bytes_of_a_frame():
    with faulty_peers.Peer(faulty_peers.honest) as peer:
        outcome = generator.run(
            *at(peer, "--connections", 12, "--active", 2, "--idle", "trickle", "--payload", 1, "--duration", 1.5)
        )
        idle = [each for each in peer.connections if each.byte_count < 4 + 1 + 10]
    assert_valid(outcome)
    assert len(idle) == 10 and any(each.byte_count > 4 + 1 for each in idle), [each.byte_count for each in idle]


def test_not_reading_fills_the_peer(peer):
    generator.run(*at(peer, "--connections", 4, "--active", 2, "--idle", "not-reading", "--payload", 5000))
    counts = [each.byte_count for each in peer.connections]
    idle = [i for i, each in enumerate(peer.connections) if i not in (1, 3)]
    assert all(counts[i] > 100_000 for i in idle), counts


@pytest.mark.parametrize("fragment", [(), ("--fragment",)], ids=["whole", "fragments"])
def test_fragments_are_pieces_of_frames(fragment):
    """A peer that falls silent gets one request on each connection. So only the seed decides how many pieces there are.
    A whole request takes one send, as a proof does, but for the first proof, which is sent in two halves."""
    with faulty_peers.Peer(faulty_peers.falls_silent) as peer:
        outcome = generator.run(*at(peer, "--connections", 20, "--payload", 2000, "--drain", 1, *fragment))
        frames = [len(each.frames) for each in peer.connections]
    assert frames == [1 + 1] * 20, "the frames are whole again"
    sends = outcome.json["counts"]["sends"]
    assert sends > 45 if fragment else sends == 41, sends


def test_two_runs_with_one_seed_send_the_same():
    sent = []
    for seed in (7, 7, 8):
        with faulty_peers.Peer(faulty_peers.falls_silent) as peer:
            outcome = generator.run(
                *at(peer, "--connections", 3, "--rate", 300, "--payload", "8-90", "--seed", seed, "--drain", 1)
            )
            sent.append(([each.frames for each in peer.connections], outcome.json["schedule_hash"]))
    assert sent[0] == sent[1]
    assert sent[0][0] != sent[2][0] and sent[0][1] != sent[2][1]


@linux
def test_source_addresses_rotate(peer):
    assert_valid(generator.run(*at(peer, "--connections", 10, "--ports-per-source", 4)))
    assert Counter(each.source for each in peer.connections) == {"127.0.0.1": 4, "127.0.0.2": 4, "127.0.0.3": 2}


@linux
def test_source_addresses_can_be_named(peer):
    sources = ("--source", "127.0.0.5", "--source", "127.0.0.9")
    assert_valid(generator.run(*at(peer, "--connections", 7, "--ports-per-source", 4, *sources)))
    assert Counter(each.source for each in peer.connections) == {"127.0.0.5": 4, "127.0.0.9": 3}


def time_waits(port: int) -> set[str]:
    """Local ends of the sockets in TIME_WAIT whose other end is this port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[1] for row in rows if row[3] == "06" and int(row[2].split(":")[1], 16) == port}


@linux
@pytest.mark.parametrize("mode, some", [("reset", False), ("fin", True)])
def test_what_a_run_leaves_behind(server, mode, some):
    """A reset leaves nothing behind. A FIN leaves every connection in TIME_WAIT for a minute."""
    before = time_waits(server.address[1])  # left by an earlier server that had the same port
    assert_valid(generator.run(*at(server, "--connections", 30, "--churn", 5, "--close", mode)))
    assert bool(time_waits(server.address[1]) - before) == some


# -- verdicts, each caused on purpose --------------------------------------------------------------
# test_loadgen_faults.py has ERRORS, OVERLOADED and the stall of UNSTABLE. VALID occurs in most tests here.


def test_client_that_is_told_its_ceiling_is_client_bound(server):
    outcome = generator.run(*at(server, "--ceiling", 1), "--limit", "ceiling=70")
    assert outcome.expect("CLIENT_BOUND").reasons("CLIENT_BOUND")[0].startswith("ceiling:")


@pytest.mark.parametrize("name, options", [("busy", ()), ("lag", ("--rate", 2000))])
def test_client_beyond_its_limits_is_client_bound(server, name, options):
    outcome = generator.run(*at(server, *options), "--limit", f"{name}=0")
    assert outcome.expect("CLIENT_BOUND").reasons("CLIENT_BOUND")[0].startswith(f"{name}:")


def test_interrupted_run_is_unstable_and_says_what_it_found(peer):
    peer.goal = 500
    process = generator.start(*at(peer, "--connections", 3, "--duration", 50))
    assert peer.reached.wait(waiting.PATIENCE)
    process.send_signal(signal.SIGINT)
    outcome = generator.finish(process).expect("UNSTABLE")
    assert outcome.reasons("UNSTABLE") == ["interrupted: ended by a signal"]
    assert outcome.json["counts"]["answered"] > 0 and outcome.json["seconds"] < 50


def test_stopped_host_is_noisy(peer):
    """The whole client has no CPU for half a second, as when the host takes the machine away: the witness sees it. Half
    a second is the limit, one per cent, of 50 seconds. A signal ends the run long before 50 seconds. So the result does
    not depend on the length of a wake-up, or on the moment of the stop."""
    peer.goal = 500
    process = generator.start(*at(peer, "--connections", 3, "--duration", 50), "--limit", "witness=1")
    assert peer.reached.wait(waiting.PATIENCE)
    os.kill(process.pid, signal.SIGSTOP)
    assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
    threading.Event().wait(0.5)
    before = peer.frame_count
    os.kill(process.pid, signal.SIGCONT)
    waiting.until(lambda: peer.frame_count > before + 50, "the client at work again")
    process.send_signal(signal.SIGINT)
    outcome = generator.finish(process).expect("NOISY_HOST")
    assert outcome.reasons("NOISY_HOST")[0].startswith("witness:")
    assert outcome.json["witness"]["most_ns"] >= 0.49e9


@pytest.mark.cause("time in which the client had no CPU is taken for time spent polling, and its work comes out as 0")
def test_polling_is_measured_in_cpu_time(peer):
    """The client polls nearly all the time, and has no CPU for longer than it measures."""
    peer.goal = 20
    process = generator.start(*at(peer, "--rate", 50, "--spin", 1_000_000, "--duration", 1))
    assert peer.reached.wait(waiting.PATIENCE)
    os.kill(process.pid, signal.SIGSTOP)
    assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
    threading.Event().wait(1.5)
    os.kill(process.pid, signal.SIGCONT)
    client = generator.finish(process).json["client"]
    assert 0 < client["spun_ns"] < client["cpu_ns"], client


# -- outputs ---------------------------------------------------------------------------------------


def test_json_says_what_was_asked_and_on_what_it_ran(server):
    run = generator.run(*at(server, "--connections", 4, "--active", 2, "--server-pid", server.pid)).json
    assert run["schema"] == "loadgen/1"
    assert run["options"]["connections"] == 4 and run["options"]["active"] == 2 and run["options"]["loop"] == "closed"
    assert run["environment"]["cpus_online"] >= 1 and run["environment"]["compiler"]
    assert len(run["schedule_hash"]) == 16
    assert run["client"]["cpu_ns"] > 0
    # Little's law, computed here: throughput times mean service time is the number of outstanding requests. The last
    # requests, which are answered after the measured time, make a small difference.
    little = run["achieved"] * run["percentiles"]["service"]["mean_ns"] / 1e9
    beyond = run["histograms"]["service"]["most_ns"] / 1e9 / run["seconds"]
    assert 0 < little <= 2 * (1.05 + beyond)


@linux
def test_server_side_figures(server):
    run = generator.run(*at(server, "--connections", 100, "--server-pid", server.pid)).json
    assert run["server"]["cpu_ns"] > 0 and run["server"]["resident_bytes"] > 100_000
    assert run["server"]["cpu_ns"] == run["server"]["user_ns"] + run["server"]["system_ns"]
    assert run["server"]["switches"] > 0
    assert {"listen_overflows", "listen_drops", "retransmits", "softirq_ticks", "steal_ticks"} <= set(run["machine"])


@linux
@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="this kernel does not count waits for a CPU")
@pytest.mark.cause("only the client's own wait for a CPU is looked at")
def test_a_server_that_shares_its_cpu_is_told(server):
    """Somebody else computes on the server's CPU: the response times are not the server's own."""
    cpu = min(os.sched_getaffinity(0))
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            for pid in (server.pid, other.pid):
                os.sched_setaffinity(pid, {cpu})
            command = at(server, "--connections", 100, "--server-pid", server.pid, "--limit", "preempted=5")
            run = generator.run(*command).json
        finally:
            other.kill()
    assert run["verdict_basis"]["server_threads"] == 1 and run["verdict_basis"]["server_preempted"] > 5
    assert run["verdict"] == "NOISY_HOST"
    assert any(each["text"].startswith("preempted: the server stood ready") for each in run["reasons"]), run["reasons"]


@linux
def test_server_that_cannot_be_read_is_an_error(server):
    result = generator.run_plain(*at(server, "--server-pid", 2**22 + 1))
    assert result.returncode == 1 and "--server-pid" in result.stderr and result.stderr.count("\n") == 1


def test_hgrm_is_what_plotters_read(server):
    result = generator.run_plain(*at(server, "--connections", 4, "--hgrm", "-"))
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    rows = [[float(word) for word in line.split()] for line in lines[2:] if not line.startswith("#")]
    assert all(len(row) == 4 for row in rows[:-1]) and len(rows[-1]) == 3
    for column in range(3):
        assert [row[column] for row in rows] == sorted(row[column] for row in rows)
    assert rows[-1][1] == 1.0
    assert [line.split()[0] for line in lines if line.startswith("#")] == ["#[Mean", "#[Max", "#[Buckets"]
    assert f"Total count    = {int(rows[-1][2]):12d}]" in lines[-2]


def test_timeline_is_the_histogram_over_the_run(server):
    """The same requests as in the histogram of the response, in rows of 256 slots. At a thousand a second for 0.3 s
    each of the 50 intervals of 6 ms has the six requests that were due in it, whenever they were answered."""
    run = generator.run(*at(server, "--connections", 4, "--rate", 1000)).json
    timeline = run["timeline"]
    assert (timeline["intervals"], timeline["interval_ns"], timeline["step_bits"]) == (50, 6_000_000, 2)
    rows, due = Counter(), Counter()
    for interval, row, count in timeline["answered"]:
        rows[row] += count
        due[interval] += count
    expected = Counter()
    for slot, count in run["histograms"]["response"]["slots"]:
        expected[slot >> 8] += count
    assert rows == expected and not timeline["unanswered"]
    assert due == dict.fromkeys(range(50), 6)


def test_csv_is_columns(server):
    result = generator.run_plain(*at(server, "--connections", 4, "--csv", "-"))
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [float(row["percentile"]) for row in rows[:99]] == list(range(1, 100))
    known = [float(row["service_us"]) for row in rows if row["service_us"]]
    assert len(known) >= 99 and known == sorted(known)


def test_table_for_people(server):
    result = generator.run_plain(*at(server, "--connections", 4, "--rate", 500))
    assert result.returncode == 0
    words = ("open loop, 500.000 a second", "response", "service", "lag", "offered", "achieved", "verdict    VALID")
    for word in words:
        assert word in result.stdout, result.stdout
    assert result.stderr == "", "there must be no progress line without a terminal"


def test_progress_on_a_terminal(server):
    ours, theirs = pty.openpty()
    words = generator.command(*at(server, "--connections", 2, "--duration", 1.5))
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        shown += data
    process.communicate()
    os.close(ours)
    assert b"/s" in shown and b"p99" in shown and b"errors 0" in shown and b"s left" in shown


# -- many ------------------------------------------------------------------------------------------


@needs.descriptors(2100)
def test_thousands_of_connections_are_proven_and_cheap(server):
    """The test makes 2,000 connections, so that it can run beside others; docs/measuring.md says what 19,900 take.
    Memory is compared with a run of one connection: each further connection costs a small struct and a few requests."""
    if servers.sanitizer():
        pytest.skip("a sanitizer's memory is its own")
    one = generator.run(*at(server, "--connections", 1)).json
    many = generator.run(*at(server, "--connections", 2000, "--active", 100)).json
    assert many["counts"]["established"] == 2000
    more = many["client"]["most_resident_bytes"] - one["client"]["most_resident_bytes"]
    assert more / 2000 < 500, f"{more / 2000:.0f} bytes a connection"


# -- a machine that has run for long ---------------------------------------------------------------

long_uptime = preload.library("../../conformance/long_uptime.c")


@linux
@preload.needed
def test_it_sleeps_until_a_request_is_due(peer, tmp_path, monkeypatch, long_uptime):
    """Each call that waits for a moment ends at that moment, and not at once. The witness makes one in 2 ms."""
    a_month = 30 * 24 * 60 * 60
    for name, value in {"LD_PRELOAD": long_uptime, "UPTIME": a_month, "SLEEPS": tmp_path / "sleeps"}.items():
        monkeypatch.setenv(name, str(value))
    began = time.monotonic()
    generator.run(*at(peer, "--rate", 100))
    sleeps = int((tmp_path / "sleeps").read_text())
    assert 0 < sleeps < 1000 * (1 + time.monotonic() - began)
