"""What a disguise is: a stretch of a text that stands for other text, and how such stretches are found."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Final, TypeAlias

from policyd.detect.detector import compiled

__all__ = ["Disguise", "Stretch", "matches", "on_re2"]

Stretch: TypeAlias = tuple[int, int, bytes, int]
"""From where to where in a text, what that stands for, and how many of its bytes stand behind each byte of that; 0 where
all of them stand behind each. A plain tuple, since a hostile text has a million."""


@dataclass(frozen=True, slots=True)
class Disguise:
    """A way to write text so that a search for it fails. A text that `sign` does not match (RE2 over bytes) has none of it;
    a `foreign` one needs characters beyond ASCII. `find` gives its stretches in order, none of them inside another, and
    is linear in the text."""

    sign: bytes
    find: Callable[[bytes], Iterator[Stretch]]
    foreign: bool = False


RARE: Final = 512
"""Matches up to which a text is left to RE2."""


def matches(expression: bytes, data: bytes) -> Iterator[Any]:
    """The matches of an expression that means the same to RE2 and to `re` and that `re` does not go back in by more than
    some bytes. RE2 is ten times as fast between matches and lets others run, `re` ten times as fast from match to match."""
    re2 = on_re2(expression).finditer(data)
    at = 0
    for match in islice(re2, RARE):
        at = match.end()
        yield match
    if next(re2, None) is not None:
        yield from re.compile(expression).finditer(data, at)


@lru_cache(maxsize=32)
def on_re2(expression: bytes) -> Any:
    return compiled(expression)
