"""The server's side of HTTP, with one bound that uvicorn does not have: the size of a request's header section.

In comes the bound; out goes a protocol class. A request beyond it is answered with 400 and its connection closed, before
the application sees it.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["bounded_protocol"]

_TOO_LARGE = "The header section is larger than this server takes."


def bounded_protocol(header_bytes: int) -> type[HttpToolsProtocol]:
    """uvicorn's protocol on httptools with at most so many bytes of headers in a request. One header that does not end
    is noticed when the bytes received for it go beyond the bound."""

    class BoundedProtocol(HttpToolsProtocol):
        _in_head = False
        _received = 0
        _left = header_bytes

        def on_message_begin(self) -> None:
            self._in_head = True
            self._received = 0
            self._left = header_bytes
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

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._in_head:
                self._received += len(data)
                if self._received > header_bytes and not self.transport.is_closing():
                    self.send_400_response(_TOO_LARGE)

    return BoundedProtocol
