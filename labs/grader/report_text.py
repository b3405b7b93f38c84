"""A result for the terminal."""

from __future__ import annotations

import re
import textwrap

from labkit.lab import PARTS

from grader.result import Item, Result

WORDS = {
    "build": "Build",
    "visible": "Visible tests",
    "hidden": "Hidden tests",
    "own": "Own tests",
    "questions": "Questions",
}
CONTROL = re.compile(r"[^\n\t -~\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
WIDTH = 110


def plain(text: str) -> str:
    """What a submission has written must not move the cursor of who reads it."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def in_a_line(text: str) -> str:
    """A name must not look like a line of the grader's either."""
    return plain(text).replace("\n", r"\n")


def line(item: Item) -> str:
    title = textwrap.shorten(f"{item.name}: {item.title}", WIDTH, placeholder=" …")
    return f"{'pass' if item.passed else 'FAIL'}  {item.points:>3} of {item.of:<3} {title}"


def report(result: Result) -> str:
    """The table of the items, why each of them failed, and the table of the parts."""
    head = f"Lab {result.lab}, {result.title}: {result.submission}"
    variant = f", variant {result.variant}" if result.variant else ""
    lines = [in_a_line(head + variant), f"sandbox: {result.sandbox}", ""]
    for part, name in WORDS.items():
        items = [item for item in result.items if item.part == part]
        lines += [name, *(f"  {line(item)}" for item in items), ""] if items else []
    lines += [text for item in result.items if not item.passed for text in failure(item)]
    lines += [*(f"note: {in_a_line(note)}" for note in result.notes), ""] if result.notes else []
    if result.fault:
        lines += [f"NOT GRADED: {result.fault}", "No points are taken: this is not the submission's fault."]
        return "\n".join(lines)
    lines += [f"{WORDS[part]:<15}{result.of_part(part)[0]:>4} of {of}" for part, of in PARTS.items()]
    lines.append(f"{'Points':<15}{result.points:>4} of {sum(PARTS.values())}")
    return "\n".join(lines)


def failure(item: Item) -> list[str]:
    """What a student learns from. A hidden test shows its pitfall and nothing else; result.json has all of it."""
    lines = [f"{item.name}: {item.title}"]
    if item.part == "hidden":
        return [*lines, f"  read: {item.pitfall or 'the handout, and the causes of the visible tests'}", ""]
    lines += [f"  {number}. {plain(step)}" for number, step in enumerate(item.steps, 1)]
    for name, text in (("expected", item.expected), ("came", item.came), ("possible cause", item.cause),
                       ("read", item.pitfall), ("note", item.note)):  # fmt: skip
        if text:
            first, *others = plain(text).split("\n")
            lines += [f"  {name}: {first}", *(f"    {other}" for other in others)]
    if item.trace:
        lines += ["  calls:", *(f"    {each}" for each in plain(item.trace).split("\n"))]
    return [*lines, ""]
