"""The server under test, for all tests of this directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from suite import servers
from suite.http_peer import HttpPeer
from suite.server import Server


class Http(Server):
    def talk(self, name: str = "", receive_buffer: int | None = None) -> HttpPeer:
        new = HttpPeer(self.address, name or f"peer {len(self._peers) + 1}", receive_buffer)
        self._peers.append(new)
        return new

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"


@pytest.fixture
def launch() -> Iterator[object]:
    """launch(*options): the server. At the end of the test it must stop cleanly."""
    if reason := servers.absent("http"):
        pytest.skip(f"http: {reason}")
    started: list[Http] = []

    def one(*options: str, **how: object) -> Http:
        started.append(Http("http", *options, **how))  # type: ignore[arg-type]
        return started[-1]

    try:
        yield one
        for server in started:
            if server.process.returncode is None:
                server.stop()
            assert not any("ERROR:" in line or "runtime error" in line for line in server.errors()), server.report()
    finally:
        for server in started:
            server.kill()


@pytest.fixture
def http(launch) -> Http:
    return launch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory to serve, with something beside it that must not be served."""
    directory = tmp_path / "served"
    (directory / "below").mkdir(parents=True)
    (directory / "index.html").write_text("<p>index</p>\n")
    (directory / "below" / "index.html").write_text("<p>below</p>\n")
    (directory / "a b.txt").write_text("with a blank\n")
    (directory / "empty").touch()
    (tmp_path / "secret").write_text("secret\n")
    (tmp_path / "served-beside").mkdir()
    (tmp_path / "served-beside" / "secret").write_text("secret\n")
    (directory / "out").symlink_to("../secret")
    (directory / "out-absolute").symlink_to(tmp_path / "secret")
    (directory / "out-directory").symlink_to("..")
    (directory / "inside").symlink_to("index.html")
    return directory
