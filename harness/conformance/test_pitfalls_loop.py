"""Mistakes of a loop that no other test would notice (docs/pitfalls/)."""

from __future__ import annotations

import pytest

from suite import kernel, servers, tls, waiting
from suite.ahead import start_ahead
from suite.frames import frame, payload

from test_descriptors import limit_to
from test_idle import assert_asleep

needs_proc = pytest.mark.skipif(not kernel.HAS_PROC, reason=kernel.NO_PROC)

READS_A_TURN = max(kind.reads for kind in servers.KINDS if kind.trigger != "completion")


@pytest.mark.except_for("receives until the socket is empty, in the kernel", trigger="completion")
@pytest.mark.cause("a turn that its budget ended leaves data behind, and no edge will come for it")
def test_more_waits_than_a_turn_reads(start, server_name):
    """All of it is there before the first read, so that no later arrival can make up for what is forgotten. A
    begun frame keeps the reads short: there are many of them. Over TLS a read brings 33 KiB into memory of OpenSSL,
    whatever the room is: fewer reads, but more than a turn of that server has."""
    turn, frames = (servers.OF[server_name].reads, 20) if tls.options(server_name) else (READS_A_TURN, 40)
    stream = frame(payload(5000)) * frames
    server, peer = start_ahead(start, len(stream), "--high-water", "8000000", "--low-water", "1000000")
    peer.send(stream[:2])
    peer.wait_delivered()
    before = server.wait_statistics(lambda s: s["buffers"] == 1, "two bytes of a header kept")["reads"]
    with server.frozen():
        peer.send(stream[2:])
        peer.wait_delivered()
    for _ in range(frames):
        peer.expect_frame(payload(5000))
    assert server.statistics()["reads"] - before > turn, "too few reads: the test has lost its point"


@needs_proc
@pytest.mark.cause("accept fails with EMFILE, its peer stays in the queue, and is reported at once again")
def test_asleep_with_a_peer_that_cannot_be_accepted(start):
    server = start()
    limit_to(server, 1)
    server.connect("fits").echo(b"x")
    before = server.statistics()["accepts"]
    for _ in range(3):
        server.connect("too many")
    server.wait_statistics(lambda s: s["accepts"] > before, "an accept that failed")
    assert_asleep(server)
    assert len([line for line in server.errors() if "Too many open files" in line]) <= 1, "a line for each try"


@pytest.mark.cause("the wait's timeout begins anew at every wake-up, and only a wait that times out expires anybody")
def test_a_busy_peer_does_not_keep_a_silent_one(start):
    server = start("--idle-timeout", "1.5")  # no machine is so loaded that the talk pauses for that long
    silent = server.connect("silent")
    talking = server.connect("talking")

    def gone() -> bool:
        if not silent.has_input():
            talking.echo(payload(10))
        return silent.has_input()

    waiting.until(gone, "the silent peer closed, while the other one talks")
    silent.expect_gone()
    assert server.stop()["closed"]["idle"] >= 1


@pytest.mark.cause("SIGPIPE has its default action: it ends the process")
def test_no_sigpipe_with_output_pending_after_the_end(start):
    """A reset that follows the peer's FIN is EPIPE to the next send (Linux), and SIGPIPE. With the input at its end
    no recv comes in between, which would take the error."""
    server = start("--high-water", "8000000", "--low-water", "1000000")
    other = server.connect("other")
    peer = server.connect("rude", receive_buffer=4096)
    data = frame(payload(250_000)) * 24
    peer.send(data)
    peer.half_close()
    peer.wait_delivered()
    pending = server.wait_statistics(lambda s: s["frames"] == 24, "all frames received")
    assert pending["bytes_out"] < len(data), "no output pending: the test has lost its point"
    server.statistics()  # by another wake-up, in which the end is read at the latest
    peer.reset()
    gone = server.wait_statistics(lambda s: s["connections"] == 1, "the rude one gone")
    assert gone["closed"]["end"] == 1, "the end was not read before the reset: the test has lost its point"
    other.echo(b"still here")
