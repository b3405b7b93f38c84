"""An idle connection holds a small struct and no buffer, and the common case copies nothing."""

from __future__ import annotations

import platform
from statistics import median

import pytest

from suite import kernel, needs, servers, tls
from suite.adversaries import RETURNS_MEMORY
from suite.frames import frame, header, payload
from suite.peer import Peer
from suite.server import Server

CONNECTIONS = 10_000


# Not over TLS: thousands of handshakes take too long. beyond/tls/tests weighs hundreds of sessions.
@needs.descriptors(CONNECTIONS + 50)
@pytest.mark.inside
@pytest.mark.only(ceiling="none", transport="plain")
@pytest.mark.cause("a buffer is kept while nothing is pending, or the connection has grown")
@pytest.mark.skipif(not kernel.HAS_PROC, reason=kernel.NO_PROC)
@needs.true_memory
def test_idle_connections_are_small(start, server_name):
    """A struct of at most 128 bytes, and what malloc(3) adds. poll has 16 bytes a connection in its arrays besides,
    kqueue 64 in its event array (on Linux, 32 in the emulation): idle_bytes in servers.toml."""
    server = start()
    with server.connect("warm-up") as first:
        first.echo(b"one frame")
    server.wait_statistics(lambda s: s["connections"] == 0, "the first one gone")
    before = kernel.memory_bytes(server.pid, "VmRSS")
    peers = server.connect_many(CONNECTIONS)
    with server.frozen():
        for peer in peers:
            peer.send_frame(b"one frame")
    for peer in peers:
        peer.expect_frame(b"one frame")
    grown = kernel.memory_bytes(server.pid, "VmRSS") - before
    statistics = server.statistics()
    assert statistics["connections"] == CONNECTIONS
    assert statistics["buffers"] == 0
    if server.implementation == "libkqueue":
        pytest.skip(f"libkqueue keeps memory of its own for each filter: {grown / CONNECTIONS:.0f} bytes a connection")
    assert grown < CONNECTIONS * servers.OF[server_name].idle_bytes, f"{grown} bytes for {CONNECTIONS} idle connections"


@pytest.mark.inside
@pytest.mark.cause("whole frames are copied before they are sent")
def test_whole_frames_are_not_copied(start):
    server = start()
    peers = [server.connect() for _ in range(10)]
    for i, peer in enumerate(peers):
        for size in (0, 1, 64, 5000):
            peer.echo(payload(size, i))
    with server.frozen():
        for peer in peers:
            peer.send(frame(payload(64)) * 20)
    for peer in peers:
        for _ in range(20):
            peer.expect_frame(payload(64))
    assert server.stop()["copied_bytes"] == 0


@pytest.mark.inside
@pytest.mark.cause("a buffer outlives the bytes that it was for")
def test_a_buffer_exists_only_while_bytes_are_pending(start):
    server = start()
    peer = server.connect()
    peer.send(frame(payload(1000))[:500])
    server.wait_statistics(lambda s: s["bytes_in"] == 500 and s["buffers"] == 1, "a buffer for half a frame")
    peer.send(frame(payload(1000))[500:])
    peer.expect_frame(payload(1000))
    server.wait_statistics(lambda s: s["buffers"] == 0, "no buffer after it")


needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt(3) is glibc's")


@pytest.mark.inside
@needs_glibc
@pytest.mark.cause("freed memory goes back to the kernel at once: each large frame is received into new pages")
@pytest.mark.skipif(not kernel.HAS_PROC, reason=kernel.NO_PROC)
@needs.true_memory
@pytest.mark.parametrize("size", (100_000, 400_000), ids=("more than the scratch buffer", "several times as much"))
def test_large_frames_need_no_new_pages(start, server_name, size):
    """All peers send before the server looks, so that many connections hold a part of a frame at the same time. How
    many do so differs from round to round. A round with more than any before touches new pages; most rounds do not."""
    of = servers.OF[server_name]
    if servers.of_32_bits() and of.threads == "several" and of.trigger != "oneshot":  # the pool has one heap for all
        pytest.skip("where pointers have 32 bits, a heap of a thread is 1 MB, and goes back when it is free")
    server = start()
    peers = [server.connect() for _ in range(20)]

    def faults_of_a_round() -> int:
        before = kernel.page_faults(server.pid)
        with server.frozen():
            for peer in peers:
                peer.send(header(size) + data[: size // 4])
        for peer in peers:
            peer.send(data[size // 4 :])
            peer.expect_frame(data)
        return kernel.page_faults(server.pid) - before

    data = payload(size)
    rounds = [faults_of_a_round() for _ in range(25)][10:]
    faults = median(rounds)
    assert faults < 0.1 * len(peers), f"page faults for {len(peers)} frames of {size} bytes, by round: {rounds}"


needs_rss = pytest.mark.skipif(not kernel.HAS_PROC, reason=kernel.NO_PROC)
by_the_loop = pytest.mark.except_for(
    "the loop looks at the heap, and what the workers count reaches it only when it stops them", trigger="oneshot"
)
# Each of several loops looks at its own share of the burst, and beyond/tls/tests has the memory of sessions.
one_loop = pytest.mark.only(threads="one", transport="plain")


class Burst:
    """Peers that send all but the last byte of a long frame each: the server holds what has come."""

    def __init__(self, server: Server, number: int, size: int):
        self.server = server
        self.before = kernel.memory_bytes(server.pid, "VmRSS")
        self.data = payload(size)
        self.peers = [server.connect() for _ in range(number)]
        for peer in self.peers:
            peer.send(header(size) + self.data[:-1])
        held = number * (size + 3)
        server.wait_statistics(lambda s: s["bytes_in"] == held, "all but one byte of each frame")
        assert self.grown() > 0.95 * held, f"{self.grown()} bytes for {held} that are held"

    def grown(self) -> int:
        return kernel.memory_bytes(self.server.pid, "VmRSS") - self.before

    def may_stay(self) -> int:
        """32 MiB of freed memory (common/buffer.c), what the connections need, and the landing buffers of a server by
        completion, whose pages are new to it until bytes land there."""
        return (33 << 20) + servers.burst(self.server.name) + self.server.memory_slack

    def end(self, peers: list[Peer]) -> None:
        """These send their last byte, and get their echo."""
        for peer in peers:
            peer.send(self.data[-1:])
            peer.expect_frame(self.data)
        left = len(self.peers) - len(peers)
        self.server.wait_statistics(lambda s: s["buffers"] == left, "a buffer only where a byte is missing")


@pytest.mark.inside
@pytest.mark.cause("memory that a burst needed is never given back")
@needs_rss
@needs.true_memory
@by_the_loop
def test_memory_comes_back_after_a_burst(start):
    """What stays is bounded, however large the burst was."""
    burst = Burst(start(), 100, 1_000_000)
    burst.end(burst.peers)
    assert burst.grown() < burst.may_stay(), f"{burst.grown()} bytes are still held"


@pytest.mark.inside
@pytest.mark.cause("a small block at the end of the heap keeps all that a burst needed")
@needs.descriptors(1000)
@needs_glibc
@needs_rss
@needs.true_memory
@one_loop
def test_memory_comes_back_though_peers_came_during_the_burst(start):
    """They are accepted while the heap is large, and stay. So what stands behind them lies high in the heap."""
    server = start()
    burst = Burst(server, 100, 600_000)
    later = server.connect_many(800)  # together fewer than FD_SETSIZE
    for peer in later:
        peer.echo(b"here")
    burst.end(burst.peers)
    assert burst.grown() < burst.may_stay(), f"{burst.grown()} bytes are still held"


@pytest.mark.inside
@pytest.mark.cause("memory comes back only when no peer at all holds a buffer")
@needs_glibc
@needs_rss
@needs.true_memory
@one_loop
@pytest.mark.parametrize("keep", (slice(5), slice(-5, None)), ids=("the first", "the last"))
def test_memory_comes_back_though_some_keep_their_buffers(start, keep):
    burst = Burst(start(), 100, 1_000_000)
    kept = burst.peers[keep]
    burst.end([peer for peer in burst.peers if peer not in kept])
    assert burst.grown() < burst.may_stay() + 1.1 * len(kept) * len(burst.data), f"{burst.grown()} bytes are still held"


@pytest.mark.inside
@pytest.mark.cause("what the environment says of malloc(3) is overruled")
@needs_glibc
@needs_rss
@needs.true_memory
@one_loop
def test_the_environment_decides_what_is_kept(start):
    server = start(environment=RETURNS_MEMORY)
    burst = Burst(server, 20, 1_000_000)
    burst.end(burst.peers)
    allowed = (2 << 20) + servers.burst(server.name)
    assert burst.grown() < allowed, f"{burst.grown()} bytes are still held"


@pytest.mark.cause("memory is reserved for what a header announces, before it has come")
@pytest.mark.skipif(not kernel.HAS_PROC, reason=kernel.NO_PROC)
@needs.true_memory
def test_a_header_reserves_nothing(start):
    server = start("--max-frame", "200000000")
    before = kernel.memory_bytes(server.pid, "VmData")  # reserved, touched or not
    peers = [server.connect() for _ in range(200)]
    for received in (14, 24, 34):
        for peer in peers:
            peer.send(b"x" * 10 if received > 14 else header(200_000_000) + b"x" * 10)
        server.wait_statistics(lambda s: s["bytes_in"] == received * len(peers), f"{received} bytes of each")
    grown = kernel.memory_bytes(server.pid, "VmData") - before
    assert grown < len(peers) * (8192 + tls.session_bytes(server.name)) + 400_000 + server.memory_slack
