"""A result as Gradescope's results.json. Only fields that its documentation names are used."""

from __future__ import annotations

from typing import Any

from labkit.lab import PARTS

from grader import report_text
from grader.result import Item, Result

HIDDEN = "after_published"
LATER = (
    "{points} of the 100 points are for hidden tests. They have been run, and their results are shown when the grades "
    "are published. They test the same ideas as the visible tests, in other combinations."
)


def convert(result: Result) -> dict[str, Any]:
    """Gradescope adds the scores of the tests up."""
    tests = [_test(number, item) for number, item in enumerate(result.items, 1)]
    later = {
        "name": f"Hidden tests: {PARTS['hidden']} points come later",
        "number": f"{len(tests) + 1}",
        "score": 0,
        "max_score": 0,
        "output": LATER.format(points=PARTS["hidden"]),
        "output_format": "text",
        "status": "passed",
        "visibility": "visible",
    }
    notes = [f"Sandbox: {result.sandbox}", *result.notes]
    return {
        "output": "\n".join(notes),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [*tests, later],
        "extra_data": {"schema": "lab-result/1", "lab": result.lab, "variant": result.variant},
    }


def _test(number: int, item: Item) -> dict[str, Any]:
    lines = report_text.failure(item)[1:] if not item.passed else [item.note] if item.note else ["passed"]
    return {
        "name": f"{report_text.WORDS[item.part]}: {item.title}",
        "number": f"{number}",
        "score": item.points,
        "max_score": item.of,
        "status": "passed" if item.passed else "failed",
        "output": "\n".join(lines).strip(),
        "output_format": "text",
        "tags": [item.part, item.name],
        "visibility": HIDDEN if item.part == "hidden" else "visible",
    }
