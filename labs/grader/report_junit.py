"""Results as JUnit XML, which CI systems read."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml
from collections.abc import Sequence

from grader import report_text
from grader.result import Result

# What XML 1.0 cannot hold, not even as a character reference (section 2.2).
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def convert(results: Sequence[Result]) -> str:
    """A test suite for each submission, a test case for each item. The grader's own fault is an error of the suite."""
    root = xml.Element("testsuites")
    for result in results:
        _suite(root, result)
    xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(root, encoding="unicode") + "\n"


def _suite(root: xml.Element, result: Result) -> None:
    failed = [item for item in result.items if not item.passed]
    name = _text(f"lab {result.lab}: {result.submission}")
    suite = xml.SubElement(
        root, "testsuite", name=name, tests=str(len(result.items) + bool(result.fault)), failures=str(len(failed)),
        errors=str(int(bool(result.fault))), skipped="0",
    )  # fmt: skip
    properties = xml.SubElement(suite, "properties")
    for key, value in (("points", result.points), ("variant", result.variant), ("sandbox", result.sandbox)):
        xml.SubElement(properties, "property", name=key, value=_text(str(value)))
    for item in result.items:
        case = xml.SubElement(suite, "testcase", classname=f"lab{result.lab}.{item.part}", name=_text(item.title))
        if not item.passed:
            lines = report_text.failure(item)
            message = _text(f"{item.points} of {item.of} points")
            xml.SubElement(case, "failure", message=message, type="points").text = _text("\n".join(lines))
    if result.fault:
        case = xml.SubElement(suite, "testcase", classname=f"lab{result.lab}.grader", name="the submission is graded")
        xml.SubElement(case, "error", message="not graded", type="fault").text = _text(result.fault)


def _text(text: str) -> str:
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
