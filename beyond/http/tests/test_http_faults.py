"""The sweep of faults over the HTTP server (docs/faults.md): a part, and how it tells right replies from wrong."""

from __future__ import annotations

import pytest

from faults import sweep, trial
from faults.scenario import Client, Subject
from faults.wire import Http, failure
from suite import servers

SHARE = 12  # every twelfth pair


@pytest.mark.skipif(
    not trial.program_of("http").exists(), reason=f"{servers.build_dir().name}/ has no http with faults (faults.mk)"
)
@pytest.mark.cause("a call's failure is not looked at, or handled wrongly: the finding says which")
def test_a_share_of_the_sweep() -> None:
    if reason := servers.absent("http"):
        pytest.skip(f"http: {reason}")
    sweep.check_complete(["http"])
    where = sweep.count("http", ["requests"], times=1)
    findings = sweep.share(where, 0, SHARE)
    assert not findings, "\n".join(["", *findings])


def test_nothing_but_the_date_may_be_anything() -> None:
    due = Http.reply(b"abc")
    came = due.replace(b"?" * 29, b"Sat, 28 Nov 2026 01:02:03 GMT")
    for end in range(len(came) + 1):
        assert Http.known(came[:end]) == due[:end]
    assert Http.known(came.replace(b"abc", b"abd")) != due


def test_where_a_reply_ends() -> None:
    replies = Http.reply(b"abc") + failure(404) + b"HTTP/1.1 100 Continue\r\n\r\n" + Http.reply(b"")
    assert Http.ends_between(b"") and Http.ends_between(replies)
    assert not Http.ends_between(replies[:-1]) and not Http.ends_between(Http.reply(b"abc")[:-1])


class Told(Client):
    """A client to which the replies are told."""

    def __init__(self) -> None:
        self.server = Subject.__new__(Subject)
        self.server.wire = Http
        self.owed, self.came, self.instead, self.refused, self.cut = bytearray(), bytearray(), [], False, True

    def hears(self, came: bytes) -> bool:
        self.came += came
        return self._is_right()


@pytest.mark.parametrize("came, right, refused", (
    (Http.reply(b"file"), True, False), (failure(503), True, True), (failure(500), False, False),
))  # fmt: skip
def test_a_file_may_be_refused_and_what_is_behind_it_may_not(came: bytes, right: bool, refused: bool) -> None:
    client = Told()
    client.ask(b"", Http.reply(b"file"), (failure(404), failure(503)))
    client.ask(b"", Http.reply(b"behind"))
    assert client.hears(came) == right
    assert client.refused == refused
    assert not right or (client.hears(Http.reply(b"behind")) and not client.hears(failure(503)))
