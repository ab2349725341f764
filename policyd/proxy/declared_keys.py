"""Whether the bytes of a request carry the keys that a target's binding declares, read for the gate alone.

In: a JSON body and the declared keys with their values. Out: the first key that is not there exactly once with exactly that
value, or None. It reads with the standard library's parser, which nothing else here does, and shares no code with what puts
the keys in (`bound_body`), so that one mistake cannot both leave a key out and hide it.
"""

import json
from functools import lru_cache
from typing import Any, NoReturn

__all__ = ["missing_key"]


class _Twice(ValueError):
    pass


def missing_key(body: bytes, declared: tuple[tuple[str, str], ...]) -> str | None:
    """INVARIANT: a body in which any object has a key twice, however it is spelt, carries nothing: who reads it decides
    which one counts."""
    document = _parsed(body)
    for key, text in declared:
        if not isinstance(document, dict) or key not in document or not _same(document[key], _known(text)):
            return key
    return None


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_constant)
    except (ValueError, RecursionError):
        return None


@lru_cache(maxsize=256)
def _known(text: str) -> Any:
    return json.loads(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Twice
    return found


def _constant(_: str) -> NoReturn:
    raise ValueError("not JSON")


def _same(left: Any, right: Any) -> bool:
    """Equal in value and in type: for a server, `1` is not `true` and `0.0` not `0`."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)
