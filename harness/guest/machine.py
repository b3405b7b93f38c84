"""A machine in which one instruction is one nanosecond: qemu interprets each instruction (-accel tcg) and lets its
clock advance by one nanosecond for each (-icount shift=0). A program that measures its own time there counts
instructions, those of the kernel among them. While nothing is to be done the clock jumps to the next timer
(sleep=off). One processor, so nothing else runs in between.

The guest's second serial port is our standard input; init.c says what comes there. Its console goes to a file, whose
last lines are shown when the guest fails."""

from __future__ import annotations

import os
import re
import selectors
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from bench import process

from guest import archive

QEMU = "qemu-system-x86_64"
MEMORY = "1G"
# The clock counts instructions exactly, so the kernel need not measure it: by a timer it would be off by its rounding.
APPEND = "console=ttyS0 quiet panic=-1 tsc=reliable tsc_early_khz=1000000"
CONSOLE_LINES = 3  # of its end, in the report of a failure


@dataclass(frozen=True)
class Answer:
    """What a command of the plan printed, and its exit status."""

    number: int
    status: int
    output: str


@dataclass
class Transcript:
    """Takes what the guest sends, in any pieces, and hands out whole answers."""

    complete: bool = False  # the whole plan was carried out
    _rest: bytes = field(default=b"", repr=False)
    _lines: list[str] = field(default_factory=list, repr=False)

    def take(self, data: bytes) -> list[Answer]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        found = [self._line(line.decode(errors="replace").rstrip("\r")) for line in whole]
        return [answer for answer in found if answer is not None]

    def _line(self, line: str) -> Optional[Answer]:
        if line == "done":
            self.complete = True
        elif re.fullmatch(r"begin \d+", line):
            self._lines = []
        elif match := re.fullmatch(r"end (\d+) (\d+)", line):
            return Answer(int(match[1]), int(match[2]), "\n".join(self._lines))
        else:
            self._lines.append(line)
        return None


def command(kernel: Path, initrd: Path, console: Path) -> list[str]:
    return [
        QEMU,
        *("-accel", "tcg", "-icount", "shift=0,sleep=off", "-smp", "1", "-m", MEMORY),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-kernel", str(kernel), "-initrd", str(initrd), "-append", APPEND),
        *("-serial", f"file:{console}", "-serial", "stdio"),
    ]


class Guest:
    """One boot. It runs until close() is called."""

    def __init__(self, folder: Path, kernel: Path, programs: Path, plan: Sequence[Sequence[object]]):
        """`folder`: for its files. `programs`: where init and microbench_wait are. `plan`: commands, one after the
        other; the name of a program is that in `programs`."""
        self.transcript = Transcript()
        self.ended = ""  # how it ended when it did not carry out the plan
        self._console = folder / "console"
        initrd = folder / "initrd"
        initrd.write_bytes(_file_system(programs, plan))
        self._errors = (folder / "errors").open("w+")
        self._process = subprocess.Popen(
            command(kernel, initrd, self._console),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            preexec_fn=process.prepare(None),
        )

    def close(self) -> None:
        """Ends it if it runs, and frees what it has."""
        self.end()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()

    def end(self, why: str = "") -> None:
        """Ends it if it runs. `why` becomes a part of `ended`."""
        if self._process.poll() is None:
            if not self.transcript.complete:
                self.ended = f"the guest {why or 'was ended'}{self._last_lines()}"
            self._process.kill()
        self._process.wait()

    def _last_lines(self) -> str:
        texts = [self._errors_so_far()]
        if self._console.exists():
            texts.append(self._console.read_text(errors="replace"))
        lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
        return f"; its last lines: {' | '.join(lines[-CONSOLE_LINES:]) or 'none'}"

    def _errors_so_far(self) -> str:
        self._errors.seek(0)
        return self._errors.read()

    def fileno(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def read(self) -> Optional[list[Answer]]:
        """What came. None at its end; then `ended` says why, unless the plan was carried out."""
        data = os.read(self.fileno(), 65536)
        if data:
            return self.transcript.take(data)
        status = self._process.wait()
        if not self.transcript.complete:
            self.ended = f"the guest stopped before the end of its plan (qemu: {status}){self._last_lines()}"
        return None


def _file_system(programs: Path, plan: Sequence[Sequence[object]]) -> bytes:
    names = dict.fromkeys(["init", *(str(words[0]) for words in plan)])
    lines = "".join(f"/{' '.join(map(str, words))}\n" for words in plan)
    return archive.pack(
        [
            archive.directory("dev"),
            archive.device("dev/console", 5, 1),
            archive.device("dev/ttyS1", 4, 65),
            *(archive.program(name, (programs / name).read_bytes()) for name in names),
            archive.text("plan", lines),
        ]
    )


def answers(guests: Sequence[Guest], patience: float) -> Iterator[tuple[Guest, Answer]]:
    """What the guests answer, as it comes, until all have ended. A guest that is silent for `patience` seconds is
    ended."""
    heard = {guest: time.monotonic() for guest in guests}
    with selectors.DefaultSelector() as selector:
        for guest in guests:
            selector.register(guest, selectors.EVENT_READ)
        while heard:
            ready = selector.select(max(0.0, min(heard.values()) + patience - time.monotonic()))
            for guest in [guest for guest in guests if guest in {key.fileobj for key, _ in ready}]:
                heard[guest] = time.monotonic()
                found = guest.read()
                if found is None:
                    selector.unregister(guest)
                    del heard[guest]
                for answer in found or []:
                    yield guest, answer
            for guest in [guest for guest, when in heard.items() if when + patience <= time.monotonic()]:
                guest.end(f"was silent for {patience:g} s and was ended")
                selector.unregister(guest)
                del heard[guest]


def version() -> str:
    """Of the emulator, as it prints it. Raises OSError if there is none."""
    shown = subprocess.run([QEMU, "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    return shown.stdout.splitlines()[0] if shown.stdout else "not known"


def missing() -> str:
    """Why there can be no guest here; empty if there can."""
    system, machine = os.uname().sysname, os.uname().machine
    if (system, machine) != ("Linux", "x86_64"):
        return f"the guest runs programs that are built here for Linux on x86-64; this is {system} on {machine}"
    return "" if shutil.which(QEMU) else f"{QEMU} is not installed (Debian: qemu-system-x86)"
