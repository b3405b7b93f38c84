"""The grader's commands: labs/run grader --help. Exit status 0: graded, whatever the score; 1: not graded, and not by
the submission's fault; 2: usage; 128 and more: a signal ended it."""

from __future__ import annotations

import argparse
import contextlib
import glob
import io
import resource
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

from labkit import lab as labs
from suite import ending, kernel

from grader import gradescope, level, report_csv, report_junit, report_text, scratch, signals
from grader.host import HostFault
from grader.result import FILE, Result, named
from grader.session import Order, alone, dies_with, end_cells, run, submission_name
from grader.submission import ARCHIVES, is_archive

RESULTS = labs.ROOT / "results" / "labs"
OF_CLASS = ("class.csv", "junit.xml")  # beside the directories of the submissions


def main(arguments: Sequence[str]) -> int:
    for stream in (sys.stdout, sys.stderr):  # the name of a directory may be no UTF-8
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        with signals.heard(end_cells):
            return options.run(options)
    except labs.BadLab as error:
        print(error, file=sys.stderr)
        return 2
    except HostFault as error:
        print(f"not graded: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except OSError as error:
        if error.filename == ending.STANDARD_OUTPUT:
            raise
        print(report_text.in_a_line(f"{error.filename}: {error.strerror}"), file=sys.stderr)
        return 1
    except signals.Ended as ended:
        print(ended, file=sys.stderr)
        return ended.status


class _Parser(argparse.ArgumentParser):
    """What is wrong is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="labs/run grader", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("grade", help="grades one submission, and shows why it lost points")
    one.add_argument("--dir", required=True, type=Path, help="the submission: a directory, a .zip or a .tar.gz")
    one.set_defaults(run=_grade)
    many = commands.add_parser("grade-all", help="grades a class")
    many.add_argument("--dirs", required=True, help="a pattern, such as 'class/*'")
    many.add_argument("--jobs", type=int, default=2, help="how many at a time (2)")
    many.set_defaults(run=_grade_all)
    pack = commands.add_parser("gradescope", help="makes the .zip that Gradescope wants")
    pack.set_defaults(run=_gradescope)
    inside = commands.add_parser("gradescope-run", help="grades in Gradescope's container")
    inside.add_argument("--root", type=Path, default=Path("/autograder"), help="(/autograder)")
    inside.set_defaults(run=_gradescope_run)
    for each in (one, many, pack, inside):
        each.add_argument("--lab", required=True, type=_number, help="its number")
        each.add_argument("--variant", default="", help="the word of the protocol; {} is the submission's name")
    for each in (one, many, pack):
        each.add_argument("--out", type=Path, help="where the results go (results/labs/…)")
    cell = commands.add_parser("cell")  # of its own: session.py starts it
    for name in ("lab", "word", "source", "out", "name", "parent", "why_weak", "user", "network"):
        cell.add_argument(name)
    cell.add_argument("--progress", action="store_true")
    cell.set_defaults(run=_cell)
    return parser


def _number(word: str) -> int:
    if not word.isdecimal() or len(word) > 3:
        raise argparse.ArgumentTypeError(f"LAB={word!r}: a lab has a number")
    return int(word)


# -- one -------------------------------------------------------------------------------------------------------


def _grade(options: argparse.Namespace) -> int:
    lab = labs.load(options.lab)
    why = _not_gradable(options.dir)
    if why:
        print(report_text.in_a_line(f"DIR={options.dir}: {why}"), file=sys.stderr)
        return 2
    order = _order(lab, options, options.dir, options.out)
    began = time.monotonic()
    result = run(order, level.find(), progress=True)
    print("\n" + report_text.report(result))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{order.out}/{FILE}; {time.monotonic() - began:.0f} s, {used.ru_utime + used.ru_stime:.0f} of a processor")
    _write(order.out / "junit.xml", report_junit.convert([result]))
    gradescope.write(result, order.out / "results.json")
    return 1 if result.fault else 0


def _order(lab: labs.Lab, options: argparse.Namespace, source: Path, out: Path | None) -> Order:
    name = submission_name(source)
    return Order(lab, options.variant, source, out or RESULTS / lab.name / name, name)


def _not_gradable(source: Path) -> str:
    """Why not; empty if it can be graded."""
    try:
        if source.is_dir() or source.is_file() and is_archive(source.name):
            return ""
        return f"is neither a directory nor one of {', '.join(ARCHIVES)}" if source.exists() else "is not there"
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"


# -- a class ---------------------------------------------------------------------------------------------------


def _grade_all(options: argparse.Namespace) -> int:
    lab = labs.load(options.lab)
    if options.jobs < 1:
        print(f"JOBS={options.jobs}: at least 1", file=sys.stderr)
        return 2
    sources = _sources(options.dirs)
    out = options.out or RESULTS / lab.name
    orders = [_order(lab, options, source, out / submission_name(source)) for source in sources]
    why = _collision(orders, out) if orders else "there is nothing to grade"
    if why:
        print(report_text.in_a_line(f"DIRS={options.dirs}: {why}"), file=sys.stderr)
        return 2
    with alone(out):
        return _graded_all(options, orders, out)


def _graded_all(options: argparse.Namespace, orders: Sequence[Order], out: Path) -> int:
    found = level.find()
    print(f"{len(orders)} submissions, {options.jobs} at a time; sandbox: {found.name}", flush=True)

    begun: dict[str, Result] = {}  # by the name, which is there once

    def one(order: Order) -> None:
        result = begun[order.name] = run(order, found)
        points = f"not graded: {result.fault}" if result.fault else f"{result.points} of 100"
        print(report_text.in_a_line(f"{order.name}: {points}"), flush=True)

    faults = 0
    try:
        try:
            with ThreadPoolExecutor(options.jobs) as pool:
                list(pool.map(one, orders))
        finally:
            signals.deafen()
    finally:  # whatever has ended it, also a signal that came before deafen(): what has been graded is not lost
        if begun:
            faults = _write_class(out, orders, begun, found)
    return 1 if faults else 0


def _write_class(out: Path, orders: Sequence[Order], begun: Mapping[str, Result], found: level.Level) -> int:
    """How many have no points. Whose turn has not come is in the tables, so that nobody is missed; what an earlier
    class has left of it stays."""
    why = f"not begun: {signals.Ended(signals.came[0])}" if signals.came else "not begun"
    results = [begun.get(order.name) or order.not_graded(found, why) for order in orders]
    _write(out / "class.csv", report_csv.convert(results))
    _write(out / "junit.xml", report_junit.convert(results))
    for order in orders:
        if order.name in begun and order.out.is_dir():  # otherwise its fault says why there is none
            _write(order.out / "report.txt", report_text.report(begun[order.name]) + "\n")
    faults = sum(bool(result.fault) for result in results)
    print(f"{out}/class.csv" + (f"; {faults} not graded" if faults else ""), flush=True)
    return faults


def _sources(pattern: str) -> list[Path]:
    """What cannot be graded is named: whose work it is would miss in the table without a word."""
    found = []
    for path in map(Path, sorted(glob.glob(pattern))):
        why = _not_gradable(path)
        if why:
            print(f"{report_text.in_a_line(str(path))}: skipped: {why}", file=sys.stderr)
        else:
            found.append(path)
    return found


def _collision(orders: Sequence[Order], out: Path) -> str:
    """Why the results cannot be written, before anything is graded; empty if they can."""
    names = [order.name for order in orders]
    for order in orders:
        if names.count(order.name) > 1:
            return f"two submissions have the name {order.name}"
        if order.name in OF_CLASS:
            return f"{order.source}: {order.name} is the name of a file of the class"
        if order.name in ("", ".", ".."):
            return f"{order.source}: a submission needs a name"
        if order.out.exists() and not order.out.is_dir():
            return f"{order.out}: is no directory"
    return next((f"{out / name}: is a directory" for name in OF_CLASS if (out / name).is_dir()), "")


def _write(path: Path, text: str) -> None:
    with named(path):
        path.write_text(text, encoding="utf-8", errors="backslashreplace")  # a name may be no UTF-8


# -- Gradescope ------------------------------------------------------------------------------------------------


def _gradescope(options: argparse.Namespace) -> int:
    lab = labs.load(options.lab)
    target = options.out or RESULTS / f"gradescope-{lab.name}.zip"
    gradescope.pack(lab, options.variant, target)
    print(f"{target}: upload it as the autograder (labs/instructors.md)")
    return 0


def _gradescope_run(options: argparse.Namespace) -> int:
    """Without results.json, Gradescope says that the autograder has failed, and gives no points and no 0."""
    lab = labs.load(options.lab)
    name = gradescope.submitter(options.root)
    order = Order(lab, options.variant, options.root / "submission", options.root / "graded", name)
    result = run(order, level.find())
    print(report_text.report(result))
    gradescope.write(result, options.root / "results" / "results.json")
    return 1 if result.fault else 0


# -- in the namespace of a submission ----------------------------------------------------------------------------


def _cell(options: argparse.Namespace) -> int:
    """The processes end before their files go. Orphans of the submission are ours once a signal has come, and not
    before: a zombie that we adopt would count among its user's processes."""
    with signals.heard(kernel.adopt_orphans):
        dies_with(int(options.parent))
        with scratch.own():
            try:
                return _graded(options)
            except signals.Ended:
                signals.end_descendants()
                raise
            finally:
                signals.deafen()


def _graded(options: argparse.Namespace) -> int:
    from grader import grade  # it imports all that plays

    of = level.enter(options.why_weak, options.user, options.network)
    out = Path(options.out)

    def progress(result: Result) -> None:
        result.save(out)
        if options.progress and not result.complete:
            print(report_text.line(result.items[-1]), flush=True)

    task = grade.Task(labs.load(int(options.lab)), options.word, Path(options.source), options.name, of, progress)
    try:
        grade.grade(task)
    except signals.Ended as ended:  # what has been graded so far stays
        if not task.result.complete:
            task.result.fault = str(ended)
            with contextlib.suppress(OSError):
                task.result.save(out)
        raise
    except HostFault as fault:
        traceback.print_exc()
        task.result.fault = str(fault)
    except Exception as error:  # a fault of ours takes no points either
        traceback.print_exc()
        task.result.fault = f"{type(error).__name__}: {error}"
    task.result.save(out)
    return 1 if task.result.fault else 0


if __name__ == "__main__":
    ending.run(lambda: main(sys.argv[1:]), "grader", unread=1)
