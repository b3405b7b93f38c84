"""The command lines of all C programs: what getopt_long allows is taken, and of what it refuses the wrong word is
named. The values of single options are tested beside their programs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import pytest

from suite import servers


@dataclass(frozen=True)
class Program:
    """A program, and options of its own for each kind of fault."""

    name: str
    number: str  # an option that takes a number, and what its values are
    numbers: str
    text: str  # an option whose value may be any word, or one that takes a choice
    ambiguous: str  # an abbreviation, and the first two options that begin so
    could_be: tuple[str, str]


SERVER = ("backlog", "from 1 to 2147483647", "stats", "max", ("max-frame", "max-conns"))
PROGRAMS = [
    *(Program(name, *SERVER) for name in servers.ALL),
    Program("loadgen", "threads", "from 1 to 256", "csv", "p", ("port", "placement")),
    Program("microbench_wait", "ready", "from 0 to 1048576", "api", "se", ("seed", "seconds")),
    Program("microbench_chain", "rounds", "from 1 to 1000", "kind", "s", ("seed", "seconds")),
    Program("microbench_calls", "messages", "from 1 to 1073741824", "policy", "", ("policy", "connections")),
]
if sys.platform.startswith("linux"):
    PROGRAMS += [
        Program("microbench_herd", "workers", "from 1 to 64", "way", "w", ("way", "workers")),
        Program("microbench_sends", "batches", "from 1 to 65536", "way", "", ("way", "nodelay")),
        Program("microbench_relay", "rounds", "from 1 to 1048576", "way", "", ("way", "piece")),
    ]
    PROGRAMS.append(Program("million", "rounds", "from 1 to 10000", "kind", "s", ("seed", "stages")))


def faults(program: Program) -> list[tuple[list[str], str]]:
    """Words, and what is said of them."""
    number, text = f"--{program.number}", f"--{program.text}"
    expected = f"a whole number {program.numbers}"
    return [
        (["-" + program.number, "3"], f"'-{program.number}': no such option; see --help"),
        (["-p"], "'-p': no such option; see --help"),
        (["-p3"], "'-p3': no such option; see --help"),
        (["-h"], "'-h': no such option; see --help"),
        (["-:"], "'-:': no such option; see --help"),
        ([number, "1", "-x", "3"], "'-x': no such option; see --help"),
        (["--nonsense"], "'--nonsense': no such option; see --help"),
        (["--nonsense=3"], "'--nonsense=3': no such option; see --help"),
        ([number + "s"], f"'{number}s': no such option; see --help"),
        (["--help=yes"], "'--help=yes': --help takes no value; see --help"),
        ([number], f"'{number}': needs a value; see --help"),
        ([number[:-1]], f"'{number[:-1]}': needs a value; see --help"),
        ([text, number, "3"], f"'{text}': needs a value; see --help"),
        ([number + "="], f"{number}: '' is not {expected}"),
        ([number, ""], f"{number}: '' is not {expected}"),
        ([number + "=3x"], f"{number}: '3x' is not {expected}"),
        ([number[:-1] + "=3=3"], f"{number}: '3=3' is not {expected}"),
        ([number, "--", "3"], f"{number}: '--' is not {expected}"),
        ([number, "-1"], f"{number}: '-1' is not {expected}"),
        ([number, "99999999999999999999"], f"{number}: '99999999999999999999' is not {expected}"),
        ([number, "3", "stray"], "'stray': unexpected argument; see --help"),
        (["stray", "--nonsense"], "'stray': unexpected argument; see --help"),
        (["-"], "'-': unexpected argument; see --help"),
        ([""], "'': unexpected argument; see --help"),
        (["--", number, "3"], f"'{number}': unexpected argument; see --help"),
    ]


CASES = [pytest.param(p, *each, id=f"{p.name} {' '.join(each[0])}") for p in PROGRAMS for each in faults(p)]


def run(program: Program, *words: str) -> subprocess.CompletedProcess:
    reason = servers.absent(program.name)
    if reason:
        pytest.skip(f"{program.name}: {reason}")
    return subprocess.run([servers.program(program.name), *words], capture_output=True, text=True, timeout=20)


@pytest.mark.cause("optind does not say where the wrong word is: at '-port' it stays, after '--port' it has moved")
@pytest.mark.parametrize("program, words, message", CASES)
def test_the_wrong_word_is_named(program: Program, words: list[str], message: str):
    result = run(program, *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"{program.name}: {message}\n"


@pytest.mark.parametrize("program", [p for p in PROGRAMS if p.ambiguous], ids=lambda p: p.name)
def test_an_abbreviation_of_two_options_names_both(program: Program):
    first, second = program.could_be
    result = run(program, f"--{program.ambiguous}", "3")
    assert result.returncode == 2
    assert result.stderr.startswith(f"{program.name}: '--{program.ambiguous}': could be --{first} or --{second}")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_an_option_may_be_shortened_and_joined_to_its_value(program: Program):
    """Each of these is taken: what ends the program is the word behind them."""
    number = f"--{program.number}"
    for words in ([number, "3"], [f"{number}=3"], [number[:-1], "3"], [f"{number[:-1]}=3"], [number, "3", number, "4"]):
        assert run(program, *words, "stray").stderr == f"{program.name}: 'stray': unexpected argument; see --help\n"


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
@pytest.mark.parametrize("words", (["--help"], ["--hel"], ["--", "--help"]), ids=" ".join)
def test_help_is_an_option_like_others(program: Program, words: list[str]):
    result = run(program, *words)
    if words[0] == "--":
        assert result.returncode == 2 and "'--help': unexpected argument" in result.stderr
    else:
        assert result.returncode == 0 and result.stderr == ""
        assert result.stdout.startswith(f"Usage: {servers.program(program.name)} [OPTION]...\n")
        assert max(map(len, result.stdout.splitlines())) <= 100
