"""Threads for weighing bodies: one lane for large ones, another for the rest, and work that stops when nobody waits.

In comes work, the size of the body that it is for, and how long it may take; out goes its result. The one idea: what one
caller sends must not make the others wait, so a large body is never in front of a small one, few large ones are weighed at
once, and a thread is given back when the time is over. Work looks at `Stopped` between its steps. It knows nothing of
what the work is.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Event
from typing import Final, TypeAlias, TypeVar

__all__ = ["LARGE_BODY", "Lanes", "Stopped", "WorkStopped", "shared_lanes", "until_stopped"]

T = TypeVar("T")
Stopped: TypeAlias = Callable[[], bool]

LARGE_BODY: Final = 512 * 1024
"""Bytes from which a body is large: some tens of milliseconds of counting and scanning."""

MOST_SMALL: Final = 3


class WorkStopped(Exception):
    """The work was told to stop; nobody waits for it."""


class Lanes:
    """`large` and `small`: how many bodies of each kind are weighed at once. The rest wait in line."""

    __slots__ = ("_large", "_small")

    def __init__(self, *, small: int, large: int = 1) -> None:
        self._small = ThreadPoolExecutor(small, "policyd-small")
        self._large = ThreadPoolExecutor(large, "policyd-large")

    async def run(self, work: Callable[[Stopped], T], size: int, seconds: float) -> T:
        """What the work gives. Raises TimeoutError after so many seconds, the wait in line included; then, and where the
        caller is cancelled, the work is told to stop."""
        told = Event()
        lane = self._large if size > LARGE_BODY else self._small
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.get_running_loop().run_in_executor(lane, work, told.is_set)
        finally:
            told.set()


@lru_cache(maxsize=1)
def shared_lanes() -> Lanes:
    """The lanes of this process: they outlive what is loaded anew."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Lanes(small=min(max(1, cores - 1), MOST_SMALL))


def until_stopped(things: Iterable[T], stopped: Stopped) -> Iterator[T]:
    """The things one by one, as long as somebody waits; then `WorkStopped`."""
    for thing in things:
        if stopped():
            raise WorkStopped
        yield thing
