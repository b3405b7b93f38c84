"""In the name of a header no comment begins, but a reader that is no compiler sees one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BEHIND = """#include "frame.c"
#endif
#if __has_include(</*>)
#endif
#if __INCLUDE_LEVEL__
#pragma GCC system_header
int narrow(long wide)
{
    char unused = (char)wide;
    return wide;
}
#endif
// */
"""


def make(directory: Path, facts: Any) -> None:
    source = directory / "frame.c"
    source.write_text("#if __INCLUDE_LEVEL__ == 0\n" + source.read_text() + BEHIND)
