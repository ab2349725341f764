"""W3C trace context: which trace a request belongs to, whether it gets spans, and what its attempts tell a target.

In come a caller's headers; out goes a `Trace` with ids for the request and each of its attempts. The one idea: whoever began
the trace decides whether it is sampled, and where nobody did, a share of all requests is; a request that is not costs a look
at its headers. What reaches a target is a `traceparent` that was written here, digit by digit, and nothing else: the caller's
`tracestate` and `baggage` may hold anything.
"""

import random
import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

__all__ = ["NAME", "Parent", "Sampler", "Trace", "read_parent"]

NAME: Final = b"traceparent"

_FORM: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?")
_SAMPLED: Final = 0x01


class Parent(NamedTuple):
    """The caller's span, by ids that are not zero."""

    trace: int
    span: int
    sampled: bool


def read_parent(headers: Iterable[tuple[bytes, bytes]]) -> Parent | None:
    """The one valid `traceparent` among the headers (lower-case names). Two are none, and one of a later version counts by
    the fields that it shares with this one (W3C Trace Context, section 3.2)."""
    given = [value for name, value in headers if name == NAME]
    if len(given) != 1:
        return None
    found = _FORM.fullmatch(given[0].strip())
    if found is None or found[1] == b"ff" or (found[1] == b"00" and found[5] is not None):
        return None
    trace, span = int(found[2], 16), int(found[3], 16)
    if not trace or not span:
        return None
    return Parent(trace, span, bool(int(found[4], 16) & _SAMPLED))


class Trace:
    """The trace of one request. `span` is the request's own span, if it is sampled; `attempts` are the attempts' spans by the
    attempts' numbers."""

    __slots__ = ("_draw", "attempts", "parent", "sampled", "span", "trace")

    def __init__(self, parent: Parent | None, *, sampled: bool, draw: Callable[[int], int]) -> None:
        self.parent = parent
        self.sampled = sampled
        self._draw = draw
        self.trace = _not_zero(draw, 128) if parent is None else parent.trace
        self.span = _not_zero(draw, 64) if sampled else 0
        self.attempts: dict[int, int] = {}

    def header(self, attempt: int) -> tuple[bytes, bytes]:
        """What the attempt with this number tells its target: its own span, or the caller's, where there are no spans here."""
        if not self.sampled:
            assert (
                self.parent is not None
            )  # INVARIANT: what is neither sampled nor begun by the caller has no trace
            return NAME, b"00-%032x-%016x-00" % (self.trace, self.parent.span)
        span = _not_zero(self._draw, 64)
        self.attempts[attempt] = span
        return NAME, b"00-%032x-%016x-01" % (self.trace, span)


class Sampler:
    """`spans`: whether anybody takes spans here. `draw` gives so many random bits."""

    __slots__ = ("_below", "_draw", "_spans")

    def __init__(self, ratio: float, *, spans: bool, draw: Callable[[int], int] = random.getrandbits) -> None:
        self._below = round(ratio * (1 << 32)) if spans else 0
        self._spans = spans
        self._draw = draw

    def begin(self, headers: Iterable[tuple[bytes, bytes]]) -> Trace | None:
        """The trace of a request with these headers; None where there is none to continue and none to begin."""
        parent = read_parent(headers)
        if parent is None:
            if self._draw(32) >= self._below:
                return None
            return Trace(None, sampled=True, draw=self._draw)
        return Trace(parent, sampled=self._spans and parent.sampled, draw=self._draw)


def _not_zero(draw: Callable[[int], int], bits: int) -> int:
    return draw(bits) or 1
