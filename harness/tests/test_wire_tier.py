"""docs/adding-a-server.md names tests for each rule of the protocol. They are there, and run on a stranger's server."""

from __future__ import annotations

import re
import subprocess

from suite import servers
from test_strangers import RIGHT, run

PAGE = servers.ROOT / "docs" / "adding-a-server.md"


def named() -> set[str]:
    table = PAGE.read_text(encoding="utf-8").partition("Each rule of the protocol")[2].partition("\n\n[harness")[0]
    return set(re.findall(r"`(test_\w+)`", table))


def test_they_all_run_on_a_strangers_server():
    result = run(RIGHT, "harness/conformance", "--collect-only")
    collected = set(re.findall(r"::(test_\w+)\[right", result.stdout))
    assert len(named()) > 40 and named() <= collected, named() - collected


def test_every_example_of_the_page_is_as_it_says():
    text = RIGHT.read_text()
    for line in ("self.input += data", "flush=True"):
        assert line in text and line in PAGE.read_text(encoding="utf-8")
    done = subprocess.run(["harness/servers", "name"], cwd=servers.ROOT, capture_output=True, text=True)
    assert tuple(done.stdout.split()) == servers.ALL
