"""One request as a turn of its conversation: what the conversation had reached, and what it has reached by this request.

In come a policy's `Remembers`, a caller and the ids of a request; out go values of features, and what is written. The one
idea: it is written before anything can come of it. What a request reaches is stored before it leaves; where that is not
known, because its plan did not depend on it, the conversation is marked before it leaves and scanned afterwards; and the id
of an answer is stored before the caller can read it. So there is no moment at which the next request finds less.

What is refused by the policy writes nothing: nothing has left.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final
from uuid import uuid4

from policyd.deploy.model import Conversations as Settings
from policyd.policy.program import Value
from policyd.proxy.conversations.keys import Keys
from policyd.proxy.conversations.levels import Remembers
from policyd.proxy.conversations.memory import Memory
from policyd.proxy.conversations.shared import Shared
from policyd.proxy.conversations.store import AGENT, Found, Names, Store, StoreState
from policyd.text.printable import printable
from policyd.traffic.conversation import ConversationIds

__all__ = ["Conversations", "ConversationsState", "Scan", "Turn"]

Values = dict[str, Value]
Scan = Callable[[], Awaitable[Mapping[str, Value]]]
"""Every value that the levels need, some of them costly."""

SCAN_SECONDS: Final = 45.0
"""A scan after forwarding that takes longer has failed. Less than a shared store takes a sidecar for alive."""

MOST_LATER: Final = 64 * 1024 * 1024
"""Bytes of bodies that wait for their scan after they were forwarded; of what is more, each is scanned before."""


@dataclass(frozen=True, slots=True)
class ConversationsState:
    """For metrics: how requests waited for the scan of one before them, how often in vain, how often what a conversation has
    reached was unknown, and what became of scans after forwarding."""

    store: StoreState
    waits: int
    waited_out: int
    unknown: int
    later: int
    scanned: int
    failed: int


class Conversations:
    """All of one process; it outlives policies. Belongs to one event loop."""

    def __init__(self, settings: Settings, *, store: Store | None = None) -> None:
        self._keys = Keys(None if settings.secret is None else settings.secret.value)
        self.store = _store_of(settings) if store is None else store
        self.wait = settings.wait
        self.waits = self.waited_out = self.unknown = 0
        self.scanned = self.failed = 0
        self.held = 0
        self._later: set[asyncio.Task[None]] = set()

    def turn(
        self, remembers: Remembers, claims: Mapping[str, str], ids: ConversationIds, size: int, *, gives: bool
    ) -> "Turn":
        """`size` is the body's in bytes; `gives`: its answer may have an id by which it can be continued."""
        keys = self._keys.of(claims, ids.said, ids.state) if ids.said or ids.state else ()
        return Turn(
            self, remembers, claims, keys, size, complete=ids.complete, linked=bool(ids.state), gives=gives
        )

    def of_answer(self, claims: Mapping[str, str], ids: Iterable[str]) -> tuple[bytes, ...]:
        return self._keys.of(claims, (), ids)

    def run_later(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    @property
    def state(self) -> ConversationsState:
        return ConversationsState(
            self.store.state,
            self.waits,
            self.waited_out,
            self.unknown,
            len(self._later),
            self.scanned,
            self.failed,
        )

    async def close(self, seconds: float) -> None:
        """Lets scans end within this time; the others count as failed."""
        if self._later:
            _, left = await asyncio.wait(self._later, timeout=seconds)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        await self.store.close()


class Turn:
    """One request under one policy. `linked`: it continues what a server keeps. `told` says for the log what was seen and
    what was reached, as far as it is known."""

    __slots__ = (
        "_all", "_claims", "_complete", "_found", "_gives", "_keys", "_linked", "_names", "_of", "_remembers", "_scan", "_seen",
        "_size", "_started", "_token",
    )  # fmt: skip

    def __init__(
        self,
        of: Conversations,
        remembers: Remembers,
        claims: Mapping[str, str],
        keys: tuple[bytes, ...],
        size: int,
        *,
        complete: bool,
        linked: bool,
        gives: bool,
    ) -> None:
        self._of = of
        self._remembers = remembers
        self._claims = claims
        self._keys = keys
        self._size = size
        self._complete = complete
        self._linked = linked
        self._gives = gives
        self._seen: dict[str, str] | None = None
        self._found: tuple[tuple[bytes, Found], ...] = ()
        self._names: Names | None = None
        self._all: tuple[bytes, ...] = keys
        self._token = ""
        self._scan: Scan | None = None
        self._started = False

    async def seen(self) -> Mapping[str, str]:
        """What the conversation had reached, by feature. Waits for scans of requests before it, for a bounded time."""
        if self._seen is None:
            await self._look()
            scans = frozenset[str]().union(*(found.pending for _, found in self._found))
            if scans:
                await self._wait(scans)
            self._seen = self._see()
        return self._seen

    async def glance(self) -> Mapping[str, str]:
        """The same where nobody has to be waited for, else nothing. It is looked at once in any case, so the policy need not be
        asked twice for it."""
        await self._look()
        if any(found.pending for _, found in self._found):
            return {}
        return await self.seen()

    @property
    def listens(self) -> bool:
        """Whether the answer may have ids."""
        return self._gives

    def _see(self) -> dict[str, str]:
        remembers = self._remembers
        unknown = not self._complete or any(found.lost or found.is_open for _, found in self._found)
        self._of.unknown += unknown
        return remembers.seen(self._found) if self._complete else dict(remembers.highest)

    @property
    def why_unknown(self) -> str:
        """Why what the conversation had reached is not known; empty where it is. It holds no id."""
        if not self._complete:
            return "it continues more of what a server keeps than is looked up"
        if any(found.away for _, found in self._found):
            return "the store that remembers it does not answer"
        if any(found.pending for _, found in self._found):
            return "a request of it is still being scanned"
        if any(found.lost for _, found in self._found):
            return "a request of it could not be scanned to the end, or it was forgotten for want of room"
        if any(found.names is None and key[:1] != AGENT for key, found in self._found):
            return "it continues an answer, a file or other state that this sidecar did not see, or has forgotten"
        return ""

    async def _look(self) -> None:
        """Once: what came later is no part of what was before this request, and its own mark is none either."""
        if self._keys and not self._found:
            found = await self._of.store.look(self._keys, self._remembers.kept)
            self._found = tuple(zip(self._keys, found, strict=True))

    async def _wait(self, scans: frozenset[str]) -> None:
        of = self._of
        of.waits += 1
        await of.store.wait(self._keys, scans, of.wait)
        found = await of.store.look(self._keys, self._remembers.kept)
        self._found = tuple(
            (key, replace(one, pending=one.pending & scans))
            for key, one in zip(self._keys, found, strict=True)
        )
        of.waited_out += any(one.pending for _, one in self._found)

    async def leaves(self, values: Values, scan: Scan, *, lacking: bool) -> None:
        """Before anything of the request goes out. `lacking`: some of what the levels need, besides the conversation's own, is
        not among the values, or only bounded; `scan` finds everything."""
        if not self._keys and not self._gives:
            return
        await self._look()
        if not lacking and not any(found.pending for _, found in self._found):
            values |= await self.seen()
        if not lacking and self._seen is not None:
            await self._reached(values)
            return
        self._scan = scan
        if not self._keys:
            return
        if self._of.held + self._size > MOST_LATER:
            await self._reached(await scan())
            return
        await self._mark(self._keys)

    async def hears(self, ids: tuple[str, ...]) -> None:
        """Ids of the answer, before they go on to the caller."""
        keys = self._of.of_answer(self._claims, ids)
        self._all = tuple(dict.fromkeys((*self._all, *keys)))
        remembers, store = self._remembers, self._of.store
        if not self._is_pending():
            await store.join(keys, self._names or remembers.everything, remembers.kept)
            return
        await self._mark(keys)
        if not self._is_pending():
            # It was finished while the mark was made, and without these keys.
            await store.finish(keys, self._token, self._names or remembers.everything, remembers.kept)

    def _is_pending(self) -> bool:
        """Whether what it reaches is still to be found."""
        return self._scan is not None

    @property
    def told(self) -> dict[str, object]:
        """For the decision log: words of the policy, and no id."""
        out: dict[str, object] = {}
        if self._seen is not None and self._keys:
            out["seen"] = {name.removeprefix("conversation:"): value for name, value in self._seen.items()}
        if self._names is not None:
            out["reached"] = dict(sorted(name.split("=", 1) for name in self._names))
        elif self._token:
            out["reached"] = "later"
        return out

    async def _reached(self, values: Mapping[str, Value]) -> None:
        remembers = self._remembers
        self._names = remembers.reached(values)
        names = self._lasting(values, self._names)
        known = {key: found for key, found in self._found if not found.is_open}
        keys = [key for key in self._keys if not self._says(known.get(key), key, names)]
        if keys:
            await self._of.store.join(keys, names, remembers.kept)

    def _lasting(self, values: Mapping[str, Value], names: Names) -> Names:
        """What stays with the keys of the request itself. What is not known for a moment makes this request strict, and its
        answers, but not its conversation for a day: the store still knows that, or will. (Where it is continued by other keys
        too, what they stand for has to be counted in.)"""
        if self._linked or not any(found.is_open for _, found in self._found):
            return names
        return self._remembers.reached({**values, **self._remembers.seen(self._found, believing=True)})

    def _says(self, found: Found | None, key: bytes, names: Names) -> bool:
        """Whether the store says so much already, or need not be told. A new conversation at the lowest values is none."""
        if found is None or found.lost:
            return False
        if found.names is None:
            return key[:1] == AGENT and names == self._remembers.nothing
        return names <= found.names

    async def _mark(self, keys: tuple[bytes, ...]) -> None:
        """What is marked is scanned, also where the caller leaves while the mark is made: nobody else takes it away."""
        self._token = self._token or uuid4().hex
        try:
            await self._of.store.begin(keys, self._token, self._remembers.kept)
        finally:
            self._start()

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self._of.held += self._size
            self._of.run_later(self._finish())

    async def _finish(self) -> None:
        """The scan after forwarding. Whatever becomes of it, the mark is taken away, and what failed is the highest."""
        remembers, of, scan = self._remembers, self._of, self._scan
        names = lasting = remembers.everything
        assert scan is not None  # INVARIANT: only what lacks something is started
        try:
            async with asyncio.timeout(SCAN_SECONDS):
                values = await scan()
            names = remembers.reached(values)
            lasting = self._lasting(values, names)
            of.scanned += 1
        except asyncio.CancelledError:
            of.failed += 1
            raise
        except Exception:
            of.failed += 1
        finally:
            of.held -= self._size
            self._names, self._scan = names, None
            if names is not lasting:
                answers = [key for key in self._all if key not in self._keys]
                await of.store.join(answers, names, remembers.kept)
            await of.store.finish(self._all, self._token, lasting, remembers.kept)


def _store_of(settings: Settings) -> Store:
    here = Memory(settings.entries)
    if settings.shared is None:
        return here
    # The library is an extra, and only who names a Redis has it.
    from policyd.proxy.conversations.redis_client import RedisClient  # noqa: PLC0415

    return Shared(here, RedisClient(settings.shared), tell=_tell)


def _tell(said: str) -> None:
    print(f"policyd: {printable(said)}", file=sys.stderr, flush=True)
