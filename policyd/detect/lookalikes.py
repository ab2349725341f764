"""Characters that look like others: letters of other scripts in a key, letters in a number.

Comes in: a text as a reader sees it, in UTF-8. Goes out: look-alikes as stretches that stand for what they look like.

The one idea: a look-alike deceives only in company. Letters of other scripts are taken for Latin ones only in a word that
has Latin letters or digits as well, and letters for digits only in a number, so prose in any script stays as it is.
"""

import re
from collections.abc import Iterator
from typing import Final

from policyd.detect.stretches import Disguise, Stretch, matches

__all__ = ["LOOKALIKES"]

PAIRS: Final = (
    # Cyrillic
    ("АВЕЅІЈКМНОРСТУХЅԌԚԜҮаеорсухіјѕԁԛԝһҽӏոո", "ABESIJKMHOPCTYXSGQWYaeopcyxijsdqwhelnn"),
    # Greek
    ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹϳονρυαικτϲϒ", "ABEZHIKMNOPTYXCjovpuaiktcY"),
    # Armenian, Latin beyond ASCII, Cherokee
    ("օսհցզՏՕ", "ouhgqSO"),
    ("ɑɡıȷʟꞮƖɩɪʏᴄᴏᴠᴡᴢ", "agijLIlliycovwz"),
    ("ᎠᎡᎢᎪᎫᎬᎳᎷᎻᏀᏃᏎᏒᏔᏚᏞᏟᏢᏦᏴ", "DRTAJEWMHGZ4RWSLCPKB"),
)  # fmt: skip
"""Letters and what they look like, from Unicode's table of confusables (UTS 39), as far as ASCII goes."""

LIKE: Final[dict[bytes, bytes]] = {
    letter.encode(): like.encode()
    for letters, likes in PAIRS
    for letter, like in zip(letters, likes, strict=True)
}

LETTER: Final = b"(?:%s)" % b"|".join(sorted(LIKE))
PLAIN: Final = rb"[A-Za-z0-9_]"
MIXED: Final = b"%s%s|%s%s" % (PLAIN, LETTER, LETTER, PLAIN)

LONGEST_WORD: Final = 256
"""Bytes on each side of where two scripts meet that may belong to the word."""

LEAST_PLAIN: Final = 6
"""ASCII letters and digits that a word has in which letters of other scripts are taken for Latin ones."""


def _letters(data: bytes) -> Iterator[Stretch]:
    at = 0
    for match in matches(MIXED, data):
        if match.start() < at:
            continue
        start, at = _word(data, match.start(), match.end(), at)
        word = data[start:at]
        if len(PLAIN_LETTERS.findall(word)) >= LEAST_PLAIN:
            for letter in LETTERS.finditer(data, start, at):
                yield *letter.span(), LIKE[letter[0]], 0


PLAIN_LETTERS: Final = re.compile(rb"[A-Za-z0-9]")
LETTERS: Final = re.compile(LETTER)


def _word(data: bytes, start: int, end: int, floor: int) -> tuple[int, int]:
    """The word around these bytes."""
    before = WORD.match(data[max(floor, start - LONGEST_WORD) : start][::-1])
    behind = WORD.match(data, end, end + LONGEST_WORD)
    return start - (before.end() if before else 0), behind.end() if behind else end


WORD: Final = re.compile(rb"[A-Za-z0-9_+/=.~\x80-\xff-]*")


ZERO_OR_ONE: Final[dict[bytes, bytes]] = {
    b"O": b"0", b"o": b"0", b"l": b"1", b"I": b"1", b"|": b"1", "О".encode(): b"0", "о".encode(): b"0", "Ο".encode(): b"0",
    "ο".encode(): b"0", "З".encode(): b"3", "І".encode(): b"1",
}  # fmt: skip
"""Letters that are written for digits."""

ANY: Final = b"(?:[OolI|]|%s)" % b"|".join(sorted(k for k in ZERO_OR_ONE if len(k) > 1))
SPLIT: Final = rb"[ .\-]?"
THREE: Final = rb"[0-9][ .\-]?[0-9][ .\-]?[0-9]"
NUMERAL: Final = b"%s%s%s|%s%s%s" % (THREE, SPLIT, ANY, ANY, SPLIT, THREE)
NUMBER: Final = re.compile(b"(?:(?:[0-9]|%s)%s){12,23}(?:[0-9]|%s)" % (ANY, SPLIT, ANY))
NUMBER_BEFORE: Final = re.compile(rb"(?:[0-9OolI|\x80-\xff][ .\-]?)*")
"""What may stand before a part of a number, read backwards."""

DIGITS: Final = [b"%d" % digit for digit in range(10)]
LONGEST_NUMBER: Final = 48
LEAST_DIGITS: Final = 9
"""Digits that a number has in which letters are taken for digits."""

ALONE: Final = re.compile(rb"[A-Za-z0-9_]")
INSIDE: Final = re.compile(ANY)


def _digits(data: bytes) -> Iterator[Stretch]:
    at = 0
    for match in matches(NUMERAL, data):
        if match.start() < at:
            continue
        before = NUMBER_BEFORE.match(data[max(at, match.start() - LONGEST_NUMBER) : match.start()][::-1])
        number = NUMBER.search(
            data, match.start() - (before.end() if before else 0), match.end() + LONGEST_NUMBER
        )
        at = match.end()
        if number is None or number.start() > match.start():
            continue
        start, at = number.start(), max(at, number.end())
        if not _is_glued(data, start, at) and sum(map(number[0].count, DIGITS)) >= LEAST_DIGITS:
            for letter in INSIDE.finditer(data, start, at):
                yield *letter.span(), ZERO_OR_ONE[letter[0]], 0


def _is_glued(data: bytes, start: int, end: int) -> bool:
    """Whether the number is part of a longer word."""
    return (start > 0 and ALONE.match(data, start - 1) is not None) or ALONE.match(data, end) is not None


LOOKALIKES: Final[tuple[Disguise, ...]] = (
    Disguise(NUMERAL, _digits),
    Disguise(MIXED, _letters, foreign=True),
)
