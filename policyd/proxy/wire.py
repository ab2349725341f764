"""The server's side of HTTP: what the sidecar needs of uvicorn's protocol and ASGI does not offer.

In comes a bound; out goes a protocol class. It bounds the header section of a request, which uvicorn does not: beyond the
bound the answer is 400 and the connection is closed before the application sees the request. And it tells the application
at once when a client leaves (`Line`), for which plain ASGI would need a task for every request.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

__all__ = ["Line", "bounded_protocol", "line_of_scope"]

_LINE = "policyd.line"


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


_TOO_LARGE = "The header section is larger than this server takes."


def bounded_protocol(most: Callable[[], int]) -> type[HttpToolsProtocol]:
    """uvicorn's protocol on httptools with at most so many bytes of headers in a request, asked for each. One header that does not end
    is noticed when the bytes received for it go beyond the bound."""

    class BoundedProtocol(HttpToolsProtocol):
        _in_head = False
        _received = 0
        _most = 0
        _left = 0
        leaving: Callable[[], None] | None = None

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self.leaving is not None:
                self.leaving()

        def on_message_begin(self) -> None:
            self._in_head = True
            self._received = 0
            self._left = self._most = most()
            super().on_message_begin()

        def on_header(self, name: bytes, value: bytes) -> None:
            self._left -= len(name) + len(value)
            super().on_header(name, value)

        def on_headers_complete(self) -> None:
            self._in_head = False
            if self._left < 0:
                # httptools turns it into a parser error, which the server answers with 400.
                raise ValueError(_TOO_LARGE)
            super().on_headers_complete()
            self.scope[_LINE] = Line(self, self.cycle)  # type: ignore[literal-required]

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._in_head:
                self._received += len(data)
                if self._received > self._most and not self.transport.is_closing():
                    self.send_400_response(_TOO_LARGE)

    return BoundedProtocol
