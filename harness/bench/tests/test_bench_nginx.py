"""E22: what becomes of the samples, and a run of it where wrk and nginx are."""

from __future__ import annotations

import json

import pytest

from bench import nginx
from bench.nginx import Sample


def samples(*rates: float) -> list[Sample]:
    found = []
    for pair, rate in enumerate(rates, 1):
        found += [Sample("file", pair, "http", rate, 10.0, ""), Sample("file", pair, "nginx", 100.0, 20.0, "")]
    return found


def test_a_pair_is_one_sample() -> None:
    assert nginx.ratios(samples(50, 100, 200), "file", "rate") == [0.5, 1.0, 2.0]
    assert nginx.ratios(samples(50)[:1], "file", "rate") == []


@pytest.mark.parametrize("values, expected", (
    ((0.95,) * 6, "reproduced"),
    ((0.5,) * 6, "not reproduced"),
    ((0.5, 1.0) * 3, "inconclusive"),
    ((1.0,) * 5, "inconclusive"),
))
def test_the_rule(values: tuple[float, ...], expected: str) -> None:
    assert nginx.verdict(values, 0.9, float("inf")) == expected


def test_the_report() -> None:
    lines = nginx.report(samples(*[110.0] * 6))
    assert "1.100  1.100 to 1.100  >= 0.9     reproduced" in lines[1]
    assert "0.500  0.500 to 0.500  <= 1.1     reproduced" in lines[2]


def test_too_few_pairs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        nginx.arguments(["--pairs", "5"])
    assert "at least 6" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["nan", "inf", "much"])
def test_a_time_is_a_number_of_seconds(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        nginx.arguments(["--seconds", text])
    assert f"{text!r} is no number of seconds" in capsys.readouterr().err


@pytest.mark.skipif(nginx.absent() is not None, reason=str(nginx.absent()))
def test_one_sample_of_each(tmp_path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "small.txt").write_text("x" * nginx.FILE_BYTES)
    for case in nginx.PATHS:
        for server in ("http", "nginx"):
            found = nginx.sample(case, 1, server, 1, tmp_path, nginx.cores.choose_cores(False))
            assert found.rate > 0 and found.cpu_us > 0
            assert json.dumps(found.__dict__)
