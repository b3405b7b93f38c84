"""What peers do with the HTTP server while one of its calls fails: what Traffic and Timeouts do, and what HTTP adds."""

from __future__ import annotations

import select
import signal
import socket
from pathlib import Path

from faults.scenario import Client, Timeouts, Traffic
from faults.wire import failure, head
from suite import kernel
from suite.frames import payload
from suite.http_peer import chunks, get, post, post_chunked

SMALL, LARGE = b"<p>small</p>\n", payload(300_000, "a file")
REFUSALS = tuple(failure(status) for status in (403, 404, 500, 503))  # of a file that cannot be opened


def make_root(root: Path) -> None:
    """The files that are served."""
    (root / "below").mkdir(parents=True)
    (root / "below" / "index.html").write_bytes(SMALL)
    (root / "large").write_bytes(LARGE)


def reply_of(body: bytes, kind: str = "application/octet-stream") -> bytes:
    return head(200, "OK", kind, len(body)) + body


class Requests(Traffic):
    """Everything that peers do, and a stop in the middle of it."""

    options = (*Traffic.options, "--root", "{root}")
    errors = 1  # the peer that sends a bad request
    prepare = staticmethod(make_root)

    def run(self) -> None:
        self.run_steps(
            self.several_sizes,
            self.pieces,
            self.pipelining,
            self.back_pressure,
            self.chunks,
            self.files,
            self.behind_a_file,
            self.bad_endings,
            self.bad_request,
            self.out_of_descriptors,
            self.lowered_limit,
            self.quiet,
            self.stop,
        )

    def chunks(self) -> None:
        """a body in chunks and in pieces, whose sender waits for 100 Continue"""
        client = self.server.connect("chunks")
        data = payload(9000, "chunks")
        request = post_chunked(chunks(data, 1000), "Expect: 100-continue")
        begun = request.index(b"\r\n\r\n") + 4
        client.ask(request[:begun], b"HTTP/1.1 100 Continue\r\n\r\n")
        client.collect()
        client.owed += self.server.wire.reply(data)
        self._send_in_pieces(client, request[begun:])
        client.collect()

    def files(self) -> None:
        """a small file, its head alone, a name that is not there, a way out"""
        client = self.server.connect("files")
        kind = "text/html; charset=utf-8"
        for request, reply in (
            (get("/below/"), reply_of(SMALL, kind)),
            (get("/below/index.html", method="HEAD"), head(200, "OK", kind, len(SMALL))),
            (get("/missing"), failure(404)),
            (get("/below/../../stats"), failure(404)),
        ):
            refusals = tuple(each.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" for each in REFUSALS)
            client.ask(request, reply, refusals if request.startswith(b"HEAD") else REFUSALS)
            client.collect()
        client.send_frames(b"after the files")
        client.collect()

    def _stuck_file(self, name: str) -> Client:
        """A peer that asks for a large file and for an echo behind it, and does not read until the server waits."""
        echo = self.server.wire.reply(b"behind")
        refusals = tuple(each + echo for each in REFUSALS)

        def ask(client: Client) -> None:
            client.ask(get("/large") + post(b"behind"), reply_of(LARGE) + echo, refusals)

        return self._not_reading(name, ask, "interest_changes", self._is_refused)

    @staticmethod
    def _is_refused(client: Client) -> bool:
        if not select.select([client.socket], [], [], 0)[0]:
            return False
        try:
            came = client.socket.recv(12, socket.MSG_PEEK)
        except ConnectionError:
            return True
        return came != b"HTTP/1.1 200"

    def behind_a_file(self) -> None:
        """a large file whose reader is late, and requests behind it"""
        client = self._stuck_file("late")
        client.send_frames(b"one", b"two")
        client.ask(get("/below/"), reply_of(SMALL, "text/html; charset=utf-8"), REFUSALS)
        self.ping()
        client.collect()
        client.send_frames(b"after the file")
        client.collect()

    def bad_request(self) -> None:
        """a request that is none, and more behind it"""
        client = self.server.connect("bad request")
        client.send_frames(b"before")
        client.ask(b"GET /below/ HTTP/1.1\r\n\r\n" + post(b"not answered"), failure(400, "Connection: close"))
        client.collect_end()
        client.close()

    def stop(self, *others: Client) -> None:
        """SIGTERM with a file and other output under way, half a request and an idle peer; all read to the end"""
        super().stop(self._stuck_file("late at the stop"), *others)


class Stages(Timeouts):
    """Everything that a timeout ends."""

    options = (
        *("--header-timeout", "0.4", "--body-timeout", "0.4", "--keep-alive-timeout", "0.5"),
        *("--idle-timeout", "0.7", "--drain-timeout", "0.2", "--max-lifetime", "1.1", "--max-conns", "6"),
        *("--root", "{root}"),
        *(("--bind", "::1") if not kernel.NO_IPV6 else ()),
    )
    prepare = staticmethod(make_root)

    def run(self) -> None:
        server = self.server
        server.step("peers that stop at each stage, one that reads nothing, a busy one, and one too many")
        late = failure(408, "Connection: close")
        with server.frozen():
            silent = server.connect("silent")
            silent.send_frames(b"one")
            head = server.connect("half a head")
            head.ask(b"POST /ec", late)
            body = server.connect("half a body")
            body.ask(server.wire.begun, late)
            stays = server.connect("stays after a body that is too large")
            stays.ask(server.wire.too_large, server.wire.refusal)
            stuck = server.connect("reads nothing", receive_buffer=4096)
            stuck.send(get("/large"))
            busy = server.connect("busy")
            busy.send_frames(b"one")
            above = server.connect("one above --max-conns")
        server.step("until the server has ended each of them")
        for client in (silent, busy):
            client.collect()
        self.until_its_lifetime_ends(busy)
        for client in (silent, head, body, stays):
            client.collect_end()
        server.wait_statistics(lambda s: s["connections"] == 0, "the end of all connections")
        for client in (above, stuck):  # the one is refused, unless an earlier one was; the other must be cut off
            server.clients.remove(client)
            client.close()
        server.step("SIGTERM without a connection")
        server.signal(signal.SIGTERM)
