"""Threads for weighing bodies: one lane for large ones, another for the rest, and work that stops when nobody waits.

In comes work, the size of the body that it is for, and how long it may take; out goes its result. The one idea: what one
caller sends must not make the others wait, so a large body is never in front of a small one, few large ones are weighed at
once, callers take turns in a lane however much each of them has there, and a thread is given back when the time is over. Work
looks at `Stopped` between its steps. It knows nothing of what the work is.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from functools import lru_cache
from threading import Event, Lock
from typing import Any, Final, TypeAlias, TypeVar

__all__ = ["CALLER", "LARGE_BODY", "Lanes", "Stopped", "WorkStopped", "shared_lanes", "until_stopped"]

T = TypeVar("T")
Stopped: TypeAlias = Callable[[], bool]

LARGE_BODY: Final = 512 * 1024
"""Bytes from which a body is large: some tens of milliseconds of counting and scanning."""

MOST_SMALL: Final = 3


class WorkStopped(Exception):
    """The work was told to stop; nobody waits for it."""


CALLER: Final[ContextVar[Mapping[str, str] | None]] = ContextVar("caller", default=None)
"""Whose request this task serves: the claims of its identity."""

_Whose: TypeAlias = frozenset[tuple[str, str]]
_Job: TypeAlias = tuple[Future[Any], Callable[[Stopped], Any], Stopped]


class _Lane:
    """So many threads. Each takes one job of the caller whose turn it is, who then goes behind the others."""

    __slots__ = ("_lock", "_pool", "_waiting")

    def __init__(self, threads: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, name)
        self._lock = Lock()
        self._waiting: dict[_Whose, deque[_Job]] = {}

    def submit(self, whose: _Whose, work: Callable[[Stopped], T], stopped: Stopped) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            self._waiting.setdefault(whose, deque()).append((future, work, stopped))
        # INVARIANT: as many calls of `_next` are in the pool as jobs wait.
        self._pool.submit(self._next)
        return future

    def _next(self) -> None:
        with self._lock:
            whose = next(iter(self._waiting))
            jobs = self._waiting.pop(whose)
            future, work, stopped = jobs.popleft()
            if jobs:
                self._waiting[whose] = jobs
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = work(stopped)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)


class Lanes:
    """`large` and `small`: how many bodies of each kind are weighed at once. The rest wait in line."""

    __slots__ = ("_large", "_small")

    def __init__(self, *, small: int, large: int = 1) -> None:
        self._small = _Lane(small, "policyd-small")
        self._large = _Lane(large, "policyd-large")

    async def run(self, work: Callable[[Stopped], T], size: int, seconds: float) -> T:
        """What the work gives. Raises TimeoutError after so many seconds, the wait in line included; then, and where the
        caller is cancelled, the work is told to stop."""
        told = Event()
        lane = self._large if size > LARGE_BODY else self._small
        whose = frozenset((CALLER.get() or {}).items())
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(lane.submit(whose, work, told.is_set))
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
