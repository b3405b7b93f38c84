"""The load generator as the tests run it."""

from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import dataclass, field

from suite import servers, steps

STATUS = {"VALID": 0, "ERRORS": 3, "NOISY_HOST": 4, "CLIENT_BOUND": 5, "OVERLOADED": 6, "UNSTABLE": 7}


@dataclass
class Outcome:
    status: int
    errors: str  # standard error
    json: dict = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        return self.json["verdict"]

    def wrong(self) -> dict[str, int]:
        """The errors that were counted, without those that were not."""
        return {kind: count for kind, count in self.json["errors"].items() if count}

    def reasons(self, verdict: str) -> list[str]:
        return [each["text"] for each in self.json["reasons"] if each["verdict"] == verdict]

    def expect(self, verdict: str) -> Outcome:
        assert self.verdict == verdict, (self.verdict, self.json["reasons"], self.json["errors"], self.errors)
        assert self.status == STATUS[verdict] == self.json["exit_status"], self.status
        return self


def command(*options: object) -> list[str]:
    return [str(servers.program("loadgen")), *map(str, options)]


def start(*options: object) -> subprocess.Popen:
    words = command(*options, "--json", "-")
    steps.note(shlex.join(words))
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen) -> Outcome:
    try:
        out, errors = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    steps.note(f"loadgen: exit status {process.returncode}, {errors.strip() or 'nothing on standard error'}")
    assert "Sanitizer" not in errors and "runtime error" not in errors, errors
    assert out, f"no JSON; exit status {process.returncode}: {errors}"
    return Outcome(process.returncode, errors, json.loads(out))


def run(*options: object) -> Outcome:
    """Runs it with JSON on standard output; there must be some."""
    return finish(start(*options))


def run_plain(*options: object) -> subprocess.CompletedProcess:
    words = command(*options)
    steps.note(shlex.join(words))
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def probe(*arguments: object, given: str = "") -> list[str]:
    """The lines that the probe of single parts prints."""
    words = [str(servers.program("loadgen_probe")), *map(str, arguments)]
    result = subprocess.run(words, input=given, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0 and result.stderr == "", result
    return result.stdout.splitlines()
