"""The detectors that every policyd has, in one row."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

from policyd.detect.cards import CARD
from policyd.detect.detector import Detector, Hit, candidates, compiled
from policyd.detect.iban import IBAN
from policyd.detect.national_ids import NATIONAL_ID, NATIONAL_ID_IN_LETTERS
from policyd.detect.patterns import PATTERNS, Pattern

__all__ = ["DETECTORS"]


def _detector(pattern: Pattern) -> Detector:
    return Detector(frozenset({pattern.finding}), _finder(pattern), pattern.keywords)


def _finder(pattern: Pattern) -> Callable[[bytes], Iterator[Hit]]:
    @lru_cache(maxsize=1)
    def expression() -> Any:
        return compiled(pattern.expression)

    return lambda data: candidates(pattern.finding, expression(), data, pattern.check)


DETECTORS: Final[tuple[Detector, ...]] = (
    *map(_detector, PATTERNS),
    CARD,
    IBAN,
    NATIONAL_ID,
    NATIONAL_ID_IN_LETTERS,
)
