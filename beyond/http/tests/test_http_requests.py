"""Requests and replies: bodies, pipelining, methods, versions, limits."""

from __future__ import annotations

import email.utils
import subprocess
import time

import pytest

from suite import kernel, servers, waiting
from suite.http_peer import chunks, get, post, post_chunked

BODY = bytes(range(256)) * 400


@pytest.mark.parametrize("size", (0, 1, 5, 4096, 65_535, 65_536, 70_000, 1 << 20))
def test_a_body_comes_back(http, size: int) -> None:
    body = (BODY * 11)[:size]
    peer = http.talk()
    for request in (post(body), post_chunked(chunks(body, 1000)), post(body)):
        reply = peer.ask(request)
        assert (reply.status, reply.closes) == (200, False)
        assert reply.body == body


@pytest.mark.parametrize("size", (1, 2, 3, 100_000))
def test_chunks_of_any_size(http, size: int) -> None:
    assert http.talk().ask(post_chunked(chunks(BODY[:20_000], size))).body == BODY[:20_000]


@pytest.mark.parametrize(
    "request_", (post(b"hello"), post_chunked(chunks(b"hello", 2), "A: b")), ids=("length", "chunked")
)
def test_one_byte_a_segment(http, request_: bytes) -> None:
    peer = http.talk()
    for at in range(len(request_)):
        peer.send(request_[at : at + 1])
    assert peer.reply().body == b"hello"


def test_nothing_is_said_before_a_body_is_whole(http) -> None:
    peer = http.talk()
    peer.send(post(b"hello")[:-1])
    http.wait_statistics(lambda s: s["reads"] > 0, "the request was read")
    assert not peer.has_input()
    peer.send(b"o")
    assert peer.reply().body == b"hello"


def test_pipelined_requests_are_answered_in_order(http) -> None:
    """All in one segment: what stands behind a request in the buffer is the next one, and no event announces it."""
    peer = http.talk()
    bodies = [b"%d" % i for i in range(300)]
    peer.send(b"".join(post(each) if i % 2 else post_chunked(chunks(each, 1)) for i, each in enumerate(bodies)))
    assert [peer.reply().body for _ in bodies] == bodies


def test_a_request_that_comes_in_one_segment_with_the_end_of_a_body(http) -> None:
    peer = http.talk()
    first = post(b"x" * 3000)
    peer.send(first[:-1])
    http.wait_statistics(lambda s: s["bytes_in"] >= len(first) - 1, "the first part was read")
    peer.send(first[-1:] + post(b"second"))
    assert (peer.reply().body, peer.reply().body) == (b"x" * 3000, b"second")


def test_pipelined_requests_and_the_end_of_the_input(http) -> None:
    peer = http.talk()
    peer.send(post(b"one") + post(b"two"))
    peer.half_close()
    assert (peer.reply().body, peer.reply().body) == (b"one", b"two")
    peer.expect_end()


def test_the_end_inside_a_request(http) -> None:
    peer = http.talk()
    peer.send(post(b"one") + post(b"two")[:-1])
    peer.half_close()
    assert peer.reply().body == b"one"
    peer.expect_end()
    http.wait_statistics(lambda s: s["closed"]["truncated"] == 1, "it counts as truncated")


def test_methods_and_paths(launch, root) -> None:
    peer = launch("--root", str(root)).talk()
    for request, status, allow in (
        (get("/echo"), 405, "POST"),
        (get("/", method="POST"), 405, "GET, HEAD"),
        (get("/nothing"), 404, None),
        (get("/nothing", method="HEAD"), 404, None),
        (get("/echo", method="HEAD"), 405, "POST"),
        (get("/echo?query", method="POST"), 200, None),
        (get("/%65cho", method="POST"), 200, None),
        (get("/"), 200, None),
    ):
        reply = peer.ask(request)
        assert (reply.status, reply.fields.get("allow"), reply.closes) == (status, allow, False), request


@pytest.mark.parametrize("method", ("DELETE", "PUT", "OPTIONS", "CONNECT", "TRACE"))
def test_other_methods(http, method: str) -> None:
    target = "x:80" if method == "CONNECT" else "/echo"
    reply = http.talk().ask(get(target, method=method))
    assert (reply.status, reply.closes) == (405, True)
    assert reply.fields["allow"]


def test_a_body_that_nobody_wants(http) -> None:
    peer = http.talk()
    reply = peer.ask(post(b"hello").replace(b"/echo", b"/else"))
    assert (reply.status, reply.closes) == (405, True)
    peer.expect_end()


def test_a_reply_has_a_date(http) -> None:
    date = email.utils.parsedate_to_datetime(http.talk().ask(post(b"")).fields["date"])
    assert abs(date.timestamp() - time.time()) < 3600


@pytest.mark.parametrize("word", (
    "close", "Close", "keep-alive, close", ",close", ", close", "close\t", "foo,\tclose", "close\t,foo",
    "foo\t, ,\tclose,", "keep-alive\r\nConnection: close",
))
def test_connection_close(http, word: str) -> None:
    peer = http.talk()
    peer.send(post(b"last", f"Connection: {word}") + post(b"never"))
    reply = peer.reply()
    assert (reply.body, reply.closes) == (b"last", True)
    peer.expect_end()


def test_http_1_0(http) -> None:
    old = post(b"hello").replace(b"1.1", b"1.0").replace(b"Host: x\r\n", b"")
    peer = http.talk()
    kept = peer.ask(old.replace(b"\r\nContent", b"\r\nConnection: keep-alive\r\nContent"))
    assert (kept.body, kept.fields["connection"]) == (b"hello", "keep-alive")
    last = peer.ask(old)
    assert (last.body, last.closes) == (b"hello", True)
    peer.expect_end()


@pytest.mark.parametrize("word", ("", "closed", "close-not", "not close", "x=close", '"close"', "keep-alive"))
def test_other_words_of_connection(http, word: str) -> None:
    """Nor does Proxy-Connection end it: no RFC gives that field a meaning."""
    peer = http.talk()
    for field in (f"Connection: {word}", "Proxy-Connection: close"):
        assert not peer.ask(post(b"hello", field)).closes


@pytest.mark.parametrize("word, kept", (
    ("keep-alive\t", True), (",keep-alive", True), ("foo,\tKeep-Alive", True), ("keep-alive, close", False),
    ("close, keep-alive", False), ("foo", False),
))
def test_connection_of_http_1_0(http, word: str, kept: bool) -> None:
    peer = http.talk()
    assert peer.ask(post(b"", f"Connection: {word}").replace(b"1.1", b"1.0")).closes == (not kept)


def test_expect_100_continue(http) -> None:
    request = post(b"hello", "Expect: 100-continue")
    peer = http.talk()
    assert peer.ask(request[:-5]).status == 100
    assert peer.ask(b"hello").body == b"hello"
    peer.send(request)  # it has not waited: there is nothing to continue
    assert peer.reply().status == 200
    assert peer.ask(post(b"hello", "Expect: 100-continue").replace(b"1.1", b"1.0")).status == 200


def test_expectations_that_cannot_be_met(http) -> None:
    assert http.talk().ask(post(b"", "Expect: a miracle")).status == 417
    peer = http.talk()
    refused = peer.ask(post(b"", "Expect: 100-continue").replace(b"Length: 0", b"Length: 2000000"))
    assert (refused.status, refused.closes) == (413, True)
    peer.expect_end()


def head_of(line: int = 0, header: int = 0, headers: int = 0) -> bytes:
    """A request with a request line, with header lines, of so many bytes, or with so many header lines."""
    fields = [f"A{i}: b" for i in range(headers - 1)] if headers else []
    request = get("/" + "a" * (line - len("GET / HTTP/1.1\r\n")) if line else "/", *fields)
    if header:
        rest = header - (len(request) - request.index(b"\r\n") - 2) - len("B: \r\n")
        request = request[:-2] + b"B: " + b"b" * rest + b"\r\n\r\n"
    return request


@pytest.mark.parametrize(
    "option, most, build, status",
    (
        ("--max-request-line", 100, "line", 414),
        ("--max-header", 200, "header", 431),
        ("--max-headers", 7, "headers", 431),
    ),
)
def test_limits_of_a_head(launch, option: str, most: int, build: str, status: int) -> None:
    server = launch(option, str(most))
    assert server.talk().ask(head_of(**{build: most})).status == 404
    peer = server.talk()
    refused = peer.ask(head_of(**{build: most + 1}))
    assert (refused.status, refused.closes) == (status, True)
    peer.expect_end()


@pytest.mark.parametrize("endless, status", ((b"GET /", 414), (b"GET / HTTP/1.1\r\nA: ", 431)))
def test_a_line_without_an_end(http, endless: bytes, status: int) -> None:
    peer = http.talk()
    peer.send(endless + b"a" * 40_000)
    assert peer.reply().status == status
    peer.expect_end()


@pytest.mark.parametrize("request_", (
    post(b"x" * 101),
    post_chunked(chunks(b"x" * 101, 10)),
    post_chunked(b"65\r\n"),
), ids=("length", "chunks", "one chunk"))
def test_limit_of_a_body(launch, request_: bytes) -> None:
    server = launch("--max-frame", "100")
    assert server.talk().ask(post(b"x" * 100)).status == 200
    assert server.talk().ask(post_chunked(chunks(b"x" * 100, 10))).status == 200
    peer = server.talk()
    refused = peer.ask(request_)
    assert (refused.status, refused.closes) == (413, True)
    peer.expect_end()
    server.wait_error("a message above --max-frame 100: closing")


def test_limits_of_trailers(launch) -> None:
    server = launch("--max-header", "200", "--max-headers", "3")
    assert server.talk().ask(post_chunked(b"0\r\n" + b"A: b\r\n" * 3 + b"\r\n")).status == 200
    assert server.talk().ask(post_chunked(b"0\r\n" + b"A: b\r\n" * 4 + b"\r\n")).status == 431
    assert server.talk().ask(post_chunked(b"0\r\nA: " + b"b" * 200 + b"\r\n\r\n")).status == 431
    assert server.talk().ask(post_chunked(b"0;" + b"b" * 200 + b"\r\n\r\n")).status == 400


@pytest.mark.parametrize("fields, status", (
    (["Host: y"], 400), (["Expect: a miracle"], 417), (["A: " + "b" * 300], 431), (["Content-Length: 5"], 400),
    (["A : b"], 400), (["Transfer-Encoding: gzip, chunked"], 501),
))
def test_an_error_reply_to_head_has_no_content(launch, fields: list[str], status: int) -> None:
    refused_head(launch("--max-header", "200"), get("/", *fields, method="HEAD"), status)


@pytest.mark.parametrize("request_, status", (
    (b"HEAD /" + b"a" * 200, 414), (b"HEAD / HTTP/2.0\r\nHost: x\r\n\r\n", 505), (b"HEAD  / HTTP/1.1\r\n", 400),
    (b"\r\nHEAD /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400), (b"HEAD / HTTP/1.1\r\nHost: x\r\n", 408),
), ids=("long", "version", "blanks", "percent", "late"))
def test_an_error_reply_to_a_head_that_is_no_request(launch, request_: bytes, status: int) -> None:
    refused_head(launch("--max-request-line", "100", "--header-timeout", "0.2"), request_, status)


def refused_head(server, request_: bytes, status: int) -> None:
    peer = server.talk()
    peer.send(post(b"one") + request_)
    assert peer.reply().body == b"one"
    reply = peer.reply(to_head=True)
    assert (reply.status, reply.closes) == (status, True)
    assert int(reply.fields["content-length"]) > 0  # what GET would have got
    peer.expect_end()


def test_behind_head_an_error_has_content_again(launch) -> None:
    peer = launch("--header-timeout", "0.2").talk()
    peer.send(get("/", method="HEAD"))
    assert peer.reply(to_head=True).status == 404
    peer.send(b"\r")
    assert peer.reply().body == b"408 Request Timeout\n"


@pytest.mark.parametrize("extension", (b";" + b"a" * 49, b" " * 49 + b";", b"\t;" + b" " * 48))
def test_limit_of_all_extensions_of_a_body(launch, extension: bytes) -> None:
    """Each of them is short. A limit for each alone would let a peer send megabytes for a body of a few bytes."""
    peer = launch("--max-header", "1000").talk()
    chunk = b"1" + extension + b"\r\nx\r\n"
    for _ in range(2):
        assert peer.ask(post_chunked(chunk * 19 + b"0\r\n\r\n")).body == b"x" * 19
    reply = peer.ask(post_chunked(chunk * 21 + b"0\r\n\r\n"))
    assert (reply.status, reply.closes) == (400, True)
    peer.expect_end()


def test_statistics_count_requests(http) -> None:
    peer = http.talk()
    for _ in range(3):
        peer.ask(post(b"hello"))
    statistics = http.statistics()
    assert (statistics["frames"], statistics["accepted"], statistics["connections"]) == (3, 1, 1)
    assert statistics["buffers"] == 0


def test_help_and_bad_usage(launch) -> None:
    program = str(servers.program("http"))
    said = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    assert "HTTP/1.1" in said and "--root" in said
    bad = subprocess.run([program, "--port", "0", "--root", "/nowhere"], capture_output=True, text=True)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.splitlines()[0] == "http: open /nowhere: No such file or directory"


def test_a_peer_that_does_not_read_is_paused(launch) -> None:
    """And everything comes once it reads: requests that wait in the buffer make no event."""
    server = launch("--high-water", "50000", "--low-water", "10000")
    peer = server.talk(receive_buffer=4096)
    request = post(b"x" * 1000)
    sent = 0
    while server.statistics()["pauses"] == 0:
        sent += peer.send_what_fits(request * 50)
    held = server.statistics()
    assert held["bytes_in"] - held["bytes_out"] < 50_000 + 2 * 65_536 + 4 * 50_000
    other = server.talk("other")
    assert other.ask(post(b"served")).body == b"served"
    whole, part = divmod(sent, len(request))
    for _ in range(whole):
        assert peer.reply().body == b"x" * 1000
    peer.send(request[part:])
    assert peer.reply().body == b"x" * 1000


def test_asleep_with_a_paused_peer(launch) -> None:
    server = launch("--high-water", "50000", "--low-water", "10000")
    peer = server.talk(receive_buffer=4096)
    while server.statistics()["pauses"] == 0:
        peer.send_what_fits(post(b"x" * 1000) * 50)
    waiting.until(lambda: kernel.state(server.pid) == "S", "the server sleeps")
    before = server.statistics()["waits"]
    assert server.statistics()["waits"] - before <= 4
