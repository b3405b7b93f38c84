"""A question of lab 3 has a case of its own for each word, and the kernel and the right program answer it alike."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from grader import questions
from labkit import kit, modules, tree
from labkit import lab as labs
from labkit.protocol import of_word

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the lab is about Linux")

LAB = labs.load(3)
WORDS = ("", "anna", "bert", "carla")
CASES = modules.load(LAB.directory / "kit_files.py")


def as_letters(answers: list[str]) -> str:
    names = {**CASES.LETTERS, "none": CASES.LETTERS[""]}
    return "".join(names[answer] for answer in answers[-len(CASES.ASKED) :])


@pytest.mark.parametrize("word", WORDS)
def test_the_kernel_and_the_right_program_give_the_right_answer(word):
    """From what is in the kit."""
    files = kit.files(LAB, word)
    lines = json.loads(files["question/flags.json"])["operations"]
    assert as_letters(CASES.expected.answers(lines)) == CASES.letters(lines)
    program = tree.reference(LAB, of_word(word))
    said = subprocess.run([program], input=files["question/flags.in"], capture_output=True, check=True)
    assert as_letters(said.stdout.decode().splitlines()) == CASES.letters(lines)
    given = {"flags_in_the_end": CASES.letters(lines)}
    assert [item.passed for item in questions.grade(LAB, of_word(word), word, given)].count(True) == 1


def test_few_words_share_an_answer_and_no_usual_mistake_has_it():
    of_words = {CASES.letters(CASES.operations(str(number))) for number in range(50)}
    assert len(of_words) > 40
    for number in range(50):
        lines = CASES.operations(str(number))
        assert CASES.letters(lines) not in [CASES.letters(lines, wrong) for wrong in CASES.WRONG]


@pytest.mark.parametrize("word", WORDS)
def test_the_answer_stands_nowhere_in_the_kit(word):
    right = CASES.letters(CASES.operations(word)).encode()
    assert not [name for name, content in kit.files(LAB, word).items() if right in content]
