"""What the load generator judges its own runs by; `loadgen --help` says what each is."""

from __future__ import annotations

NAMES = (
    "shortfall", "lag", "busy", "batches", "little", "ceiling", "steady", "stall", "steal", "witness", "preempted",
    "server",
)  # fmt: skip


def options(**changed: float) -> list[str]:
    """Options that put every limit out of reach, so that no noise of the machine decides, except those that are
    named."""
    out_of_reach = dict.fromkeys(NAMES, 1e12) | changed
    return [word for name, value in out_of_reach.items() for word in ("--limit", f"{name}={value:.0f}")]
