"""What a program that nobody trusts may use."""

from __future__ import annotations

from dataclasses import dataclass

from grader.host import MOST_OUTPUT

MIB = 1 << 20


@dataclass(frozen=True)
class Profile:
    """What a kind of program may use."""

    filter: str = "server"  # launch.c
    memory: int = 512 * MIB  # address space of each process
    all_memory: int = 256 * MIB  # resident, of all processes together
    processes: int = 24
    descriptors: int = 4096
    file: int = 8 * MIB
    files: int = 500  # in /tmp
    folder: int = 16 * MIB  # /tmp itself
    cpu: int = 60  # seconds, of each process and of all together
    output: int = MOST_OUTPUT  # bytes of each stream that are kept
    printed: int = 64 * MIB  # bytes of both streams together, kept or not


SERVER = Profile()
PROGRAM = Profile(filter="program", printed=MIB)
COMPILER = Profile(
    memory=1024 * MIB,
    all_memory=512 * MIB,
    processes=32,
    descriptors=256,
    file=32 * MIB,
    folder=64 * MIB,
    output=16 * MIB,
)
