"""The connections of one target: reuse, a limit, and a fair queue. A pool is never shared between targets.

`acquire` gives the connection that was used last, opens one below the limit, or waits in line; whoever waits longest is
served first. A waiter is handed either a free connection or the right to open one.
"""

import asyncio
import ssl
from collections import deque
from typing import Final

from policyd.deploy.model import BoundTarget
from policyd.proxy.upstream.connect import connect
from policyd.proxy.upstream.connection import Connection
from policyd.proxy.upstream.errors import Kind, UpstreamUnreachable
from policyd.proxy.upstream.telling import Telling
from policyd.proxy.upstream.tls import context_for

__all__ = ["Pool"]

_LONGEST_QUEUE: Final = 4096
_Turn = asyncio.Future["Connection | None"]


class Pool:
    """INVARIANT: `_open` counts connections that are open or being opened, plus rights to open that were handed out; it
    never exceeds the target's `max_connections`. `unreached` says why the last connect failed, if it did."""

    def __init__(
        self, target: BoundTarget, loop: asyncio.AbstractEventLoop, telling: Telling | None = None
    ) -> None:
        self.target = target
        self.unreached: str | None = None
        self._telling = telling
        self._loop = loop
        self._limit = target.binding.max_connections
        self._context: ssl.SSLContext | None = (
            context_for(target.binding.tls) if target.binding.endpoint.scheme == "https" else None
        )
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._queue: deque[_Turn] = deque()
        self._open = 0
        self._retired = False

    @property
    def open(self) -> int:
        return self._open

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def take_idle(self) -> Connection | None:
        """The free connection that was used last, if there is one."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.usable:
                return connection
        return None

    async def acquire(self, *, fresh: bool = False) -> Connection:
        """A connection that carries nothing; with `fresh`, none that lay idle. Raises `UpstreamUnreachable`."""
        if not fresh:
            connection = self.take_idle()
            if connection is not None:
                return connection
        if self._open >= self._limit or self._queue:
            handed = await self._wait_in_line()
            if handed is not None:
                return handed
        else:
            self._open += 1
        return await self._connect()

    def free(self, connection: Connection) -> None:
        """The connection's exchange ended well, or it was acquired and not used."""
        if self._retired:
            connection.abort()
            return
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        self._idle.append(connection)

    def retire(self) -> None:
        """No new exchange: free connections close now, busy ones when they are done."""
        self._retired = True
        for connection in self._idle:
            connection.abort()
        self._idle.clear()
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_exception(
                    UpstreamUnreachable(
                        Kind.POOL_EXHAUSTED, self.target.name, "the target is being bound anew"
                    )
                )

    def close(self) -> None:
        self.retire()
        for connection in tuple(self._all):
            connection.abort()

    async def _wait_in_line(self) -> Connection | None:
        """A free connection, or None: the right to open one (already counted)."""
        if len(self._queue) >= _LONGEST_QUEUE:
            raise UpstreamUnreachable(
                Kind.POOL_EXHAUSTED, self.target.name, "too many requests wait for a connection"
            )
        turn: _Turn = self._loop.create_future()
        self._queue.append(turn)
        try:
            async with asyncio.timeout(self.target.binding.timeouts.connect):
                connection = await turn
        except BaseException as error:
            self._give_up(turn)
            if isinstance(error, TimeoutError):
                raise UpstreamUnreachable(
                    Kind.POOL_EXHAUSTED, self.target.name, "no connection became free in time"
                ) from None
            raise
        if connection is not None and not connection.usable:
            # It closed between the hand-over and now; its place is counted off in `_gone`.
            return await self._wait_or_open()
        return connection

    async def _wait_or_open(self) -> Connection | None:
        if self._open < self._limit:
            self._open += 1
            return None
        return await self._wait_in_line()

    def _give_up(self, turn: _Turn) -> None:
        if turn.done() and not turn.cancelled():
            if turn.exception() is not None:
                return
            connection = turn.result()
            if connection is None:
                self._return_right()
            elif connection.usable:
                self.free(connection)
            return
        turn.cancel()
        if turn in self._queue:
            self._queue.remove(turn)

    async def _connect(self) -> Connection:
        try:
            connection = await connect(self.target, self._make, self._context)
        except BaseException as error:
            self._return_right()
            if isinstance(error, UpstreamUnreachable):
                self.unreached = f"{error.kind}: {error.detail}"
                if self._telling is not None:
                    self._telling.failed(error)
            raise
        if connection.gone:
            self._return_right()
            raise UpstreamUnreachable(Kind.REFUSED, self.target.name, "closed as soon as it was open")
        self._all.add(connection)
        self.unreached = None
        if self._telling is not None:
            self._telling.reached(self.target.name)
        return connection

    def _make(self) -> Connection:
        return Connection(self.target, self._loop, on_free=self.free, on_gone=self._gone)

    def _return_right(self) -> None:
        """One fewer is open: the longest waiting may open one."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._open -= 1

    def _gone(self, connection: Connection) -> None:
        if connection not in self._all:
            return  # It failed while it was being opened; `_connect` gives its right back.
        self._all.remove(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._return_right()
