"""Adding runs up: the sum is what one run over all of them would have given, or it is refused."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import re
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadgen import histogram, merge as command, shown
from suite import generator, limits, servers
from suite.server import Server

PROGRAM = servers.ROOT / "harness/loadgen/merge"
BRIEF = ("--warmup", 0, "--duration", 0.3, *limits.options())
SECOND = 1_000_000_000
SERVER = {
    "cpu_ns": 5, "user_ns": 2, "system_ns": 3, "switches": 4, "resident_bytes": 6, "bytes_a_connection": -1.0,
}  # fmt: skip


def merge(*words: object) -> subprocess.CompletedProcess:
    """The command without a process of its own, which would take longer to start than to merge."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            status = command.main(list(map(str, words)))
        except SystemExit as end:  # argparse
            status = end.code
    return subprocess.CompletedProcess(words, status, out.getvalue(), errors.getvalue())


def launch(*words: object, **how: Any) -> subprocess.CompletedProcess:
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | how
    return subprocess.run([PROGRAM, *map(str, words)], text=True, timeout=60, **how)


def merged(*words: object) -> dict[str, Any]:
    result = merge(*words, "--json", "-")
    assert result.stderr == "" and result.stdout, result
    found = json.loads(result.stdout)
    assert result.returncode == found["exit_status"] == generator.STATUS[found["verdict"]]
    return found


def refused(why: str, *words: object) -> None:
    result = merge(*words)
    assert (result.returncode, result.stdout) == (1, ""), result
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("merge: "), result.stderr
    assert why in result.stderr, result.stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Two runs of the same load, one after the other."""
    with Server("epoll_et" if sys.platform.startswith("linux") else "kqueue_srv") as server:
        found = [
            generator.run("--port", server.address[1], *BRIEF, "--connections", 4, "--rate", 500).json
            for _ in range(2)
        ]
    return found


@pytest.fixture
def save(tmp_path: Path):
    """Writes a run to a file, with other members in place of its own."""

    def write(name: str, run: dict[str, Any], **changed: Any) -> Path:
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(run | changed))
        return path

    return write


def with_options(run: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return run | {"options": run["options"] | changed}


def measured(run: dict[str, Any], begun: float, seconds: float) -> dict[str, Any]:
    basis = run["verdict_basis"] | {"seconds": seconds}
    return run | {"started_unix_ns": int(begun * SECOND), "seconds": seconds, "verdict_basis": basis}


def unmeasured(run: dict[str, Any]) -> dict[str, Any]:
    """As if it had been ended in the warm-up."""
    counted = {name: 0 for name in ("issued", "answered", "unanswered", "achieved")}
    found = measured(run, 0, 0) | {"histograms": None, "percentiles": None, "timeline": None}
    found["verdict_basis"] |= {"offered": 0, "achieved": 0, "unanswered": 0}
    return found | {"counts": run["counts"] | counted}


def slots(run: dict[str, Any], name: str) -> Counter:
    return Counter(dict(run["histograms"][name]["slots"]))


# -- the sum -------------------------------------------------------------------------------------------


def test_sum_is_what_one_run_over_both_would_have(runs, save):
    both = merged(save("A", runs[0]), save("B", runs[1]))
    for name in ("response", "service", "lag", "censored"):
        assert slots(both, name) == slots(runs[0], name) + slots(runs[1], name)
        for total in ("count", "sum_ns", "clamped"):
            assert both["histograms"][name][total] == sum(run["histograms"][name][total] for run in runs)
        assert both["histograms"][name]["most_ns"] == max(run["histograms"][name]["most_ns"] for run in runs)
        assert both["histograms"][name]["least_ns"] == min(run["histograms"][name]["least_ns"] for run in runs)
    for count in ("answered", "achieved", "sends", "established"):
        assert both["counts"][count] == sum(run["counts"][count] for run in runs)
    assert both["client"]["cpu_ns"] == sum(run["client"]["cpu_ns"] for run in runs)
    assert both["runs"] == 2 and both["in_turn"], "made one after the other: times add up"
    assert abs(both["seconds"] - 0.6) < 1e-6
    assert set(runs[0]) <= set(both), "whoever reads a run reads a sum"


def test_what_was_merged_can_be_merged_again(runs, save, tmp_path):
    third = measured(runs[0], 10, 0.3)
    paths = [save("A", runs[0]), save("B", runs[1]), save("C", third)]
    all_at_once = merged(*paths)
    merge(*paths[:2], "--json", tmp_path / "AB.json")
    assert merged(tmp_path / "AB.json", paths[2])["histograms"] == all_at_once["histograms"]
    in_two_steps = merged(tmp_path / "AB.json", paths[2])
    for name in ("counts", "seconds", "achieved", "runs", "in_turn", "parts", "client", "verdict_basis"):
        assert in_two_steps[name] == all_at_once[name], name


def test_one_file_gives_what_loadgen_itself_printed(tmp_path):
    """In every form, to the last digit: the arithmetic of the curves and percentiles stands in C and in Python."""
    paths = [tmp_path / f"A.{form}" for form in ("json", "hgrm", "csv")]
    with Server("epoll_et" if sys.platform.startswith("linux") else "kqueue_srv") as server:
        generator.run_plain(
            "--port", server.address[1], "--connections", 8, "--pipeline", 4, *BRIEF, "--duration", 1,
            "--json", paths[0], "--hgrm", paths[1], "--csv", paths[2], "--quiet",
        )  # fmt: skip
    run, again = json.loads(paths[0].read_text()), merged(paths[0])
    assert merge(paths[0], "--hgrm", "-").stdout == paths[1].read_text()
    assert merge(paths[0], "--csv", "-").stdout == paths[2].read_text()
    for name in ("percentiles", "histograms", "counts", "errors", "seconds", "achieved", "client", "verdict"):
        assert again[name] == run[name], name


def test_percentiles_among_the_unanswered_agree_with_the_load_generator():
    """The same times, 900 answered and 100 not, to the C code and to this."""
    done, censored = [1000 + 17 * i * i for i in range(900)], [300_000 + 90_000 * i for i in range(100)]
    lines = [f"d {ns}" for ns in done] + [f"c {ns}" for ns in censored]
    printed = generator.probe("percentiles", 1, given="\n".join(lines))[1:]
    ours = [histogram.Histogram(), histogram.Histogram()]
    for one, times in zip(ours, (done, censored)):
        for ns in times:
            one.slots[int((histogram.LOWEST <= ns).sum()) - 1] += 1
        one.sum_ns, one.least_ns, one.most_ns = sum(times), min(times), max(times)
    assert len(printed) == len(shown.COLUMNS)
    for line, (name, thousandths) in zip(printed, shown.COLUMNS.items()):
        one = histogram.percentile(*ours, thousandths)
        assert line == f"{name} {one.ns} {one.known:d} {one.at_least:d}"


def test_the_table_is_for_people(runs, save):
    result = merge(save("A", runs[0]), save("B", runs[1]))
    assert result.returncode == 0 and result.stderr == ""
    assert result.stdout.startswith("2 runs merged, made one after the other\n")
    for word in ("response", "service", "lag", "offered", "achieved", "client", "verdict    VALID", "(remark) "):
        assert word in result.stdout, result.stdout


def test_errors_take_the_figures_away(runs, save):
    wrong = runs[1] | {
        "verdict": "ERRORS", "reasons": [{"verdict": "ERRORS", "text": "errors: 2"}], "histograms": None,
        "percentiles": None, "errors": runs[1]["errors"] | {"crossed": 2}, "error_examples": {"crossed": "on 7"},
        "verdict_basis": runs[1]["verdict_basis"] | {"errors": 2},
    }  # fmt: skip
    paths = save("A", runs[0]), save("B", wrong)
    both = merged(*paths)
    assert both["verdict"] == "ERRORS" and both["errors"]["crossed"] == 2
    assert both["percentiles"] is None and both["histograms"] is None
    table = merge(*paths).stdout
    assert "crossed             2   first: on 7" in table and f"ERRORS, {paths[1]}: errors: 2" in table
    assert "p99" not in table


@pytest.mark.parametrize("verdicts, first", (
    (("UNSTABLE", "NOISY_HOST", "VALID"), "NOISY_HOST"), (("OVERLOADED", "CLIENT_BOUND"), "CLIENT_BOUND"),
    (("VALID", "UNSTABLE"), "UNSTABLE"), (("VALID",), "VALID"),
))  # fmt: skip
def test_the_verdict_is_the_first_by_precedence(runs, save, verdicts, first):
    paths = [
        save(str(i), measured(runs[0], 10 + i, 0.3), reasons=[{"verdict": name, "text": "so"}], verdict=name)
        for i, name in enumerate(verdicts)
    ]
    both = merged(*paths)
    assert both["verdict"] == first
    assert [reason["text"] for reason in both["reasons"]] == [f"{path}: so" for path in paths]


# -- rates ---------------------------------------------------------------------------------------------

AT = {
    "one after the other": ([(0, 10), (20, 10)], 20, True),
    "at the same time": ([(0, 10), (0, 10)], 10, False),
    "nearly at the same time": ([(0, 10), (0.5, 10)], 10.5, False),
    "A beside B, then C beside D": ([(0, 10), (1, 10), (30, 10), (30, 11)], 22, False),
    "in a chain": ([(0, 10), (8, 10), (16, 10)], 26, False),
    "one within another": ([(0, 30), (5, 3), (9, 1)], 30, False),
    "end to end": ([(0, 10), (10, 10)], 20, True),
    "in another order": ([(30, 10), (0, 10), (35, 10)], 25, False),
}


def seeds(spans: list[tuple[float, float]]) -> list[int]:
    """One each, so that no two at the same time have the same."""
    found: list[int] = []
    for i, (begun, length) in enumerate(spans):
        beside = (j for j in range(i) if begun < sum(spans[j]) and spans[j][0] < begun + length)
        found.append(min({*range(1, len(spans) + 1)} - {found[j] for j in beside}))
    return found


@pytest.mark.cause("rates are of the sum of the times, or of the longest, in place of when at least one measured")
@pytest.mark.parametrize("spans, seconds, in_turn", AT.values(), ids=AT)
def test_rates_are_of_the_time_in_which_one_measured(runs, save, spans, seconds, in_turn):
    paths = [
        save(str(i), measured(with_options(runs[0], seed=seed), 1000 + begun, length))
        for i, ((begun, length), seed) in enumerate(zip(spans, seeds(spans)))
    ]
    both = merged(*paths)
    assert (both["seconds"], both["in_turn"]) == (seconds, in_turn)
    assert both["achieved"] == pytest.approx(len(spans) * runs[0]["counts"]["achieved"] / seconds, abs=1e-6)
    assert both["offered"] == pytest.approx(len(spans) * runs[0]["counts"]["issued"] / seconds, abs=1e-6)
    assert both["started_unix_ns"] == min(1000 + begun for begun, _ in spans) * SECOND


def test_pairs_merged_first_have_the_same_rate(runs, save, tmp_path):
    spans = {"A": (1, 0), "B": (2, 1), "C": (1, 30), "D": (2, 30)}
    paths = {
        name: save(name, measured(with_options(runs[0], seed=seed), 1000 + begun, 10))
        for name, (seed, begun) in spans.items()
    }
    for pair in ("AB", "CD"):
        merge(*(paths[name] for name in pair), "--json", tmp_path / f"{pair}.json", "--quiet")
    assert merged(tmp_path / "AB.json", tmp_path / "CD.json")["achieved"] == merged(*paths.values())["achieved"]


def test_a_run_that_never_measured_has_no_time(runs, save):
    never = unmeasured(runs[0])
    assert merged(save("A", runs[0]), save("B", never))["seconds"] == runs[0]["seconds"]


# -- what is refused -----------------------------------------------------------------------------------

UNLIKE = {
    "server": {"target": "127.0.0.1:1"}, "number of connections": {"connections": 5},
    "kind of arrivals": {"arrivals": "poisson"}, "tls": {"tls": True}, "active": {"active": 3},
    "placement": {"placement": "first"}, "idle": {"idle": "trickle"}, "payload": {"payload": "65"},
    "pipeline": {"pipeline": 2}, "rate": {"rate": 501.0}, "churn": {"churn": 5}, "fragment": {"fragment": True},
    "close": {"close": "fin"}, "warmup": {"warmup": 1}, "drain": {"drain": 1}, "timeout": {"timeout": 1},
    "connect_timeout": {"connect_timeout": 1}, "threads": {"threads": 2}, "spin_us": {"spin_us": 1.0},
    "max_outstanding": {"max_outstanding": 7}, "seed": {"seed": 2}, "pin": {"pin": [1]},
    "source": {"source": ["127.0.0.2"]}, "ports_per_source": {"ports_per_source": 7}, "ceiling": {"ceiling": 9.0},
}  # fmt: skip


def test_of_every_option_it_is_said_what_a_difference_means(runs):
    """An option that is new in the load generator is red here until it is decided."""
    known = (*command.ALIKE, *command.OWN, *command.FREE)
    assert sorted(known) == sorted(runs[0]["options"])
    assert {name for changed in UNLIKE.values() for name in changed} | {"limits"} == {*command.ALIKE, *command.OWN}


def test_the_output_has_every_option_of_the_command_line(runs):
    """--selftest makes no such file. The others may have another name in it."""
    names = re.findall(r"^  --([a-z-]+)", generator.run_plain("--help").stdout, re.MULTILINE)
    renamed = {"spin": "spin_us", "limit": "limits"}
    wanted = {renamed.get(name, name.replace("-", "_")) for name in names} - {"selftest", "help"}
    assert wanted and wanted <= set(runs[0]["options"])


def test_a_limit_that_differs_is_named(runs, save):
    other = with_options(runs[1], limits=runs[1]["options"]["limits"] | {"steal": 77})
    refused("another limit steal (77, not ", save("A", runs[0]), save("B", other))


def test_an_option_that_one_run_does_not_say_is_a_difference(runs, save):
    """An older load generator did not say it; two such files may be merged."""
    old = [copy.deepcopy(run) for run in runs]
    for run in old:
        del run["options"]["tls"]
    paths = [save(str(i), run) for i, run in enumerate((runs[0], *old))]
    refused("another tls (not said, not False)", paths[0], paths[2])
    assert merged(*paths[1:])["runs"] == 2


@pytest.mark.parametrize("name, changed", UNLIKE.items(), ids=UNLIKE)
def test_unlike_runs_are_refused_unless_forced(runs, save, name, changed):
    (option, value), was = *changed.items(), runs[0]["options"]
    paths = save("A", runs[0]), save("B", with_options(runs[1], **changed))
    refused(f"{paths[1]}: unlike {paths[0]}: another {name} ({value}, not {was[option]}); --force", *paths)
    both = merged(*paths, "--force")
    assert both["counts"]["answered"] == sum(run["counts"]["answered"] for run in runs)
    assert any(f"forced: unlike {paths[0]}: another {name}" in each["text"] for each in both["reasons"])


def test_every_difference_is_named(runs, save):
    other = with_options(runs[1], payload="65", seed=2)
    refused("another payload (65, not 64), another seed (2, not 1); --force", save("A", runs[0]), save("B", other))


def test_clients_of_one_load_have_seeds_of_their_own(runs, save):
    """The same seed would make them send the same. So A beside B, with two seeds, and the same pair again later."""
    seeds = {"A": (1, 0), "B": (2, 1), "C": (1, 30), "D": (2, 30)}
    paths = {
        name: save(name, measured(with_options(runs[0], seed=seed), 1000 + begun, 10))
        for name, (seed, begun) in seeds.items()
    }
    assert merged(*paths.values())["runs"] == 4
    refused("another seed (2, not 1)", paths["A"], paths["D"])


def test_clients_of_one_load_with_one_seed_are_refused_unless_forced(runs, save, tmp_path):
    spans = {"A": (1, 0), "B": (2, 0), "C": (1, 9), "D": (1, 10)}
    paths = {
        name: save(name, measured(with_options(runs[0], seed=seed), 1000 + begun, 10))
        for name, (seed, begun) in spans.items()
    }
    refused(f"{paths['C']}: the same seed as in {paths['A']}, at the same time; --force", paths["A"], paths["C"])
    assert merged(paths["A"], paths["D"])["runs"] == 2, "one after the other"
    merge(paths["A"], paths["B"], "--json", tmp_path / "AB.json", "--quiet")
    refused("the same seed as in", tmp_path / "AB.json", paths["C"])
    forced = merged(paths["A"], paths["C"], "--force")
    assert any("forced: the same seed" in each["text"] for each in forced["reasons"])


@pytest.mark.parametrize("name", ("pin", "source", "ports_per_source", "ceiling"))
def test_clients_of_one_load_have_cpus_and_addresses_of_their_own(runs, save, name):
    one, other = (measured(with_options(runs[0], seed=seed), 1000, 10) for seed in (1, 2))
    assert merged(save("A", one), save("B", with_options(other, **UNLIKE[name])))["runs"] == 2


def test_a_run_twice_is_refused_unless_forced(runs, save, tmp_path):
    first, second = save("A", runs[0]), save("B", runs[1])
    (tmp_path / "link.json").symlink_to(first)
    copied, again, digits = (tmp_path / f"{name}.json" for name in ("copy", "again", "digits"))
    copied.write_bytes(first.read_bytes())
    again.write_text(json.dumps(dict(reversed(runs[0].items())), indent=4))
    digits.write_text(json.dumps(with_options(runs[0], rate=500)).replace('"rate": 500', '"rate": 5.000e2'))
    merge(first, second, "--json", tmp_path / "AB.json", "--quiet")
    for words in (
        (first, first), (first, tmp_path / "link.json"), (first, second, copied), (first, second, again),
        (first, digits),
    ):  # fmt: skip
        refused(f"{words[-1]}: the same run as in {first}; --force", *words)
    for words in ((tmp_path / "AB.json", first), (second, tmp_path / "AB.json"), (tmp_path / "AB.json", again)):
        refused(f"{words[-1]}: the same run as in {words[0]}; --force", *words)
    both = merged(first, first, "--force")
    assert both["counts"]["answered"] == 2 * runs[0]["counts"]["answered"]
    assert any("forced: the same run" in each["text"] for each in both["reasons"])


def test_a_run_within_a_sum_of_an_older_version_is_known_by_its_time(runs, save):
    """That version took the digest of the file, and did not say the seed."""
    first = save("A", runs[0])
    summed = merged(first, save("B", runs[1]))
    for part in summed["parts"]:
        part.update(sha256="00")
        del part["seed"]
    refused(f"{first}: the same run as in", save("AB", summed), first)


def damaged(run: dict[str, Any], *where: str, value: Any) -> str:
    """The run's text with one member changed."""
    other = copy.deepcopy(run)
    holder = other
    for name in where[:-1]:
        holder = holder[name]
    holder[where[-1]] = value
    return json.dumps(other)


@pytest.mark.parametrize("force", (False, True))
def test_what_does_not_add_up_is_refused_even_if_forced(runs, save, tmp_path, force):
    run, bad = runs[0], tmp_path / "bad.json"
    service = run["histograms"]["service"]
    wrong = {
        "not JSON, from line 1, column": ['{"schema": ', json.dumps(run)[:-9], "", json.dumps(run) + "]", "[1,]"],
        "not JSON": ["[" * 100_000, '{"schema": NaN}', "\ud800"],
        "not of schema loadgen/1": [json.dumps(run | {"schema": "loadgen/0"}), "[]", "3", "null", '"loadgen/1"'],
        "its histograms have another shape": [damaged(run, "histograms", "step_bits", value=7)],
        "a histogram in it is damaged: service": [
            damaged(run, "histograms", "service", value=value)
            for value in (
                None, service | {"count": 1}, service | {"slots": [[99999, service["count"]]]},
                service | {"slots": [[-1, service["count"]]]}, service | {"slots": [[5, service["count"], 1]]},
                service | {"slots": [[5, -1], [6, service["count"] + 1]]}, service | {"slots": {"5": 1}},
                service | {"slots": [[5.0, service["count"]]]}, service | {"slots": [5]},
                service | {"slots": [[5, 2**53], [5, 1]], "count": 2**53 + 1},
            )
        ],
        "open loop and closed loop do not add up": [
            damaged(with_options(run, loop="closed"), "verdict_basis", "open_loop", value=0)
        ],
        "open_loop in it is damaged: 0, but 1": [damaged(run, "options", "loop", value="closed")],
        "holds no histograms": [json.dumps({k: v for k, v in run.items() if k != "histograms"})],
        "holds no options": [json.dumps({k: v for k, v in run.items() if k != "options"})],
        "a histogram in it is damaged: service: least_ns is not in its first slot": [
            damaged(run, "histograms", "service", "least_ns", value=v) for v in (0, service["most_ns"])
        ],
        "a histogram in it is damaged: service: most_ns is not in its last slot": [
            damaged(run, "histograms", "service", "most_ns", value=v) for v in (service["least_ns"], 2**40)
        ],
        "a histogram in it is damaged: service: clamped is not what its last slot says": [
            damaged(run, "histograms", "service", "clamped", value=1)
        ],
        "a histogram in it is damaged: service: sum_ns is not what its slots add up to": [
            damaged(run, "histograms", "service", "sum_ns", value=v)
            for v in (0, service["count"] * service["least_ns"] - 1, service["count"] * service["most_ns"] + 1)
        ],
        "a histogram in it is damaged: censored: it is empty": [
            damaged(run, "histograms", "censored", "most_ns", value=7)
        ],
        "histograms in it is damaged: a run has them": [damaged(run, "histograms", value=None)],
        "seconds in it is damaged: 1.0, but it measured for 0": [json.dumps(measured(run, 0, 1.0))],
        "seconds in it is damaged: 0.7, but 0.3": [damaged(run, "seconds", value=0.7)],
        "verdict in it is damaged: its reasons give another": [
            damaged(run, "verdict", value="NOISY_HOST" if run["verdict"] == "VALID" else "VALID"),
            damaged(run | {"verdict": "ERRORS"}, "reasons", value=[]),
        ],
        "sum_ns in it is damaged": [damaged(run, "histograms", "lag", "sum_ns", value=-1)],
        "histograms in it is damaged": [damaged(run, "histograms", value=[])],
        "answered in it is damaged": [damaged(run, "counts", "answered", value=v) for v in ("7", -1, 1.5, 2**64, True)],
        "seconds in it is damaged": [damaged(run, "seconds", value=v) for v in ("1", [], None)],
        "busy in it is damaged": [damaged(run, "verdict_basis", "busy", value="x")],
        "counts in it is damaged": [damaged(run, "counts", value=3)],
        "reasons in it is damaged": [damaged(run, "reasons", value=[v]) for v in (3, {"verdict": "GOOD"})],
        "parts in it is damaged": [damaged(run, "parts", value=v) for v in (3, [3], [{"from_ns": 1}])],
    }  # fmt: skip
    good = save("good", runs[1])
    for why, texts in wrong.items():
        for text in texts:
            bad.write_bytes(text.encode("utf-8", "surrogatepass"))
            refused(f"{bad}: {why}", good, bad, *(["--force"] if force else []))


DAMAGE = {
    "deleted": ..., "null": None, "a string": "x", "an empty string": "", "negative": -1, "a list": [3],
    "an object": {}, "huge": 10**400, "1e300": 1e300, "true": True,
}  # fmt: skip
FIGURES = (
    "verdict", "exit_status", "partial", "runs", "in_turn", "started_unix_ns", "setup_seconds", "seconds", "offered",
    "achieved", "counts", "errors", "error_examples", "verdict_basis", "client", "server", "witness", "percentiles",
    "histograms",
)  # fmt: skip
# What these are damaged to can be: no server was looked at; the host was not known; an older load generator.
POSSIBLE = {
    ("server", "null"), ("verdict_basis.steal", "negative"), ("verdict_basis.saturation", "deleted"),
    ("verdict_basis.server_threads", "deleted"), ("verdict_basis.server_preempted", "deleted"),
}  # fmt: skip


def places(holder: Any, *where: Any) -> Iterator[tuple[Any, ...]]:
    """Where each member stands; of lists of numbers and pairs, such as slots, no element."""
    inner = holder.items() if isinstance(holder, dict) else enumerate(holder) if isinstance(holder, list) else ()
    for name, value in inner:
        if isinstance(holder, dict) or isinstance(value, dict):
            yield (*where, name)
            yield from places(value, *where, name)


@contextlib.contextmanager
def damage_done(run: Any, where: tuple[Any, ...], value: Any) -> Iterator[None]:
    for name in where[:-1]:
        run = run[name]
    kept = dict(run) if isinstance(run, dict) else list(run)
    if value is ...:
        del run[where[-1]]
    else:
        run[where[-1]] = value
    yield
    run.clear()
    (run.update if isinstance(run, dict) else run.extend)(kept)


def figures(result: subprocess.CompletedProcess) -> dict[str, Any]:
    found = json.loads(result.stdout)
    return {name: found[name] for name in FIGURES} | {"spans": [(p["from_ns"], p["to_ns"]) for p in found["parts"]]}


@pytest.mark.cause("a damaged file gives a figure, or a traceback")
@pytest.mark.parametrize("what", ("a run", "a sum", "a partial run"))
def test_damage_to_any_member_is_refused_or_changes_no_figure(runs, save, tmp_path, what):
    good, bad = save("good", measured(with_options(runs[1], seed=2), 5, 0.3)), tmp_path / "bad.json"
    run = measured(runs[0] | {"timeline": None}, 5, 0.3)
    if what == "a sum":
        run = merged(save("A", run), save("B", measured(runs[1], 9, 0.3)))
    if what == "a partial run":
        run |= {"partial": True, "partial_reason": "ended"}
    run = json.loads(json.dumps(run | {"percentiles": None} | {"server": run["server"] or SERVER}))
    words = (good, bad) if what == "a run" else (bad,)
    bad.write_text(json.dumps(run))
    right = figures(merge(*words, "--json", "-"))
    for where in list(places(run)):
        for name, value in DAMAGE.items():
            if (".".join(map(str, where)), name) in POSSIBLE:
                continue
            if (where, name) == (("witness", "privileged"), "true") and not run["witness"]["privileged"]:
                continue  # of an ordinary user's run
            with damage_done(run, where, value):
                bad.write_text(json.dumps(run))
            result = merge(*words, "--json", "-")
            if result.returncode != 1:
                assert figures(result) == right, (where, name)
            else:
                assert result.stdout == "" and result.stderr.startswith("merge: "), (where, name)
                assert result.stderr.count("\n") == 1 and str(bad) in result.stderr, (where, name, result.stderr)


def test_a_file_that_cannot_be_read_says_why(tmp_path):
    refused(f"{tmp_path}/none.json: No such file or directory", tmp_path / "none.json")
    refused(f"{tmp_path}: Is a directory", tmp_path)


# -- the command ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, why",
    (
        ((), "FILE"), (("A.json", "--nonsense"), "--nonsense"), (("--json",), "--json"),
        (("A", "--json", "-", "--csv", "-"), "standard output: two formats"),
        (("A", "--hgrm", "x", "--csv", "x"), "x: two formats"),
    ),
)  # fmt: skip
def test_bad_usage_is_one_line_and_status_2(words, why):
    result = merge(*words)
    assert result.returncode == 2 and result.stdout == "", result
    assert result.stderr.startswith("merge: ") and result.stderr.count("\n") == 1 and why in result.stderr


def clash(words: tuple[object, ...], why: str, **how: Any) -> None:
    result = launch(*words, **how)
    assert result.returncode == 2 and not result.stdout, result
    assert result.stderr.startswith("merge: ") and result.stderr.count("\n") == 1 and why in result.stderr, result


def test_two_formats_in_one_file_are_refused_by_whatever_path(runs, save, tmp_path):
    one, old = save("A", runs[0]), tmp_path / "old"
    old.write_text("old")
    (tmp_path / "soft").symlink_to(old)
    (tmp_path / "hard").hardlink_to(old)
    (tmp_path / "dangling").symlink_to(tmp_path / "new")
    names = (old, f"{tmp_path}/./old"), (old, tmp_path / "soft"), (tmp_path / "hard", old)
    for json_path, csv_path in (*names, ("new", "./new"), (tmp_path / "new", tmp_path / "dangling")):
        clash((one, "--json", json_path, "--csv", csv_path), f"{csv_path}: two formats", cwd=tmp_path)
    assert old.read_text() == "old" and not (tmp_path / "new").exists()


def test_a_format_and_the_table_in_one_file_are_refused(runs, save, tmp_path):
    one, old = save("A", runs[0]), tmp_path / "old"
    for words in (("--json", old), ("--json", "-", "--csv", old)):
        with old.open("w") as stream:
            clash((one, *words), "which is standard output too", stdout=stream)
    if Path("/dev/stdout").exists():
        with old.open("w") as stream:
            clash((one, "--json", "/dev/stdout"), "/dev/stdout: two formats", stdout=stream)
    assert old.read_text() == ""


def test_what_keeps_nothing_takes_every_format(runs, save):
    result = launch(save("A", runs[0]), "--json", os.devnull, "--csv", os.devnull, stdout=subprocess.DEVNULL)
    assert (result.returncode, result.stderr) == (0, "")


def test_an_output_that_is_an_input_is_refused(runs, save, tmp_path):
    paths = save("A", runs[0]), save("B", runs[1])
    before = paths[1].read_text()
    (tmp_path / "link").symlink_to(paths[1])
    for path in (paths[1], tmp_path / "link"):
        clash((*paths, "--json", path), f"{path}: it is one of the files to read")
    with paths[1].open("a") as stream:
        clash(paths, "standard output: it is one of the files to read", stdout=stream)
    assert paths[1].read_text() == before


@pytest.mark.skipif(sys.platform == "darwin", reason="its file system takes names in UTF-8 only")
@pytest.mark.parametrize("name, shown_as, encoding", (
    (b"p\xff.json", r"p\xff.json", "utf-8"), (b"p\n.json", r"p\n.json", "utf-8"),
    ("\u00fc.json".encode(), r"\xfc.json", "ascii"), (b"p\xff.json", r"p\xff.json", "ascii"),
), ids=("no UTF-8", "a line feed", "ASCII", "no UTF-8, in ASCII"))  # fmt: skip
def test_a_path_that_cannot_be_printed_costs_no_output(runs, save, tmp_path, name, shown_as, encoding):
    path = os.fsencode(tmp_path) + b"/" + name
    run = runs[0] | {"partial": True, "partial_reason": "ended \ud800"}
    os.rename(save("A", run), path)
    outs = [tmp_path / form for form in ("json", "hgrm", "csv")]
    words = [word for out in outs for word in (f"--{out.name}", out)]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    for asked in (words, ["--csv", "-"], ["--hgrm", "-"]):
        result = launch(os.fsdecode(path), *asked, env=environment)
        assert result.stderr == "" and result.returncode == runs[0]["exit_status"], result
        assert shown_as in result.stdout, result
    for out in outs[1:]:
        last = [line for line in out.read_text().splitlines() if line.startswith("# partial")]
        assert last and "ended \\ud800" in last[0]
    assert len(json.loads(outs[0].read_text())["reasons"]) == len(run["reasons"])
    result = launch(os.fsdecode(path) + "?", env=environment)
    assert result.returncode == 1 and shown_as in result.stderr and result.stderr.count("\n") == 1


def test_help_names_every_option():
    result = launch("--help")
    assert result.returncode == 0 and result.stderr == ""
    for word in ("--json", "--hgrm", "--csv", "--quiet", "--force", "Exit status"):
        assert word in result.stdout


def test_quiet_prints_nothing(runs, save):
    assert merge(save("A", runs[0]), "--quiet").stdout == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_output_that_cannot_be_written_is_said_and_costs_no_other(runs, save, tmp_path):
    path = save("A", runs[0])
    result = launch(path, "--json", "/nonexistent/M.json", "--hgrm", "/dev/full", "--csv", tmp_path / "M.csv")
    assert result.returncode == 1 and "verdict    VALID" in result.stdout
    assert result.stderr == (
        "merge: write /nonexistent/M.json: No such file or directory\nmerge: write /dev/full: No space left on device\n"
    )
    assert (tmp_path / "M.csv").read_text().startswith("percentile,")
    with open("/dev/full", "w") as full:
        result = launch(path, "--json", "-", stdout=full)
    assert (result.returncode, result.stderr) == (1, "merge: write standard output: No space left on device\n")


def test_a_file_that_cannot_be_written_whole_stays_as_it_was(runs, save, tmp_path):
    one, old, there = save("A", runs[0]), tmp_path / "old", tmp_path / "there"
    old.write_text("old")
    there.mkdir()
    result = launch(
        one, "--json", old, "--csv", there / "new",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512)),
    )  # fmt: skip
    assert result.returncode == 1 and "verdict" in result.stdout
    assert result.stderr == f"merge: write {old}: File too large\nmerge: write {there}/new: File too large\n"
    assert old.read_text() == "old"
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["A.json", "old", "there"], "nothing else is left"


def test_a_file_that_is_replaced_keeps_its_place_and_mode(runs, save, tmp_path):
    one, old, link = save("A", runs[0]), tmp_path / "old", tmp_path / "link"
    old.write_text("old")
    old.chmod(0o640)
    link.symlink_to(old)
    assert merge(one, "--json", link, "--csv", tmp_path / "new", "--quiet").returncode == runs[0]["exit_status"]
    assert link.is_symlink() and json.loads(old.read_text())["runs"] == 1 and old.stat().st_mode & 0o777 == 0o640
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("name, why", (
    ("", "Is a directory"), ("none/", "Is a directory"), (".", "Is a directory"), ("A.json/x", "Not a directory"),
    ("none/x", "No such file or directory"),
))  # fmt: skip
def test_a_path_that_is_no_file_makes_none(runs, save, tmp_path, name, why):
    result = launch(save("A", runs[0]), "--csv", name, cwd=tmp_path)
    assert result.returncode == 1 and result.stderr == f"merge: write {name}: {why}\n"
    assert [each.name for each in tmp_path.iterdir()] == ["A.json"]


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="there is no /dev/stdout here")
def test_the_file_of_standard_output_is_not_replaced(runs, save, tmp_path):
    with (tmp_path / "out").open("w+") as stream:
        launch(save("A", runs[0]), "--quiet", "--csv", "/dev/stdout", stdout=stream)
        stream.seek(0)
        assert stream.read().startswith("percentile,")


def test_a_standard_output_that_is_closed_is_one_line(runs, save, tmp_path):
    path = save("A", runs[0])
    result = launch(path, "--csv", tmp_path / "C", preexec_fn=lambda: os.close(1))
    assert (result.returncode, result.stderr) == (1, "merge: write standard output: Bad file descriptor\n")
    assert (tmp_path / "C").read_text().startswith("percentile,")


def test_a_reader_that_has_seen_enough_is_one_line(runs, save):
    ours, theirs = os.pipe()
    os.close(ours)
    with open(theirs, "w") as gone:
        result = launch(save("A", runs[0]), "--json", "-", stdout=gone)
    assert (result.returncode, result.stderr) == (1, "merge: write standard output: Broken pipe\n")
