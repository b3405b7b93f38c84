"""A function or a test that a page names is there: a name in backquotes with an underscore, or with () behind it,
stands in some file that is no page. Names of other projects are in ELSEWHERE."""

from __future__ import annotations

import re
from pathlib import Path

from checks.text import files

OURS = Path("harness/checks/names.py")
PLACEHOLDER = "my_srv"  # stands for a name of the reader's own
ELSEWHERE = {
    "HTTP_PARSER_STRICT",  # http_parser
    "SSL_pending",  # OpenSSL
    "__wrap_recv",  # ld
    "poll_wait",  # Linux
    "suppress_ragged_eofs",  # Python
}
WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
NAMED = re.compile(r"(?<!`)`(?:([A-Za-z_]\w*_\w*)(?:\(\))?|([A-Za-z]\w*)\(\))`(?!`)", re.ASCII)
DATA = {".csv", ".dat", ".md", ".png", ".svg"}


def check(root: Path) -> list[str]:
    names = files(root)
    known = {*ELSEWHERE}
    for name in names:
        if name.suffix in DATA or "corpus" in name.parts or name == OURS:
            continue
        known.update(WORD.findall(name.as_posix()))
        known.update(WORD.findall((root / name).read_bytes().decode("utf-8", "replace")))
    return [
        f"{page}:{number}: {named}: no source has this name"
        for page in names if page.suffix == ".md"
        for number, line in enumerate((root / page).read_text(encoding="utf-8").split("\n"), 1)
        for named in named_in(line) if named not in known and not named.startswith(PLACEHOLDER)
    ]  # fmt: skip


def named_in(line: str) -> list[str]:
    return [found[1] or found[2] for found in NAMED.finditer(line)]
