"""What papers say of a person: dates of birth, passports, driving licences, and the lines of a passport that machines read.

Comes in: UTF-8 bytes. Goes out: hits with the bounds of the value alone. The one idea: a date or a number is a person's only
directly behind the words that say so; the machine-readable lines prove themselves with their check digits (ICAO Doc 9303).
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from policyd.detect.detector import Detector, Hit, candidates, compiled
from policyd.detect.identifiers import Kind
from policyd.detect.sums import plausible_date

__all__ = ["MRZ", "WORDED", "find_lines"]

DATE: Final = (
    r"[0-9]{1,2}[/.\-][0-9]{1,2}[/.\-](?:[0-9]{4}|[0-9]{2})|(?:19|20)[0-9]{2}[/.\-][0-9]{1,2}[/.\-][0-9]{1,2}"
    r"|[0-9]{1,2}(?:st|nd|rd|th|\.|er|º)? ?(?:de |of )?[A-Za-z\x80-\xff]{3,12}\.?,? ?(?:de |del )?(?:19|20)[0-9]{2}"
    r"|[A-Z][a-z]{2,8}\.? [0-9]{1,2}(?:st|nd|rd|th)?,? (?:19|20)[0-9]{2}"
).replace("|º", "")
BORN: Final = ("date of birth", "birth date", "birthdate", "birthday", "dob", "d.o.b.", "born on", "born", "fecha de nacimiento", "fecha nacimiento", "nacido el", "nacida el", "nació el", "data de nascimento", "nascido em", "nascida em", "geburtsdatum", "geboren am", "geb.", "date de naissance", "né le", "née le", "data di nascita", "nato il", "nata il", "geboortedatum", "geboren op", "data urodzenia", "födelsedatum", "fødselsdato", "дата рождения", "дата народження", "doğum tarihi", "生年月日", "出生日期")  # fmt: skip
PASSPORT: Final = ("passport", "passport no", "passport number", "passport num", "pasaporte", "número de pasaporte", "passaporte", "reisepass", "reisepassnummer", "passnummer", "passeport", "numéro de passeport", "passaporto", "paspoort", "paspoortnummer", "paszport", "numer paszportu", "паспорт")  # fmt: skip
LICENCE: Final = ("driver's license", "drivers license", "driver license", "driver's licence", "driving licence", "driving license", "driver's license number", "driver license number", "driving licence number", "licencia de conducir", "permiso de conducir", "registro de conducir", "carteira de motorista", "carteira de habilitação", "cnh", "führerschein", "führerscheinnummer", "permis de conduire", "patente di guida", "rijbewijs", "rijbewijsnummer", "prawo jazdy")  # fmt: skip

WORDED: Final = (
    Kind("person.birth-date", DATE, plausible_date, BORN, close=True),
    Kind("person.passport", r"[A-Z]{1,3}[ \-]?[0-9]{6,8}|[0-9]{8,9}|[A-Z][0-9]{2}[A-Z0-9]{5,6}|[0-9]{2}[A-Z]{2}[0-9]{5}|[0-9]{4} [0-9]{6}", None, PASSPORT, close=True),
    Kind("person.driving-licence", r"[A-Z]{1,5}[ \-]?[0-9][0-9A-Z\- ]{4,14}[0-9A-Z]|[0-9]{2,4}(?:[ \-][0-9]{2,6}){2,3}|[0-9]{7,12}[A-Z]?|[a-z][0-9]{6,14}", None, LICENCE, close=True),
)  # fmt: skip

PASSPORT_LINES: Final = r"(?:P[A-Z<][A-Z]{1,3}[A-Z<]{39,41}\r?\n[ \t]{0,8})?[A-Z0-9<]{9}[0-9][A-Z<]{3}[0-9]{6}[0-9][MFX<][0-9]{6}[0-9][A-Z0-9<]{14}[0-9<][0-9]\b"
VISA_LINES: Final = r"\b[A-Z0-9<]{9}[0-9][A-Z<]{3}[0-9]{6}[0-9][MFX<][0-9]{6}[0-9][A-Z0-9<]{8}"
CARD_LINES: Final = r"\b[ACI][A-Z0-9<][A-Z<]{3}[A-Z0-9<]{9}[0-9<][A-Z0-9<]{15}\r?\n[ \t]{0,8}[0-9]{6}[0-9][MFX<][0-9]{6}[0-9][A-Z<]{3}[A-Z0-9<]{11}[0-9]\b"
LINES: Final = f"{PASSPORT_LINES}|{CARD_LINES}|{VISA_LINES}"

NAME: Final = "person.mrz"
VALUES: Final = {sign: value for value, sign in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")} | {"<": 0}


def _adds_up(field: str, digit: str) -> bool:
    """ICAO Doc 9303, part 3, section 4.9: weights 731, modulo 10."""
    total = sum(VALUES[sign] * (7, 3, 1)[index % 3] for index, sign in enumerate(field))
    return digit.isdigit() and total % 10 == int(digit)


@lru_cache(maxsize=1)
def _expression() -> Any:
    return compiled(LINES)


def find_lines(data: bytes) -> Iterator[Hit]:
    return candidates(NAME, _expression(), data, _is_readable)


def _is_readable(data: bytes, start: int, end: int) -> bool:
    """The check digits of the number, of the birth and of the expiry."""
    lines = data[start:end].decode("ascii").split()
    last = lines[-1]
    if len(last) == 30:
        return (
            _adds_up(lines[0][5:14], lines[0][14])
            and _adds_up(last[:6], last[6])
            and _adds_up(last[8:14], last[14])
        )
    return _adds_up(last[:9], last[9]) and _adds_up(last[13:19], last[19]) and _adds_up(last[21:27], last[27])


MRZ: Final = Detector(frozenset({NAME}), find_lines, digits=14, shape=LINES)
