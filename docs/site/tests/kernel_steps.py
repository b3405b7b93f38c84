"""Makes the calls of a list of steps (docs/site/descriptors.py) and says what the kernel answered.

It is a process of its own: so its descriptors are 0, 1 and 2, and the next one is 3. Reads JSON, writes JSON."""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import sys
import tempfile


class Kernel:
    def __init__(self, content: str):
        self.fds: dict[str, int] = {}
        self.sets: dict[str, select.epoll] = {}
        self.child = 0
        self.content = content
        self.path = ""

    def make(self, do: str, names: list[str], amount: int) -> str:
        try:
            return str(getattr(self, f"_{do}")(names, amount))
        except OSError as error:
            return errno.errorcode[error.errno or 0]

    def _open(self, names: list[str], _: int) -> str:
        if not self.path:
            fd, self.path = tempfile.mkstemp()
            os.write(fd, self.content.encode())
            os.close(fd)
        self.fds[names[0]] = os.open(self.path, os.O_RDONLY)
        return ""

    def _pipe(self, names: list[str], _: int) -> str:
        self.fds[names[0]], self.fds[names[1]] = os.pipe2(os.O_NONBLOCK)
        return ""

    def _epoll(self, names: list[str], _: int) -> str:
        self.sets[names[0]] = select.epoll()
        self.fds[names[0]] = self.sets[names[0]].fileno()
        return ""

    def _dup(self, names: list[str], _: int) -> str:
        self.fds[names[0]] = os.dup(self.fds[names[1]])
        return ""

    def _fork(self, names: list[str], _: int) -> str:
        self.child = os.fork()
        if self.child == 0:
            signal.alarm(60)  # should the parent fail
            signal.pause()
        return ""

    def _end(self, names: list[str], _: int) -> str:
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)
        return ""

    def _close(self, names: list[str], _: int) -> str:
        os.close(self.fds[names[0]])
        return "0"

    def _write(self, names: list[str], amount: int) -> int:
        return os.write(self.fds[names[0]], b"x" * amount)

    def _read(self, names: list[str], amount: int) -> str:
        data = os.read(self.fds[names[0]], amount)
        return data.decode() if self.path else str(len(data))

    def _add(self, names: list[str], _: int) -> str:
        events = select.EPOLLIN | (select.EPOLLET if len(names) > 2 else 0)
        self.sets[names[0]].register(self.fds[names[1]], events)
        return "0"

    def _delete(self, names: list[str], _: int) -> str:
        self.sets[names[0]].unregister(self.fds[names[1]])
        return "0"

    def _wait(self, names: list[str], _: int) -> str:
        found = self.sets[names[0]].poll(0)
        return "1 event" if len(found) == 1 else f"{len(found)} events"


def main() -> None:
    given = json.load(sys.stdin)
    kernel = Kernel(given["content"])
    results = [kernel.make(each["do"], each["names"], each["amount"]) for each in given["ops"]]
    if kernel.path:
        os.unlink(kernel.path)
    json.dump({"results": results, "numbers": kernel.fds}, sys.stdout)


if __name__ == "__main__":
    main()
