"""common/json.c: whatever it is given, what it writes is JSON, and means what was given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite import servers

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("json") / "write_json"
    sources = [HERE / "write_json.c", servers.ROOT / "common/json.c"]
    flags = ["-std=c17", "-D_GNU_SOURCE", "-O1", "-g", "-fsanitize=undefined", "-fno-sanitize-recover=all"]
    subprocess.run([*servers.compiler(), *flags, "-o", built, *sources, "-lm"], check=True)
    return built


def write(program: Path, *arguments: bytes, **how: object) -> subprocess.CompletedProcess:
    return subprocess.run([os.fsencode(program), *arguments], timeout=20, **({"stdout": subprocess.PIPE} | how))


def read(data: bytes) -> dict:
    """As a strict reader does: UTF-8, and no NaN."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no JSON")

    return json.loads(data.decode("utf-8"), parse_constant=refuse)


STRINGS = {
    b"": "",
    b"plain": "plain",
    b'"\\/': '"\\/',
    bytes(range(1, 32)): "".join(map(chr, range(1, 32))),
    b"\x7f": "\x7f",
    "é€😀 \u0800\uffff\U0010ffff\ud7ff\ue000".encode(): "é€😀 \u0800\uffff\U0010ffff\ud7ff\ue000",
    b"a\xffb": "a\ufffdb",  # no byte of UTF-8
    b"\x80": "\ufffd",  # a continuation of nothing
    b"\xc3": "\ufffd",  # ends in the middle
    b"\xe2\x82": "\ufffd\ufffd",
    b"\xe2\x82x": "\ufffd\ufffdx",
    b"\xc0\xaf": "\ufffd\ufffd",  # too long a form of '/'
    b"\xe0\x80\xaf": "\ufffd\ufffd\ufffd",
    b"\xf0\x8f\xbf\xbf": "\ufffd\ufffd\ufffd\ufffd",
    b"\xed\xa0\x80": "\ufffd\ufffd\ufffd",  # half of a UTF-16 pair
    b"\xf4\x90\x80\x80": "\ufffd\ufffd\ufffd\ufffd",  # above U+10FFFF
    b"\xf5\x80\x80\x80": "\ufffd\ufffd\ufffd\ufffd",
}


@pytest.mark.cause("a byte that JSON does not allow is written as it is, or one that it allows is changed")
def test_every_string_is_what_was_given_or_says_that_it_is_not(program):
    assert read(write(program, *STRINGS).stdout)["arguments"] == list(STRINGS.values())


def test_numbers_are_what_was_given(program):
    written = read(write(program).stdout)
    assert written["numbers"] == [
        0, 2**64 - 1, -(2**63), 0.667, -1.0, sys.float_info.max, 2 / 3, 5e-324, 1e300
    ]  # fmt: skip
    assert written["none"] == [None] * 6, "JSON has no NaN and no infinity"
    assert written["hash"] == "0000000000000abc"


def test_objects_and_arrays_nest(program):
    written = read(write(program).stdout)
    assert written["empty"] == [[], {}]
    deep = written["deep"]
    for _ in range(15):
        first, deep, last = deep["in"]
        assert (first, last) == (True, False)
    assert deep == {"middle": None}


def test_one_line_or_a_line_for_each_member(program):
    one, many = write(program, b"one").stdout, write(program, b"lines").stdout
    assert one.count(b"\n") == 1 and one.endswith(b"}\n") and one.startswith(b'{"arguments": ["one"], "numbers": [0, ')
    lines = many.splitlines()
    assert (lines[0], lines[-1]) == (b"{", b"}") and len(lines) == 2 + len(read(many))
    assert all(line.startswith(b'  "') for line in lines[1:-1])


@pytest.mark.cause("what does not fit the buffer is lost, or written twice")
@pytest.mark.parametrize("size", (*range(4050, 4097), 8192, 100_000))
def test_a_text_of_any_length_arrives_whole(program, size):
    text = b"".join(b"%07d," % i for i in range(size // 8 + 1))[:size]
    assert read(write(program, b"\n", text).stdout)["arguments"] == ["\n", text.decode()]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_failed_write_is_noticed(program):
    with open("/dev/full", "w") as full:
        assert write(program, b"x" * 100_000, stdout=full).returncode == 1
