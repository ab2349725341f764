"""What conversations have reached, in this process: bounded, and expiring by the monotonic clock.

In come keys and names; out goes what is known. The one idea: whoever was asked for longest ago goes first, and where that is
before its time, that it went is remembered (`forgotten`): such a conversation is unknown, and not new. What a server keeps is
unknown anyway where it is not here.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from time import monotonic
from typing import Final

from policyd.proxy.conversations.forgotten import Forgotten
from policyd.proxy.conversations.store import ABSENT, AGENT, LOST, MOST_NAMES, Found, Names, StoreState

__all__ = ["MOST_ENTRIES", "Memory"]

MOST_ENTRIES: Final = 100_000

_NOBODY: Final[frozenset[str]] = frozenset()


class _Entry:
    """`tokens` are requests that are still being scanned; `lost`: what it had reached before is not known."""

    __slots__ = ("lost", "names", "tokens", "until")

    def __init__(self, until: float, *, lost: bool) -> None:
        self.names: Names | None = None
        self.lost = lost
        self.tokens: frozenset[str] = _NOBODY
        self.until = until


class Memory:
    """A `Store`. Everything here belongs to one event loop, and nothing of it waits but `wait`."""

    def __init__(self, entries: int = MOST_ENTRIES, *, clock: Callable[[], float] = monotonic) -> None:
        self._most = entries
        self._clock = clock
        # In the order in which they were used.
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._forgotten = Forgotten()
        self._scans: dict[str, asyncio.Event] = {}
        self._evicted = 0

    def known(self, key: bytes) -> Names | None:
        """Without counting as use."""
        entry = self._entries.get(key)
        return None if entry is None else entry.names

    async def look(self, keys: Sequence[bytes], kept: float) -> tuple[Found, ...]:
        now = self._clock()
        return tuple([self._look(key, now, kept) for key in keys])

    def _look(self, key: bytes, now: float, kept: float) -> Found:
        entry = self._entries.get(key)
        if entry is not None and entry.until < now and not entry.tokens:
            del self._entries[key]
            entry = None
        if entry is None:
            return LOST if self._was_forgotten(key) else ABSENT
        self._use(key, entry, now, kept)
        names = entry.names
        lost = entry.lost or (names is not None and len(names) > MOST_NAMES)
        return Found(names, entry.tokens, lost)

    async def join(self, keys: Collection[bytes], names: Names, kept: float) -> None:
        now = self._clock()
        for key in keys:
            entry = self._entry(key, now, kept)
            entry.names = names if entry.names is None else entry.names | names

    async def begin(self, keys: Collection[bytes], token: str, kept: float) -> None:
        now = self._clock()
        self._scans.setdefault(token, asyncio.Event())
        for key in keys:
            self._entry(key, now, kept).tokens |= {token}

    async def finish(self, keys: Collection[bytes], token: str, names: Names, kept: float) -> None:
        await self.join(keys, names, kept)
        for key in keys:
            entry = self._entries.get(key)
            if entry is not None:
                entry.tokens -= {token}
        done = self._scans.pop(token, None)
        if done is not None:
            done.set()

    async def wait(self, keys: Sequence[bytes], tokens: frozenset[str], seconds: float) -> None:
        # By the scans themselves: an entry may have had to go meanwhile.
        scans = [self._scans[token] for token in tokens if keys and token in self._scans]
        try:
            async with asyncio.timeout(seconds):
                for scan in scans:
                    await scan.wait()
        except TimeoutError:
            return

    @property
    def state(self) -> StoreState:
        return StoreState(len(self._entries), self._evicted)

    async def close(self) -> None:
        self._entries.clear()

    def _entry(self, key: bytes, now: float, kept: float) -> _Entry:
        entry = self._entries.get(key)
        if entry is None:
            if len(self._entries) >= self._most:
                self._make_room(now, kept)
            entry = self._entries[key] = _Entry(now + kept, lost=self._was_forgotten(key))
        else:
            self._use(key, entry, now, kept)
        return entry

    def _use(self, key: bytes, entry: _Entry, now: float, kept: float) -> None:
        entry.until = max(entry.until, now + kept)
        self._entries.move_to_end(key)

    def _was_forgotten(self, key: bytes) -> bool:
        return key[:1] == AGENT and self._forgotten.may_hold(key)

    def _make_room(self, now: float, kept: float) -> None:
        key, entry = self._entries.popitem(last=False)
        if entry.until < now and not entry.tokens:
            return
        self._evicted += 1
        if key[:1] == AGENT:
            self._forgotten.add(key, now, max(kept, entry.until - now))
