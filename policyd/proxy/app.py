"""The sidecar as an ASGI application: one request from its first byte to its line in the decision log.

In come ASGI's scope, `receive` and `send`; out go an answer of a permitted target, or a refusal. The one idea: a request
passes a fixed row of stages (`_stages`), each of which gives the next one something or ends the request with a
`Refusal`; whatever ends it, there is one answer and one line in the log. Plain ASGI: no framework, no middleware.
It does not decide (the policy does), choose among equals (`order`), or permit (`gate`).
"""

import asyncio
import os
import random
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final, NamedTuple

from policyd.deploy.model import Binding, Limits
from policyd.policy.decision import Plan, Reject
from policyd.proxy.conversation import MOST_DECISIONS
from policyd.proxy.decide import Decided, decide, refusal_of
from policyd.proxy.decision_log import DecisionLog
from policyd.proxy.forward import LARGE, Errand, Outcome, Road, Send, forward
from policyd.proxy.gate import Ticket
from policyd.proxy.identity import Claims, Identify
from policyd.proxy.intake import Gone, Receive, Room, take_body, take_whole
from policyd.proxy.live import Live
from policyd.proxy.models import listing
from policyd.proxy.order import in_order_to_try
from policyd.proxy.outbound import Headers, onward_headers, onward_query
from policyd.proxy.record import Record, line_of
from policyd.proxy.refusals import (
    REFUSALS,
    Dialect,
    Refusal,
    body_of,
    headers_of,
    refuse,
    refuse_unread,
    stream_error,
)
from policyd.proxy.weigh import Weigher
from policyd.proxy.wire import Line, line_of_scope
from policyd.traffic.body import Body, read_body, replace_model
from policyd.traffic.endpoints import Endpoint, EndpointName, dialect_of, find_endpoint
from policyd.traffic.read import read_request
from policyd.traffic.reading import Reading
from policyd.traffic.refused import CallerFault, Refused

__all__ = ["Sidecar"]

_NOBODY: Final[Claims] = {}


@dataclass(slots=True)
class _Request:
    """One request while it is served. `dialect` is known from the path on."""

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
    held: int = 0
    answered: bool = False
    outcome: Outcome = field(default_factory=Outcome)


class _Envelope(NamedTuple):
    """What the headers say about the body: its declared length, its type, its compression."""

    length: int
    kind: str | None
    coding: str | None
    upgrade: bool


class _Watch:
    """Cancels the task that serves a request as soon as its client leaves. The server itself does not. Where the server
    is not ours, a task of its own waits for ASGI to say so."""

    __slots__ = ("_task", "_watching", "gone", "over")

    def __init__(self, line: Line | None, receive: Receive) -> None:
        task = asyncio.current_task()
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


class Sidecar:
    """`live` is replaced as a whole when the policy is reloaded. Everything here belongs to one event loop."""

    def __init__(
        self,
        live: Live,
        road: Road,
        *,
        identify: Identify,
        weigher: Weigher,
        log: DecisionLog,
        limits: Limits,
        clock: Callable[[], float] = time.time,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.live = live
        self._road = road
        self._identify = identify
        self._weigher = weigher
        self._log = log
        self._limits = limits
        self._clock = clock
        self._draw = draw
        self._room = Room(limits.in_flight)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["raw_path"].decode("ascii")
        if path == "/" and scope["method"] in {"GET", "HEAD"}:
            await _alive(send)
            return
        record = Record(os.urandom(12).hex(), self._clock(), self.live.ready.digest, "unknown")
        request = _Request(
            scope["method"],
            path,
            scope["query_string"],
            scope["headers"],
            receive,
            send,
            perf_counter(),
            record,
            line_of_scope(scope),
        )
        if not self._log.reserve():
            await self._refuse(request, refuse("internal_log", "the decision log cannot be written"))
            return
        try:
            await self._answer(request)
        finally:
            self._room.give(request.held)
            record.took = perf_counter() - request.began
            # After the answer's bytes have left: the place for the line is reserved.
            asyncio.get_running_loop().call_soon(self._record, record, request.outcome)

    def _record(self, record: Record, outcome: Outcome) -> None:
        _note_outcome(record, outcome)
        self._log.write(line_of(record))

    async def _answer(self, request: _Request) -> None:
        """One answer, whatever happens; only a cancellation of the server itself goes on."""
        try:
            refusal = await self._stages(request)
        except Gone:
            request.outcome.gone = True
            return
        except Exception as error:
            # The last resort: refused, and told without any content.
            _complain(request.record.decision, error)
            if request.answered or request.outcome.status is not None:
                request.outcome.cut = "internal_error"
                return
            refusal = refuse("internal_error", "an error in policyd; nothing is sent without a decision")
        if refusal is not None:
            await self._refuse(request, refusal)

    async def _stages(self, request: _Request) -> Refusal | None:
        """The row of stages. None: answered."""
        endpoint = _endpoint(request)
        if isinstance(endpoint, Refused):
            return refuse_unread(endpoint)
        request.dialect = endpoint.dialect.value
        request.record.endpoint = endpoint.name.value
        claims = self._identify(request.headers)
        if isinstance(claims, Refusal):
            return claims
        envelope = _envelope(request.headers)
        if envelope.upgrade:
            # The parser leaves what follows to the other protocol, so there is no body to examine.
            return refuse_unread(
                Refused(CallerFault.UPGRADE, "no other protocol is spoken here than HTTP/1.1")
            )
        if endpoint.name is EndpointName.MODELS:
            return await self._models(request, endpoint, claims)
        limits, line = self._limits, request.line
        if line is not None and line.body_is_here:
            raw = take_whole(line.take_body(), limits.body, self._room)
        else:
            raw = await take_body(request.receive, envelope.length, limits.body, self._room)
        if isinstance(raw, Refusal):
            return raw
        request.held = request.record.bytes_in = len(raw)
        watch = _Watch(request.line, request.receive)
        try:
            return await self._with_body(request, endpoint, claims, envelope, raw, watch)
        except asyncio.CancelledError:
            if not watch.gone:
                raise
            request.outcome.gone = True
            return None
        finally:
            watch.over = True

    async def _with_body(
        self,
        request: _Request,
        endpoint: Endpoint,
        claims: Claims,
        envelope: _Envelope,
        raw: bytes,
        watch: _Watch,
    ) -> Refusal | None:
        if len(raw) > LARGE:
            read = await asyncio.to_thread(_read, raw, envelope, endpoint.name)
        else:
            read = _read(raw, envelope, endpoint.name)
        if isinstance(read, Refused):
            return refuse_unread(read)
        body, reading = read
        for decisions in range(1, MOST_DECISIONS + 1):
            live = self.live
            decided = await self._decide(request, live, endpoint, claims, reading)
            if isinstance(decided, Refusal):
                return decided
            if isinstance(decided.decision, Reject):
                return await refusal_of(live, decided)
            errand = self._errand(request, endpoint, live, decided.decision, body, reading, decisions)
            request.outcome.again = False
            await forward(errand, self._road, request.send, watch.is_gone, request.outcome)
            if not request.outcome.again:
                break
        code = request.outcome.refusal
        return None if code is None else _of_upstreams(code, request.outcome)

    async def _decide(
        self, request: _Request, live: Live, endpoint: Endpoint, claims: Claims, reading: Reading
    ) -> Decided | Refusal:
        record = request.record
        record.policy = live.ready.digest
        before = live.sight.before_body(endpoint.name.value, request.headers, claims, record.at)
        if isinstance(before, Refusal):
            return before
        record.features = before
        inside = live.sight.of_body(reading)
        if isinstance(inside, Refusal):
            return inside
        before.update(inside)
        began = perf_counter()
        decided = await decide(live, before, reading, record.bytes_in, self._weigher)
        record.decide_took = perf_counter() - began
        record.features = decided.values
        record.between = decided.between
        record.decided = decided.decision
        return decided

    def _errand(
        self,
        request: _Request,
        endpoint: Endpoint,
        live: Live,
        plan: Plan,
        body: Body,
        reading: Reading,
        decisions: int,
    ) -> Errand:
        targets = in_order_to_try(plan, self._road.observed.standing(live.price_in), self._draw)
        decision, route, tag = request.record.decision, plan.route, live.tag

        def body_for(binding: Binding) -> bytes:
            model = binding.model_for(reading.model)
            return body.raw if model == reading.model else replace_model(body, model)

        def own_headers(target: str, attempts: int) -> Headers:
            return _own_headers(decision, tag, route, target, attempts)

        def told(code: str, tail: bytes) -> bytes:
            refusal = refuse(code, "the answer of the model server ended before it was complete")
            return stream_error(refusal, endpoint.name.value, decision, tail=tail)

        seconds = max([live.bindings[t].timeouts.total for t in targets])
        return Errand(
            # The plan's own targets: what chose their order is among what the gate checks.
            ticket=Ticket(decision, live.ready.digest, frozenset(plan.targets)),
            targets=targets,
            bindings=live.bindings,
            path=endpoint.path.encode(),
            query=onward_query(request.query),
            headers=onward_headers(request.headers, live.sight.headers),
            body_for=body_for,
            size=len(body.raw),
            deadline=asyncio.get_running_loop().time() + seconds,
            own_headers=own_headers,
            told=told,
            decisions=decisions,
        )

    async def _models(self, request: _Request, endpoint: Endpoint, claims: Claims) -> Refusal | None:
        live = self.live
        request.record.policy = live.ready.digest
        before = live.sight.before_body(endpoint.name.value, request.headers, claims, request.record.at)
        if isinstance(before, Refusal):
            return before
        request.record.features = before
        body = listing(live, before, request.dialect, endpoint.model_id)
        if isinstance(body, Refusal):
            return body
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        headers += _own_headers(request.record.decision, live.tag, None, None, 0)
        await _whole(request, 200, headers, body)
        return None

    async def _refuse(self, request: _Request, refusal: Refusal) -> None:
        record = request.record
        record.said, record.by = refusal.message, refusal.by
        record.outcome = refusal.code
        body = body_of(refusal, request.dialect, record.decision)
        plan = record.decided if isinstance(record.decided, Plan) else None
        headers = headers_of(refusal, body, record.decision)
        if REFUSALS[refusal.code].status == 413:
            headers.append((b"connection", b"close"))
        attempts = len(request.outcome.attempts)
        headers += _own_headers(
            record.decision, record.policy.encode(), None if plan is None else plan.route, None, attempts
        )
        await _whole(request, refusal.status, headers, body)


def _endpoint(request: _Request) -> Endpoint | Refused:
    """The endpoint; the dialect of a refusal is guessed where the path does not say it."""
    names: set[str] = set()
    if request.method != "POST":
        names = {name.decode("latin-1") for name, _ in request.headers}
    found = find_endpoint(request.method, request.path, header_names=names)
    if isinstance(found, Refused):
        names = {name.decode("latin-1") for name, _ in request.headers}
        request.dialect = dialect_of(names).value
    return found


def _envelope(headers: list[tuple[bytes, bytes]]) -> _Envelope:
    """Headers that say two things about the body are joined, and then say nothing that is known."""
    length, kind, coding, upgrade = 0, None, None, False
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
            upgrade = True
    return _Envelope(length, kind, coding, upgrade)


def _read(raw: bytes, envelope: _Envelope, endpoint: EndpointName) -> tuple[Body, Reading] | Refused:
    """The body and what it says."""
    body = read_body(raw, envelope.kind, envelope.coding)
    if isinstance(body, Refused):
        return body
    reading = read_request(endpoint, body.parsed)
    return reading.refused if reading.refused is not None else (body, reading)


def _own_headers(decision: str, tag: bytes, route: str | None, target: str | None, attempts: int) -> Headers:
    out = [
        (b"x-policyd-decision", decision.encode()),
        (b"x-policyd-policy", tag),
        (b"x-policyd-attempts", b"%d" % attempts),
    ]
    if route is not None:
        out.append((b"x-policyd-route", route.encode()))
    if target is not None:
        out.append((b"x-policyd-target", target.encode()))
    return out


def _of_upstreams(code: str, outcome: Outcome) -> Refusal:
    """The refusal where no candidate gave an answer: what became of each."""
    what = ", ".join(f"{a.target}: {a.status or a.outcome}" for a in outcome.attempts)
    return refuse(code, f"{REFUSALS[code].meaning} ({what})")


def _note_outcome(record: Record, outcome: Outcome) -> None:
    record.attempts = outcome.attempts
    record.bytes_out = outcome.sent
    record.target = outcome.target
    if outcome.status is not None:
        record.status = outcome.status
    if outcome.gone:
        record.outcome = "client_gone"
    elif outcome.cut is not None:
        record.outcome = outcome.cut
    elif not record.outcome:
        record.outcome = "answered"
    if outcome.gate_said is not None:
        record.said = outcome.gate_said


async def _whole(request: _Request, status: int, headers: Headers, body: bytes) -> None:
    request.answered = True
    request.record.status = status
    await request.send({"type": "http.response.start", "status": status, "headers": headers})
    await request.send({"type": "http.response.body", "body": body, "more_body": False})


async def _alive(send: Send) -> None:
    """The root, which clients probe before their first request. It says nothing."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _complain(decision: str, error: Exception) -> None:
    """An error of ours, to standard error: where it happened and of what kind, never its message, which may quote."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno}" for f in reversed(frames[-6:]))
    print(f"policyd: internal error, decision {decision}: {type(error).__name__} at {where}", file=sys.stderr)
