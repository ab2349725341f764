"""A picture before it is a file: boxes in boxes, lines of text, strokes and signs, with places in whole pixels.

A box's children, texts, strokes and signs are placed relative to its upper left corner, so a layout is put together from
the inside out and moved as a whole. INVARIANT of every layout: siblings do not overlap, children and texts lie within
their box. `looks` name classes of the style sheet; what they look like is not known here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from policyd.graph.measure import FONTS, line, lines, width

__all__ = [
    "SIGN", "Box", "Paragraph", "Scene", "Sign", "SignKind", "Stroke", "Text", "all_boxes", "beside", "flow", "one_line",
    "paragraph", "stack",
]  # fmt: skip

SIGN = 14
"""Width and height of a sign."""

SignKind: TypeAlias = Literal["yes", "no", "not-proved", "reject", "forbid", "then", "on-prem", "cloud"]


@dataclass(frozen=True, slots=True)
class Text:
    """One line; `x` is its left end, `y` its baseline. `whole`: all of a text that was cut."""

    x: int
    y: int
    text: str
    font: str
    width: int
    look: str = ""
    whole: str | None = None


@dataclass(frozen=True, slots=True)
class Sign:
    """A small drawing of `SIGN` pixels; `says` is its meaning in words."""

    x: int
    y: int
    kind: SignKind
    says: str = ""


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line of straight pieces; with an arrow's head at its end or without."""

    points: tuple[tuple[int, int], ...]
    look: str = "edge"
    arrow: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle that is drawn if it has a look, with what lies in it. `says`: what a pointer on it tells."""

    width: int
    height: int
    look: str = ""
    x: int = 0
    y: int = 0
    round: int = 8
    texts: tuple[Text, ...] = ()
    boxes: tuple["Box", ...] = ()
    strokes: tuple[Stroke, ...] = ()
    signs: tuple[Sign, ...] = ()
    says: str | None = None

    def at(self, x: int, y: int) -> "Box":
        return replace(self, x=x, y=y)

    def sized(self, *, width: int | None = None, height: int | None = None) -> "Box":
        return replace(self, width=width or self.width, height=height or self.height)


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole picture. `says` is the same in words, for who cannot see it."""

    title: str
    says: str
    box: Box


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines of text, and the room they take together."""

    texts: tuple[Text, ...]
    width: int
    height: int

    def at(self, x: int, y: int) -> tuple[Text, ...]:
        return tuple(replace(t, x=t.x + x, y=t.y + y) for t in self.texts)


def paragraph(text: str, font: str, room: int, *, most: int = 1, look: str = "") -> Paragraph:
    """The text in at most so many lines of this width."""
    used = FONTS[font]
    height = round(used.size * 1.45)
    found = lines(text, used, room, most=most)
    whole = text if found[-1].cut else None
    texts = tuple(
        Text(0, i * height + round(used.size * 1.08), n.text, font, width(n.text, used), look, whole)
        for i, n in enumerate(found)
    )
    return Paragraph(texts, max(t.width for t in texts), height * len(texts))


def one_line(
    text: str, font: str, x: int, middle: int, *, room: int = 10_000, look: str = "", centred: bool = False
) -> Text:
    """One line whose middle is at this height; `centred`: its middle is at `x`, too."""
    used = FONTS[font]
    found = line(text, used, room)
    wide = width(found.text, used)
    left = x - wide // 2 if centred else x
    whole = text if found.cut else None
    return Text(left, middle + round(used.size * 0.36), found.text, font, wide, look, whole)


def stack(boxes: Iterable[Box], *, gap: int, x: int = 0) -> Box:
    """The boxes below each other."""
    placed: list[Box] = []
    y = 0
    for box in boxes:
        placed.append(box.at(x, y))
        y += box.height + gap
    wide = max((b.x + b.width for b in placed), default=0)
    return Box(wide, max(0, y - gap), boxes=tuple(placed))


def beside(boxes: Iterable[Box], *, gap: int) -> Box:
    """The boxes in one row, their middles at one height."""
    found = tuple(boxes)
    high = max((b.height for b in found), default=0)
    placed: list[Box] = []
    x = 0
    for box in found:
        placed.append(box.at(x, (high - box.height) // 2))
        x += box.width + gap
    return Box(max(0, x - gap), high, boxes=tuple(placed))


def flow(boxes: Sequence[Box], room: int, *, gap: int = 8, row_gap: int = 8) -> Box:
    """The boxes in rows of at most this width."""
    rows: list[list[Box]] = []
    x = 0
    for box in boxes:
        if not rows or x + box.width > room:
            rows.append([])
            x = 0
        rows[-1].append(box)
        x += box.width + gap
    return stack((beside(row, gap=gap) for row in rows), gap=row_gap)


def all_boxes(box: Box, x: int = 0, y: int = 0) -> Iterator[tuple[Box, int, int]]:
    """The box and all within it, each with the place of its corner in the picture."""
    x, y = x + box.x, y + box.y
    yield box, x, y
    for inner in box.boxes:
        yield from all_boxes(inner, x, y)
