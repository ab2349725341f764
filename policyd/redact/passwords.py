"""Where a password ends that was found by the word in front of it.

In come a text and the bounds that a detector saw; out goes its end, or None where it cannot be told. The one idea: a detector stops
at what is no part of most passwords, and the rest of one must not be sent for that. In quotes a password ends with them; without, with
white space. What is taken along too much comes back with it.
"""

import re
from typing import Final

__all__ = ["end_of_password"]

FARTHEST: Final = 4096
"""Characters behind a password in which its end is looked for."""

_QUOTES: Final = "\"'`"
_LINE: Final = re.compile(r"[^\r\n]*")
_STOPS: Final = re.compile(
    r"\s"
    r"|[\"'`]+(?=$|[\s,;:.)\]}>\\/&|+#\"'`])"  # a quote that closes, not one inside a word
    r"|\\+(?=[nrt\"'`])"  # a line end or a quote, in a string of a program
    r"|<(?=/|!--|[A-Za-z][A-Za-z0-9]*[\s/>])"  # a tag
    r"|[&;,|?](?=[A-Za-z_][A-Za-z0-9_.-]{0,63}[\"'`]?[=:])"  # the next setting
    r"|[&;,|](?=[A-Za-z_][A-Za-z0-9_. -]{0,63}=)"
)
_ADDRESS: Final = re.compile(r"://[^\s/]*:\Z")
_CLOSES: Final = ".,;:!?)]}|>&"


def end_of_password(text: str, start: int, end: int) -> int | None:
    """Looks at a bounded stretch behind `end`."""
    if text[start] in _QUOTES:
        # A detector that takes the quotes along says itself where they close.
        return end
    if start > 0 and text[start - 1] in _QUOTES:
        return _closing(text, start, end)
    if text[end : end + 1] == "@" and _ADDRESS.search(text[max(0, start - 256) : start]):
        # In a URL the host begins behind the last of these, and the detector has looked for it.
        return end
    stop = _STOPS.search(text, end, end + FARTHEST)
    if stop is None:
        if len(text) > end + FARTHEST:
            return None
        last = len(text)
    else:
        last = stop.start()
    while last > end and text[last - 1] in _CLOSES:
        last -= 1
    return last


def _closing(text: str, start: int, end: int) -> int | None:
    """The end of what stands in quotes on one line. In a string of JSON or of a program its quotes have backslashes in front: the
    closing one as many as the opening one; with fewer, the string around it ends first."""
    quote = text[start - 1]
    level = _backslashes(text, start - 1)
    line = _LINE.match(text, end, end + FARTHEST)
    assert line is not None  # INVARIANT: any line matches
    at = end
    while (at := text.find(quote, at, line.end())) >= 0:
        here = _backslashes(text, at)
        if here <= level:
            return max(end, at - here) if here == level else None
        at += 1
    return None


def _backslashes(text: str, at: int) -> int:
    first = at
    while first > 0 and text[first - 1] == "\\":
        first -= 1
    return at - first
