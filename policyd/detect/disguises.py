"""A text with its disguises taken off.

Comes in: a text as a reader sees it, in UTF-8. Goes out: the neighbourhoods of everything in it that stands for other
text (an encoding, a look-alike, a key in pieces), with that other text in its place; nothing where there is no such thing.

The one idea: one search by RE2 says whether there is any sign of a disguise, and a text without one costs no more. Where
there are some, only what stands around them is looked at once more.
"""

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from heapq import merge
from typing import Any, Final, NamedTuple, TypeAlias

from policyd.detect.encodings import ENCODINGS
from policyd.detect.lookalikes import LOOKALIKES
from policyd.detect.pieces import PIECES
from policyd.detect.stretches import Disguise, Stretch

__all__ = ["Plain", "unmasked"]

AROUND: Final = 512
"""Bytes on each side of a disguise that are looked at with what it stands for."""

DISGUISES: Final[tuple[Disguise, ...]] = (*ENCODINGS, *PIECES, *LOOKALIKES)
# INVARIANT: the foreign ones are last, so that leaving them out moves no other.


Piece: TypeAlias = tuple[bytes, int, int, int]
"""Bytes that are looked at, from where to where what stands behind them is in the text, and how many of its bytes stand
behind each of them; 0: all behind each."""


class Plain(NamedTuple):
    """What a text says without its disguises, and `place(start, end)`: the bytes of the text behind a stretch of this."""

    data: bytes
    place: Callable[[int, int], tuple[int, int]]


def unmasked(data: bytes, *, ascii_only: bool) -> Plain | None:
    """The text without disguises; None where it has none."""
    present = tuple(DISGUISES[index] for index in sorted(_signs(ascii_only).Match(data) or ()))
    if not present:
        return None
    plain = bytearray()
    for form, _, _, _ in _pieces(data, _stretches(data, present)):
        plain += form
    if not plain:
        return None
    places: list[_Places] = []

    def place(start: int, end: int) -> tuple[int, int]:
        if not places:
            places.append(_Places(_pieces(data, _stretches(data, present))))
        return places[0].place(start, end)

    return Plain(bytes(plain), place)


@lru_cache(maxsize=2)
def _signs(ascii_only: bool) -> Any:
    """Says in one pass which disguises a text has signs of."""
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415

    options = re2.Options()
    options.encoding = options.Encoding.LATIN1
    options.log_errors = False
    signs = re2.Set.SearchSet(options)
    for disguise in DISGUISES:
        if not (ascii_only and disguise.foreign):
            signs.Add(disguise.sign)
    signs.Compile()
    return signs


def _stretches(data: bytes, present: tuple[Disguise, ...]) -> Iterator[Stretch]:
    """Of all disguises, in order, none of them inside another."""
    found = [disguise.find(data) for disguise in present]
    at = 0
    for stretch in found[0] if len(found) == 1 else merge(*found):
        if stretch[0] >= at:
            at = stretch[1]
            yield stretch


def _pieces(data: bytes, stretches: Iterable[Stretch]) -> Iterator[Piece]:
    """What is looked at, piece by piece."""
    behind = wanted = 0
    # INVARIANT: up to `behind` the text was given out or left out, and what follows is wanted up to `wanted`.
    for start, end, form, step in stretches:
        if start > wanted:
            if wanted > behind:
                yield data[behind:wanted], behind, wanted, 1
            behind = max(wanted, _clean(data, start - AROUND, start))
            if behind > wanted:
                yield b"\n", behind, behind, 0
        if start > behind:
            yield data[behind:start], behind, start, 1
        yield form, start, end, step
        behind, wanted = end, min(end + AROUND, len(data))
    if wanted > behind:
        yield data[behind:wanted], behind, wanted, 1


def _clean(data: bytes, start: int, end: int) -> int:
    """A place from `start` on at which no word or number is cut in two; `start` where there is none before `end`."""
    if start <= 0:
        return 0
    gap = NO_WORD.search(data, start, end)
    return start if gap is None else gap.start()


NO_WORD: Final = re.compile(rb"[^A-Za-z0-9\x80-\xff]")


class _Places:
    """Where the bytes of the pieces came from."""

    __slots__ = ("_begins", "_ends", "_starts", "_steps")

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._begins, self._starts, self._ends, self._steps = array("Q"), array("Q"), array("Q"), array("B")
        at = 0
        for form, start, end, step in pieces:
            if form:
                self._begins.append(at)
                self._starts.append(start)
                self._ends.append(end)
                self._steps.append(step)
                at += len(form)

    def place(self, start: int, end: int) -> tuple[int, int]:
        first, last = self._piece(start), self._piece(max(start, end - 1))
        begin, finish = self._starts[first], self._ends[last]
        if self._steps[first]:
            begin += (start - self._begins[first]) * self._steps[first]
        if self._steps[last]:
            finish = self._starts[last] + (end - self._begins[last]) * self._steps[last]
        return begin, finish

    def _piece(self, byte: int) -> int:
        return bisect_right(self._begins, byte) - 1
