"""Faulty peers with one fault each. The load generator must name each fault correctly, and must give no figures when a
reply was wrong."""

from __future__ import annotations

import socket

from suite import faulty_peers
from suite import generator
import pytest

from suite import limits

SHORT = ("--warmup", 0, "--duration", 0.3, "--drain", 0.3)

# The numbers of connections and of pipelined requests allow the fault to appear: to swap two frames, one connection
# needs two under way; to mix up connections, there must be two. The peer commits each fault exactly once, so each count
# is exact.
FAULTS = {
    faulty_peers.corrupts_a_byte: (3, 4, {"corrupted": 1}),
    faulty_peers.corrupts_a_header: (3, 1, {"corrupted": 1}),
    faulty_peers.swaps_two_frames: (3, 4, {"reordered": 1}),
    faulty_peers.answers_on_the_wrong_connection: (3, 1, {"crossed": 2}),
    faulty_peers.drops_one: (3, 4, {"lost": 1}),
    faulty_peers.answers_twice: (3, 4, {"duplicated": 1}),
    faulty_peers.closes_early: (3, 1, {"closed": 1}),
    faulty_peers.resets: (3, 1, {"reset": 1}),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("payload", ["64", "9-300"])
def test_fault_has_its_name(fault, payload):
    connections, pipeline, expected = FAULTS[fault]
    with faulty_peers.Peer(fault) as peer:
        outcome = generator.run(
            "--port", peer.port, "--connections", connections, "--pipeline", pipeline, "--payload", payload,
            *SHORT, *limits.options(),
        )  # fmt: skip
    assert peer.faults >= 1, "the peer never committed its fault: the test proves nothing"
    outcome.expect("ERRORS")
    assert outcome.wrong() == expected, outcome.json["error_examples"]
    assert set(outcome.json["error_examples"]) == set(expected)
    assert outcome.json["histograms"] is None and outcome.json["percentiles"] is None


@pytest.mark.cause("wrong bytes that come without end are read without end")
def test_peer_that_sends_without_end_is_left():
    """Each 64 KiB that the client reads at once are 16,384 empty frames: after the first 1,000 it has seen enough."""
    with faulty_peers.Peer(faulty_peers.floods) as peer:
        outcome = generator.run(
            "--port", peer.port, "--connections", 1, "--warmup", 0, "--duration", 5, *limits.options()
        )  # fmt: skip
    outcome.expect("ERRORS")
    assert 1000 < outcome.json["errors"]["corrupted"] <= 1000 + 65536 // 4, outcome.json["errors"]


@pytest.mark.parametrize("fault", [faulty_peers.drops_one, faulty_peers.swaps_two_frames], ids=lambda f: f.__name__)
def test_small_payloads_are_told_apart_too(fault):
    """A payload below 8 bytes carries no identity: it is compared with its neighbours. Different sizes help."""
    with faulty_peers.Peer(fault) as peer:
        outcome = generator.run(
            "--port", peer.port, "--connections", 2, "--pipeline", 3, "--payload", "5", *SHORT, *limits.options()
        )
    assert outcome.expect("ERRORS").wrong() == FAULTS[fault][2]


def test_peer_that_never_answers_leaves_connections_unproven():
    with faulty_peers.Peer(faulty_peers.never_answers) as peer:
        outcome = generator.run("--port", peer.port, "--connections", 5, "--connect-timeout", 0.3, *SHORT)
    assert outcome.expect("ERRORS").wrong() == {"unproven": 5}
    assert outcome.json["counts"]["established"] == 0


def test_peer_that_refuses():
    with socket.socket() as taken:  # bound, but not listening: nobody else can take the port either
        taken.bind(("127.0.0.1", 0))
        outcome = generator.run(
            "--port", taken.getsockname()[1], "--connections", 5, "--connect-timeout", 0.1, *SHORT
        )  # fmt: skip
    assert set(outcome.expect("ERRORS").wrong()) == {"refused"}
    assert "Connection refused" in outcome.json["error_examples"]["refused"]


def test_peer_that_answers_late():
    with faulty_peers.Peer(faulty_peers.answers_one_late) as peer:
        outcome = generator.run(
            "--port", peer.port, "--connections", 2, "--warmup", 0, "--duration", 0.3, "--drain", 10,
            "--timeout", faulty_peers.LATE / 2, *limits.options(),
        )  # fmt: skip
    wrong = outcome.expect("ERRORS").wrong()
    assert set(wrong) == {"late"} and wrong["late"] >= 1, wrong


def test_peer_that_stalls_is_not_steady_and_no_request_is_left_out():
    """One stall of 400 ms. In open loop, every request that falls due during the stall is sent and counted."""
    with faulty_peers.Peer(faulty_peers.stalls) as peer:
        outcome = generator.run(
            "--port", peer.port, "--connections", 4, "--rate", 1000, "--warmup", 0, "--duration", 1, "--drain", 10,
            *limits.options(stall=1000 * faulty_peers.LATE / 2),
        )  # fmt: skip
    outcome.expect("UNSTABLE")
    assert any(reason.startswith("stalled:") for reason in outcome.reasons("UNSTABLE"))
    counts = outcome.json["counts"]
    assert counts["issued"] == counts["answered"] == 1000
    # No request that fell due during the stall was answered before the stall ended. So the longest wait is at least
    # that of the first of these requests, which is the whole stall.
    assert outcome.json["histograms"]["response"]["most_ns"] >= faulty_peers.LATE * 1e9


def test_peer_that_falls_silent_leaves_requests_unanswered():
    """An unanswered request counts at the age that it has reached: a percentile among these is a lower bound."""
    with faulty_peers.Peer(faulty_peers.falls_silent) as peer:
        outcome = generator.run(
            "--port", peer.port, "--connections", 3, "--pipeline", 5, *SHORT, *limits.options()
        )
        frames = peer.frame_count
    outcome.expect("OVERLOADED")
    assert any(reason.startswith("unanswered: 15 requests") for reason in outcome.reasons("OVERLOADED"))
    assert frames == 3 + 3 * 5, "a proof and a full pipeline on each connection"
    assert outcome.json["counts"]["unanswered"] == 15
    p50 = outcome.json["percentiles"]["response"]["p50"]
    assert p50["at_least"] and p50["ns"] >= 0.3e9


def test_pipeline_limits_what_is_on_the_wire_in_open_loop_too():
    """Requests continue to fall due, and wait for their turn. The server causes that wait, so it is not lag."""
    with faulty_peers.Peer(faulty_peers.falls_silent) as peer:
        outcome = generator.run(
            "--port", peer.port, "--connections", 3, "--rate", 1000, "--pipeline", 2, *SHORT, *limits.options()
        )
        frames = [len(each.frames) for each in peer.connections]
    assert frames == [1 + 2] * 3
    assert outcome.expect("OVERLOADED").json["counts"]["issued"] == 300
    assert outcome.json["histograms"]["lag"]["count"] == 3 * 2


def test_table_marks_percentiles_among_the_unanswered():
    with faulty_peers.Peer(faulty_peers.falls_silent) as peer:
        result = generator.run_plain(
            "--port", peer.port, "--connections", 2, "--rate", 200, *SHORT, *limits.options()
        )
    row = next(line for line in result.stdout.splitlines() if line.startswith("response"))
    assert row.split()[1].startswith(">"), result.stdout


def test_too_many_outstanding_end_the_run():
    with faulty_peers.Peer(faulty_peers.falls_silent) as peer:
        outcome = generator.run(
            "--port", peer.port, "--connections", 2, "--rate", 2000, "--max-outstanding", 50, "--warmup", 0,
            "--duration", 30, "--drain", 0.2, *limits.options(),
        )  # fmt: skip
    outcome.expect("OVERLOADED")
    assert any(reason.startswith("outstanding:") for reason in outcome.reasons("OVERLOADED"))
    assert outcome.json["seconds"] < 30


@pytest.mark.cause("what is due is sent although the cap has ended the run")
def test_too_many_outstanding_end_the_sending_too():
    """At four million a second the client is behind its schedule after microseconds."""
    with faulty_peers.Peer(faulty_peers.falls_silent) as peer:
        outcome = generator.run(
            "--port", peer.port, "--connections", 2, "--rate", 4_000_000, "--max-outstanding", 50, "--warmup", 0,
            "--duration", 1, "--drain", 0.2, "--pipeline", 1_000_000, *limits.options(),
        )  # fmt: skip
        frames = peer.frame_count
    counts = outcome.expect("OVERLOADED").json["counts"]
    assert counts["issued"] == counts["unanswered"] == outcome.json["histograms"]["censored"]["count"]
    assert frames < 50 + 1000, f"{frames} of {counts['issued']} were sent"


# -- idle connections --------------------------------------------------------------------------------

IDLE = ("--connections", 2, "--active", 1, "--placement", "first", "--rate", 200)


@pytest.mark.parametrize("idle", ("silent", "trickle", "half-frame", "not-reading"))
def test_an_idle_connection_that_the_server_ends_is_closed(idle):
    with faulty_peers.Peer(faulty_peers.ends_the_second) as peer:
        outcome = generator.run("--port", peer.port, *IDLE, "--idle", idle, *SHORT, *limits.options())
    assert peer.faults, "the peer never committed its fault: the test proves nothing"
    assert outcome.expect("ERRORS").wrong() == {"closed": 1}, outcome.json["error_examples"]


@pytest.mark.cause("bytes that nobody asked for are looked at when they make a whole frame, or never")
@pytest.mark.parametrize("idle", ("silent", "half-frame"))
def test_bytes_on_an_idle_connection_that_are_no_frame(idle):
    with faulty_peers.Peer(faulty_peers.speaks_unasked) as peer:
        outcome = generator.run("--port", peer.port, *IDLE, "--idle", idle, *SHORT, *limits.options())
    assert outcome.expect("ERRORS").wrong() == {"corrupted": 1}, outcome.json["error_examples"]


def test_bytes_behind_the_last_reply_that_are_no_frame():
    """On an active connection, which has all its replies."""

    def says_more(peer: faulty_peers.Peer, connection: faulty_peers.Connection, frame: bytes) -> None:
        connection.write(frame + b"\0\0\0\x40abc" if len(connection.frames) == 2 else frame)

    with faulty_peers.Peer(says_more) as peer:
        outcome = generator.run(
            "--port", peer.port, "--connections", 1, "--rate", 4, "--duration", 0.2, "--warmup", 0, *limits.options()
        )
    assert outcome.expect("ERRORS").wrong() == {"corrupted": 1}, outcome.json["error_examples"]


def test_errors_are_printed_for_people_without_figures():
    with faulty_peers.Peer(faulty_peers.corrupts_a_byte) as peer:
        result = generator.run_plain("--port", peer.port, "--connections", 3, *SHORT)
    assert result.returncode == generator.STATUS["ERRORS"]
    assert "corrupted           1   first: connection" in result.stdout
    assert "p99" not in result.stdout and "achieved" not in result.stdout
