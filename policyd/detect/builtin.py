"""The detectors that every policyd has, in one row, and the engine of those and a company's own."""

from functools import lru_cache
from typing import Final

from policyd.detect.detector import Detector
from policyd.detect.engine import Engine
from policyd.detect.labelled import LABELLED
from policyd.detect.pattern import detector_of
from policyd.detect.patterns import PATTERNS
from policyd.detect.personal import PERSONAL
from policyd.detect.rules import Rule, detector_of_rule

__all__ = ["DETECTORS", "built_in", "engine_with"]

DETECTORS: Final[tuple[Detector, ...]] = (
    *map(detector_of, PATTERNS),
    *LABELLED,
    *PERSONAL,
)


@lru_cache(maxsize=1)
def built_in() -> Engine:
    """The engine of these alone, made on first use, which a policy without `findings` never pays."""
    return Engine(DETECTORS)


@lru_cache(maxsize=2)
def engine_with(rules: tuple[Rule, ...]) -> Engine | None:
    """The engine of these and of a company's rules, of which nothing is wrong; None without any, for the shared one."""
    return Engine((*DETECTORS, *map(detector_of_rule, rules)), shortest=1) if rules else None
