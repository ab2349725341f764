"""The detectors that every policyd has, in one row, and the engine of those and a company's own."""

from functools import lru_cache
from typing import Final

from policyd.detect.accelerator import accelerate
from policyd.detect.detector import Detector
from policyd.detect.engine import SHORTEST, Engine
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
def engine_with(rules: tuple[Rule, ...], accelerator: str | None = None) -> Engine | None:
    """The engine of these and of a company's rules, of which nothing is wrong, accelerated where it is wished and possible;
    None where it would be the shared one."""
    if not rules and accelerator is None:
        return None
    detectors = (*DETECTORS, *map(detector_of_rule, rules))
    prefilter = None if accelerator is None else accelerate(detectors)
    return Engine(detectors, shortest=1 if rules else SHORTEST, prefilter=prefilter)
