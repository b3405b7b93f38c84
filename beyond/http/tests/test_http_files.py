"""Files: which are served and which are not, and how a large one leaves."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

import pytest

from suite import kernel, preload, waiting
from suite.http_peer import get, post

without_openat2 = preload.library("without_openat2.c")
sendfile_fails = preload.library("sendfile_fails.c")

OUTSIDE = (
    "/../secret", "/below/../../secret", "/%2e%2e/secret", "/..%2fsecret", "/%2e%2e%2fsecret", "//../secret",
    "/below/%2e%2e/%2e%2e/secret", "/../served-beside/secret", "/out", "/out-absolute", "/out-directory/secret",
    "/out-directory/served/index.html", "/proc/self/environ", "//etc/passwd", "/%2fetc/passwd", "/etc/passwd",
)


@pytest.fixture(params=("openat2", "without openat2"))
def served(request: pytest.FixtureRequest, launch, root: Path):
    """The server with files, by each of the two ways to open them."""
    environment = {}
    if request.param == "without openat2":
        if reason := preload.absent():
            pytest.skip(reason)
        environment = {"LD_PRELOAD": str(request.getfixturevalue("without_openat2"))}
    server = launch("--root", str(root), environment=environment)
    server.way = request.param
    return server


def test_files_are_served(served, root: Path) -> None:
    peer = served.talk()
    for path, body, kind in (
        ("/", b"<p>index</p>\n", "text/html; charset=utf-8"),
        ("/index.html", b"<p>index</p>\n", "text/html; charset=utf-8"),
        ("/below/", b"<p>below</p>\n", "text/html; charset=utf-8"),
        ("/below//index.html", b"<p>below</p>\n", "text/html; charset=utf-8"),
        ("/./index.html?query=1", b"<p>index</p>\n", "text/html; charset=utf-8"),
        ("/" + "./" * 1500 + "index.html", b"<p>index</p>\n", "text/html; charset=utf-8"),
        ("http://x", b"<p>index</p>\n", "text/html; charset=utf-8"),
        ("http://x?query", b"<p>index</p>\n", "text/html; charset=utf-8"),
        ("/a%20b.txt", b"with a blank\n", "text/plain; charset=utf-8"),
        ("/empty", b"", "application/octet-stream"),
    ):
        reply = peer.ask(get(path))
        assert (reply.status, reply.body, reply.fields["content-type"]) == (200, body, kind), path
        head = peer.ask(get(path, method="HEAD"))
        assert (head.status, head.fields["content-length"]) == (200, str(len(body))), path


def test_a_link_that_stays_inside(served) -> None:
    """Without openat2 no link is followed: nobody could say that it still leads there when it is opened."""
    assert served.talk().ask(get("/inside")).status == (200 if served.way == "openat2" else 404)


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_outside_is_served(served, path: str) -> None:
    reply = served.talk().ask(get(path))
    assert reply.status == 404, reply.body[:100]
    assert b"secret" not in reply.body


def test_what_is_no_file_is_not_served(served, root: Path) -> None:
    """A FIFO in particular: open(2) of one waits for a writer."""
    os.mkfifo(root / "fifo")
    peer = served.talk()
    for path in ("/fifo", "/below", "/index.html/", "/index.html/x", "/nothing/x", "/" + "x" * 300, "/x" * 4000):
        assert peer.ask(get(path)).status == 404, path


def test_a_file_that_may_not_be_read(served, root: Path) -> None:
    (root / "closed").write_text("closed")
    (root / "closed").chmod(0)
    if os.access(root / "closed", os.R_OK):
        pytest.skip("this user may read every file")
    assert served.talk().ask(get("/closed")).status == 403


def test_no_descriptor_stays_open(served) -> None:
    peer = served.talk()
    peer.ask(get("/"))
    served.statistics()  # by now it has closed the file
    before = kernel.descriptors(served.pid)
    for path in ("/", "/empty", "/below/", "/below", "/out", "/below/../../secret", "/nothing/x", "/index.html/x"):
        peer.ask(get(path))
        peer.ask(get(path, method="HEAD"))
    served.statistics()
    assert kernel.descriptors(served.pid) == before


def large(root: Path, size: int = 10_000_000) -> bytes:
    data = os.urandom(1 << 20) * (size >> 20) + b"the end"
    (root / "large").write_bytes(data)
    return data


def test_a_large_file_is_never_in_memory(launch, root: Path) -> None:
    """sendfile(2) takes less than was asked again and again; each time there is more."""
    data = large(root)
    server = launch("--root", str(root))
    peer = server.talk()
    peer.ask(get("/"))
    before = kernel.memory_bytes(server.pid, "VmHWM")
    for _ in range(2):
        assert peer.ask(get("/large")).body == data
    if not os.environ.get("BUILD_DIR", "").endswith("asan"):
        assert kernel.memory_bytes(server.pid, "VmHWM") - before < 2_000_000
    assert server.statistics()["copied_bytes"] < 10_000


def test_requests_behind_a_file_wait_for_it(launch, root: Path) -> None:
    """Its bytes and those of the next reply must not mix."""
    data = large(root, 8_000_000)
    peer = launch("--root", str(root)).talk()
    peer.send((get("/large") + get("/") + post(b"hello") + get("/empty")) * 3)
    for _ in range(3):
        assert peer.reply().body == data
        assert [peer.reply().body for _ in range(3)] == [b"<p>index</p>\n", b"hello", b""]


def test_many_pipelined_files(launch, root: Path) -> None:
    peer = launch("--root", str(root)).talk()
    peer.send(get("/") * 1000)
    assert {peer.reply().body for _ in range(1000)} == {b"<p>index</p>\n"}


def test_a_peer_that_does_not_read_a_file_holds_up_nobody(launch, root: Path) -> None:
    large(root)
    server = launch("--root", str(root))
    server.talk(receive_buffer=4096).send(get("/large"))
    server.wait_statistics(lambda s: s["interest_changes"] > 0, "the file is stuck")
    assert server.talk().ask(post(b"hello")).body == b"hello"
    waiting.until(lambda: kernel.state(server.pid) == "S", "the server sleeps")
    before = server.statistics()["waits"]
    assert server.statistics()["waits"] - before <= 4


@pytest.mark.parametrize("version", ("1.1", "1.0"))
def test_the_last_file_of_a_connection_comes_whole(launch, root: Path, version: str) -> None:
    """drain-timeout must not count while the file is on its way."""
    data = large(root, 8_000_000)
    peer = launch("--root", str(root), "--drain-timeout", "0.05").talk(receive_buffer=4096)
    peer.send(get("/large", "Connection: close").replace(b"1.1", version.encode()))
    begin = peer.receive(4096)
    time.sleep(0.3)  # longer than drain-timeout; a server that counts it has closed by now
    peer.put_back(begin)
    reply = peer.reply()
    assert (reply.body, reply.closes) == (data, True)
    peer.expect_end()


def test_a_file_that_becomes_shorter_ends_the_connection(launch, root: Path) -> None:
    """The promised length cannot come any more, and what comes next must not be taken for its rest."""
    data = large(root)
    server = launch("--root", str(root))
    peer = server.talk(receive_buffer=4096)
    peer.send(get("/large") + get("/"))
    server.wait_statistics(lambda s: s["interest_changes"] > 0, "the file is stuck")
    os.truncate(root / "large", 1000)
    came = bytearray()
    try:
        while piece := peer.socket.recv(1 << 20):
            came += piece
    except ConnectionResetError:
        pass
    assert len(came) < len(data)
    assert b"index" not in came
    server.wait_statistics(lambda s: s["closed"]["error"] == 1, "the connection has ended")


@pytest.mark.parametrize("why", ("shorter", "unreadable"))
def test_a_file_that_cannot_be_finished_destroys_no_earlier_reply(
    launch, root: Path, request: pytest.FixtureRequest, why: str
) -> None:
    """Input is unread when it ends. So closing at once would be a reset, and drop what waits in the send buffer."""
    environment = {}
    if why == "unreadable":
        if reason := preload.absent():
            pytest.skip(reason)
        environment = {"LD_PRELOAD": str(request.getfixturevalue("sendfile_fails"))}
    large(root)
    server = launch("--root", str(root), "--high-water", "10000000", environment=environment)
    peer = server.talk(receive_buffer=4096)
    peer.send(post(b"x" * 50_000) * 61 + get("/large"))
    server.wait_statistics(lambda s: s["frames"] == 62, "the file is open")
    peer.send_what_fits(get("/") * 20_000)
    os.truncate(root / "large", 1000)
    assert {peer.reply().body for _ in range(61)} == {b"x" * 50_000}
    rest = bytearray()
    while piece := peer.socket.recv(1 << 16):  # a reset raises here
        rest += piece
    assert b"index" not in rest
    peer.close()
    server.wait_statistics(lambda s: s["closed"]["error"] == 1, "the connection has ended")


def test_no_descriptor_for_a_file(launch, root: Path) -> None:
    server = launch("--root", str(root))
    peer = server.talk()
    assert peer.ask(get("/")).status == 200
    server.statistics()  # by now it has closed the file
    limit = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (kernel.descriptors(server.pid), limit[1]))
    assert peer.ask(get("/")).status == 503
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limit)
    reply = peer.ask(get("/"))
    assert (reply.status, reply.closes) == (200, False)


def test_a_slow_reader_of_a_file_is_not_idle(launch, root: Path) -> None:
    """send(2) and sendfile(2) are far ahead of it: bytes move in the kernel only."""
    data = large(root, 3_000_000)
    server = launch("--root", str(root), "--idle-timeout", "0.5", "--keep-alive-timeout", "0")
    peer = server.talk(receive_buffer=16384)
    peer.send(get("/large"))
    came = b""
    while len(came) < len(data):
        came += peer.socket.recv(60_000)
        time.sleep(0.05)
    assert came.endswith(b"the end")


@pytest.mark.parametrize("why", ("stop", "lifetime"))
def test_requests_behind_a_file_are_answered_before_the_end(launch, root: Path, why: str) -> None:
    """They were read before the server decided to end the connection. Only the part of one is dropped."""
    data = large(root)
    options = ("--max-lifetime", "1") if why == "lifetime" else ()
    server = launch("--root", str(root), "--drain-timeout", "20", *options)
    peer = server.talk(receive_buffer=100_000)
    peer.send((get("/large") + post(b"behind") + get("/")) * 2 + get("/")[:-1])
    server.wait_statistics(lambda s: s["interest_changes"] > 0, "the file is stuck")
    if why == "stop":
        server.signal(signal.SIGTERM)
    else:
        time.sleep(1.2)
    for _ in range(2):
        assert [peer.reply().body for _ in range(3)] == [data, b"behind", b"<p>index</p>\n"]
    peer.expect_end()
    peer.close()
    if why == "stop":
        assert server.wait_exit() == 0
    else:
        server.wait_statistics(lambda s: s["closed"]["lifetime"] == 1, "its lifetime is over")


def test_drain_timeout_bounds_the_wait_for_requests_behind_a_file(launch, root: Path) -> None:
    large(root)
    server = launch("--root", str(root), "--drain-timeout", "0.2")
    peer = server.talk(receive_buffer=4096)
    peer.send(get("/large") + get("/"))
    server.wait_statistics(lambda s: s["interest_changes"] > 0, "the file is stuck")
    server.signal(signal.SIGTERM)
    assert server.wait_exit() == 0


def test_a_stop_sends_the_rest_of_a_file(launch, root: Path) -> None:
    data = large(root)
    server = launch("--root", str(root), "--drain-timeout", "20")
    peer = server.talk(receive_buffer=100_000)
    peer.send(get("/large"))
    server.wait_statistics(lambda s: s["interest_changes"] > 0, "the file is stuck")
    server.signal(signal.SIGTERM)
    assert peer.reply().body == data
    peer.expect_end()
    peer.close()
    assert server.wait_exit() == 0
