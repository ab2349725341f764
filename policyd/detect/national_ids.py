"""National ids, tax numbers, health and bank numbers and papers of persons: all kinds whose tables `policyd.detect.identifiers` reads.

Comes in: UTF-8 bytes. Goes out: hits such as `national-id.us-ssn`. Check digits are python-stdnum's, or `policyd.detect.sums`'s
where it has none.
"""

from typing import Final

from policyd.detect import banking, health, ids_of_europe, ids_of_the_americas, ids_of_the_world, persons
from policyd.detect.detector import Detector
from policyd.detect.identifiers import Kind, formed, worded

__all__ = ["DIAGNOSIS", "FORMED", "NATIONAL_ID", "NATIONAL_ID_IN_LETTERS", "WALLET", "WORDED", "WORDED_ID"]

FORMED: Final[tuple[Kind, ...]] = (
    *ids_of_the_americas.FORMED,
    *ids_of_europe.FORMED,
    *ids_of_the_world.FORMED,
    *banking.FORMED,
)
WORDED: Final[tuple[Kind, ...]] = (
    *ids_of_the_americas.WORDED,
    *ids_of_europe.WORDED,
    *ids_of_the_world.WORDED,
    *health.WORDED,
    *persons.WORDED,
    *banking.WORDED,
)

FEWEST_DIGITS: Final = 6
"""That a text must hold for any number that is not lettered; most texts hold fewer and are done with."""

NATIONAL_ID: Final[Detector] = formed(FORMED, digits=FEWEST_DIGITS)
NATIONAL_ID_IN_LETTERS: Final[Detector] = formed(ids_of_europe.LETTERED, digits=0, shaped=True)
WORDED_ID: Final[Detector] = worded(WORDED, digits=4)
DIAGNOSIS: Final[Detector] = worded(health.DIAGNOSES, digits=2, keywords=health.DIAGNOSIS_KEYWORDS)
WALLET: Final[Detector] = formed(banking.WALLETS, digits=2, shaped=True)
