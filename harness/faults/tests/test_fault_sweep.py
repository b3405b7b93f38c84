"""The sweep of faults (docs/faults.md): a part of it, and that it notices what it has to notice."""

from __future__ import annotations

import copy
import os
import subprocess
from dataclasses import replace

import pytest

from faults import calls, scenario, scenarios, sites, sweep, trial
from faults.sites import CannotRun, Site
from suite import servers, tls

SHARE = 12  # each server has every twelfth pair, each another twelfth: code that all share is seen by all

pytestmark = pytest.mark.skipif(
    not trial.program_of("poll_srv").exists(),
    reason=f"{servers.build_dir().name}/ has no servers with faults (faults.mk)",
)


@pytest.fixture
def where(server_name: str) -> sweep.Map:
    reason = servers.absent(server_name)
    if reason:
        pytest.skip(f"{server_name}: {reason}")
    return sweep.count(server_name, ["traffic"], times=1)


@pytest.fixture(scope="module")
def poll() -> sweep.Map:
    return sweep.count("poll_srv", ["traffic"], times=1)


@pytest.fixture(scope="module")
def good_run() -> trial.Run:
    return trial.play(trial.program_of("poll_srv"), "traffic")


@pytest.fixture
def run(good_run: trial.Run) -> trial.Run:
    """One in which nothing failed, to be spoilt."""
    return copy.deepcopy(good_run)


def wrong_with(where: sweep.Map, run: trial.Run, pair: trial.Pair | None = None) -> str:
    return "; ".join(trial.judge(run, where.names, "traffic", pair)[1])


def some_pair(where: sweep.Map, call: str, fault: str, function: str) -> trial.Pair:
    return next(
        pair
        for site in where.sites
        if site.call == call and function in where.names.functions(site)
        for pair in where.pairs(site)
        if pair.fault == fault
    )


@pytest.mark.cause("a call's failure is not looked at, or handled wrongly: the finding says which")
def test_a_share_of_the_sweep(where, server_name):
    findings = sweep.share(where, servers.FRAMES.index(server_name), SHARE)
    assert not findings, "\n".join(["", *findings])


@pytest.mark.cause("a function that the servers call is neither made to fail nor known to be unable to")
def test_no_call_is_forgotten(server_name):
    if reason := servers.absent(server_name):
        pytest.skip(reason)
    sweep.check_complete([server_name])


def test_a_call_by_an_alias_of_libc_is_known():
    assert sites.cannot_fail("strtoull") and sites.cannot_fail("__isoc23_strtoull")
    assert not sites.cannot_fail("recv") and not sites.cannot_fail("__isoc23_recv")


def test_a_forgotten_call_is_noticed(monkeypatch):
    monkeypatch.setattr(sites, "CANNOT_FAIL", {"is data": ("stderr",)})
    with pytest.raises(CannotRun, match="memmove"):
        sweep.check_complete(["poll_srv"])


def test_a_run_without_faults_is_in_order(poll, run):
    assert wrong_with(poll, run) == ""


@pytest.mark.parametrize(
    "change, expected",
    (
        (lambda run: run.report.memory.append(Site("malloc", "1")), "memory lost"),
        (lambda run: run.report.descriptors.append(Site("socket", "1")), "a descriptor lost"),
        (lambda run: run.report.wrong.append("closed, though it is not open"), "not open"),
        (lambda run: run.cut.append("steady"), "cut off: steady"),
        (lambda run: run.lines.append("poll_srv: oh"), "unexpected lines"),
        (lambda run: run.broken.append("it spins"), "it spins"),
        (lambda run: run.finals.update(bytes_out=0), "bytes_out 0"),
        (lambda run: run.finals.update(connections=1), "1 connections"),
        (lambda run: run.finals.update(accepted=1), "accepted 1"),
        (lambda run: run.finals["closed"].update(error=1), "1 connections failed"),
        (lambda run: setattr(run, "finals", None), "the final statistics are None"),
        (lambda run: setattr(run, "report", None), "no report"),
        (lambda run: setattr(run, "status", 1), "it could have gone on"),
        (lambda run: setattr(run, "status", -11), "exit status -11"),
    ),
)
def test_the_judge_notices(poll, run, change, expected):
    change(run)
    assert expected in wrong_with(poll, run)


@pytest.mark.cause("the judge allows a connection to be lost where none may be, or the other way round")
def test_what_may_be_lost(poll, run):
    run.cut.append("steady")
    run.finals["closed"].update(error=1)
    run.finals["accepted"] = sum(run.finals["closed"].values())
    may = some_pair(poll, "recv", "ENOMEM", "serve")
    assert wrong_with(poll, run, may) == ""
    assert "cut off" in wrong_with(poll, run, replace(may, fault="EINTR"))
    assert "cut off" in wrong_with(poll, run, replace(may, fault=calls.SHORT))


@pytest.mark.cause("the judge takes EAGAIN for harmless where no call comes after it, or for harmful where one does")
def test_a_last_word_may_be_lost(poll):
    send = replace(some_pair(poll, "send", "EAGAIN", "serve"), functions=("transmit", "session_close_notify"))
    assert send.may_cut == 0
    last = replace(send, functions=(*send.functions, "mux_remove", "loop_settle", "expire"))
    assert last.may_cut == 1 and replace(last, fault="EINTR").may_cut == 0


class FewDescriptors(scenario.Traffic):
    """The steps in which the server has no descriptor for one more peer."""

    def run(self) -> None:
        self.run_steps(self.out_of_descriptors, self.lowered_limit, self.stop)


@pytest.mark.cause("the scenario asks for a successor of the one that was cut off, and there is no descriptor for it")
@pytest.mark.parametrize("nth", range(1, 8))
def test_any_peer_may_be_cut_off_while_no_descriptor_is_free(poll, monkeypatch, nth):
    monkeypatch.setitem(scenarios.ALL, "traffic", FewDescriptors)
    pair = replace(some_pair(poll, "send", "ECONNRESET", "serve"), nth=nth)
    run = trial.try_pair(pair)
    assert not sweep.missed(pair, run)
    assert wrong_with(poll, run, pair) == ""


def test_a_pair_can_be_repeated(poll):
    pair = some_pair(poll, "recv", "ECONNRESET", "serve")
    words = sweep.repeat_command(pair)
    result = subprocess.run(["sh", "-c", words], cwd=servers.ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "as it should be: one connection closed" in result.stdout


@pytest.mark.parametrize(
    "arguments, status, expected",
    (
        (("nginx",), 2, "faults: 'nginx': expected a server"),
        (("poll_srv", "main:1>nowhere", "EINTR", "1"), 2, "faults: poll_srv has no site main:1>nowhere"),
        (("poll_srv", "main:1>nowhere", "EINTR"), 2, "faults: to repeat a pair takes SERVER and three words"),
        (("--each", "poll_srv", "main:1>nowhere", "EINTR", "1"), 2, "faults: to repeat a pair takes SERVER"),
        (("--sites", "--what"), 2, "faults: '--what': no such option; see --help"),
        (("--each", "--sites", "poll_srv"), 2, "faults: '--sites': only one of --sites and --each, before the servers"),
        (("poll_srv", "--each"), 2, "faults: '--each': only one of --sites and --each, before the servers"),
    ),
)
def test_bad_usage(arguments, status, expected):
    result = subprocess.run(
        ["harness/faults/run", *arguments], cwd=servers.ROOT, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == status
    assert result.stderr.startswith(expected) and result.stderr.count("\n") == 1


def test_programs_that_are_not_built_are_named_wherever_they_would_be(tmp_path):
    result = subprocess.run(
        ["harness/faults/run", "poll_srv"], cwd=servers.ROOT, env={**os.environ, "BUILD_DIR": str(tmp_path)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert result.returncode != 0
    assert result.stderr == f"faults: {tmp_path}/faults does not exist; run: make faults-servers\n"


def test_a_certificate_may_stand_in_any_directory():
    assert tls.READ_AGAIN.match("tls: read my clone/certificate.pem again")
