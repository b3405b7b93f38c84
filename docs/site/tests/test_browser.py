"""The pages in a headless Chromium: what its console says, what it asks for, what does not fit, who cannot use it.

One browser looks at all pages once (browser/check.js); each test here asks for the faults of one kind. It looks in
the same way at browser/broken/, whose pages have one fault each: so each check is known to find something."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from suite.servers import ROOT, build_dir

BROWSER = Path(__file__).resolve().parent / "browser"
BROKEN = BROWSER / "broken"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
MINUTES = 600  # seconds, for everything that one browser does; it takes one minute on two idle cores
pytestmark = pytest.mark.timeout(3 * MINUTES)  # the first test does the work of all, and may wait for another's
# Of each kind of page the first by name, and these, which have something of their own
ALSO = ("experiments/e5.html", "glossary/index.html", "search/index.html", "docs/protocol.html",
        "pitfalls/index.html", "pitfalls/edge-reads-once.html", "pairs/epoll_lt-epoll_et.html", "story/epoll_lt.html")
PRINTED = ("experiments/e2.html", "pairs/select_srv-poll_srv.html")
CHECKS = ("console", "network", "width", "without scripts", "axe, light", "axe, dark", "keyboard", "search", "chart",
          "paper")  # fmt: skip
# A page of broken/, and the check that must name it
FAULTS = {
    "console": "console", "network": "network", "width": "width", "without-scripts": "without scripts",
    "axe-light": "axe, light", "axe-dark": "axe, dark", "keyboard": "keyboard", "focus": "keyboard", "paper": "paper",
}  # fmt: skip


def chromium() -> str:
    for name in CHROMIUMS:
        if program := shutil.which(name):
            return program
    pytest.skip("no Chromium here: apt-get install chromium")


def modules() -> Path:
    """What browser/package-lock.json names, fetched by npm once into the build directory. By one worker at a time."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            pytest.skip(f"no {program} here: apt-get install nodejs npm")
    place = build_dir() / "site-browser"
    names = ("package.json", "package-lock.json")
    here = [place / each for each in names if (place / each).is_file()]
    same = [each.read_bytes() for each in here] == [(BROWSER / each).read_bytes() for each in names]
    if same and (place / "done").is_file():
        return place / "node_modules"
    place.mkdir(parents=True, exist_ok=True)
    (place / "done").unlink(missing_ok=True)
    for name in names:
        shutil.copy(BROWSER / name, place)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    try:
        got = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("npm could not fetch axe-core and chrome-remote-interface in two minutes")
    if got.returncode:
        pytest.skip(f"npm could not fetch axe-core and chrome-remote-interface: {got.stderr.strip().splitlines()[:1]}")
    (place / "done").touch()
    return place / "node_modules"


def sample(pages: Sequence[str]) -> list[str]:
    kinds: dict[str, str] = {}
    for page in sorted(pages):
        kinds.setdefault(page.rpartition("/")[0].split("/")[0], page)
    return sorted({*kinds.values(), *(each for each in ALSO if each in pages)})


def look(root: Path, out: Path, **more: Any) -> dict[str, Any]:
    pages = sorted(each.relative_to(root).as_posix() for each in root.rglob("*.html"))
    plan = {"root": str(root), "out": str(out), "all": pages, "sample": sample(pages), "print": []}
    file = out / f"{root.name}.json"
    file.write_text(json.dumps(plan | more), encoding="utf-8")
    # A session of its own: whatever happens, the browser ends with the program that has started it.
    with subprocess.Popen(
        ["node", str(BROWSER / "check.js"), chromium(), str(file)], env=os.environ | {"NODE_PATH": str(modules())},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as program:  # fmt: skip
        try:
            found, said = program.communicate(timeout=MINUTES)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
    assert program.returncode == 0, said
    return json.loads(found)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Callable[..., dict[str, Any]]:
    """once(name, make): what make() found, made by the first worker of a parallel run that asks for it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base

    def found(name: str, make: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
        kept = shared / f"{name}-found.json"
        with (shared / "site-browser.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            modules()
            if not kept.is_file():
                out = shared / f"{name}-out"
                out.mkdir()
                try:
                    result = make(out)
                except Exception as error:  # the other tests need not try again
                    result = {"failed": str(error)}
                kept.write_text(json.dumps(result), encoding="utf-8")
        result = json.loads(kept.read_text(encoding="utf-8"))
        assert "failed" not in result, result["failed"]
        return result

    return found


@pytest.fixture(scope="module")
def report(once: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    chromium()

    def make(out: Path) -> dict[str, Any]:
        command = [ROOT / "docs/site/build", out / "site"]
        built = subprocess.run(command, capture_output=True, text=True, timeout=MINUTES)
        assert built.returncode == 0, built.stderr
        return look(out / "site", out, print=PRINTED, search="search/index.html", chart="experiments/e4.html")

    return once("site", make)


@pytest.fixture(scope="module")
def broken(once: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    chromium()
    pages = [f"{name}.html" for name in FAULTS]
    return once("broken", lambda out: look(BROKEN, out, sample=pages, print=pages))


@pytest.mark.parametrize("check", CHECKS)
def test_the_pages_have_no_fault(check: str, report: dict[str, Any]) -> None:
    assert report["seen"].get(check, 0) > 0, f"no page was looked at for '{check}'"
    faults = [f"{page}: {words}" for kind, page, words in report["faults"] if kind == check]
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults[:20])


@pytest.mark.parametrize("name", FAULTS)
def test_a_page_with_one_fault_is_found(name: str, broken: dict[str, Any]) -> None:
    assert (FAULTS[name], f"{name}.html") in {(kind, page) for kind, page, _ in broken["faults"]}


def test_a_printed_page_can_be_read(report: dict[str, Any]) -> None:
    """The text of the paper has every paragraph's first words, in their order on the page."""
    if not shutil.which("pdftotext"):
        pytest.skip("no pdftotext here: apt-get install poppler-utils")
    for page, file in report["pdf"].items():
        text = subprocess.run(["pdftotext", file, "-"], capture_output=True, text=True, check=True, timeout=60).stdout
        words = " ".join(text.split())
        assert len(words) > 3000, f"{page}: only {len(words)} characters on paper"
        wanted = {
            "experiments/e2.html": ("E2 Scaling, mostly idle", "What do connections cost", "What we saw", "Verdicts"),
            "pairs/select_srv-poll_srv.html": ("mux_wait", "mux_remove", "FD_SETSIZE"),
        }[page]
        missing = [each for each in wanted if each not in words]
        assert not missing, f"{page}: not on paper: {missing}"
