"""Server-sent events, read from bytes as they come and written.

In come pieces of a body, cut anywhere; out come the events that are complete. The one idea: a line is only looked at once
it has ended, so every cut gives the same events. It follows the WHATWG reading (three kinds of line end, comments, `data`
lines joined, a last event without its empty line dropped) and knows nothing of what an event means.
"""

from typing import Any, Final, NamedTuple

import orjson

from policyd.translate.loss import Unsayable

__all__ = ["DONE", "LARGEST_EVENT", "Event", "Events", "object_of", "said", "said_as"]

LARGEST_EVENT: Final = 16 * 1024 * 1024
"""Bytes of one event that are held."""

DONE: Final = b"[DONE]"
"""The data of the last event of OpenAI's streams."""

_BOM: Final = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event. `name` is empty where none was given; `data` is without the line ends around it."""

    name: bytes
    data: bytes


class Events:
    """The events of one stream. `feed` gives those that a piece completes, `rest` says whether something was left over."""

    __slots__ = ("_begun", "_data", "_held", "_name", "_size", "_skip")

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0
        self._name = b""
        self._data: list[bytes] = []
        self._skip = False
        self._begun = False

    def feed(self, piece: bytes) -> list[Event]:
        """Raises `Unsayable` where an event grows beyond `LARGEST_EVENT`."""
        if piece[:6] == b"data: " and piece[-2:] == b"\n\n" and self._is_fresh() and _is_one_line(piece):
            # What most pieces are.
            return [Event(b"", piece[6:-2])]
        if self._skip and piece:
            piece = piece.removeprefix(b"\n")
            self._skip = False
        if b"\n" not in piece and b"\r" not in piece:
            if piece:
                self._hold(piece)
            return []
        self._skip = piece.endswith(b"\r")
        lines = (b"".join(self._held) + piece).splitlines(keepends=True)
        self._held, self._size = [], sum(map(len, self._data))
        if not lines[-1].endswith((b"\n", b"\r")):
            self._hold(lines.pop())
        out: list[Event] = []
        for line in lines:
            self._line(line.rstrip(b"\r\n"), out)
        return out

    @property
    def rest(self) -> bool:
        """Whether an event was begun and not ended."""
        return bool(self._held or self._data)

    def _is_fresh(self) -> bool:
        """Whether nothing of an event was seen yet. A name alone is something."""
        return self._begun and not (self._held or self._data or self._name or self._skip)

    def _hold(self, piece: bytes) -> None:
        self._held.append(piece)
        self._grow(len(piece))

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > LARGEST_EVENT:
            raise Unsayable("an event of the stream is larger than any answer has")

    def _line(self, line: bytes, out: list[Event]) -> None:
        if not self._begun:
            self._begun = True
            line = line.removeprefix(_BOM)
        if not line:
            if self._data:
                out.append(Event(self._name, b"\n".join(self._data)))
                self._data, self._size = [], 0
            self._name = b""
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._grow(len(value))
        elif name == b"event":
            self._name = value


def _is_one_line(piece: bytes) -> bool:
    return piece.find(b"\n") == len(piece) - 2 and b"\r" not in piece


def object_of(data: bytes) -> dict[str, Any]:
    """The JSON object that an event's data is. Raises `Unsayable`."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise Unsayable("an event of the stream is not JSON") from None
    if not isinstance(value, dict):
        raise Unsayable("an event of the stream is not an object")
    return value


def said(value: object) -> bytes:
    """An event without a name, as OpenAI's chat streams have them."""
    return b"data: %b\n\n" % orjson.dumps(value)


def said_as(name: str, value: object) -> bytes:
    """An event with a name, as Anthropic's streams and OpenAI's responses have them."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(value))
