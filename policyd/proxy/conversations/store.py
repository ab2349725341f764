"""What a store of conversations is, and what it says of one.

In come keys and names; out goes what is known. The one idea: what a conversation has reached is a *set* of names
(`sensitivity=restricted`), and sets are only ever joined. Joining needs no order of levels, gives the same in any order
of writers, and never lowers anything, so several sidecars under several policies can write one conversation at once. Who
reads the set takes its maximum by the policy that serves now.

A key is one byte for its kind and a keyed hash: no store sees an id or a caller.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

__all__ = ["ABSENT", "AGENT", "LOST", "MOST_NAMES", "STATE", "Found", "Names", "Store", "StoreState"]

AGENT: Final = b"a"
"""An id that a client says of its conversation. One that nobody has seen is new."""

STATE: Final = b"s"
"""An id of what a server keeps. One that nobody has seen is unknown."""

MOST_NAMES: Final = 64
"""Names in one entry; with more it counts as lost. Policies that change their words for days could get there."""

Names = frozenset[str]


@dataclass(frozen=True, slots=True)
class Found:
    """What is known under a key: the names (None: nothing is), and the requests of it that are still being scanned. The names
    are not all where something is `lost` for good, or `away`: the store that may know more does not answer."""

    names: Names | None
    pending: frozenset[str] = frozenset()
    lost: bool = False
    away: bool = False

    @property
    def is_open(self) -> bool:
        """Whether more may come to be known."""
        return self.away or bool(self.pending)


ABSENT: Final = Found(None)
LOST: Final = Found(None, lost=True)


@dataclass(frozen=True, slots=True)
class StoreState:
    """For metrics and `/readyz`: entries held here, those that had to go before their time, operations on a shared store
    that failed, entries whose names it has not got yet, and why it does not answer, if it does not."""

    entries: int
    evicted: int
    failures: int = 0
    owed: int = 0
    shared: bool = False
    failing: str | None = None


class Store(Protocol):
    """`kept`: seconds until what is not asked for is forgotten. Nothing here raises: what cannot be read is
    `away`, and what cannot be written is owed."""

    async def look(self, keys: Sequence[bytes], kept: float) -> tuple[Found, ...]:
        """What is known under each key, which by that is used."""

    async def join(self, keys: Collection[bytes], names: Names, kept: float) -> None:
        """From now on these names are reached under each key."""

    async def begin(self, keys: Collection[bytes], token: str, kept: float) -> None:
        """The request `token` is of these keys, and what it reaches is not known yet."""

    async def finish(self, keys: Collection[bytes], token: str, names: Names, kept: float) -> None:
        """It is known now."""

    async def wait(self, keys: Sequence[bytes], tokens: frozenset[str], seconds: float) -> None:
        """Until none of these requests is pending under these keys, or the time is over."""

    @property
    def state(self) -> StoreState: ...

    async def close(self) -> None: ...
