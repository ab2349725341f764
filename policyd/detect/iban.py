"""International bank account numbers (ISO 13616)."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from policyd.detect.detector import MOST_CANDIDATES, Detector, Hit, compiled, each

__all__ = ["IBAN", "is_iban"]

PIECE: Final = re.compile(rb"[A-Za-z0-9]+")

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
    """Whether a valid IBAN begins here, perhaps followed by more capitals in the same grouping."""
    return _end(text, start, end) is not None


def _end(text: bytes, start: int, end: int) -> int | None:
    """Where the IBAN that begins here ends. Lengths and check digits as python-stdnum has them (the SWIFT registry)."""
    from stdnum import iban  # noqa: PLC0415 - its tables cost 20 ms that most processes never need

    number = ""
    for piece in PIECE.finditer(text, start, end):
        number += piece[0].decode()
        if len(number) >= 15 and iban.is_valid(number, check_country=False):
            return piece.end()
    return None


@lru_cache(maxsize=1)
def _expression() -> Any:
    return compiled(SHAPE)


def find_ibans(data: bytes) -> Iterator[Hit]:
    for count, match in enumerate(islice(each(_expression(), data), MOST_CANDIDATES + 1)):
        if count == MOST_CANDIDATES:
            yield Hit("iban", 0, len(data))
            return
        start, end = match.span(1)
        stop = _end(data, start, end)
        if stop is not None:
            yield Hit("iban", start, stop)


IBAN: Final = Detector(frozenset({"iban"}), find_ibans, shape=SHAPE)
