"""How a connection ends: nothing that was received whole is lost, and nobody else notices."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from suite import kernel, waiting
from suite.ahead import start_ahead
from suite.flood import Flood
from suite.frames import frame, header, payload

END = "the end of the input is taken from a hang-up event, before all of the input was read"


@pytest.mark.cause(END)
def test_half_close_after_whole_frames(start):
    server = start()
    peer = server.connect()
    peer.send(frame(payload(100)) + frame(b""))
    peer.half_close()
    peer.expect_frame(payload(100))
    peer.expect_frame(b"")
    peer.expect_end()
    assert server.stop()["closed"]["end"] == 1


@pytest.mark.cause("a connection that ends without a byte is taken for a truncated one")
def test_end_without_a_byte(start):
    server = start()
    peer = server.connect()
    peer.half_close()
    peer.expect_end()
    assert server.stop()["closed"]["end"] == 1


@pytest.mark.cause(END)
@pytest.mark.parametrize("size", (1, 64, 20_000))
def test_data_and_end_in_one_wake_up(start, size):
    server = start()
    peer = server.connect()
    peer.echo(b"first")
    with server.frozen():
        peer.send_ahead(frame(payload(size)) * 3)
        peer.half_close()
        peer.wait_delivered()
    for _ in range(3):
        peer.expect_frame(payload(size))
    peer.expect_end()
    assert server.stop()["closed"]["end"] == 1


@pytest.mark.cause(END)
def test_data_of_several_reads_and_end_in_one_wake_up(start):
    """No one read takes it all, and the only edge that there will be has come with the first of it."""
    data = frame(payload(70_000)) * 2
    server, peer = start_ahead(start, len(data))
    before = server.statistics()["reads"]
    with server.frozen():
        peer.send(data)
        peer.half_close()
        peer.wait_delivered()
    for _ in range(2):
        peer.expect_frame(payload(70_000))
    peer.expect_end()
    statistics = server.stop()
    assert statistics["closed"]["end"] == 1
    assert statistics["reads"] - before >= 3, "one read took it all: the test has lost its point"


@pytest.mark.cause(END)
@pytest.mark.except_for("over TLS nobody sends before the server has accepted", transport="tls")
def test_data_and_end_before_the_accept(start):
    server = start()
    with server.frozen():
        peer = server.connect()
        peer.send(frame(payload(100)) * 50)
        peer.half_close()
        peer.wait_delivered()
    for _ in range(50):
        peer.expect_frame(payload(100))
    peer.expect_end()


@pytest.mark.cause("output that is pending when the input ends is not sent once there is room again")
def test_everything_pending_is_sent_after_the_end(start):
    server = start("--high-water", "8000000", "--low-water", "1000000")
    peer = server.connect(receive_buffer=4096)
    data = frame(payload(250_000))
    count = 24
    # All of it is taken in, for the high-water mark is above it; most of it is still to be sent.
    peer.send(data * count)
    peer.half_close()
    pending = server.wait_statistics(lambda s: s["frames"] == count, f"{count} frames received")
    assert pending["bytes_out"] < len(data) * count, "no output pending: the test has lost its point"
    for _ in range(count):
        peer.expect_frame(payload(250_000))
    peer.expect_end()
    statistics = server.stop()
    assert statistics["closed"]["end"] == 1
    assert statistics["partial_writes"] > 0


@pytest.mark.cause("a tail is echoed, or keeps its connection open, or is not counted")
@pytest.mark.parametrize("tail", (1, 3, 4, 5, 60, 70_000))
def test_end_inside_a_frame(start, tail):
    server = start()
    peer = server.connect()
    peer.send(frame(b"whole") + frame(payload(100_000))[:tail])
    peer.half_close()
    peer.expect_frame(b"whole")
    peer.expect_end()
    statistics = server.stop()
    assert statistics["closed"]["truncated"] == 1
    assert statistics["frames"] == 1


# On Linux the reset is sent at the close if input is unread, on a BSD when more input arrives.
OVERSIZE = "close(2) without reading on ends in a reset, which destroys echoes that are under way"


@pytest.mark.cause(OVERSIZE)
@pytest.mark.parametrize("length", ((1 << 20) + 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF))
def test_oversize_is_refused_after_the_earlier_echoes(start, length):
    server = start()
    peer = server.connect()
    peer.send(frame(payload(1000)) * 20 + header(length) + b"junk" * 1000)
    for _ in range(20):
        peer.expect_frame(payload(1000))
    peer.expect_end()
    server.expect_errors("max-frame")
    server.expect_errors(rf": 127\.0\.0\.1:{peer.port}: ")
    assert server.stop()["closed"]["oversize"] == 1


@pytest.mark.cause("the server asks for the peer's name when both have sent FIN: the kernel does not know it any more")
def test_who_sends_fin_behind_an_oversize_header_is_named(start):
    server = start()
    peers = [server.connect() for _ in range(5)]
    for peer in peers:
        peer.echo(b"over TLS, the handshake is over")
    with server.frozen():
        for peer in peers:
            peer.send(header(0xFFFFFFFF))
            peer.half_close()
            peer.wait_delivered()
    for peer in peers:
        peer.expect_end()
        server.expect_errors(rf": 127\.0\.0\.1:{peer.port}: a message above --max-frame")


@pytest.mark.cause(OVERSIZE)
def test_input_after_an_oversize_header_is_discarded(start):
    server = start()
    peer = server.connect()
    with server.frozen():
        peer.send(frame(payload(1000)) + header(0xFFFFFFFF))
        peer.send_what_fits(b"\x00\x00\x00\x01x" * 200_000)  # would be frames, were they looked at
    peer.expect_frame(payload(1000))
    peer.expect_end()
    peer.send(b"more")
    peer.half_close()
    server.wait_statistics(lambda s: s["connections"] == 0, "the connection closed")
    statistics = server.stop()
    assert statistics["frames"] == 1
    assert statistics["closed"]["oversize"] == 1


@pytest.mark.cause("the server lingers without a bound for a peer that never closes")
def test_lingering_is_bounded(start):
    server = start(if_taken=("--drain-timeout", "0.2"))
    peer = server.connect()
    peer.send(header(0xFFFFFFFF))
    peer.expect_end()
    server.wait_statistics(lambda s: s["connections"] == 0, "the connection closed by the server alone")
    assert server.stop()["closed"]["oversize"] == 1


@pytest.mark.cause(OVERSIZE)
def test_oversize_with_more_echoes_pending_than_buffers_hold(start):
    server = start("--high-water", "8000000", "--low-water", "1000000", "--drain-timeout", "60")
    peer = server.connect(receive_buffer=4096)
    data = frame(payload(250_000))
    peer.send(data * 20 + header(0xFFFFFFFF))
    server.wait_error("max-frame")
    for _ in range(20):
        peer.expect_frame(payload(250_000))
    peer.expect_end()


RESET = "an error on one connection ends the server, or another connection"


@pytest.mark.cause(RESET)
@pytest.mark.parametrize("before", (b"", b"\x00\x00", frame(b"x"), header(70_000) + b"begun"))
def test_reset_closes_one_connection_only(start, before):
    server = start()
    other = server.connect("other")
    victim = server.connect("victim")
    victim.send(before)
    server.wait_statistics(lambda s: s["bytes_in"] == len(before) and s["accepted"] == 2, "both there")
    victim.reset()
    statistics = server.wait_statistics(lambda s: s["connections"] == 1, "the reset noticed")
    other.echo(b"still here")
    if server.implementation != "libkqueue":  # there recv may answer 0 after a reset
        assert statistics["closed"]["reset"] == 1


@pytest.mark.cause(RESET)
def test_reset_with_output_pending(start):
    """send(2) to a peer that is gone: EPIPE or ECONNRESET, never SIGPIPE."""
    server = start()
    other = server.connect("other")
    victim = server.connect("victim", receive_buffer=4096)
    Flood(server, victim, payload(100_000)).until_paused()
    victim.reset()
    statistics = server.wait_statistics(lambda s: s["connections"] == 1, "the reset noticed")
    other.echo(b"still here")
    assert statistics["closed"]["reset"] == 1
    assert statistics["buffers"] == 0


@pytest.mark.cause(RESET)
def test_data_and_reset_in_one_wake_up(start):
    server = start()
    peers = [server.connect() for _ in range(20)]
    for peer in peers:
        peer.echo(b"hello")
    with server.frozen():
        for i, peer in enumerate(peers):
            peer.send_frame(payload(100, i))
        for peer in peers:
            peer.wait_delivered()
        for peer in peers[1::2]:
            peer.reset()
    for i, peer in enumerate(peers):
        if i % 2 == 0:
            peer.expect_frame(payload(100, i))
    server.wait_statistics(lambda s: s["connections"] == 10, "ten left")


@pytest.mark.cause("a close(2) by the peer, after which echoes meet a reset, ends more than its connection")
def test_peer_closes_without_reading_its_echoes(start):
    server = start()
    other = server.connect("other")
    for i in range(20):
        rude = server.connect("rude")
        with server.frozen():
            rude.send_ahead(frame(payload(10_000)) * 30)
            rude.close()
    server.wait_statistics(lambda s: s["connections"] == 1, "the rude ones gone")
    other.echo(b"still here")
    closed = server.stop()["closed"]
    assert closed["reset"] + closed["end"] + closed["stop"] + closed["truncated"] == 21


@pytest.mark.skipif(not kernel.HAS_PROC, reason=kernel.NO_PROC)
@pytest.mark.cause("a silent peer that vanishes would never be noticed")
def test_keep_alive_probes_are_on(start):
    server = start()
    peer = server.connect()
    peer.echo(b"x")
    peer.wait_delivered()
    ends = f":{server.address[1]:04X} 0100007F:{peer.port:04X} 01 "

    def probing() -> bool:  # proc(5): the sixth field is the timer that runs, 02 for keep-alive
        table = Path("/proc/net/tcp").read_text().splitlines()
        return next(line for line in table if ends in line).split()[5].startswith("02:")

    waiting.until(probing, "the keep-alive timer to run on the server's side of the connection")


@pytest.mark.cause("a short read is treated as the end of what has come; recv also stops short before an urgent byte")
def test_an_urgent_byte_ends_no_read(start):
    """Frame, urgent byte, frame, all before the server reads (tcp(7): out-of-band data). The urgent byte is not part
    of the stream; both frames are."""
    server = start()
    peer = server.connect()
    peer.echo(b"before")
    with server.frozen():
        peer.send_frame(payload(100))
        peer.socket.send(b"!", socket.MSG_OOB)
        peer.send_frame(payload(200))
        peer.wait_delivered()
    peer.expect_frame(payload(100))
    peer.expect_frame(payload(200))
    peer.echo(b"after")
