"""How wide text is, before anybody has drawn it.

In comes text and the font it will have; out come its width in pixels at most, its lines within a width, or what fits of it
with an ellipsis. Which font a reader has is not known, so widths are those of DejaVu Sans, the widest of the usual
ones. A character that the table does not know makes the line `fitted`: the picture then sets its width.
"""

import re
import unicodedata
from dataclasses import dataclass
from math import ceil
from typing import Final

from policyd.text.printable import printable

__all__ = ["FONTS", "Font", "Line", "clean", "fitted", "line", "lines", "width"]


@dataclass(frozen=True, slots=True)
class Font:
    size: float
    bold: bool = False
    mono: bool = False
    italic: bool = False
    spacing: float = 0.0


FONTS: Final = {
    "title": Font(22, bold=True),
    "section": Font(15, bold=True),
    "name": Font(13, bold=True),
    "code": Font(12, mono=True),
    "text": Font(12),
    "reason": Font(12, italic=True),
    "chip": Font(12, bold=True),
    "small": Font(11),
    "label": Font(10, bold=True, spacing=0.5),
}
"""The fonts of a picture, by name."""

_REGULAR: Final = (
    32, 41, 46, 84, 64, 96, 78, 28, 40, 40, 50, 84, 32, 37, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84,
    84, 84, 54, 103, 69, 69, 73, 78, 67, 61, 78, 76, 30, 50, 67, 56, 87, 75, 79, 67, 79, 73, 67, 62, 74, 69, 99, 69, 69,
    69, 40, 34, 40, 84, 56, 50, 62, 64, 55, 64, 62, 36, 64, 64, 28, 28, 58, 28, 98, 64, 62, 64, 64, 42, 53, 40, 64, 60,
    82, 60, 60, 53, 64, 34, 64, 84,
)  # fmt: skip
_BOLD: Final = (
    35, 46, 53, 84, 70, 101, 88, 31, 46, 46, 53, 84, 38, 42, 38, 37, 70, 70, 70, 70, 70, 70, 70, 70, 70, 70, 40, 40, 84,
    84, 84, 61, 103, 78, 77, 74, 84, 69, 69, 83, 84, 38, 56, 78, 64, 100, 84, 86, 74, 86, 78, 73, 69, 82, 78, 111, 78, 73,
    73, 46, 37, 46, 84, 56, 50, 68, 72, 60, 72, 68, 44, 72, 72, 35, 35, 67, 35, 105, 72, 69, 72, 72, 50, 60, 48, 72, 66,
    93, 65, 66, 59, 72, 37, 72, 84,
)  # fmt: skip
"""Hundredths of an em from the space to the tilde."""
_MONO: Final = 61
_SIGNS: Final = {"…": 100, "·": 38, "–": 56, "—": 100, "“": 66, "”": 66, "‘": 38, "’": 38, "×": 84}
_OTHER_LETTER: Final = 160
_UNKNOWN: Final = 110
_KNOWN_BELOW: Final = 0x530
"""Latin, Greek and Cyrillic: fonts have them, and none is wider than `_OTHER_LETTER`."""
_NO_XML: Final = re.compile("[\ufffe\uffff]|[^\x00-\U0010ffff]")
_LONGEST: Final = 20_000
"""Characters of one text that are looked at; it is cut with an ellipsis long before."""
_CLAUSES: Final = re.compile(r" (?=(?:and|or) )")


@dataclass(frozen=True, slots=True)
class Line:
    """What fits. `cut`: there was more."""

    text: str
    cut: bool = False


def clean(text: str) -> str:
    """The text as a picture may hold it: one line, what is hidden written out, nothing that XML forbids."""
    return _NO_XML.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", printable(text))


def width(text: str, font: Font) -> int:
    """Pixels, at most."""
    ems = sum(_advance(ch, font) for ch in text)
    return ceil(ems * font.size / 100 + font.spacing * len(text))


def fitted(text: str) -> bool:
    """Whether the width has to be set, because nobody knows how wide a font draws it."""
    return any(ord(ch) >= _KNOWN_BELOW and ch not in _SIGNS for ch in text)


def _advance(ch: str, font: Font) -> int:
    code = ord(ch)
    if 32 <= code < 127:
        return _MONO if font.mono else (_BOLD if font.bold else _REGULAR)[code - 32]
    if ch in _SIGNS:
        return _MONO if font.mono else _SIGNS[ch]
    if code >= _KNOWN_BELOW:
        return 0 if unicodedata.category(ch) in ("Mn", "Me") else _UNKNOWN
    base = unicodedata.normalize("NFD", ch)[0]
    if base != ch and 32 <= ord(base) < 127:
        return _advance(base, font) + 4
    return 0 if unicodedata.category(ch) == "Mn" else _OTHER_LETTER


def line(text: str, font: Font, room: int) -> Line:
    """What fits in one line of this many pixels."""
    return lines(text, font, room, most=1)[0]


def lines(text: str, font: Font, room: int, *, most: int) -> tuple[Line, ...]:
    """At most so many lines; the last one ends with an ellipsis where there is more. Code breaks before `and` and
    `or`; else lines break between words, else within one."""
    shown = clean(text)
    beyond = len(shown) > _LONGEST
    left = shown[:_LONGEST] + "…" if beyond else shown
    out: list[Line] = []
    while width(left, font) > room:
        if len(out) == most - 1:
            end = _fits(left, font, room - width("…", font))
            return (*out, Line(left[:end].rstrip(" ") + "…", cut=True))
        end = _break(left, font, room)
        out.append(Line(left[:end].rstrip(" ")))
        left = left[end:].lstrip(" ")
    return (*out, Line(left, cut=beyond))


def _fits(text: str, font: Font, room: int) -> int:
    """How many characters fit."""
    ems = 0.0
    for at, ch in enumerate(text):
        ems += _advance(ch, font) * font.size / 100 + font.spacing
        if ems > room:
            return at
    return len(text)


def _break(text: str, font: Font, room: int) -> int:
    """Where the line ends: at least one character."""
    end = max(1, _fits(text, font, room))
    if font.mono:
        clauses = [m.start() for m in _CLAUSES.finditer(text, 0, min(len(text), end + 5)) if m.start() <= end]
        if clauses and clauses[-1] > end // 3:
            return clauses[-1]
    space = text.rfind(" ", 1, end + 1)
    return space if space > 0 else end
