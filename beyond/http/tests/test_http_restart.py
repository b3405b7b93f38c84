"""A restart: the new program serves who comes, the old one those whom it has."""

from __future__ import annotations

import pytest

from suite.http_peer import get, post


def test_who_comes_is_served_by_the_new_program(launch) -> None:
    http = launch("--drain-timeout", "60")
    old = http.pid
    for _ in range(3):
        before = http.talk()
        assert before.ask(post(b"to the old one")).body == b"to the old one"
        assert http.restart() != old
        old = http.pid
        assert http.talk().ask(post(b"to the new one")).body == b"to the new one"
        assert before.ask(post(b"still to the old one")).body == b"still to the old one"
        before.close()


@pytest.mark.parametrize("many", (1, 3))
def test_replies_that_have_begun_are_sent_whole(launch, root, many: int) -> None:
    """A file by sendfile and a body that is echoed, to peers that read only after the restart."""
    file = bytes(range(251)) * 40_000
    (root / "large").write_bytes(file)
    body = bytes(range(241)) * 4_000
    http = launch("--root", str(root), "--drain-timeout", "60")
    downloads = [http.talk(f"download {i}", receive_buffer=4096) for i in range(many)]
    echoes = [http.talk(f"echo {i}", receive_buffer=4096) for i in range(many)]
    for peer in downloads:
        peer.send(get("/large"))
    for peer in echoes:
        peer.send(post(body))
    http.wait_statistics(lambda s: s["frames"] >= 2 * many, "all requests were read")
    http.restart()
    assert http.talk().ask(get("/index.html")).status == 200
    for peer, expected in [*((each, file) for each in downloads), *((each, body) for each in echoes)]:
        assert peer.reply().body == expected
        peer.close()
