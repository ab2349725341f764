"""One HTTP/1.1 answer as it arrives: a state machine that does no I/O.

In: bytes (`feed`), the end of the stream (`eof`), a failure (`fail`). Out: status, headers, body pieces, and whether the
connection can carry another request. The idea: one parser for one answer, so nothing of an answer can leak into the
next one on the same connection. It holds what has arrived until it is taken and says (`full`) when reading should pause.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Literal

import httptools

from policyd.proxy.upstream.errors import Kind, UpstreamBroken, UpstreamError

__all__ = ["HIGH_WATER", "MAX_HEAD_BYTES", "MAX_HEAD_COUNT", "Answer", "Framing"]

MAX_HEAD_BYTES: Final = 64 * 1024
"""Of an answer's head with its interim answers; also of trailers and chunk lines between two pieces of the body."""

MAX_HEAD_COUNT: Final = 200
HIGH_WATER: Final = 256 * 1024
"""Bytes held for a caller that does not take them before reading pauses."""

Framing = Literal["none", "length", "chunked", "until-close"]


class Answer:
    """INVARIANT: `finished` is true only when the framing says that the whole body was received. `error` is set once and
    never after `finished`."""

    __slots__ = (
        "_extra", "_fault", "_held", "_interim", "_parser", "_pieces", "_progress", "_resume", "_waiter", "desynchronised",
        "error", "finished", "framing", "head_done", "headers", "is_head", "keep_alive", "seen", "status", "target", "trailers",
    )  # fmt: skip

    def __init__(self, target: str, *, is_head: bool, resume: Callable[[], None]) -> None:
        self.target = target
        self.is_head = is_head
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.trailers: list[tuple[bytes, bytes]] = []
        self.framing: Framing = "none"
        self.seen = False
        self.head_done = False
        self.finished = False
        self.keep_alive = False
        self.desynchronised = False
        self.error: UpstreamError | None = None
        self._pieces: list[bytes] = []
        self._held = 0
        self._waiter: asyncio.Future[None] | None = None
        self._resume = resume
        self._interim = False
        self._progress = False
        self._extra = 0
        self._fault = ""
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    # What the connection tells it.

    def feed(self, data: bytes) -> None:
        parser = self._parser
        assert parser is not None
        self.seen = True
        self._progress = False
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.desynchronised = True
            if not self.finished:
                self.fail(
                    UpstreamBroken(Kind.MALFORMED, self.target, self._fault or f"not HTTP/1.1: {error}")
                )
            return
        if self._progress or self.finished:
            self._extra = 0
        else:
            self._extra += len(data)
            if self._extra > MAX_HEAD_BYTES:
                self.fail(
                    UpstreamBroken(Kind.MALFORMED, self.target, "the head or the trailers are too large")
                )

    def eof(self) -> None:
        """The server closed its side in order."""
        if self.finished or self.error is not None:
            return
        if self.head_done and self.framing == "until-close":
            self._finish(keep_alive=False)
        elif not self.seen:
            self.fail(UpstreamBroken(Kind.RESET, self.target, "closed without an answer"))
        else:
            where = "body" if self.head_done else "head"
            self.fail(UpstreamBroken(Kind.TRUNCATED, self.target, f"closed inside the answer's {where}"))

    def fail(self, error: UpstreamError) -> None:
        if self.finished or self.error is not None:
            return
        self.error = error
        self._parser = None
        self._wake()

    @property
    def full(self) -> bool:
        return self._held > HIGH_WATER

    @property
    def over(self) -> bool:
        """Nothing more will arrive."""
        return self.finished or self.error is not None

    # What the caller takes.

    async def head(self) -> None:
        """Waits for the final head; raises `error` when there will be none."""
        while not self.head_done:
            if self.error is not None:
                raise self.error
            await self._wait()

    def take(self) -> bytes:
        pieces = self._pieces
        if not pieces:
            if self.error is not None:
                raise self.error
            return b""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        was_full = self._held > HIGH_WATER
        self._held = 0
        if was_full and not self.over:
            self._resume()
        return data

    async def next_piece(self) -> bytes:
        """What has arrived, waiting for something; empty at the end of a whole body."""
        while True:
            data = self.take()
            if data or self.finished:
                return data
            await self._wait()

    def drop(self) -> None:
        """Forgets what was not taken."""
        self._pieces.clear()
        self._held = 0

    async def _wait(self) -> None:
        assert self._waiter is None, "INVARIANT: one reader"
        self._waiter = waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _finish(self, *, keep_alive: bool) -> None:
        self.finished = True
        self.keep_alive = keep_alive
        self._parser = None
        self._wake()

    def _refuse(self, fault: str) -> None:
        """Stops the parser; `feed` turns it into `malformed`."""
        self._fault = fault
        raise ValueError(fault)

    # What the parser tells it (httptools looks these names up).

    def on_message_begin(self) -> None:
        if self.finished:
            self._refuse("a second answer that nobody asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        into = self.trailers if self.head_done else self.headers
        self._extra += len(name) + len(value)
        if self._extra > MAX_HEAD_BYTES or len(into) >= MAX_HEAD_COUNT:
            self._refuse("the head or the trailers are too large")
        into.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        assert parser is not None
        # The parser lets HTTP/0.9 and HTTP/2.0 pass as status lines.
        if parser.get_http_version() not in ("1.1", "1.0"):
            self._refuse("not HTTP/1.1")
        status = parser.get_status_code()
        if status < 200:
            if status == 101 or status < 100:
                self._refuse(f"status {status} was not asked for")
            self._interim = True
            self.headers.clear()
            return
        if status > 599:
            self._refuse("the status is none that HTTP has")
        self._interim = False
        self.status = status
        self.framing = framing = self._framing(status)
        self.keep_alive = parser.should_keep_alive()
        self.head_done = True
        self._progress = True
        self._extra = 0
        if framing == "none":
            self._finish(keep_alive=self.keep_alive)
        else:
            self._wake()

    def _framing(self, status: int) -> Framing:
        length = chunked = False
        for name, value in self.headers:
            if name == b"content-length":
                length = True
            elif name == b"transfer-encoding":
                if value.strip().lower() != b"chunked" or chunked:
                    self._refuse("a transfer coding other than chunked")
                chunked = True
        if length and chunked:
            self._refuse("both a length and chunks")
        if self.is_head or status in (204, 304):
            return "none"
        return "chunked" if chunked else "length" if length else "until-close"

    def on_body(self, data: bytes) -> None:
        if self.finished:
            self._refuse("a body where none may be")
        self._progress = True
        self._extra = 0
        self._pieces.append(data)
        self._held += len(data)
        if self._waiter is not None:
            self._wake()

    def on_message_complete(self) -> None:
        if not self._interim and not self.finished:
            self._finish(keep_alive=self.keep_alive)
