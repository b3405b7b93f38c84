"""Diagrams of states, as SVG that is drawn from a few lines of text. The same lines are the diagram's alternative."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup

from page import Site

HEIGHT = 44  # of a state with one line of text; units of the drawing are CSS pixels at full size
LINE = 17


@dataclass(frozen=True)
class State:
    name: str
    x: float  # its middle
    y: float
    says: str = ""  # a second line, smaller

    @property
    def width(self) -> float:
        return max(8.6 * len(self.name), 6.6 * len(self.says)) + 26

    @property
    def height(self) -> float:
        return HEIGHT + (LINE if self.says else 0)


@dataclass(frozen=True)
class Step:
    origin: str
    to: str
    why: str
    bend: float = 0  # how far its middle lies to the left of the straight line, seen in its direction
    shift: tuple[float, float] = (0, 0)  # of its text


@dataclass(frozen=True)
class Diagram:
    name: str
    title: str
    width: int
    height: int
    states: tuple[State, ...]
    steps: tuple[Step, ...]

    def draw(self, site: Site, at: str) -> Markup:
        states = {each.name: each for each in self.states}
        drawn = [_drawn(each, states[each.origin], states[each.to]) for each in self.steps]
        return site.render("diagram.html", at=at, diagram=self, drawn=drawn, line=LINE)


@dataclass(frozen=True)
class Drawn:
    path: str
    x: float
    y: float
    words: list[str]


def _drawn(step: Step, origin: State, to: State) -> Drawn:
    dx, dy = to.x - origin.x, to.y - origin.y
    length = math.hypot(dx, dy)
    middle = ((origin.x + to.x) / 2 + step.bend * dy / length, (origin.y + to.y) / 2 - step.bend * dx / length)
    begin, end = _border(origin, middle, 0), _border(to, middle, 3)
    # The point that a quadratic curve is pulled to lies twice as far out as the curve itself.
    pulled = (2 * middle[0] - (begin[0] + end[0]) / 2, 2 * middle[1] - (begin[1] + end[1]) / 2)
    numbers = " ".join(f"{each:.1f}" for each in (*pulled, *end))
    words = step.why.split("\n")
    x, y = middle[0] + step.shift[0], middle[1] + step.shift[1] - (len(words) - 1) * LINE / 2
    return Drawn(f"M{begin[0]:.1f} {begin[1]:.1f}Q{numbers}", round(x, 1), round(y, 1), words)


def _border(state: State, towards: tuple[float, float], gap: float) -> tuple[float, float]:
    """Where the line from its middle leaves the rectangle of a state."""
    dx, dy = towards[0] - state.x, towards[1] - state.y
    scale = min(
        (state.width / 2 + gap) / abs(dx) if dx else math.inf, (state.height / 2 + gap) / abs(dy) if dy else math.inf
    )
    return state.x + dx * scale, state.y + dy * scale
