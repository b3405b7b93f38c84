"""The kit: whole, without an answer in it, and of use to an ordinary user in an empty place."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from grader.host import HostFault
from grader.result import Item, Outcome
from labkit import check, kit, tree
from labkit import lab as labs
from labkit.cut import functions
from labkit.lab import ROOT, Lab
from labkit.protocol import digest, of_word
from suite.protocol import ECHO

LABS = [labs.read(directory) for directory in labs.directories()]
WORDS = ("", "Zwölfkampf-7")
WORD = WORDS[1]
NOBODY = 65534
every_lab = pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)


def squeezed(text: str) -> str:
    return " ".join(text.split())


def bodies(lab: Lab, word: str) -> Iterator[tuple[str, str]]:
    """The functions that the student writes, as the project has them."""
    for path in tree.solution(lab, of_word(word)).iterdir():
        hand_in = next(each for each in lab.files if each.path == path.name)
        lines = path.read_text().splitlines()
        cut = {each.function for each in hand_in.cut}
        for function in functions(lines):
            if function.name in cut:
                yield function.name, "\n".join(lines[function.brace + 1 : function.last])


@every_lab
@pytest.mark.parametrize("word", WORDS, ids=("public", "variant"))
def test_the_kit_holds_no_answer(lab, word):
    files = kit.files(lab, word)
    texts = {name: squeezed(data.decode(errors="replace")) for name, data in files.items()}
    secret = {f"the body of {name}()": squeezed(body) for name, body in bodies(lab, word)}
    hidden = [test for test in lab.tests if test.hidden]
    secret |= {f"the hidden {test.name}": squeezed(lab.script_path(test).read_text()) for test in hidden}
    secret |= {f"the bug {bug.name}": squeezed(lab.patch(bug).read_text()) for bug in lab.planted}
    if (lab.directory / "stdin.py").exists():
        secret["expected.py"] = squeezed((lab.directory / "expected.py").read_text())
    for what, text in secret.items():
        assert len(text) > 15, f"{what} is too short to be looked for: {text}"
        assert [name for name, content in texts.items() if text in content] == [], what
    assert "answers.py" not in {PurePosixPath(name).name for name in files}
    names = {test.script for test in hidden} - {test.script for test in lab.tests if not test.hidden}
    assert names.isdisjoint(PurePosixPath(name).name for name in files)
    assert '"loses"' not in texts["tools/kit.json"] and "lab.toml" not in {PurePosixPath(name).name for name in files}


@every_lab
def test_the_word_is_not_in_the_kit(lab):
    for name, data in kit.files(lab, WORD).items():
        assert WORD not in name and WORD.encode() not in data, name


@every_lab
@pytest.mark.parametrize("word", WORDS, ids=("public", "variant"))
def test_the_starter_compiles_without_a_warning(lab, word, tmp_path):
    protocol = of_word(word)
    starter, given = tree.starter(lab, protocol), tree.given(lab, protocol)
    for command in tree.compile_commands(lab, str(given), str(starter), str(tmp_path)):
        result = subprocess.run(command, capture_output=True, text=True)
        assert (result.returncode, result.stderr) == (0, ""), result.stderr
    assert (tmp_path / lab.program).exists()


@pytest.mark.parametrize("word", [*WORDS, "mina", "b", "c", "d", "e", "f"])
@pytest.mark.parametrize("lab", [each for each in LABS if each.kind == "server"], ids=lambda lab: lab.name)
def test_the_command_in_a_server_s_first_comment_sends_a_frame_of_the_variant(lab, word):
    texts = tree.texts(lab, of_word(word)).values()
    tried = [command for text in texts for command in re.findall(r"(printf '.*') \| nc", text)]
    assert len(tried) == 1
    sent = subprocess.run(["sh", "-c", tried[0]], capture_output=True, check=True).stdout
    assert sent == of_word(word).frame(b"hello")


@every_lab
def test_what_a_submission_sees_has_no_source(lab):
    names = [path.name for path in tree.given(lab, of_word(WORD)).rglob("*") if path.is_file()]
    assert "given.a" in names and "frame.h" in names or lab.kind == "program"
    assert [name for name in names if not name.endswith((".h", ".a"))] == []


def test_kits_are_the_same_whenever_they_are_made(tmp_path):
    lab = LABS[0]
    first, second = (kit.write(lab, WORD, kit.files(lab, WORD), tmp_path / each) for each in ("a", "b"))
    assert first.name == f"lab-{lab.name}-{digest(WORD)}"
    packed = [place.with_name(f"{place.name}.tar.gz").read_bytes() for place in (first, second)]
    assert packed[0] == packed[1]
    with pytest.raises(kit.BadKit, match="is there already"):
        kit.write(lab, WORD, {}, tmp_path / "a")


def make_kit(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": "harness:labs"}
    command = [sys.executable, "-m", "labkit.kit", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--lab", "99"], "LAB=99: there is no such lab"),
        (["--lab", "four"], "LAB=four: name a lab by its number"),
        (["--lab", "1", "--out", "/dev/null"], "/dev/null"),
    ],
)
def test_bad_usage_is_one_line(arguments, complaint):
    result = make_kit(*arguments)
    assert result.returncode == 2 and result.stdout == ""
    assert complaint in result.stderr and len(result.stderr.splitlines()) == 1


def test_the_solution_is_for_instructors(tmp_path):
    result = make_kit("--lab", "1", "--variant", WORD, "--solution", "--out", str(tmp_path))
    assert result.returncode == 0, result.stderr
    (place,) = tmp_path.iterdir()
    assert [path.name for path in place.iterdir()] == ["frame.c"] and "make" not in result.stderr


# -- as a student ------------------------------------------------------------------------------------


class Student:
    """A kit, unpacked in an empty place by somebody who is not root and has nothing of the project."""

    def __init__(self, place: Path, lab: Lab, word: str):
        made = kit.write(lab, word, kit.files(lab, word), place / "made")
        home = place / "home"
        home.mkdir()
        with tarfile.open(made.with_name(f"{made.name}.tar.gz")) as tar:
            tar.extractall(home, filter="data") if hasattr(tarfile, "data_filter") else tar.extractall(home)
        self.kit = home / made.name
        self.lab = lab
        shutil.rmtree(place / "made")
        self._own(home)
        place.chmod(0o755)

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", path], check=True)

    def make(self, *targets: str) -> subprocess.CompletedProcess[str]:
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.kit), "LC_ALL": "C"}
        return subprocess.run(
            [*user, "make", "-s", *targets], cwd=self.kit, env=environment, capture_output=True, text=True
        )

    def solve(self, word: str) -> None:
        for path in tree.solution(self.lab, of_word(word)).iterdir():
            shutil.copy(path, self.kit)
        self._own(self.kit)


@pytest.fixture
def student() -> Iterator[Student]:
    place = Path(tempfile.mkdtemp(prefix="kit-"))
    try:
        yield Student(place, labs.load(1), WORD)
    finally:
        shutil.rmtree(place)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_a_student_builds_checks_and_hands_in(student):
    built = student.make()
    assert (built.returncode, built.stderr) == (0, "")

    starter = student.make("check")
    assert starter.returncode == 2 and "Visible tests: 0 of 35 points." in starter.stdout
    first = re.search(r"^Next: ([\w-]+)\. `make check T=\1` plays that test alone", starter.stdout, re.MULTILINE)
    assert first is not None and "possible cause:" in starter.stdout and "  1. the server starts:" in starter.stdout

    student.solve(WORD)
    solved = student.make("check")
    assert solved.returncode == 0 and "Visible tests: 35 of 35 points." in solved.stdout, solved.stdout
    assert "Next: write tests of your own" in solved.stdout and "Next: answer the questions" in solved.stdout
    alone = student.make("check", f"T={first[1]}")
    assert alone.returncode == 0 and alone.stdout.count("  pass") == 1

    own = student.make("own")
    assert own.returncode == 0 and "pass  own/example.json" in own.stdout
    assert "Next: put a planted bug into your own program." in own.stdout
    (student.kit / "own" / "bad.json").write_text('{"schema": "script/2", "actions": [{"do": "dance"}]}')
    bad = student.make("own", "T=bad")
    assert bad.returncode == 2 and "dance" in bad.stdout and "Traceback" not in bad.stdout + bad.stderr
    assert "Next: write what is no test anew." in bad.stdout
    (student.kit / "own" / "bad.json").unlink()
    long = [student.kit / "own" / f"long-{number}.json" for number in range(3)]
    for path in long:
        waits = [{"do": "stall"}, {"do": "idle"}]
        path.write_text(json.dumps({"schema": "script/2", "idle_timeout": 5, "actions": waits}))
    slow = student.make("own", "T=example")
    assert slow.returncode == 2 and "Next: let them wait for less." in slow.stdout
    assert "Your tests wait for 30 seconds in all; 24 seconds are the most." in slow.stdout
    for path in long:
        path.unlink()

    handed = student.make("hand-in")
    assert handed.returncode == 0, handed.stderr
    with tarfile.open(student.kit / "hand-in.tar.gz") as tar:
        assert tar.getnames() == ["frame.c", "answers.toml", "own/example.json"]


def test_an_answer_that_nobody_can_read_is_named_before_it_is_handed_in(student):
    answers = student.kit / "answers.toml"
    numbers = [each.name for each in student.lab.questions if each.kind == "number"]
    text = re.sub(rf'(?m)^({"|".join(numbers)}) = ""$', r'\1 = "7 or 8"', answers.read_text())
    answers.write_text(text.replace("7 or 8", "7", 1))
    said = student.make("hand-in").stdout
    assert [name for name in numbers if f"'{name}' in answers.toml otherwise" in said] == numbers[1:] != []
    assert "(that is not read as one number): one number, such as 3" in said


def test_a_byte_order_mark_hides_no_answer_from_the_kit(student):
    """The grader reads them."""
    answers = student.kit / "answers.toml"
    answers.write_text("\ufeff" + "".join(f"{each.name} = 3\n" for each in student.lab.questions))
    said = student.make("hand-in").stdout
    assert "Without an answer" not in said


def test_a_test_that_cannot_be_played_blames_nobody(monkeypatch):
    def play(*_: object) -> Outcome:
        raise HostFault("strace is not installed")

    monkeypatch.setattr(check, "_play", play)
    kit_of_nobody = check.Kit(1, "", "server", "", "", ECHO, [], [], {}, [], [])
    item = check._graded(kit_of_nobody, Item("a", "visible", "b", 4, cause="a bug", pitfall="a page"), Path("a.json"))
    assert (item.passed, item.points, item.cause, item.pitfall) == (False, 0, "", "")
    assert item.came == "the test could not be played: strace is not installed"


def test_the_frame_to_try_is_one_of_the_student_s_protocol(tmp_path):
    """printf(1) of the shell makes it."""
    for word in WORDS:
        lines = kit.files(labs.load(2), word)["server.c"].decode().splitlines()
        printf = next(line for line in lines if "printf '" in line).removeprefix(" *").partition("|")[0]
        made = subprocess.run(["sh", "-c", printf], capture_output=True, check=True).stdout
        assert made == of_word(word).frame(b"hello")
    assert max(len(line) for line in lines) <= 100


def test_a_student_of_another_variant_fails_at_once(student):
    student.solve("somebody else")
    checked = student.make("check")
    assert checked.returncode == 2 and "Visible tests: 35 of 35" not in checked.stdout


def test_mistakes_at_the_command_line_are_one_line(student):
    student.make()
    result = student.make("check", "T=nonsense")
    assert "T=nonsense: there is no such test; there are " in result.stderr and "Traceback" not in result.stderr
    (student.kit / "answers.toml").unlink()
    assert "answers.toml is missing" in student.make("hand-in").stderr


def test_the_python_of_a_kit_needs_nothing_but_python():
    modules = kit.closure([kit.CHECK])
    imported = set()
    for path in modules.values():
        imported |= set(re.findall(r"^\s*(?:import|from) (\w+)", path.read_text(), re.MULTILINE))
    ours = {PurePosixPath(name).parts[0] for name in modules}
    assert sorted(imported - ours - set(sys.stdlib_module_names)) == []
    assert "sandbox" not in json.dumps(sorted(modules)) and "labkit/kit.py" not in modules
