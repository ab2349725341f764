"""The detectors of personal data and of labels, in one row."""

from typing import Final

from policyd.detect.cards import CARD
from policyd.detect.detector import Detector
from policyd.detect.iban import IBAN
from policyd.detect.labels import LABEL
from policyd.detect.mail_addresses import EMAIL
from policyd.detect.national_ids import DIAGNOSIS, NATIONAL_ID, NATIONAL_ID_IN_LETTERS, WALLET, WORDED_ID
from policyd.detect.networks import IP, MAC
from policyd.detect.persons import MRZ
from policyd.detect.phones import PHONE

__all__ = ["PERSONAL"]

PERSONAL: Final[tuple[Detector, ...]] = (
    CARD,
    IBAN,
    NATIONAL_ID,
    NATIONAL_ID_IN_LETTERS,
    WORDED_ID,
    DIAGNOSIS,
    WALLET,
    MRZ,
    EMAIL,
    PHONE,
    IP,
    MAC,
    LABEL,
)
