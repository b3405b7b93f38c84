"""Files of the project with numbered lines, as far as other pages link to them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markupsafe import Markup

import colours
from page import Page, Site

LANGUAGES = {
    ".c": "c", ".h": "c", ".py": "python", ".sh": "sh", ".toml": "toml", ".json": "json", ".patch": "diff",
    ".mk": "make", ".gp": "gnuplot",
}  # fmt: skip
NUMBERS = "numbers.css"


def pages(site: Site) -> Iterator[Page]:
    most = 1
    for name in sorted(site.sources):
        path = site.source(name)
        wanted = {link.to.partition("#")[2] for link in site.links if link.to.startswith(f"{path}#")}
        suffix = "." + name.rpartition("/")[2].rpartition(".")[2]
        text = site.read(name)
        # Only comments have a colour here: these pages are many, and are there for what others link to.
        lines = [
            [("c" if kind == "c" else "", piece) for kind, piece in line]
            for line in colours.lines(text, LANGUAGES.get(suffix, "text"))
        ]
        most = max(most, len(lines))
        code = Markup("\n").join(
            Markup('<span id="{}">{}</span>').format(anchor, colours.markup(line)) if anchor else colours.markup(line)
            for anchor, line in zip(anchors(text, wanted), lines)
        )
        yield Page(path, name, "docs", site.render("source.html", at=path, name=name, code=code), styles=(NUMBERS,))
    site.files[f"static/{NUMBERS}"] = numbers(most).encode()


def numbers(most: int) -> str:
    """The numbers of the lines stand once, in a style sheet, and not in each page. A column of them is as high as the
    code beside it, because it has no size of its own (`contain`), and what is below the last line is cut off."""
    shown = "\\a ".join(map(str, range(1, most + 1)))
    return (
        f".numbers {{ contain: size; overflow: hidden; width: {len(str(most))}ch; }}\n"
        f'.numbers::before {{ content: "{shown}"; }}\n'
    )


def anchors(text: str, wanted: set[str]) -> list[str]:
    """For each line its anchor, if a link leads there: L12, or the function of a Python file that begins in it."""
    found: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        function = re.match(r"def (\w+)\(", line)
        names = [f"L{number}", function[1] if function else ""]
        found.append(next((each for each in names if each in wanted and each not in found), ""))
    return found
