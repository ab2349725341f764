"""What conversations have reached, shared by several sidecars through Redis.

In come keys and names; out goes what is known here and there, joined. The one idea: a hash in Redis for each key, whose
fields are names that were reached (`n:`) and requests that are still being scanned (`p:`, with the time by which they must
be done). Two scripts run whole inside Redis, so no two sidecars can write past each other; a request whose sidecar died
while it was scanned has passed its time, which counts as lost and never as nothing.

What was written from here is kept here too. So a Redis that lost it, or did not take it, takes nothing from this sidecar; what
it did not take is owed, and brought when it answers again.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from math import inf
from time import monotonic
from typing import Final, Protocol, TypeVar

from policyd.proxy.conversations.memory import Memory
from policyd.proxy.conversations.store import MOST_NAMES, Found, Names, StoreState

__all__ = ["Redis", "Shared", "Unreachable"]


T = TypeVar("T")

PREFIX: Final = b"policyd:conversation:"

REST_SECONDS: Final = 1.0
"""After a failure nobody tries again for so long: requests do not wait one by one for what does not answer."""

TELL_SECONDS: Final = 60.0
"""Between two lines that Redis went away."""

LEASE_SECONDS: Final = 60
"""By when a request that is scanned after it was forwarded must be done, or its sidecar is taken for dead."""

POLL_SECONDS: Final = (0.01, 0.02, 0.05, 0.1)
"""Pauses between looks at another sidecar's scan; the last one again and again."""

MOST_OWED: Final = 10_000

MOST_FIELDS: Final = 4 * MOST_NAMES
"""Fields of one hash that are read. There are as many names as this sidecar keeps, and requests that are scanned; a hash with more
is lost, and none of it is sent."""

LONGEST_TIME: Final = 15
"""Digits of the time by which a request must be done: some thirty million years."""

NOT_REDIS: Final = "it answers, and not as Redis does"

_LOOK: Final = """
local now = redis.call('TIME')
local found = {tonumber(now[1])}
for i, key in ipairs(KEYS) do
  local all = {}
  if redis.call('HLEN', key) > tonumber(ARGV[2]) then all = {'more', '1'} else all = redis.call('HGETALL', key) end
  if #all > 0 and redis.call('PTTL', key) < tonumber(ARGV[1]) then redis.call('PEXPIRE', key, ARGV[1]) end
  found[i + 1] = all
end
return found
"""

_WRITE: Final = """
local until_ = tonumber(redis.call('TIME')[1]) + tonumber(ARGV[3])
for _, key in ipairs(KEYS) do
  for i = 4, #ARGV do redis.call('HSET', key, 'n:' .. ARGV[i], '1') end
  if ARGV[2] ~= '' then
    if tonumber(ARGV[3]) > 0 then redis.call('HSET', key, 'p:' .. ARGV[2], until_)
    else redis.call('HDEL', key, 'p:' .. ARGV[2]) end
  end
  if redis.call('PTTL', key) < tonumber(ARGV[1]) then redis.call('PEXPIRE', key, ARGV[1]) end
end
return 1
"""


class Unreachable(Exception):
    """Redis did not answer, or not as Redis does. `why` is for people and holds no secret."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Redis(Protocol):
    """What is asked of the client. Raises `Unreachable` and nothing else, within its time."""

    async def run(self, script: str, keys: Sequence[bytes], arguments: Sequence[str]) -> object: ...

    async def close(self) -> None: ...


class Shared:
    """A `Store`. `here` is this sidecar's own. `tell` hears that Redis went away, at most once in a while, and that it is back."""

    def __init__(
        self,
        here: Memory,
        redis: Redis,
        *,
        clock: Callable[[], float] = monotonic,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._here = here
        self._redis = redis
        self._clock = clock
        self._resting = 0.0
        self._failures = 0
        self._failing: str | None = None
        self._tell = tell
        self._told = False
        self._tells_from = -inf
        self._owed: dict[bytes, tuple[float, frozenset[str]]] = {}
        self._paying: asyncio.Task[None] | None = None

    async def look(self, keys: Sequence[bytes], kept: float) -> tuple[Found, ...]:
        own = await self._here.look(keys, kept)
        try:
            there = await self._ask(keys, kept)
        except Unreachable:
            return tuple([Found(f.names, f.pending, f.lost, away=True) for f in own])
        self._pay()
        return tuple([_joined(a, b) for a, b in zip(own, there, strict=True)])

    async def join(self, keys: Collection[bytes], names: Names, kept: float) -> None:
        await self._here.join(keys, names, kept)
        await self._write(keys, "", 0, names, kept)

    async def begin(self, keys: Collection[bytes], token: str, kept: float) -> None:
        await self._here.begin(keys, token, kept)
        await self._write(keys, token, LEASE_SECONDS, frozenset(), kept)

    async def finish(self, keys: Collection[bytes], token: str, names: Names, kept: float) -> None:
        # There first: who waits here asks there next.
        await self._write(keys, token, 0, names, kept)
        await self._here.finish(keys, token, names, kept)

    async def wait(self, keys: Sequence[bytes], tokens: frozenset[str], seconds: float) -> None:
        end = self._clock() + seconds
        await self._here.wait(keys, tokens, seconds)
        number = 0
        while (left := end - self._clock()) > 0:
            try:
                found = await self._ask(keys, 0)
            except Unreachable:
                return
            if not any(f.pending & tokens for f in found):
                return
            await asyncio.sleep(min(POLL_SECONDS[min(number, len(POLL_SECONDS) - 1)], left))
            number += 1

    @property
    def state(self) -> StoreState:
        own = self._here.state
        return StoreState(
            own.entries, own.evicted, self._failures, len(self._owed), shared=True, failing=self._failing
        )

    async def close(self) -> None:
        if self._paying is not None:
            self._paying.cancel()
            await asyncio.gather(self._paying, return_exceptions=True)
        await self._redis.close()
        await self._here.close()

    async def _write(
        self, keys: Collection[bytes], token: str, lease: int, names: Names, kept: float
    ) -> None:
        try:
            await self._run(_WRITE, tuple(keys), (_ms(kept), token, str(lease), *sorted(names)), _anything)
        except Unreachable:
            for key in keys if names else ():
                if len(self._owed) < MOST_OWED or key in self._owed:
                    _, tokens = self._owed.get(key, (0.0, frozenset[str]()))
                    self._owed[key] = (kept, tokens | {token} if token else tokens)
            return
        self._pay()

    def _pay(self) -> None:
        """Brings what is owed, once Redis answers: a task of its own, one at a time."""
        if self._owed and (self._paying is None or self._paying.done()):
            self._paying = asyncio.get_running_loop().create_task(self._bring())

    async def _bring(self) -> None:
        while self._owed:
            key, owed = next(iter(self._owed.items()))
            kept, tokens = owed
            names = sorted(self._here.known(key) or ())
            try:
                for token in tokens or ("",):
                    await self._run(_WRITE, (key,), (_ms(kept), token, "0", *names), _anything)
            except Unreachable:
                return
            if self._owed.get(key) == owed:
                del self._owed[key]

    async def _ask(self, keys: Sequence[bytes], kept: float) -> tuple[Found, ...]:
        return await self._run(
            _LOOK, keys, (_ms(kept), str(MOST_FIELDS)), lambda said: _read(said, len(keys))
        )

    async def _run(
        self, script: str, keys: Sequence[bytes], arguments: Sequence[str], read: Callable[[object], T]
    ) -> T:
        if self._clock() < self._resting:
            raise Unreachable(self._failing or "it did not answer a moment ago")
        try:
            found = read(await self._redis.run(script, [_named(key) for key in keys], arguments))
        except Exception as error:
            # Whatever an answer breaks where it is read, nothing is known from it.
            why = error.why if isinstance(error, Unreachable) else f"{NOT_REDIS} ({type(error).__name__})"
            self._failures += 1
            self._failing = why
            self._resting = self._clock() + REST_SECONDS
            self._tell_away(why)
            raise Unreachable(why) from None
        self._failing = None
        if self._told:
            self._told = False
            self._tell("the Redis of `[conversations]` answers again")
        return found

    def _tell_away(self, why: str) -> None:
        now = self._clock()
        if not self._told and now >= self._tells_from:
            self._told, self._tells_from = True, now + TELL_SECONDS
            self._tell(f"the Redis of `[conversations]` does not answer, so conversations are unknown: {why}")


def _anything(said: object) -> object:
    return said


def _named(key: bytes) -> bytes:
    return PREFIX + key[:1] + key[1:].hex().encode()


def _ms(seconds: float) -> str:
    return str(int(seconds * 1000))


def _joined(here: Found, there: Found) -> Found:
    if here.names is None:
        names = there.names
    else:
        names = here.names if there.names is None else here.names | there.names
    lost = here.lost or there.lost or (names is not None and len(names) > MOST_NAMES)
    return Found(names, here.pending | there.pending, lost)


def _read(said: object, count: int) -> tuple[Found, ...]:
    """What the script says; anything else is not from it."""
    if not isinstance(said, list) or len(said) != count + 1 or type(said[0]) is not int:
        raise Unreachable(NOT_REDIS)
    now: int = said[0]
    return tuple([_one(fields, now) for fields in said[1:]])


def _one(fields: object, now: int) -> Found:
    if not isinstance(fields, list) or len(fields) % 2 or len(fields) > 2 * MOST_FIELDS:
        raise Unreachable(NOT_REDIS)
    names: set[str] = set()
    pending: set[str] = set()
    lost = False
    for field, value in zip(fields[::2], fields[1::2], strict=True):
        if not isinstance(field, bytes) or not isinstance(value, bytes):
            raise Unreachable(NOT_REDIS)
        if field.startswith(b"n:"):
            names.add(field[2:].decode("utf-8", "replace"))
        elif field.startswith(b"p:") and _is_time(value) and int(value) >= now:
            pending.add(field[2:].decode("ascii", "replace"))
        else:
            lost = True
    return Found(frozenset(names) if names else None, frozenset(pending), lost)


def _is_time(value: bytes) -> bool:
    return value.isdigit() and len(value) <= LONGEST_TIME
