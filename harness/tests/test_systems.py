"""What is built on other systems compiles with their types, all warnings being errors.

Their compilers are not here. harness/tests/systems/ puts the types that differ over those of this system's C library:
fields of struct kevent, the length of an event list, nfds_t, rlim_t, clockid_t, the words of an fd_set, and what is
missing (ppoll, accept4). So a slip is noticed without the system."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from suite import servers
from suite.servers import ROOT

SYSTEMS = {
    "netbsd-9": "SYSTEM_NETBSD=900000000",
    "netbsd-10": "SYSTEM_NETBSD=1000000000",
    "freebsd": "SYSTEM_FREEBSD",
    "openbsd": "SYSTEM_OPENBSD",
    "macos": "SYSTEM_MACOS",
}
STAND_INS = ROOT / "harness/tests/systems"
FOLDERS = (
    "common",
    *(kind.directory for kind in servers.read_list() if kind.platform == "any"),
    *("harness/loadgen", "harness/loadgen/probe", "harness/loadgen/steps", "harness/microbench"),
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the stand-in types are laid over glibc's")


def compile_for(system: str, compiler: str, *sources: Path) -> subprocess.CompletedProcess[str]:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    return subprocess.run(
        [
            *(compiler, "-fsyntax-only", "-std=c17", "-Werror", *servers.warnings()),
            *("-D_GNU_SOURCE", "-U__linux__", "-U__linux", '-DKQUEUE_IMPLEMENTATION="native"'),
            *(f"-D{SYSTEMS[system]}", "-include", STAND_INS / "types.h", f"-I{STAND_INS}"),
            *sources,
        ],
        capture_output=True,
        text=True,
        timeout=100,
    )


def concerned() -> list[Path]:
    """The sources that use a name which the stand-ins put another type behind."""
    types = (STAND_INS / "types.h").read_text()
    names = {each for each in re.findall(r"^# *define (\w+)", types, re.MULTILINE) if each[0].islower()}
    assert {"nfds_t", "rlimit", "ppoll", "clock_gettime", "pselect"} <= names
    pattern = re.compile(rf"\b({'|'.join(sorted(names))}|kevent|FD_[A-Z]+|clock_nanosleep)\b")
    paths = (path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.c")))
    return [path for path in paths if pattern.search(path.read_text())]


@pytest.mark.parametrize("compiler", ("gcc", "clang"))
@pytest.mark.parametrize("system", SYSTEMS)
def test_compiles_with_the_types_of(system: str, compiler: str):
    if system == "macos" and servers.of_32_bits():
        pytest.skip("macOS has no compiler for 32 bits")
    sources = concerned()
    assert {"select_srv", "poll_srv", "kqueue_srv", "common"} <= {path.parent.name for path in sources}
    done = compile_for(system, compiler, *sources)
    assert done.returncode == 0, done.stderr[:4000]


SLIPS = {
    "a filter that is a short": ("netbsd-10", "short filter = (short)n; event->filter = filter;"),
    "an event list's length that is an int": ("netbsd-10", "n = kevent(3, event, 1, event, n, 0);"),
    "an event list's length that is a size_t": ("freebsd", "size_t room = 2; n = kevent(3, 0, 0, event, room, 0);"),
    "a pointer in udata": ("netbsd-9", "event->udata = &n;"),
    "a clock without a cast": ("netbsd-9", "struct timespec t; n = clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);"),
    "a limit as a count of entries": ("openbsd", "struct rlimit l = {0}; nfds_t count = l.rlim_cur; n = count > 0;"),
    "a limit beside an unsigned count": ("freebsd", "struct rlimit l = {0}; uint64_t u = 1; n = u < l.rlim_cur;"),
    "ppoll": ("macos", "struct pollfd p = {0}; n = ppoll(&p, 1, 0, 0);"),
    "FD_SET": ("freebsd", "fd_set s; FD_ZERO(&s); FD_SET(n, &s);"),
    "FD_CLR": ("netbsd-9", "fd_set s; FD_ZERO(&s); FD_CLR(n, &s);"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_noticed(slip: str, tmp_path: Path):
    system, line = SLIPS[slip]
    text = "#include <sys/event.h>\nint slip(int n, struct kevent *event);\n"
    text += "int slip(int n, struct kevent *event)\n{\n    (void)event;\n    %s\n    return n;\n}\n"
    source = tmp_path / "slip.c"
    source.write_text(text % "")
    assert compile_for(system, "gcc", source).returncode == 0
    source.write_text(text % line)
    assert compile_for(system, "gcc", source).returncode != 0
