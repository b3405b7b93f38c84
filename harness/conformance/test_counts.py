"""What a message costs in system calls, by the server's own statistics and by strace."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from suite import needs, servers, waiting
from suite.flood import Flood
from suite.frames import payload
from suite.strace import UNDER_STRACE, calls_of

pytestmark = pytest.mark.inside

CONNECTIONS = 100
ROUNDS = 20


def exchange(server) -> dict:
    """Every connection has one 64-byte frame outstanding, in every round. Returns the statistics of that time. It
    begins after an echo: how many calls a handshake of TLS takes depends on the version of OpenSSL."""
    peers = [server.connect() for _ in range(CONNECTIONS)]
    for peer in peers:
        peer.echo(b"first")
    before = server.statistics()
    for turn in range(ROUNDS):
        for i, peer in enumerate(peers):
            peer.send_frame(payload(64, (i, turn)))
        for i, peer in enumerate(peers):
            peer.expect_frame(payload(64, (i, turn)))
    after = server.statistics()
    return {name: value - before[name] for name, value in after.items() if isinstance(value, int)}


@pytest.mark.cause("a call too many in the common path")
def test_one_read_and_one_write_a_message(start, server_name):
    server = start()
    counted = exchange(server)
    messages = CONNECTIONS * ROUNDS
    assert counted["frames"] == messages
    assert counted["reads"] + counted["writes"] <= 1.025 * servers.OF[server_name].transfers * messages
    re_armed = messages if servers.OF[server_name].trigger == "oneshot" else 0
    assert counted["interest_changes"] == re_armed
    assert counted["partial_writes"] == 0


@pytest.mark.only(trigger="edge")
@pytest.mark.cause("a short read is followed by another that would block")
def test_edge_triggered_stops_at_a_short_read(start):
    server = start()
    counted = exchange(server)
    # accept ends with EAGAIN, once a wake-up at most; no recv does.
    assert counted["reads"] == CONNECTIONS * ROUNDS
    assert counted["would_block"] <= counted["accepts"] - counted["accepted"]


@pytest.mark.cause("read interest and write interest are set more often than they change")
def test_interest_changes_come_in_pairs(start, server_name):
    server = start("--high-water", "100000", "--low-water", "50000")
    flood = Flood(server, server.connect(receive_buffer=4096), payload(50_000)).until_paused()
    flood.read_back()
    counted = server.stop()
    if servers.OF[server_name].trigger == "edge":
        assert counted["interest_changes"] == 0
    elif servers.OF[server_name].trigger == "oneshot":
        turns = counted["events"] + 1  # and the last one, before the stop
        assert counted["interest_changes"] <= turns, "armed more than once a turn"
    else:
        # Write interest on, read interest off at a pause, on again, write interest off; several such
        # pairs, but no more than there were full socket buffers and pauses.
        reasons = counted["partial_writes"] + counted["would_block"] + counted["pauses"]
        assert 2 <= counted["interest_changes"] <= 2 * reasons + 2


@needs.to_trace
@pytest.mark.except_for("strace sees no receive and no send of a ring: beyond/uring/tests", trigger="completion")
@pytest.mark.cause("a counter is forgotten at one of the places where its call is made")
def test_statistics_agree_with_strace(start, server_name, tmp_path):
    trace = tmp_path / "trace"
    server = start(
        "--high-water", "100000", "--low-water", "50000", "--max-conns", "12",
        wrapper=["strace", "-f", "-o", str(trace)], environment=UNDER_STRACE,
    )
    peers = [server.connect() for _ in range(10)]
    for i, peer in enumerate(peers):
        for size in (0, 64, 70_000):
            peer.echo(payload(size, i))
    Flood(server, server.connect("slow", receive_buffer=4096), payload(50_000)).until_paused().read_back()
    peers[0].reset()
    peers[1].half_close()
    peers[1].expect_end()
    peers[2].send(b"\xff\xff\xff\xff")
    peers[2].expect_end()
    counted = server.stop()
    waiting.until(lambda: "+++ exited" in trace.read_text(), "the end of the trace")

    calls = calls_of(trace)
    number = Counter(name for name, *_ in calls)
    assert counted["reads"] == number["recvfrom"]
    assert counted["writes"] == number["sendto"]
    assert counted["accepts"] == number["accept4"] + number["accept"]
    assert counted["accepted"] + counted["refused"] == sum(
        1 for name, _, result, _ in calls if name in ("accept4", "accept") and result >= 0
    )
    assert counted["would_block"] == sum(
        1 for name, _, _, error in calls
        if name in ("recvfrom", "sendto", "accept4", "accept") and error == "EAGAIN"
    )
    moved = [sum(r for name, _, r, _ in calls if name == call and r > 0) for call in ("recvfrom", "sendto")]
    kind = servers.OF[server_name]
    if kind.transport == "plain":
        assert [counted["bytes_in"], counted["bytes_out"]] == moved
    else:  # records have headers
        assert counted["bytes_in"] < moved[0] and counted["bytes_out"] < moved[1]
    assert counted["partial_writes"] == sum(
        1 for name, arguments, result, _ in calls
        if name == "sendto" and 0 <= result < int(re.search(r", (\d+), \w+, NULL, 0$", arguments)[1])
    )
    if not kind.waits:
        return  # the stand-ins for kqueue make other calls than the server does
    if kind.threads == "several":
        return  # threads wait for each other too; of a request for statistics, which wakes all, one wait counts
    # common/log.c asks whether standard error would wait: that is no wait of the loop.
    waited = [(name, result) for name, words, result, _ in calls if name in kind.waits and "[{fd=2," not in words]
    waits = [result for _, result in waited]
    assert counted["waits"] == len(waits)
    if "poll" not in dict(waited):  # the stand-in for ppoll keeps the event of its pipe to itself
        assert counted["events"] == sum(result for result in waits if result > 0)
    if kind.registers == "epoll_ctl":
        changes = [arguments for name, arguments, *_ in calls if name == "epoll_ctl"]
        assert counted["interest_changes"] == sum("EPOLL_CTL_MOD" in each for each in changes)
        registered = sum("EPOLL_CTL_ADD" in each for each in changes)
        own = 4 if kind.transport == "tls" else 3
        assert registered == counted["accepted"] + own, "each connection once; listener, signals, timer (and SIGHUP)"
