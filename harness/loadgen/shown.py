"""A sum of runs in the forms in which the load generator shows one run (output_json.c, output_curves.c,
output_table.c): a reader need not care which of the two made a file."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, Optional

from loadgen import histogram
from loadgen.histogram import Figure, Histogram, Timing, percentile, timing

if TYPE_CHECKING:
    from loadgen.merge import Sum

COLUMNS = {"p50": 50000, "p90": 90000, "p99": 99000, "p99.9": 99900, "p99.99": 99990}
STEPS_A_HALVING = 5  # of what lies above: the curve is as detailed at the far end as at the near one


def _percentile(one: Timing, thousandths: int) -> Figure:
    return percentile(one.done, one.censored, thousandths)


def _bound(one: Figure) -> Optional[dict[str, Any]]:
    return {"ns": one.ns, "at_least": one.at_least} if one.known else None


# -- JSON ----------------------------------------------------------------------------------------------


def _percentiles(one: Timing) -> dict[str, Any]:
    columns: dict[str, Any] = {name: _bound(_percentile(one, point)) for name, point in COLUMNS.items()}
    mean = {"mean_ns": round(one.joint.mean_ns, 3), "mean_at_least": one.most.at_least}
    return columns | {"max": _bound(one.most)} | mean


def _histogram(one: Histogram) -> dict[str, Any]:
    used = one.slots.nonzero()[0]
    return {
        "count": one.count, "sum_ns": one.sum_ns, "least_ns": one.least_ns, "most_ns": one.most_ns,
        "clamped": one.clamped, "slots": [[int(slot), int(one.slots[slot])] for slot in used],
    }  # fmt: skip


def _times(found: Sum) -> dict[str, Any]:
    if not found.has_figures:
        return {"percentiles": None, "histograms": None}
    return {
        "percentiles": {
            name: _percentiles(timing(found.times, name)) for name in ("response", "service", "lag")
        },
        "histograms": {
            "step_bits": histogram.STEP_BITS, "value_bits": histogram.VALUE_BITS,
            **{name: _histogram(one) for name, one in found.times.items()},
        },
    }  # fmt: skip


def as_json(found: Sum) -> str:
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in (found.members | _times(found)).items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


# -- curves --------------------------------------------------------------------------------------------


def _rank_of(step: int, count: int) -> int:
    """As in output_curves.c: how many of the values are at or below this step of the curve."""
    parts, passed = 2 * STEPS_A_HALVING, step % STEPS_A_HALVING
    return count - count * (parts - passed) // (parts << step // STEPS_A_HALVING)


def _points(one: Histogram) -> list[str]:
    lines, last_ns, count = [], -1, one.count
    for step in itertools.count():
        rank = _rank_of(step, count)
        value_ns = one.at_rank(rank)
        if value_ns != last_ns:
            passed = one.count_up_to(value_ns)
            reached = passed / count
            beyond = f" {1 / (1 - reached):14.2f}" if passed < count else ""
            lines.append(f"{value_ns / 1e6:12.6f} {reached:14.12f} {passed:10d}{beyond}")
        last_ns = value_ns
        if rank >= count or value_ns >= one.most_ns:
            break
    return lines


def _headline(found: Sum) -> Timing:
    return timing(found.times, "response" if found.open_loop else "service")


def _marks(found: Sum) -> list[str]:
    """The lines that mark what is not as it seems; readers of both formats skip what begins with '#'."""
    lines, one = [], _headline(found)
    if found.members["partial"]:
        lines.append(f"# partial: {found.members['partial_reason']}")
    if not found.has_figures:
        lines.append(f"# no figures: {found.members['verdict']}")
    elif one.censored is not None and one.unanswered:
        lines.append(
            f"# at least: {one.unanswered} requests were never answered and stand at their age, "
            f"from {one.censored.least_ns / 1e6:.6f} ms on; values from there on are lower bounds"
        )
    unsent = timing(found.times, "response").unanswered - one.unanswered if found.has_figures else 0
    if unsent:
        lines.append(
            f"# left out: {unsent} requests more were never answered and never sent, so they have no service time"
        )
    return lines


def as_hgrm(found: Sum) -> str:
    """The percentiles of the response time (open loop) or the service time (closed loop), in milliseconds."""
    one = _headline(found).joint if found.has_figures else Histogram()
    lines = [f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}", ""]
    lines += _points(one) if one.count else []
    lines += [
        f"#[Mean    = {one.mean_ns / 1e6:12.6f}, StdDeviation   = {one.deviation_ns() / 1e6:12.6f}]",
        f"#[Max     = {one.most_ns / 1e6:12.6f}, Total count    = {one.count:12d}]",
        f"#[Buckets = {histogram.VALUE_BITS - histogram.STEP_BITS:12d}, "
        f"SubBuckets     = {2 << histogram.STEP_BITS:12d}]",
        *_marks(found),
    ]
    return "\n".join(lines) + "\n"


def _cell(one: Figure) -> str:
    return f",{one.ns / 1e3:.3f},{one.at_least:d}" if one.known else ",,"


def as_csv(found: Sum) -> str:
    lines = ["percentile,response_us,response_at_least,service_us,service_at_least,lag_us,lag_at_least"]
    every = [*range(1000, 99000, 1000), *range(99000, 99900, 100), *range(99900, 100000, 10)]
    for thousandths in every if found.has_figures else []:
        cells = (
            _cell(_percentile(timing(found.times, name), thousandths)) for name in ("response", "service", "lag")
        )
        lines.append(f"{thousandths / 1e3:.3f}" + "".join(cells))
    lines += _marks(found)
    return "\n".join(lines) + "\n"


# -- the table -----------------------------------------------------------------------------------------


def _row(name: str, one: Timing) -> str:
    most = one.most
    figures = [_percentile(one, thousandths) for thousandths in COLUMNS.values()]
    cells = [(each, float(each.ns)) for each in (*figures, most)] + [(most, one.joint.mean_ns)]
    texts = [f"{'>' if each.at_least else ''}{ns / 1e3:.1f}" if each.known else "-" for each, ns in cells]
    return f"{name:<10}" + "".join(f" {text:>11}" for text in texts)


def _each(total: float, count: int) -> str:
    return f"{total / count:.2f}" if count else "-"


def _sides(found: Sum) -> list[str]:
    client, server, basis = found.members["client"], found.members["server"], found.members["verdict_basis"]
    replies = found.members["counts"].get("achieved", 0)
    work_ns = client["cpu_ns"] - client["spun_ns"]
    lines = [
        f"client     {_each(work_ns / 1e3, replies) if work_ns > 0 else '-'} us CPU a message, "
        f"{_each(client['switches'], replies)} switches a message, "
        f"busiest thread {basis.get('busy', 0):.0f}%, {client['most_resident_bytes'] / 1e6:.1f} MB"
    ]
    if server is not None:
        lines.append(
            f"server     {_each(server['cpu_ns'] / 1e3, replies)} us CPU a message "
            f"(user {_each(server['user_ns'] / 1e3, replies)}, "
            f"system {_each(server['system_ns'] / 1e3, replies)}), "
            f"{_each(server['switches'], replies)} switches a message, {server['resident_bytes'] / 1e6:.1f} MB"
        )
    return lines


def _figures(found: Sum) -> list[str]:
    counts, seconds = found.members["counts"], found.members["seconds"]
    lines = [f"{'us':<10}" + "".join(f" {name:>11}" for name in (*COLUMNS, "max", "mean"))]
    for name in ("response", "service", "lag") if found.open_loop else ("service", "lag"):
        lines.append(_row(name, timing(found.times, name)))
    issued, achieved = counts.get("issued", 0), counts.get("achieved", 0)
    if seconds > 0 and found.open_loop:
        lines.append(f"offered    {issued / seconds:.1f} a second ({issued} requests)")
    if seconds > 0:
        lines.append(
            f"achieved   {achieved / seconds:.1f} a second ({achieved} replies in {seconds:.3f} s; "
            f"set-up {found.members['setup_seconds']:.3f} s)"
        )
    if counts.get("reconnects"):
        lines.append(f"replaced   {counts['reconnects']} connections")
    return lines + _sides(found)


def _heading(members: dict[str, Any], apart: int) -> str:
    if members["runs"] == 1:
        return "1 run"
    together = "at the same time" if apart == 1 else "some at the same time, some one after the other"
    return f"{members['runs']} runs merged, made {'one after the other' if members['in_turn'] else together}"


def as_table(found: Sum) -> str:
    members = found.members
    lines = [_heading(members, found.apart)]
    lines += [f"partial    {members['partial_reason']}"] if members["partial"] else []
    lines += _figures(found) if found.has_figures else []
    for kind, count in members["errors"].items():
        if count:
            lines.append(f"{kind:<10} {count:10d}   first: {members['error_examples'].get(kind, '')}")
    lines.append(f"verdict    {members['verdict']}")
    for reason in members["reasons"]:
        mark = "(remark) " if reason["verdict"] == "VALID" else f"{reason['verdict']}, "
        lines.append(f"           {mark}{reason['text']}")
    return "\n".join(lines) + "\n"
