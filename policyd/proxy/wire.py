"""The server's side of HTTP: what the sidecar needs of uvicorn's protocol and ASGI does not offer.

In come bounds; out goes a protocol class. It holds a connection to one request at a time whose head is whole before the
application sees it: a header section beyond its bound, and any trailer, is answered with 400; what a client sends behind
a request that is not answered yet is not read, and the connection ends with the answer. It tells the application at once
when a client leaves (`Line`), gives up a client that takes no byte any more, and lets a refused client read its refusal.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

__all__ = ["LINGER_SECONDS", "Line", "bounded_protocol", "line_of_scope"]

_LINE = "policyd.line"

LINGER_SECONDS: Final = 3.0
"""How long a connection that is closed inside a request still takes what the client sends. A client that finds its
connection reset while it sends does not read the answer that says why, and sends the same again."""


class Line:
    """The connection that one request came on."""

    __slots__ = ("_cycle", "_protocol")

    def __init__(self, protocol: HttpToolsProtocol, cycle: RequestResponseCycle) -> None:
        self._protocol = protocol
        self._cycle = cycle

    @property
    def body_is_here(self) -> bool:
        """Whether the whole body has arrived."""
        return not (self._cycle.more_body or self._cycle.disconnected)

    def take_body(self) -> bytes:
        """The body, once `body_is_here`; what ASGI's `receive` would give, without waiting for it."""
        body = bytes(self._cycle.body)
        self._cycle.body = bytearray()
        self._cycle.message_event.clear()
        return body

    def on_leave(self, call: Callable[[], None]) -> bool:
        """Calls `call` when the client leaves before its answer is complete; False where it has left already. The server
        stops reading while a large body waits to be taken, and would not notice: so it reads again."""
        if self._cycle.disconnected:
            return False
        self._protocol.leaving = call  # type: ignore[attr-defined]
        self._protocol.flow.resume_reading()
        return True


def line_of_scope(scope: Mapping[str, Any]) -> Line | None:
    """The line of a request, where the server is ours."""
    return cast("Line | None", scope.get(_LINE))


class _Ending:
    """A transport whose `close` is ours to say; everything else is the transport's own."""

    __slots__ = (
        "_close", "_transport", "abort", "closing", "get_extra_info", "get_write_buffer_size", "pause_reading",
        "resume_reading", "set_protocol", "write",
    )  # fmt: skip

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self._transport = transport
        self._close = close
        self.closing = False
        self.abort = transport.abort
        self.get_extra_info = transport.get_extra_info
        self.get_write_buffer_size = transport.get_write_buffer_size
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.set_protocol = transport.set_protocol
        self.write = transport.write

    def is_closing(self) -> bool:
        return self.closing or self._transport.is_closing()

    def close(self) -> None:
        self._close()


_HEAD_OF_400: Final = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    b"x-should-retry: false\r\nconnection: close\r\n\r\n"
)
_TOO_LARGE = "The header section is larger than this server takes."
_TRAILERS = "This server takes no trailers."


def bounded_protocol(
    most: Callable[[], int], patience: Callable[[], float], *, linger: float = LINGER_SECONDS
) -> type[HttpToolsProtocol]:
    """uvicorn's protocol on httptools with at most so many bytes of headers in a request, asked for each. What does not end (a
    header, a trailer, a chunk's line) is noticed when the bytes received for it go beyond the bound. A client that takes no
    byte for `patience` seconds while there are some for it is left."""

    class BoundedProtocol(HttpToolsProtocol):
        _inside = False
        """between a request's first byte and its last"""
        _in_head = False
        _received = 0
        _most = 0
        _left = 0
        _deaf = False
        """nothing that still comes is looked at"""
        _lost = False
        _moved = False
        """the parser got further than inside one header or one chunk's line"""
        _fault = ""
        _raw: asyncio.Transport
        _unsent = 0
        _looking: asyncio.TimerHandle | None = None
        _lingering: asyncio.TimerHandle | None = None
        leaving: Callable[[], None] | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            self._raw = transport
            super().connection_made(cast("asyncio.Transport", _Ending(transport, self._close)))

        def connection_lost(self, exc: Exception | None) -> None:
            self._lost = True
            for timer in (self._looking, self._lingering):
                if timer is not None:
                    timer.cancel()
            self._looking = self._lingering = None
            super().connection_lost(exc)
            if self.leaving is not None:
                self.leaving()

        # A client that does not read.

        def pause_writing(self) -> None:
            super().pause_writing()
            self._look()

        def resume_writing(self) -> None:
            if self._looking is not None:
                self._looking.cancel()
                self._looking = None
            if not self._lost and self.transport.is_closing() and self._raw.get_write_buffer_size():
                self._look()
            super().resume_writing()

        def _look(self) -> None:
            """Looks again after `patience` whether the client has taken anything of what waits for it."""
            self._unsent = self._raw.get_write_buffer_size()
            if self._looking is not None:
                self._looking.cancel()
            self._looking = self.loop.call_later(patience(), self._looked)

        def _looked(self) -> None:
            self._looking = None
            unsent = self._raw.get_write_buffer_size()
            if unsent and unsent >= self._unsent:
                self._raw.abort()
            elif unsent:
                self._look()

        # The end of a connection.

        def _close(self) -> None:
            ending = cast("_Ending", self.transport)
            if ending.closing or self._lost or not self._inside or self._raw.is_closing():
                self._raw.close()
            else:
                self._deaf = True
                self._raw.write_eof()
                self.flow.resume_reading()
                self._lingering = self.loop.call_later(linger, self._raw.close)
            ending.closing = True
            if not self._lost and self._raw.get_write_buffer_size():
                self._look()

        def send_400_response(self, msg: str) -> None:
            cycle = self.cycle
            if self._deaf or self.transport.is_closing():
                return
            if (
                cycle is not None
                and not self._in_head
                and (cycle.response_started or cycle.response_complete)
            ):
                # An answer has begun or was given: a second one would be taken for another request's.
                self.transport.close()
                return
            if cycle is not None and not self._in_head:
                # For the application the client is gone: its request will never be whole.
                cycle.disconnected = True
                cycle.message_event.set()
            body = (
                b'{"type":"error","error":{"type":"invalid_request_error","message":"%b","code":"caller_not_http"}}'
                % ((self._fault or msg).encode("ascii"))
            )
            self.transport.write(_HEAD_OF_400 % len(body) + body)
            self._deaf = True
            self.transport.close()

        # What the parser says.

        def on_message_begin(self) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                # A second request would have to wait, and reading for it: nobody would notice that the client left.
                self._deaf = True
                self.cycle.keep_alive = False
                raise ValueError("one request at a time")
            self._inside = self._in_head = True
            self._moved = False
            self._received = 0
            self._left = self._most = most()
            super().on_message_begin()

        def on_header(self, name: bytes, value: bytes) -> None:
            if not self._in_head:
                self._refuse(_TRAILERS)
            self._left -= len(name) + len(value)
            super().on_header(name, value)

        def on_headers_complete(self) -> None:
            if self._left < 0:
                self._refuse(_TOO_LARGE)
            self._in_head = False
            self._moved = True
            # A copy: nothing that comes later can become a header.
            self.scope["headers"] = list(self.headers)
            super().on_headers_complete()
            self.scope[_LINE] = Line(self, self.cycle)  # type: ignore[literal-required]

        def on_body(self, body: bytes) -> None:
            self._moved = True
            super().on_body(body)

        def on_message_complete(self) -> None:
            self._inside = False
            self._moved = True
            super().on_message_complete()

        def _refuse(self, why: str) -> None:
            """httptools turns it into a parser error, which the server answers with 400."""
            self._fault = why
            raise ValueError(why)

        def data_received(self, data: bytes) -> None:
            if self._deaf:
                return
            self._moved = False
            super().data_received(data)
            self._received = 0 if self._moved else self._received + len(data)
            if self._inside and self._received > self._most and not self.transport.is_closing():
                self._fault = _TOO_LARGE
                self.send_400_response(_TOO_LARGE)

    return BoundedProtocol
