"""How much a target got in the last minute, where the deployment bounds it. Pure; times are the caller's monotonic clock.

In comes a request's tokens; out goes when the target may have it. The one idea: a window that slides, so that no 60
seconds, wherever they begin, hold more than the bound; a bucket that fills would let twice as much through around a
minute's end.
"""

from collections import deque
from typing import Final

__all__ = ["Rates"]

WINDOW: Final = 60.0
_SLICE: Final = 1.0
"""Seconds that share one entry. An entry is forgotten when its last moment is a window ago, so the bound holds exactly."""


class _Slice:
    __slots__ = ("began", "requests", "tokens")

    def __init__(self, began: float) -> None:
        self.began = began
        self.requests = 0
        self.tokens = 0


class Rates:
    """INVARIANT: `_requests` and `_tokens` are the sums over `_slices`."""

    __slots__ = ("_most_requests", "_most_tokens", "_requests", "_slices", "_tokens")

    def __init__(self, requests: int | None, tokens: int | None) -> None:
        self._most_requests = requests
        self._most_tokens = tokens
        self._requests = self._tokens = 0
        self._slices: deque[_Slice] = deque()

    def wait(self, now: float, tokens: int) -> float | None:
        """Seconds until the target may have a request with so many tokens; None where it may now. One that is larger than
        the bound may go when nothing else went in a window: no waiting would make it fit."""
        self._forget(now)
        requests, sum_ = self._requests, self._tokens
        if self._fits(requests, sum_, tokens):
            return None
        for piece in self._slices:
            requests, sum_ = requests - piece.requests, sum_ - piece.tokens
            if self._fits(requests, sum_, tokens):
                return piece.began + _SLICE + WINDOW - now
        raise AssertionError("INVARIANT: everything fits into an empty window")

    def take(self, now: float, tokens: int) -> None:
        """The target gets it, where `wait` allows it."""
        last = self._slices[-1] if self._slices else None
        if last is None or now - last.began >= _SLICE:
            last = _Slice(now)
            self._slices.append(last)
        last.requests += 1
        last.tokens += tokens
        self._requests += 1
        self._tokens += tokens

    def settle(self, began: float, reserved: int, spent: int) -> None:
        """A request that was taken at `began` for `reserved` tokens had `spent`. What is forgotten already stays so."""
        piece = self._slice_of(began)
        if piece is not None:
            piece.tokens += spent - reserved
            self._tokens += spent - reserved

    def give_back(self, began: float, tokens: int) -> None:
        """A request that was taken at `began` for so many tokens was never sent."""
        piece = self._slice_of(began)
        if piece is not None:
            piece.requests -= 1
            self._requests -= 1
            self.settle(began, tokens, 0)

    def left(self, now: float) -> tuple[int | None, int | None]:
        """Requests and tokens that the target may still have now; None where they are not bounded."""
        self._forget(now)
        requests, tokens = self._most_requests, self._most_tokens
        return (
            None if requests is None else max(0, requests - self._requests),
            None if tokens is None else max(0, tokens - self._tokens),
        )

    def _slice_of(self, began: float) -> _Slice | None:
        for piece in reversed(self._slices):
            if piece.began <= began:
                return piece if began - piece.began < _SLICE else None
        return None

    def _fits(self, requests: int, sum_: int, tokens: int) -> bool:
        if self._most_requests is not None and requests >= self._most_requests:
            return False
        return self._most_tokens is None or sum_ + tokens <= self._most_tokens or sum_ == 0

    def _forget(self, now: float) -> None:
        slices = self._slices
        while slices and now - slices[0].began >= _SLICE + WINDOW:
            gone = slices.popleft()
            self._requests -= gone.requests
            self._tokens -= gone.tokens
