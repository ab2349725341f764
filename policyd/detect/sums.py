"""Check digits that python-stdnum does not know. Each function takes a number as it is written and says whether it adds up.

Sources: the publishing authority of each number, named at its function.
"""

import re
from typing import Final

from policyd.detect.cards import luhn

__all__ = [
    "clabe",
    "health_card_au",
    "health_card_br",
    "health_card_de",
    "health_card_nz",
    "health_card_ontario",
    "identity_bo",
    "identity_sg",
    "identity_tw",
    "identity_uy",
    "plausible_date",
    "registration_dea",
    "registration_npi",
    "taxpayer_py",
]

NOT_DIGITS: Final = re.compile(r"[^0-9]")
NOT_SIGNS: Final = re.compile(r"[^0-9A-Z]")


def _digits(number: str) -> list[int]:
    return [int(digit) for digit in NOT_DIGITS.sub("", number)]


def _weighed(digits: list[int], weights: tuple[int, ...]) -> int:
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=False))


def identity_uy(number: str) -> bool:
    """Cédula of Uruguay (Dirección Nacional de Identificación Civil): weights 2987634, modulo 10."""
    digits = _digits(number)
    digits = [0] * (8 - len(digits)) + digits
    return (
        len(digits) == 8
        and len(set(digits)) > 1
        and -_weighed(digits, (2, 9, 8, 7, 6, 3, 4)) % 10 == digits[7]
    )


def identity_bo(number: str) -> bool:
    """Cédula of Bolivia: no check digit, so not one digit over and over."""
    return len(set(_digits(number))) > 2


def taxpayer_py(number: str) -> bool:
    """RUC of Paraguay (Dirección Nacional de Ingresos Tributarios): weights from 2 on, modulo 11; perhaps with points."""
    digits = _digits(number)
    return (
        5 <= len(digits) <= 9
        and digits[0] > 0
        and -_weighed(digits[-2::-1], tuple(range(2, 10))) % 11 % 10 == digits[-1]
    )


def identity_sg(number: str) -> bool:
    """NRIC and FIN of Singapore (Immigration & Checkpoints Authority): weights 2765432, a letter for the rest."""
    total = _weighed(_digits(number), (2, 7, 6, 5, 4, 3, 2)) + (
        4 if number[0] in "TG" else 3 if number[0] == "M" else 0
    )
    letters = {
        "S": "JZIHGFEDCBA",
        "T": "JZIHGFEDCBA",
        "F": "XWUTRQPNMLK",
        "G": "XWUTRQPNMLK",
        "M": "XWUTRQPNJLK",
    }
    place = total % 11
    return number[-1] == letters[number[0]][10 - place if number[0] == "M" else place]


def identity_tw(number: str) -> bool:
    """Identity number of Taiwan (Ministry of the Interior): the letter as two digits, weights 1987654321 and 1."""
    head = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(number[0]) + 10
    digits = [head // 10, head % 10, *_digits(number)]
    return _weighed(digits, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)) % 10 == 0


def health_card_au(number: str) -> bool:
    """Medicare card of Australia (Services Australia): weights 13791379, modulo 10."""
    digits = _digits(number)
    return _weighed(digits[:8], (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == digits[8]


def health_card_br(number: str) -> bool:
    """Cartão Nacional de Saúde (Ministério da Saúde, DATASUS): weights 15 to 1, modulo 11."""
    digits = _digits(number)
    return len(set(digits)) > 1 and _weighed(digits, tuple(range(15, 0, -1))) % 11 == 0


def health_card_de(number: str) -> bool:
    """Krankenversichertennummer (GKV-Spitzenverband): the letter as two digits, weights 1 and 2, digit sums, modulo 10."""
    place = ord(number[0]) - 64
    digits = [place // 10, place % 10, *_digits(number)]
    products = (digit * (1 + index % 2) for index, digit in enumerate(digits[:10]))
    return sum(product // 10 + product % 10 for product in products) % 10 == digits[10]


def health_card_nz(number: str) -> bool:
    """National Health Index of New Zealand, the older form (Health New Zealand, HISO 10046): weights 7 to 2, modulo 11."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    values = [letters.index(sign) + 1 for sign in number[:3]] + _digits(number)
    rest = _weighed(values, (7, 6, 5, 4, 3, 2)) % 11
    return rest != 0 and (11 - rest) % 10 == values[6]


def health_card_ontario(number: str) -> bool:
    """Health card of Ontario (Ministry of Health): ten digits by Luhn."""
    return luhn(NOT_DIGITS.sub("", number))


def registration_npi(number: str) -> bool:
    """National Provider Identifier (CMS): Luhn with 80840 before it."""
    return luhn("80840" + NOT_DIGITS.sub("", number))


def registration_dea(number: str) -> bool:
    """Registration of prescribers (Drug Enforcement Administration): 1st, 3rd and 5th digit and twice the others."""
    digits = _digits(number)[-7:]
    return (sum(digits[0:6:2]) + 2 * sum(digits[1:6:2])) % 10 == digits[6]


def clabe(number: str) -> bool:
    """Account number of Mexico (Asociación de Bancos de México): weights 371, each product modulo 10."""
    digits = _digits(number)
    total = sum(digit * (3, 7, 1)[index % 3] % 10 for index, digit in enumerate(digits[:17]))
    return len(set(digits)) > 2 and -total % 10 == digits[17]


YEAR: Final = re.compile(r"(?:19|20)[0-9]{2}")


def plausible_date(date: str) -> bool:
    """Whether a person alive could have been born then: a year of four digits from 1900 on, or two digits."""
    pieces = [int(piece) for piece in re.findall(r"[0-9]+", date)]
    if YEAR.search(date) is None:
        return len(pieces) == 3 and all(pieces[:2]) and max(pieces[:2]) <= 31 and min(pieces[:2]) <= 12
    small = [piece for piece in pieces if piece < 1900]
    return all(0 < piece <= 31 for piece in small) and (len(small) < 2 or min(small) <= 12)
