"""Taking a submission, compiling it, and the commands around that."""

from __future__ import annotations

import fcntl
import gzip
import io
import json
import os
import signal
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from grader import __main__ as command
from grader import build, gradescope, level, noise, sandbox, sandboxed, session, signals, submission
from grader.host import HostFault, Launch
from grader.result import FILE, Item, Outcome, Result
from labkit import lab as labs
from labkit import tree
from labkit.protocol import of_word
from suite import waiting

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the grader is for Linux")

LAB = labs.load(1)
(HAND_IN,) = [each.path for each in LAB.files]
FOUND = level.find()
LEVELS = (
    pytest.param(FOUND, id="bubblewrap", marks=pytest.mark.skipif(bool(FOUND.why_weak), reason=FOUND.why_weak)),
    pytest.param(level.Level("it is tested", (), FOUND.user), id="weak"),
)
ESCAPES = r"""
#define PASTE(a, b) a##b
PASTE(_Pra, gma)("GCC diagnostic ignored \"-Wconversion\"")
"""
# No comment begins in a header's name. Whoever takes comments out by hand sees nothing up to the last line.
UNSEEN = """
#if __INCLUDE_LEVEL__ == 0 && !__has_include(</*>)
#include "frame.c"
#endif
#if __INCLUDE_LEVEL__
#pragma GCC system_header
int hidden(long x);
int hidden(long x) { return x; }
#endif
// */
"""
UNSEEN_LINE = """
#if !__has_include(</*>)
#line 1 "/usr/include/stdio.h"
_Pragma("GCC diagnostic ignored \\"-Wconversion\\"")
#endif
// */
"""


def take(path: Path) -> submission.Submission:
    return submission.take(path, LAB)


# -- what is taken -----------------------------------------------------------------------------------------------


@pytest.fixture
def student(tmp_path: Path) -> Path:
    folder = tmp_path / "student"
    (folder / "own").mkdir(parents=True)
    (folder / HAND_IN).write_text("int x;\n")
    (folder / "answers.toml").write_text("a = 1\n")
    (folder / "own" / "one.json").write_text("{}")
    (folder / "Makefile").write_text("all:\n\trm -rf /\n")
    return folder


def test_only_what_is_expected_is_taken(student):
    taken = take(student)
    assert taken.files == {HAND_IN: b"int x;\n"} and taken.answers == b"a = 1\n"
    assert taken.scripts == {"one.json": b"{}"} and taken.notes == []


def test_links_fifos_and_directories_are_not_taken(student):
    os.remove(student / HAND_IN)
    (student / HAND_IN).symlink_to("/etc/passwd")
    os.remove(student / "answers.toml")
    os.mkfifo(student / "answers.toml")
    (student / "own" / "link.json").symlink_to("one.json")
    (student / "own" / "folder.json").mkdir()
    taken = take(student)
    assert not taken.files and taken.answers is None and set(taken.scripts) == {"one.json"}
    assert f"{HAND_IN}: is not taken: it is a symbolic link" in taken.notes
    assert "answers.toml: is not taken: it is no regular file" in taken.notes
    assert "own/link.json: is not taken: it is a symbolic link" in taken.notes
    assert f"{HAND_IN}: is missing" in taken.notes


def test_a_directory_that_is_a_link_is_not_entered(student, tmp_path):
    (student / "own").rename(tmp_path / "elsewhere")
    (student / "own").symlink_to(tmp_path / "elsewhere")
    taken = take(student)
    assert not taken.scripts and "own: is not taken: it is no directory" in taken.notes


def test_a_file_that_is_too_long_is_not_read(student):
    with open(student / HAND_IN, "wb") as sparse:
        sparse.truncate(1 << 40)
    assert f"{HAND_IN}: is not taken: has more than 262,144 bytes" in take(student).notes


def test_twelve_scripts_and_plain_names(student):
    for number in range(13):
        (student / "own" / f"s{number:02}.json").write_text("{}")
    taken = take(student)
    assert sorted(taken.scripts) == ["one.json", *(f"s{number:02}.json" for number in range(11))]
    assert taken.notes == ["own/: 14 scripts; only the first 12 by name are taken"]


def test_what_a_script_is_called_costs_nothing(student, tmp_path):
    """Whatever can be shown, as `make own` and `make hand-in` take it. What is not taken is named, in archives, too."""
    good = [f"own/{name}.json" for name in ("slow reader (1)", "gr\u00f6\u00dfe", "-x", "it's")]
    bad = [f"own/{name}.json" for name in ("a name\x1b", "._one", "x" * 300)]
    files = dict.fromkeys([*good, *bad], b"{}")
    for name in [*good, *bad[:2]]:
        (student / name).write_text("{}")
    assert set(take(student).scripts) == {"one.json", *(name.removeprefix("own/") for name in good)}
    assert len([note for note in take(student).notes if "is not taken: its name" in note]) == 2
    in_a_directory = {f"alice/{name}": b"{}" for name in files}
    for path in (zipped(tmp_path / "x.zip", files), tarred(tmp_path / "x.tar.gz", in_a_directory)):
        taken = take(path)
        assert set(taken.scripts) == {name.removeprefix("own/") for name in good}
        assert len([note for note in taken.notes if "is not taken: its name" in note]) == 3
        assert any(note.startswith(r"own/a name\x1b.json: is not taken") for note in taken.notes)


def zipped(path: Path, files: dict[str, bytes], **more) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        for name, target in more.items():
            entry = zipfile.ZipInfo(name.replace("_", "."))
            entry.external_attr = 0o120777 << 16
            archive.writestr(entry, target)
    return path


def tarred(path: Path, files: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return path


@pytest.mark.parametrize("before", ("", "./", "alice/"))
@pytest.mark.parametrize("pack, name", ((zipped, "x.zip"), (tarred, "x.tar.gz"), (tarred, "x.tgz")))
def test_archives_with_and_without_the_directory_s_name(pack, name, before, tmp_path):
    files = {HAND_IN: b"int x;\n", "own/a.json": b"{}", "answers.toml": b""}
    files = {f"{before}{name}": content for name, content in files.items()} | {"more": b"x"}
    for place in (tmp_path / name, tmp_path / "folder" / name):  # the archive itself, or alone in a directory
        place.parent.mkdir(exist_ok=True)
        pack(place, files)
        taken = take(place if place.parent == tmp_path else place.parent)
        assert taken.files == {HAND_IN: b"int x;\n"} and set(taken.scripts) == {"a.json"} and not taken.notes


def test_a_directory_around_all_is_taken_off_as_in_an_archive(student, tmp_path):
    """Whoever unpacks what a student has packed gets one."""
    for name in ("__MACOSX", ".git", "build"):
        (tmp_path / "alice" / name).mkdir(parents=True)
    (tmp_path / "alice" / "link").symlink_to(student)
    assert "frame.c: is missing" in take(tmp_path / "alice").notes
    student.rename(tmp_path / "alice" / "lab-1 (copy)")
    taken = take(tmp_path / "alice")
    assert taken.files and taken.answers and taken.scripts and not taken.notes


def test_what_a_mac_and_windows_put_into_an_archive_costs_nothing(tmp_path):
    files = {f"alice\\{name}": b"{}" for name in (HAND_IN, "answers.toml", "own\\a.json")}
    (tmp_path / "alice").mkdir()
    (tmp_path / "alice" / "._x.zip").write_bytes(b"\0\5\x16\7")
    zipped(tmp_path / "alice" / "x.zip", {"__MACOSX/._frame.c": b"\0\5\x16\7", **files})
    taken = take(tmp_path / "alice")
    assert taken.files and taken.answers and taken.scripts and not taken.notes


@pytest.mark.parametrize("there, note", (
    ("a/b/frame.c", "frame.c: is missing; a/b/frame.c is not looked at"),
    ("Frame.C", "frame.c: is missing; Frame.C is not looked at"),
    ("frame.c.txt", "frame.c: is missing; frame.c.txt is not looked at"),
    (".git/frame.c", "frame.c: is missing"),
    ("__MACOSX/a/frame.c", "frame.c: is missing"),
))  # fmt: skip
def test_where_a_file_stands_that_is_missing(there, note, tmp_path):
    (tmp_path / "alice" / there).parent.mkdir(parents=True)
    (tmp_path / "alice" / there).write_text("")
    files = {there: b"", "own/a.json": b"{}"}
    for path in (tmp_path / "alice", tarred(tmp_path / "x.tgz", files), zipped(tmp_path / "x.zip", files)):
        assert note in take(path).notes, path


@pytest.mark.parametrize("names", (["a.zip", "b.tar.gz"], ["a.rar"], ["a.tar"], ["a.7z"]))
def test_archives_that_are_not_looked_at_are_named(names, tmp_path):
    (tmp_path / "alice").mkdir()
    for name in names:
        zipped(tmp_path / "alice" / name, {HAND_IN: b""})
    told = f"{', '.join(names)}: not looked at: only one .zip, .tar.gz or .tgz alone is"
    assert told in take(tmp_path / "alice").notes
    zipped(tmp_path / "alice" / "only.zip", {HAND_IN: b""})
    if len(names) == 1:  # that one is looked at, though answers are missing
        assert not [note for note in take(tmp_path / "alice").notes if "not looked at" in note]


@pytest.mark.parametrize("name", (HAND_IN, "own/one.json", "own", "lab-1"))
def test_what_the_grader_may_not_read_is_no_0(name, student):
    """As where it may not read the directory."""
    if name == "lab-1":
        (student / name).mkdir()
        for each in (HAND_IN, "answers.toml"):
            (student / each).rename(student / name / each)
    (student / name).chmod(0)
    student.chmod(0o755)
    before = os.geteuid()
    for parent in student.parents:
        if parent.stat().st_uid == before and parent != Path("/") and not parent.stat().st_mode & 0o001:
            parent.chmod(0o711)
    if before == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(HostFault, match="Permission denied"):
            take(student)
    finally:
        os.seteuid(before)


def test_nothing_of_an_archive_is_written_anywhere(tmp_path):
    files = {f"../{HAND_IN}": b"x", f"/{HAND_IN}": b"y", "../../own/a.json": b"z"}
    for path in (zipped(tmp_path / "x.zip", files), tarred(tmp_path / "x.tar.gz", files)):
        take(path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.tar.gz", "x.zip"]


def test_links_in_archives_are_not_taken(tmp_path):
    assert not take(tarred(tmp_path / "x.tar.gz", {}, {HAND_IN: "/etc/passwd"})).files
    assert not take(zipped(tmp_path / "x.zip", {}, **{HAND_IN.replace(".", "_"): "/etc/passwd"})).files


def test_bombs_are_not_unpacked(tmp_path):
    big = bytes(100 << 20)
    notes = take(zipped(tmp_path / "x.zip", {HAND_IN: big})).notes
    assert f"{HAND_IN}: is not taken: has more than 262,144 bytes" in notes
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(big, 1))
    tarred(tmp_path / "y.tar.gz", {"else": big})
    assert "y.tar.gz: cannot be read: it unpacks to more than 64 MiB" in take(tmp_path / "y.tar.gz").notes


@pytest.mark.parametrize("packed", (zipped, tarred), ids=("x.zip", "x.tar.gz"))
def test_many_files_beside_one_s_own_cost_nothing(packed, tmp_path, request):
    """Whoever packs all of a clone packs thousands. What stands behind a number that nobody needs is not looked at."""
    path = tmp_path / request.node.callspec.id
    around = {f"{number}": b"" for number in range(20_001)}
    whole = take(packed(path, {**dict(list(around.items())[:-2]), HAND_IN: b"x"}))
    assert whole.files == {HAND_IN: b"x"} and not [note for note in whole.notes if "files" in note]
    cut = take(packed(path, {"own/a.json": b"{}", **around, HAND_IN: b"x"}))
    assert not cut.files and cut.scripts == {"a.json": b"{}"}
    assert f"{path.name}: holds more than 20,000 files; only the first of them are looked at" in cut.notes


@pytest.mark.parametrize("name", ("x.zip", "x.tar.gz"))
@pytest.mark.parametrize(
    "content",
    (b"", b"PK\x03\x04", b"\x1f\x8b\x08", gzip.compress(b"no tar", mtime=0), bytes(range(99, 198))),
    ids=("empty", "zip-cut-off", "gzip-cut-off", "gzip-of-no-tar", "neither"),
)
def test_a_broken_archive_is_one_line(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    taken = take(tmp_path / name)
    assert not taken.files and 1 <= len(taken.notes) and all("\n" not in note for note in taken.notes)


def patched(path: Path, at: int, number: int, **more: int) -> Path:
    """A .zip whose local and central headers have `number` at `at`, counted from the version that it needs."""
    method = more.get("method", zipfile.ZIP_STORED)
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(HAND_IN, b"int x;\n" * 100)
    content = bytearray(path.read_bytes())
    for signature, version in ((b"PK\x03\x04", 4), (b"PK\x01\x02", 6)):
        struct.pack_into("<H", content, content.index(signature) + version + at, number)
    path.write_bytes(content)
    return path


def damaged(path: Path, method: int) -> Path:
    patched(path, 0, 63, method=method)
    content = bytearray(path.read_bytes())
    begin = content.index(HAND_IN.encode()) + len(HAND_IN) + 9
    content[begin : begin + 12] = b"\xff" * 12
    path.write_bytes(content)
    return path


def test_what_the_archive_s_format_may_have_and_python_cannot_unpack_is_one_line(tmp_path):
    flags, method = 2, 4
    bad = [
        patched(tmp_path / "deflate64.zip", method, 9),
        patched(tmp_path / "unknown.zip", method, 77),
        patched(tmp_path / "strong.zip", flags, 0x40),
        patched(tmp_path / "patched.zip", flags, 0x20),
        patched(tmp_path / "version.zip", 0, 99),
        *(damaged(tmp_path / f"damaged{each}.zip", each) for each in (8, 12, 14)),
        tmp_path / "chain.tar.gz",
    ]
    header = tarfile.TarInfo("././@LongLink")
    header.type = tarfile.GNUTYPE_LONGNAME
    bad[-1].write_bytes(gzip.compress(header.tobuf() * 2000))
    for path in bad:
        taken = take(path)
        assert not taken.files and taken.notes[0].startswith(f"{path.name}: cannot be read: "), (path, taken.notes)
        assert all("\n" not in note for note in taken.notes)


def test_an_archive_that_is_a_fifo_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.zip")
    assert "x.zip: cannot be read: it is no regular file" in take(tmp_path / "x.zip").notes


def test_archives_in_capitals(tmp_path):
    files = {HAND_IN: b"int x;\n"}
    tars = [tarred(tmp_path / name, files) for name in ("x.TGZ", "x.Tar.GZ")]
    for path in (zipped(tmp_path / "x.ZIP", files), *tars):
        assert take(path).files == files and session.submission_name(path) == "x"


def test_too_many_files_in_own_cost_the_own_tests_only(student):
    for number in range(20_001):
        (student / "own" / f"s{number:05}.json").write_text("{}")
    taken = take(student)
    assert taken.files and taken.answers is not None and not taken.scripts
    assert taken.notes == ["own/: is not taken: there are 20,002 files in a directory"]


# -- the build ---------------------------------------------------------------------------------------------------


def built(source: str | bytes, of: level.Level = FOUND, lab: labs.Lab = LAB) -> tuple[Item, bytes | None]:
    content = source.encode() if isinstance(source, str) else source
    with build.build(lab, of_word(""), submission.Submission({HAND_IN: content}), of) as made:
        return made.item, made.program.read_bytes() if made.program else None


@pytest.fixture(scope="module")
def right() -> str:
    return (tree.solution(LAB, of_word("")) / HAND_IN).read_text()


@pytest.mark.parametrize("of", LEVELS)
def test_the_solution_compiles_without_a_word(of, right):
    item, program = built(right, of)
    assert (item.points, item.came) == (5, "") and program is not None and program[:4] == b"\x7fELF"


@pytest.mark.parametrize("more, came", (
    ("\nint hidden(long x);\nint hidden(long x) { return x; }\n", "warning: conversion"),
    ("\n#pragma GCC diagnostic ignored \"-Wall\"\n", "'#pragma' can switch warnings off"),
    ("\n#pra\\\ngma GCC diagnostic ignored \"-Wall\"\n", "'#pragma' can switch warnings off"),
    ("\n%: /* x */ pragma GCC diagnostic ignored \"-Wall\"\n", "'#pragma' can switch warnings off"),
    ("\n#line 1 \"/usr/include/stdio.h\"\n", "'#line' can switch warnings off"),
    ("\n# 1 \"/usr/include/stdio.h\" 3\n", "'#1' can switch warnings off"),
    ("\n\f#pragma GCC diagnostic ignored \"-Wall\"\n", "'#pragma' can switch warnings off"),
    ("\n#\v\fpragma GCC diagnostic ignored \"-Wall\"\n", "'#pragma' can switch warnings off"),
    ("\n#pra\\\f\ngma GCC diagnostic ignored \"-Wall\"\n", "'#pragma' can switch warnings off"),
    ("\nextern int x;\r#pragma GCC diagnostic ignored \"-Wall\"\n", "'#pragma' can switch warnings off"),
    ("\n\f#line 1 \"/usr/include/stdio.h\"\n", "'#line' can switch warnings off"),
    (ESCAPES, "_Pragma can switch warnings off"),
    (UNSEEN_LINE, "it says that it is another file"),
))  # fmt: skip
def test_a_warning_costs_the_points_of_the_build_and_no_trick_hides_it(more, came, right):
    item, program = built(right + more)
    assert item.points == 0 and came in item.came and program is not None


def test_a_file_that_includes_itself_as_a_header_of_the_system(right):
    item, program = built("#if __INCLUDE_LEVEL__ == 0\n" + right + "#endif\n" + UNSEEN)
    assert item.points == 0 and "it says that it is another file" in item.came and program is not None


def test_a_directive_behind_a_byte_order_mark_is_one(right):
    item, _ = built('\ufeff#pragma GCC diagnostic ignored "-Wall"\n' + right)
    assert "'#pragma' can switch warnings off" in item.came


def test_a_string_with_an_odd_blank_is_no_marker():
    text = '# 1 "/handed/frame.c"\nconst char word[] = "\v# 1 " "x";\n#pragma GCC diagnostic ignored "-Wall"\n'
    assert build.PRAGMA.search("\n".join(build._own_parts(text)))


def test_what_only_looks_like_a_directive_is_none(right):
    words = '\n/* #pragma x */\nextern const char word[];\nconst char word[] = "\\n#pragma x";\n'
    assert built(right + words)[0].passed


@pytest.mark.skipif(bool(FOUND.why_weak), reason=f"the compiler sees all files: {FOUND.why_weak}")
@pytest.mark.parametrize("line, came", (
    ("#include \"/etc/passwd\"", "No such file or directory"),
    ("#include \"../../hidden/x.json\"", "No such file or directory"),
    (f"#include \"{labs.LABS}/1-framing/lab.toml\"", "No such file or directory"),
    ("__asm__(\".incbin \\\"/etc/passwd\\\"\");", "file not found: /etc/passwd"),
))  # fmt: skip
def test_the_compiler_sees_the_lab_and_nothing_else(line, came, right):
    item, program = built(f"{right}\n{line}\n")
    assert program is None and came in item.came and item.points == 0


def test_what_does_not_compile_has_no_points(right):
    item, program = built(f"{right}\nint broken(\n")
    assert program is None and "error" in item.came and item.points == 0


@pytest.mark.parametrize("of", LEVELS)
def test_a_compiler_bomb_is_stopped(of, right):
    item, program = built(right + "\nchar big[1UL << 33] = {1};\n", of)
    assert program is None and item.came


def test_output_that_ends_between_two_files_is_not_whole():
    """At the limit, or before: tarfile takes the end of the bytes there for the end of the archive."""
    limit = build.COMPILER.output
    for size in (limit - tarfile.BLOCKSIZE, 1000):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
            entry = tarfile.TarInfo(LAB.program)
            entry.size = size
            archive.addfile(entry, io.BytesIO(bytes(size)))
            cut = archive.offset
        with pytest.raises(build._Failed, match="the program has more than 16 MiB" if cut == limit else "not whole"):
            build._unpacked(out.getvalue()[:cut], LAB)


def test_what_is_missing_is_named():
    with build.build(LAB, of_word(""), submission.Submission(), FOUND) as made:
        assert made.program is None and made.item.came == f"{HAND_IN}: not handed in"


def test_a_lab_may_need_calls_and_refuse_others(right):
    from dataclasses import replace

    calls = '\n#include <poll.h>\nint also(void);\nint also(void) { return poll(0, 0, 0); }\n'
    item, program = built(right + calls, lab=replace(LAB, refuses=("poll", "select")))
    assert program is None and item.came == "it calls poll, which this lab does without: no test is run"
    item, program = built(right + calls, lab=replace(LAB, needs=("poll", "kqueue")))
    assert program is None and item.came == "it does not call kqueue, which this lab is about: no test is run"
    assert built(right + calls, lab=replace(LAB, needs=("poll",)))[1] is not None


# -- a failure on a busy machine -----------------------------------------------------------------------------------


@pytest.mark.parametrize("came, noisy, tries", (
    (["a", ""], "busy", 2), (["a", "b", "c", "d"], "busy", 3), (["a", "a"], "busy", 2), (["a", ""], "", 1),
    ([""], "busy", 1),
))  # fmt: skip
def test_what_fails_while_the_machine_is_busy_is_tried_again(came, noisy, tries, monkeypatch):
    from grader import grade

    outcomes = [Outcome(not each, came=each) for each in came]
    played: list[Outcome] = []

    def play(*_: object) -> Outcome:
        played.append(outcomes[len(played)])
        return played[-1]

    monkeypatch.setattr(grade, "_play", play)
    monkeypatch.setattr(grade, "Noise", type("Noise", (), {"seen": lambda self: noisy}))
    task = SimpleNamespace(host=SimpleNamespace(late_tests=0))
    outcome, note = grade._played(task, None, Path())  # type: ignore[arg-type]
    assert len(played) == tries and outcome is played[-1]
    assert note == (f"tried {tries} times, because the machine was busy" if tries > 1 else "")


def test_who_makes_tests_last_gets_less_time(monkeypatch):
    """Three tests at most take the longest time, and the last of them is not repeated."""
    from grader import grade

    host = sandbox.SandboxHost(level.Level("it is tested"))
    task = SimpleNamespace(host=host)
    running = sandboxed.Sandboxed(host, Path(), Launch())
    played: list[bool] = []

    def play(*_: object) -> Outcome:
        played.append(running.hurry)
        return Outcome(False, came=str(len(played)), noisy=True, late=True)

    monkeypatch.setattr(grade, "_play", play)
    for _ in range(3):
        grade._played(task, None, Path())  # type: ignore[arg-type]
    assert played == [False, False, False, True, True]


@pytest.mark.parametrize("after, seen", ((1_000_000, ""), (1_000_000 + 10**9, "processes waited for a processor")))
def test_noise_is_what_the_kernel_says_of_waiting(after, seen, monkeypatch, tmp_path):
    line = "some avg10=0.00 avg60=0.00 avg300=0.00 total={}\n"
    (tmp_path / "cpu").write_text(line.format(1_000_000))
    monkeypatch.setattr(noise, "PRESSURE", tmp_path / "cpu")
    monkeypatch.setattr(noise, "Watch", type("Watch", (), {"disturbed": lambda self: ""}))
    watch = noise.Noise()
    (tmp_path / "cpu").write_text(line.format(after))
    assert watch.seen().startswith(seen) and bool(watch.seen()) == bool(seen)


@pytest.mark.parametrize("load, seen", ((0.0, ""), (1e6, "1000000 processes wanted to run")))
def test_noise_on_a_kernel_without_pressure_figures(load, seen, monkeypatch, tmp_path):
    monkeypatch.setattr(noise, "PRESSURE", tmp_path / "nowhere")
    monkeypatch.setattr(noise, "Watch", type("Watch", (), {"disturbed": lambda self: ""}))
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    assert noise.Noise().seen() == seen


# -- the commands ------------------------------------------------------------------------------------------------


def run(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run([str(labs.LABS / "run"), "grader", *words], capture_output=True, text=True, timeout=110)


@pytest.mark.parametrize("words, said", (
    (("grade", "--lab", "1", "--dir", "/nowhere"), "DIR=/nowhere: is not there"),
    (("grade", "--lab", "1", "--dir", "/etc/passwd"), "DIR=/etc/passwd: is neither a directory nor one of .zip,"),
    (("grade", "--lab", "99", "--dir", "/tmp"), "LAB=99: there is no such lab"),
    (("grade", "--lab", "x", "--dir", "/tmp"), "LAB='x': a lab has a number"),
    (("grade", "--lab", "1", "--dir", "a" * 300), "cannot be looked at: File name too long"),
    (("grade-all", "--lab", "1", "--dirs", "/nowhere/*"), "DIRS=/nowhere/*: there is nothing to grade"),
    (("grade-all", "--lab", "1", "--dirs", "/tm*", "--jobs", "0"), "JOBS=0: at least 1"),
))  # fmt: skip
def test_bad_usage_is_one_line_and_status_2(words, said):
    done = run(*words)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1 and not done.stdout


def order(folder: Path, name: str = "alice") -> session.Order:
    return session.Order(LAB, "autumn-{}", folder / name, folder / "out" / name, name)


def test_a_grader_that_dies_is_a_fault_and_no_0(tmp_path):
    one = order(tmp_path)
    result = session.run(one, level.Level("", ("sh", "-c", "echo out of memory >&2; exit 137", "--")))
    assert result.fault == "the grader ended with status 137: out of memory" and one.word == "autumn-alice"
    assert json.loads((one.out / FILE).read_text())["points"] is None


@pytest.mark.parametrize("out", ("/dev/full", "/dev/full/x", "/proc/x"))
def test_a_place_that_takes_no_result_is_told_without_a_traceback(out, tmp_path):
    done = run("grade", "--lab", "1", "--dir", str(tmp_path), "--out", out)
    assert done.returncode == 1 and done.stderr.startswith(f"{out}/junit.xml: ") and done.stderr.count("\n") == 1
    assert f"NOT GRADED: {out}: " in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_file_that_the_disk_has_no_room_for_is_named(tmp_path):
    """write(2) fails without the name of a file."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "junit.xml").symlink_to("/dev/full")
    done = run("grade", "--lab", "1", "--dir", str(tmp_path / "out"), "--out", str(out))
    assert (done.returncode, done.stderr) == (1, f"{out}/junit.xml: No space left on device\n")


def test_a_class_goes_on_though_one_result_has_no_place(tmp_path, capsys):
    for name in ("alice", "bob"):
        (tmp_path / "class" / name).mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "alice").symlink_to("/nowhere/alice")
    words = ["--dirs", f"{tmp_path}/class/*", "--out", str(tmp_path / "out")]
    assert command.main(["grade-all", "--lab", "1", *words]) == 1
    said = capsys.readouterr().out
    assert f"alice: not graded: {tmp_path}/out/alice: " in said and "bob: 0 of 100\n" in said
    assert (tmp_path / "out" / "class.csv").read_text().count("\n") == 3
    assert (tmp_path / "out" / "bob" / "report.txt").exists()


def test_a_full_disk_leaves_no_part_of_a_result(tmp_path, monkeypatch):
    """A part has points, and no fault."""
    one = order(tmp_path)
    Result(1, "", "alice", "bubblewrap", [Item("x", "build", "x", 5, 5, True)]).save(tmp_path)

    def cell(_: object) -> tuple[int, list[str]]:
        os.replace(tmp_path / FILE, one.out / FILE)
        monkeypatch.setattr(Path, "write_text", no_space)
        return 1, ["OSError: No space left on device"]

    def no_space(path: Path, *_: object, **__: object) -> int:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(session, "_cell", cell)
    result = session.run(one, FOUND)
    assert result.fault == "the grader ended with status 1: OSError: No space left on device"
    assert not list(one.out.iterdir())


def test_two_graders_do_not_write_to_one_place(tmp_path, capsys):
    """Each would remove the other's results, and take that for a fault of the machine."""
    one = order(tmp_path)
    one.source.mkdir()
    words = ["grade-all", "--lab", "1", "--dirs", str(one.source), "--out", str(one.out.parent)]
    one.out.mkdir(parents=True)
    for place in (one.out, one.out.parent):
        held = os.open(place, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
        assert command.main(words) == 1
        said = capsys.readouterr()
        assert f"not graded: {place}: another grader works there\n" in said.out + said.err
        os.close(held)
    assert session.run(one, FOUND).complete


def test_what_cannot_be_opened_is_no_0(tmp_path):
    result = session.run(order(tmp_path), FOUND)
    assert result.fault == f"{tmp_path}/alice: No such file or directory" and not result.items


def test_a_class_goes_on_after_a_fault(tmp_path, monkeypatch, capsys):
    for name in ("alice", "bob", "carol"):
        (tmp_path / "class" / name).mkdir(parents=True)

    def graded(one: session.Order, _: level.Level) -> Result:
        one.out.mkdir(parents=True)
        result = Result(1, one.word, one.name, "bubblewrap", [Item("x", "build", "x", 5, 5, True)], complete=True)
        result.fault = "the machine is out of memory" if one.name == "bob" else ""
        return result

    monkeypatch.setattr(command, "run", graded)
    words = ["--dirs", f"{tmp_path}/class/*", "--out", str(tmp_path / "out"), "--variant", "v-{}"]
    assert command.main(["grade-all", "--lab", "1", *words]) == 1
    said = capsys.readouterr().out
    assert "bob: not graded: the machine is out of memory\n" in said and "carol: 5 of 100\n" in said
    rows = (tmp_path / "out" / "class.csv").read_text().splitlines()
    assert len(rows) == 4 and rows[2].startswith("bob,1,v-bob,,,")
    assert (tmp_path / "out" / "carol" / "report.txt").exists() and (tmp_path / "out" / "junit.xml").exists()


@pytest.mark.parametrize("name", ("class.csv", "junit.xml"))
def test_a_class_that_is_ended_has_the_files_of_those_that_were_graded(name, tmp_path, monkeypatch, capsys):
    """The table of an earlier class would stand beside other results."""
    for each in ("alice", "bob", "carol"):
        (tmp_path / "class" / each).mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("of an earlier class")

    def graded(one: session.Order, _: level.Level) -> Result:
        if one.name == "bob":
            os.kill(os.getpid(), signal.SIGTERM)
            waiting.until(lambda: signals.came, "the signal")
        if signals.came:
            raise signals.Ended(signals.came[0])
        one.out.mkdir(parents=True)
        return Result(1, one.word, one.name, "bubblewrap", [Item("x", "build", "x", 5, 5, True)], complete=True)

    monkeypatch.setattr(command, "run", graded)
    words = ["--dirs", f"{tmp_path}/class/*", "--out", str(tmp_path / "out"), "--jobs", "1"]
    assert command.main(["grade-all", "--lab", "1", *words]) == 143
    said = capsys.readouterr()
    assert f"{tmp_path}/out/class.csv; 2 not graded\n" in said.out and said.err == "ended by SIGTERM\n"
    text = (tmp_path / "out" / name).read_text()
    assert "alice" in text and text.count("not begun: ended by SIGTERM") == 2
    assert (tmp_path / "out" / "alice" / "report.txt").exists() and not (tmp_path / "out" / "carol").exists()


def class_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *names: bytes) -> int:
    """The status of grade-all over directories with these names, each of which gets all points at once."""
    for name in names:
        os.makedirs(os.path.join(os.fsencode(tmp_path), b"class", name))

    def graded(one: session.Order, _: level.Level) -> Result:
        one.out.mkdir(parents=True)
        return Result(1, one.word, one.name, "bubblewrap", [Item("x", "build", "x", 5, 5, True)], complete=True)

    monkeypatch.setattr(command, "run", graded)
    out = ["--out", str(tmp_path / "out"), "--variant", "v-{}"]
    return command.main(["grade-all", "--lab", "1", "--dirs", f"{tmp_path}/class/*", *out])


@pytest.mark.parametrize("name", (b"class.csv", b"class.csv.zip", b"junit.xml", b"junit.xml.tgz"))
def test_no_submission_takes_the_place_of_the_class_s_files(name, tmp_path, monkeypatch, capsys):
    assert class_of(tmp_path, monkeypatch, b"alice", name) == 2
    said = capsys.readouterr()
    assert "is the name of a file of the class" in said.err and said.err.count("\n") == 1 and not said.out
    assert not (tmp_path / "out").exists()


def test_a_place_for_results_that_is_taken_is_told_before_anything_is_graded(tmp_path, monkeypatch, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "alice").write_text("")
    assert class_of(tmp_path, monkeypatch, b"alice", b"bob") == 2
    assert f"{tmp_path}/out/alice: is no directory" in capsys.readouterr().err
    (tmp_path / "out" / "alice").unlink()
    (tmp_path / "out" / "class.csv").mkdir()
    assert class_of(tmp_path, monkeypatch, b"carol") == 2
    assert f"{tmp_path}/out/class.csv: is a directory" in capsys.readouterr().err


def test_names_of_any_bytes(tmp_path, monkeypatch, capsys):
    assert class_of(tmp_path, monkeypatch, b"-bob", b"no\xffutf8", b"line\r\nend", b"\t=1+1") == 0
    said = capsys.readouterr().out
    assert said.count("\n") == 6 and "line\\r\\nend: 5 of 100" in said  # nobody's name is a line of another
    assert (tmp_path / "out" / "line\r\nend" / "report.txt").read_text().startswith("Lab 1, : line\\r\\nend")
    rows = (tmp_path / "out" / "class.csv").read_bytes().split(b"\n")
    names = [row.split(b",")[0] for row in rows[1:-1]]
    assert sorted(names) == [b"'-bob", b"'\\t=1+1", b"line\\r\\nend", b"no\\udcffutf8"]
    assert (tmp_path / "out" / "junit.xml").exists()


@pytest.mark.parametrize("name", (b"-bob", b"--progress", b"no\xffutf8"))
def test_the_grader_of_a_submission_takes_any_name(name, tmp_path):
    one = order(tmp_path, os.fsdecode(name))
    one.source.mkdir()
    result = session.run(one, FOUND)
    assert not result.fault and result.complete and result.submission == one.name


def test_each_entry_of_a_class_that_is_skipped_is_named(tmp_path, monkeypatch, capsys):
    (tmp_path / "class").mkdir()
    for name in ("carol.c", "dave.rar", "erin.tar"):
        (tmp_path / "class" / name).write_text("")
    os.mkfifo(tmp_path / "class" / "fifo.zip")
    (tmp_path / "class" / "gone").symlink_to("nowhere")
    zipped(tmp_path / "class" / "x.ZIP", {})
    assert class_of(tmp_path, monkeypatch, b"alice") == 0
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert [line.split(": ")[0].rpartition("/")[2] for line in lines] == [
        "carol.c", "dave.rar", "erin.tar", "fifo.zip", "gone"
    ]  # fmt: skip
    assert all(": skipped: " in line for line in lines)
    assert "alice: 5 of 100" in said.out and "x: 5 of 100" in said.out and "2 submissions" in said.out


def test_one_submission_from_outside(tmp_path):
    """Nothing but the file: the result is whole, and says what is not there."""
    (tmp_path / "alice").mkdir()
    words = ["--dir", str(tmp_path / "alice"), "--out", str(tmp_path / "out"), "--variant", "w"]
    done = run("grade", "--lab", "1", *words)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "out" / FILE).read_text())
    assert content["complete"] and content["points"] == 0 and content["variant"] == "w"
    assert content["sandbox"] == FOUND.name
    assert sum(part["of"] for part in content["parts"].values()) == 100 == sum(item["of"] for item in content["items"])
    assert "Points            0 of 100" in done.stdout and (tmp_path / "out" / "results.json").exists()


# -- Gradescope --------------------------------------------------------------------------------------------------


def test_the_archive_for_gradescope_has_what_it_needs_and_is_reproducible(tmp_path):
    for name in ("a.zip", "b.zip"):
        gradescope.pack(LAB, "it's {}", tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = set(archive.namelist())
        assert archive.read("lab.conf") == b"LAB=1\nVARIANT='it'\"'\"'s {}'\n"
        for name in ("setup.sh", "run_autograder", "project/labs/run", "project/harness/python"):
            assert archive.getinfo(name).external_attr >> 16 & 0o111, name
    needed = [path.relative_to(labs.ROOT) for path in LAB.directory.rglob("*.json")]
    for path in (*needed, "common/frame.h", "harness/suite/kernel.py", "labs/grader/launch.c"):
        assert f"project/{path}" in names
    assert not any("__pycache__" in name or name.startswith("project/build/") for name in names)


@pytest.mark.parametrize("metadata, name", (
    ('{"users": [{"email": "zoe@x.org"}, {"email": "bob@x.org"}]}', "bob@x.org"), ("{}", "unknown"), ("", "unknown"),
    ('{"users": []}', "unknown"),
))  # fmt: skip
def test_the_variant_of_a_group_does_not_depend_on_who_submits(metadata, name, tmp_path):
    (tmp_path / "submission_metadata.json").write_text(metadata)
    assert gradescope.submitter(tmp_path) == name


def test_a_machine_without_a_compiler_is_no_student_s_fault(monkeypatch, right):
    def cannot(*_: object) -> Path:
        raise tree.CannotBuild("cc: not found")

    monkeypatch.setattr(tree, "given", cannot)
    with pytest.raises(HostFault, match="cc: not found"):
        built(right)


@pytest.mark.skipif(not FOUND.network, reason=FOUND.why_weak)
def test_the_grader_may_be_process_1(tmp_path):
    """As in a container that starts nothing else: its child must not take that for the end of its parent."""
    (tmp_path / "alice").mkdir()
    namespace = ["unshare", *(["-Ur"] if os.geteuid() else []), "-p", "-f", "--mount-proc"]
    tried = subprocess.run([*namespace, "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(tried.stderr.strip())
    words = ["grader", "grade", "--lab", "1", "--dir", str(tmp_path / "alice"), "--out", str(tmp_path / "out")]
    done = subprocess.run([*namespace, str(labs.LABS / "run"), *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "out" / FILE).read_text())["complete"]
