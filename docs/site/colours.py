"""Source text in colours: Pygments reads it, and few classes mark what it found, so that pages stay small."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pygments.lexers
import pygments.util
from markupsafe import Markup, escape
from pygments.token import Comment, Generic, Keyword, Literal, Name

# The classes of static/site.css. What is not here has the colour of the text. Keywords are the most frequent, so they
# do without a class on the page.
CLASSES = {
    Comment: "c", Comment.Preproc: "p", Comment.PreprocFile: "s", Keyword: "k", Name.Function: "f", Name.Class: "f",
    Literal.String: "s", Literal.Number: "m", Generic.Inserted: "gi", Generic.Deleted: "gd", Generic.Subheading: "gu",
    Generic.Heading: "gu",
}  # fmt: skip


class UnknownLanguage(Exception):
    """Names it."""


def tokens(source: str, language: str) -> Iterator[tuple[str, str]]:
    """The class of each piece of text, or "", and the text. Neighbours of one class are one piece."""
    try:
        lexer = pygments.lexers.get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except pygments.util.ClassNotFound:
        raise UnknownLanguage(f"Pygments knows no language '{language}'") from None
    last, gathered = "", ""
    for kind, text in lexer.get_tokens(source):
        while kind not in CLASSES and kind.parent is not None:
            kind = kind.parent
        name = CLASSES.get(kind, "")
        if not text.strip():
            name = last  # blanks have no colour
        if name != last and gathered:
            yield last, gathered
            gathered = ""
        last, gathered = name, gathered + text
    if gathered:
        yield last, gathered


def markup(pieces: Iterable[tuple[str, str]]) -> Markup:
    return Markup("").join(coloured(name, text) if name else escape(text) for name, text in pieces)


def coloured(name: str, text: str) -> Markup:
    if name == CLASSES[Keyword]:
        return Markup("<i>{}</i>").format(text)
    return Markup("<i class={}>{}</i>").format(name, text)


def lines(source: str, language: str) -> list[list[tuple[str, str]]]:
    """The pieces of each line, without its end."""
    result: list[list[tuple[str, str]]] = [[]]
    for name, text in tokens(source, language):
        first, *others = text.split("\n")
        if first:
            result[-1].append((name, first))
        for other in others:
            result.append([(name, other)] if other else [])
    if not result[-1]:
        result.pop()
    return result
