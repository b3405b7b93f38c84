"""The load generator's command line: a bad option gives one line that says what is wrong, and the documented status."""

from __future__ import annotations

import socket

from suite import generator
import pytest

from suite import limits

BAD = [
    (("--connections", "0"), "--connections"),
    (("--connections", "+1"), "--connections"),
    (("--active", "3", "--connections", "2"), "--active"),
    (("--active", "0", "--rate", "5"), "--rate"),
    (("--threads", "2"), "--threads"),
    (("--threads", "0"), "--threads"),
    (("--port", "0"), "--port"),
    (("--port", "65536"), "--port"),
    (("--payload", ""), "--payload"),
    (("--payload", "9-3"), "--payload"),
    (("--payload", "64*0"), "--payload"),
    (("--payload", "64,"), "--payload"),
    (("--payload", "64 "), "--payload"),
    (("--payload", "268435457"), "--payload"),
    (("--payload", "1,2,3,4,5,6,7,8,9"), "--payload"),
    (("--payload", "0", "--idle", "half-frame"), "--idle"),
    (("--rate", "0"), "--rate"),
    (("--rate", "-5"), "--rate"),
    (("--rate", "4000001"), "--rate"),
    (("--rate", "nan"), "--rate"),
    (("--rate", "0.0004"), "'0.0004' is not a number from 0.001 to 4000000 in steps of 0.001"),
    (("--rate", "100.0005"), "'100.0005'"),
    (("--ceiling", "1e-4"), "'1e-4'"),
    (("--threads", "4", "--connections", "4", "--rate", "9", "--max-outstanding", "3"), "--max-outstanding: 3 is less"),
    # What would have no effect, or another than the one that was asked for.
    (("--max-outstanding", "3"), "--max-outstanding: only an open loop has it"),
    (("--arrivals", "poisson"), "--arrivals: only an open loop has it"),
    (("--spin", "3"), "--spin: only an open loop has it"),
    (("--idle", "trickle", "--connections", "9"), "--idle: there is no idle connection"),
    (("--pin", "0,1"), "--pin: names 2 CPUs, and --threads is 1"),
    (("--source", "127.0.0.1", "--connections", "10001"), "--source: 1 with 10000 --ports-per-source are not enough"),
    (("--json", "-", "--csv", "-"), "--csv: standard output is taken by --json"),
    (("--hgrm", "-", "--csv", "-", "--json", "x"), "--csv: standard output is taken by --hgrm"),
    (("--selftest", "--duration", "3"), "--duration: --selftest does not take it"),
    (("--selftest", "--port", "3"), "--port: --selftest does not take it"),
    (("--selftest", "--rate", "3"), "--rate: --selftest does not take it"),
    (("--selftest", "--hgrm", "x"), "--hgrm: --selftest does not take it"),
    (("--limit", "lag=0x10"), "--limit"),
    (("--duration", "0"), "--duration"),
    (("--duration", "1x"), "--duration"),
    (("--warmup", "0x10"), "--warmup"),
    (("--arrivals", "often"), "constant poisson"),
    (("--placement", "middle"), "first last spread random"),
    (("--idle", "asleep"), "silent trickle half-frame not-reading"),
    (("--close", "slam"), "reset fin"),
    (("--pin", "a"), "--pin"),
    (("--pin", "0,"), "--pin"),
    (("--pin", "1024"), "--pin"),
    (("--churn", "0"), "--churn"),
    (("--limit", "lag"), "--limit"),
    (("--limit", "leg=3"), "--limit"),
    (("--limit", "lag=-1"), "--limit"),
    (("--ceiling", "0"), "--ceiling"),
    (("--server-pid", "0"), "--server-pid"),
    (("--nonsense",), "nonsense"),
    (("--rate",), "rate"),
    (("stray",), "stray"),
]


@pytest.mark.parametrize("options, part", BAD, ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_bad_option_is_one_line_and_status_2(options, part):
    result = generator.run_plain(*options)
    assert result.returncode == 2 and result.stdout == "", result
    assert result.stderr.count("\n") == 1 and part in result.stderr, result.stderr
    assert "loadgen" in result.stderr


@pytest.mark.parametrize("rate", ("0.001", "1234567.891", "4e6", "300.100", ".5"))
def test_a_rate_is_taken_as_it_is_written(rate):
    """Up to the three decimals that it may have, though a double has no such number."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = generator.run(
            "--port", silent.getsockname()[1], "--connect-timeout", 0.1, "--quiet", "--rate", rate
        )  # fmt: skip
    assert outcome.json["options"]["rate"] == float(rate)


def test_help_names_every_option_limit_and_status():
    result = generator.run_plain("--help")
    assert result.returncode == 0 and result.stderr == ""
    for word in (
        "--connections", "--active", "--placement", "--payload", "--pipeline", "--rate", "--arrivals", "--duration",
        "--warmup", "--threads", "--seed", "--churn", "--close", "--idle", "--pin", "--host", "--port", "--fragment",
        "--json", "--hgrm", "--csv", "--selftest", "--server-pid", "--limit", "merge",
    ):  # fmt: skip
        assert word in result.stdout, word
    for name in limits.NAMES:
        assert f"\n  {name} " in result.stdout, name
    for verdict, status in generator.STATUS.items():
        assert f"{verdict} {status}" in result.stdout


CANNOT = [
    (("--host", "no.such.name.invalid"), "--host no.such.name.invalid"),
    (("--source", "300.1.1.1"), "--source 300.1.1.1"),
    (("--source", "192.0.2.1"), "--source 192.0.2.1: bind: Cannot assign requested address"),
    (("--source", "::1"), "--source ::1"),
    (("--host", "192.0.2.1", "--ports-per-source", "5", "--connections", "6"), "--ports-per-source 5: 192.0.2.1:9000"),
    (("--pin", "1023"), "--pin 1023: this CPU cannot be used here"),
    (("--connections", "16777216"), "descriptors"),
]


@pytest.mark.parametrize("options, part", CANNOT, ids=lambda value: value if isinstance(value, str) else "")
def test_what_cannot_run_says_why_with_status_1(options, part):
    result = generator.run_plain(*options)
    assert result.returncode == 1 and result.stdout == "", result
    assert result.stderr.count("\n") == 1 and part in result.stderr, result.stderr


def test_file_that_cannot_be_written_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        result = generator.run_plain("--port", taken.getsockname()[1], "--quiet", "--json", "/nonexistent/out.json")
    assert result.returncode == 1 and "/nonexistent/out.json" in result.stderr
