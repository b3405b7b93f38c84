"""Requests that two programs could take apart differently. Each must be refused, and the connection must end: what
comes behind it could be anything. The README of the server has the same table; the last test compares them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from suite import servers
from suite.http_peer import post, post_chunked

NEXT = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
README = servers.ROOT / "beyond" / "http" / "README.md"


@dataclass(frozen=True)
class Case:
    name: str
    status: int
    section: str
    request: bytes


def lines(*each: str, first: str = "POST /echo HTTP/1.1", host: bool = True, body: bytes = b"") -> bytes:
    head = [first, *(["Host: x"] if host else []), *each]
    return "".join(f"{line}\r\n" for line in head).encode("latin-1") + b"\r\n" + body


LENGTH = "Content-Length: 5"
CHUNKED = "Transfer-Encoding: chunked"
HOSTS = (
    ("a port that is no number", "a:b"),
    ("two ports", "a:80:80"),
    ("a bracket that stays open", "[::1"),
    ("empty brackets", "[]"),
    ("a closing bracket", "a]"),
    ("a name in brackets", "[a]"),
    ("a later IP version", "[v7.a]"),
    ("a name behind brackets", "[::1]a"),
    ("a lone percent sign", "%"),
    ("broken percent-encoding", "%zz"),
    ("a user", "a@x"),
)
CASES = (
    Case("two lengths that differ", 400, "RFC 9112, 6.3", lines(LENGTH, "Content-Length: 6", body=b"helloX")),
    Case("two lengths that are equal", 400, "RFC 9112, 6.3", lines(LENGTH, LENGTH, body=b"hello")),
    Case("two lengths in one field", 400, "RFC 9112, 6.3", lines("Content-Length: 5, 5", body=b"hello")),
    Case("length, then chunked", 400, "RFC 9112, 6.1", lines(LENGTH, CHUNKED, body=b"0\r\n\r\n")),
    Case("chunked, then length", 400, "RFC 9112, 6.1", lines(CHUNKED, LENGTH, body=b"0\r\n\r\n")),
    Case("length with a plus", 400, "RFC 9110, 8.6", lines("Content-Length: +5", body=b"hello")),
    Case("length with a minus", 400, "RFC 9110, 8.6", lines("Content-Length: -5", body=b"hello")),
    Case("length in hexadecimal", 400, "RFC 9110, 8.6", lines("Content-Length: 0x5", body=b"hello")),
    Case("length with a blank in it", 400, "RFC 9110, 8.6", lines("Content-Length: 5 5", body=b"hello")),
    Case("empty length", 400, "RFC 9110, 8.6", lines("Content-Length:", body=b"hello")),
    Case("length above 64 bits", 400, "RFC 9110, 8.6", lines("Content-Length: 18446744073709551621", body=b"hello")),
    Case("bare LF behind the request line", 400, "RFC 9112, 2.2", b"POST /echo HTTP/1.1\nHost: x\r\n\r\n"),
    Case("bare LF behind a field", 400, "RFC 9112, 2.2", b"POST /echo HTTP/1.1\r\nHost: x\nA: b\r\n\r\n"),
    Case("bare LF in place of the empty line", 400, "RFC 9112, 2.2", b"POST /echo HTTP/1.1\r\nHost: x\r\n\n"),
    Case("bare CR in a value", 400, "RFC 9112, 2.2", lines("A: b\rContent-Length: 5")),
    Case("folded line", 400, "RFC 9112, 5.2", lines("A: b", " folded")),
    Case("folded line that hides a coding", 400, "RFC 9112, 5.2", lines("Transfer-Encoding:", "\tchunked")),
    Case("blank before the first field", 400, "RFC 9112, 2.2", lines(" A: b", host=False)),
    Case("blank before the colon", 400, "RFC 9112, 5.1", lines("Content-Length : 5", body=b"hello")),
    Case("field without a colon", 400, "RFC 9112, 5", lines("Nothing")),
    Case("field without a name", 400, "RFC 9112, 5", lines(": value")),
    Case("obs-text in a name", 400, "RFC 9110, 5.1", lines("\xc3\xa4: b")),
    Case("NUL in a name", 400, "RFC 9110, 5.1", lines("A\0: b")),
    Case("NUL in a value", 400, "RFC 9110, 5.5", lines("A: b\0c")),
    Case("control character in a value", 400, "RFC 9110, 5.5", lines("A: b\x08c")),
    Case("obs-text in the target", 400, "RFC 9112, 3.2", lines(first="GET /\xc3\xa4 HTTP/1.1")),
    Case("NUL in the target", 400, "RFC 9112, 3.2", lines(first="GET /\0 HTTP/1.1")),
    Case("encoded NUL in the target", 400, "RFC 3986, 7.3", lines(first="GET /%00 HTTP/1.1")),
    Case("broken percent-encoding", 400, "RFC 3986, 2.1", lines(first="GET /%2 HTTP/1.1")),
    Case("two blanks in the request line", 400, "RFC 9112, 3", lines(first="POST  /echo HTTP/1.1")),
    Case("blank behind the version", 400, "RFC 9112, 3", lines(first="POST /echo HTTP/1.1 ")),
    Case("blank in the target", 400, "RFC 9112, 3.2", lines(first="GET /a b HTTP/1.1")),
    Case("no version (HTTP/0.9)", 400, "RFC 9112, 3", b"GET /\r\n\r\n"),
    Case("target without a slash", 400, "RFC 9112, 3.2", lines(first="GET echo HTTP/1.1")),
    Case("absolute target with a user", 400, "RFC 9110, 4.2.4", lines(first="GET http://a@x/ HTTP/1.1")),
    Case("fragment in the target", 400, "RFC 9112, 3.2", lines(first="GET /a#b HTTP/1.1")),
    Case("fragment behind a query", 400, "RFC 9112, 3.2", lines(first="GET /a?b#c HTTP/1.1")),
    Case("fragment in an absolute target", 400, "RFC 9112, 3.2", lines(first="GET http://x/#a HTTP/1.1")),
    Case("absolute target without a host", 400, "RFC 9110, 4.2.1", lines(first="GET http://:80/ HTTP/1.1")),
    Case("absolute target with two ports", 400, "RFC 9112, 3.2", lines(first="GET http://x:80:80/ HTTP/1.1")),
    Case("absolute target of another scheme", 400, "RFC 9110, 7.4", lines(first="GET ftp://x/ HTTP/1.1")),
    Case("asterisk with GET", 400, "RFC 9112, 3.2.4", lines(first="GET * HTTP/1.1")),
    Case("HTTP/2.0", 505, "RFC 9110, 15.6.6", lines(first="GET / HTTP/2.0")),
    Case("method that nobody knows", 501, "RFC 9110, 9.1", lines(first="FETCH / HTTP/1.1")),
    Case("method in small letters", 501, "RFC 9110, 9.1", lines(first="get / HTTP/1.1")),
    Case("no Host in HTTP/1.1", 400, "RFC 9112, 3.2", lines(first="GET / HTTP/1.1", host=False)),
    Case("two Hosts", 400, "RFC 9112, 3.2", lines("Host: y", first="GET / HTTP/1.1")),
    Case("two Hosts in HTTP/1.0", 400, "RFC 9112, 3.2", lines("Host: x", first="GET / HTTP/1.0")),
    Case("Host that is none", 400, "RFC 9112, 3.2", lines("Host: x/../y", first="GET / HTTP/1.1", host=False)),
    *(
        Case(f"Host with {what}", 400, "RFC 9112, 3.2", lines(f"Host: {host}", first="GET / HTTP/1.1", host=False))
        for what, host in HOSTS
    ),
    Case("xchunked", 400, "RFC 9112, 6.3", lines("Transfer-Encoding: xchunked", body=b"0\r\n\r\n")),
    Case("identity", 400, "RFC 9112, 6.3", lines("Transfer-Encoding: identity", body=b"0\r\n\r\n")),
    Case("chunked, identity", 400, "RFC 9112, 6.3", lines("Transfer-Encoding: chunked, identity")),
    Case("chunked, chunked", 400, "RFC 9112, 6.1", lines("Transfer-Encoding: chunked, chunked")),
    Case("chunked in two fields", 400, "RFC 9112, 6.1", lines(CHUNKED, CHUNKED, body=b"0\r\n\r\n")),
    Case("chunked with a parameter", 400, "RFC 9112, 6.3", lines("Transfer-Encoding: chunked;q=1")),
    Case("empty Transfer-Encoding", 400, "RFC 9112, 6.3", lines("Transfer-Encoding:", LENGTH, body=b"hello")),
    Case("chunked, and an empty element", 400, "RFC 9110, 5.6.1", lines(CHUNKED + ",", body=b"0\r\n\r\n")),
    Case("Transfer-Encoding of a comma", 400, "RFC 9112, 6.3", lines("Transfer-Encoding: ,", body=b"0\r\n\r\n")),
    Case("gzip, chunked", 501, "RFC 9112, 6.1", lines("Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n")),
    Case("chunked in HTTP/1.0", 400, "RFC 9112, 6.1", lines(CHUNKED, first="POST /echo HTTP/1.0", body=b"0\r\n\r\n")),
    Case("GET with a body", 400, "RFC 9110, 9.3.1", lines(LENGTH, first="GET / HTTP/1.1", body=b"hello")),
    Case("chunk size of 17 digits", 400, "RFC 9112, 7.1", post_chunked(b"10000000000000005\r\nhello\r\n0\r\n\r\n")),
    Case("chunk size of 16 digits", 413, "RFC 9112, 7.1", post_chunked(b"fffffffffffffffb\r\nhello\r\n0\r\n\r\n")),
    Case("chunk size with 0x", 400, "RFC 9112, 7.1", post_chunked(b"0x5\r\nhello\r\n0\r\n\r\n")),
    Case("chunk size with a plus", 400, "RFC 9112, 7.1", post_chunked(b"+5\r\nhello\r\n0\r\n\r\n")),
    Case("chunk size with a minus", 400, "RFC 9112, 7.1", post_chunked(b"-5\r\nhello\r\n0\r\n\r\n")),
    Case("no chunk size", 400, "RFC 9112, 7.1", post_chunked(b"\r\nhello\r\n0\r\n\r\n")),
    Case("blank behind a chunk size", 400, "RFC 9112, 7.1", post_chunked(b"5 \r\nhello\r\n0\r\n\r\n")),
    Case("bare LF behind a chunk size", 400, "RFC 9112, 7.1", post_chunked(b"5\nhello\r\n0\r\n\r\n")),
    Case("bare CR in a chunk extension", 400, "RFC 9112, 7.1.1", post_chunked(b"5;a\rbc\r\nhello\r\n0\r\n\r\n")),
    Case("bare LF in a chunk extension", 400, "RFC 9112, 7.1.1", post_chunked(b"5;a\nhello\r\n0\r\n\r\n")),
    Case("chunk longer than its size", 400, "RFC 9112, 7.1", post_chunked(b"5\r\nhelloXX0\r\n\r\n")),
    Case("bare LF behind a chunk", 400, "RFC 9112, 7.1", post_chunked(b"5\r\nhello\n0\r\n\r\n")),
    Case("blank before a trailer's colon", 400, "RFC 9112, 5.1", post_chunked(b"0\r\nA : b\r\n\r\n")),
    Case("folded trailer", 400, "RFC 9112, 5.2", post_chunked(b"0\r\nA: b\r\n c\r\n\r\n")),
    Case("bare LF behind a trailer", 400, "RFC 9112, 2.2", post_chunked(b"0\r\nA: b\n\r\n")),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_is_refused_and_the_connection_ends(http, case: Case) -> None:
    peer = http.talk()
    reply = peer.ask(case.request + NEXT)
    assert (reply.status, reply.closes) == (case.status, True)
    peer.expect_end()  # so NEXT was not answered


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_is_refused_in_pieces_of_a_byte_too(http, case: Case) -> None:
    """A parser that works when all comes at once may lose its place between two reads."""
    peer = http.talk()
    for at in range(len(case.request)):
        peer.send(case.request[at : at + 1])
    peer.half_close()
    reply = peer.reply()
    assert (reply.status, reply.closes) == (case.status, True)
    peer.expect_end()


def test_nothing_is_answered_behind_a_refusal_but_what_came_before_it_is(http) -> None:
    peer = http.talk()
    peer.send(post(b"one") + post(b"two") + CASES[0].request + NEXT)
    assert [peer.reply().body for _ in range(2)] == [b"one", b"two"]
    assert peer.reply().status == 400
    peer.expect_end()


def test_a_refusal_is_read_although_the_peer_goes_on_sending(http) -> None:
    """Input that is unread at close(2) becomes a reset, and destroys the reply (RFC 9112, 9.6)."""
    peer = http.talk()
    peer.send(CASES[0].request + b"x" * 100_000)
    assert peer.reply().status == 400
    peer.expect_end()


ALLOWED = {
    "obs-text in a value": (post(b"hello", "A: ä"), 200),
    "one empty line before a request": (b"\r\n" + post(b"hello"), 200),
    "an extension of a chunk": (post_chunked(b'5;name="value" ; other\r\nhello\r\n0\r\n\r\n'), 200),
    "trailers": (post_chunked(b"5\r\nhello\r\n0\r\nA: b\r\nContent-Length: 3\r\n\r\n"), 200),
    "chunked in capitals": (post_chunked(b"5\r\nhello\r\n0\r\n\r\n").replace(b"chunked", b"CHUNKED"), 200),
    "tabs around a value": (post(b"hello", "A: \t b \t"), 200),
    "zeros before a chunk size": (post_chunked(b"0000000000000005\r\nhello\r\n00\r\n\r\n"), 200),
    "absolute target": (post(b"hello").replace(b" /echo", b" http://other.example:80/echo"), 200),
    **{
        f"Host: {host}": (post(b"hello").replace(b"Host: x", b"Host: " + host.encode()), 200)
        for host in ("", "x:80", "x:", "[::1]", "[::1]:80", "[::ffff:192.0.2.1]", "192.0.2.1", "a%20b", "a_b!c")
    },
    **{
        f"target {target[:25].decode()}": (post(b"hello").replace(b"/echo", target), 200)
        for target in (
            b"http://x:/echo", b"HTTP://x/echo?query", b"http://[::1]:80/echo", b"/ech%6F", b"/echo?" + b"q" * 8000,
        )
    },
    "tab behind a length": (post(b"hello").replace(b"Length: 5", b"Length:\t5\t \t"), 200),
    "tab behind a coding": (post_chunked(b"5\r\nhello\r\n0\r\n\r\n").replace(b"chunked", b"\tchunked\t"), 200),
    "HTTP/1.2": (post(b"hello").replace(b"1.1", b"1.2"), 200),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_allowed_is_taken(http, name: str) -> None:
    request, status = ALLOWED[name]
    peer = http.talk()
    for _ in range(2):
        reply = peer.ask(request)
        assert (reply.status, reply.body, reply.closes) == (status, b"hello", False)


def test_the_readme_has_the_same_table() -> None:
    rows = re.findall(r"^\| (.+?) \| (\d{3}) \| (RFC .+?) \|$", README.read_text(), re.MULTILINE)
    assert rows == [(each.name, str(each.status), each.section) for each in CASES]
