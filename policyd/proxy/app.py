"""The sidecar as an ASGI application: one request from its first byte to its line in the decision log.

In come ASGI's scope, `receive` and `send`; out go an answer of a permitted target, or a refusal. The one idea: a request
passes a fixed row of stages (`_stages`), each of which gives the next one something or ends the request with a
`Refusal`; whatever ends it, there is one answer and one line in the log. Plain ASGI: no framework, no middleware.
It does not decide (the policy does), choose among equals (`order`), or permit (`gate`).
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import Any, Final

from policyd.policy.decision import Plan, Reject
from policyd.policy.redacted import left_of
from policyd.policy.variants import plain_decision, plain_plan
from policyd.proxy.answering import (
    note_outcome,
    of_upstreams,
    own_headers,
    redacted_header,
    send_alive,
    send_refusal,
    send_whole,
)
from policyd.proxy.asked import Asked, Envelope, Watch, endpoint_of, envelope_of
from policyd.proxy.barred import barred
from policyd.proxy.calibration import Calibration, Comparison
from policyd.proxy.candidates import candidates_of, tokens_at, tokens_of, tokens_spent
from policyd.proxy.complain import complain
from policyd.proxy.conversation import MOST_DECISIONS
from policyd.proxy.conversations.turns import Conversations, Turn
from policyd.proxy.counting import COUNTED_HERE, carried, count
from policyd.proxy.decide import Decided, complete, decide, refusal_of
from policyd.proxy.decision_ids import decision_ids
from policyd.proxy.decision_log import DecisionLog
from policyd.proxy.early import bytes_of, refusal_for
from policyd.proxy.errand import LARGE, LAST_WORDS_SECONDS, Errand, Outcome, Road, Send
from policyd.proxy.finding_places import places_of, places_of_names
from policyd.proxy.forward import forward
from policyd.proxy.gate import Ticket
from policyd.proxy.host import is_for
from policyd.proxy.identity import Claims, Unsettled
from policyd.proxy.intake import Gone, Receive, Room, take_body, take_whole
from policyd.proxy.lanes import CALLER
from policyd.proxy.line import line_of_scope
from policyd.proxy.live import Live
from policyd.proxy.models import listing
from policyd.proxy.observe import Values
from policyd.proxy.order import Seen, is_fixed
from policyd.proxy.outbound import Headers, is_plain_query, onward_headers, said_beside
from policyd.proxy.record import Record, line_of, shortest_line_of
from policyd.proxy.redacting import Plain, Redacting, left_in_bytes
from policyd.proxy.refusals import (
    REFUSALS,
    Refusal,
    for_the_log,
    refuse,
    refuse_unread,
    refuse_unredacted,
    stream_error,
)
from policyd.proxy.restored import restored_ways
from policyd.proxy.task_features import IDS, ids_of
from policyd.proxy.telemetry.finished import Finished
from policyd.proxy.telemetry.recording import Recording
from policyd.proxy.telemetry.trace import Trace
from policyd.proxy.telemetry.traced import traced
from policyd.proxy.translated import Translation
from policyd.proxy.ways import ways
from policyd.proxy.wire import Early
from policyd.traffic.body import Body, read_body
from policyd.traffic.conversation import conversation_ids
from policyd.traffic.endpoints import Endpoint, EndpointName
from policyd.traffic.read import read_request
from policyd.traffic.reading import Flag, Reading
from policyd.traffic.refused import CallerFault, Refused
from policyd.traffic.rewrite import named

__all__ = ["Sidecar"]

_NOBODY: Final[Claims] = {}


class Sidecar:
    """`live` is replaced as a whole, by `serve`, when files change. Everything here belongs to one event loop."""

    def __init__(
        self,
        live: Live,
        road: Road,
        *,
        log: DecisionLog,
        telemetry: Recording | None = None,
        clock: Callable[[], float] = time.time,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.live = live
        self.road = road
        self._log = log
        self._telemetry = telemetry
        self._clock = clock
        self._draw = draw
        self._room = Room(live.limits.in_flight)
        self._under_way = 0
        self._new_id = decision_ids()
        self.conversations = Conversations(live.deployment.conversations)
        self.calibration = Calibration(self._compared)

    @property
    def held(self) -> int:
        """Bytes of bodies that are held now."""
        return self._room.held

    def serve(self, live: Live) -> None:
        """From now on by this policy and deployment."""
        self.live = live
        self._room.limit = live.limits.in_flight

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        record = Record(self._new_id(), self._clock(), self.live.ready.digest, "unknown")
        request = Asked(
            scope["method"],
            scope["raw_path"].decode("ascii"),
            scope["query_string"],
            scope["headers"],
            receive,
            send,
            perf_counter(),
            record,
            line_of_scope(scope),
        )
        line = request.line
        if line is not None:
            if line.turned_away is not None:
                # Its body proved to be none before this began; `turn_away` has answered and recorded it.
                return
            line.decision = record.decision
        endpoint, envelope = endpoint_of(request, self.live.prefix), envelope_of(request.headers)
        if isinstance(endpoint, Endpoint) and endpoint.name is EndpointName.ALIVE and not envelope.websocket:
            await send_alive(send, record.decision, self.live.tag, endpoint.allow)
            return
        if not self._log.reserve():
            await send_refusal(request, refuse("internal_log", "the decision log cannot be written"))
            self._tell(record, request.outcome, None, request.began)
            return
        if self._telemetry is not None:
            request.trace = trace = self._telemetry.begin(request.headers)
            request.outcome.curious = trace is not None and trace.sampled
        self._under_way += 1
        try:
            await self._answer(request, endpoint, envelope)
        finally:
            self._under_way -= 1
            self._room.give(request.held)
            record.took = perf_counter() - request.began
            # After the answer's bytes have left: the place for the line is reserved.
            asyncio.get_running_loop().call_soon(self._record, request)

    def turn_away(self, early: Early) -> bytes:
        """The answer to what the server itself turns away, and its line in the log: that of the request, where a stage had
        begun with it, or one of its own. A connection too many has none: nothing was asked on it."""
        refusal, tag, line = refusal_for(early), self.live.tag, early.line
        if line is not None and line.decision:
            line.turned_away = refusal.code
            return bytes_of(early, refusal, line.decision, tag)
        if line is not None:
            line.turned_away = refusal.code
        record = Record(self._new_id(), self._clock(), self.live.ready.digest, "unknown")
        if refusal.code != "internal_overload" and self._log.reserve():
            record.status, record.outcome, record.said = refusal.status, refusal.code, for_the_log(refusal)
            self._log.write(line_of(record))
            self._tell(record, Outcome(), None, perf_counter())
        return bytes_of(early, refusal, record.decision, tag)

    def _record(self, request: Asked) -> None:
        """The line of a request that has ended. Whatever fails here, there is a line with what is known, on the reserved place."""
        record = request.record
        try:
            self._note_end(request)
        except Exception as error:
            complain(record.decision, error)
        try:
            said = line_of(record)
        except Exception as error:
            complain(record.decision, error)
            said = shortest_line_of(record)
        self._log.write(said)
        try:
            self._tell(record, request.outcome, request.trace, request.began)
            if not record.redacted:
                # What a target counted is otherwise not what came.
                self.calibration.ended(self.live, record, request.reading)
        except Exception as error:
            complain(record.decision, error)

    def _note_end(self, request: Asked) -> None:
        """What is certain comes first: what an answer says of itself is somebody else's text."""
        record, line, outcome = request.record, request.line, request.outcome
        note_outcome(record, outcome)
        if line is not None and line.turned_away is not None:
            record.status, record.outcome = REFUSALS[line.turned_away].status, line.turned_away
        if request.turn is not None:
            record.conversation = request.turn.told
        if outcome.tap is not None:
            record.told = outcome.tap.told()
        spent = tokens_spent(record.told.usage)
        if outcome.taken is not None and spent is not None:
            self.road.targets.settle(outcome.taken, spent)

    def _compared(self, comparison: Comparison) -> None:
        if self._telemetry is not None:
            self._telemetry.compared(comparison)

    def _tell(self, record: Record, outcome: Outcome, trace: Trace | None, began: float) -> None:
        if self._telemetry is not None:
            self._telemetry.ended(Finished(record, outcome, self.live, trace, began))

    async def _answer(self, request: Asked, endpoint: Endpoint | Refused, envelope: Envelope) -> None:
        """One answer, whatever happens; only a cancellation of the server itself goes on."""
        try:
            refusal = await self._stages(request, endpoint, envelope)
        except Gone:
            request.outcome.gone = True
            return
        except asyncio.CancelledError:
            if not request.answered and request.outcome.status is None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LAST_WORDS_SECONDS):
                        await send_refusal(request, refuse("internal_stopped", "the sidecar was stopped"))
            raise
        except Exception as error:
            # The last resort: refused, and told without any content.
            complain(request.record.decision, error)
            if request.answered or request.outcome.status is not None:
                request.outcome.cut = "internal_error"
                return
            refusal = refuse("internal_error", "an error in policyd; nothing is sent without a decision")
        if refusal is not None:
            await send_refusal(request, refusal)

    async def _stages(
        self, request: Asked, endpoint: Endpoint | Refused, envelope: Envelope
    ) -> Refusal | None:
        """The row of stages. None: answered."""
        if envelope.websocket:
            if isinstance(endpoint, Endpoint):
                request.dialect = endpoint.dialect.value
            # The parser leaves what follows to the other protocol, so there is no body to examine.
            return refuse_unread(
                Refused(
                    CallerFault.UPGRADE, "no WebSocket is spoken here; send the same request over HTTP/1.1"
                )
            )
        if isinstance(endpoint, Refused):
            return refuse_unread(endpoint)
        request.dialect = endpoint.dialect.value
        request.record.endpoint = endpoint.name.value
        live = self.live
        if self._under_way > live.limits.requests:
            return refuse("internal_overload", "more requests are under way than the deployment allows")
        if live.hosts is not None and not is_for(request.headers, live.hosts):
            return refuse(
                "caller_bad_host",
                "the request was made for another host than this sidecar; use its address, or name the host in `hosts` of"
                " the deployment",
            )
        if request.query and not is_plain_query(request.query):
            return refuse(
                "caller_bad_query",
                "the query has a character that must be written as %XX, or none that a query has",
            )
        claims = await _identified(request, live, request.record.at)
        if isinstance(claims, Refusal):
            return claims
        if endpoint.name is EndpointName.MODELS:
            return await self._models(request, live, endpoint, claims)
        limits, line = live.limits, request.line
        if line is not None and line.body_is_here:
            raw = take_whole(line.take_body(), limits.body, self._room)
        else:
            waiting = perf_counter()
            raw = await take_body(
                request.receive, envelope.length, limits.body, self._room, seconds=limits.body_time
            )
            request.record.body_took = perf_counter() - waiting
        if isinstance(raw, Refusal):
            return raw
        request.held = request.record.bytes_in = len(raw)
        watch = Watch(request.line, request.receive)
        try:
            return await self._with_body(request, endpoint, envelope, raw, watch)
        except asyncio.CancelledError:
            if not watch.gone:
                raise
            request.outcome.gone = True
            return None
        finally:
            watch.over = True

    async def _with_body(
        self,
        request: Asked,
        endpoint: Endpoint,
        envelope: Envelope,
        raw: bytes,
        watch: Watch,
    ) -> Refusal | None:
        began = asyncio.get_running_loop().time()
        if len(raw) > LARGE:
            read = await asyncio.to_thread(_read, raw, envelope, endpoint)
        else:
            read = _read(raw, envelope, endpoint)
        if isinstance(read, Refused):
            return refuse_unread(read)
        body, request.reading = read
        reading = request.reading
        translation = Translation(endpoint.name, body)
        as_it_came = Plain(body, reading, translation)
        redacting = Redacting(endpoint.name, as_it_came)
        for decisions in range(1, MOST_DECISIONS + 1):
            live = self.live
            # Asked again: while the body came or another policy was asked, a key may have been revoked or have ended.
            request.record.decided = None
            claims = await _identified(request, live, self._clock())
            if isinstance(claims, Refusal):
                return claims
            request.turn = turn = await self._turn(request, live, claims, endpoint, reading)
            decided = await _decide(request, live, endpoint, claims, as_it_came, redacting)
            if isinstance(decided, Refusal):
                return decided
            record = request.record
            if record.decided is not None and decided.values.get("findings"):
                record.found = await places_of(
                    live.ready.program, record.decided, decided.values, reading, len(raw), live.weigher
                )
            if isinstance(decided.decision, Reject):
                refusal = await refusal_of(live, decided, translation, reading, turn)
                return replace(refusal, found=record.found)
            goes = await _going_on(request, live, decided, as_it_came, redacting)
            if isinstance(goes, Refusal):
                return goes
            out = barred(live, decided.decision, endpoint.name, goes.body, goes.reading)
            if isinstance(out, Refusal):
                return out
            if turn is not None:
                await _remember(live, turn, decided, as_it_came, redacting)
            errand = self._errand(request, endpoint, live, decided, goes, decisions, out, began)
            request.outcome.again = False
            if endpoint.name is EndpointName.COUNT_TOKENS:
                counted = await self._count(request, live, errand, goes.reading, watch)
                if counted is not None:
                    return counted
            else:
                await forward(errand, self.road, request.send, watch.is_gone, request.outcome)
            if not request.outcome.again:
                break
        code = request.outcome.refusal
        return None if code is None else of_upstreams(code, request.outcome)

    async def _count(
        self, request: Asked, live: Live, errand: Errand, reading: Reading, watch: Watch
    ) -> Refusal | None:
        """A question of how many tokens a request has: asked of the plan's first candidate, or counted here."""

        async def carry(what: Errand, send: Send) -> None:
            await forward(what, self.road, send, watch.is_gone, request.outcome)

        if await carried(errand, live.uncounting, carry, request.send, request.outcome):
            return None
        first = errand.targets[0]
        model = live.bindings[first].model_for(reading.model)
        body = await count(live.weigher, reading, request.record.bytes_in, live.measures[first], model)
        if isinstance(body, Refusal):
            return body
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            COUNTED_HERE,
        ]
        plan = request.record.decided
        assert isinstance(plan, Plan)  # INVARIANT: what is rejected has no errand
        headers += own_headers(
            request.record.decision, live.tag, plan.route, None, len(request.outcome.attempts)
        )
        headers += redacted_header(request.record.redacted)
        await send_whole(request, 200, headers, body)
        return None

    def _errand(
        self,
        request: Asked,
        endpoint: Endpoint,
        live: Live,
        decided: Decided,
        goes: Plain,
        decisions: int,
        out: frozenset[str],
        began: float,
    ) -> Errand:
        """`goes` is the request as targets get it. `out` are targets of the plan that may not have it. `began` is when the body was whole: neither deadline nor attempts
        are renewed by deciding again."""
        plan, limits = decided.decision, live.limits
        body, reading = goes.body, goes.reading
        assert isinstance(plan, Plan)  # INVARIANT: a rejection is no errand
        tokens = (0, 0)
        if live.metered or not is_fixed(plan):
            tokens = tokens_of(decided, reading, len(body.raw), live.deployment.answer_reserve)
        targets = candidates_of(plan, live, endpoint.name, body, tokens, self._seen, self._draw)
        targets = tuple(t for t in targets if t not in out) if out else targets
        decision, route, tag = request.record.decision, plan.route, live.tag

        headers = onward_headers(request.headers, live.sight.headers)
        way_to = ways(live, endpoint, body, reading.model, request.query, headers, goes.translation)
        left_in, inline = None, LARGE
        if decided.redaction is not None:
            inline, scanner = live.weigher.scans_inline, live.weigher.scanner
            way_to = restored_ways(way_to, goes, endpoint.name)
            left_in = left_in_bytes(decided.redaction, goes, endpoint.name, live.speech, scanner)
        if request.trace is not None:
            way_to = traced(way_to, request.trace, live.onward, request.outcome.attempts.__len__)

        redacted = redacted_header(request.record.redacted)

        def headers_for(target: str, attempts: int) -> Headers:
            return own_headers(decision, tag, route, target, attempts) + redacted

        def told(code: str, tail: bytes) -> bytes:
            refusal = refuse(code, "the answer of the model server ended before it was complete")
            return stream_error(refusal, endpoint.name.value, decision, tail=tail)

        def taken(target: str) -> int:
            return tokens_at(live, target, tokens[0]) + tokens[1]

        seconds = max([live.bindings[t].timeouts.total for t in targets])
        return Errand(
            # The plan's own targets: what chose their order is among what the gate checks.
            ticket=Ticket(decision, live.serving.digest, frozenset(plan.targets) - out),
            targets=targets,
            bindings=live.bindings,
            way_to=way_to,
            size=len(body.raw),
            deadline=began + min(seconds, limits.deadline),
            own_headers=headers_for,
            told=told,
            decisions=decisions,
            tokens=taken,
            attempts=max(1, limits.attempts - request.outcome.used),
            retry_wait=limits.retry_wait,
            acts=Flag.SERVER_TOOLS in reading.flags,
            turn=request.turn,
            left_in=left_in,
            inline=inline,
        )

    async def _turn(
        self, request: Asked, live: Live, claims: Claims, endpoint: Endpoint, reading: Reading
    ) -> Turn | None:
        if live.remembers is None:
            return None
        gives = endpoint.name is EndpointName.RESPONSES or Flag.SERVER_TOOLS in reading.flags
        if request.ids is None:
            if request.held > LARGE and Flag.STORED in reading.flags:
                # The whole body is walked for what it continues.
                request.ids = await asyncio.to_thread(conversation_ids, reading, request.headers)
            else:
                request.ids = conversation_ids(reading, request.headers)
        return self.conversations.turn(live.remembers, claims, request.ids, request.held, gives=gives)

    def _seen(self, targets: Iterable[str]) -> Mapping[str, Seen]:
        return self.road.targets.seen(targets, asyncio.get_running_loop().time())

    async def _models(self, request: Asked, live: Live, endpoint: Endpoint, claims: Claims) -> Refusal | None:
        request.record.policy, request.record.dates = live.ready.digest, live.dates
        before = live.sight.before_body(endpoint.name.value, request.headers, claims, request.record.at)
        if isinstance(before, Refusal):
            return before
        request.record.features = before
        body = listing(live, before, request.dialect, endpoint.model_id, request.query)
        if isinstance(body, Refusal):
            return body
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        headers += own_headers(request.record.decision, live.tag, None, None, 0)
        await send_whole(request, 200, headers, body)
        return None


async def _identified(request: Asked, live: Live, at: float) -> Claims | Refusal:
    claims = live.identify(request.headers, request.line, at)
    if isinstance(claims, Unsettled):
        await claims.settle()
        again = live.identify(request.headers, request.line, at)
        claims = claims.refusal if isinstance(again, Unsettled) else again
    request.record.caller = _NOBODY if isinstance(claims, Refusal) else claims
    CALLER.set(request.record.caller)
    return claims


async def _decide(
    request: Asked,
    live: Live,
    endpoint: Endpoint,
    claims: Claims,
    asked: Plain,
    redacting: Redacting,
) -> Decided | Refusal:
    record, reading = request.record, asked.reading
    record.policy, record.dates = live.ready.digest, live.dates
    before = live.sight.before_body(endpoint.name.value, request.headers, claims, record.at)
    if isinstance(before, Refusal):
        return before
    record.features = before
    inside = live.sight.of_body(reading)
    if isinstance(inside, Refusal):
        return inside
    before.update(inside)
    if request.turn is not None:
        before.update(await request.turn.glance())
    if live.read & IDS:
        before.update(ids_of(live.read, reading, request.headers))
    if "findings" in live.read:
        reading.beside = said_beside(request.headers, request.query, live.sight.headers)
    began = perf_counter()
    decided = await decide(
        live, before, reading, record.bytes_in, live.weigher, asked.translation, redacting, request.turn
    )
    record.decide_took = perf_counter() - began
    record.features = decided.values
    record.between = decided.between
    record.decided = decided.decision
    record.redacted = {}
    if live.redactions is not None:
        if not isinstance(decided.decision, Plan):
            record.decided = plain_decision(decided.decision)
            return decided
        plan, redaction = plain_plan(decided.decision, live.ready.program, live.redactions.variants)
        record.decided = plan
        return replace(decided, decision=plan, redaction=redaction)
    return decided


async def _remember(live: Live, turn: Turn, decided: Decided, asked: Plain, redacting: Redacting) -> None:
    """What the request reaches, written before anything of it leaves, or a mark that it is still to be found. What a redaction
    takes out before the guards look has not left, and raises nothing."""
    needs = frozenset[str]() if live.remembers is None else live.remembers.needs
    lacking = any(
        name in decided.between or (name not in decided.values and not name.startswith("conversation:"))
        for name in needs
    )
    size = len(asked.body.raw)

    def as_sent(values: Values) -> Values:
        redaction, found = decided.redaction, values.get("findings")
        if redaction is None or not redaction.after or not isinstance(found, frozenset):
            return values
        return values | {"findings": left_of(found, redaction)}

    async def scan() -> Values:
        return as_sent(
            await complete(live, decided, needs, asked.reading, size, asked.translation, redacting, turn)
        )

    await turn.leaves(as_sent(decided.values), scan, lacking=lacking)


async def _going_on(
    request: Asked, live: Live, decided: Decided, asked: Plain, redacting: Redacting
) -> Plain | Refusal:
    """The request as it goes on: without what the plan's route redacts."""
    if decided.redaction is None or live.redactions is None:
        return asked
    goes = await redacting.without(decided.redaction, live.redactions, live.weigher)
    if isinstance(goes, frozenset):
        request.record.found = found = await places_of_names(
            goes, asked.reading, len(asked.body.raw), live.weigher
        )
        return replace(refuse_unredacted(goes), found=found)
    request.record.redacted = {} if goes.taken is None else goes.taken.counts
    return goes


def _read(raw: bytes, envelope: Envelope, endpoint: Endpoint) -> tuple[Body, Reading] | Refused:
    """The body and what it says."""
    body = read_body(raw, envelope.kind, envelope.coding)
    if isinstance(body, Refused):
        return body
    if endpoint.deployment is not None:
        body = named(body, endpoint.deployment)
    reading = read_request(endpoint.name, body.parsed)
    return reading.refused if reading.refused is not None else (body, reading)
