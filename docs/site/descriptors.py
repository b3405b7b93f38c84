"""Steps about descriptors, open file descriptions and epoll(7) that need no server. Each is a list of calls with their
results. tests/test_steps.py makes the same calls and compares what the kernel says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from stepping import BACK, FILES, KEPT_KERNEL, Film, Frame, Rows

PARENT, CHILD, BYTES = "Descriptors of the process", "Descriptors of the child", "In the pipe"
CONTENT = "abcdefghijkl"  # of the file that is read


@dataclass(frozen=True)
class Op:
    do: str
    names: tuple[str, ...]  # of descriptors: what it makes first, then what it uses
    amount: int = 0  # bytes
    result: str = ""  # what the kernel says
    text: str = ""


@dataclass(frozen=True)
class Demo:
    name: str
    title: str
    about: str
    ops: tuple[Op, ...]


@dataclass
class File:
    kind: str
    position: int = 0
    holders: set[tuple[str, str]] = field(default_factory=set)  # (process, name of the descriptor)


@dataclass
class Model(Film):
    """What the kernel keeps. It gives out the lowest free number."""

    numbers: dict[str, int] = field(default_factory=dict)
    of: dict[tuple[str, str], str] = field(default_factory=dict)  # a descriptor of a process: its file
    files: dict[str, File] = field(default_factory=dict)
    entries: dict[str, tuple[str, str]] = field(default_factory=dict)  # of the epoll set: file, events
    ready: list[str] = field(default_factory=list)
    bytes: int = 0
    has_pipe: bool = False
    has_child: bool = False

    def number(self, name: str) -> int:
        if name not in self.numbers:
            taken = {self.numbers[each] for process, each in self.of if process == PARENT}
            self.numbers[name] = min(set(range(3, 20)) - taken)
        return self.numbers[name]

    def make(self, name: str, kind: str, file: str = "") -> None:
        self.number(name)
        key = file or (kind if kind not in self.files else f"{kind}, opened again")
        self.files.setdefault(key, File(kind)).holders.add((PARENT, name))
        self.of[PARENT, name] = key

    def _panels(self, back: Rows) -> Iterator[tuple[str, Rows]]:
        for process in (PARENT, CHILD) if self.has_child else (PARENT,):
            rows = [
                (f"{self.numbers[name]} ({name})", file) for (which, name), file in self.of.items() if which == process
            ]  # fmt: skip
            yield process, [("0, 1, 2", "standard streams"), *rows] if process == PARENT else rows
        files = []
        for key, file in self.files.items():
            count = len(file.holders)
            words = f"{count} descriptor{'s' * (count != 1)}"
            files.append((key, words + (f", position {file.position}" if file.kind == "file" else "")))
        yield FILES, files
        if self.has_pipe:
            yield BYTES, [("bytes unread", f"{self.bytes:,}")]
        if any(file.kind == "epoll set" for file in self.files.values()):
            rows = [(name, f"{file}, {events}") for name, (file, events) in self.entries.items()]
            yield KEPT_KERNEL, [*rows, ("ready list", ", ".join(self.ready) or "empty")]
        yield BACK, back

    def show(self, text: str, call: str, back: Rows) -> None:
        self.add("process", text, call, None, self._panels(back))

    # -- the calls -----------------------------------------------------------------------------

    def play(self, demo: Demo) -> list[Frame]:
        for op in demo.ops:
            call = getattr(self, f"_{op.do}")(op)
            result = op.result or ("0" if op.do in ("close", "add", "delete") else "")
            self.show(op.text, f"{call} = {result}" if result else call, [("result", result)] if result else [])
        return self.frames

    def _open(self, op: Op) -> str:
        self.make(op.names[0], "file")
        return 'open("letters")'

    def _pipe(self, op: Op) -> str:
        self.has_pipe = True
        self.make(op.names[0], "reading end")
        self.make(op.names[1], "writing end")
        return "pipe()"

    def _epoll(self, op: Op) -> str:
        self.make(op.names[0], "epoll set")
        return "epoll_create1()"

    def _dup(self, op: Op) -> str:
        new, old = op.names
        self.make(new, "", self.of[PARENT, old])
        return f"dup({self.number(old)})"

    def _fork(self, op: Op) -> str:
        self.has_child = True
        for (_, name), key in list(self.of.items()):
            self.of[CHILD, name] = key
            self.files[key].holders.add((CHILD, name))
        return "fork()"

    def _end(self, op: Op) -> str:
        for process, name in [each for each in self.of if each[0] == CHILD]:
            self._drop(process, name)
        return "the child ends"

    def _close(self, op: Op) -> str:
        self._drop(PARENT, op.names[0])
        return f"close({self.number(op.names[0])})"

    def _drop(self, process: str, name: str) -> None:
        key = self.of.pop((process, name))
        holders = self.files[key].holders
        holders.discard((process, name))
        if not holders:
            del self.files[key]
            self.entries = {each: entry for each, entry in self.entries.items() if entry[0] != key}
            self.ready = [each for each in self.ready if each in self.entries]

    def _write(self, op: Op) -> str:
        self.bytes += op.amount
        self.ready += [each for each in self.entries if each not in self.ready]
        return f"write({self.number(op.names[0])}, {op.amount:,})"

    def _read(self, op: Op) -> str:
        file = self.files[self.of[PARENT, op.names[0]]]
        if file.kind == "file":
            file.position += op.amount
        elif op.result.isdigit():
            self.bytes -= int(op.result)
        return f"read({self.number(op.names[0])}, {op.amount:,})"

    def _add(self, op: Op) -> str:
        epoll, name, *edge = op.names
        events = "EPOLLIN|EPOLLET" if edge else "EPOLLIN"
        self.entries[f"{self.number(name)} ({name})"] = (self.of[PARENT, name], events)
        return f"epoll_ctl({self.number(epoll)}, EPOLL_CTL_ADD, {self.number(name)}, {events})"

    def _delete(self, op: Op) -> str:
        return f"epoll_ctl({self.number(op.names[0])}, EPOLL_CTL_DEL, {self.number(op.names[1])})"

    def _wait(self, op: Op) -> str:
        still = [each for each in self.ready if self.bytes > 0 and "EPOLLET" not in self.entries[each][1]]
        self.ready = still
        return f"epoll_wait({self.number(op.names[0])}, no wait)"


def _rest(edge: bool) -> tuple[Op, ...]:
    again = "0 events" if edge else "1 event"
    why = "Nothing new has come since the last wait. The 512 bytes that are left make no event." if edge \
        else "512 bytes are left, so the entry is ready, and the wait says so again."
    ops = [
        Op("pipe", ("r", "w"), text="A pipe: one descriptor to read, one to write."),
        Op("epoll", ("e",), text="A set of watched descriptors in the kernel."),
        Op("add", ("e", "r", *(["edge"] if edge else [])), text="The set watches the reading end."),
        Op("write", ("w",), 1024, "1024", "The bytes wait in the pipe. The entry goes on the ready list."),
        Op("wait", ("e",), 0, "1 event", "The kernel walks the ready list: the reading end is ready."
           + (" The entry does not go back." if edge else " The entry goes back, to be asked again.")),
        Op("read", ("r",), 512, "512", "Half of the bytes are read. 512 are left."),
        Op("wait", ("e",), 0, again, why),
    ]  # fmt: skip
    if edge:
        ops += [
            Op("write", ("w",), 1, "1", "One byte more: something new."),
            Op("wait", ("e",), 0, "1 event", "Now the wait reports the pipe again. All 513 bytes can be read."),
        ]
    return tuple(ops)


DEMOS = (
    Demo("descriptors", "Descriptors and dup",
         "A descriptor is a number of one process. It leads to an open file description, which has the position in the "
         "file. dup makes another number for the same one.", (
             Op("open", ("a",), text="The kernel gives the lowest free number."),
             Op("read", ("a",), 4, "abcd", "The position moves on by 4."),
             Op("dup", ("b", "a"), text="Two numbers, one open file description."),
             Op("read", ("b",), 4, "efgh", "The position is shared: b goes on where a stopped."),
             Op("open", ("c",), text="The same file, opened again: another open file description."),
             Op("read", ("c",), 4, "abcd", "It has a position of its own."),
             Op("close", ("a",), text="One number goes. The open file description stays, because b leads to it."),
             Op("read", ("b",), 4, "ijkl", "So b goes on reading."),
             Op("open", ("d",), text="The number that was free again is given out next."),
         )),
    Demo("fork", "fork, and an end that does not come", "After fork, both processes have all descriptors. A pipe ends "
         "for its reader only when nobody has the writing end any more.", (
             Op("pipe", ("r", "w"), text="A pipe. Reading does not block here (O_NONBLOCK)."),
             Op("fork", (), text="The child has the same numbers, and they lead to the same open file descriptions."),
             Op("close", ("w",), text="The parent will not write, and closes its writing end."),
             Op("read", ("r",), 1, "EAGAIN", "No end of the stream: the child could still write."),
             Op("end", (), text="The end of a process closes all its descriptors."),
             Op("read", ("r",), 1, "0", "Now the writing end is gone, and read returns 0: the end."),
         )),
    Demo("epoll-and-close", "Why epoll keeps watching what was closed",
         "An epoll set holds open file descriptions, and not numbers. close takes an entry out only when no other "
         "number leads to the open file description.", (
             Op("pipe", ("r", "w"), text="A pipe."),
             Op("epoll", ("e",), text="An empty set."),
             Op("add", ("e", "r"), text="The set watches the reading end."),
             Op("dup", ("d", "r"), text="A second number for the reading end. fork does the same in a child."),
             Op("close", ("r",), text="The number is gone. The entry stays: the open file description is still there."),
             Op("write", ("w",), 1, "1", "A byte comes."),
             Op("wait", ("e",), 0, "1 event", "The set reports a descriptor that the process has closed."),
             Op("delete", ("e", "r"), 0, "EBADF", "The entry cannot be taken out: the call needs the number."),
             Op("close", ("d",), text="The last number goes, and with it the open file description and the entry."),
             Op("wait", ("e",), 0, "0 events", "Nothing is watched any more."),
         )),
    Demo("level-rest", "Level-triggered: a rest is reported again", "Write 1,024 bytes, wait, read 512, wait.",
         _rest(False)),
    Demo("edge-rest", "Edge-triggered: a rest is not reported again", "The same calls with EPOLLET.", _rest(True)),
)  # fmt: skip


def frames_of(demo: Demo) -> tuple[list[Frame], dict[str, int]]:
    """The steps, and the number of each descriptor."""
    model = Model()
    return model.play(demo), model.numbers
