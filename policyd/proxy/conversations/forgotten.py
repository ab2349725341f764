"""Which conversations had to be forgotten before their time.

In come keys as they are pushed out of a full store; out goes whether a key may be one of them. The one idea: forgetting
lowers a level, so that it was forgotten is remembered, in a Bloom filter: it needs two bytes where the entry needed some
hundreds, never says no of a key that was pushed out, and says yes of another one with a small chance, which costs that
conversation no more than the highest level. Two filters take turns, so that what has expired is let go in time.
"""

from typing import Final

__all__ = ["Forgotten"]

_BITS: Final = 1 << 20
_MASK: Final = _BITS - 1


class Forgotten:
    """128 KiB for each of the two filters, from the first key on: below one wrong yes in a hundred up to 100,000 keys."""

    __slots__ = ("_before", "_longest", "_now", "_turned")

    def __init__(self) -> None:
        self._now: bytearray | None = None
        self._before: bytearray | None = None
        self._turned = 0.0
        self._longest = 0.0

    def add(self, key: bytes, now: float, kept: float) -> None:
        """`kept`: seconds that it had to live at most. INVARIANT: a filter is let go when all that it holds has expired."""
        self._longest = max(self._longest, kept)
        if self._now is None or now - self._turned > self._longest:
            self._before = self._now
            self._now, self._turned = bytearray(_BITS // 8), now
        for bit in _bits(key):
            self._now[bit >> 3] |= 1 << (bit & 7)

    def may_hold(self, key: bytes) -> bool:
        if self._now is None:
            return False
        bits = _bits(key)
        return any(
            all(f[bit >> 3] >> (bit & 7) & 1 for bit in bits)
            for f in (self._now, self._before)
            if f is not None
        )


def _bits(key: bytes) -> tuple[int, int, int, int]:
    """Four places, from the last bytes of a key, which are those of a hash."""
    number = int.from_bytes(key[-12:], "little")
    return number & _MASK, number >> 24 & _MASK, number >> 48 & _MASK, number >> 72 & _MASK
