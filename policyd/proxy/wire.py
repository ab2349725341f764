"""The server's side of HTTP: the protocol of a connection, on httptools.

In come limits; out goes a protocol class, which uvicorn's server makes one of for each connection. It holds a connection to one request at a time whose head is whole before the
application sees it. What two servers in a row could read differently (two lengths, a coding besides chunks, no host or
two, an address before the path, trailers, chunk extensions) is turned away, and so is a head beyond its bound in bytes or
in time. What a client sends behind a request that is not answered yet is not read, and the connection ends with the
answer. It tells the application at once when a client leaves (`Line`), gives up a client that takes no byte any more or
sends nothing, and lets a refused client read its refusal. How a request is given to the
application and an answer is written is `line.py`'s affair, how a refusal is worded `TurnAway`'s.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast
from typing import Literal as Lit
from urllib.parse import unquote

import uvicorn
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from policyd.deploy.model import Limits
from policyd.proxy.chunk_lines import ChunkLines, end_of_head
from policyd.proxy.line import Line

__all__ = ["LINGER_SECONDS", "Early", "TurnAway", "bounded_protocol"]

LINGER_SECONDS: Final = 3.0
"""How long a connection that is closed inside a request still takes what the client sends. A client that finds its
connection reset while it sends does not read the answer that says why, and sends the same again."""


MOST_TOLD: Final = 256
"""Connections beyond the limit that are told so at once. Any further one is closed without a word."""


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
) -> type[asyncio.Protocol]:
    """A protocol under these limits, asked anew for each connection and each request. What does not
    end (a header, a trailer, a chunk's line) is noticed when the bytes received for it go beyond the bound. A client that
    takes no byte for `unread` seconds while there are some for it is left."""

    class BoundedProtocol(asyncio.Protocol):
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
        _idle: asyncio.TimerHandle | None = None
        _idle_since: float | None = None
        """None while a request is read or answered"""
        _idle_time = 0.0
        _expects = False
        leaving: Callable[[], None] | None = None
        line: Line | None = None
        """the last request whose head was whole"""

        def __init__(
            self,
            config: uvicorn.Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            self.app = config.loaded_app
            self.loop = _loop or asyncio.get_running_loop()
            self.url = b""
            self.headers: list[tuple[bytes, bytes]] = []
            self._state = server_state
            self._app_state = app_state
            self._parser = HttpRequestParser(self)
            # A request behind one that said `connection: close` is left unread, and no error.
            self._parser.set_dangerous_leniencies(lenient_data_after_close=True)

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._raw = cast("asyncio.Transport", transport)
            self.transport = cast("asyncio.Transport", _Ending(self._raw, self._close))
            self.flow = FlowControl(self.transport)
            self._about = {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.3"},
                "server": get_local_addr(self.transport),
                "client": get_remote_addr(self.transport),
                "scheme": "https" if is_ssl(self.transport) else "http",
                "root_path": "",
            }
            connections = cast("set[asyncio.Protocol]", self._state.connections)
            connections.add(self)
            now = limits()
            beyond = len(connections) - now.connections
            if beyond > 0:
                self._deaf = self._inside = True
                if beyond > MOST_TOLD:
                    self._raw.abort()
                    return
                self._raw.write(turn_away(Early("internal_overload", _FULL, b"", (), None)))
                self.transport.close()
                return
            self._idle_time = now.idle_time
            self._rest()

        def connection_lost(self, exc: Exception | None) -> None:
            self._lost = True
            for timer in (self._looking, self._lingering, self._head_due, self._idle):
                if timer is not None:
                    timer.cancel()
            self._looking = self._lingering = self._head_due = self._idle = None
            cast("set[asyncio.Protocol]", self._state.connections).discard(self)
            if self.line is not None:
                self.line.lost()
            self.flow.resume_writing()
            if exc is None:
                self.transport.close()
            if self.leaving is not None:
                self.leaving()

        def shutdown(self) -> None:
            """The server stops: the answer under way is the last."""
            if self.line is None or self.line.response_complete:
                self.transport.close()
            else:
                self.line.keep_alive = False

        def take_leave(self, app: Any) -> None:
            """The same, with another application for requests that still come."""
            self.app = app
            # An answer that has begun has said already what becomes of the connection.
            if self.line is not None and not self.line.response_started:
                self.line.keep_alive = False

        # A connection that nothing is asked on. Its one timer looks when it is due, so that a request costs none.

        def _rest(self) -> None:
            self._idle_since = self.loop.time()
            if self._idle is None:
                self._idle = self.loop.call_later(self._idle_time, self._rested)

        def _rested(self) -> None:
            self._idle = None
            if self._idle_since is None:
                return
            left = self._idle_since + self._idle_time - self.loop.time()
            if left > 0:
                self._idle = self.loop.call_later(left, self._rested)
            else:
                self.transport.close()

        # A client that does not read.

        def pause_writing(self) -> None:
            self.flow.pause_writing()
            self._look()

        def resume_writing(self) -> None:
            if self._looking is not None:
                self._looking.cancel()
                self._looking = None
            if not self._lost and self.transport.is_closing() and self._raw.get_write_buffer_size():
                self._look()
            self.flow.resume_writing()

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
            if not self.transport.is_closing():
                self.flow.resume_reading()
                self._rest()
            if self._inside and self._lingering is None and not self._lost:
                # The rest of a request that is answered already is nobody's; a short one may still end.
                self._lingering = self.loop.call_later(linger, self._raw.close)

        def _not_http(self) -> None:
            self._turn_away("caller_not_http", self._fault or _NOT_HTTP)

        def _turn_away(self, code: Lit["caller_not_http", "caller_slow"], message: str) -> None:
            line = self.line
            if self._deaf or self.transport.is_closing():
                return
            if self._in_head or (line is not None and line.response_complete):
                line = None
            if line is not None and line.response_started:
                # An answer has begun: a second one would be taken for another request's.
                self.transport.close()
                return
            if line is not None:
                # Its request will never be whole.
                line.lost()
            known = self.headers if self._inside else ()
            self._inside = True
            url = self.url if self._in_head or line is not None else b""
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
            if self.line is not None and not self.line.response_complete:
                # A second request would have to wait, and reading for it: nobody would notice that the client left.
                self._deaf = True
                self.line.keep_alive = False
                raise ValueError("one request at a time")
            self._inside = self._in_head = self._began = True
            self._moved = False
            self._received = self._hosts = 0
            self._coding = self._chunks = self._offered = None
            self._left = self._most = limits().header
            self._expects = False
            self.url = b""
            self.headers = []

        def on_url(self, url: bytes) -> None:
            self.url += url

        def on_header(self, name: bytes, value: bytes) -> None:
            if not self._in_head:
                self._refuse(_TRAILERS)
            self._left -= len(name) + len(value)
            name = name.lower()
            if name in _WATCHED:
                if name == b"host":
                    self._hosts += 1
                elif name == b"expect":
                    self._expects = value.lower() == b"100-continue"
                else:
                    self._coding = value.strip(b" \t").lower() if self._coding is None else b"two"
            self.headers.append((name, value))

        def on_headers_complete(self) -> None:
            if self._left < len(self.url):
                self._refuse(_TOO_LARGE)
            version = self._parser.get_http_version()
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
            if self._parser.should_upgrade():
                if self._chunks is not None:
                    self._refuse(_CODING)
                self._offered = next((int(v) for n, v in self.headers if n == b"content-length"), 0)
            if self.url[:1] != b"/" or b"#" in self.url:
                self._refuse(_TARGET if self._parser.get_method() != b"CONNECT" else _CONNECT)
            self._in_head = False
            self._moved = True
            if self._head_due is not None:
                self._head_due.cancel()
                self._head_due = None
            path, _, query = self.url.partition(b"?")
            plain = path.decode("ascii")
            scope = {
                **self._about,
                "http_version": version,
                "method": self._parser.get_method().decode("ascii"),
                "path": unquote(plain) if "%" in plain else plain,
                "raw_path": path,
                "query_string": query,
                # A copy: nothing that comes later can become a header.
                "headers": list(self.headers),
                "state": self._app_state.copy(),
            }
            kept = version != "1.0" and self._offered is None and self._parser.should_keep_alive()
            self.line = line = Line(self, scope, keep_alive=kept, expects=self._expects)
            line.task = self.loop.create_task(line.run(self.app, self._state.tasks))
            self._state.tasks.add(line.task)

        def on_body(self, body: bytes) -> None:
            self._moved = True
            line = self.line
            assert line is not None  # INVARIANT: a body comes behind a head
            if line.response_complete:
                return
            line.arrived(body)
            if line.held > HIGH_WATER_LIMIT:
                self.flow.pause_reading()

        def on_message_complete(self) -> None:
            if self._offered:
                return
            self._inside = False
            self._moved = True
            if self._lingering is not None and not self._deaf:
                self._lingering.cancel()
                self._lingering = None
            if self.line is not None and not self.line.response_complete:
                self.line.whole()

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
                self._not_http()
            elif self._inside and self._received > self._most:
                self._fault = _TOO_LARGE
                self._not_http()
            elif self._in_head:
                self._early = data[-3:] if self._began else (self._early + data)[-3:]
                self._await_head()
            elif not self._inside and (self.line is None or self.line.response_complete):
                self._await_head()

        def _parse(self, data: bytes) -> None:
            self._idle_since = None
            if self._offered is not None:
                self._take_offered(data)
                return
            try:
                self._parser.feed_data(data)
            except HttpParserError:
                self._not_http()
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
