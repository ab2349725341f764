"""Whether a setting asks for anything, and the parts of a list with their places.

In come parsed values; out goes nothing, or `Lost`. The one idea: many clients send every key they know, most of them with
the value that means what happens anyway. Such a value asks for nothing and is left out; any other would be lost.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from policyd.translate.loss import Lost
from policyd.translate.shape import at, objects

__all__ = ["UNKNOWN", "Json", "Neutral", "asks_nothing", "each"]

UNKNOWN: Final = "this key is not known, so nothing can say it"

Json: TypeAlias = dict[str, Any]

Neutral: TypeAlias = Mapping[str, tuple[object, ...]]
"""Keys, and the values beside null with which they ask for nothing."""


def asks_nothing(value: Json, neutral: Neutral, place: str, why: str) -> None:
    """Raises `Lost` for the first of these keys that asks for something."""
    for key, values in neutral.items():
        given = value.get(key)
        if given is not None and not any(_same(given, v) for v in values):
            raise Lost(at(place, key), why)


def _same(given: object, neutral: object) -> bool:
    """`True == 1` in Python, and a client that says one does not mean the other."""
    return isinstance(given, bool) == isinstance(neutral, bool) and given == neutral


def each(value: object, place: str) -> Iterator[tuple[str, Json]]:
    """The objects of a list, each with its place. Raises `Lost` where it is no such list."""
    for index, part in enumerate(objects(value, place)):
        yield f"{place}[{index}]", part
