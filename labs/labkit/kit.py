"""make lab-kit, make lab-solution: what a student gets, and what an instructor compares with."""

from __future__ import annotations

import argparse
import ast
import gzip
import io
import json
import shlex
import shutil
import sys
import tarfile
import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path, PurePosixPath

import jinja2

from labkit import lab as labs
from labkit import modules, tree
from labkit.lab import LABS, ROOT, BadLab, Lab
from labkit.protocol import digest, of_word
from suite import ending, servers
from suite.protocol import Protocol

PITFALLS = ROOT / "docs" / "pitfalls"
PYTHON_ROOTS = (LABS, ROOT / "harness")
CHECK = "labkit.check"  # what make check runs
SCRIPTS = "labs/scripts.md"  # the format of own tests

Files = dict[str, bytes]  # by the name in the kit


class BadKit(Exception):
    """Why there is no kit, in one line."""


# -- the parts ---------------------------------------------------------------------------------------


def files(lab: Lab, word: str) -> Files:
    """Everything that is in a kit."""
    protocol = of_word(word)
    found: Files = {each.path: tree.starter_text(each, protocol).encode() for each in lab.files}
    found |= _given(lab, protocol)
    found |= _tests(lab, protocol)
    found |= _tools(lab, protocol, word)
    found |= _own_files(lab, protocol, word)
    found["README.md"] = _handout(lab, protocol, word).encode()
    found["Makefile"] = _makefile(lab).encode()
    found["answers.toml"] = _answers(lab, protocol, word).encode()
    found["own/example.json"] = _example(lab).encode()
    found["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    if lab.kind == "server":
        found["own/README.md"] = (ROOT / SCRIPTS).read_bytes()
    return found


def _given(lab: Lab, protocol: Protocol) -> Files:
    """Headers, and the sources that are not handed in. Where those that are handed in stand in the project, there is a
    directory, too: the compiler finds "../common/loop.h" from there."""
    handed_in = {each.source: each.path for each in lab.files}
    found = {path: text for path, text in tree.texts(lab, protocol).items() if path not in handed_in}
    for source, path in handed_in.items():
        beside = PurePosixPath(source)
        if not any(PurePosixPath(each).parent == beside.parent for each in found):
            found[f"{beside.parent}/README"] = f"{beside.name} of this directory is your {path}.\n"
    return {f"given/{path}": text.encode() for path, text in found.items()}


def _tests(lab: Lab, protocol: Protocol) -> Files:
    """The visible ones, with the pages that their failures name. Of a program each case has its input and the right
    output beside it."""
    found: Files = {}
    for test in (test for test in lab.tests if not test.hidden):
        path = lab.script_path(test)
        found[f"tests/{test.script}"] = path.read_bytes()
        if test.pitfall:
            found[f"pitfalls/{test.pitfall}.md"] = _page(test.pitfall).encode()
        if lab.kind == "program":
            module, case = modules.load(lab.directory / "expected.py"), json.loads(path.read_text())
            stem = f"tests/{path.stem}"
            found[f"{stem}.in"] = module.stdin(case, protocol)
            found[f"{stem}.out"] = module.expected(case, protocol)
    return found


def _page(name: str) -> str:
    """Without the part about this project's own tests."""
    return (PITFALLS / f"{name}.md").read_text().partition("**Caught by**")[0].rstrip() + "\n"


def _tools(lab: Lab, protocol: Protocol, word: str) -> Files:
    """What make check runs: our modules that it imports, and kit.json."""
    modules = closure([CHECK])
    found = {f"tools/{name}": path.read_bytes() for name, path in modules.items()}
    if lab.kind == "program":
        found |= {f"tools/lab/{path.name}": path.read_bytes() for path in _case_modules(lab)}
    kit = {
        "lab": lab.number,
        "title": lab.title,
        "kind": lab.kind,
        "program": lab.program,
        "variant": digest(word),
        "protocol": asdict(protocol),
        "files": [each.path for each in lab.files],
        "tests": [
            {key: value for key, value in asdict(test).items() if key != "hidden"}
            for test in lab.tests
            if not test.hidden
        ],
        "questions": {question.name: question.kind for question in lab.questions},
        "needs": lab.needs,
        "refuses": lab.refuses,
    }
    found["tools/kit.json"] = (json.dumps(kit, indent=1, ensure_ascii=False) + "\n").encode()
    return found


def _case_modules(lab: Lab) -> list[Path]:
    """Of a program: what makes input of a case, and the right output. Where the latter would be the answer, the lab has
    a stdin.py beside expected.py, and the kit gets no more than that."""
    if (only := lab.directory / "stdin.py").exists():
        return [only]
    return [path for path in sorted(lab.directory.glob("*.py")) if path.name not in ("answers.py", "kit_files.py")]


def closure(modules: Iterable[str]) -> dict[str, Path]:
    """The files of these modules and of all of ours that they import, by their names below tools/."""
    found: dict[str, Path] = {}
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        place = _module_file(name)
        if name in seen or place is None:
            continue
        seen.add(name)
        root, path = place
        found[str(path.relative_to(root))] = path
        waiting += [name.rpartition(".")[0]] if "." in name else []
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def _module_file(name: str) -> tuple[Path, Path] | None:
    for root in PYTHON_ROOTS:
        path = root.joinpath(*name.split("."))
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file():
                return root, candidate
    return None


def _own_files(lab: Lab, protocol: Protocol, word: str) -> Files:
    """What kit_files.py of the lab adds."""
    path = lab.directory / "kit_files.py"
    return dict(modules.load(path).files(protocol, word)) if path.exists() else {}


# -- texts -------------------------------------------------------------------------------------------


def _environment() -> jinja2.Environment:
    return jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)


def rendered(lab: Lab, protocol: Protocol, word: str, text: str) -> str:
    """A text of the lab with the protocol and its limits in it."""
    return _environment().from_string(text).render(lab=lab, protocol=protocol, variant=digest(word))


def _handout(lab: Lab, protocol: Protocol, word: str) -> str:
    path = lab.directory / "handout.md"
    try:
        return rendered(lab, protocol, word, path.read_text())
    except OSError as error:
        raise BadKit(f"{path}: {error.strerror}") from None
    except jinja2.TemplateError as error:
        raise BadKit(f"{path}: {error}") from None


def _makefile(lab: Lab) -> str:
    handed_in = {each.source for each in lab.files}
    of_files = [
        {
            "path": each.path,
            "name": each.path.removesuffix(".c"),
            "flags": shlex.join([f"-Igiven/{PurePosixPath(each.source).parent}", *tree.extra_flags(lab, "given")]),
        }
        for each in lab.files
    ]
    extra = tree.extra_flags(lab, "given")
    text = (Path(__file__).with_name("Makefile.j2")).read_text()
    return _environment().from_string(text).render(
        lab=lab,
        program=f"build/{lab.program}",
        files=of_files,
        given=[f"given/{path}" for path in tree.source_files(lab) if path not in handed_in],
        flags=shlex.join(tree.COMMON_FLAGS),
        warnings=shlex.join(servers.warnings()),
        link=shlex.join(tree.LINK_FLAGS),
        libraries=shlex.join(tree.LIBRARIES),
        extra=f" {shlex.join(extra)}" if extra else "",
    )


def _answers(lab: Lab, protocol: Protocol, word: str) -> str:
    """One empty line for each question. An answer is one, however it is written."""
    forms = {"number": "a number", "bytes": 'bytes in hexadecimal: "00 03 61"', "word": "a word or two"}
    lines = [f"# Lab {lab.number}: your answers. Leave the quotes empty where you have none."]
    for question in lab.questions:
        text = " ".join(rendered(lab, protocol, word, question.text).split())
        lines += ["", *textwrap.wrap(text, 118, initial_indent="# ", subsequent_indent="# ")]
        lines += [f"# ({forms[question.kind]}; {question.points} points)", f'{question.name} = ""']
    return "\n".join(lines) + "\n"


def _example(lab: Lab) -> str:
    """A test of one's own to begin with. It passes on every right program, and catches next to nothing."""
    if lab.kind == "program":
        return (lab.directory / "example.json").read_text()
    actions = (
        {"do": "send", "peer": 0, "frames": [5]},
        {"do": "settle"},
        {"do": "half_close", "peer": 0},
    )
    about = "one frame, its reply, and the end: an example, to be changed"
    lines = ",\n".join(f"    {json.dumps(action)}" for action in actions)
    return f'{{\n  "schema": "script/2",\n  "about": "{about}",\n  "actions": [\n{lines}\n  ]\n}}\n'


# -- writing it --------------------------------------------------------------------------------------


def name_of(lab: Lab, word: str) -> str:
    return f"lab-{lab.name}-{digest(word)}"


def write(lab: Lab, word: str, content: Files, out: Path | None) -> Path:
    """The directory, and beside it the same as .tar.gz. Both are the same whenever they are made."""
    place = (out or tree.BUILT / "kits") / name_of(lab, word)
    if out is not None and place.exists():
        raise BadKit(f"{place}: is there already; remove it, or name another OUT")
    shutil.rmtree(place, ignore_errors=True)
    for name, data in content.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    place.with_name(f"{place.name}.tar.gz").write_bytes(_archive(place.name, content))
    return place


def _archive(top: str, content: Files) -> bytes:
    raw = io.BytesIO()
    with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed:
        with tarfile.TarFile(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, data in sorted(content.items()):
                entry = tarfile.TarInfo(f"{top}/{name}")
                entry.size, entry.mode = len(data), 0o644
                tar.addfile(entry, io.BytesIO(data))
    return raw.getvalue()


def solution(lab: Lab, word: str) -> Files:
    return {path.name: path.read_bytes() for path in tree.solution(lab, of_word(word)).iterdir()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make lab-kit")
    parser.add_argument("--lab", required=True)
    parser.add_argument("--variant", default="")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--solution", action="store_true")
    arguments = parser.parse_args()
    try:
        if not arguments.lab.isdigit():
            raise BadLab(f"LAB={arguments.lab}: name a lab by its number")
        lab, word = labs.load(int(arguments.lab)), arguments.variant
        if arguments.solution:
            out = (arguments.out or tree.BUILT / "solutions-of") / name_of(lab, word)
            out.mkdir(parents=True, exist_ok=True)
            for name, data in solution(lab, word).items():
                (out / name).write_bytes(data)
            print(f"{out}: {', '.join(each.path for each in lab.files)}")
        else:
            place = write(lab, word, files(lab, word), arguments.out)
            print(f"{place}/\n{place}.tar.gz")
    except (BadLab, BadKit, tree.CannotBuild) as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    ending.run(main, "kit", unread=1)
