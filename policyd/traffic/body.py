"""The bytes of a request body, read once, in the only way any parser can read them.

Comes in: the raw bytes and two headers. Goes out: a `Body` (the same bytes and what they mean) or a `Refused`.

The one idea: two parsers that disagree about a body are a way past a scanner, so a body on which they could disagree is
refused. orjson already refuses invalid UTF-8, lone surrogates, NaN and Infinity, numbers that overflow a double, control
characters, trailing commas and comments. What is left is duplicate keys and depth, and both are decided at C speed:

- orjson keeps one of two equal keys, so what it writes back has fewer keys than what came. If it writes back the very
  bytes that came there was no duplicate; otherwise the colons outside strings are counted in both.
- orjson does not write below a known depth, so writing the body inside enough empty lists finds bodies that are too deep.

Both are linear in the length of the body whatever it holds. Numbers are not normalised: a number matters only where a
reader uses it, and the readers take whole numbers below 2^53 and refuse every other spelling there. Elsewhere
(`seed`, sampling) it passes as the bytes that came.

Not here: the size limit (the server stops reading before this is called), the meaning of any key, `Transfer-Encoding`.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson

from policyd.traffic.duplicates import place_of_duplicate
from policyd.traffic.refused import CallerFault, Refused

__all__ = ["DEEPEST", "Body", "count_keys", "outside_strings", "read_body"]

DEEPEST: Final = 128
"""Levels of lists and objects a body may have. Readers recurse, and no client needs more."""


def _writer_limit() -> int:
    """The deepest nesting that this orjson writes."""
    value: list[object] = []
    for depth in range(1, 4096):
        try:
            orjson.dumps(value)
        except TypeError:
            return depth - 1
        value = [value]
    raise AssertionError("INVARIANT: orjson has a limit on the depth that it writes")


PIECE: Final = 256 * 1024
"""Bytes of a body that are looked at in one go."""

WRAPPERS: Final = _writer_limit() - DEEPEST
"""Empty lists around a body such that orjson can write it exactly when it is not deeper than `DEEPEST`."""


@dataclass(slots=True, eq=False)
class Body:
    """A body without duplicate keys, at most `DEEPEST` deep: `raw` is what came and what is sent, `parsed` what it means. It does not
    change (and is not frozen because one is made for every request)."""

    raw: bytes
    parsed: dict[str, Any]


def read_body(raw: bytes, content_type: str | None, content_encoding: str | None) -> Body | Refused:
    """The body, or why it cannot be read. The headers are given as they came, None where absent."""
    known = len(content_type or "") + len(content_encoding or "") <= LONGEST_KEPT
    envelope = (_envelope if known else _envelope.__wrapped__)(content_type, content_encoding)
    if envelope is not None:
        return envelope
    if not raw:
        return Refused(CallerFault.EMPTY_BODY, "the request has no body; send a JSON object")
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return _unreadable(raw, error)
    if not isinstance(parsed, dict):
        return Refused(CallerFault.NOT_AN_OBJECT, "the body is JSON but not an object; send `{…}`")
    written = _written(raw, parsed)
    if written is None:
        return Refused(
            CallerFault.TOO_DEEP,
            f"the body nests lists and objects more than {DEEPEST} levels deep; flatten it",
        )
    if written != raw and _lost_keys(raw, written):
        return Refused(
            CallerFault.DUPLICATE_KEY,
            f"the key {place_of_duplicate(raw)} occurs twice in one object; parsers disagree about which counts, send it once",
        )
    return Body(raw, parsed)


LONGEST_KEPT: Final = 128
"""Characters of headers of which it is remembered what they say: a caller does not decide how much is kept."""


@lru_cache(maxsize=256)
def _envelope(content_type: str | None, content_encoding: str | None) -> Refused | None:
    if content_encoding is not None and content_encoding.strip().lower() not in {"", "identity"}:
        return Refused(
            CallerFault.CONTENT_ENCODING,
            "the body is compressed (`content-encoding`); what cannot be scanned is not sent, send it uncompressed",
        )
    media, _, parameters = (content_type or "").partition(";")
    if media.strip().lower() != "application/json":
        return Refused(
            CallerFault.CONTENT_TYPE, "`content-type` is not `application/json`; send JSON and say so"
        )
    for parameter in parameters.split(";"):
        name, _, charset = parameter.partition("=")
        if name.strip().lower() == "charset" and charset.strip().strip('"').lower() not in {"utf-8", "utf8"}:
            return Refused(
                CallerFault.CONTENT_TYPE, "`content-type` names a charset other than UTF-8; send UTF-8"
            )
    return None


def _unreadable(raw: bytes, error: orjson.JSONDecodeError) -> Refused:
    if raw.startswith(b"\xef\xbb\xbf"):
        return Refused(CallerFault.BYTE_ORDER_MARK, "the body starts with a byte order mark; send it without")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as bad:
        return Refused(CallerFault.NOT_UTF8, f"the body is not UTF-8 at byte {bad.start}; send UTF-8")
    if "depth limit" in error.msg or "ecursion" in error.msg:
        return Refused(
            CallerFault.TOO_DEEP,
            f"the body nests lists and objects more than {DEEPEST} levels deep; flatten it",
        )
    place = f"line {error.lineno} column {error.colno}"
    return Refused(
        CallerFault.MALFORMED_JSON, f"the body is not valid JSON at {place}: {error.msg.partition(':')[0]}"
    )


def _written(raw: bytes, parsed: dict[str, Any]) -> bytes | None:
    """The body as orjson writes it, or None where it is too deep. Few brackets cannot be deep, and most bodies have few."""
    if raw.count(b"{") + raw.count(b"[") <= DEEPEST:
        return orjson.dumps(parsed)
    wrapped: object = parsed
    for _ in range(WRAPPERS):
        wrapped = [wrapped]
    try:
        return orjson.dumps(wrapped)[WRAPPERS:-WRAPPERS]
    except TypeError:
        return None


def _lost_keys(raw: bytes, written: bytes) -> bool:
    """Whether fewer keys were written than came. Without a backslash strings are written as they came, and with them the
    colons inside; a key that was lost took at least its own colon along."""
    if b"\\" not in raw:
        return raw.count(b":") != written.count(b":")
    return count_keys(written) != count_keys(raw)


def outside_strings(text: bytes) -> list[bytes]:
    """The pieces of valid JSON that are outside strings. A run of backslashes starts at an escape, so removing the
    doubled ones from the left and then the escaped quotes leaves only quotes that open or close a string."""
    return text.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]


def count_keys(text: bytes, piece: int = PIECE) -> int:
    """The colons outside strings, piece by piece: megabytes at once would hold the interpreter for many milliseconds."""
    keys = start = inside = 0
    while start < len(text):
        end = start + piece
        if text[end - 1 : end] == b"\\":
            # Behind a run of backslashes and what follows it no escape is cut.
            while run := piece - len(text[end : end + piece].ljust(piece).lstrip(b"\\")):
                end += run
            end += 1
        parts = text[start:end].replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        keys += b"".join(parts[inside::2]).count(b":")
        inside ^= len(parts) - 1 & 1
        start = end
    return keys
