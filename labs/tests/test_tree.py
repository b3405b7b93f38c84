"""What is built for the labs is built as the Makefile builds it, and planted bugs are what their names say."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from labkit import lab as labs
from labkit import tree
from labkit.lab import ROOT, BadLab, Bug
from labkit.protocol import of_word
from suite import servers

WORD = "tree"


def commands_of_make(target: str) -> list[list[str]]:
    command = ["make", "-Bn", "BUILD=build", target]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [shlex.split(line) for line in result.stdout.splitlines() if " -o " in line and "'" not in line]


def test_the_flags_are_those_of_the_makefile():
    commands = commands_of_make("build/epoll_lt")
    compiles = next(words for words in commands if words[-1] == "epoll_lt/server.c")
    links = next(words for words in commands if words[words.index("-o") + 1] == "build/epoll_lt")
    flags = {word for word in compiles if word.startswith("-")} - {"-MMD", "-MP", "-c", "-o", "-Werror"}
    assert flags == {*tree.COMMON_FLAGS, *servers.warnings()}
    assert set(tree.LINK_FLAGS) | {"-lm"} <= set(links)


def test_what_is_built_is_built_once(monkeypatch):
    lab, protocol = labs.load(1), of_word(WORD)
    program = tree.reference(lab, protocol)
    monkeypatch.setattr(tree, "_run", lambda *_, **__: pytest.fail("it was built again"))
    assert tree.reference(lab, protocol) == program and program.stat().st_mode & 0o111


def test_a_variant_is_another_program_and_its_limits_are_not():
    lab, protocol = labs.load(1), of_word(WORD)
    assert tree.reference(lab, of_word("")) != tree.reference(lab, protocol)
    assert tree.reference(lab, replace(protocol, max_frame=31_000)) == tree.reference(lab, protocol)


def test_a_patch_of_several_servers_is_taken_in_part():
    tree_of = {"epoll_et/server.c": "", "common/loop.c": ""}
    ours = "--- a/common/loop.c\n+++ b/common/loop.c\n@@\n-1\n"
    others = "--- a/poll_srv/server.c\n+++ b/poll_srv/server.c\n@@\n-2\n"
    assert tree._part(ours + others, tree_of) == tree._part(others + ours, tree_of) == ours


@pytest.fixture
def lab_with_a_bug(tmp_path):
    """Lab 1 with one planted bug, whose patch the test writes."""
    (tmp_path / "bugs").mkdir()
    lab = replace(labs.load(1), directory=tmp_path)
    return lab, Bug("planted", "", ("x",), points=1), tmp_path / "bugs" / "planted.patch"


@pytest.mark.parametrize(
    "patch, complaint",
    [
        ("--- a/common/loop.c\n+++ b/common/loop.c\n@@ -1 +1 @@\n-no such line\n+\n", "does not apply"),
        ("--- a/poll_srv/server.c\n+++ b/poll_srv/server.c\n@@ -1 +1 @@\n-x\n+y\n", "changes no file of epoll_lt"),
    ],
)
def test_a_patch_that_does_not_fit_is_said(lab_with_a_bug, patch, complaint):
    lab, bug, path = lab_with_a_bug
    path.write_text(patch)
    with pytest.raises(BadLab, match=f"the patch 'planted' .*{complaint}") as caught:
        tree.patched(lab, of_word(""), bug)
    assert "\n" not in str(caught.value)


def test_a_source_that_does_not_compile_is_no_fault_of_a_student(lab_with_a_bug):
    lab, bug, path = lab_with_a_bug
    first = (ROOT / "common" / "work.c").read_text().splitlines()[0]
    path.write_text(f"--- a/common/work.c\n+++ b/common/work.c\n@@ -1 +1 @@\n-{first}\n+this is no C\n")
    with pytest.raises(tree.CannotBuild) as caught:
        tree.patched(lab, of_word(""), bug)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lab", map(labs.read, labs.directories()), ids=lambda lab: lab.name)
def test_what_each_bug_changes_is_there(lab):
    """Whether its tests fail with it is the self-test's question."""
    texts = tree.texts(lab, of_word(WORD))
    for bug in lab.planted:
        assert tree._part(lab.patch(bug).read_text(), texts), bug.name


def test_the_compiler_sees_headers_and_objects_only():
    lab = labs.load(4)
    given = tree.given(lab, of_word(WORD))
    commands = tree.compile_commands(lab, "/given", "/submission", "/out")
    assert [Path(command[-1]).name for command in commands[:-1]] == ["frame.c", "server.c"]
    assert all("-Werror" not in command and str(given) not in " ".join(command) for command in commands)
    assert commands[-1][-3:] == ["/given/given.a", *tree.LIBRARIES] and "/out/epoll_et" in commands[-1]
