"""International bank account numbers (ISO 13616)."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from policyd.detect.detector import Detector, Hit, candidates, compiled

__all__ = ["IBAN", "is_iban"]

COUNTRIES: Final = (
    "AD|AE|AL|AT|AZ|BA|BE|BG|BH|BI|BR|BY|CH|CR|CY|CZ|DE|DJ|DK|DO|EE|EG|ES|FI|FK|FO|FR|GB|GE|GI|GL|GR|GT|HN|HR|HU|IE|IL|IQ|IS"
    "|IT|JO|KW|KZ|LB|LC|LI|LT|LU|LV|LY|MC|MD|ME|MK|MN|MR|MT|MU|NI|NL|NO|OM|PK|PL|PS|PT|QA|RO|RS|RU|SA|SC|SD|SE|SI|SK|SM|SO"
    "|ST|SV|TL|TN|TR|UA|VA|VG|XK|YE"
)
"""Countries in the IBAN registry."""

SHAPE: Final = (
    rf"(?:^|[^A-Za-z0-9])((?:{COUNTRIES})[0-9]{{2}}"
    r"(?:[A-Z0-9]{11,30}|(?:[ \-][A-Z0-9]{4}){2,7}(?:[ \-][A-Z0-9]{1,4})?)"
    rf"|(?:{COUNTRIES.lower()})[0-9]{{2}}[a-z0-9]{{11,30}})(?:$|[^A-Za-z0-9])"
)


def is_iban(text: bytes, start: int, end: int) -> bool:
    """A valid IBAN, or one followed by more capitals in the same grouping. Lengths and check digits as python-stdnum has
    them (the SWIFT registry)."""
    from stdnum import iban  # noqa: PLC0415 - its tables cost 20 ms that most processes never need

    pieces = re.split(r"[ \-]", text[start:end].decode("ascii", "replace"))
    number = ""
    for piece in pieces:
        number += piece
        if len(number) >= 15 and iban.is_valid(number, check_country=False):
            return True
    return False


@lru_cache(maxsize=1)
def _expression() -> Any:
    return compiled(SHAPE)


def find_ibans(data: bytes) -> Iterator[Hit]:
    return candidates("iban", _expression(), data, is_iban)


IBAN: Final = Detector(frozenset({"iban"}), find_ibans, shape=SHAPE)
