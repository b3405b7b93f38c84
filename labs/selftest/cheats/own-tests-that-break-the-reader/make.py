"""Each of these has broken a reader of JSON, or the one who uses what it has read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BROKEN = {
    "deep": b"[" * 30000,
    "digits": b'{"schema": "script/2", "actions": [{"do": "send", "frames": [' + b"9" * 5000 + b"]}]}",
    "negative": b'{"schema": "script/2", "actions": [{"do": "send", "peer": -1, "frames": [-5], "hold": -1}]}',
    "infinite": b'{"schema": "script/2", "idle_timeout": 1e999, "actions": [{"do": "idle"}]}',
    "bytes": b"\xff\xfe\x00{",
}


def make(directory: Path, facts: Any) -> None:
    for name, content in BROKEN.items():
        (directory / "own" / f"zz-{name}.json").write_bytes(content)
