"""Clients that nobody here wrote."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from suite.http_peer import post

BODY = os.urandom(300_000)


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}")


def run(*words: str, give: bytes = b"") -> bytes:
    done = subprocess.run(words, input=give, capture_output=True, timeout=100)
    assert done.returncode == 0, (words, done.returncode, done.stdout[-500:], done.stderr[-500:])
    return done.stdout


@needs("curl")
@pytest.mark.parametrize("options", (
    (), ("-H", "Transfer-Encoding: chunked"), ("-H", "Expect: 100-continue"), ("--http1.0",), ("--http2",),
), ids=" ".join)
def test_curl_echo(http, options: tuple[str, ...]) -> None:
    command = ("curl", "-sS", "--fail", *options, "--data-binary", "@-")
    assert run(*command, f"{http.url}/echo", give=BODY) == BODY
    assert run(*command, f"{http.url}/echo", f"{http.url}/echo", give=BODY[:1000]) == BODY[:1000] * 2


@needs("curl")
def test_curl_files(launch, root: Path) -> None:
    server = launch("--root", str(root))
    (root / "large").write_bytes(BODY * 20)
    assert run("curl", "-sS", "--fail", f"{server.url}/large") == BODY * 20
    assert b"Content-Length: 6000000" in run("curl", "-sSI", "--fail", f"{server.url}/large")
    said = run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", f"{server.url}/nothing")
    assert said == b"404"


@needs("wrk")
def test_wrk(launch, root: Path) -> None:
    server = launch("--root", str(root))
    said = run("wrk", "-t1", "-c20", "-d1s", f"{server.url}/").decode()
    assert int(re.findall(r"(\d+) requests in", said)[0]) > 0
    assert "Socket errors" not in said and "Non-2xx" not in said, said


@needs("h2load")
def test_h2load_pipelines(launch, root: Path) -> None:
    server = launch("--root", str(root))
    said = run("h2load", "--h1", "-n", "2000", "-c", "10", "-m", "8", f"{server.url}/").decode()
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in said, said


@needs("nc")
def test_nc(http) -> None:
    said = run("nc", "-N", *map(str, http.address), give=post(b"hi"))
    assert said.startswith(b"HTTP/1.1 200 OK\r\n") and said.endswith(b"\r\n\r\nhi")


@needs("chromium")
def test_a_browser(launch, root: Path, tmp_path: Path) -> None:
    """It loads the page and a script, and the script posts to /echo and puts the answer into the page."""
    (root / "index.html").write_text("<html><body><p id=a>no</p><script src=s.js></script></body></html>")
    (root / "s.js").write_text(
        "const x = new XMLHttpRequest(); x.open('POST', '/echo', false); x.send('echoed ' + 6 * 7);"
        "document.getElementById('a').textContent = x.responseText;"
    )
    server = launch("--root", str(root))
    said = run(
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", f"{server.url}/",
    )
    assert b"echoed 42" in said, said
