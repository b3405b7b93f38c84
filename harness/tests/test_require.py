"""harness/require: what it takes for missing, and the one command that it prints or runs.

apt-get, sudo and id are stand-ins here: nothing is installed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from suite.servers import ROOT

NEEDED = ("awk", "dirname", "grep", "head", "ls", "sh", "tr", "uname")  # by the script itself
GCC = "#!/bin/sh\ncat >/dev/null\n"
BROKEN = "#!/bin/sh\necho 'fatal error: stdio.h: No such file or directory' >&2\nexit 1\n"
APT = 'apt-get install -y --no-install-recommends'


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A place with harness/require, and bin/ with all the programs that it can find."""
    (tmp_path / "harness").mkdir()
    shutil.copy(ROOT / "harness/require", tmp_path / "harness")
    (tmp_path / "bin").mkdir()
    for name in NEEDED:
        found = shutil.which(name)
        assert found
        (tmp_path / "bin" / name).symlink_to(found)
    put(tmp_path, "../harness/python", "#!/bin/sh\nexit 1\n")
    put(tmp_path, "cat", "#!/bin/sh\nwhile read -r line; do :; done\n")
    put(tmp_path, "apt-get", '#!/bin/sh\necho "apt-get $*" >> log\n')
    put(tmp_path, "id", "#!/bin/sh\necho 1000\n")
    return tmp_path


def put(machine: Path, name: str, text: str) -> None:
    path = machine / "bin" / name
    path.write_text(text)
    path.chmod(0o755)


def require(machine: Path, *names: str, **environment: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        ["harness/require", *names],
        cwd=machine,
        env={"PATH": str(machine / "bin"), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


def log(machine: Path) -> list[str]:
    path = machine / "log"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("compiler", ("gcc", "gcc -m32", "ccache gcc", "gcc -m32 -O1"))
def test_a_compiler_may_have_options_and_a_wrapper(machine, compiler):
    put(machine, "gcc", GCC)
    put(machine, "ccache", '#!/bin/sh\nexec "$@"\n')
    assert require(machine, "cc", CC=compiler) == (0, [])


@pytest.mark.parametrize(
    "compiler, packages",
    (
        ("gcc", "gcc libc6-dev"),
        ("gcc -m32", "gcc gcc-multilib libc6-dev"),
        ("ccache clang", "ccache clang libc6-dev"),
        ("gcc-13", "gcc-13 libc6-dev"),
    ),
)
def test_a_missing_compiler_is_named_with_its_packages(machine, compiler, packages):
    program = compiler.split()[0]
    assert require(machine, "cc", CC=compiler) == (
        1,
        [
            f"there is no compiler '{program}'",
            f"missing: cc. To install: su -c 'apt-get update && {APT} {packages}'",
        ],
    )


@pytest.mark.parametrize("compiler, said", (
    ("clang", f"To install: su -c 'apt-get update && {APT} libclang-rt-dev'"),
    ("clang-16 -m32", f"To install: su -c 'apt-get update && {APT} libclang-rt-16-dev'"),
    ("gcc", "no package is known to hold it"),
))  # fmt: skip
def test_a_compiler_may_lack_its_sanitizers(machine, compiler, said):
    put(machine, compiler.split()[0], '#!/bin/sh\ncat >/dev/null\ncase $* in *sanitize*) exit 1 ;; esac\n')
    status, lines = require(machine, "cc", "--optional", "sanitizers", CC=compiler)
    assert status == 0 and len(lines) == 1
    assert lines[0].startswith("missing: sanitizers") and lines[0].endswith(said), lines


def test_a_compiler_that_does_not_work_says_why(machine):
    put(machine, "gcc", BROKEN)
    status, lines = require(machine, "cc", CC="gcc -m32")
    assert status == 1
    assert lines[0] == "the compiler 'gcc -m32' does not work: fatal error: stdio.h: No such file or directory"
    assert lines[1].endswith("gcc gcc-multilib libc6-dev'")


def test_a_compiler_of_an_unknown_name_is_not_looked_for_in_packages(machine):
    assert require(machine, "cc", CC="tcc") == (
        1,
        ["there is no compiler 'tcc'", "missing: cc; install it, or name another compiler in CC"],
    )


def test_all_is_named_in_the_first_round(machine):
    """Optional tools, too, and each package once."""
    put(machine, "cc", GCC)
    assert require(machine, "cc", "pytest", "numpy", "gcov", "gcc", "--optional", "strace", "ip") == (
        1,
        [
            "missing: pytest numpy gcov gcc strace ip. To install: su -c 'apt-get update && "
            f"{APT} python3-pytest python3-pytest-xdist python3-numpy gcc libc6-dev strace iproute2'"
        ],
    )


def test_what_the_labs_need_is_named(machine):
    status, lines = require(machine, "bwrap", "xmllint", "jsonschema")
    assert status == 1 and lines[0].endswith(f"{APT} bubblewrap libxml2-utils python3-jsonschema'")


def test_what_the_web_pages_need_is_named(machine):
    put(machine, "../harness/python", f"#!/bin/sh\necho {machine}/bin/python3\n")
    put(machine, "python3", '#!/bin/sh\n[ "$2" = "import jinja2" ]\n')
    assert require(machine, "pytest", "jinja2", "pygments", "markdown") == (
        1,
        [
            "missing: pygments markdown. To install: su -c 'apt-get update && "
            f"{APT} python3-pygments python3-markdown'"
        ],
    )


def test_without_what_is_optional_it_goes_on(machine):
    status, lines = require(machine, "--optional", "strace")
    assert status == 0 and lines == [f"missing: strace. To install: su -c 'apt-get update && {APT} strace'"]


@pytest.mark.parametrize("with_sudo", (False, True))
def test_the_printed_command_works_as_it_is_pasted(machine, with_sudo):
    """It brings the package lists first: a machine that was just set up has none."""
    put(machine, "su", '#!/bin/sh\n[ "$1" = -c ] && exec sh -c "$2"\n')
    if with_sudo:
        put(machine, "sudo", '#!/bin/sh\n[ "$1" = -n ] && exit 1\nexec "$@"\n')
    status, lines = require(machine, "strace", "valgrind")
    assert status == 1 and log(machine) == []
    command = lines[0].partition("To install: ")[2]
    subprocess.run(["sh", "-c", command], cwd=machine, env={"PATH": str(machine / "bin")}, check=True, timeout=60)
    assert log(machine) == ["apt-get update", f"{APT} strace valgrind"]
    assert shlex.split(command)[0] == ("sudo" if with_sudo else "su")


def test_root_installs_and_says_so(machine):
    put(machine, "id", "#!/bin/sh\necho 0\n")
    put(machine, "apt-get", '#!/bin/sh\necho "apt-get $*" >> log\n[ "$1" = update ] || ln -sf sh bin/strace\n')
    (machine / "bin/ln").symlink_to(shutil.which("ln") or "ln")
    assert require(machine, "strace") == (
        0,
        [f"missing: strace; running: {APT} strace", "installed: strace"],
    )
    assert log(machine) == ["apt-get update -q", f"{APT} strace"]


def test_an_installation_that_brings_nothing_is_an_error(machine):
    put(machine, "id", "#!/bin/sh\necho 0\n")
    status, lines = require(machine, "strace")
    assert status == 1 and lines[1:] == [
        "still missing after the installation: strace", "could not install: strace",
    ]


def test_a_package_that_is_not_to_be_had_keeps_no_other_away(machine):
    put(machine, "id", "#!/bin/sh\necho 0\n")
    put(machine, "ln", f'#!/bin/sh\nexec {shutil.which("ln")} "$@"\n')
    put(machine, "apt-get", '#!/bin/sh\ncase "$*" in *valgrind*) exit 100;; *strace*) ln -sf sh bin/strace;; esac\n')
    status, lines = require(machine, "strace", "--optional", "valgrind")
    assert status == 0 and "installed: strace" in lines and lines[-1] == "could not install: valgrind; going on without"


def test_make_says_which_compiler_is_missing(tmp_path):
    """Whatever the target, and before any command fails; as a user without rights, so that nothing is installed."""
    build = tmp_path / "build"
    command = ["make", "-C", str(ROOT), f"BUILD={build}", "CC=no-such-cc"]
    for target in ("all", "microbench", str(build / "epoll_lt")):
        done = subprocess.run([*command, target], capture_output=True, text=True, timeout=60, env={**os.environ})
        assert done.returncode == 2
        assert done.stderr.splitlines()[:2] == [
            "there is no compiler 'no-such-cc'",
            "missing: cc; install it, or name another compiler in CC",
        ]
