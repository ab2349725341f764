"""The arguments of a call as a value: chat carries them as a text that holds JSON, the messages API as an object.

In comes the text; out comes the object, or `Lost` where reading it would change it: a key that occurs twice, a number
that no double holds, a text that is not JSON.
"""

import json
import math
from typing import Any

import orjson

from policyd.translate.asking import Json
from policyd.translate.loss import Lost
from policyd.translate.shape import text

__all__ = ["read_arguments"]


def read_arguments(value: object, place: str) -> Json:
    """An empty text is an empty object: some servers and clients write it so."""
    given = text(value, place)
    if not given.strip():
        return {}
    try:
        parsed = json.loads(given, object_pairs_hook=_pairs, parse_float=_double, parse_constant=_constant)
        orjson.dumps(parsed)
    except (ValueError, TypeError, RecursionError):
        raise Lost(place, "these arguments are not JSON that every reader reads in one way") from None
    if not isinstance(parsed, dict):
        raise Lost(place, "these arguments are not a JSON object")
    return parsed


def _pairs(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _double(written: str) -> float:
    value = float(written)
    if math.isinf(value):
        raise ValueError("a number is larger than a double")
    return value


def _constant(_: str) -> None:
    raise ValueError("not a number")
