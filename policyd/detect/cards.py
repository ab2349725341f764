"""Payment cards: numbers that an issuer could have given out, written the way people write them.

Comes in: UTF-8 bytes. Goes out: where they stand, from the first digit to the last. The one idea: Luhn alone fits every tenth number, so a number must also begin
like an issuer's, have that issuer's length, and either stand alone in a usual grouping or stand near a word about cards.
Fractions, identifiers, and tables of numbers are not cards unless the text around them says so.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from policyd.detect.detector import MOST_CANDIDATES, Detector, Hit, compiled, each

__all__ = ["CARD", "is_card", "luhn"]

NAME: Final = "card-number"

DIGITS: Final = re.compile(rb"[0-9]+")

CONTEXT: Final = 80
"""Bytes on each side of a number in which a word may say what it is."""


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = ord(digit) - 48
        if index % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def _issuers() -> tuple[tuple[int, int, frozenset[int]], ...]:
    """First four digits (from, to) and the lengths of numbers that begin so."""
    sixteen, visa = frozenset({16}), frozenset({13, 16, 19})
    long, maestro = frozenset(range(16, 20)), frozenset(range(12, 20))
    return (
        (4000, 4999, visa),
        (5100, 5599, sixteen),
        (2221, 2720, sixteen),
        (3400, 3499, frozenset({15})),
        (3700, 3799, frozenset({15})),
        (3000, 3059, frozenset({14, 16})),
        (3600, 3699, frozenset(range(14, 20))),
        (3800, 3999, frozenset(range(14, 20))),
        (3528, 3589, long),
        (6011, 6011, long),
        (6440, 6599, long),
        (6200, 6299, long),
        (8100, 8171, long),
        (2200, 2204, long),
        (5018, 5018, maestro),
        (5020, 5020, maestro),
        (5038, 5038, maestro),
        (5893, 5893, maestro),
        (6304, 6304, maestro),
        (6759, 6763, maestro),
        (9792, 9792, sixteen),
        (6521, 6522, sixteen),
    )


ISSUERS: Final = _issuers()
"""Visa, Mastercard, American Express, Diners, JCB, Discover, UnionPay, Mir, Maestro, Troy, RuPay."""


SELDOM: Final = (
    (1800, 1800, frozenset({15})),
    (2131, 2131, frozenset({15})),
    (3500, 3599, frozenset({16})),
    (5000, 5099, frozenset(range(12, 20))),
    (5600, 6999, frozenset(range(12, 20))),
)
"""JCB's old numbers and what Maestro's members may give out, in full: only near a word about cards."""


def is_card(digits: str, issuers: tuple[tuple[int, int, frozenset[int]], ...] = ISSUERS) -> bool:
    """A number that an issuer could have given out."""
    if not 12 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    head = int(digits[:4])
    known = any(low <= head <= high and len(digits) in lengths for low, high, lengths in issuers)
    return known and luhn(digits)


CARD_WORDS: Final = rb"(?i)card|\bpan\b|visa|master|amex|american express|credit|debit|cvv|cvc|expir|payment|tarjeta|carte|karte|cart[ao]o|\bcc\b"
NEAR: Final = re.compile(CARD_WORDS)
"""For the few bytes around a number; RE2, which is forty times as fast on a long text, looks at all of it first."""


def near_card_words(text: bytes, start: int, end: int) -> bool:
    """Whether the text around a number speaks of cards."""
    return NEAR.search(text[max(0, start - CONTEXT) : end + CONTEXT]) is not None


CONTIGUOUS: Final = (
    rb"(?:^|[^0-9A-Za-z_.\-])((?:[456][0-9]{15}|2[2-7][0-9]{14}|3[04-9][0-9]{13,14}|81[0-9]{14}|9792[0-9]{12}))"
    rb"(?:$|[^0-9A-Za-z_\-])"
)
FOURS: Final = rb"(?:^|[^0-9])([0-9]{4}(?:[ .\-][0-9]{4}){3,}(?:[ .\-][0-9]{1,3})?)(?:$|[^0-9])"
REGULAR: Final = (
    rb"(?:^|[^0-9])([0-9]{4}[ .\-][0-9]{6}[ .\-][0-9]{4,5}|[0-9](?:[ .\-][0-9]){12,18}|[0-9]{2}(?:[ .\-][0-9]{2}){6,9}"
    rb"|[0-9]{8}[ .\-][0-9]{8}|[0-9]{6}[ .\-][0-9]{13})(?:$|[^0-9])"
)
LOOSE: Final = rb"(?:[0-9](?:[ .\-\t\n]|[ ]?[_*\-]{1,2}[ ]?)?){11,}[0-9]"

APART: Final = rb"""(?: {0,2}["']? ?[,;|/] ?["']? {0,2}| ?[\t\r\n]{1,2} {0,8}| {2,4})"""
"""What stands between the groups of a number in a list, a table or a column."""

SPREAD: Final = (
    rb"(?:^|[^0-9])([0-9]{4}(?:" + APART + rb"[0-9]{4}){3}(?:" + APART + rb"[0-9]{1,3})?"
    rb"|3[47][0-9]{2}" + APART + rb"[0-9]{6}" + APART + rb"[0-9]{5})(?:$|[^0-9])"
)
MORE_BEFORE: Final = re.compile(rb"(?:^|[^0-9])[0-9]{4}" + APART + rb"\Z|[0-9] ?,\s{0,9}\Z")
MORE_BEHIND: Final = re.compile(APART + rb"[0-9]{4}(?:$|[^0-9])|,\s{0,9}[0-9]{1,3}(?:$|[^0-9])")
"""More of a table: groups of four, or any number in a list with commas."""

CARD_DIGITS: Final = 12
"""A text with fewer digits has no card number in any form."""

ANY: Final = rb"""(?:[0-9][ .\-,;|/"'\t\r\n_*]{0,12}){11,}[0-9]"""
"""Without this there is no card number in any form."""

LONGEST_ROW: Final = 8
"""Groups of four that may stand in one row before it is a table of numbers."""


@lru_cache(maxsize=1)
def _expressions() -> tuple[Any, ...]:
    return tuple(map(compiled, (ANY, CONTIGUOUS, FOURS, REGULAR, SPREAD, LOOSE, CARD_WORDS)))


def find_cards(text: bytes) -> Iterator[Hit]:
    """The card numbers of a text, some perhaps twice."""
    possible, contiguous, fours, regular, spread, loose, words = _expressions()
    if possible.search(text) is None:
        return
    for expression, numbers in ((contiguous, _plain), (fours, _row), (regular, _whole), (spread, _apart)):
        for count, match in enumerate(islice(each(expression, text), MOST_CANDIDATES + 1)):
            if count == MOST_CANDIDATES:
                yield Hit(NAME, 0, len(text))
                break
            for start, end in numbers(text, *match.span(1)):
                yield Hit(NAME, start, end)
    if words.search(text) is not None:
        yield from _near_words(loose, text)


def _plain(text: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Digits without separators: 15 and 16 of them say enough unless a point follows like a fraction's; for other lengths
    a word about cards must stand nearby, which `_near_words` looks for."""
    fraction = text[end : end + 1] == b"." and text[end + 1 : end + 2].isdigit()
    if not fraction and is_card(text[start:end].decode()):
        yield start, end


def _digits(text: bytes, start: int, end: int) -> str:
    return "".join(chr(b) for b in text[start:end] if 48 <= b <= 57)


PAIRS_BEFORE: Final = re.compile(rb"[0-9]{2}[ .\-]\Z")
PAIRS_BEHIND: Final = re.compile(rb"[ .\-][0-9]{2}(?![0-9])")


def _whole(text: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """All of a number. A row of pairs that goes on is a table of numbers."""
    pairs = text[start + 2 : start + 3] in (b" ", b".", b"-")
    if pairs and (PAIRS_BEHIND.match(text, end) or PAIRS_BEFORE.search(text, max(0, start - 3), start)):
        return
    if is_card(_digits(text, start, end)):
        yield start, end


def _groups(text: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """The bounds of the runs of digits."""
    return [match.span() for match in DIGITS.finditer(text, start, end)]


def _row(text: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A row of groups of four: any four in a row of them, with what remains where the number is longer."""
    if end - start > LONGEST_ROW * 5:
        return
    groups = _groups(text, start, end)
    behind = -1
    for first in range(len(groups) - 3):
        low = groups[first][0]
        if low < behind:
            continue
        for high in (groups[first + 3][1], *([end] if len(groups) - first == 5 else [])):
            if is_card(_digits(text, low, high)):
                behind = high
                yield low, high
                break


def _apart(text: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Groups that are apart. Where more groups of four stand in front or behind it is a table of numbers, unless the text
    around it speaks of cards."""
    groups = _groups(text, start, end)
    stop = end if is_card(_digits(text, start, end)) else groups[min(3, len(groups) - 1)][1]
    if not is_card(_digits(text, start, stop)):
        return
    more = MORE_BEFORE.search(text[max(0, start - 16) : start]) or MORE_BEHIND.match(text[end : end + 16])
    if more is None or near_card_words(text, start, end):
        yield start, stop


def _near_words(loose: Any, text: bytes) -> Iterator[Hit]:
    """Numbers in any grouping whose surroundings speak of cards. Only the ends of a long run of digits have any."""
    close = 0
    for match in loose.finditer(text):
        start, end = match.span()
        if not near_card_words(text, start, end):
            continue
        close += 1
        if close > MOST_CANDIDATES:
            yield Hit(NAME, 0, len(text))
            return
        ends = (
            [(start, end)] if end - start <= 2 * CONTEXT else [(start, start + CONTEXT), (end - CONTEXT, end)]
        )
        for low, high in ends:
            for begin, stop in _anywhere(text, _groups(text, low, high)):
                yield Hit(NAME, begin, stop)


def _anywhere(text: bytes, groups: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Neighbouring groups that together are a card; the next number begins behind them."""
    first = 0
    while first < len(groups):
        last = _card_from(text, groups, first)
        if last is None:
            first += 1
            continue
        yield groups[first][0], groups[last][1]
        first = last + 1


def _card_from(text: bytes, groups: list[tuple[int, int]], first: int) -> int | None:
    digits = ""
    for last in range(first, min(first + 19, len(groups))):
        digits += text[slice(*groups[last])].decode()
        if len(digits) > 19:
            break
        if is_card(digits, ISSUERS + SELDOM):
            return last
    return None


CARD: Final = Detector(frozenset({NAME}), find_cards, digits=CARD_DIGITS)
