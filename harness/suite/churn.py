"""Peers that come and go without a pause."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

from suite import tls, waiting
from suite.frames import frame, payload


class Crowd:
    """Threads, each of which is one peer after the other, from the beginning to the end of a `with`."""

    def __init__(self, threads: int):
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(i,), daemon=True) for i in range(threads)]

    def peer(self, thread: int, count: int) -> None:
        """From its connect to its end. `count`: of those of this thread."""
        raise NotImplementedError

    def _run(self, thread: int) -> None:
        count = 0
        while not self._over.is_set():
            count += 1
            self.peer(thread, count)

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for each in self._threads:
            each.join()


class Churn(Crowd):
    """Peers that come, send a frame in two pieces, get it back, and go."""

    def __init__(self, address: tuple[str, int], threads: int = 3):
        super().__init__(threads)
        self.address = address
        self.served = 0
        self.lost: list[str] = []

    def peer(self, thread: int, count: int) -> None:
        data = frame(payload(300, (thread, count)))
        try:
            plain = socket.create_connection(self.address, timeout=waiting.PATIENCE)
            with contextlib.closing(tls.over(plain, self.address)) as peer:
                peer.sendall(data[:100])
                peer.sendall(data[100:])
                peer.shutdown(socket.SHUT_WR)
                came = b""
                while piece := peer.recv(4096):
                    came += piece
            if came != data:
                self.lost.append(f"{len(came)} of {len(data)} bytes came back")
            self.served += 1
        except OSError as error:
            self.lost.append(str(error))
