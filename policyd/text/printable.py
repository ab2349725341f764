"""Text that a terminal shows as it is: nothing hidden, nothing that moves the cursor or turns the direction.

In comes any text, an author's or a caller's; out goes the same text with controls, direction overrides and invisible
characters written as escapes, and the number of cells it takes on a terminal. Quoting is left to who prints it.
"""

import re
import unicodedata

__all__ = ["is_hidden", "printable", "width"]

# Controls, direction overrides and invisible characters: a person would read another text than the one that is there.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def is_hidden(text: str) -> bool:
    """Whether any character of it cannot be seen for what it is; a line break and a tab count too."""
    return _HIDDEN.search(text) is not None


def printable(text: str) -> str:
    """`text` with every hidden character as `\\u{…}`, in the notation of the policy language."""
    return _HIDDEN.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    ch = match[0]
    return {"\n": "\\n", "\t": "\\t"}.get(ch) or f"\\u{{{ord(ch):x}}}"


def width(text: str) -> int:
    """Terminal cells: wide characters take two, combining marks and joiners none."""
    if text.isascii():
        return len(text)
    return sum(_cells(ch) for ch in text)


def _cells(ch: str) -> int:
    if unicodedata.category(ch) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(ch) in ("W", "F") else 1
