"""docs/experiments.md, taken apart: each experiment has a page of its own, and what they share has another one."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import prose
from suite.servers import ROOT

DOCUMENT = "docs/experiments.md"
INDEX, METHOD = "experiments/index.html", "experiments/method.html"
HEADING = re.compile(r"^(#{2,4}) (.+)$", re.MULTILINE)
EXPERIMENT = re.compile(r"E(\d+) (.+)")
IMAGE = re.compile(r"^!\[[^\]]*\]\(\S*/charts/(\w+)\.svg\)\n", re.MULTILINE)


@dataclass(frozen=True)
class Experiment:
    number: int
    name: str  # without its number
    text: str  # Markdown, without its heading; headings in it begin at level 2

    @property
    def title(self) -> str:
        return f"E{self.number} {self.name}"

    @property
    def page(self) -> str:
        return f"experiments/e{self.number}.html"

    @property
    def question(self) -> str:
        """The paragraph that begins with **Question.**"""
        found = re.search(r"^\*\*Question\.\*\* (.+?)\n\n", self.text, re.MULTILINE | re.DOTALL)
        return found[1].replace("\n", " ") if found else ""

    def pieces(self) -> Iterator[tuple[str, str]]:
        """Its text and its charts in their order: (Markdown, "") or ("", the name of a chart)."""
        parts = IMAGE.split(self.text)
        for place, part in enumerate(parts):
            if place % 2:
                yield "", part
            elif part.strip():
                yield part, ""


@dataclass(frozen=True)
class Document:
    intro: str  # what comes before the first heading of level 2, without the title
    experiments: tuple[Experiment, ...]  # by number
    method: str  # all other sections


@functools.cache
def read(path: Path = ROOT / DOCUMENT) -> Document:
    title, *sections = re.split(r"^(?=## )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    experiments, others = [], []
    for section in sections:
        heading, text = section.removeprefix("## ").split("\n", 1)
        found = EXPERIMENT.fullmatch(heading)
        if found:
            raised = re.sub(r"^##(#+ )", r"#\1", text, flags=re.MULTILINE)
            experiments.append(Experiment(int(found[1]), found[2], _at_home(raised)))
        else:
            others.append(section)
    experiments.sort(key=lambda each: each.number)
    return Document(_at_home(title.split("\n", 1)[1]), tuple(experiments), _at_home("".join(others)))


def _at_home(text: str) -> str:
    """A link within the document may lead to another page of the site now."""
    return text.replace("](#", "](experiments.md#")


@functools.cache
def place(anchor: str) -> str:
    """Where an anchor of the document stands on the site; without an anchor, its first page."""
    if not anchor:
        return INDEX
    for experiment in read().experiments:
        if anchor == prose.anchor(experiment.title):
            return experiment.page
        if anchor in _anchors(experiment.text):
            return f"{experiment.page}#{anchor}"
    return f"{METHOD}#{anchor}"


def _anchors(text: str) -> list[str]:
    return [prose.anchor(heading) for _, heading in HEADING.findall(text)]
