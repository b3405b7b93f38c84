"""Grades answers.toml. The right answer is taken in the forms that people write it in. Nothing says what is right: a
student may hand in more than once."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from labkit import modules
from labkit.lab import Lab, Question
from suite.protocol import Protocol

from grader.host import HostFault
from grader.result import Item

MOST_CHARACTERS = 500
MOST_NOTES = 10
MOST_PARTS = 4  # in which a word may be said again
KINDS = ("number", "bytes", "word")
HOW = {
    "number": "write one number, such as 3 or 1001 or 0x1f",
    "bytes": 'write bytes in hexadecimal, such as "00 03 61"',
    "word": "write one word or a few",
}
NOT_RIGHT = {
    **dict.fromkeys(KINDS, "The answer was understood, and is not right."),
    "word": "This is not the right word. Write the word alone: a sentence around it is not understood.",
}


@dataclass(frozen=True)
class Answer:
    """What is right: a number, bytes, or a text; or a tuple of some, of which each is right."""

    kind: str
    right: Any
    within: float = 0  # how far a number may be off
    unit: str = ""  # of a number, a key of UNITS; "": it counts things
    beside: tuple[str, ...] = ()  # what may stand beside a right word, and is not right alone: its value

    def forms(self) -> tuple[Any, ...]:
        return tuple(self.right) if isinstance(self.right, (tuple, list, set, frozenset)) else (self.right,)


class Unreadable(Exception):
    """Why an answer is none of its kind."""


def parsed(content: bytes) -> tuple[dict[str, Any], str]:
    """What answers.toml says, or why it cannot be read. Editors on Windows put a byte order mark first."""
    try:
        return tomllib.loads(content.decode("utf-8-sig")), ""
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return {}, f"it is not in UTF-8 (at line {line})"
    except tomllib.TOMLDecodeError as error:
        return {}, str(error).splitlines()[0][:200]
    except (ValueError, RecursionError):  # a number of thousands of digits; arrays in arrays in arrays
        return {}, "it has a value that is too long or too deep"


def notes(lab: Lab, answers: Mapping[str, Any]) -> list[str]:
    """What was written and answers no question: a name with a mistake in it, or answers below a table's header."""
    found = []
    for name, value in answers.items():
        if name in {question.name for question in lab.questions}:
            continue
        if isinstance(value, dict):
            found.append(f"the table [{_short(name)[1:-1]}] is not read: take its header away")
        else:
            found.append(f"no question has the name {_short(name)}")
    return [*found[:MOST_NOTES], *(["and more of the kind"] if len(found) > MOST_NOTES else [])]


def grade(
    lab: Lab, protocol: Protocol, word: str, answers: Mapping[str, Any], unreadable: str = ""
) -> list[Item]:
    """An item for each question of the lab. `unreadable`: why there are no answers."""
    rights = _rights(lab, protocol, word)
    items = [_item(question, rights[question.name], answers.get(question.name, "")) for question in lab.questions]
    for item in items if unreadable else ():
        item.came = f"answers.toml cannot be read: {unreadable}"
    return items


def _rights(lab: Lab, protocol: Protocol, word: str) -> dict[str, Answer]:
    path = lab.directory / "answers.py"
    if not path.is_file():
        raise HostFault(f"{path}: cannot be loaded")
    rights: dict[str, Answer] = modules.load(path).answers(protocol, word)
    for question in lab.questions:
        right = rights.get(question.name)
        if right is None or right.kind != question.kind or right.kind not in KINDS:
            raise HostFault(f"{path}: '{question.name}' is not there, or is not of the kind that lab.toml says")
    return rights


def _item(question: Question, right: Answer, given: Any) -> Item:
    text = " ".join(question.text.split())
    item = Item(question.name, "questions", text, question.points, expected=HOW[question.kind])
    if given == "":
        item.came = "no answer"
        return item
    try:
        read, shown = number(given, right.unit) if right.kind == "number" else READERS[question.kind](given)
    except Unreadable as why:
        item.came = f"{_short(given)}: {why}"
        return item
    item.came = f"{_short(given)}{shown}"
    item.passed = _is_right(read, right)
    item.points = item.of if item.passed else 0
    if item.passed:
        item.expected = ""
    else:
        item.cause = NOT_RIGHT[question.kind]
    return item


def _is_right(read: Any, right: Answer) -> bool:
    if right.kind == "number":
        return any(abs(read - Fraction(form)) <= Fraction(right.within) for form in right.forms())
    if right.kind == "bytes":
        return any(read == bytes(form) for form in right.forms())
    forms = {word(form)[0] for form in right.forms()}
    parts = _parts(read)
    return read in forms or (not forms.isdisjoint(parts) and forms.union(right.beside).issuperset(parts))


def _short(given: Any) -> str:
    try:
        said = repr(given)
    except (ValueError, RecursionError):  # an integer of thousands of digits; arrays in arrays
        return "an answer that cannot be shown"
    return said if len(said) <= 80 else f"{said[:80]} …"


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise Unreadable(f"that is a {type(given).__name__}, and no text")
    if len(given) > MOST_CHARACTERS:  # before anything else looks at it
        raise Unreadable(f"longer than {MOST_CHARACTERS} characters")
    return given.strip()


# -- numbers -------------------------------------------------------------------------------------------------

DIGITS = r"\d+|\d{1,3}(?:[, \u00a0\u2009\u202f'_]\d{3})+"
NUMBER = re.compile(
    rf"(?!0[xXbB](?![0-9a-fA-F]))(?:[=~≈]|(?i:about|exactly|approximately) )?\s*(?P<sign>[-+]?)"
    rf"(?:(?P<hex>0[xX][0-9a-fA-F]+)|(?P<bits>0[bB][01]+)"
    rf"|(?P<whole>{DIGITS})(?P<part>\.\d+)?)(?:\s*(?P<unit>[a-zA-Z]+(?:\(2\)|\(\))?))?\s*[.!]?"
)
# What a question may ask in. In each other question these are units of another kind.
UNITS = {
    "bytes": re.compile(r"(?i)b|bytes?|octets?"),
    "ms": re.compile(r"(?i)ms|msecs?|milli(?:s|secs?|seconds?)?"),
    "ns": re.compile(r"(?i)ns|nsecs?|nano(?:s|secs?|seconds?)?"),
}
# "4 KiB" is not 4, and "2 s" is not 2 milliseconds.
SCALES = re.compile(
    r"(?i)[kmgt]i?b?|[kmg]bytes|(kilo|mega|giga|tera|kibi|mebi|gibi|tebi|micro|pico)\w*|tens?|hundreds?|thousands?"
    r"|millions?|billions?|dozens?|pairs?|percents?|s|secs?|seconds?|mins?|minutes?|h|hrs?|hours?|d|days?|weeks?"
    r"|months?|years?|us|usecs?|ps|or|bits?"
)
QUOTES = "\"'`´‘’“”*"
BRACKETS = ("()", "[]", "{}", "<>")


def number(given: Any, unit: str = "") -> tuple[Fraction, str]:
    """Exactly. As TOML's number, or as a text: "3", "3.0", "1,001", "0x3", "3 calls"; "3 bytes" if that is the unit."""
    given = _only(given)
    if isinstance(given, bool):
        raise Unreadable("true and false are no numbers")
    if isinstance(given, float) and not math.isfinite(given):
        raise Unreadable("that is no number")
    if isinstance(given, (int, float)):
        return Fraction(given) if isinstance(given, int) else Fraction(repr(given)), ""
    found = NUMBER.fullmatch(_bare(_text(given)))
    if found is None:
        raise Unreadable("that is not read as one number")
    if found["unit"] and _is_of_another_kind(found["unit"], unit):
        raise Unreadable(f"the question does not ask for a number of '{found['unit']}'")
    if found["hex"] or found["bits"]:
        value = Fraction(int(found["hex"] or found["bits"], 0))
    else:
        value = Fraction(re.sub(r"\D", "", found["whole"]) + (found["part"] or ""))
    value = -value if found["sign"] == "-" else value
    return value, f", read as {_decimal(value)}"


def _only(given: Any) -> Any:
    """A list of one is no list of guesses."""
    return given[0] if isinstance(given, list) and len(given) == 1 else given


def _bare(text: str) -> str:
    """Without what is around all of it: "(3)" and "**3**" are 3."""
    text = text.strip(QUOTES + " ")
    while text[:1] + text[-1:] in BRACKETS:
        text = text[1:-1].strip(QUOTES + " ")
    return text


def _is_of_another_kind(unit: str, asked: str) -> bool:
    if asked and UNITS[asked].fullmatch(unit):
        return False
    return any(each.fullmatch(unit) for each in (SCALES, *UNITS.values()))


def _decimal(value: Fraction) -> str:
    small = value.denominator != 1 and abs(value) < 10**15  # a float has no room for all numbers
    said = f"{float(value):g}" if small else f"{int(value):,}"
    return said if len(said) <= 80 else f"{said[:80]} …"


# -- bytes ---------------------------------------------------------------------------------------------------

ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|([abfnrtv\\'\"]))")
REMARK = re.compile(r"\((?:(?:in )?hex(?:adecimal)?|(\d{1,4}) bytes?)\)\.?$", re.IGNORECASE)
ONE_BYTE = re.compile(r"(?:0[xX])?[0-9a-fA-F]{1,2}h?")
NAMED = dict(zip("abfnrtv\\'\"", b"\a\b\f\n\r\t\v\\'\""))


def as_bytes(given: Any) -> tuple[bytes, str]:
    """Hexadecimal in pairs, with or without blanks, commas, colons and 0x; or text with escapes as in C; or a list of
    numbers, or of texts of a byte each. Behind it may stand "(hex)" or "(3 bytes)"."""
    if isinstance(given, list) and given and all(isinstance(each, str) and ONE_BYTE.fullmatch(each) for each in given):
        read = _hexadecimal(" ".join(each.rjust(2, "0") for each in given))
    elif isinstance(given, list):
        if not all(isinstance(each, int) and not isinstance(each, bool) and 0 <= each <= 255 for each in given):
            raise Unreadable("a list of bytes holds whole numbers from 0 to 255")
        read = bytes(given)
    else:
        text = _text(given)
        remark = REMARK.search(text)
        text = text[: remark.start()].rstrip() if remark else text
        quoted = re.fullmatch(r"b?(['\"])(.*)\1", text, re.DOTALL)
        text = quoted[2] if quoted else text
        read = _escaped(text) if "\\" in text else _hexadecimal(text)
        if remark and remark[1] and int(remark[1]) != len(read):
            raise Unreadable(f"that is {len(read)} bytes, and not {int(remark[1])}")
    return read, f", read as {read[:24].hex(' ')}{' …' if len(read) > 24 else ''}"


def _hexadecimal(text: str) -> bytes:
    parts = [part.removesuffix("h") for part in re.split(r"[\s,;:._|-]+", text.strip("[]{}()<> ").lower()) if part]
    parts = [re.sub(r"^0x", "", part) for part in parts]
    if len(parts) > 1:
        parts = [part.rjust(2, "0") if len(part) == 1 else part for part in parts]
    joined = "".join(parts).replace("0x", "")  # 0x000x03
    if not re.fullmatch(r"(?:[0-9a-f]{2})+", joined):
        raise Unreadable("that is not read as bytes in hexadecimal, two digits each")
    return bytes.fromhex(joined)


def _escaped(text: str) -> bytes:
    found = bytearray()
    at = 0
    while at < len(text):
        match = ESCAPE.match(text, at)
        if match is None:
            if text[at] == "\\" or ord(text[at]) > 126:
                raise Unreadable(f"character {at + 1} is no escape as in C")
            found.append(ord(text[at]))
            at += 1
            continue
        if match[2] and int(match[2], 8) > 255:
            raise Unreadable(f"{match[0]} is more than a byte")
        found.append(int(match[1], 16) if match[1] else int(match[2], 8) if match[2] else NAMED[match[3]])
        at = match.end()
    return bytes(found)


# -- words ---------------------------------------------------------------------------------------------------

NO_QUOTES = str.maketrans("", "", QUOTES)
# "the EMFILE error" and "flag EV_CLEAR" say what the word is.
KIND_OF_WORD = re.compile(
    r"^(?:flag|error|errno|constant) (?=\S)|"
    r"(?<=\S) (?:flag|bit|error|constant|event|(?:system )?call|syscall|function|packet|segment)$"
)
# Before "table" and "set" an A is the name of one (lab 8).
ARTICLES = re.compile(r"^(?:(?:the|an?(?! (?:table|set)$)|it is|its|to|by|with|in) )+")


def word(given: Any) -> tuple[str, str]:
    """Without case, quotes, articles, blanks too many, a section of the manual, what it is a name of, a full stop: "The
    recv(2) call." is recv."""
    text = _text(_only(given)).translate(NO_QUOTES).casefold()
    text = re.sub(r"\((?:\d\w?|)\)", "", text)
    text = re.sub(r" [–—-] ", ": ", text)  # "EMFILE - Too many open files"
    text = re.sub(r"[\s‐‑–-]+", " ", text).strip(" .,;:!?")
    text = KIND_OF_WORD.sub("", ARTICLES.sub("", text))
    if not text:
        raise Unreadable("there is no word")
    return text, ""


def _parts(read: str) -> list[str]:
    """ "a reset (RST)" and "EMFILE: Too many open files" are one answer, said again. Each part has to be right:
    "RST (or FIN)" is not. An empty list: it is not said again."""
    parts = re.split(r"[(),:=]", read.removesuffix(")") if "(" in read else read)
    try:
        return [word(part)[0] for part in parts] if 1 < len(parts) <= MOST_PARTS else []
    except Unreadable:  # nothing between two of the signs
        return []


READERS: dict[str, Callable[[Any], tuple[Any, str]]] = {"number": number, "bytes": as_bytes, "word": word}
