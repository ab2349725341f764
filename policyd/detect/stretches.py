"""What a disguise is: a stretch of a text that stands for other text, and how such stretches are found."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Disguise", "Stretch"]


class Stretch(NamedTuple):
    """Bytes of a text and what they stand for. `step`: how many of them stand behind each byte of the form; 0 where all of
    them stand behind each."""

    start: int
    end: int
    form: bytes
    step: int = 0


@dataclass(frozen=True, slots=True)
class Disguise:
    """A way to write text so that a search for it fails. A text that `sign` does not match (RE2 over bytes) has none of it;
    a `foreign` one needs characters beyond ASCII. `find` gives its stretches in order, none of them inside another, and
    is linear in the text."""

    sign: bytes
    find: Callable[[bytes], Iterator[Stretch]]
    foreign: bool = False
