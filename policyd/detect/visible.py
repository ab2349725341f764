"""A text as a reader sees it, for searching.

Characters that show nothing are removed and compatibility forms are folded, so that a zero-width space inside a key hides
nothing.
"""

import re
import unicodedata
from typing import Final

__all__ = ["searched", "visible"]

UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\u0080-\u009f]"
)
"""Characters that show nothing (Unicode's Default_Ignorable_Code_Point, the interlinear marks, and C1 controls)."""

CONTROLS: Final = bytes((*range(9), *range(11, 13), *range(14, 32), 127))
"""ASCII's control characters but tab and line ends: they show nothing either."""

DASHES: Final = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
FOLDED: Final = re.compile(
    "[\u00a0\u2000-\u200a\u202f\u205f\u3000\uff01-\uff5e\U0001d400-\U0001d7ff\u2460-\u24ff\u00b2\u00b3\u00b9"
    "\u2070-\u2079\u2080-\u208e\U0001f100-\U0001f10a]"
)
"""Compatibility forms of letters, digits and spaces."""


def visible(text: str) -> str:
    """The text as a reader sees it. ASCII is returned as it is."""
    if text.isascii():
        return text
    text = UNSEEN.sub("", text)
    text = DASHES.sub("-", text)
    if FOLDED.search(text):
        text = unicodedata.normalize("NFKC", text)
    digits = {ord(c): str(unicodedata.digit(c)) for c in set(text) if c.isdecimal() and not c.isascii()}
    return text.translate(digits) if digits else text


def searched(text: str) -> bytes:
    """What detectors are given of a text."""
    return visible(text).encode("utf-8", "replace").translate(None, CONTROLS)
