"""A small file, and a large one as large as may be handed in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def make(directory: Path, facts: Any) -> None:
    flood = [{"do": "flood", "peer": peer, "size": 30000, "bytes": 10**15} for peer in range(100)]
    script = {"schema": "script/2", "about": "for ever", "actions": flood}
    (directory / "own" / "zz-flood.json").write_text(json.dumps(script))
