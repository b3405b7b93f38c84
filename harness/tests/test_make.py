"""The Makefile around the build: what it refuses, what it lists, what it tells clang's tools."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from suite.servers import ROOT

# Parts of other targets, which nobody calls by name.
INNER = {
    "bench-deps", "bench-options", "bench-programs", "built", "faults-servers", "fuzz-targets",
    "guest-programs", "lab-deps", "lint-c", "lint-deps", "lint-flake8", "lint-layout", "lint-mypy",
    "lint-shell", "lint-sources", "lint-warnings", "stranger", "test-deps",
}  # fmt: skip


def make(*words: str, **environment: str) -> subprocess.CompletedProcess:
    inherited = {key: value for key, value in os.environ.items() if key != "WERROR"}
    return subprocess.run(
        ["make", "-C", str(ROOT), "--no-print-directory", *words],
        capture_output=True,
        text=True,
        env={**inherited, **environment},
        timeout=110,
    )


@pytest.mark.parametrize("value", ("", "two words", "a\tb"))
def test_a_build_directory_that_is_not_one_word_is_refused(value):
    done = make("all", f"BUILD={value}")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.endswith(f"*** BUILD='{value}': name one directory, without blanks.  Stop.\n")


@pytest.mark.parametrize("value", ("it's", 'a"b', "a;b", "a(b", "a\\b", "a:b", "%"))
def test_a_build_directory_has_no_special_characters(value):
    done = make("all", f"BUILD={value}")
    assert done.returncode == 2 and done.stdout == ""
    said = f"*** BUILD={value}: name a directory without quotes and other special characters.  Stop.\n"
    assert done.stderr.endswith(said) and done.stderr.count("\n") == 1


@pytest.mark.parametrize("value, why", (
    (".", "the project is in it"), ("..", "the project is in it"), ("/", "the project is in it"),
    (str(ROOT), "the project is in it"), ("common", "sources are in it"), ("./harness/new", "sources are in it"),
    (str(ROOT / "poll_srv"), "sources are in it"), ("beyond/new", "sources are in it"),
))  # fmt: skip
@pytest.mark.parametrize("target", ("all", "clean"))
def test_sources_are_not_built_into_nor_removed(target, value, why):
    done = make("-n", target, f"BUILD={value}")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.endswith(f"*** BUILD={value}: {why}; name a directory for what is built.  Stop.\n")


@pytest.mark.parametrize("target", ("install", "uninstall"))
@pytest.mark.parametrize("variable", ("DESTDIR", "PREFIX"))
def test_it_is_installed_into_any_directory(target, variable):
    commands = make("-n", target, f"{variable}=/it's\ta place").stdout
    words = [word for word in shlex.split(commands) if "place" in word]
    assert len(words) >= 2 and all(re.fullmatch(r"/it's\ta place(/usr/local)?/bin(/\w+)?", word) for word in words)
    assert "/it's\ta place" in make("help", f"{variable}=/it's\ta place").stdout


def test_make_alone_lists_every_target():
    targets = set()
    for line in make("-npq", ".DEFAULT").stdout.splitlines():
        if line.startswith(".PHONY:"):
            targets |= set(line.split()[1:])
    assert {"all", "test", "read", "compare"} <= targets
    listed = make().stdout
    missing = [each for each in targets - INNER - {"help"} if not re.search(rf"(^make |make |; ){each}\b", listed)]
    assert not missing


def test_what_is_built_already_is_not_told():
    for words in (("stranger",), ("stranger", "SERVER=poll_srv"), ("built", "BUILT=Makefile")):
        done = make(*words)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for file in (ROOT / "Makefile", *(ROOT / "harness").rglob("*.mk")):
        calls = re.findall(r"\$\(MAKE\)(?:.*\\\n)*.*", file.read_text())
        said = [each for each in calls if re.search(r"ory \$\(\w*(BUILD|build)\)/", each) and ">/dev/null" not in each]
        assert not said, f"{file}: built BUILT=..., which says nothing"


@pytest.mark.parametrize("name", ("FULL", "SMOKE", "PNG", "TCP"))
@pytest.mark.parametrize("value", ("no", "0", "YES", "off", "it's; false"))
def test_a_switch_of_the_bench_is_1_or_yes(name, value):
    """FULL=no would make an hour's run. Refused before anything is built."""
    done = make("bench-options", f"{name}={value}")
    assert done.returncode == 2 and f"bench: {name}={value}: it must be 1 or yes or nothing" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("words", (("FULL=1",), ("SMOKE=yes",), ("FULL=", "SMOKE="), ("PIN=no", "PNG=1", "TCP=1")))
def test_what_the_bench_takes(words):
    done = make("bench-options", *words)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(sys.platform != "linux", reason="skipped by make elsewhere")
@pytest.mark.parametrize("target", ("million", "bench-count", "bench-nginx"))
@pytest.mark.parametrize("option", ("SMOKE=1", "FULL=1", "ONLY=E2"))
def test_an_option_of_another_bench_is_refused(target, option):
    done = make(target, option, "TCP=" if target == "million" else "A=")
    if done.stdout.startswith("skipped"):
        pytest.skip(done.stdout)
    assert done.returncode == 2 and f"bench: {option}: it is no option of make {target}" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="skipped by make elsewhere")
@pytest.mark.parametrize("target", ("bench", "million", "bench-count"))
def test_a_seed_is_a_whole_number(target):
    """Told in the words of make: whoever types SEED= has typed no --seed."""
    for value in ("abc", "1x", "1.5", "--1", "-", "1 2", "1234567890123456789"):
        done = make(target, f"SEED={value}")
        said = f"bench: SEED={value}: it must be a whole number of 18 digits at most\n"
        assert done.returncode == 2 and done.stderr.startswith(said) and done.stderr.count("\n") == 2, value
    for value in ("0", "7", "-1", "123456789012345678", ""):
        assert make("bench-options", f"SEED={value}").returncode == 0


def test_charts_are_text_for_one_terminal():
    done = make("charts", "RESULTS=plots/reference", "TERM=nonsense")
    assert done.returncode == 2 and done.stderr.startswith("bench: TERM=nonsense: it must be dumb\n")
    assert "usage" not in done.stderr


@pytest.mark.parametrize("words", ((), ("A=",), ("A=plots/reference",), ("A=plots/reference", "B="), ("A=", "B=x")))
def test_an_empty_name_of_results_is_none(words):
    """And not the directory that make is called in."""
    done = make("bench-compare", *words)
    assert done.returncode == 2 and done.stderr.startswith("bench-compare: which? A=results/... B=results/...\n")


QUOTED = "x'y; echo >&2 HACK #"


@pytest.mark.parametrize(
    "words",
    (
        ("charts", "RESULTS={}"),
        ("bench-compare", "A={}", "B=none"),
        ("bench-compare", "A=none", "B={}"),
        ("bench", "RESUME={}"),
        ("bench", "ONLY={}"),
        ("bench", "SEED={}"),
        ("bench-options", "PIN={}"),
        ("million", "RESUME={}"),
        ("million", "SEED={}"),
        ("bench-count", "SEED={}"),
        ("bench-count", "KERNEL={}"),
        ("soak", "MINUTES={}"),
        ("trace", "S={}"),
        ("trace", "BUG={}"),
        ("trace", "SCRIPT={}"),
        ("lab-selftest", "LABS={}"),
        ("compare", "A={}", "B=poll_srv"),
        ("read", "S={}"),
    ),
    ids=" ".join,
)
def test_a_value_reaches_the_program_as_it_is(words, tmp_path):
    """Whatever it holds: make -n prints the command, and the shell takes it apart into words."""
    commands = make("-n", *(word.format(QUOTED) for word in words)).stdout.splitlines()
    shown = "\n".join(line for line in commands if "HACK" in line)
    assert shown or words == ("bench-options", "PIN={}"), commands
    quoted = QUOTED.replace("'", "'\\''")
    each = " ".join("'%s'" % word.replace("'", "'\\''") for word in QUOTED.split())
    left = shown.replace(quoted, "").replace(each, "")
    assert "HACK" not in left, left


@pytest.mark.parametrize("target", ("lab-kit LAB=4", "lab-solution LAB=4", "grade LAB=4 DIR=x", "lab-selftest"))
def test_a_clone_may_stand_in_any_directory(target, tmp_path):
    """One word of the shell each, though blanks and a quote are in the path."""
    clone = tmp_path / "it's my clone"
    for each in (ROOT / "Makefile", ROOT / "labs" / "labs.mk", *(ROOT / "harness").glob("servers*"),
                 *(ROOT / "harness").rglob("*.mk")):  # fmt: skip
        target_file = clone / each.relative_to(ROOT)
        target_file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(each, target_file)
    command = ["make", "-C", clone, "-n", "BUILD=build", *target.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    (line,) = (line for line in done.stdout.replace("\\\n", " ").splitlines() if "labs/run" in line)
    assert f"BUILD_DIR={clone}/build" in shlex.split(line)


@pytest.mark.parametrize("value, error", (("", False), ("0", False), ("1", True), ("-Werror", True)))
def test_warnings_are_errors_only_when_asked(value, error):
    commands = make("-Bn", "all", f"WERROR={value}", "BUILD=build/not-made").stdout
    assert "-Wconversion" in commands and ("-Werror" in commands) == error
    assert ("-Werror" in make("-Bn", "all", "BUILD=build/not-made", WERROR=value).stdout) == error


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """compile_commands.json, made in a directory of its own as make writes it into the tree."""
    folder = tmp_path_factory.mktemp("database")
    commands = make("-Bn", "all", "BUILD=build/not-made").stdout
    done = subprocess.run(
        [ROOT / "harness/compile-commands"], input=commands, capture_output=True, text=True, cwd=ROOT, check=True
    )
    (folder / "compile_commands.json").write_text(done.stdout)
    return folder


def test_every_source_of_a_server_is_in_the_database_once(database):
    entries = json.loads((database / "compile_commands.json").read_text())
    files = [entry["file"] for entry in entries]
    assert len(files) == len(set(files))
    expected = {str(each.relative_to(ROOT)) for each in ROOT.glob("common/*.c")}
    expected |= {str(each.relative_to(ROOT)) for each in ROOT.glob("*/server.c")}
    expected |= {str(each.relative_to(ROOT)) for each in ROOT.glob("harness/loadgen/*.c")}
    assert expected <= set(files)
    for entry in entries:
        assert entry["directory"] == str(ROOT) and (ROOT / entry["file"]).is_file()
        assert entry["arguments"][-1] == entry["file"] and "-std=c17" in entry["arguments"]
    common = next(entry for entry in entries if entry["file"] == "common/frame.c")
    assert "harness/fuzz/shim.h" not in common["arguments"]


@pytest.mark.skipif(shutil.which("clang-tidy") is None, reason="needs clang-tidy")
def test_clang_tidy_takes_the_database(database):
    """kqueue_srv needs flags of its own, -I and a quoted -D: without them it does not compile."""
    command = ["clang-tidy", "--quiet", "-p", str(database), "--checks=-*,misc-static-assert", "kqueue_srv/server.c"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0 and "error" not in done.stdout + done.stderr, done.stdout + done.stderr
    broken = (database / "compile_commands.json").read_text().replace("-DKQUEUE_IMPLEMENTATION", "-DNOTHING")
    (database / "broken").mkdir(exist_ok=True)
    (database / "broken/compile_commands.json").write_text(broken)
    command[3] = str(database / "broken")
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110).returncode != 0


def test_no_command_no_database():
    done = subprocess.run([ROOT / "harness/compile-commands"], input="echo\n", capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "compile-commands: no command of make compiles a file\n"


def test_the_counts_of_clang_tidy_are_left_out(tmp_path):
    """Its findings and its status stay."""
    said = "12 warnings generated.\na.c:1:1: error: bad\n[1/2] Processing file a.c\n1 warning and 1 error generated.\n"
    tool = tmp_path / "clang-tidy"
    tool.write_text(f"#!/bin/sh\nprintf '%s' '{said}'\necho 3 warnings generated. >&2\nexit 1\n")
    tool.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        [ROOT / "harness/tidy", "a.c"], capture_output=True, text=True, env={**os.environ, "PATH": path}, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "a.c:1:1: error: bad\n", "")


@pytest.mark.parametrize(
    "version, line",
    (
        ("14.0.6", "lint: make format lays them out"),
        ("21.1.0", "lint: written for clang-format 14 19; this is 21, which may differ"),
    ),
)
def test_lint_says_for_which_layout_it_was_written(tmp_path, version, line):
    tool = tmp_path / "clang-format"
    tool.write_text(f'#!/bin/sh\n[ "$1" = --version ] || exit 1\necho Debian clang-format version {version}\n')
    tool.chmod(0o755)
    done = make("lint-layout", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 2 and done.stderr.splitlines()[0] == line


PKG_CONFIG = """#!/bin/sh
# Knows libkqueue, in the version that a test wants.
version=%s
[ "$version" ] || exit 1
for package; do :; done
[ "$package" = libkqueue ] || exit 1
case $1 in
--modversion) echo "$version" ;;
--atleast-version=*) printf '%%s\\n' "${1#*=}" "$version" | sort -VC ;;
--cflags) echo -I/nowhere/libkqueue ;;
--libs) echo -lkqueue ;;
*) exit 1 ;;
esac
"""
LEAST = re.search(r"^libkqueue_least := (.*)$", (ROOT / "kqueue_srv/server.mk").read_text(), re.MULTILINE)


def make_all_with_libkqueue(version: str, folder: Path, *words: str) -> subprocess.CompletedProcess:
    """make -n all, where pkg-config finds this version of libkqueue, or none."""
    program = folder / "pkg-config"
    program.write_text(PKG_CONFIG % version)
    program.chmod(0o755)
    return make("-Bn", "all", "BUILD=build/not-made", *words, PATH=f"{folder}:{os.environ['PATH']}")


def kqueue_of(done: subprocess.CompletedProcess) -> tuple[str, bool]:
    """Which kqueue is built, and whether it is libkqueue's headers and library that are used."""
    (name,) = set(re.findall(r"-DKQUEUE_IMPLEMENTATION='\"(\w+)\"'", done.stdout))
    return name, "-I/nowhere/libkqueue" in done.stdout and "-lkqueue" in done.stdout


linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere kqueue is the system's own")


@linux
@pytest.mark.parametrize("version", ("2.3.1", "2.6.2", "1.0.4", "2.0"))
def test_an_older_libkqueue_is_not_used_and_make_says_so(version, tmp_path):
    assert LEAST
    done = make_all_with_libkqueue(version, tmp_path)
    assert kqueue_of(done) == ("emulation", False)
    note = f"kqueue_srv: built with the emulation: libkqueue {version} is older than {LEAST[1]}"
    assert done.stdout.count(note) == 1
    done = make_all_with_libkqueue(version, tmp_path, "KQUEUE=libkqueue")
    assert done.returncode == 2
    wanted = f"*** KQUEUE=libkqueue: version {version} is too old; it takes {LEAST[1]} or later.  Stop.\n"
    assert done.stderr.endswith(wanted)
    assert kqueue_of(make_all_with_libkqueue(version, tmp_path, "KQUEUE=emulation")) == ("emulation", False)


@linux
@pytest.mark.parametrize("version", (LEAST[1] if LEAST else "", "2.10.0", "3.0"))
def test_a_libkqueue_that_was_tested_is_used(version, tmp_path):
    for words in ((), ("KQUEUE=libkqueue",)):
        done = make_all_with_libkqueue(version, tmp_path, *words)
        assert kqueue_of(done) == ("libkqueue", True) and "built with the emulation" not in done.stdout
    assert kqueue_of(make_all_with_libkqueue(version, tmp_path, "KQUEUE=emulation")) == ("emulation", False)


@linux
def test_no_libkqueue_is_the_usual_case_and_needs_no_word(tmp_path):
    done = make_all_with_libkqueue("", tmp_path)
    assert kqueue_of(done) == ("emulation", False) and "built with the emulation" not in done.stdout
    done = make_all_with_libkqueue("", tmp_path, "KQUEUE=libkqueue")
    assert done.returncode == 2 and "KQUEUE=libkqueue: pkg-config finds none; it takes" in done.stderr


@linux
@pytest.mark.parametrize("name", ("native", "libevent", "emulation libkqueue"))
def test_a_kqueue_that_is_not_there_is_refused(name):
    done = make("all", f"KQUEUE={name}")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.endswith(f"*** KQUEUE='{name}': libkqueue or emulation on Linux.  Stop.\n")
