"""Whether an answer that has ended was whole, or cut.

In come the pieces of an answer's body; out goes whether it is whole. The one idea: without a length and without chunks
nothing but the body itself can say so. A stream is whole when its last event is one that its API ends with, and any other
body when it is complete JSON. What can be read as neither (compressed, another type, too large) counts as cut.

A stream that has a length or chunks can be cut as well: by a gateway whose own model server left, and that ended in order.
There it is enough that any event said that the model came to an end, because some servers send nothing after that. Pure.
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


_ENDS: Final = (
    re.compile(rb"\ndata: ?\[DONE\]"),
    # Some servers say "" until the end.
    re.compile(rb'"finish_reason" ?: ?"[^"]'),
    re.compile(rb"\nevent: ?(?:message_stop|response\.(?:completed|failed|incomplete)|error)\b"),
    re.compile(rb'"type" ?: ?"(?:message_stop|response\.(?:completed|failed|incomplete)|error)"'),
    re.compile(rb'\ndata: ?\{ ?"error" ?: ?[{"]'),
)
"""What says in a stream that it came to its end, or that the target could not go on. Each begins with what no text inside
JSON can have: a line end or a quotation mark that is not escaped."""

_STEP: Final = 4096
_LONGEST_END: Final = 40


class _FramedEvents:
    """Whether a stream whose framing ended well said so itself. One without a byte says nothing of itself."""

    __slots__ = ("_held", "_said")

    def __init__(self) -> None:
        self._held = b""
        self._said = False

    def feed(self, piece: bytes) -> None:
        if piece and not self._said:
            self._held = (self._held or b"\n") + piece
            if len(self._held) >= _STEP:
                self._look()

    def _look(self) -> None:
        self._said = any(end.search(self._held) for end in _ENDS)
        self._held = self._held[-_LONGEST_END:]

    def is_whole(self) -> bool:
        if not self._held:
            return True
        if not self._said:
            self._look()
        return self._said


class _Unreadable:
    __slots__ = ()

    def feed(self, piece: bytes) -> None:
        pass

    def is_whole(self) -> bool:
        return False


Ending = _Json | _Events | _FramedEvents | _Unreadable


def ending_for(headers: list[tuple[bytes, bytes]], *, framed: bool = False) -> Ending | None:
    """For an answer with these headers (lower-case names), that is `framed` by a length or chunks or ends with its
    connection. None where its framing says all that there is."""
    said = dict(headers)
    events = said.get(b"content-type", b"").strip().lower().startswith(b"text/event-stream")
    if said.get(b"content-encoding", b"identity").strip().lower() not in {b"", b"identity"}:
        return None if framed else _Unreadable()
    if framed:
        return _FramedEvents() if events else None
    return _Events() if events else _Json()
