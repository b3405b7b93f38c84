"""Which functions a student's files call. A lab is about one API, and says so: `needs` and `refuses` in lab.toml."""

from __future__ import annotations

import re
from collections.abc import Iterable

NM = ("nm", "-u", "-P")  # what objects take from elsewhere


def another_lab(symbols: str, needs: Iterable[str], refuses: Iterable[str]) -> str:
    """Why these files are not what the lab is about; "" if they are. `symbols`: what nm(1) says of their objects. A
    function that checks its arguments has another name (`__poll_chk`)."""
    called = {re.sub(r"^__(\w+)_chk$", r"\1", line.split()[0]).split("@")[0] for line in symbols.splitlines() if line}
    if refused := [name for name in refuses if name in called]:
        return f"it calls {', '.join(refused)}, which this lab does without: no test is run"
    if missing := [name for name in needs if name not in called]:
        return f"it does not call {', '.join(missing)}, which this lab is about: no test is run"
    return ""
