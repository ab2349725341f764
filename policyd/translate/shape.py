"""What a parsed request must look like before it is said otherwise; whatever does not is told as a loss.

In come values of a body and their places; out come the same values with a type, or `Lost`. The one idea: a key that is not
known is a loss, whatever its value, unless that is null. Nothing of a value is ever quoted.
"""

import re
from collections.abc import Mapping, Set
from typing import Any, Final

from policyd.translate.loss import Lost

__all__ = ["at", "number", "obj", "objects", "only", "some", "text", "truth", "whole_number"]

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}", re.ASCII)


def at(place: str, key: str) -> str:
    """The place of a key below a place. A key that is no plain word is the caller's text, and not repeated."""
    shown = key if _PLAIN.fullmatch(key) else "…"
    return f"{place}.{shown}" if place else shown


def some(value: Mapping[str, Any], key: str) -> bool:
    """Whether a key is there with a value other than null, which says the same as leaving it out."""
    return value.get(key) is not None


def only(value: Mapping[str, Any], known: Set[str], place: str, why: str) -> None:
    """Raises `Lost` for a key that is not known, unless it is null."""
    if value.keys() <= known:
        return
    for key, item in value.items():
        if key not in known and item is not None:
            raise Lost(at(place, key), why)


def obj(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Lost(place, "not an object")
    return value


def objects(value: object, place: str) -> list[dict[str, Any]]:
    """A list of objects."""
    if not isinstance(value, list):
        raise Lost(place, "not a list")
    for index, item in enumerate(value):
        obj(item, f"{place}[{index}]")
    return value


def text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise Lost(place, "not a string")
    return value


def truth(value: object, place: str) -> bool:
    """A boolean; null is false."""
    if value is None:
        return False
    if not isinstance(value, bool):
        raise Lost(place, "not a boolean")
    return value


def number(value: object, place: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Lost(place, "not a number")
    return value


def whole_number(value: object, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Lost(place, "not a whole number")
    return value
