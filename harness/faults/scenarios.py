"""Which scenarios a server goes through."""

from __future__ import annotations

from faults.requests import Requests, Stages
from faults.scenario import Help, Inherited, Restart, Scenario, Timeouts, Traffic
from suite import servers

ALL: dict[str, type[Scenario]] = {
    "traffic": Traffic, "timeouts": Timeouts, "requests": Requests, "stages": Stages, "inherited": Inherited,
    "restart": Restart, "help": Help,
}  # fmt: skip
OF_PROTOCOL = {"frames": ("traffic", "timeouts"), "http": ("requests", "stages")}


def of(server: str) -> tuple[str, ...]:
    """Their names. A restart begins with a listener that is inherited."""
    kind = servers.OF[server]
    return (*OF_PROTOCOL[kind.protocol], "restart" if kind.restarts else "inherited", "help")
