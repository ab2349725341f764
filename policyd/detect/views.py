"""The forms of a text that detectors look at, and the way back from each to the text as it was given.

Comes in: a text. Goes out: views: the text as a reader sees it, and, where it holds signs of a disguise, the same with
the disguises taken off. Each view knows which characters of the text stand behind a stretch of its bytes.

The one idea: finding is done on bytes, and where they came from is worked out only for what was found.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final, NamedTuple

from policyd.detect.disguises import unmasked
from policyd.detect.visible import searched

__all__ = ["View", "views"]

CHUNK: Final = 1024
"""Characters whose folded forms are measured together: a place is looked up character by character only inside one."""


class View(NamedTuple):
    """What is searched, in UTF-8, and `place(start, end)`: the bounds in characters of the text as it was given of what
    stands between these bytes. Where that cannot be told exactly (an encoded run), the bounds are of all of it."""

    data: bytes
    place: Callable[[int, int], tuple[int, int]]


def views(text: str) -> Iterator[View]:
    """The text as seen, then with its disguises taken off, if it has any."""
    data = searched(text)
    seen = _identity if text.isascii() and len(data) == len(text) else _Places(text).place
    yield View(data, seen)
    plain = unmasked(data, ascii_only=text.isascii())
    if plain is None:
        return

    def place(start: int, end: int) -> tuple[int, int]:
        return (0, len(text)) if (start, end) == (0, len(plain.data)) else seen(*plain.place(start, end))

    yield View(plain.data, place)


def _identity(start: int, end: int) -> tuple[int, int]:
    return start, end


class _Places:
    """Where the bytes of a folded text came from. INVARIANT: the folded form of a text is that of its pieces in a row."""

    __slots__ = ("_inside", "_starts", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts: list[int] | None = None
        self._inside: dict[int, list[int]] = {}

    def place(self, start: int, end: int) -> tuple[int, int]:
        """From the character that the first byte came from up to behind the one that the last came from."""
        return (self._of(start), self._of(end - 1) + 1) if start < end else (self._of(start),) * 2

    def _of(self, byte: int) -> int:
        """The character behind a byte."""
        if self._starts is None:
            sizes = (len(searched(self._text[i : i + CHUNK])) for i in range(0, len(self._text), CHUNK))
            self._starts = [0, *accumulate(sizes)]
        chunk = min(bisect_right(self._starts, byte) - 1, len(self._starts) - 2)
        first = chunk * CHUNK
        ends = self._inside.get(chunk)
        if ends is None:
            ends = list(accumulate(len(searched(c)) for c in self._text[first : first + CHUNK]))
            self._inside[chunk] = ends
        return min(first + bisect_right(ends, byte - self._starts[chunk]), len(self._text) - 1)
