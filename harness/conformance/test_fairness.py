"""One busy peer does not keep the others waiting. Counted in system calls, not in time."""

from __future__ import annotations

import pytest

from suite import needs, servers
from suite.frames import frame, payload
from suite.peer import needs_in_flight

from suite.strace import UNDER_STRACE, calls_of


@pytest.mark.inside
@needs.to_trace
@pytest.mark.except_for("strace sees no receive and no send of a ring: beyond/uring/tests", trigger="completion")
@pytest.mark.cause("a connection is read until it is dry, however long that takes")
def test_a_flooder_does_not_starve_a_quiet_peer(start, server_name, tmp_path):
    trace = tmp_path / "trace"
    server = start("--high-water", "50000000", "--low-water", "1", wrapper=["strace", "-f", "-o", str(trace)],
                   environment=UNDER_STRACE)
    flooder = server.connect("flooder")
    quiet = server.connect("quiet")
    for _ in range(8):  # lets the kernel widen the flooder's receive window
        flooder.echo(payload(1 << 20))
    quiet.echo(b"before")
    small = frame(b"12345678")
    for _ in range(3):
        with server.frozen():
            sent = flooder.send_what_fits(small * 200_000)
            quiet.send_frame(b"quiet!")
            quiet.wait_delivered()
        quiet.expect_frame(b"quiet!")
        frames_begun = -(-sent // len(small))
        flooder.send((small * frames_begun)[sent:])
        assert flooder.receive(frames_begun * len(small)) == small * frames_begun
    server.stop()

    run_length = longest = 0
    last = None
    least = 512 if servers.OF[server_name].transport == "tls" else 0  # what is smaller there is of the handshake
    for name, arguments, _, _ in calls_of(trace):
        if name == "recvfrom" and int(arguments.split(",")[-4]) >= least:
            descriptor = arguments.split(",")[0]
            run_length = run_length + 1 if descriptor == last else 1
            last = descriptor
            longest = max(longest, run_length)
        elif name in ("epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "pselect6"):
            last = None
    assert longest <= servers.OF[server_name].reads, "reads of one connection in a row, within one wake-up"
    if servers.OF[server_name].reads > 1:
        assert longest > 1, "the flooder never filled a read: the test has lost its point"


@pytest.mark.cause("the ready list comes before the events, or is served until it is empty")
def test_many_quiet_peers_beside_flooders(start):
    needs_in_flight(500_000)  # the flooders send half a megabyte before they read
    server = start()
    flooders = [server.connect("flooder") for _ in range(3)]
    quiet = [server.connect("quiet") for _ in range(20)]
    stream = frame(payload(1000)) * 500
    for turn in range(5):
        sent = [flooder.send_what_fits(stream) for flooder in flooders]
        for i, peer in enumerate(quiet):
            peer.echo(payload(50, (turn, i)))
        for flooder, count in zip(flooders, sent):
            flooder.send(stream[count:])
            assert flooder.receive(len(stream)) == stream
