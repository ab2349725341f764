"""Characters that look like others: letters of other scripts in a key, letters in a number.

Comes in: a text as a reader sees it, in UTF-8. Goes out: look-alikes as stretches that stand for what they look like.

The one idea: a look-alike deceives only in company. Letters of other scripts are taken for Latin ones only in a word that
has Latin letters or digits as well, and letters for digits only in a number, so prose in any script stays as it is.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from policyd.detect.detector import compiled
from policyd.detect.stretches import Disguise, Stretch

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
    for match in _re2(MIXED).finditer(data):
        if match.start() < at:
            continue
        start, at = _word(data, match.start(), match.end(), at)
        word = data[start:at]
        if len(PLAIN_LETTERS.findall(word)) >= LEAST_PLAIN:
            for letter in LETTERS.finditer(data, start, at):
                yield Stretch(*letter.span(), LIKE[letter[0]])


PLAIN_LETTERS: Final = re.compile(rb"[A-Za-z0-9]")
LETTERS: Final = re.compile(LETTER)


def _word(data: bytes, start: int, end: int, floor: int) -> tuple[int, int]:
    """The word around these bytes."""
    first, last = max(floor, start - LONGEST_WORD), end + LONGEST_WORD
    before, behind = NOT_WORD_END.search(data, first, start), NOT_WORD.search(data, end, last)
    return (start if before is None else before.start()), (
        min(last, len(data)) if behind is None else behind.start()
    )


NOT_WORD_END: Final = re.compile(rb"(?:[A-Za-z0-9_+/=.~-]|[\x80-\xff])*\Z")
NOT_WORD: Final = re.compile(rb"[^A-Za-z0-9_+/=.~\x80-\xff-]")

ZERO_OR_ONE: Final[dict[bytes, bytes]] = {
    b"O": b"0", b"o": b"0", b"l": b"1", b"I": b"1", b"|": b"1", "О".encode(): b"0", "о".encode(): b"0", "Ο".encode(): b"0",
    "ο".encode(): b"0", "З".encode(): b"3", "І".encode(): b"1",
}  # fmt: skip
"""Letters that are written for digits."""

ANY: Final = b"(?:[OolI|]|%s)" % b"|".join(sorted(k for k in ZERO_OR_ONE if len(k) > 1))
SPLIT: Final = rb"[ .\-]?"
NUMERAL: Final = b"[0-9]%s[0-9]%s%s|%s%s[0-9]%s[0-9]" % (SPLIT, SPLIT, ANY, ANY, SPLIT, SPLIT)
NUMBER: Final = re.compile(b"(?:(?:[0-9]|%s)%s){12,23}(?:[0-9]|%s)" % (ANY, SPLIT, ANY))
NUMBER_BEFORE: Final = re.compile(b"(?:(?:[0-9]|%s)%s)*\\Z" % (ANY, SPLIT))
LONGEST_NUMBER: Final = 48
LEAST_DIGITS: Final = 9
"""Digits that a number has in which letters are taken for digits."""

ALONE: Final = re.compile(rb"[A-Za-z0-9_\x80-\xff]")
INSIDE: Final = re.compile(ANY)


def _digits(data: bytes) -> Iterator[Stretch]:
    at = 0
    for match in _re2(NUMERAL).finditer(data):
        if match.start() < at:
            continue
        before = NUMBER_BEFORE.search(data, max(at, match.start() - LONGEST_NUMBER), match.start())
        start = match.start() if before is None else before.start()
        number = NUMBER.match(data, start)
        if number is None or _is_glued(data, *number.span()):
            continue
        at = number.end()
        if sum(48 <= byte <= 57 for byte in number[0]) >= LEAST_DIGITS:
            for letter in INSIDE.finditer(data, start, at):
                yield Stretch(*letter.span(), ZERO_OR_ONE[letter[0]])


def _is_glued(data: bytes, start: int, end: int) -> bool:
    """Whether the number is part of a longer word."""
    return (start > 0 and ALONE.match(data, start - 1) is not None) or ALONE.match(data, end) is not None


@lru_cache(maxsize=4)
def _re2(expression: bytes) -> Any:
    return compiled(expression)


LOOKALIKES: Final[tuple[Disguise, ...]] = (
    Disguise(MIXED, _letters, foreign=True),
    Disguise(NUMERAL, _digits),
)
