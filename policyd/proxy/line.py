"""One request on a connection, and its answer on the way back: the server's side of ASGI.

In come the scope, pieces of the body as they arrive, and the answer's messages; out go bytes on the transport. The one idea:
the head of an answer waits for the first message of its body, so that an ordinary answer is one write. It also tells what
ASGI does not offer: the connection, whether the whole body is here, and at once when the client leaves. Which requests begin
here, and when a connection ends, is `wire.py`'s affair.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from socket import SO_LINGER, SOL_SOCKET
from struct import pack
from typing import Any, Final, Protocol, cast

from uvicorn.protocols.http.flow_control import FlowControl

__all__ = ["Line", "Peer", "line_of_scope"]

_KEY: Final = "policyd.line"

_STATUS: Final = {s.value: b"HTTP/1.1 %d %b" % (s.value, s.phrase.encode()) for s in HTTPStatus}

_PLAIN: Final = bytes(c for c in range(256) if c == 9 or (c >= 32 and c != 127))
"""What a head holds besides the ends of its lines."""

_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_WITHOUT_BODY: Final = frozenset({204, 304})

ONE_WRITE: Final = 64 * 1024
"""Up to this size the first bytes of a body are joined with the head."""


class Peer(Protocol):
    """The connection, as a request on it sees it."""

    transport: asyncio.Transport
    flow: FlowControl
    leaving: Callable[[], None] | None

    def on_response_complete(self) -> None: ...


class Line:
    """`decision` is the id that the application gave the request, `turned_away` the code by which the server ended it behind
    the application's back. `task` is the one that `run` runs in. `held` counts the bytes of the body that wait to be taken."""

    __slots__ = (
        "_chunked", "_head", "_is_head", "_left", "_news", "_old", "_open", "_owes_continue", "_peer", "_pieces", "_scope", "_waiter", "decision",
        "disconnected", "held", "keep_alive", "more_body", "response_complete", "response_started", "task",
        "turned_away",
    )  # fmt: skip

    def __init__(self, peer: Peer, scope: dict[str, Any], *, keep_alive: bool, expects: bool) -> None:
        self._peer = peer
        self._scope = scope
        self._is_head = scope["method"] == "HEAD"
        self._old = scope["http_version"] == "1.0"
        self._owes_continue = expects
        self._pieces: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._news = False
        self._head = b""
        self._chunked = self._open = False
        self._left = 0
        self.held = 0
        self.keep_alive = keep_alive
        self.more_body = True
        self.disconnected = False
        self.response_started = False
        self.response_complete = False
        self.task: asyncio.Task[None] | None = None
        self.decision = ""
        self.turned_away: str | None = None
        scope[_KEY] = self

    # For the application.

    @property
    def body_is_here(self) -> bool:
        """Whether the whole body has arrived."""
        return not (self.more_body or self.disconnected)

    def take_body(self) -> bytes:
        """What has arrived of the body; what ASGI's `receive` would give, without waiting for it."""
        pieces, self._pieces = self._pieces, []
        self.held, self._news = 0, False
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def about(self, name: str) -> Any:
        """What asyncio knows of the connection: `peername`, `peercert`, `ssl_object`."""
        return self._peer.transport.get_extra_info(name)

    def on_leave(self, call: Callable[[], None]) -> bool:
        """Calls `call` when the client leaves before its answer is complete; False where it has left already. The server
        stops reading while a large body waits to be taken, and would not notice: so it reads again."""
        if self.disconnected:
            return False
        self._peer.leaving = call
        self._peer.flow.resume_reading()
        return True

    # For the connection.

    def arrived(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self.held += len(piece)
        self.tell()

    def whole(self) -> None:
        """The body has come to its end."""
        self.more_body = False
        self.tell()

    def lost(self) -> None:
        """For the application the client is gone."""
        if not self.response_complete:
            self.disconnected = True
        self.tell()

    def tell(self) -> None:
        """There is something to receive."""
        self._news = True
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def run(self, app: Any, running: set[asyncio.Task[None]]) -> None:
        """One answer, whatever the application does: an error or a cancellation ends the request and not the server. Its task
        is one of `running` until then."""
        scope, self._scope = self._scope, {}
        try:
            await app(scope, self.receive, self.send)
            silent = self.response_complete or self.disconnected
        except BaseException:
            silent = False
        try:
            if self.response_started and not silent:
                self._break_off()
            elif not silent:
                await self._say_error()
        finally:
            if self.task is not None:
                running.discard(self.task)
                self.task = None

    def _break_off(self) -> None:
        head, self._head = self._head, b""
        if head and not self.disconnected:
            self._peer.transport.write(head)
        self._peer.transport.close()

    async def _say_error(self) -> None:
        body = b"Internal Server Error"
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    # ASGI.

    async def receive(self) -> dict[str, Any]:
        if self._owes_continue and not self._peer.transport.is_closing():
            self._peer.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._owes_continue = False
        if not (self.disconnected or self.response_complete):
            self._peer.flow.resume_reading()
            await self._news_come()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self.take_body(), "more_body": self.more_body}

    async def _news_come(self) -> None:
        while not self._news:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._news = False

    async def send(self, message: Mapping[str, Any]) -> None:
        flow = self._peer.flow
        if flow.write_paused and not self.disconnected:
            await flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self._begin(message["status"], message["headers"])
        elif not self.response_complete:
            self._continue(message.get("body", b""), message.get("more_body", False))
        else:
            raise RuntimeError("an answer that is complete goes on")

    def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """INVARIANT: names are tokens, and lower-case: they are written here or were parsed."""
        lines = [_STATUS.get(status) or b"HTTP/1.1 %d " % status]
        framed = closing = False
        for name, value in headers:
            if name in _FRAMING:
                if name == b"content-length" and not framed:
                    self._left, framed = int(value), True
                elif name == b"transfer-encoding" and value.lower() == b"chunked":
                    self._left, self._chunked, framed = 0, True, True
                elif name == b"connection" and b"close" in (
                    token.strip() for token in value.lower().split(b",")
                ):
                    self.keep_alive, closing = False, True
            lines.append(b"%b: %b" % (name, value))
        if not (self.keep_alive or closing):
            lines.append(b"connection: close")
        if not (framed or self._is_head or status in _WITHOUT_BODY):
            if self._old:
                # Chunks are nothing that it knows (RFC 9112, section 6.1).
                self._open = True
                self._ends_broken(True)
            else:
                self._chunked = True
                lines.append(b"transfer-encoding: chunked")
        lines += (b"", b"")
        head = b"\r\n".join(lines)
        if head.translate(None, _PLAIN) != b"\r\n" * (len(lines) - 1):
            raise RuntimeError("a header of the answer holds a control character")
        self._head = head
        self.response_started = True
        self._owes_continue = False

    def _ends_broken(self, broken: bool) -> None:
        """How the connection ends if it ends now. The end of an answer that has neither a length nor chunks is the end of its
        connection, so one that is cut has to end by a reset, whoever closes it."""
        socket = self._peer.transport.get_extra_info("socket")
        if socket is not None:
            socket.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", broken, 0))

    def _continue(self, body: bytes, more: bool) -> None:
        head, self._head = self._head, b""
        if self._is_head:
            self._left, body = 0, b""
        elif self._chunked:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                body += b"0\r\n\r\n"
        elif self._open:
            if not more:
                self._ends_broken(False)
        elif len(body) > self._left:
            raise RuntimeError("an answer is longer than its content-length")
        else:
            self._left -= len(body)
        peer = self._peer
        if not head:
            if body:
                peer.transport.write(body)
        elif len(body) <= ONE_WRITE:
            peer.transport.write(head + body)
        else:
            peer.transport.write(head)
            peer.transport.write(body)
        if more:
            return
        if self._left:
            raise RuntimeError("an answer is shorter than its content-length")
        self.response_complete = True
        self.tell()
        if not self.keep_alive:
            peer.transport.close()
        peer.on_response_complete()


def line_of_scope(scope: Mapping[str, Any]) -> Line | None:
    """The line of a request, where the server is ours."""
    return cast("Line | None", scope.get(_KEY))
