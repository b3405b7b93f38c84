"""Submissions whose points are known: the reference, the starter, right ones that are written otherwise."""

from __future__ import annotations

import shutil
from pathlib import Path

from labkit import cut, modules, tree
from labkit.lab import BadLab, Lab
from labkit.protocol import of_word
from suite.protocol import Protocol

from selftest import frames

HERE = Path(__file__).parent


# -- what belongs to every whole submission --------------------------------------------------------------------


def own_tests(lab: Lab) -> Path:
    """The scripts, or cases, that catch all planted bugs of the lab."""
    return HERE / "own" / lab.name


def answers_text(lab: Lab, word: str) -> str:
    """answers.toml with the right answers, as somebody would write them."""
    module = modules.load(lab.directory / "answers.py")
    lines = []
    for name, answer in module.answers(of_word(word), word).items():
        right = answer.right[0] if isinstance(answer.right, (tuple, list)) else answer.right
        if isinstance(right, (bytes, bytearray)):
            right = right.hex(" ")
        lines.append(f'{name} = "{right}"' if isinstance(right, str) else f"{name} = {right}")
    return "\n".join(lines) + "\n"


def add_the_rest(lab: Lab, word: str, into: Path) -> None:
    shutil.copytree(own_tests(lab), into / "own")
    (into / "answers.toml").write_text(answers_text(lab, word))


# -- the programs ----------------------------------------------------------------------------------------------


def reference(lab: Lab, word: str, into: Path) -> None:
    _copy(tree.solution(lab, of_word(word)), into)


def starter(lab: Lab, word: str, into: Path) -> None:
    _copy(tree.starter(lab, of_word(word)), into)


def _copy(files: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    for path in files.iterdir():
        shutil.copyfile(path, into / path.name)


def right_ones(lab: Lab) -> list[Path]:
    """Directories with right solutions that are written otherwise than the project. Lab 1 is frame.c alone, and every
    right solution brings another one than the project's: frames.py makes it."""
    return sorted(path for path in (HERE / "right" / lab.name).glob("*") if path.is_dir()) or [HERE / "right"]


def right(lab: Lab, word: str, solution: Path, into: Path) -> None:
    right_files(lab, of_word(word), solution, into)


def right_files(lab: Lab, protocol: Protocol, solution: Path, into: Path) -> None:
    """In `solution` stand whole files (server.c), and functions that take the place of those with the same name in the
    project's file (transport_write.c)."""
    _copy(tree.solution(lab, protocol), into)
    replaced: set[str] = set()
    for hand_in in lab.files:
        path = into / hand_in.path
        if hand_in.source == "common/frame.c":
            header = tree.texts(lab, protocol)["common/frame.h"]
            path.write_text(frames.right(protocol, header))
        elif (solution / hand_in.path).is_file():
            shutil.copyfile(solution / hand_in.path, path)
            replaced.add(hand_in.path)
        else:
            path.write_text(_with_functions(path.read_text(), solution, replaced))
    unused = {path.name for path in solution.glob("*.c")} - replaced
    if unused:
        raise BadLab(f"{solution}: {', '.join(sorted(unused))}: there is no such file and no such function in this lab")


def _with_functions(text: str, solution: Path, replaced: set[str]) -> str:
    lines = text.splitlines()
    for each in cut.functions(lines)[::-1]:  # from below, so that numbers of lines above stay
        new = solution / f"{each.name}.c"
        if new.is_file():
            lines[each.comment : each.last + 1] = new.read_text().splitlines()
            replaced.add(new.name)
    return "\n".join(lines) + "\n"
