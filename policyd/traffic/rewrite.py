"""Top-level values of a body put in place of others, every other byte as it came.

In come a body and the values to put in, as JSON; out go bytes. The one idea: what was scanned is what is sent, so a body is
never written anew: the one value is cut out of it, or a key is added in front. It does not say which values may be put in.
"""

import re
from collections.abc import Mapping
from typing import Final

import orjson

from policyd.traffic.body import Body, outside_strings

__all__ = ["named", "put_values", "with_model"]

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_LETTERS: Final = re.compile(r"[a-z_]+")
_COLON: Final = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
_SCALAR: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[a-z0-9.+\-E]+', re.DOTALL)


def with_model(body: Body, model: str) -> bytes:
    """The body's bytes with `model` as the value of the top-level key `model`."""
    return put_values(body, {"model": orjson.dumps(model)})


def named(body: Body, model: str) -> Body:
    """The body as it would have come with this model in it, whatever it names."""
    if body.parsed.get("model") == model:
        return body
    return Body(with_model(body, model), {**body.parsed, "model": model})


def put_values(body: Body, values: Mapping[str, bytes]) -> bytes:
    """The body's bytes with each of these, JSON, as the value of its top-level key; added in front where the client sent
    none. Every other byte stays as it came."""
    raw = body.raw
    added = b""
    for key, value in values.items():
        if key in body.parsed:
            start, end = _span(raw, key)
            raw = raw[:start] + value + raw[end:]
        else:
            added += orjson.dumps(key) + b":" + value + b","
    if not added:
        return raw
    brace = raw.index(b"{") + 1
    return raw[:brace] + (added if body.parsed else added[:-1]) + raw[brace:]


def _span(raw: bytes, key: str) -> tuple[int, int]:
    """Where the value of a top-level key stands. Letters are escaped with `\\u00` and in no other way, so without that the
    key is spelt as it is, and where its spelling occurs once, that is it. Otherwise: a quote that is not escaped and that
    the key follows opens a string (behind one that closes there is only punctuation), so each stretch between two of them
    starts outside strings, and counting the depth from one to the next reads the body once."""
    quoted = orjson.dumps(key)
    if _LETTERS.fullmatch(key) and b"\\u00" not in raw and raw.count(quoted) == 1:
        colon = _COLON.match(raw, raw.index(quoted) + len(quoted))
        assert colon is not None  # INVARIANT: the key is one of the body's own
        return colon.end(), _end_of_value(raw, colon.end())
    depth = 0
    before = 0
    for place in _unescaped(raw, quoted):
        outside = b"".join(outside_strings(raw[before:place]))
        depth += outside.count(b"{") + outside.count(b"[") - outside.count(b"}") - outside.count(b"]")
        before = place
        if depth == 1:
            colon = _COLON.match(raw, place + len(quoted))
            if colon is not None:
                return colon.end(), _end_of_value(raw, colon.end())
    return _spelled_with_escapes(raw, key)


def _unescaped(raw: bytes, quoted: bytes) -> list[int]:
    """Every place of the key whose first quote is not escaped."""
    places = []
    place = raw.find(quoted)
    while place >= 0:
        run = place
        while run > 0 and raw[run - 1] == 0x5C:
            run -= 1
        if (place - run) % 2 == 0:
            places.append(place)
        place = raw.find(quoted, place + len(quoted) - 1)
    return places


def _end_of_value(raw: bytes, start: int) -> int:
    if raw[start] not in b"{[":
        scalar = _SCALAR.match(raw, start)
        assert scalar is not None  # INVARIANT: the body is valid JSON
        return scalar.end()
    depth = 0
    for token in _TOKEN.finditer(raw, start):
        first = token.group()[:1]
        if first in b"{[":
            depth += 1
        elif first in b"}]":
            depth -= 1
            if depth == 0:
                return token.end()
    raise AssertionError("INVARIANT: the body is valid JSON")


def _spelled_with_escapes(raw: bytes, key: str) -> tuple[int, int]:
    """The same span where the key is written like `"mod\\u0065l"`: token by token, slowly, exactly."""
    depth = 0
    for token in _TOKEN.finditer(raw):
        match token.group()[:1]:
            case b"{" | b"[":
                depth += 1
            case b"}" | b"]":
                depth -= 1
            case _:
                colon = _COLON.match(raw, token.end())
                if depth == 1 and colon is not None and orjson.loads(token.group()) == key:
                    return colon.end(), _end_of_value(raw, colon.end())
    raise AssertionError("INVARIANT: the key is one of the body's own")
