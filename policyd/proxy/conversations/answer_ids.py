"""The ids in an answer by which a later request can continue it, found as its bytes pass.

In come an answer's headers and its pieces as the target sent them; out go ids, before the bytes that end what they stand in.
The one idea: an id counts only where the API puts it, in a parsed object, because the same answer repeats what the caller wrote
(metadata, tools) and what the model wrote. What is not found here stays unknown, which is the highest level.
"""

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

__all__ = ["AnswerIds", "ids_in", "listening"]

LARGEST: Final = 2 * 1024 * 1024
"""Bytes of a whole answer, or of one event, up to which it is looked into."""

MOST_LOOKS: Final = 64
"""Times that a whole answer is tried to be read, which may end in a brace before its end."""

MOST_IDS: Final = 256
"""Ids of one answer."""

_LONGEST_ID: Final = 256
_STEP: Final = 64 * 1024
_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32
_TELLING: Final = re.compile(
    rb'"type"\s*:\s*"(?:response\.(?:created|queued|in_progress|completed|incomplete|failed|output_item\.(?:added|done))'
    rb'|message_start|message_delta)"'
)
"""Events that hold ids. The others, which are nearly all, are not parsed."""


class AnswerIds:
    """Reads one answer. `events`: it is a stream of them."""

    __slots__ = ("_events", "_found", "_held", "_left", "_looks", "_size", "_unpack")

    def __init__(self, *, events: bool, packed: bool) -> None:
        self._events = events
        self._held: list[bytes] = []
        self._size = 0
        self._found: dict[str, None] = {}
        self._unpack = zlib.decompressobj(_GZIP_OR_ZLIB) if packed else None
        self._left = 4 * LARGEST
        self._looks = 0

    def feed(self, piece: bytes) -> tuple[str, ...]:
        """The ids that these bytes complete, and that were not told yet."""
        if self._unpack is None:
            return self._take(piece)
        out: list[str] = []
        try:
            while piece and self._left > 0:
                plain = self._unpack.decompress(piece, _STEP)
                self._left -= len(plain)
                out += self._take(plain)
                piece = self._unpack.unconsumed_tail
        except zlib.error:
            self._left = 0
        return tuple(out)

    def _take(self, piece: bytes) -> tuple[str, ...]:
        if self._events:
            if b"\n" not in piece:
                self._hold(piece)
                return ()
            *lines, rest = piece.split(b"\n")
            self._hold(lines[0])
            lines[0] = self._joined()
            self._hold(rest)
            return self._new(i for line in lines if _TELLING.search(line) for i in _of_line(line))
        self._hold(piece)
        # The last byte of an object, with which it can be read, is its brace; a space may follow.
        if not piece.rstrip().endswith(b"}") or self._size > LARGEST or self._looks > MOST_LOOKS:
            return ()
        self._looks += 1
        whole = _object(b"".join(self._held))
        return () if whole is None else self._new(ids_in(whole))

    def _hold(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= LARGEST:
            self._held.append(piece)
        else:
            self._held.clear()

    def _joined(self) -> bytes:
        """The line that is complete now, or nothing where it was too long."""
        line = b"".join(self._held) if self._size <= LARGEST else b""
        self._held.clear()
        self._size = 0
        return line

    def _new(self, ids: Iterable[str]) -> tuple[str, ...]:
        fresh = [i for i in dict.fromkeys(ids) if i not in self._found]
        fresh = fresh[: MOST_IDS - len(self._found)]
        self._found |= dict.fromkeys(fresh)
        return tuple(fresh)


def listening(headers: Iterable[tuple[bytes, bytes]]) -> AnswerIds | None:
    """For an answer with these headers (lower-case names); None where it is of no kind that can be read."""
    said = dict(headers)
    kind = said.get(b"content-type", b"").lower()
    coding = said.get(b"content-encoding", b"").strip().lower()
    events = kind.startswith(b"text/event-stream")
    if not events and b"json" not in kind:
        return None
    if coding not in {b"", b"identity", b"gzip", b"x-gzip", b"deflate"}:
        return None
    return AnswerIds(events=events, packed=coding not in {b"", b"identity"})


def ids_in(answer: Mapping[str, Any]) -> Iterator[str]:
    """The ids of a whole answer: its own where it is a response, the conversation's that it was added to, those of its items,
    and of containers."""
    if answer.get("object") == "response":
        yield from _id(answer.get("id"))
        conversation = answer.get("conversation")
        yield from _id(conversation.get("id") if isinstance(conversation, dict) else conversation)
        items = answer.get("output")
        for item in items if isinstance(items, list) else ():
            yield from _of_item(item)
    elif answer.get("type") == "message":
        yield from _of_container(answer.get("container"))


def _of_line(line: bytes) -> Iterator[str]:
    if not line.startswith(b"data:"):
        return
    event = _object(line[5:])
    if event is None:
        return
    response = event.get("response")
    if isinstance(response, dict):
        yield from ids_in(response)
    yield from _of_item(event.get("item"))
    for key in ("message", "delta"):
        inner = event.get(key)
        if isinstance(inner, dict):
            yield from _of_container(inner.get("container"))


def _of_item(item: object) -> Iterator[str]:
    if isinstance(item, dict):
        yield from _id(item.get("id"))
        yield from _id(item.get("container_id"))


def _of_container(container: object) -> Iterator[str]:
    if isinstance(container, dict):
        yield from _id(container.get("id"))


def _id(value: object) -> Iterator[str]:
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_ID:
        yield value


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
