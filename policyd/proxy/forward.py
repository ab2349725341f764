"""Carries one permitted request along its plan and the answer back: the I/O of `conversation.py`.

In come the errand (what to send, to which candidates, under which ticket) and the caller's `send`; out goes what
happened. The one idea: this module awaits, and `conversation.step` says what to do about what came. Bytes of an answer
pass as they came. It does not know the policy: which candidates there are is the plan's affair, whether one may be used
the gate's, whether it is asked now that of `targets`.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import Final, assert_never

from policyd.proxy.conversation import (
    ASKED_AGAIN,
    CONNECTS_AGAIN,
    AnotherPolicy,
    Answered,
    Await,
    Barred,
    Body,
    BreakOff,
    Deadline,
    DecideAgain,
    Ended,
    Event,
    Faulted,
    Finish,
    HangUp,
    Passed,
    Pause,
    Refuse,
    Relay,
    Rested,
    Try,
    begin,
    is_targets_own,
    step,
    word_of,
)
from policyd.proxy.conversations.answer_ids import AnswerIds, listening
from policyd.proxy.ending import Ending, ending_for
from policyd.proxy.errand import LARGE, LAST_WORDS_SECONDS, Attempt, Errand, Outcome, Road, Send
from policyd.proxy.gate import GateClosed, Permit, PolicyChanged, Reason, Refused
from policyd.proxy.late_error import LateError
from policyd.proxy.opening import Whose, begins_with_error, is_no_error
from policyd.proxy.outbound import Headers, answer_headers
from policyd.proxy.patience import again_after, retry_after
from policyd.proxy.targets import Ending as Verdict
from policyd.proxy.targets import (
    Skipped,
    Taken,
    TargetState,
    WhyPassed,
    verdict_on_fault,
    verdict_on_status,
)
from policyd.proxy.upstream.errors import UNSENT, Kind, UpstreamBroken, UpstreamError
from policyd.proxy.upstream.protocol import Exchange
from policyd.proxy.usage import Tap, tap_for
from policyd.proxy.way import Garbled, Head, Reply

__all__ = ["forward"]

LARGEST_WHOLE = 64 * 1024 * 1024
"""Bytes of an answer that is held until its end."""


async def forward(
    errand: Errand, road: Road, send: Send, is_gone: Callable[[], bool], outcome: Outcome
) -> None:
    """Runs the exchange to its end and writes what happened into `outcome`, also where the task is cancelled because
    the client is gone (then it returns) or because the sidecar stops (then the cancellation goes on)."""
    state, action = begin(
        len(errand.targets), attempts=errand.attempts, decisions=errand.decisions, acts=errand.acts
    )
    courier = _Courier(errand, road, send, outcome)
    event: Event
    try:
        while True:
            match action:
                case Try(at):
                    event = await courier.attempt(errand.targets[at])
                case Await():
                    event = await courier.first_bytes()
                case Relay():
                    event = await courier.relay()
                case Pause(until):
                    event = await courier.rest(until)
                case Finish() | HangUp():
                    return
                case Refuse(code):
                    outcome.refusal = code
                    return
                case BreakOff(code):
                    outcome.cut = code
                    await courier.tell(code)
                    return
                case DecideAgain():
                    outcome.again = True
                    return
                case _:
                    assert_never(action)
            state, action = step(state, event)
    except asyncio.CancelledError:
        outcome.gone = is_gone()
        courier.say_nothing()
        outcome.cut = None if outcome.gone else "internal_stopped"
        if not outcome.gone:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS_SECONDS):
                    await courier.tell("internal_stopped")
            raise
    finally:
        courier.drop("client_gone" if outcome.gone else "dropped")


_BODY: Final = Body()
_ENDED: Final = Ended()
_RESTED: Final = Rested()
_DEADLINE: Final = Deadline()


class _Courier:
    """The hands of one exchange: at most one attempt and one answer at a time."""

    __slots__ = (
        "_answer", "_attempt", "_ending", "_errand", "_head", "_held", "_ids", "_known", "_late", "_loop", "_outcome", "_reply", "_road", "_send",
        "_state", "_streams", "_tail", "_tap", "_trial", "_verdict",
    )  # fmt: skip

    def __init__(self, errand: Errand, road: Road, send: Send, outcome: Outcome) -> None:
        self._errand = errand
        self._road = road
        self._send = send
        self._outcome = outcome
        self._answer: Exchange | None = None
        self._attempt: Attempt | None = None
        self._reply: Reply | None = None
        self._head: Head | None = None
        self._held = b""
        self._tail = b""
        self._streams = False
        self._tap: Tap | None = None
        self._ending: Ending | None = None
        self._late: LateError | None = None
        self._ids: AnswerIds | None = None
        self._known: tuple[str, ...] = ()
        self._loop = asyncio.get_running_loop()
        self._state: TargetState | None = None
        self._trial = False
        self._verdict = Verdict.NEITHER

    def drop(self, why: str = "dropped") -> None:
        """Ends the attempt, if there is one: a connection in use is closed, a finished one goes back to its pool."""
        attempt, self._attempt = self._attempt, None
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.close()
        if attempt is not None:
            attempt.took = perf_counter() - attempt.began
            attempt.outcome = attempt.outcome or why
        state, self._state = self._state, None
        if state is not None:
            state.end(self._errand.size, self._verdict, self._loop.time, trial=self._trial)
            self._trial = False

    def say_nothing(self) -> None:
        """What was cut off from this side tells nothing about the target, but where it said an error and the client left
        at that."""
        if not self._hear():
            self._verdict = Verdict.NEITHER

    def _hear(self) -> bool:
        """Whether the stream said an error of the target's, after it had begun well."""
        whose = None if self._late is None else self._late.whose()
        if whose is None or self._attempt is None:
            return False
        self._attempt.outcome = Kind.ERROR_EVENT.value
        if whose is Whose.REQUEST:
            return False
        self._verdict = Verdict.FAULT
        self._outcome.erred = True
        return True

    async def attempt(self, target: str) -> Event:
        """Waits for a place at the target, asks the gate, then the target, up to the head of its answer."""
        self.drop()
        # What an answer that came to nothing said of its usage, or took of a minute, is not the next one's.
        self._tap = self._outcome.tap = self._outcome.taken = self._late = self._ids = None
        self._known = ()
        errand, loop = self._errand, self._loop
        now = loop.time()
        if now >= errand.deadline:
            return _DEADLINE
        # One that is not bound any more has no state, and the gate knows what that means.
        state = self._road.targets.get(target)
        awaited = errand.awaited
        tokens = errand.tokens(target)
        if state is not None:
            skipped = state.passed(now, tokens)
            if skipped is None and not state.seats.take(errand.size):
                skipped, awaited = await self._in_line(state), True
            if skipped is not None:
                return self._passed(target, skipped)
            self._state = state
            self._verdict = Verdict.NEITHER
        attempt = Attempt(target, perf_counter())
        if errand.awaited:
            permit = await asyncio.to_thread(self._permit, target)
        else:
            permit = self._permit(target)
        if state is not None:
            if awaited:
                # Asked once more: others had their turn meanwhile, and one of them may be the breaker's trial.
                now = loop.time()
                skipped = state.passed(now, tokens)
                if skipped is not None:
                    self.drop()
                    return self._passed(target, skipped)
            if isinstance(permit, Permit):
                self._trial = state.begin(now, tokens)
                if state.metered:
                    self._outcome.taken = Taken(target, now, tokens)
        self._outcome.attempts.append(attempt)
        self._attempt = attempt
        attempt.permitted = perf_counter() - attempt.began
        if not isinstance(permit, Permit):
            return self._closed(attempt, permit)
        try:
            self._answer = await self._road.upstream.open(permit, deadline=errand.deadline)
        except UpstreamError as error:
            attempt.stale = error.stale
            if error.kind in UNSENT:
                self._unsent(attempt)
            return self._fault(attempt, error)
        except GateClosed as closed:
            attempt.stale = closed.stale
            self._unsent(attempt)
            return self._closed(attempt, closed.outcome)
        attempt.status = status = self._answer.status
        attempt.outcome = word_of(status)
        self._verdict = verdict_on_status(status)
        if status not in ASKED_AGAIN:
            return Answered(status)
        seconds = retry_after(self._answer.headers)
        self._outcome.may_come_back(seconds)
        return Answered(status, None if seconds is None else self._again_at(seconds))

    def _unsent(self, attempt: Attempt) -> None:
        """Gives back what was taken of the target's minute, where nothing arrived there."""
        taken, state = self._outcome.taken, self._state
        if taken is not None and state is not None and state.metered and not attempt.stale:
            state.give_back(taken.began, taken.tokens)
            self._outcome.taken = None

    async def _in_line(self, state: TargetState) -> Skipped | None:
        """Waits for a place, which is taken where nothing is said."""
        left = self._errand.deadline - self._loop.time()
        began = perf_counter()
        try:
            if await state.seats.wait(self._errand.size, min(state.queue_timeout, left)):
                return None
        finally:
            self._outcome.waited += perf_counter() - began
        return Skipped(WhyPassed.BUSY, state.queue_timeout)

    def _passed(self, target: str, skipped: Skipped) -> Event:
        self._outcome.passed.append((target, skipped.why))
        self._outcome.may_come_back(skipped.wait)
        return Passed(skipped.why in {WhyPassed.BUSY, WhyPassed.RATE})

    def _again_at(self, seconds: float) -> float | None:
        """When the target may be asked again, if that is soon enough for this request."""
        errand, now = self._errand, self._loop.time()
        at = now + again_after(seconds, self._road.draw())
        return at if at < errand.deadline and at - now <= errand.retry_wait else None

    async def rest(self, until: float) -> Event:
        """Waits with nothing in hand."""
        self.drop()
        began = perf_counter()
        try:
            await asyncio.sleep(until - self._loop.time())
        finally:
            self._outcome.waited += perf_counter() - began
        return _RESTED

    def _permit(self, target: str) -> Permit | Refused | PolicyChanged:
        errand = self._errand
        binding = errand.bindings[target]
        way = errand.way_to(target)
        if errand.left_in is not None:
            left = errand.left_in(target, way)
            if left:
                return Refused(Reason.UNREDACTED, f"the bytes hold {', '.join(sorted(left))}")
        self._reply = way.reply
        path = binding.endpoint.prefix.encode() + way.path
        return self._road.gate.permit(
            errand.ticket,
            target,
            method=b"POST",
            path=path + b"?" + way.query if way.query else path,
            headers=way.headers,
            body=way.body,
        )

    def _closed(self, attempt: Attempt, said: Refused | PolicyChanged) -> Event:
        if isinstance(said, PolicyChanged):
            attempt.outcome = "policy_changed"
            return AnotherPolicy()
        attempt.outcome = "barred"
        self._outcome.gate_said = f"{said.reason}: {said.detail}"
        return Barred("policy_redaction") if said.reason is Reason.UNREDACTED else Barred()

    def _fault(self, attempt: Attempt, error: UpstreamError) -> Event:
        attempt.outcome = error.kind.value
        if self._loop.time() >= self._errand.deadline:
            # The time that was left may have been short: that says nothing about the target.
            self._verdict = Verdict.NEITHER
            return _DEADLINE
        self._verdict = verdict_on_fault(error.kind)
        again_at = self._again_at(0.0) if error.kind in CONNECTS_AGAIN else None
        return Faulted(error.kind, again_at)

    async def first_bytes(self) -> Event:
        """Waits for the first bytes of the body, or its end, and holds them; all of it, where the reply wants it whole."""
        answer, attempt = self._answer, self._attempt
        assert answer is not None and attempt is not None  # INVARIANT: only after `Answered`
        try:
            self._held = answer.take()
            if not self._held and not answer.finished:
                self._held = await anext(answer, b"")
            attempt.first_byte = perf_counter() - attempt.began
            if answer.status < 300 and not is_no_error(self._held):
                await self._refuse_error(answer, attempt)
            if self._state is not None and self._verdict is Verdict.GOOD:
                self._state.answering(attempt.first_byte, trial=self._trial)
                self._trial = False
            await self._said_by(answer, attempt)
        except UpstreamError as error:
            return self._fault(attempt, error)
        return _BODY

    async def _refuse_error(self, answer: Exchange, attempt: Attempt) -> None:
        """An answer that is a success by its status and begins with an error is none."""
        events = _is_open_stream(answer.headers)
        while (found := begins_with_error(self._held, events=events, ended=answer.finished)) is None:
            self._held += await anext(answer, b"")
        if found:
            raise UpstreamBroken(Kind.ERROR_EVENT, attempt.target, "the answer begins with an error")

    async def _said_by(self, answer: Exchange, attempt: Attempt) -> None:
        """The head of the answer for the caller, and of its body what is sent first."""
        ours = self._errand.own_headers(attempt.target, len(self._outcome.attempts))
        headers = answer_headers(answer.headers, ours)
        self._tap = self._outcome.tap = tap_for(answer.headers) if answer.status < 300 else None
        if self._tap is not None and self._outcome.curious:
            self._tap.curious = True
        # An error's status says all; how its body ends is its own affair.
        framed = answer.framing != "until-close"
        self._ending = (
            ending_for(answer.headers, framed=framed) if answer.status < 300 or not framed else None
        )
        if answer.status < 300 and _is_open_stream(answer.headers):
            self._late = LateError()
        turn = self._errand.turn
        if turn is not None and turn.listens and answer.status < 300:
            self._ids = listening(answer.headers)
        self._look(self._held)
        await self._tell_ids()
        reply = self._reply
        if reply is None:
            self._head = Head(answer.status, headers, False)
            return
        try:
            self._head = head = reply.head(answer.status, headers)
            held, self._held = self._held, b""
            out = reply.feed(held) if held else b""
            if head.whole:
                out = await self._whole(answer, reply, out)
                head.headers.append((b"content-length", b"%d" % len(out)))
            self._held = out
        except Garbled:
            raise UpstreamBroken(Kind.MALFORMED, attempt.target, "not what its API says") from None

    def _look(self, piece: bytes) -> None:
        """At bytes of the answer as the target sent them, whatever is made of them for the caller."""
        if self._tap is not None:
            self._tap.feed(piece)
        if self._ending is not None:
            self._ending.feed(piece)
        if self._late is not None:
            self._late.feed(piece)
        if self._ids is not None:
            self._known += self._ids.feed(piece)

    async def _tell_ids(self) -> None:
        """Before the caller gets the bytes that they stand in."""
        if self._known and self._errand.turn is not None:
            ids, self._known = self._known, ()
            await self._errand.turn.hears(ids)

    async def _is_whole(self) -> bool:
        """Whether an answer that has ended was not cut, where its framing does not say so."""
        ending = self._ending
        if ending is None:
            return True
        return await asyncio.to_thread(ending.is_whole) if self._outcome.sent > LARGE else ending.is_whole()

    async def _whole(self, answer: Exchange, reply: Reply, out: bytes) -> bytes:
        """The whole answer, said for the caller."""
        pieces, size = [out], len(out)
        async for piece in answer:
            self._look(piece)
            await self._tell_ids()
            said = reply.feed(piece)
            size += len(piece)
            if size > LARGEST_WHOLE:
                raise Garbled("larger than any answer")
            pieces.append(said)
        if not await self._is_whole():
            raise Garbled("closed inside the body")
        self._reply = None
        # It is parsed and written anew, for which the others need not wait.
        rest = await asyncio.to_thread(reply.end) if size > LARGE else reply.end()
        return b"".join([*pieces, rest])

    async def relay(self) -> Event:
        """Sends the head and the held bytes, then every piece as it comes, to the end of the answer."""
        answer, attempt, send, outcome = self._answer, self._attempt, self._send, self._outcome
        head, reply = self._head, self._reply
        assert answer is not None and attempt is not None and head is not None  # INVARIANT: only after `Body`
        headers = head.headers
        if head.status == 204:
            # What has no body says nothing of its length (RFC 9110, section 8.6).
            headers = [pair for pair in headers if pair[0] != b"content-length"]
        outcome.status = head.status
        outcome.target = attempt.target
        outcome.erred = is_targets_own(answer.status)
        self._streams = _is_open_stream(headers)
        await send({"type": "http.response.start", "status": head.status, "headers": headers})
        piece, self._held = self._held, b""
        if not piece and not answer.finished:
            # The head leaves with the first message behind it, and that may take a while.
            await send({"type": "http.response.body", "body": b"", "more_body": True})
        try:
            while True:
                if not piece and not answer.finished:
                    piece = await anext(answer, b"")
                    self._look(piece)
                    if self._known:
                        await self._tell_ids()
                    piece = piece if reply is None else reply.feed(piece)
                # Looked at once: while a slow client takes this piece, the rest of the answer may arrive.
                over = last = answer.finished
                if over:
                    rest = answer.take()
                    self._look(rest)
                    if self._known:
                        await self._tell_ids()
                    self._hear()
                    last = await self._is_whole()
                    if not last and answer.framing == "length":
                        # The last bytes would make it a whole one.
                        raise UpstreamBroken(Kind.TRUNCATED, attempt.target, "ended inside the answer")
                    piece += rest if reply is None else (reply.feed(rest) if rest else b"")
                    piece += reply.end() if reply is not None and last else b""
                outcome.sent += len(piece)
                self._tail = piece[-4:] or self._tail
                if piece or last:
                    await send({"type": "http.response.body", "body": piece, "more_body": not last})
                if last:
                    return _ENDED
                if over:
                    raise UpstreamBroken(Kind.TRUNCATED, attempt.target, "closed inside the answer's body")
                piece = b""
        except Garbled:
            return self._fault(
                attempt, UpstreamBroken(Kind.MALFORMED, attempt.target, "not what its API says")
            )
        except UpstreamError as error:
            return self._fault(attempt, error)

    async def tell(self, code: str) -> None:
        """Tells the error inside a stream that has begun, where its form has room for that. The end is never clean."""
        self.drop()
        if self._streams:
            event = self._errand.told(code, self._tail)
            await self._send({"type": "http.response.body", "body": event, "more_body": True})


def _is_open_stream(headers: Headers) -> bool:
    """Whether an event can be added: server-sent events without a length that was promised and without compression."""
    events = False
    for name, value in headers:
        if name in {b"content-length", b"content-encoding"}:
            return False
        if name == b"content-type":
            events = value.lower().startswith(b"text/event-stream")
    return events
