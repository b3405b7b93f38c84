"""A run with AddressSanitizer looks for leaks, too."""

from __future__ import annotations

import subprocess
from pathlib import Path

from suite import needs, servers

LEAKS = """#include <stdlib.h>
static void *volatile kept;
int main(void) { kept = malloc(10); kept = NULL; return 0; }
"""


@needs.leak_check
def test_a_leak_is_noticed(tmp_path: Path) -> None:
    source, program = tmp_path / "leaks.c", tmp_path / "leaks"
    source.write_text(LEAKS)
    subprocess.run([*servers.compiler(), "-O0", "-fsanitize=address", "-o", program, source], check=True)
    done = subprocess.run([program], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "detected memory leaks" in done.stderr, done
