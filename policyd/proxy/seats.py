"""The places at one target: how many requests, and bytes of their bodies, it gets at once, and who waits for one.

In comes a body's size; out goes whether there is a place, at once or within a bounded wait. The one idea: whoever waits
longest is next, and nobody overtakes: where somebody waits, nobody else takes a place. Of one event loop.
"""

import asyncio
import sys
from collections import deque

__all__ = ["Seats"]


class Seats:
    """INVARIANT: `taken` and `held` count what was taken and not given back. `taken` never exceeds the limit, and `held`
    only for a body that is larger than its limit and alone."""

    __slots__ = ("_bytes", "_limit", "_longest", "_queue", "held", "taken")

    def __init__(self, limit: int, most_bytes: int | None, longest_queue: int) -> None:
        self.taken = 0
        self.held = 0
        self._limit = limit
        self._bytes = most_bytes
        self._longest = longest_queue
        self._queue: deque[tuple[asyncio.Future[None], int]] = deque()

    @property
    def limit(self) -> int:
        return self._limit

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def full(self) -> bool:
        """The next request would have to wait, whatever its size."""
        return self.taken >= self._limit or bool(self._queue)

    def take(self, size: int) -> bool:
        """A place for a body of this size, if there is one now."""
        if self._queue or not self._fits(size):
            return False
        self.taken += 1
        self.held += size
        return True

    async def wait(self, size: int, seconds: float) -> bool:
        """The same, waiting in line for at most so long."""
        if self.take(size):
            return True
        if len(self._queue) >= self._longest:
            return False
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (turn, size)
        self._queue.append(place)
        try:
            async with asyncio.timeout(seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                # The place came together with the end of the wait.
                self.give(size)
            else:
                turn.cancel()
                if place in self._queue:
                    self._queue.remove(place)
                    # It may have kept smaller ones behind it from a place.
                    self._next()
            if isinstance(error, TimeoutError):
                return False
            raise
        return True

    def give(self, size: int) -> None:
        """A place that was taken is free."""
        self.taken -= 1
        self.held -= size
        if self._queue:
            self._next()

    def retire(self) -> None:
        """The target is bound anew, and nobody need wait for the old one any longer: whoever waits is let through, to
        find out from the gate."""
        self._limit, self._bytes = sys.maxsize, None
        self._next()

    def _fits(self, size: int) -> bool:
        if self.taken >= self._limit:
            return False
        return self._bytes is None or self.held + size <= self._bytes or self.taken == 0

    def _next(self) -> None:
        while self._queue and self._fits(self._queue[0][1]):
            turn, size = self._queue.popleft()
            if turn.done():
                continue  # It was given up, and its task has not yet run.
            self.taken += 1
            self.held += size
            turn.set_result(None)
