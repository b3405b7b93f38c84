"""The guest: what is put into it, what it answers, and that one which says nothing is ended. Most tests have a stand-in
for qemu, a script that says what a guest would."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numpy")
pytest.importorskip("jinja2")

from bench import counts, rows  # noqa: E402
from bench.results import Results  # noqa: E402
from guest import archive, kernel, machine  # noqa: E402
from suite import module, servers, waiting  # noqa: E402

PLAN = [("microbench_wait", "--api", "poll"), ("microbench_wait", "--api", "select")]
# qemu's options end with two -serial; the first names the file of the console.
CONSOLE = 'for word; do case $word in file:*) console=${word#file:} ;; esac; done\n'


def unpacked(data: bytes) -> dict[str, tuple[int, bytes, tuple[int, int]]]:
    """name: mode, content, device. By the manual page: every part begins at a multiple of four."""
    found: dict[str, tuple[int, bytes, tuple[int, int]]] = {}
    at = 0
    while True:
        assert at % 4 == 0 and data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110 : at + 110 + fields[11]]
        assert name.endswith(b"\0")
        at += (110 + fields[11] + 3) // 4 * 4
        if name == b"TRAILER!!!\0":
            return found
        found[name[:-1].decode()] = (fields[1], data[at : at + fields[6]], (fields[9], fields[10]))
        at += (fields[6] + 3) // 4 * 4


@pytest.mark.parametrize("content", [b"", b"a", b"abc", b"abcd", b"abcde"])
def test_the_archive_holds_what_was_put_in(content):
    packed = archive.pack(
        [archive.directory("dev"), archive.device("dev/ttyS1", 4, 65), archive.program("init", content),
         archive.text("plan", "one\ntwo\n")]
    )  # fmt: skip
    found = unpacked(packed)
    assert list(found) == ["dev", "dev/ttyS1", "init", "plan"]
    assert stat.S_ISDIR(found["dev"][0]) and stat.S_ISCHR(found["dev/ttyS1"][0])
    assert found["dev/ttyS1"][2] == (4, 65)
    assert found["init"][:2] == (stat.S_IFREG | 0o755, content) and found["plan"][1] == b"one\ntwo\n"


SAID = b"begin 0\r\n{\"figures\": 1}\r\nend 0 0\r\nbegin 1\r\nmicrobench_wait: no\r\nmore\r\nend 1 2\r\ndone\r\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_answers_are_whole_however_they_come(size):
    transcript = machine.Transcript()
    found = [each for at in range(0, len(SAID), size) for each in transcript.take(SAID[at : at + size])]
    assert found == [machine.Answer(0, 0, '{"figures": 1}'), machine.Answer(1, 2, "microbench_wait: no\nmore")]
    assert transcript.complete


def test_a_cut_answer_is_none():
    transcript = machine.Transcript()
    assert transcript.take(b"begin 0\n{}\nend 0 ") == [] and not transcript.complete


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is first on the PATH; programs for the guest are there, too."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("init", "microbench_wait"):
        (folder / name).write_bytes(b"\x7fELF")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def qemu(folder: Path, script: str) -> None:
    path = folder / machine.QEMU
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o755)


def talk(folder: Path, patience: float = 60) -> tuple[machine.Guest, list[machine.Answer]]:
    guest = machine.Guest(folder, folder / "kernel", folder, PLAN)
    try:
        return guest, [answer for _, answer in machine.answers([guest], patience)]
    finally:
        guest.close()


def test_the_plan_and_the_programs_are_in_the_guest(stand_in):
    qemu(stand_in, "printf 'begin 0\\nx\\nend 0 0\\ndone\\n'")
    guest, found = talk(stand_in)
    assert [answer.output for answer in found] == ["x"] and guest.ended == ""
    files = unpacked((stand_in / "initrd").read_bytes())
    assert files["plan"][1].decode() == "/microbench_wait --api poll\n/microbench_wait --api select\n"
    assert {"init", "microbench_wait", "dev/ttyS1", "dev/console"} < set(files)


@pytest.mark.cause("a guest that hangs makes the command hang")
def test_a_guest_that_says_nothing_is_ended_and_its_console_is_shown(stand_in):
    qemu(stand_in, CONSOLE + 'echo "Kernel panic" > "$console"; printf "begin 0\\n"; exec sleep 1000')
    guest, found = talk(stand_in, patience=10)
    assert found == []
    assert guest.ended == "the guest was silent for 10 s and was ended; its last lines: Kernel panic"


def test_a_guest_that_stops_says_what_it_said_last(stand_in):
    qemu(stand_in, "printf 'begin 0\\ny\\nend 0 0\\nbegin 1\\n'; echo 'no such machine' >&2; exit 3")
    guest, found = talk(stand_in)
    assert [answer.number for answer in found] == [0]
    assert guest.ended == "the guest stopped before the end of its plan (qemu: 3); its last lines: no such machine"


def an_image(path: Path, said: bytes = b"6.1.0 (someone@some.where) #1 SMP") -> Path:
    head = bytearray(0x400)
    head[0x202:0x206] = b"HdrS"
    head[0x20E:0x210] = struct.pack("<H", 0x100)
    path.write_bytes(bytes(head[:0x300]) + said + b"\0")
    return path


def test_a_kernel_says_what_it_is_and_not_who_built_it(tmp_path):
    assert kernel.version(an_image(tmp_path / "vmlinuz-6.1")) == "6.1.0 #1 SMP"
    (tmp_path / "text").write_text("no kernel" * 200)
    for name in ("text", "none"):
        with pytest.raises(kernel.BadKernel, match=name):
            kernel.find(str(tmp_path / name), tmp_path)


def test_the_newest_kernel_that_is_here_is_taken(tmp_path, monkeypatch):
    boot, kept = tmp_path / "boot", tmp_path / "kept"
    boot.mkdir()
    monkeypatch.setattr(kernel, "BOOT", boot)
    for name in ("vmlinuz-6.1.0-9-amd64", "vmlinuz-6.1.0-31-amd64"):
        (boot / name).write_text("")
    assert kernel.find("", kept).name == "vmlinuz-6.1.0-31-amd64"
    kept.mkdir()
    (kept / "vmlinuz-6.1.0-2-cloud-amd64").write_text("")
    assert kernel.find("", kept).parent == kept, "what was fetched once is used again"


def counted(stand_in: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command, with the programs of the stand-in and results beside them."""
    place = ("--results-in", stand_in.parent / "results")
    return module.run("bench.counts", "--smoke", *place, *words, BUILD_DIR=str(with_programs(stand_in)), **variables)


def with_programs(stand_in: Path) -> Path:
    """A directory of programs that has those of the guest."""
    build = stand_in.parent / "build"
    (build / "guest").mkdir(parents=True, exist_ok=True)
    for name in ("init", "microbench_wait"):
        shutil.copy(stand_in / name, build / "guest")
    return build


def test_without_the_emulator_it_is_skipped_with_the_reason(stand_in):
    done = counted(stand_in, PATH=str(stand_in))
    assert (done.returncode, done.stderr) == (0, "") and not (stand_in.parent / "results").exists()
    assert re.fullmatch(r"skipped: bench-count \(.+\)\n", done.stdout), done.stdout
    if (os.uname().sysname, os.uname().machine) == ("Linux", "x86_64"):
        assert "qemu-system-x86_64 is not installed (Debian: qemu-system-x86)" in done.stdout


@pytest.mark.skipif(bool(list(kernel.BOOT.glob("vmlinuz-*"))), reason="there is a kernel in /boot")
def test_without_a_kernel_it_is_skipped_with_the_reason(stand_in):
    qemu(stand_in, "exit 1")
    done = counted(stand_in, PATH=str(stand_in))
    assert (done.returncode, done.stderr) == (0, "") and not (stand_in.parent / "results").exists()
    assert "no kernel in /boot can be read" in done.stdout and "KERNEL=path names one" in done.stdout


def test_a_kernel_that_is_none_is_bad_usage(stand_in):
    qemu(stand_in, "exit 1")
    done = counted(stand_in, "--kernel", str(stand_in / "init"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"bench-count: the guest's kernel: {stand_in}/init: no Linux kernel for x86\n"


ANSWERS = """[ "$1" != --version ] || { echo "QEMU emulator version 7"; exit; }
printf 'begin 0\\n{"schedule_hash": "ab", "figures": {"wait_us": 2.5, "cycle_us": 2.5, "cpu_us": 2.5}}\\nend 0 0\\n'
printf 'begin 1\\nmicrobench_wait: no memory\\nend 1 1\\nbegin 2\\n'
"""


@pytest.mark.skipif(shutil.which("gnuplot") is None, reason="gnuplot is not installed")
@pytest.mark.cause("what a guest did not answer is left out of the rows, as if nobody had asked")
def test_every_count_has_a_row_also_one_without_an_answer(stand_in):
    qemu(stand_in, ANSWERS)
    done = counted(stand_in, "--kernel", str(an_image(stand_in / "vmlinuz")), "--seed", "5")
    assert done.returncode == 1, done.stderr
    (folder,) = (stand_in.parent / "results").iterdir()
    results = Results.open(folder)
    first, second, *others = results.rows()
    assert (first.verdict, first.instructions, first.schedule_hash) == ("VALID", 2500, "ab")
    assert (second.verdict, second.reasons, second.instructions) == ("FAILED", "microbench_wait: no memory", None)
    assert len(others) == len(counts.SMOKE) - 2
    assert all(row.verdict == "FAILED" and row.reasons.startswith("the guest stopped before") for row in others)
    assert {row.key for row in results.rows()} == {
        ("E16", server, point, 1) for server, point in counts.SMOKE
    }
    assert results.fingerprint["guest"] == {"kernel": "6.1.0 #1 SMP", "emulator": "QEMU emulator version 7"}
    assert done.stdout.count("the guest stopped") == 1, "said once"
    assert json.loads((folder / "verdicts.json").read_text())["verdicts"], "the counts are judged"


SLOW = """[ "$1" != --version ] || { echo "QEMU emulator version 7"; exit; }
%s: > "$0.runs"
exec sleep 1000
"""


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM), ids=lambda number: number.name)
@pytest.mark.parametrize("answer", ("", "printf 'begin 0\\nx\\nend 0 1\\n'; "), ids=("none", "one"))
@pytest.mark.cause("an interrupt is silent, and what it leaves looks like results that can be continued")
def test_an_interrupt_says_what_is_there(stand_in, answer, number):
    qemu(stand_in, SLOW % answer)
    place = stand_in.parent / "results"
    image = an_image(stand_in / "vmlinuz")
    process = subprocess.Popen(
        module.command("bench.counts", "--smoke", "--results-in", place, "--kernel", image),
        env=module.environment(BUILD_DIR=str(with_programs(stand_in))),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for _ in range(3 if answer else 2):
        process.stdout.readline()
    waiting.until(lambda: (stand_in / f"{machine.QEMU}.runs").exists(), "a guest")
    process.send_signal(number)
    _, errors = process.communicate(timeout=waiting.PATIENCE)
    made = 1 if answer else 0
    told = f"interrupted after {made} of {len(counts.SMOKE)}: counts cannot be continued; begin again: make bench-count"
    assert (process.returncode, errors) == (130, f"{told}\n")
    assert len(list(place.iterdir())) == made, "without a row there are no results"


@pytest.mark.parametrize("text", ["nan", "0", "1e300"])
def test_a_patience_is_a_number_of_seconds(stand_in, text):
    done = counted(stand_in, "--patience", text)
    assert done.returncode == 2 and f"{text!r} is no number of seconds" in done.stderr


def test_both_boots_count_the_same_with_other_seeds_and_in_another_order():
    one, two = (counts.planned(counts.WHOLE, 7, repeat) for repeat in (1, 2))
    places = [[(each.server, each.point) for each in boot] for boot in (one, two)]
    assert places[0] != places[1] and sorted(places[0]) == sorted(places[1])
    assert len(set(places[0])) == len(places[0]), "a count is there twice"
    assert {each.seed for each in one}.isdisjoint(each.seed for each in two)
    seeds: dict[str, set[int]] = {}
    for each in one:
        seeds.setdefault(each.point, set()).add(each.seed)
    assert all(len(found) == 1 for found in seeds.values()), "one load for all APIs at a point"


def test_every_point_says_how_it_is_counted():
    for each in counts.planned(counts.WHOLE, 7, 1):
        words, what = list(map(str, each.words())), rows.factors(each.point)
        assert ("--cycle" in words) == (what["what"] == "cycle") and ("--block" in words) == (what["what"] == "block")
        assert ("--same" in words) == (what.get("of") == "duplicates")
        assert words[words.index("--watched") + 1] == what["watched"]


def why_no_guest() -> str:
    if servers.sanitizer():
        return "a program with a sanitizer is not linked statically"
    try:
        kernel.find("", servers.build_dir() / "guest", fetch=False)
    except kernel.Absent as absent:
        return str(absent)
    return machine.missing()


@pytest.mark.skipif(bool(why_no_guest()), reason=why_no_guest())
@pytest.mark.skipif(shutil.which("gnuplot") is None, reason="gnuplot is not installed")
@pytest.mark.cause("the guest's clock does not count instructions, or something else runs in it")
def test_a_count_is_exact(tmp_path):
    build = os.environ.get("BUILD_DIR", "build")
    subprocess.run(["make", "-s", f"BUILD={build}", "guest-programs"], cwd=servers.ROOT, check=True, timeout=300)
    done = subprocess.run(
        [sys.executable, "-m", "bench.counts", "--smoke", "--results-in", str(tmp_path)],
        env=module.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout, done.stderr)
    (folder,) = tmp_path.iterdir()
    found = {(row.server, row.point): row.instructions for row in Results.open(folder).rows()}

    def wait(server: str, watched: int) -> float:
        return found[server, f"watched={watched} ready=1 place=last what=wait"] or 0

    assert 100 < wait("epoll_lt", 10) < 5000
    assert wait("epoll_lt", 100) == pytest.approx(wait("epoll_lt", 10), rel=0.001)
    # Ninety descriptors more: each costs some hundred instructions.
    assert 90 * 100 < wait("poll_srv", 100) - wait("poll_srv", 10) < 90 * 1000
    assert (found["epoll_lt", "watched=10 ready=0 what=block"] or 0) > wait("epoll_lt", 10), "it slept"
