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
from policyd.redact.restore import Piece, Restorer, Tail

__all__ = ["LARGEST_EVENT", "EventTooLarge", "RestoredStream", "restored_whole"]

LARGEST_EVENT: Final = 16 * 1024 * 1024
"""Bytes of one event that are held."""

MOST_WAITING: Final = 512
"""Events that wait behind a text that may be inside a placeholder; with more, it is taken for none."""

_END: Final = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE: Final = re.compile(rb"(?P<line>[^\r\n]*)(?P<end>\r\n|\n|\r|$)")


class EventTooLarge(Exception):
    """An event of the stream is larger than any answer has."""


def restored_whole(body: bytes, restorer: Restorer) -> bytes:
    """The very bytes where there is nothing to put back, or where it is no JSON."""
    if not restorer.known.in_bytes(body):
        return body
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    restored = restorer.tree(answer)
    return body if restored is answer else orjson.dumps(restored)


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
        return _with_data(self.raw, orjson.dumps(self.parsed)) if self.changed else self.raw


class RestoredStream:
    """One stream of events. `feed` and `end` give what goes to the caller."""

    __slots__ = ("_held", "_open", "_queue", "_restorer", "_searched")

    def __init__(self, restorer: Restorer) -> None:
        self._restorer = restorer
        self._held = b""
        self._searched = 0
        self._queue: deque[_Event] = deque()
        self._open: dict[tuple[str, str], Tail] = {}

    def feed(self, piece: bytes) -> bytes:
        """Raises `EventTooLarge`."""
        data = self._held + piece if self._held else piece
        start = 0
        search = max(0, self._searched - 4)
        while (end := _END.search(data, search)) is not None:
            self._take(data[start : end.end()])
            start = search = end.end()
        self._held, self._searched = data[start:], len(data) - start
        if len(self._held) > LARGEST_EVENT:
            raise EventTooLarge
        return b"".join(self._leaving())

    def end(self) -> bytes:
        """What is left when the stream is at its end."""
        if self._held.strip():
            self._take(self._held)
        elif self._held:
            self._queue.append(_Event(self._held, None))
        self._held = b""
        self._settle(None)
        return b"".join(self._leaving())

    def _leaving(self) -> Iterator[bytes]:
        if len(self._queue) > MOST_WAITING:
            self._settle(None)
        while self._queue and self._queue[0].waiting == 0:
            yield self._queue.popleft().bytes()

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
            self._queue.append(_Event(raw, None))
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
        self._queue.append(event)

    def _delta(self, event: _Event, delta: Delta) -> None:
        key = (delta.group, delta.field)
        for other in [o for o in self._open if o[0] == delta.group and not _go_on_together(o, key)]:
            self._open.pop(other).settle()
        tail = self._open.get(key)
        text = delta.holder[delta.key]
        if tail is None and "[" not in text:
            return
        if tail is None:
            tail = self._open[key] = Tail()
        json = delta.json or (delta.words and self._restorer.json_answers)
        event.waiting += 1
        self._restorer.feed(
            tail, Piece(delta.holder, delta.key, "", text, event.change, event.settle), json=json
        )
        if not tail.pieces:
            del self._open[key]

    def _settle(self, group: str | None) -> None:
        """What is open in this group, or anywhere, stays as it came."""
        for key in [k for k in self._open if group is None or k[0] == group]:
            self._open.pop(key).settle()


def _go_on_together(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return one == other or (one[1].startswith(SIDE_BY_SIDE) and other[1].startswith(SIDE_BY_SIDE))


def _lines(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(raw):
        found = _LINE.match(raw, at)
        assert found is not None  # INVARIANT: any line matches
        yield found["line"], found["end"]
        at = found.end()


def _data_of(raw: bytes) -> bytes | None:
    """What the event says, or None where it is a comment or a name alone."""
    if raw.startswith(b"data: ") and raw.endswith(b"\n\n") and raw.find(b"\n") == len(raw) - 2:
        return raw[6:-2]
    said = [line[5:].removeprefix(b" ") for line, _ in _lines(raw) if line.startswith(b"data:")]
    said += [b"" for line, _ in _lines(raw) if line == b"data"]
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
