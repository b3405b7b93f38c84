"""One step of a stepper: what happens, the call and its source line, and the state after it as small tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from page import BadSite, Site

TABLE = "Descriptors of the server"
FILES = "Open file descriptions"
BUFFERS = "Socket buffers in the kernel"
KEPT_USER = "Kept in user space"
KEPT_KERNEL = "Kept in the kernel"
HANDS = "User space hands over"
WALKS = "The kernel walks"
BACK = "The kernel hands back"


@dataclass(frozen=True)
class Row:
    name: str
    state: str
    changed: bool = False


@dataclass(frozen=True)
class Panel:
    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Place:
    """A line of a source file, found by a piece of it: the page follows the code."""

    file: str
    piece: str


@dataclass(frozen=True)
class Frame:
    who: str  # "peers", "server" or "kernel"
    text: str
    call: str  # as in the trace, or ""
    place: Place | None
    panels: tuple[Panel, ...]


def panel(title: str, rows: Sequence[tuple[str, str]], before: Frame | None) -> Panel:
    """What is not as it was one step before is marked."""
    old = {} if before is None else {
        (each.title, row.name): row.state for each in before.panels for row in each.rows
    }  # fmt: skip
    new = [Row(name, state, before is not None and old.get((title, name)) != state) for name, state in rows]
    return Panel(title, tuple(new) or (Row("nothing", ""),))


Rows = Sequence[tuple[str, str]]


@dataclass
class Film:
    """Frames, while a model makes them."""

    frames: list[Frame] = field(default_factory=list)

    def add(self, who: str, text: str, call: str, place: Place | None, state: Iterable[tuple[str, Rows]]) -> None:
        before = self.frames[-1] if self.frames else None
        panels = tuple(panel(title, rows, before) for title, rows in state)
        self.frames.append(Frame(who, text, call, place, panels))


@dataclass
class Scene(Film):
    """A server and the kernel below it. What they keep is a subclass's."""

    hands: list[tuple[str, str]] = field(default_factory=list)
    walks: list[tuple[str, str]] = field(default_factory=list)
    back: list[tuple[str, str]] = field(default_factory=list)

    def kept(self) -> Iterator[tuple[str, Rows]]:
        """The panels of what process and kernel keep."""
        raise NotImplementedError

    def show(self, who: str, text: str, call: str = "", place: Place | None = None) -> None:
        wait = ((HANDS, self.hands), (WALKS, self.walks), (BACK, self.back))
        self.add(who, text, call, place, (*self.kept(), *wait))


@dataclass(frozen=True)
class SourceLine:
    file: str
    number: int
    text: str


def found(site: Site, place: Place) -> SourceLine:
    lines = site.read(place.file).splitlines()
    numbers = [number for number, line in enumerate(lines, 1) if place.piece in line]
    if len(numbers) != 1:
        raise BadSite(f"steps: {place.file} has {len(numbers)} lines with '{place.piece}', and not one")
    return SourceLine(place.file, numbers[0], lines[numbers[0] - 1].strip())
