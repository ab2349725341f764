"""One connection to one target: an asyncio protocol that carries one exchange at a time.

It moves bytes between the transport and the current `Answer`, keeps the clock (first byte, idle, total) with a single
lazy timer, and tells its pool when it is free or gone. Bytes that arrive while nothing was asked close it: a connection
that speaks out of turn is never used again.
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from policyd.deploy.model import BoundTarget
from policyd.proxy.gate import Permit
from policyd.proxy.upstream.answer import Answer
from policyd.proxy.upstream.errors import Kind, UpstreamBroken

__all__ = ["IDLE_IN_POOL", "Connection"]

IDLE_IN_POOL: Final = 15.0
"""Seconds that a free connection is kept. Shorter than the keep-alive of the servers that people run."""

_ONE_WRITE: Final = 64 * 1024
"""Up to this size head and body are joined into one write."""


class Connection(asyncio.Protocol):
    """INVARIANT: `opened_for` is the target whose address rule and TLS demands held when it was opened."""

    __slots__ = (
        "_active_at", "_answer", "_first_byte_at", "_loop", "_on_free", "_on_gone", "_paused", "_sent_at", "_timer",
        "_timer_at", "_total_at", "_total_kind", "_transport", "answers", "gone", "opened_for",
    )  # fmt: skip

    def __init__(
        self,
        opened_for: BoundTarget,
        loop: asyncio.AbstractEventLoop,
        *,
        on_free: "Callable[[Connection], None]",
        on_gone: "Callable[[Connection], None]",
    ) -> None:
        self.opened_for = opened_for
        self.answers = 0
        self.gone = False
        self._loop = loop
        self._on_free = on_free
        self._on_gone = on_gone
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._active_at = self._sent_at = loop.time()
        self._first_byte_at = self._total_at = 0.0

    @property
    def usable(self) -> bool:
        transport = self._transport
        return not self.gone and self._answer is None and transport is not None and not transport.is_closing()

    @property
    def transport(self) -> asyncio.Transport | None:
        return self._transport

    def send(self, permit: Permit, *, deadline: float | None) -> Answer:
        """Writes the permit's bytes. The caller has confirmed the permit for `opened_for` just before."""
        transport = self._transport
        assert transport is not None and self._answer is None
        answer = Answer(self.opened_for.name, is_head=permit.is_head, resume=self._resume)
        self._answer = answer
        now = self._loop.time()
        timeouts = self.opened_for.binding.timeouts
        self._sent_at = self._active_at = now
        self._first_byte_at = now + timeouts.first_byte
        total_at = now + timeouts.total
        self._total_at = total_at if deadline is None or deadline > total_at else deadline
        head, body = permit.head, permit.body
        if not body:
            transport.write(head)
        elif len(body) <= _ONE_WRITE:
            transport.write(head + body)
        else:
            transport.writelines((head, body))
        self._arm(min(self._first_byte_at, self._total_at))
        return answer

    def dropped_unread(self, answer: Answer, *, within: float) -> bool:
        """The server ended a connection that had served before, without a byte of this answer, within `within` seconds
        of the request: it had closed an idle connection while the request was on its way."""
        return (
            self.answers > 0
            and not answer.seen
            and answer.error is not None
            and answer.error.kind is Kind.RESET
            and self._loop.time() - self._sent_at <= within
        )

    def abort(self) -> None:
        """Ends the connection now; nothing more is sent or read."""
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.drop()
            answer.fail(UpstreamBroken(Kind.RESET, self.opened_for.name, "aborted by policyd"))
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._arm(self._loop.time() + IDLE_IN_POOL)

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:
            self.abort()
            return
        self._active_at = self._loop.time()
        answer.feed(data)
        if answer.finished:
            self._after(answer)
        elif answer.error is not None:
            self._drop()
        elif answer.full and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        else:
            # The timer stands for the first byte, which may be later than the idle limit that holds from the head on.
            idle_at = self._active_at + self.opened_for.binding.timeouts.idle
            if answer.head_done and idle_at < self._timer_at:
                self._arm(idle_at)

    def eof_received(self) -> None:
        answer = self._answer
        if answer is not None:
            self._answer = None
            answer.eof()
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        answer, self._answer = self._answer, None
        if answer is not None:
            detail = (
                "the connection was lost" if exc is None else f"the connection was lost: {type(exc).__name__}"
            )
            answer.fail(UpstreamBroken(Kind.RESET, self.opened_for.name, detail))
        self._on_gone(self)

    def _after(self, answer: Answer) -> None:
        """The answer is whole: free the connection, or end it where it cannot be trusted with another request."""
        self._answer = None
        self.answers += 1
        transport = self._transport
        assert transport is not None
        if not answer.keep_alive or answer.desynchronised or transport.get_write_buffer_size():
            transport.abort()
            return
        self._resume()
        self._arm(self._active_at + IDLE_IN_POOL)
        self._on_free(self)

    def _drop(self) -> None:
        self._answer = None
        assert self._transport is not None
        self._transport.abort()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._active_at = self._loop.time()
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()

    # The clock. One timer is armed for the earliest moment that could matter and looks then what is due, so that an
    # exchange that ends in time costs no timer of its own.

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._due)

    def _due(self) -> None:
        self._timer = None
        if self.gone:
            return
        at, kind = self._next_deadline()
        if self._loop.time() < at:
            self._arm(at)
            return
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.fail(UpstreamBroken(kind, self.opened_for.name, "no answer in time"))
        if self._transport is not None:
            self._transport.abort()

    def _next_deadline(self) -> tuple[float, Kind]:
        answer = self._answer
        if answer is None:
            return self._active_at + IDLE_IN_POOL, Kind.IDLE_TIMEOUT
        if not answer.head_done:
            first = (self._first_byte_at, Kind.FIRST_BYTE_TIMEOUT)
        elif self._paused:
            return self._total_at, Kind.TOTAL_TIMEOUT
        else:
            first = (self._active_at + self.opened_for.binding.timeouts.idle, Kind.IDLE_TIMEOUT)
        return min(first, (self._total_at, Kind.TOTAL_TIMEOUT))
