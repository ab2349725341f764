"""A text with its disguises taken off: encodings that a model undoes as it reads."""

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Plain", "unmasked"]


class Plain(NamedTuple):
    """What is left of a text, and `place(start, end)`: the bytes of it behind a stretch of these."""

    data: bytes
    place: Callable[[int, int], tuple[int, int]]


def unmasked(data: bytes, *, ascii_only: bool) -> Plain | None:
    """The text without disguises; None where it has none."""
    assert data or ascii_only
    return None
