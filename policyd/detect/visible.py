"""A text as a reader sees it, for searching.

Comes in: a text. Goes out: what is left of it when characters that show nothing are removed and compatibility forms and
the digits of all scripts are folded, so that a zero-width space inside a key hides nothing.

The one idea: every character is folded on its own, whatever stands beside it. The folded form of a text is the folded
forms of its pieces in a row, so a place in it can be told again in the text as it was given (`views`).

Not here: look-alikes of other scripts and encodings, which need what stands around them (`disguises`).
"""

import re
import sys
import unicodedata
from functools import lru_cache
from typing import Final

__all__ = ["APOSTROPHES", "AT_ONCE", "CONTROLS", "searched", "visible"]

UNSEEN: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
    "\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\u0080-\u009f"
)
"""Characters that show nothing (Unicode's Default_Ignorable_Code_Point, the interlinear marks, and C1 controls), and marks
that are put on the character before them."""

CONTROLS: Final = bytes((*range(9), *range(11, 13), *range(14, 27), *range(28, 32), 127))
"""ASCII's control characters but tab and line ends: they show nothing either. Escape stays, because what follows it may show
nothing with it (`encodings`)."""

APOSTROPHES: Final = "\u2018\u2019\u02bc"
DASHES: Final = "\u2010-\u2015\u2043\u2212\ufe58\ufe63\uff0d"

COMPATIBLE: Final = (
    (0x00A0, 0x0100), (0x02B0, 0x0300), (0x1D00, 0x1E00), (0x2000, 0x2600), (0x3000, 0x3001), (0x3200, 0x3400),
    (0xFB00, 0xFB07), (0xFE10, 0xFE70), (0xFF00, 0xFFF0), (0x1D400, 0x1D800), (0x1F100, 0x1F200), (0x1FBF0, 0x1FBFA),
)  # fmt: skip
"""The blocks in which compatibility forms of ASCII stand: full width, mathematical, circled, superscript, ligatures, spaces.
An ellipsis stays one character, which outlines put where they cut."""


FEW: Final = 12
"""Different characters up to which replacing one after the other is faster than looking up each of the text."""


def visible(text: str) -> str:
    """The text as a reader sees it. ASCII is returned as it is."""
    if text.isascii():
        return text
    forms = _forms()
    special = forms.keys() & set(text)
    if len(special) > FEW:
        return text.translate(_table())
    for character in special:
        text = text.replace(character, forms[character])
    return text


AT_ONCE: Final = 1 << 16
"""Characters that are folded in one go: other threads wait for no more than a millisecond."""


def searched(text: str) -> bytes:
    """What detectors are given of a text."""
    if len(text) > AT_ONCE and not text.isascii():
        return b"".join(searched(text[at : at + AT_ONCE]) for at in range(0, len(text), AT_ONCE))
    return visible(text).encode("utf-8", "replace").translate(None, CONTROLS)


@lru_cache(maxsize=1)
def _forms() -> dict[str, str]:
    """What each character that is folded becomes: ASCII, or nothing."""
    table = dict.fromkeys(_characters(UNSEEN), "")
    table |= dict.fromkeys(_characters(DASHES), "-")
    table["\u2800"] = " "
    table |= dict.fromkeys(APOSTROPHES, "'")
    for first, behind in COMPATIBLE:
        for character in map(chr, range(first, behind)):
            plain = unicodedata.normalize("NFKC", character)
            if plain.isascii() and plain not in {"..", "..."}:
                table.setdefault(character, plain)
    for character in map(chr, range(0x80, sys.maxunicode + 1)):
        if character.isdecimal():
            table.setdefault(character, str(unicodedata.digit(character)))
    return table


@lru_cache(maxsize=1)
def _table() -> dict[int, str]:
    return {ord(character): form for character, form in _forms().items()}


def _characters(described: str) -> list[str]:
    found: list[str] = []
    for first, last in re.findall(r"(.)(?:-(.))?", described, re.DOTALL):
        found.extend(map(chr, range(ord(first), ord(last or first) + 1)))
    return found
