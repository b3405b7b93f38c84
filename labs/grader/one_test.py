"""A test of a lab, whatever it is: a script that peers play to a server, or a case that a program reads."""

from __future__ import annotations

from pathlib import Path

from labkit import modules
from labkit.lab import Lab
from suite.protocol import Protocol

from grader import cases, play
from grader.host import Host
from grader.result import Outcome


def run(lab: Lab, host: Host, program: Path, path: Path, protocol: Protocol) -> Outcome:
    """Raises BadScript or BadCase: the caller says whose test it is."""
    if lab.kind == "server":
        return play.play(host, program, path, protocol)
    return cases.run(host, program, path, modules.load(lab.directory / "expected.py"), protocol)
