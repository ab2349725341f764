"""An answer in which values stand again where the target wrote placeholders.

In come an answer's head and pieces, and the `Reply` that stands before this one, if any (a translation, or what takes an
event out); out go the same for the caller. The one idea: this is the last to touch an answer, in the caller's own dialect, so
it knows nothing of targets. What was restored is `policyd.redact`'s.
"""

from collections.abc import Callable
from typing import Final

from policyd.proxy.outbound import Headers
from policyd.proxy.redacting import Plain
from policyd.proxy.usage_chunk import uncompressed
from policyd.proxy.way import Garbled, Head, Reply, Way
from policyd.redact.answers import RestoredStream, restored_whole
from policyd.redact.restore import Restorer, Unrestorable
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.reading import Flag

__all__ = ["Restored", "restored_ways"]

_WITHOUT_WORDS: Final = frozenset({EndpointName.EMBEDDINGS, EndpointName.COUNT_TOKENS})
"""Endpoints whose answers repeat nothing."""

_ABOUT_THE_BODY: Final = frozenset({b"content-length", b"etag", b"content-md5", b"digest", b"accept-ranges"})


def restored_ways(way_to: Callable[[str], Way], goes: Plain, endpoint: EndpointName) -> Callable[[str], Way]:
    """The same ways, with answers that can be read and are restored, where the policy says so and anything was taken out."""
    if goes.taken is None or not goes.restored or not goes.taken.values or endpoint in _WITHOUT_WORDS:
        return way_to
    restorer = Restorer(goes.taken.values, json_answers=Flag.JSON in goes.reading.flags)

    def restored_way(target: str) -> Way:
        way = way_to(target)
        way.headers = uncompressed(way.headers)
        way.reply = Restored(way.reply, restorer)
        return way

    return restored_way


class Restored:
    """A `Reply` behind another one. What is neither JSON nor a stream of events passes as it came."""

    __slots__ = ("_before", "_pieces", "_restorer", "_stream", "_whole")

    def __init__(self, before: Reply | None, restorer: Restorer) -> None:
        self._before = before
        self._restorer = restorer
        self._stream: RestoredStream | None = None
        self._whole = False
        self._pieces: list[bytes] = []

    def head(self, status: int, headers: Headers) -> Head:
        plain = dict(headers).get(b"content-encoding", b"identity").strip().lower() in {b"", b"identity"}
        head = Head(status, headers, False) if self._before is None else self._before.head(status, headers)
        kind = dict(head.headers).get(b"content-type", b"").strip().lower()
        events = kind.startswith(b"text/event-stream")
        self._whole = not events and b"json" in kind.partition(b";")[0]
        if not events and not self._whole:
            return head
        if not plain:
            raise Garbled("the answer is compressed, though it was asked not to be")
        if events and not head.whole:
            self._stream = RestoredStream(self._restorer)
        else:
            self._whole = True
        kept = [pair for pair in head.headers if pair[0] not in _ABOUT_THE_BODY]
        return Head(head.status, kept, head.whole or self._whole)

    def feed(self, piece: bytes) -> bytes:
        return self._said(piece if self._before is None else self._before.feed(piece))

    def end(self) -> bytes:
        rest = self._said(b"" if self._before is None else self._before.end())
        try:
            if self._whole:
                return restored_whole(b"".join(self._pieces), self._restorer)
            return rest if self._stream is None else rest + self._stream.end()
        except Unrestorable as error:
            raise Garbled(str(error)) from None

    def _said(self, piece: bytes) -> bytes:
        if self._whole:
            self._pieces.append(piece)
            return b""
        if self._stream is None:
            return piece
        try:
            return self._stream.feed(piece)
        except Unrestorable as error:
            raise Garbled(str(error)) from None
