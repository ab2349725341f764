"""Whether an answer that ends with its connection has ended, or was cut.

In come the pieces of an answer's body; out goes whether it is whole. The one idea: without a length and without chunks
nothing but the body itself can say so. A stream is whole when its last event is one that its API ends with, and any other
body when it is complete JSON. What can be read as neither (compressed, another type, too large) counts as cut. Pure.
"""

import re
from typing import Final

import orjson

__all__ = ["MOST_JSON", "Ending", "ending_for"]

MOST_JSON: Final = 32 * 1024 * 1024
"""Bytes of a JSON body that are kept to see whether it is complete."""

_KEPT: Final = 256
"""Bytes of a line that can matter here; an event that ends a stream says so at its beginning."""

_LAST_EVENTS: Final = frozenset(
    {b"message_stop", b"response.completed", b"response.failed", b"response.incomplete", b"error"}
)
_TYPE: Final = re.compile(rb'\{\s*"type"\s*:\s*"([a-z_.]+)"')
_DONE: Final = b"[DONE]"


class _Json:
    """Whether everything together is one JSON value."""

    __slots__ = ("_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > MOST_JSON:
            self._pieces.clear()
        else:
            self._pieces.append(piece)

    def is_whole(self) -> bool:
        try:
            orjson.loads(b"".join(self._pieces))
        except orjson.JSONDecodeError:
            return False
        return True


class _Events:
    """Whether the last server-sent event is complete and one that ends a stream."""

    __slots__ = ("_line", "_name", "_text", "_whole")

    def __init__(self) -> None:
        self._line = b""
        self._name = self._text = b""
        self._whole = False

    def feed(self, piece: bytes) -> None:
        *lines, rest = piece.split(b"\n")
        for line in lines:
            self._take((self._line + line[:_KEPT]).rstrip(b"\r"))
            self._line = b""
        self._line = (self._line + rest[:_KEPT])[:_KEPT] if rest else self._line

    def _take(self, line: bytes) -> None:
        if not line:
            # An empty line ends an event; one that follows another ends nothing.
            if self._name or self._text:
                kind = _TYPE.match(self._text)
                name = self._name or (kind[1] if kind is not None else b"")
                self._whole = self._text == _DONE or name in _LAST_EVENTS
            self._name = self._text = b""
            return
        field, _, value = line.partition(b":")
        if field == b"event":
            self._name = value.strip()
        elif field == b"data" and not self._text:
            self._text = value.strip()

    def is_whole(self) -> bool:
        return self._whole and not (self._line or self._name or self._text)


class _Unreadable:
    __slots__ = ()

    def feed(self, piece: bytes) -> None:
        pass

    def is_whole(self) -> bool:
        return False


Ending = _Json | _Events | _Unreadable


def ending_for(headers: list[tuple[bytes, bytes]]) -> Ending:
    """For an answer with these headers (lower-case names)."""
    said = dict(headers)
    if said.get(b"content-encoding", b"identity").strip().lower() not in {b"", b"identity"}:
        return _Unreadable()
    kind = said.get(b"content-type", b"").strip().lower()
    return _Events() if kind.startswith(b"text/event-stream") else _Json()
