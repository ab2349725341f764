"""Which model the bytes of a request name, read for the gate alone.

In: a JSON body. Out: the one string under the top-level key `model`, or that there is none, or that two readers could
see two different ones. It shares nothing with the code that reads or rewrites requests, so that one mistake cannot
both send a wrong model and hide it.
"""

import re
from enum import Enum
from typing import Final

import orjson

__all__ = ["ModelKey", "model_key"]


class ModelKey(Enum):
    ABSENT = "absent"
    AMBIGUOUS = "ambiguous"


_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SCALAR: Final = re.compile(rb"[^,\]}\s]++")
_TO_BRACKET: Final = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+([{}\[\]])', re.DOTALL)


def model_key(body: bytes) -> str | ModelKey:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ModelKey.AMBIGUOUS
    if type(document) is not dict:
        return ModelKey.ABSENT
    # A second `model` needs a second spelling of the key: the plain one, or one with escapes of its letters.
    if (body.count(b'"model"') > 1 or b"\\u00" in body) and _top_level_models(body) > 1:
        return ModelKey.AMBIGUOUS
    name = document.get("model", ModelKey.ABSENT)
    return name if isinstance(name, str | ModelKey) else ModelKey.AMBIGUOUS


def _top_level_models(body: bytes) -> int:
    """How often the object has the key `model`, however it is spelt. `body` is valid JSON and an object."""
    found = 0
    at = body.index(b"{") + 1
    while True:
        at = _after_space(body, at)
        if body[at] == 0x7D:
            return found
        key = _STRING.match(body, at)
        assert key is not None  # INVARIANT: valid JSON has a string here
        found += orjson.loads(key.group()) == "model"
        at = _after_space(body, _after_space(body, key.end()) + 1)
        at = _after_space(body, _after_value(body, at))
        if body[at] == 0x2C:
            at += 1


def _after_space(body: bytes, at: int) -> int:
    match = _SPACE.match(body, at)
    assert match is not None
    return match.end()


def _after_value(body: bytes, at: int) -> int:
    first = body[at : at + 1]
    pattern = _STRING if first == b'"' else _SCALAR
    if first not in (b"{", b"["):
        match = pattern.match(body, at)
        assert match is not None
        return match.end()
    depth, at = 1, at + 1
    while depth:
        match = _TO_BRACKET.match(body, at)
        assert match is not None
        depth += 1 if match.group(1) in b"{[" else -1
        at = match.end()
    return at
