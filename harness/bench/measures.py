"""Measures one run of an experiment with servers: from its point to the figures of its row."""

from __future__ import annotations

import hashlib
from typing import Any, Optional

from suite import limits, servers

from bench import memory as kernel_memory
from bench import microbench
from bench.capacity import Probe, Search
from bench.loads import Failed, Load, Outcome, Snapshot
from bench.requests import Request, Taken
from bench.statistics import POLICIES, of_the_client

# With thousands of requests under way the kernel's thread for network work (ksoftirqd) preempts the client on its core.
# That is work of this load, and no sign of another program.
OWN_NETWORK_WORK = ("--limit", "preempted=20")
# The client has a core to itself and spins: a client that sleeps until a request is due is woken up late.
POISSON = ("--arrivals", "poisson", "--spin", 1000000)
OF_THE_SERVER = ("shortfall:", "outstanding:", "unanswered:")  # how its reasons for OVERLOADED begin
NOT_JUDGED = tuple(limits.options())  # for runs in which no time is measured


def _run(
    request: Request, connections: int, *options: object, number: int = 0, counting: bool = False
) -> Outcome:
    load = Load(
        request.server,
        (*map(str, options), *(() if request.judged else NOT_JUDGED)),
        connections,
        request.seed,
        request.times.warmup,
        request.times.duration,
        counting,
    )
    return request.driver.run(load, request.json_path(number))


def _taken(outcome: Outcome, **figures: Optional[float]) -> Taken:
    load = outcome.report["schedule_hash"]
    return Taken(outcome.verdict, load, outcome.reasons(), dict(figures), outcome.disturbed())


def _needs_snapshots(taken: Taken, outcome: Outcome) -> Taken:
    if outcome.before is None and taken.verdict == "VALID":
        taken.verdict = "UNSTABLE"
        taken.reasons.append("the server's statistics were not read within the measured time")
    return taken


def _percentiles(report: dict[str, Any], kind: str) -> dict[str, Optional[float]]:
    """p50, p99, p99.9 in microseconds; None where there were too few requests."""
    found: dict[str, Optional[float]] = {}
    for column, name in (("p50", "p50"), ("p99", "p99"), ("p999", "p99.9")):
        value = ((report["percentiles"] or {}).get(kind) or {}).get(name)
        found[f"{kind}_{column}"] = value["ns"] / 1e3 if value else None
    return found


def _cpu(report: dict[str, Any]) -> dict[str, Optional[float]]:
    """Microseconds a message, over the measured time."""
    messages = report["counts"]["achieved"]
    sides = {"server_cpu": report["server"], "client_cpu": report["client"]}
    return {name: side["cpu_ns"] / messages / 1e3 if side and messages else None for name, side in sides.items()}


def _difference(before: Snapshot, after: Snapshot) -> dict[str, int]:
    return {
        name: value - before.counts[name]
        for name, value in after.counts.items()
        if isinstance(value, int) and name in before.counts
    }


def calls_of(server: str, counts: dict[str, int]) -> int:
    """The system calls among a server's counts. By completion receives, sends and changes of interest are entries of a
    ring: the call that waits submits them."""
    kind = servers.OF[server]
    if kind.trigger == "completion":
        return counts["waits"]
    changes = counts["interest_changes"] if kind.interest == "call" else 0
    return counts["waits"] + counts["reads"] + counts["writes"] + changes


def _calls(server: str, connections: int, outcome: Outcome) -> dict[str, Optional[float]]:
    """What the API cost a message, from the server's own exact counts without the set-up. A wait whose interest is an
    argument looks at every connection; one whose interest was declared looks at those that have become ready."""
    if outcome.before is None or outcome.after is None:
        return {}
    counts = _difference(outcome.before, outcome.after)
    if not counts["frames"] or not counts["waits"]:
        return {}
    declared = servers.OF[server].interest == "call"
    scanned = counts["events"] if declared else counts["waits"] * connections
    return {
        "calls": calls_of(server, counts) / counts["frames"],
        "waits": counts["waits"] / counts["frames"],
        "events": counts["events"] / counts["waits"],
        "scanned": scanned / counts["frames"],
    }


def _closed_loop(request: Request, connections: int, active: int) -> Taken:
    outcome = _run(request, connections, "--active", active, *OWN_NETWORK_WORK)
    report = outcome.report
    return _taken(
        outcome,
        throughput=report["achieved"],
        **_percentiles(report, "service"),
        **_cpu(report),
        **_calls(request.server, connections, outcome),
    )


def all_active(request: Request) -> Taken:
    """E1: every connection has one request under way."""
    return _closed_loop(request, request.number("connections"), request.number("connections"))


def mostly_idle(request: Request) -> Taken:
    """E2: a few connections are active, the others are silent. The active ones are spread among the silent ones."""
    active = request.number("active")
    return _closed_loop(request, request.number("idle") + active, active)


def fixed_rate(request: Request) -> Taken:
    """E3: requests are due at random times (Poisson), whether or not earlier ones have been answered."""
    outcome = _run(request, request.number("connections"), "--rate", request.number("rate"), *POISSON)
    report = outcome.report
    lag = _percentiles(report, "lag")["lag_p99"]
    return _taken(
        outcome,
        throughput=report["achieved"],
        offered=report["offered"],
        lag_p99=lag,
        **_percentiles(report, "response"),
        **_cpu(report),
    )


def _of_probe(outcome: Outcome) -> str:
    """Its verdict. NOISY_HOST takes precedence over what was the limit, client or server, and hides it."""
    if outcome.verdict != "NOISY_HOST":
        return outcome.verdict
    reasons = outcome.reasons()
    if of_the_client("; ".join(reasons)):
        return "CLIENT_BOUND"
    return "OVERLOADED" if any(each.startswith(OF_THE_SERVER) for each in reasons) else outcome.verdict


def capacity(request: Request) -> Taken:
    """E3: a closed loop gives a guess, from which the search begins. The JSON of each probe is kept."""
    connections, limit = request.number("connections"), request.number("limit")
    made = 0

    def run(*options: object) -> Outcome:
        nonlocal made
        made += 1
        return _run(request, connections, *options, number=made)

    def probe(rate: float) -> Probe:
        outcome = run("--rate", f"{rate:g}", *POISSON)
        report = outcome.report
        if report["verdict"] == "ERRORS":
            raise Failed(f"{request.server}: at {rate:g} requests a second: {report['errors']}")
        return Probe(_of_probe(outcome), _percentiles(report, "response")["response_p99"], outcome.disturbed())

    search = Search(probe, limit)
    search.run(0.7 * run().report["achieved"])
    asked = f"capacity {request.point} {request.seed} {request.times}"
    return Taken(search.verdict, _hash(asked), search.reasons, {"capacity": search.found}, search.disturbed)


def calls_a_message(request: Request) -> Taken:
    """E5: the counts of a server, or those of a policy from a micro program that does nothing else."""
    connections = request.number("connections")
    if request.server in POLICIES:
        return microbench.run(
            request,
            "microbench_calls",
            {"calls": "calls", "waits": "waits"},
            "--policy", request.server, "--connections", connections, "--messages", max(10000, 100 * connections),
        )  # fmt: skip
    # With one message under way the counts do not depend on time. With more, the size of a batch does.
    outcome = _run(request, connections, *(NOT_JUDGED if connections == 1 else ()))
    return _needs_snapshots(_taken(outcome, **_calls(request.server, connections, outcome)), outcome)


def of_one_size(request: Request) -> Taken:
    """E17, E20: a closed loop with messages of one size; what each costs the server, in calls and in CPU time. `idle`:
    further connections, which are silent. Without a `payload`: 64 bytes."""
    active = request.number("connections")
    connections = active + int(request.point.get("idle", 0))
    words = ("--active", active, "--payload", request.point.get("payload", "64"), *OWN_NETWORK_WORK)
    outcome = _run(request, connections, *words)
    figures = {**_cpu(outcome.report), **_calls(request.server, connections, outcome)}
    return _needs_snapshots(_taken(outcome, throughput=outcome.report["achieved"], **figures), outcome)


def batching(request: Request) -> Taken:
    """E6: CPU time of the server for each event that a wait returned."""
    idle, active = request.number("idle"), request.number("active")
    outcome = _run(request, idle + active, "--active", active, *OWN_NETWORK_WORK)
    figures = {"throughput": outcome.report["achieved"], **_calls(request.server, idle + active, outcome)}
    before, after = outcome.before, outcome.after
    if before and after and before.cpu_ns is not None and after.cpu_ns is not None:
        events = _difference(before, after)["events"]
        figures["event_cpu"] = (after.cpu_ns - before.cpu_ns) / events / 1e3 if events else None
    return _needs_snapshots(_taken(outcome, **figures), outcome)


IN_FLIGHT = ("--pipeline", 4, "--payload", 1024, "--drain", 20)
NEXT_TO_NOTHING = ("--active", 1, "--rate", 20)


def memory(request: Request) -> Taken:
    """E8: the memory that the connections have added since before the first one. Idle: each has exchanged one frame
    and is silent (one of them carries 20 requests a second). In flight: each has 4 requests of 1 KiB under way, most of
    them in the kernel's queues. The kernel's figure is what server and client together have added to its objects and
    to TCP's buffers (memory.py)."""
    connections = request.number("connections")
    under_load = NEXT_TO_NOTHING if request.point["state"] == "idle" else IN_FLIGHT
    outcome = _run(request, connections, *under_load, *NOT_JUDGED, counting=True)
    figures: dict[str, Optional[float]] = {}
    then, now = outcome.at_rest.memory, outcome.before.memory if outcome.before else None
    if now and now.resident is not None and then.resident is not None:
        figures["server_bytes"] = (now.resident - then.resident) / connections
    ring = servers.OF[request.server].trigger == "completion"
    grown = kernel_memory.growth(then, now, connections, ring) if now else None
    if grown:
        figures |= {"kernel_bytes": grown.bytes, "objects": grown.objects, "ring_bytes": grown.ring_bytes}
    taken = _needs_snapshots(_taken(outcome, **figures), outcome)
    strangers = kernel_memory.strangers(then, now, connections) if now else 0
    if abs(strangers) > 0.02 * connections:
        taken.disturbed = f"other programs opened {strangers} TCP sockets meanwhile, whose memory is in the figure"
    return taken


def churn(request: Request) -> Taken:
    """E9: each connection is made, carries one message and is replaced by the next; `connections` of them are open at
    a time. A server accepts until its queue is empty: `accepts` is how many connections it took each time."""
    outcome = _run(request, request.number("connections"), "--churn", 1, *OWN_NETWORK_WORK)
    figures = _cpu(outcome.report)
    figures.pop("client_cpu")
    if outcome.before and outcome.after:
        counts = _difference(outcome.before, outcome.after)
        seconds = (outcome.after.unix_ns - outcome.before.unix_ns) / 1e9
        emptied = counts["accepts"] - counts["accepted"] - counts["refused"]
        figures["connects"] = counts["accepted"] / seconds
        figures["accepts"] = counts["accepted"] / emptied if emptied else None
    return _needs_snapshots(_taken(outcome, **figures), outcome)


def large_frames(request: Request) -> Taken:
    """E10: frames of one size. A frame that is larger than one read needs memory of its own until it is whole. With
    large frames the client is the limit, since it copies as much. What a message costs the server stays the same."""
    words = ("--payload", request.number("payload"), *OWN_NETWORK_WORK)
    outcome = _run(request, request.number("connections"), *words)
    figures = {"throughput": outcome.report["achieved"], **_cpu(outcome.report)}
    before, after = outcome.before, outcome.after
    if before and after and before.memory.faults is not None and after.memory.faults is not None:
        frames = _difference(before, after)["frames"]
        figures["faults"] = (after.memory.faults - before.memory.faults) / frames if frames else None
    return _needs_snapshots(_taken(outcome, **figures), outcome)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
