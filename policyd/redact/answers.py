"""An answer with values in the place of placeholders: a whole one, or a stream of events, in any dialect.

In come the bytes of an answer in the caller's dialect; out go the bytes for the caller. The one idea: an event in which
nothing changes passes as the bytes that came, and one whose text may end inside a placeholder waits, with all behind it,
until the next piece of the same text tells; so neither the number of events nor their order nor their numbering changes.
"""

import re
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

import orjson

from policyd.redact.deltas import SIDE_BY_SIDE, Delta, deltas_of
from policyd.redact.restore import Piece, Restorer, Tail, Unrestorable, written

__all__ = [
    "LARGEST_EVENT",
    "MOST_BYTES_WAITING",
    "MOST_OPEN",
    "MOST_WAITING",
    "RestoredStream",
    "restored_whole",
]

LARGEST_EVENT: Final = 16 * 1024 * 1024
"""Bytes of one event that are held."""

MOST_WAITING: Final = 512
"""Events that wait behind a text that may be inside a placeholder; with more, it is taken for none."""

MOST_BYTES_WAITING: Final = 4 * 1024 * 1024
"""Bytes of those events."""

MOST_OPEN: Final = 256
"""Texts that may be inside a placeholder at the same time: choices, calls of tools, items."""

_END: Final = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)[\r\n]*")
"""The end of an event, and all blank lines behind it."""

_EDGE: Final = 4
"""Bytes at the end of what is held in which the end of an event may have begun."""


def restored_whole(body: bytes, restorer: Restorer) -> bytes:
    """The very bytes where there is nothing to put back, or where it is no JSON. Raises `Unrestorable`."""
    restorer = restorer.for_one_answer()
    if not restorer.known.in_bytes(body):
        return body
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    restored = restorer.tree(answer)
    return body if restored is answer else written(restored)


class _Event:
    """One event on its way: the bytes that came, and what they mean where that may change. `waiting`: open texts in it."""

    __slots__ = ("changed", "parsed", "raw", "waiting")

    def __init__(self, raw: bytes, parsed: dict[str, Any] | None) -> None:
        self.raw = raw
        self.parsed = parsed
        self.changed = False
        self.waiting = 0

    def change(self) -> None:
        self.changed = True

    def settle(self) -> None:
        self.waiting -= 1

    def bytes(self) -> bytes:
        return _with_data(self.raw, written(self.parsed)) if self.changed else self.raw


class RestoredStream:
    """One stream of events. `feed` and `end` give what goes to the caller, and raise `Unrestorable`. INVARIANT: the fields of
    one group that are open may go on together."""

    __slots__ = ("_edge", "_held", "_open", "_opened", "_queue", "_restorer", "_size", "_waiting")

    def __init__(self, restorer: Restorer) -> None:
        self._restorer = restorer.for_one_answer()
        self._held: list[bytes] = []
        self._size = 0
        self._edge = b""
        self._queue: deque[_Event] = deque()
        self._waiting = 0
        self._open: dict[str, dict[str, Tail]] = {}
        self._opened = 0

    def feed(self, piece: bytes) -> bytes:
        self._held.append(piece)
        self._size += len(piece)
        new = self._edge + piece
        self._edge = new[-_EDGE:]
        first = _END.search(new)
        if first is not None:
            data = b"".join(self._held)
            start, search = 0, len(data) - len(new) + first.start()
            while (end := _END.search(data, search)) is not None:
                self._take(data[start : end.end()])
                start = search = end.end()
            rest = data[start:]
            self._held, self._size, self._edge = [rest], len(rest), rest[-_EDGE:]
        if self._size > LARGEST_EVENT:
            raise Unrestorable("an event of the stream is larger than any answer has")
        return b"".join(self._leaving())

    def end(self) -> bytes:
        """What is left when the stream is at its end."""
        rest = b"".join(self._held)
        if rest:
            self._take(rest)
        self._held, self._size, self._edge = [], 0, b""
        self._settle(None)
        return b"".join(self._leaving())

    def _leaving(self) -> Iterator[bytes]:
        if len(self._queue) > MOST_WAITING or self._waiting > MOST_BYTES_WAITING:
            self._settle(None)
        while self._queue and self._queue[0].waiting == 0:
            event = self._queue.popleft()
            self._waiting -= len(event.raw)
            yield event.bytes()

    def _put(self, event: _Event) -> None:
        self._queue.append(event)
        self._waiting += len(event.raw)

    def _take(self, raw: bytes) -> None:
        data = _data_of(raw)
        parsed: Any = None
        if data is not None:
            try:
                parsed = orjson.loads(data)
            except orjson.JSONDecodeError:
                # The last word of a stream, or nothing of any API's: what is open will not go on.
                self._settle(None)
        if not isinstance(parsed, dict):
            self._put(_Event(raw, None))
            return
        event = _Event(raw, parsed)
        said = deltas_of(parsed)
        for group in said.over:
            self._settle(group)
        if said.deltas:
            for delta in said.deltas:
                self._delta(event, delta)
        elif not said.thought and self._restorer.known.in_bytes(raw):
            restored = self._restorer.tree(parsed)
            event.changed = restored is not parsed
            event.parsed = restored
        for group in said.ends:
            self._settle(group)
        self._put(event)

    def _delta(self, event: _Event, delta: Delta) -> None:
        fields = self._open.get(delta.group)
        if fields is not None and not _go_on_together(next(iter(fields)), delta.field):
            self._settle(delta.group)
            fields = None
        tail = None if fields is None else fields.get(delta.field)
        text = delta.holder[delta.key]
        if not text or (tail is None and "[" not in text):
            return
        if tail is None:
            tail = Tail()
        json = delta.json or (delta.words and self._restorer.json_answers)
        event.waiting += 1
        self._restorer.feed(
            tail, Piece(delta.holder, delta.key, "", text, event.change, event.settle), json=json
        )
        self._keep(delta.group, delta.field, tail)

    def _keep(self, group: str, field: str, tail: Tail) -> None:
        """The text as open, or as not, whichever it was before."""
        fields = self._open.get(group, {})
        if not tail.pieces:
            if fields.pop(field, None) is not None:
                self._opened -= 1
                if not fields:
                    del self._open[group]
            return
        if field in fields:
            return
        if self._opened >= MOST_OPEN:
            self._settle(None)
            fields = {}
        fields[field] = tail
        self._open[group] = fields
        self._opened += 1

    def _settle(self, group: str | None) -> None:
        """What is open in this group, or anywhere, stays as it came."""
        for key in list(self._open) if group is None else [group]:
            fields = self._open.pop(key, {})
            self._opened -= len(fields)
            for tail in fields.values():
                tail.settle()


def _go_on_together(one: str, other: str) -> bool:
    return one == other or (one.startswith(SIDE_BY_SIDE) and other.startswith(SIDE_BY_SIDE))


def _lines(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    for whole in raw.splitlines(keepends=True):
        line = whole.rstrip(b"\r\n")
        yield line, whole[len(line) :]


def _data_of(raw: bytes) -> bytes | None:
    """What the event says, or None where it is a comment or a name alone."""
    if raw.startswith(b"data: ") and raw.endswith(b"\n\n") and raw.find(b"\n") == len(raw) - 2:
        return raw[6:-2]
    if b"data" not in raw:
        return None
    said = [
        line[5:].removeprefix(b" ")
        for line in raw.splitlines()
        if line.startswith(b"data:") or line == b"data"
    ]
    return b"\n".join(said) if said else None


def _with_data(raw: bytes, data: bytes) -> bytes:
    """The event with other data, and every other line as it came."""
    out: list[bytes] = []
    put = False
    for line, end in _lines(raw):
        if line.startswith(b"data:") or line == b"data":
            if not put:
                out += (b"data: ", data, end)
                put = True
        else:
            out += (line, end)
    return b"".join(out)
