"""--framing line: a frame is a line. What a peer does and what the server does are as with lengths."""

from __future__ import annotations

import random

import pytest

from suite.frames import payload

LINES = ("--framing", "line")
pytestmark = pytest.mark.cause("the end of a line is looked for in the wrong bytes, or not in all of them")


def expect(peer, data: bytes) -> None:
    assert peer.receive(len(data)) == data


def letters(size: int, seed: int = 0) -> bytes:
    """Any bytes but the one that ends a line."""
    return payload(size, seed).replace(b"\n", b"n")


@pytest.mark.parametrize("size", (0, 1, 3, 4, 5, 64, 65_534, 65_535, 65_536, 200_000, 1 << 20))
def test_a_line_of_any_size(start, size):
    peer = start(*LINES).connect()
    line = letters(size) + b"\n"
    for _ in range(2):
        peer.send(line)
        expect(peer, line)


def test_lines_in_one_segment(start):
    server = start(*LINES)
    peer = server.connect()
    data = b"one\n\n\ntwo\r\n\x00three\x00\n" + bytes(range(11, 256)) + b"\n"
    peer.send(data)
    expect(peer, data)
    assert server.stop()["frames"] == 6


def test_nothing_is_sent_before_the_end_of_the_line(start):
    server = start(*LINES)
    peer = server.connect()
    data = b"byte by byte\n"
    for i in range(len(data) - 1):
        peer.send(data[i : i + 1])
        server.wait_statistics(lambda s: s["bytes_in"] == i + 1, f"{i + 1} bytes read")
    assert not peer.has_input()
    peer.send(b"\nand a begun one")
    expect(peer, data)
    server.wait_statistics(lambda s: s["bytes_in"] == len(data) + 15, "all read")
    assert not peer.has_input()


@pytest.mark.parametrize("seed", range(3))
def test_any_split_of_the_stream(start, seed):
    dice = random.Random(seed)
    peer = start(*LINES).connect()
    lines = [letters(dice.choice((0, 1, 7, 500, 70_000)), i) + b"\n" for i in range(20)]
    stream = b"".join(lines)
    sent = got = 0
    while got < len(stream):
        size = dice.choice((1, 5, 1000, 50_000))
        peer.send(stream[sent : sent + size])
        sent = min(len(stream), sent + size)
        whole = stream.rfind(b"\n", 0, sent) + 1
        expect(peer, stream[got:whole])
        got = whole


def test_max_frame_is_the_longest_line(start):
    server = start(*LINES, "--max-frame", "16")
    peer = server.connect()
    for size in (15, 16):
        line = letters(size) + b"\n"
        peer.send(line)
        expect(peer, line)


@pytest.mark.parametrize("end", (b"", b"\n", b"\nnext\n"), ids=("begun", "whole", "more"))
@pytest.mark.parametrize("size", (17, 100, 100_000))
def test_a_longer_line_is_refused_after_the_earlier_echoes(start, size, end):
    server = start(*LINES, "--max-frame", "16")
    peer = server.connect()
    peer.send(b"earlier\n" + letters(size) + end)
    expect(peer, b"earlier\n")
    peer.expect_end()
    peer.close()
    server.wait_error("a message above --max-frame 16: closing")
    statistics = server.stop()
    assert (statistics["frames"], statistics["closed"]["oversize"]) == (1, 1)


@pytest.mark.parametrize(("tail", "reason"), ((b"", "end"), (b"begun", "truncated")))
def test_an_end_behind_lines(start, tail, reason):
    server = start(*LINES)
    peer = server.connect()
    lines = b"".join(letters(1000, i) + b"\n" for i in range(300))
    peer.send(lines + tail)
    peer.half_close()
    expect(peer, lines)
    peer.expect_end()
    assert server.stop()["closed"][reason] == 1


def test_a_peer_that_does_not_read_is_paused(start):
    server = start(*LINES, "--high-water", "65536", "--low-water", "16384")
    peer = server.connect(receive_buffer=4096)
    line = letters(999) + b"\n"
    sent = peer.send_what_fits(line * 40_000)
    server.wait_statistics(lambda s: s["pauses"] > 0, "a pause")
    whole = sent // len(line) * len(line)
    for _ in range(whole // len(line)):
        expect(peer, line)
