"""Every shape of the protocol: the Python of suite.protocol and the C of labs/protocol say the same of any bytes."""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from labkit.protocol import KEYS, SHAPES, of_word
from labkit.sources import shape, text
from suite import servers
from suite.protocol import ECHO, LENGTHS, ORDERS, TRANSFORMS, Protocol

STRICT = ("-std=c17", "-O1", *servers.warnings())
MAX_FRAME = 300  # small, so that a made-up number is as often too long as not


class CScan(ctypes.Structure):
    _fields_ = [("whole", ctypes.c_size_t), ("frames", ctypes.c_uint64), ("oversize", ctypes.c_bool)]


def keyed(protocol: Protocol, dice: random.Random) -> Protocol:
    keys = KEYS.get(protocol.transform)
    return replace(protocol, key=dice.randint(1, keys) if keys else 0, max_frame=MAX_FRAME)


def compiled(protocol: Protocol, directory: Path):
    """frame_scan() of this protocol, and no warning."""
    for name in ("frame.c", "frame.h"):
        (directory / name).write_text(text(protocol, f"common/{name}"))
    library = directory / "frame.so"
    command = ["cc", *STRICT, "-Werror", "-shared", "-fPIC", "-o", library, directory / "frame.c"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    function = ctypes.CDLL(str(library)).frame_scan
    function.restype = CScan
    function.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint32]
    return function


def stream(protocol: Protocol, dice: random.Random) -> bytes:
    """Frames, then something else."""
    parts = [protocol.frame(dice.randbytes(dice.choice((0, 1, 2, 7, MAX_FRAME)))) for _ in range(dice.randrange(4))]
    wrong = bytearray(protocol.frame(dice.randbytes(9)))
    wrong[-1] ^= 1
    last = dice.choice(
        (
            b"",
            protocol.frame(dice.randbytes(20))[: dice.randrange(20)],
            protocol.header(MAX_FRAME + 1) + b"more",
            protocol.number(dice.randrange(protocol.overhead + 2)) + b"more",
            protocol.number(dice.randrange(1 << 8 * protocol.length_bytes)),
            bytes(wrong),
            protocol.number((1 << 8 * protocol.length_bytes) - 1) + bytes(40),
            dice.randbytes(40),
        )
    )
    return b"".join(parts) + last


def alike(protocol: Protocol, directory: Path, rounds: int = 300) -> None:
    frame_scan = compiled(protocol, directory)
    dice = random.Random(repr(protocol))
    seen = set()
    for _ in range(rounds):
        sent = stream(protocol, dice)
        buffer = ctypes.create_string_buffer(sent, len(sent) + 1)
        got = frame_scan(ctypes.cast(buffer, ctypes.c_char_p), len(sent), MAX_FRAME)
        scan = protocol.scan(sent)
        assert (got.whole, got.frames, got.oversize) == scan, sent.hex(" ")
        assert buffer.raw[: got.whole] == protocol.replies(sent), sent.hex(" ")
        assert buffer.raw[got.whole : len(sent)] == sent[got.whole :], "the bytes behind the last whole frame changed"
        seen.add((scan.frames > 0, scan.refused))
    assert len(seen) == 4, "the streams made up are all of a kind"


def test_the_shapes_are_all_combinations():
    assert len(set(map(shape, SHAPES))) == len(LENGTHS) * len(ORDERS) * 2 * 2 * len(TRANSFORMS) == 128
    assert SHAPES[0] == ECHO


def test_a_word_reaches_every_shape_but_the_public_one():
    reached = {replace(of_word(f"student {number}"), key=0, transform="echo") for number in range(300)}
    assert all(30_000 <= each.max_frame <= 50_000 for each in reached)
    assert all(15_000 <= each.low_water <= 25_000 and 60_000 <= each.high_water <= 80_000 for each in reached)
    shapes = {shape(of_word(f"{number}"))[:5] for number in range(3000)}
    assert shapes == {shape(each)[:5] for each in SHAPES[1:]}
    assert of_word("") == ECHO and of_word("anna") == of_word("anna") != of_word("Anna")


# All of them: ALL_SHAPES=1 harness/pytest labs/tests/test_protocol_variants.py
SAMPLE = list(SHAPES[1:]) if os.environ.get("ALL_SHAPES") else random.Random(1).sample(SHAPES[1:], 15)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler")
@pytest.mark.parametrize("protocol", [ECHO, *SAMPLE], ids=str)
def test_c_and_python_say_the_same(protocol, tmp_path):
    alike(keyed(protocol, random.Random(2)), tmp_path)


def test_one_frame_of_each_kind():
    """By hand, so that the model is not only compared with what was written beside it."""
    assert Protocol(3, "little", True, True, "rotate", 4).frame(b"\x12\x21") == bytes.fromhex("06 00 00 12 21 33")
    assert Protocol(3, "little", True, True, "rotate", 4).reply(b"\x12\x21") == bytes.fromhex("06 00 00 21 12 33")
    assert Protocol(2, "big", False, True, "xor", 0xFF).reply(b"\x0f\x00\x01") == bytes.fromhex("00 03 f0 ff fe f1")
    assert Protocol(8, "big", True, False, "reverse").reply(b"abc") == bytes.fromhex("00 00 00 00 00 00 00 0b 63 62 61")
    assert Protocol(2, "little", True, True).frame(b"") == bytes.fromhex("03 00 00")
    assert Protocol(2, "little", True, True).scan(bytes.fromhex("02 00")) == (0, 0, True)


@pytest.mark.parametrize(
    "bad",
    [
        {"length_bytes": 5},
        {"order": "middle"},
        {"transform": "xor"},
        {"key": 1},
        {"length_bytes": 2, "max_frame": 65_535},
    ],
)
def test_a_protocol_that_cannot_be(bad):
    with pytest.raises(ValueError):
        Protocol(**bad)


def test_the_words_of_the_handout_name_what_matters():
    text = Protocol(3, "little", True, True, "rotate", 3).describe()
    for each in ("3 bytes", "least significant byte first", "size of the whole frame", "check byte", "left by 3"):
        assert each in text
    assert "check byte" not in ECHO.describe()
    assert "server" in ECHO.describe() and "server" not in ECHO.describe(server=False)
