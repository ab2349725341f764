"""One request while it is served: what its head says, and whether its client is still there.

In come the parts of ASGI's scope; out go the endpoint, what the headers say about the body, and a watch that ends the
work when the client leaves. It reads no body and decides nothing.
"""

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from policyd.proxy.conversations.turns import Turn
from policyd.proxy.errand import Outcome, Send
from policyd.proxy.intake import Receive
from policyd.proxy.line import Line
from policyd.proxy.record import Record
from policyd.proxy.refusals import Dialect
from policyd.proxy.telemetry.trace import Trace
from policyd.traffic.conversation import ConversationIds
from policyd.traffic.endpoints import Endpoint, allowed_methods, dialect_of, find_endpoint
from policyd.traffic.reading import Reading
from policyd.traffic.refused import Refused

__all__ = ["Asked", "Envelope", "Watch", "endpoint_of", "envelope_of"]


@dataclass(slots=True)
class Asked:
    """One request while it is served. `dialect` is known from the path on, `reading` from its body on; `allow` holds the
    methods of a path that was asked for with another one."""

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    receive: Receive
    send: Send
    began: float
    record: Record
    line: Line | None = None
    dialect: Dialect = "openai"
    allow: str = ""
    held: int = 0
    answered: bool = False
    outcome: Outcome = field(default_factory=Outcome)
    trace: Trace | None = None
    turn: Turn | None = None
    reading: Reading | None = None
    ids: ConversationIds | None = None


class Envelope(NamedTuple):
    """What the headers say about the body: its declared length, its type, its compression. Any other upgrade than to a
    websocket is only offered, and HTTP/1.1 goes on (RFC 9110, section 7.8)."""

    length: int
    kind: str | None
    coding: str | None
    websocket: bool


class Watch:
    """Cancels the task that serves a request as soon as its client leaves. The server itself does not. Where the server
    is not ours, a task of its own waits for ASGI to say so."""

    __slots__ = ("_task", "_watching", "gone", "over")

    def __init__(self, line: Line | None, receive: Receive) -> None:
        task = asyncio.current_task() if line is None else line.task
        assert task is not None  # INVARIANT: an ASGI application runs in a task
        self._task = task
        self.gone = False
        self.over = False
        self._watching: asyncio.Task[None] | None = None
        if line is None:
            self._watching = asyncio.get_running_loop().create_task(self._wait(receive))
        elif not line.on_leave(self._left):
            self._left()

    async def _wait(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._left()

    def _left(self) -> None:
        if not self.over:
            self.gone = True
            self._task.cancel()

    def is_gone(self) -> bool:
        return self.gone


def endpoint_of(request: Asked, prefix: str) -> Endpoint | Refused:
    """The endpoint; the dialect of a refusal is guessed where the path does not say it."""
    names: set[str] = set()
    if request.method != "POST":
        names = {name.decode("latin-1") for name, _ in request.headers}
    found = find_endpoint(request.method, request.path, header_names=names, prefix=prefix)
    if isinstance(found, Refused):
        names = {name.decode("latin-1") for name, _ in request.headers}
        request.dialect = dialect_of(names).value if "/messages" not in request.path else "anthropic"
        request.allow = allowed_methods(request.path, prefix)
    return found


def envelope_of(headers: list[tuple[bytes, bytes]]) -> Envelope:
    """Headers that say two things about the body are joined, and then say nothing that is known."""
    length, kind, coding, websocket = 0, None, None, False
    for name, value in headers:
        if name == b"content-length":
            # INVARIANT: the server has parsed the length; one that it passed is digits.
            length = int(value)
        elif name == b"content-type":
            text = value.decode("latin-1")
            kind = text if kind is None else f"{kind}, {text}"
        elif name == b"content-encoding":
            text = value.decode("latin-1")
            coding = text if coding is None else f"{coding}, {text}"
        elif name == b"upgrade":
            websocket = websocket or b"websocket" in value.lower()
    return Envelope(length, kind, coding, websocket)
