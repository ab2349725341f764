"""The detectors that every policyd has, in one row."""

from typing import Final

from policyd.detect.cards import CARD
from policyd.detect.detector import Detector
from policyd.detect.iban import IBAN
from policyd.detect.labelled import LABELLED
from policyd.detect.national_ids import NATIONAL_ID, NATIONAL_ID_IN_LETTERS
from policyd.detect.pattern import detector_of
from policyd.detect.patterns import PATTERNS

__all__ = ["DETECTORS"]

DETECTORS: Final[tuple[Detector, ...]] = (
    *map(detector_of, PATTERNS),
    *LABELLED,
    CARD,
    IBAN,
    NATIONAL_ID,
    NATIONAL_ID_IN_LETTERS,
)
