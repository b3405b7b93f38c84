"""The soak's measure of memory: what is in use, to the byte, and nothing of what malloc(3) keeps free."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

from soak.__main__ import IN_USE_SLACK, Result, Sample
from suite import preload, servers

pytestmark = preload.needed
library = preload.library("../in_use.c")

PROGRAM = """
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

/* 64 MB come and go, below a block that stays, and so many blocks of 1000 bytes are never given back. */
int main(int count, char **words)
{
    enum { BLOCKS = 1000, LARGE = 64 * 1024 };
    static void *large[BLOCKS];

    (void)count;
    for (int i = 0; i < BLOCKS; i++)
        large[i] = realloc(malloc(10), LARGE);
    void *stays = calloc(1, 100);
    for (int i = 0; i < BLOCKS; i++)
        free(large[i]);
    for (int i = atoi(words[1]); i > 0; i--)
        (void)malloc(1000);
    _Exit(stays == NULL);
}
"""


def in_use(program: Path, library: Path, file: Path, kept: int) -> tuple[int, int]:
    file.write_bytes(bytes(16))
    environment = {**os.environ, "LD_PRELOAD": str(library), "IN_USE": str(file)}
    subprocess.run([program, str(kept)], env=environment, check=True)
    blocks, size = struct.unpack("=qq", file.read_bytes())
    return blocks, size


def test_only_what_is_in_use_is_counted(library, tmp_path):
    source, program = tmp_path / "program.c", tmp_path / "program"
    source.write_text(PROGRAM)
    subprocess.run([*servers.compiler(), "-O0", "-o", program, source], check=True)
    blocks, size = in_use(program, library, tmp_path / "counts", 0)
    assert blocks < 5 and size < 10_000
    more_blocks, more = in_use(program, library, tmp_path / "counts", 100)
    assert more_blocks - blocks == 100 and 100_000 <= more - size < 110_000


@pytest.mark.parametrize("grown, wrong", [(IN_USE_SLACK, 0), (IN_USE_SLACK + 1, 1)])
def test_growth_above_the_limit_is_wrong(grown, wrong):
    samples = [Sample(60.0 * (1 + i), 0, 0, 1000 + i * grown, 1 << 20, 9, 1.0) for i in range(2)]
    result = Result("some_srv", samples)
    result.judge()
    assert len(result.wrong) == wrong
