"""Where a server makes its calls. The injector counts these places, addr2line(1) gives them names."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from faults.calls import CANNOT_FAIL, FAULTS
from suite.servers import ROOT

# With the headers of C23 or C99 a program calls strtoull by such a name; which functions have one, the libc decides.
ALIAS = re.compile(r"__isoc\d\d_(\w+)")
OF_THE_TOOLS = re.compile(r"__(asan|ubsan|sanitizer|gcov)|_ITM_|__gmon_start__|_GLOBAL_OFFSET_TABLE_")


class CannotRun(Exception):
    """Says in one line why there can be no sweep."""


@dataclass(frozen=True)
class Site:
    """One call in the source, reached on one path from main."""

    call: str
    frames: str  # return addresses within the program, as the injector writes them, innermost first

    @property
    def address(self) -> str:
        """The return address of the call itself, without the path to it."""
        return self.frames.split(".")[0]


@dataclass
class Report:
    """What the injector wrote at the end of the program."""

    calls: Counter[Site] = field(default_factory=Counter)
    memory: list[Site] = field(default_factory=list)
    descriptors: list[Site] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    happened: int = 0  # how many of the requested faults happened


def read_report(path: Path) -> Report | None:
    """Returns None if there is no report, because the program did not reach its end."""
    if not path.exists():
        return None
    report = Report()
    for line in path.read_text().splitlines():
        kind, rest = line.split(" ", 1)
        if kind == "happened":
            report.happened = int(rest)
        elif kind == "wrong":
            report.wrong.append(rest)
        else:
            call, count, frames = rest.split(" ")
            site = Site(call, frames)
            if kind == "site":
                report.calls[site] += int(count)
            else:
                (report.memory if kind == "memory" else report.descriptors).append(site)
    return report


class Names:
    """Readable names of sites: function:line, starting at main. The same sources always give the same names."""

    def __init__(self, program: Path, sites: Iterable[Site]):
        sites = list(sites)
        addresses = sorted({address for site in sites for address in site.frames.split(".") if address})
        # A return address is that of the instruction after the call, so ask for the byte before it.
        asked = [hex(int(address, 16) - 1) for address in addresses]
        command = ["addr2line", "-f", "-e", str(program), *asked]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        self._function = dict(zip(addresses, lines[::2]))
        self._place = {
            address: re.sub(r" \(discriminator.*", "", line) for address, line in zip(addresses, lines[1::2])
        }
        self._root = f"{ROOT}/"
        self._of: dict[Site, str] = {}
        seen: Counter[str] = Counter()
        for site in sites:
            name = ">".join([*(self._frame(each) for each in reversed(site.frames.split(".")) if each), site.call])
            seen[name] += 1
            self._of[site] = name if seen[name] == 1 else f"{name}#{seen[name]}"
        self._sites = {name: site for site, name in self._of.items()}

    def _frame(self, address: str) -> str:
        return f"{self._function[address]}:{self._place[address].rpartition(':')[2]}"

    def of(self, site: Site) -> str:
        return self._of.get(site) or f"{site.call} at {site.frames}"

    def site(self, name: str) -> Site | None:
        return self._sites.get(name)

    def place(self, site: Site) -> str:
        """FILE:LINE of the call."""
        return self._place.get(site.address, "?").removeprefix(self._root)

    def functions(self, site: Site) -> list[str]:
        return [self._function[each] for each in site.frames.split(".") if each in self._function]


CALL = re.compile(r"\s*([0-9a-f]+):\s+(?:call|bl)\s+[0-9a-f]+ <__wrap_(\w+)>")


def cannot_fail(function: str) -> bool:
    alias = ALIAS.fullmatch(function)
    name = alias[1] if alias else function
    return any(name in names for names in CANNOT_FAIL.values())


def all_calls(program: Path) -> dict[str, tuple[str, str]]:
    """Every call in the program that can fail, reached or not: maps its return address to (function, call)."""
    command = ["objdump", "-d", "--no-show-raw-insn", str(program)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found: dict[str, tuple[str, str]] = {}
    function = ""
    for line, after in zip(lines, lines[1:]):
        if line.endswith(">:"):
            function = line.partition("<")[2][:-2]
        match = CALL.match(line)
        if match and not cannot_fail(match[2]):
            found[after.partition(":")[0].strip()] = (function, match[2])
    return found


def _symbols(files: list[Path], wanted: str) -> set[str]:
    command = ["nm", *map(str, files)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    fields = [line.split() for line in lines]
    return {each[-1] for each in fields if len(each) >= 2 and each[-2] in wanted}


def check_complete(objects: list[Path], wrapped: set[str]) -> None:
    """Checks that every outside function that the servers call is either made to fail or listed as unable to fail."""
    called = _symbols(objects, "U") - _symbols(objects, "TDRBC")
    called = {each for each in called if not OF_THE_TOOLS.match(each)}
    forgotten = sorted(name for name in called - wrapped if not cannot_fail(name))
    if forgotten:
        raise CannotRun(
            f"a server calls these functions, but harness/faults/*.c does not wrap them and harness/faults/calls.py "
            f"does not list them as unable to fail: {', '.join(forgotten)}"
        )


def check_known(sites: list[Site]) -> None:
    unknown = sorted(call for call in {site.call for site in sites} - set(FAULTS) if not cannot_fail(call))
    if unknown:
        raise CannotRun(f"harness/faults/calls.py does not say how these can fail: {', '.join(unknown)}")
