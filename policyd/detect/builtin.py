"""The detectors that every policyd has, in one row."""

from typing import Final

from policyd.detect.detector import Detector
from policyd.detect.labelled import LABELLED
from policyd.detect.pattern import detector_of
from policyd.detect.patterns import PATTERNS
from policyd.detect.personal import PERSONAL

__all__ = ["DETECTORS"]

DETECTORS: Final[tuple[Detector, ...]] = (
    *map(detector_of, PATTERNS),
    *LABELLED,
    *PERSONAL,
)
