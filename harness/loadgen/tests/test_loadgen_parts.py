"""Single parts of the load generator, compared with results that are known beforehand: exact sorts, formulas, tables.
No test here reads a clock."""

from __future__ import annotations

import math
import random

from suite import generator
import pytest

COLUMNS = {"p50": 50000, "p90": 90000, "p99": 99000, "p99.9": 99900, "p99.99": 99990}
ERROR = 1 / 1024  # of the histogram: 3 significant digits


def percentiles(answered: list[int], unanswered: tuple[int, ...] = (), parts: int = 1):
    given = "".join(f"d {value}\n" for value in answered) + "".join(f"c {value}\n" for value in unanswered)
    first, *rest = generator.probe("percentiles", parts, given=given)
    rows = {name: [int(word) for word in words] for name, *words in map(str.split, rest)}
    return [int(word) for word in first.split()], rows


def exact(sorted_values: list[int], thousandths: int) -> int:
    rank = -(-len(sorted_values) * thousandths // 100000)  # rounded up, in integers
    return sorted_values[max(rank, 1) - 1]


SHAPES = {
    "tiny": lambda source: source.randrange(3000),
    "microseconds": lambda source: source.randrange(1_000, 100_000),
    "exponential": lambda source: int(source.expovariate(1 / 50_000)),
    "every magnitude": lambda source: int(10 ** source.uniform(0, 11)),
    "powers of two": lambda source: 2 ** source.randrange(36) + source.randrange(-1, 2),
    "two modes": lambda source: source.choice((20_000, 60_000_000_000)),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 2, 10, 999, 20000])
def test_histogram_agrees_with_an_exact_sort(shape, count):
    source = random.Random(f"{shape}{count}")
    values = [max(SHAPES[shape](source), 0) for _ in range(count)]
    totals, rows = percentiles(values)
    assert totals == [count, sum(values), min(values), max(values)]
    values.sort()
    for name, thousandths in COLUMNS.items():
        wanted = exact(values, thousandths)
        got = rows[name][0]
        assert wanted <= got <= wanted * (1 + ERROR) + 1, f"{name}: {got}, exact is {wanted}"


def test_what_is_above_all_slots_is_not_made_smaller():
    """The histogram ends at 137 s."""
    _, rows = percentiles([1_000_000] * 50 + [200_000_000_000] * 50)
    assert rows["p99"][0] == 200_000_000_000
    _, rows = percentiles([1_000_000] * 50, (200_000_000_000,) * 50)
    assert rows["p99"] == [200_000_000_000, 1, 1]


@pytest.mark.parametrize("parts", range(2, 9))
def test_merged_histograms_give_what_one_would_have(parts):
    source = random.Random(parts)
    values = [int(10 ** source.uniform(0, 10)) for _ in range(12000)]
    assert percentiles(values, (5, 700, 80000), parts) == percentiles(values, (5, 700, 80000), 1)


@pytest.mark.parametrize(
    "count, far, farther",
    [(1, 0, 0), (9_999, 0, 0), (10_000, 1, 0), (99_999, 1, 0), (100_000, 1, 1)],
)
def test_far_percentiles_need_enough_values(count, far, farther):
    _, rows = percentiles([7] * count)
    assert (rows["p99"][1], rows["p99.9"][1], rows["p99.99"][1]) == (1, far, farther)


def test_no_value_no_percentile():
    _, rows = percentiles([])
    assert all(known == 0 for _, known, _ in rows.values())


def test_percentile_among_the_unanswered_is_a_lower_bound():
    """90 answered after 1 ms, 10 unanswered after 5 ms: p90 is known, and from p91 on it is a lower bound."""
    _, rows = percentiles([1_000_000] * 90, (5_000_000,) * 10)
    assert rows["p90"][1:] == [1, 0] and 1_000_000 <= rows["p90"][0] <= 1_000_000 * (1 + ERROR)
    assert rows["p99"] == [5_000_000, 1, 1]


def test_young_unanswered_ones_make_every_percentile_above_them_a_lower_bound():
    """A request that is unanswered after 1 us may still take longer than all others."""
    _, rows = percentiles([1_000_000] * 90, (1_000,) * 10)
    assert rows["p50"][2] == 1


# -- schedule --------------------------------------------------------------------------------------


def times(
    rate_milli: int, arrivals: str = "constant", seed: int = 1, thread: int = 0, threads: int = 1, count: int = 300
):
    return [int(line) for line in generator.probe("schedule", rate_milli, arrivals, seed, thread, threads, count)]


@pytest.mark.parametrize("rate_milli", [1, 999, 1000, 3_000, 7_777_777, 30_000_000, 50_000_000, 3_999_999_999])
def test_constant_schedule_is_its_formula(rate_milli):
    """Request g is due at ⌊g · 10¹² / rate_milli⌋, in whole nanoseconds, without drift."""
    assert times(rate_milli) == [g * 10**12 // rate_milli for g in range(300)]


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_share_one_schedule(threads):
    together = sorted(t for j in range(threads) for t in times(33_333_333, thread=j, threads=threads, count=100))
    assert together == times(33_333_333, count=100 * threads)


def test_poisson_gaps_are_exponential_and_follow_from_the_seed():
    due = times(1_000_000, "poisson", seed=5, count=20000)  # 1,000 a second: 1 ms on average
    gaps = [after - before for before, after in zip(due, due[1:])]
    assert due == sorted(due)
    assert math.isclose(sum(gaps) / len(gaps), 1e6, rel_tol=0.03)
    for longer_than in (0.5, 1, 2, 4):
        share = sum(gap > longer_than * 1e6 for gap in gaps) / len(gaps)
        assert math.isclose(share, math.exp(-longer_than), abs_tol=0.012), longer_than
    assert due == times(1_000_000, "poisson", seed=5, count=20000)
    assert due[:50] != times(1_000_000, "poisson", seed=6, count=50)
    assert due[:50] != times(1_000_000, "poisson", seed=5, thread=1, threads=2, count=50)


def test_every_connection_has_one_turn_in_each_round():
    orders = {seed: [int(line) for line in generator.probe("order", seed, 100)] for seed in range(5)}
    for order in orders.values():
        assert sorted(order) == list(range(100))
    assert len({tuple(order) for order in orders.values()}) == 5
    assert orders[3] == [int(line) for line in generator.probe("order", 3, 100)]


# -- payload ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", ["0", "1", "7", "8", "9", "64", "1000", "3-200", "1*5,100-200*3,4096"])
def test_payload_names_its_owner_and_every_byte_is_checked(sizes):
    seen = set()
    for connection, number in [(0, 0), (0, 1), (1, 0), (19899, 123456789), (2**24 - 1, 2**40 - 1)]:
        frame, check, owner, *unchecked = generator.probe("payload", 42, connection, number, sizes)
        size = int(frame[:8], 16)
        assert len(frame) == 2 * (4 + size)
        assert check == "matches" and unchecked == []
        assert owner == f"{connection} {number}"
        seen.add(frame)
    assert len(seen) == 5 or sizes in ("0", "1"), "payloads differ unless they are too small to"


def test_payload_sizes_follow_their_weights():
    def size(number: int) -> int:
        return int(generator.probe("payload", 9, 1, number, "10*9,100-200*1")[0][:8], 16)

    sizes = [size(number) for number in range(200)]
    large = [each for each in sizes if each != 10]
    assert all(100 <= each <= 200 for each in large)
    assert 5 <= len(large) <= 40, "about 20 of 200"


# -- verdict ---------------------------------------------------------------------------------------

QUIET_OPEN = {
    "open_loop": 1, "offered": 100000, "achieved": 100000, "seconds": 10, "mean_service": 50e3,
    "response_p99": 200e3, "lag_p99": 5e3, "busy": 40, "quarter_before": 2500, "quarter_after": 2510,
}  # fmt: skip
QUIET_CLOSED = QUIET_OPEN | {"open_loop": 0, "offered": 0, "outstanding": 1, "mean_service": 99e3, "lag_p99": 0}

VERDICTS = [
    # what differs from a quiet run, verdict, how its first reason begins
    ({}, "VALID", None),
    ({"errors": 1}, "ERRORS", "errors: 1"),
    ({"steal": 1.1}, "NOISY_HOST", "steal:"),
    ({"steal": -1}, "VALID", None),
    ({"witness": 1.1, "witness_most": 5e6}, "NOISY_HOST", "witness:"),
    ({"preempted": 5.1}, "NOISY_HOST", "preempted:"),
    ({"server_preempted": 5.1, "server_threads": 1}, "NOISY_HOST", "preempted: the server stood ready"),
    ({"server_preempted": 4.9, "server_threads": 1}, "VALID", None),
    # several threads may be waiting for each other
    ({"server_preempted": 60, "server_threads": 4}, "VALID", "preempted: the server's 4 threads"),
    ({"busy": 95.1}, "CLIENT_BOUND", "busy:"),
    ({"batches": 10.1}, "CLIENT_BOUND", "batches:"),
    # a client that is always busy is not the limit if the server is always busy too
    ({"busy": 99, "saturation": 89.9}, "CLIENT_BOUND", "busy:"),
    ({"busy": 99, "saturation": 90}, "VALID", "busy:"),
    ({"batches": 99, "saturation": 90}, "VALID", "batches:"),
    ({"lag_p99": 1001e3, "saturation": 99}, "CLIENT_BOUND", "lag:"),
    ({"lag_p99": 1001e3}, "CLIENT_BOUND", "lag:"),
    # however fast the server is: a filter must not choose by the figures
    ({"lag_p99": 999e3, "response_p99": 1e3}, "VALID", None),
    ({"lag_p99": 1001e3, "response_p99": 1e9}, "CLIENT_BOUND", "lag:"),
    ({"ceiling": 14285}, "CLIENT_BOUND", "ceiling:"),
    ({"ceiling": 14286}, "VALID", None),
    ({"achieved": 99899}, "OVERLOADED", "shortfall:"),
    ({"achieved": 99900}, "VALID", None),
    ({"offered": 100, "achieved": 90}, "VALID", None),
    ({"offered": 100, "achieved": 89}, "OVERLOADED", "shortfall:"),
    ({"capped": 1}, "OVERLOADED", "outstanding:"),
    ({"unanswered": 1, "oldest_unanswered": 5e9}, "OVERLOADED", "unanswered: 1 requests"),
    ({"quarter_after": 1800}, "UNSTABLE", "steady:"),
    ({"quarter_before": 3500}, "UNSTABLE", "steady:"),
    ({"quarter_before": 50, "quarter_after": 0}, "VALID", None),
    ({"silence": 1.1e9}, "UNSTABLE", "stalled:"),
    ({"interrupted": 1}, "UNSTABLE", "interrupted:"),
    # of several verdicts, the one that explains the others
    ({"achieved": 90000, "lag_p99": 2e6}, "CLIENT_BOUND", "lag:"),
    ({"achieved": 90000, "lag_p99": 2e6, "steal": 9}, "NOISY_HOST", "steal:"),
    ({"achieved": 90000, "steal": 9, "errors": 1}, "ERRORS", "errors: 1"),
    ({"achieved": 90000, "silence": 2e9}, "OVERLOADED", "shortfall:"),
]


def decide(figures: dict, *limits: str) -> tuple[str, list[str]]:
    first, *reasons = generator.probe("verdict", *(f"{name}={value}" for name, value in figures.items()), *limits)
    verdict, status = first.split()
    assert int(status) == generator.STATUS[verdict]
    return verdict, reasons


@pytest.mark.parametrize("changed, verdict, reason", VERDICTS, ids=lambda value: str(value))
def test_verdict(changed, verdict, reason):
    decided, reasons = decide(QUIET_OPEN | changed)
    assert decided == verdict, reasons
    if reason:
        assert any(line.startswith(f"{verdict} {reason}") for line in reasons), reasons


@pytest.mark.parametrize(
    "mean_service, verdict", [(99e3, "VALID"), (91e3, "VALID"), (89e3, "CLIENT_BOUND"), (111e3, "CLIENT_BOUND")]
)
def test_littles_law(mean_service, verdict):
    """10,000 a second with 1 outstanding: 100 us each. With an error above a tenth, the client held requests back."""
    decided, reasons = decide(QUIET_CLOSED | {"mean_service": mean_service})
    assert decided == verdict, reasons
    assert decide(QUIET_CLOSED | {"mean_service": mean_service, "churn": 1})[0] == "VALID"


@pytest.mark.parametrize("counter", ["listen_overflows", "listen_drops", "retransmits"])
def test_network_trouble_is_remarked(counter):
    decided, reasons = decide(QUIET_OPEN | {counter: 3})
    assert decided == "VALID" and any("3 " in line for line in reasons), reasons


@pytest.mark.parametrize("figure, limit", [("steal", "steal"), ("busy", "busy"), ("witness", "witness")])
def test_limits_can_be_set(figure, limit):
    assert decide(QUIET_OPEN | {figure: 50}, f"limit:{limit}=51")[0] == "VALID"
    assert decide(QUIET_OPEN | {figure: 50}, f"limit:{limit}=49")[0] != "VALID"
