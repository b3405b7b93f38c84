"""frame.c is a link to a file that another member puts outside."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any


def make(directory: Path, facts: Any) -> None:
    right = (directory / "frame.c").read_bytes()
    with tarfile.open(facts.archive, "w:gz") as archive:
        for name in ("../labs-cheat-was-here", "../../labs-cheat-was-here", f"{facts.out.parent}/labs-cheat-was-here"):
            member = tarfile.TarInfo(name)
            member.size = len(right)
            archive.addfile(member, io.BytesIO(right))
        for name, kind, target in (
            ("way-out", tarfile.SYMTYPE, str(facts.root / "common")),
            ("frame.c", tarfile.SYMTYPE, str(facts.root / "common" / "frame.c")),
            ("frame.c", tarfile.LNKTYPE, "way-out/frame.c"),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
