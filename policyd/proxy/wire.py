"""The server's side of HTTP: what the sidecar needs of uvicorn's protocol and ASGI does not offer.

In come limits; out goes a protocol class. It holds a connection to one request at a time whose head is whole before the
application sees it. What two servers in a row could read differently (two lengths, a coding besides chunks, no host or
two, an address before the path, trailers, chunk extensions) is turned away, and so is a head beyond its bound in bytes or
in time. What a client sends behind a request that is not answered yet is not read, and the connection ends with the
answer. It tells the application at once when a client leaves (`Line`), gives up a client that takes no byte any more or
sends nothing, and lets a refused client read its refusal. How a refusal is worded is not its affair (`TurnAway`).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast
from typing import Literal as Lit

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from policyd.deploy.model import Limits
from policyd.proxy.chunk_lines import ChunkLines, end_of_head

__all__ = ["LINGER_SECONDS", "Early", "Line", "TurnAway", "bounded_protocol", "line_of_scope"]

_LINE = "policyd.line"

LINGER_SECONDS: Final = 3.0
"""How long a connection that is closed inside a request still takes what the client sends. A client that finds its
connection reset while it sends does not read the answer that says why, and sends the same again."""


MOST_TOLD: Final = 256
"""Connections beyond the limit that are told so at once. Any further one is closed without a word."""


class Line:
    """The connection that one request came on. `decision` is the id that the application gave the request, `turned_away`
    the code by which the server ended it behind the application's back."""

    __slots__ = ("_cycle", "_protocol", "decision", "turned_away")

    def __init__(self, protocol: HttpToolsProtocol, cycle: RequestResponseCycle) -> None:
        self._protocol = protocol
        self._cycle = cycle
        self.decision = ""
        self.turned_away: str | None = None

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

    def about(self, name: str) -> Any:
        """What asyncio knows of the connection: `peername`, `peercert`, `ssl_object`."""
        return self._protocol.transport.get_extra_info(name)

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


@dataclass(frozen=True, slots=True)
class Early:
    """What the server turns away by itself. `url` and `headers` (lower-case names) as far as they came; `line` is there
    where the application had begun with it."""

    code: Lit["caller_not_http", "caller_slow", "internal_overload"]
    message: str
    url: bytes
    headers: Sequence[tuple[bytes, bytes]]
    line: Line | None


TurnAway: TypeAlias = Callable[[Early], bytes]
"""The whole answer, head and body. It says `connection: close`."""

_TOO_LARGE = "the head of the request, its path and query included, is larger than this deployment allows"
_TRAILERS = "trailers behind a body are not taken; send what they say as headers"
_EXTENSIONS = "chunks have extensions, an odd size, or few bytes each; send a `content-length`, or plain chunks of some size"
_NOT_HTTP = "this is not an HTTP/1.1 request that can be read in one way only"
_VERSION = "only HTTP/1.1 and HTTP/1.0 are spoken here"
_HOSTS = "a request has one `Host` and says it once"
_CODING = "a body has a `content-length`, or `transfer-encoding: chunked` and no other coding"
_TARGET = (
    "the request line has a path that begins with `/`: this is no forward proxy, and a fragment is never sent"
)
_CONNECT = "CONNECT asks for a tunnel, and this is no forward proxy"
_SLOW_HEAD = "the head of the request was not complete after {:g} seconds"
_FULL = "more connections than this deployment allows"

_WATCHED: Final = frozenset({b"host", b"transfer-encoding", b"expect"})


def bounded_protocol(
    limits: Callable[[], Limits], turn_away: TurnAway, *, linger: float = LINGER_SECONDS
) -> type[HttpToolsProtocol]:
    """uvicorn's protocol on httptools under these limits, asked anew for each connection and each request. What does not
    end (a header, a trailer, a chunk's line) is noticed when the bytes received for it go beyond the bound. A client that
    takes no byte for `unread` seconds while there are some for it is left."""

    class BoundedProtocol(HttpToolsProtocol):
        _inside = False
        """between a request's first byte and its last"""
        _in_head = False
        _began = False
        """a request began among the bytes that came last"""
        _early = b""
        """the last bytes of a head that came in pieces"""
        _chunks: ChunkLines | None = None
        _offered: int | None = None
        """bytes of a body that are still to come behind a head that offers another protocol"""
        _received = 0
        _most = 0
        _left = 0
        _hosts = 0
        _coding: bytes | None = None
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
        _head_due: asyncio.TimerHandle | None = None
        leaving: Callable[[], None] | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            self._raw = transport
            super().connection_made(cast("asyncio.Transport", _Ending(transport, self._close)))
            now = limits()
            beyond = len(self.connections) - now.connections
            if beyond > 0:
                self._deaf = self._inside = True
                if beyond > MOST_TOLD:
                    transport.abort()
                    return
                transport.write(turn_away(Early("internal_overload", _FULL, b"", (), None)))
                self.transport.close()
                return
            self.timeout_keep_alive = now.idle_time  # type: ignore[assignment]
            # The server's own timer for idle connections; it starts it only behind a first request.
            self.timeout_keep_alive_task = self.loop.call_later(
                now.idle_time, self.timeout_keep_alive_handler
            )

        def connection_lost(self, exc: Exception | None) -> None:
            self._lost = True
            for timer in (self._looking, self._lingering, self._head_due):
                if timer is not None:
                    timer.cancel()
            self._looking = self._lingering = self._head_due = None
            self._unset_keepalive_if_required()
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
            """Looks again after `unread` whether the client has taken anything of what waits for it."""
            self._unsent = self._raw.get_write_buffer_size()
            if self._looking is not None:
                self._looking.cancel()
            self._looking = self.loop.call_later(limits().unread, self._looked)

        def _looked(self) -> None:
            self._looking = None
            unsent = self._raw.get_write_buffer_size()
            if unsent and unsent >= self._unsent:
                self._raw.abort()
            elif unsent:
                self._look()

        # A client that does not send.

        def _await_head(self) -> None:
            """Behind every read outside a request's body: the next head must be whole in time. It starts with its first
            byte, and an empty line is one."""
            if self._head_due is None and not (self._deaf or self._lost or self.transport.is_closing()):
                seconds = limits().head_time
                self._head_due = self.loop.call_later(seconds, self._head_late, seconds)

        def _head_late(self, seconds: float) -> None:
            self._head_due = None
            if self._in_head:
                self._turn_away("caller_slow", _SLOW_HEAD.format(seconds))
            else:
                self.transport.close()

        # The end of a connection.

        def _close(self) -> None:
            ending = cast("_Ending", self.transport)
            if ending.closing or self._lost or not self._inside or self._raw.is_closing():
                self._raw.close()
            else:
                self._deaf = True
                if self._raw.can_write_eof():
                    self._raw.write_eof()
                self.flow.resume_reading()
                if self._lingering is not None:
                    self._lingering.cancel()
                self._lingering = self.loop.call_later(linger, self._raw.close)
            ending.closing = True
            if not self._lost and self._raw.get_write_buffer_size():
                self._look()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self._inside and self._lingering is None and not self._lost:
                # The rest of a request that is answered already is nobody's; a short one may still end.
                self._lingering = self.loop.call_later(linger, self._raw.close)

        def send_400_response(self, msg: str) -> None:  # noqa: ARG002  the server's words say less
            self._turn_away("caller_not_http", self._fault or _NOT_HTTP)

        def _turn_away(self, code: Lit["caller_not_http", "caller_slow"], message: str) -> None:
            cycle = self.cycle
            if self._deaf or self.transport.is_closing():
                return
            begun = cycle is not None and not self._in_head and not cycle.response_complete
            if begun and cycle.response_started:
                # An answer has begun: a second one would be taken for another request's.
                self.transport.close()
                return
            if begun:
                # For the application the client is gone: its request will never be whole.
                cycle.disconnected = True
                cycle.message_event.set()
            line = line_of_scope(cycle.scope) if begun else None
            known = self.headers or () if self._inside else ()
            self._inside = True
            url = getattr(self, "url", b"") if self._in_head or begun else b""
            self.transport.write(turn_away(Early(code, message, url, known, line)))
            self._deaf = True
            self.transport.close()

        def _take_offered(self, data: bytes) -> None:
            """The body of a request that offers another protocol, by its length: the parser leaves to that protocol what
            follows the head, and none is spoken. Nothing is read behind it."""
            assert self._offered is not None
            piece = data[: self._offered]
            self._offered -= len(piece)
            if piece:
                self.on_body(piece)
            if not self._offered:
                self._deaf = True
                self.on_message_complete()

        # What the parser says.

        def on_message_begin(self) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                # A second request would have to wait, and reading for it: nobody would notice that the client left.
                self._deaf = True
                self.cycle.keep_alive = False
                raise ValueError("one request at a time")
            self._inside = self._in_head = self._began = True
            self._moved = False
            self._received = self._hosts = 0
            self._coding = self._chunks = self._offered = None
            self._left = self._most = limits().header
            super().on_message_begin()

        def on_header(self, name: bytes, value: bytes) -> None:
            if not self._in_head:
                self._refuse(_TRAILERS)
            self._left -= len(name) + len(value)
            name = name.lower()
            if name in _WATCHED:
                if name == b"host":
                    self._hosts += 1
                elif name == b"expect":
                    self.expect_100_continue = value.lower() == b"100-continue"
                else:
                    self._coding = value.strip(b" \t").lower() if self._coding is None else b"two"
            self.headers.append((name, value))

        def on_headers_complete(self) -> None:
            if self._left < len(self.url):
                self._refuse(_TOO_LARGE)
            version = self.parser.get_http_version()
            if version != "1.1":
                if version != "1.0":
                    self._refuse(_VERSION)
                if self._coding is not None:
                    self._refuse(_CODING)
            if self._hosts != 1 and (self._hosts or version != "1.0"):
                self._refuse(_HOSTS)
            if self._coding is not None:
                if self._coding != b"chunked":
                    self._refuse(_CODING)
                self._chunks = ChunkLines()
            if self.parser.should_upgrade():
                if self._chunks is not None:
                    self._refuse(_CODING)
                self._offered = next((int(v) for n, v in self.headers if n == b"content-length"), 0)
            if self.url[:1] != b"/" or b"#" in self.url:
                self._refuse(_TARGET if self.parser.get_method() != b"CONNECT" else _CONNECT)
            self._in_head = False
            self._moved = True
            if self._head_due is not None:
                self._head_due.cancel()
                self._head_due = None
            # A copy: nothing that comes later can become a header.
            self.scope["headers"] = list(self.headers)
            super().on_headers_complete()
            if self._offered is not None:
                self.cycle.keep_alive = False
            self.scope[_LINE] = Line(self, self.cycle)  # type: ignore[literal-required]

        def on_body(self, body: bytes) -> None:
            self._moved = True
            super().on_body(body)

        def on_message_complete(self) -> None:
            if self._offered:
                return
            self._inside = False
            self._moved = True
            if self._lingering is not None and not self._deaf:
                self._lingering.cancel()
                self._lingering = None
            super().on_message_complete()

        def _refuse(self, why: str) -> None:
            """httptools turns it into a parser error, which the server answers with 400."""
            self._fault = why
            raise ValueError(why)

        def data_received(self, data: bytes) -> None:
            if self._deaf:
                return
            self._moved = self._began = False
            before = self._chunks
            self._parse(data)
            if self._hears_nothing():
                return
            self._received = 0 if self._moved else self._received + len(data)
            if self._chunks is not None and not self._plain(data, before):
                self._fault = _EXTENSIONS
                self.send_400_response("")
            elif self._inside and self._received > self._most:
                self._fault = _TOO_LARGE
                self.send_400_response("")
            elif self._in_head:
                self._early = data[-3:] if self._began else (self._early + data)[-3:]
                self._await_head()
            elif not self._inside and (self.cycle is None or self.cycle.response_complete):
                self._await_head()

        def _parse(self, data: bytes) -> None:
            self._unset_keepalive_if_required()
            if self._offered is not None:
                self._take_offered(data)
                return
            try:
                self.parser.feed_data(data)
            except HttpParserError:
                self.send_400_response("")
            except HttpParserUpgrade as offer:
                self._take_offered(data[offer.args[0] :])

        def _hears_nothing(self) -> bool:
            """Asked again: the parser may have found that there is nothing more to hear."""
            return self._deaf

        def _plain(self, data: bytes, before: ChunkLines | None) -> bool:
            chunks = self._chunks
            assert chunks is not None
            if chunks is before:
                return chunks.feed(data)
            # The head ended among these bytes.
            return chunks.feed(data[end_of_head(b"" if self._began else self._early, data) :])

    return BoundedProtocol
