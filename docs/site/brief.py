"""Shorter pages that say the same: without the tags and the quotes of attributes that HTML lets one leave out, without
empty lines outside code, and with quotes and ">" as they are in text.

A table cell and an item of a list end where the next one begins, or their parent ends; so does a paragraph where any
block begins, and a caption where the rows begin. Behind a caption, the first row begins the body of the table (HTML
Standard, "Optional tags"). White space behind an end tag is then in the cell, so a script trims what it reads there.
Where there was none none comes: between words it would be seen."""

from __future__ import annotations

import re

_FRAME = re.compile(r"\n</body>\n</html>\s*$|</?(?:head|body)>\n")
_PARTS = "(?:li|td|th|tr|dt|dd|tbody|thead)"
_ENDS = re.compile(rf"(\s*)</{_PARTS}>(\s*)(?=<(?:/?{_PARTS}\b|/(?:ul|ol|dl|table)>))")
_CAPTION = re.compile(r"\s*</caption>\s*(?=<(?:thead|tbody|tr)\b)")
_BODY = re.compile(r"(<caption>[^<]*(?:<(?!/?t|/?caption)[^<]*)*)\s*<tbody>\s*(?=<tr\b)")
_BLOCKS = "(?:p|pre|div|section|ul|ol|table|h[1-6]|details|figure|nav|dl)"
_AROUND = "(?:div|section|main|details|figure|nav|blockquote|li|td|dd)"  # a paragraph that is the last in one of these
_PARAGRAPH = re.compile(rf"\s*</p>(\s*)(?=<(?:{_BLOCKS}\b|/{_AROUND}>))")
_TAG = re.compile(r"<[a-z][^<>]*>")
_QUOTED = re.compile(r'="([\w.,/#:%-]+)"(?=[\s>])')
_TEXT = re.compile(r">[^<>]*&(?:#3[49]|gt);[^<>]*<")
_CODE = re.compile(r"(<pre\b.*?</pre>)", re.DOTALL)
_EMPTY_LINES = re.compile(r"\n\s*\n(?=<)")


def brief(html: str) -> str:
    html = _FRAME.sub("", html)
    html = _ENDS.sub(lambda end: "\n" if end[1] or end[2] else "", html)
    html = _CAPTION.sub("", html)
    html = _BODY.sub(r"\1", html)
    html = _PARAGRAPH.sub(lambda end: "\n" if end[1] else "", html)
    html = _TAG.sub(lambda tag: _QUOTED.sub(r"=\1", tag[0]), html)
    html = _TEXT.sub(_as_in_text, html)
    parts = _CODE.split(html)
    parts[::2] = [_EMPTY_LINES.sub("\n", part) for part in parts[::2]]
    return "".join(parts)


def _as_in_text(text: re.Match[str]) -> str:
    return text[0].replace("&#34;", '"').replace("&#39;", "'").replace("&gt;", ">")
