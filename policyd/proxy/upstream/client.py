"""The upstream client of the hot path: HTTP/1.1 over asyncio and httptools, one pool for each target.

In: a permit. Out: an `Exchange`. It asks the gate once more with the connection in hand, writes the permit's bytes, and
waits for the head. A pooled connection that the server closed while the request was on its way is replaced once by
another; nothing else is retried here. Redirects are answers like any other. See `errors` for what can go wrong.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from policyd.deploy.model import BoundTarget
from policyd.proxy.gate import Gate, GateClosed, Permit, Reason, Refused
from policyd.proxy.upstream.answer import Answer, Framing
from policyd.proxy.upstream.connection import Connection
from policyd.proxy.upstream.errors import Kind, UpstreamBroken, UpstreamUnreachable
from policyd.proxy.upstream.pool import Pool
from policyd.proxy.upstream.telling import Telling

__all__ = ["HttpExchange", "HttpUpstream"]

_STALE_WITHIN: Final = 1.0
"""Seconds after the request in which a pooled connection may prove stale. A server that had closed an idle connection
says so within a round trip; one that stays silent longer and then closes had taken the request."""


class HttpExchange:
    """An answer under way on a connection. See `protocol.Exchange`."""

    __slots__ = ("_answer", "_connection", "headers", "status")

    def __init__(self, answer: Answer, connection: Connection) -> None:
        self._answer = answer
        self._connection = connection
        self.status = answer.status
        self.headers = answer.headers

    @property
    def trailers(self) -> list[tuple[bytes, bytes]]:
        return self._answer.trailers

    @property
    def framing(self) -> Framing:
        """How the body's end is known. `until-close` cannot tell a cut from an end on a plain connection."""
        return self._answer.framing

    @property
    def finished(self) -> bool:
        return self._answer.finished

    def take(self) -> bytes:
        return self._answer.take()

    def __aiter__(self) -> "HttpExchange":
        return self

    async def __anext__(self) -> bytes:
        try:
            data = await self._answer.next_piece()
        except asyncio.CancelledError:
            self.close()
            raise
        if not data:
            raise StopAsyncIteration
        return data

    def close(self) -> None:
        answer = self._answer
        if answer.over:
            answer.drop()
        else:
            self._connection.abort()


class HttpUpstream:
    """INVARIANT: a request is written only to a connection of the pool of its permit's target, right after the gate
    confirmed both."""

    def __init__(
        self, gate: Gate, targets: Iterable[BoundTarget], say: Callable[[str], None] | None = None
    ) -> None:
        """`say` tells a person what only a person can mend."""
        self._gate = gate
        self._telling = None if say is None else Telling(say)
        self._loop = asyncio.get_running_loop()
        self._pools: dict[str, Pool] = {}
        self._retired: list[Pool] = []
        self.rebind(targets)

    def pool(self, name: str) -> Pool | None:
        """For metrics: `open`, `idle`, `waiting`."""
        return self._pools.get(name)

    def unreached(self) -> Mapping[str, str]:
        """The targets to which the last connect failed, and why."""
        return {name: pool.unreached for name, pool in self._pools.items() if pool.unreached is not None}

    def rebind(self, targets: Iterable[BoundTarget]) -> None:
        """The targets from now on. Where a pool cannot be made, everything stays as it was."""
        pools: dict[str, Pool] = {}
        for target in targets:
            known = self._pools.get(target.name)
            kept = known is not None and known.target == target
            pools[target.name] = (
                known if known is not None and kept else Pool(target, self._loop, self._telling)
            )
        before, self._pools = self._pools, pools
        for name, pool in before.items():
            if pools.get(name) is not pool:
                self._retire(pool)

    async def open(self, permit: Permit, *, deadline: float | None = None) -> HttpExchange:
        if type(permit) is not Permit:
            raise GateClosed(Refused(Reason.FORGED, "not a permit"))
        pool = self._pool_of(permit)
        connection = pool.take_idle() or await self._acquire(permit, pool, deadline, fresh=False)
        answer = await self._attempt(permit, pool, connection, deadline)
        if not answer.head_done and connection.dropped_unread(answer, within=_STALE_WITHIN):
            answer, connection = await self._once_more(permit, deadline)
        if answer.error is not None and not answer.head_done:
            raise answer.error
        return HttpExchange(answer, connection)

    async def _once_more(self, permit: Permit, deadline: float | None) -> tuple[Answer, Connection]:
        """On a fresh connection. Whatever keeps it from being sent now, it was written once already."""
        try:
            pool = self._pool_of(permit)
            connection = await self._acquire(permit, pool, deadline, fresh=True)
            return await self._attempt(permit, pool, connection, deadline), connection
        except (GateClosed, UpstreamUnreachable) as error:
            error.stale = True
            raise

    async def aclose(self) -> None:
        for pool in (*self._pools.values(), *self._retired):
            pool.close()
        await asyncio.sleep(0)

    def _pool_of(self, permit: Permit) -> Pool:
        target = permit.target
        pool = self._pools.get(target.name)
        if pool is None or (pool.target is not target and pool.target != target):
            # Bound anew since the permit was given: the gate says whether that is another generation.
            self._gate.confirm(permit, target)
            raise GateClosed(Refused(Reason.UNBOUND, f"`{target.name}` is bound to another place now"))
        return pool

    async def _acquire(
        self, permit: Permit, pool: Pool, deadline: float | None, *, fresh: bool
    ) -> Connection:
        try:
            async with asyncio.timeout_at(deadline):
                return await pool.acquire(fresh=fresh)
        except TimeoutError:
            name = pool.target.name
            raise UpstreamUnreachable(
                Kind.CONNECT_TIMEOUT, name, "no connection before the deadline"
            ) from None
        except UpstreamUnreachable:
            # Where the target was bound anew meanwhile, the old place is no reason to give up: nothing was sent.
            self._gate.confirm(permit, pool.target)
            raise

    async def _attempt(
        self, permit: Permit, pool: Pool, connection: Connection, deadline: float | None
    ) -> Answer:
        """The answer with its head, or with the error that came instead."""
        try:
            self._gate.confirm(permit, connection.opened_for)
        except GateClosed:
            pool.free(connection)
            raise
        answer = connection.send(permit, deadline=deadline)
        try:
            await answer.head()
        except UpstreamBroken:
            return answer
        except BaseException:
            if not answer.over:
                connection.abort()
            raise
        return answer

    def _retire(self, pool: Pool) -> None:
        pool.retire()
        self._retired = [p for p in (*self._retired, pool) if p.open]
