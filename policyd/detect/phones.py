"""Telephone numbers, by the numbering plans of the library `phonenumbers`.

Comes in: UTF-8 bytes. Goes out: where numbers stand. The one idea: the library knows which numbers exist but is slow, so
expressions find what could be one: an international number, a usual grouping of North America, or digits directly behind a word
such as `tel`, which also says by its language in which countries' plans to look.

Not here: numbers without a country, a grouping and a word; they are any number.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from policyd.detect.columns import Cell, Headings, cells, headings
from policyd.detect.detector import MOST_CANDIDATES, Detector, Hit, compiled
from policyd.detect.identifiers import folded, spelled

__all__ = ["PHONE", "find_phones"]

NAME: Final = "phone"

INTERNATIONAL: Final = r"(?:\+ ?|\b00 ?|\b001-|\b011[ \-])\(?[1-9](?:[ .\-/()]{0,2}[0-9]){6,14}\b"
GROUPED: Final = r"(?:\b1[ .\-])?(?:\([2-9][0-9]{2}\) ?[2-9][0-9]{2}[ .\-]?[0-9]{4}|\b[2-9][0-9]{2}[.\-][2-9][0-9]{2}[.\-][0-9]{4})\b"
NUMBER: Final = re.compile(
    rb"(?:(?<![0-9A-Za-z_])(?<![0-9A-Z][.\-/])|(?<=\\[nrt]))[(+]{0,2}[0-9](?:[ .\-/()]{0,3}[0-9]){5,15}+(?![0-9A-WYZa-wyz_]|[xX][^0-9])"
)
EXTENSION: Final = re.compile(rb"(?i) ?(?:x|ext\.? ?|extension |int\.? |ramal |interno )[0-9]{2,5}\b")

ALONE_BEFORE: Final = re.compile(rb"(?:[0-9A-Za-z_+*=^&]|[0-9A-Za-z][.\-/])\Z")
ALONE_BEHIND: Final = re.compile(rb"[A-WYZa-wyz_=*]|[.\-/:][0-9]")
"""`x` may begin an extension."""

ENGLISH: Final = ("US", "GB", "IN", "AU", "IE", "NZ", "ZA")
SPANISH: Final = (
    "PY",
    "AR",
    "ES",
    "MX",
    "CO",
    "CL",
    "PE",
    "UY",
    "BO",
    "EC",
    "VE",
    "GT",
    "CR",
    "DO",
    "SV",
    "US",
)
REGIONS: Final[dict[str, tuple[str, ...]]] = {
    "phone": ENGLISH, "telephone": ENGLISH, "mobile": ENGLISH, "cell": ENGLISH, "cell phone": ENGLISH, "cellphone": ENGLISH, "can call": ENGLISH, "please call": ENGLISH,
    "call me": ENGLISH, "call us": ENGLISH, "call me at": ENGLISH, "call me on": ENGLISH, "call us at": ENGLISH, "call us on": ENGLISH, "reach me": ENGLISH, "reach me at": ENGLISH, "text me": ENGLISH, "text me at": ENGLISH,
    "phone number": ENGLISH, "phone no": ENGLISH, "mobile number": ENGLISH, "fax number": ENGLISH, "registered": ENGLISH, "sms": ENGLISH, "contact number": ENGLISH, "hotline": ENGLISH,
    "messages to": ENGLISH, "answering at": ENGLISH, "landline": ENGLISH, "desk": ENGLISH, "home": ENGLISH, "work": ENGLISH, "office": ENGLISH,
    "tel": (*ENGLISH, *SPANISH, "DE", "FR", "IT", "PT", "BR", "NL", "BE", "AT", "CH", "PL"), "fax": (*ENGLISH, "DE", "FR", "ES", "IT", "AT", "CH"),
    "whatsapp": (*ENGLISH, *SPANISH, "BR", "DE"), "teléfono": SPANISH, "celular": (*SPANISH, "BR"), "móvil": SPANISH, "cel": (*SPANISH, "BR"),
    "llámame": SPANISH, "llamar al": SPANISH, "wasap": SPANISH, "tlf": SPANISH, "tfno": SPANISH, "telefone": ("BR", "PT"), "telemóvel": ("PT",), "fone": ("BR",), "pumbyry": ("PY",),
    "ligue": ("BR", "PT"), "zap": ("BR",), "telefon": ("DE", "AT", "CH", "PL", "SE", "NO", "DK", "TR", "CZ", "HU", "RO"), "telefonnummer": ("DE", "AT", "CH", "SE", "NO", "DK"),
    "handy": ("DE", "AT", "CH"), "handynummer": ("DE", "AT", "CH"), "mobil": ("DE", "AT", "CH", "SE", "NO", "DK"), "mobilnummer": ("DE", "AT", "CH", "SE", "NO"),
    "rufnummer": ("DE", "AT", "CH"), "téléphone": ("FR", "BE", "CH", "CA"), "portable": ("FR", "BE", "CH"), "tél": ("FR", "BE", "CH", "CA"),
    "telefono": ("IT", "CH", *SPANISH), "cellulare": ("IT", "CH"), "telefoon": ("NL", "BE"), "mobiel": ("NL", "BE"), "komórka": ("PL",), "numer telefonu": ("PL",),
    "телефон": ("RU", "UA", "BG", "KZ", "BY"), "тел": ("RU", "UA", "BG", "KZ", "BY"), "電話": ("JP", "TW", "HK"), "电话": ("CN",), "手机": ("CN",), "전화": ("KR",),
}  # fmt: skip
"""Words, and the numbering plans in which a number near one is looked up."""

WEAK: Final = frozenset({"registered", "can call", "please call", "desk", "home", "work", "office", "portable", "handy", "cell", "mobile", "zap", "fone", "mobil"})  # fmt: skip
"""Words of daily life and of programs: the number needs a grouping or ten digits."""

BEHIND_WORD: Final = 40
"""Bytes between a word and the number behind it."""

BETWEEN: Final = re.compile(rb"[ \-,(\t]{1,4}")
"""What may stand between a number and the word behind it: `… office`."""

MOST_WORDS: Final = 20_000
"""Words in one text around which numbers are looked for; with more, words are looked for around each number."""

MOST_LOOKED_UP: Final = 500
"""Numbers of one text that are looked up by a word; each costs up to a millisecond."""


@lru_cache(maxsize=1)
def _expressions() -> tuple[Any, Any]:
    words = []
    for word in sorted(REGIONS, key=lambda w: (-len(w), w)):
        words.append((rb"(?:\b|_|\\[nrt])" if word[0].isascii() else b"") + spelled(word))
    return compiled(f"{INTERNATIONAL}|{GROUPED}"), compiled(b"(?i)" + b"|".join(words))


@lru_cache(maxsize=1)
def _by_key() -> dict[str, tuple[tuple[str, ...], bool]]:
    plans: dict[str, tuple[tuple[str, ...], bool]] = {}
    for word, regions in REGIONS.items():
        key = folded(word)
        known = plans.get(key, ((), True))
        plans[key] = (tuple(dict.fromkeys((*known[0], *regions))), known[1] and word in WEAK)
    return plans


def find_phones(data: bytes) -> Iterator[Hit]:
    alone, words = _expressions()
    for count, match in enumerate(islice(alone.finditer(data), MOST_CANDIDATES + 1)):
        if count == MOST_CANDIDATES:
            yield Hit(NAME, 0, len(data))
            return
        start, end = match.span()
        if _stands_alone(data, start, end) and _exists_anywhere(data[start:end]):
            yield _with_extension(data, start, end)
    places = list(islice(_words(words, data), MOST_WORDS + 1))
    heads = headings(data, places)
    if heads:
        yield from _in_columns(data, heads)
    if len(places) > MOST_WORDS:
        yield from _by_number(words, data)
        return
    yield from _near_words(places, data, {place for line in heads.values() for place, _ in line})


def _by_number(words: Any, data: bytes) -> Iterator[Hit]:
    """Where words are many: what stands around each number. More numbers than are looked at: the whole text."""
    for count, match in enumerate(islice(_digits().finditer(data), MOST_CANDIDATES + 1)):
        if count == MOST_CANDIDATES:
            yield Hit(NAME, 0, len(data))
            return
        low = max(0, match.start() - BEHIND_WORD - 24)
        near = data[low : match.end() + 24]
        for hit in _near_words(_words(words, near), near, set()):
            yield Hit(NAME, low + hit.start, low + hit.end)


@lru_cache(maxsize=1)
def _digits() -> Any:
    return compiled(r"\b[0-9](?:[ .\-/()]{0,3}[0-9]){6,14}\b")


def _stands_alone(data: bytes, start: int, end: int) -> bool:
    before, behind = data[max(0, start - 2) : start], data[end : end + 2]
    return ALONE_BEFORE.search(before) is None and (
        ALONE_BEHIND.match(behind) is None or EXTENSION.match(data[end : end + 16]) is not None
    )


def _with_extension(data: bytes, start: int, end: int) -> Hit:
    extension = EXTENSION.match(data[end : end + 24])
    return Hit(NAME, start, end + (extension.end() if extension else 0))


def _exists_anywhere(number: bytes) -> bool:
    written = number.decode("ascii")
    if written.startswith("00"):
        return _exists("+" + written[2:], None)
    if written.startswith("011"):
        return _exists("+" + written[3:], None)
    return _exists(written, None if written.startswith("+") else "US") or (
        written[0] != "+" and _possible(written)
    )


def _possible(number: str) -> bool:
    """A number of North America in brackets or with points and dashes that no exchange has given out: `(555) 555-1234`. As
    like as not a real one with a slip."""
    return number.startswith("(")


def _exists(number: str, region: str | None) -> bool:
    import phonenumbers  # noqa: PLC0415 - it loads its plans when the first text asks

    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(parsed)


def _near_words(words: Iterable[Cell], data: bytes, in_head: set[int]) -> Iterator[Hit]:
    """What follows a heading (`in_head`) on the next line is the first column, whatever its own is."""
    plans = _by_key()
    looked_up = 0
    seen = -1
    for key, word, end in words:
        if end + BEHIND_WORD <= seen:
            continue
        regions, weak = plans.get(key, ((), True))
        for number in _numbers(data, word, end):
            start, stop = number.span()
            if (
                start < seen
                or not _plausible(number[0], weak=weak)
                or (word in in_head and b"\n" in data[end:start])
            ):
                continue
            looked_up += 1
            if looked_up > MOST_LOOKED_UP:
                yield Hit(NAME, 0, len(data))
                return
            told = _labelled(data[end:start], number[0], weak=weak) if start >= end else _trusted(number[0])
            if told or any(_exists(number[0].decode("ascii"), region) for region in regions):
                seen = stop
                yield _with_extension(data, start, stop)


def _words(words: Any, data: bytes) -> Iterator[Cell]:
    for match in words.finditer(data):
        word, end = match.start(), match.end()
        if not (data[end : end + 1].isalpha() and end - word < 5):
            yield folded(ESCAPED.sub(b"", data[word:end]).decode("utf-8", "replace")), word, end


def _in_columns(data: bytes, heads: Headings) -> Iterator[Hit]:
    """The numbers below a heading. Below a word that means other things too, they exist in one of its countries."""
    plans = _by_key()
    looked_up = 0
    for key, start, end in cells(data, heads):
        regions, weak = plans.get(key, ((), True))
        number = data[start:end]
        if NUMBER.fullmatch(number) is None or not _plausible(number, weak=weak):
            continue
        looked_up += weak
        if looked_up > MOST_LOOKED_UP:
            yield Hit(NAME, 0, len(data))
            return
        if not weak or any(_exists(number.decode("ascii"), region) for region in regions):
            yield Hit(NAME, start, end)


def _numbers(data: bytes, word: int, end: int) -> Iterator[re.Match[bytes]]:
    """The number directly before a word, and the one behind it with no other between."""
    for before in NUMBER.finditer(data, max(0, word - 28), word):
        if BETWEEN.fullmatch(data[before.end() : word]):
            yield before
    behind = NUMBER.search(data, end, end + BEHIND_WORD + 24)
    if behind is not None and behind.start() <= end + BEHIND_WORD:
        yield behind


DAY: Final = re.compile(rb"(?:19|20)[0-9]{2}[\-/.][0-9]{1,2}[\-/.][0-9]{1,2}(?![0-9])")
OTHER: Final = re.compile(rb"[0-9]{1,2}[\-/.][0-9]{1,2}[\-/.][0-9]{2,4}|[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
"""Dates, whatever stands behind the first form, and addresses of networks."""

NORTH_AMERICAN: Final = re.compile(
    rb"\(?[0-9]{3}\)?[ .\-]?[0-9]{3}[ .\-][0-9]{4}|\(?[0-9]{3}\)[ .\-]?[0-9]{3}[ .\-]?[0-9]{4}"
)


def _plausible(number: bytes, *, weak: bool) -> bool:
    digits = sum(48 <= byte <= 57 for byte in number)
    if DAY.match(number) or OTHER.fullmatch(number) or digits > 15:
        return False
    return not weak or digits >= 9


LABEL: Final = re.compile(
    rb"(?i)(?:[ \t]*(?:no\.?|nr\.?|n\xc2\xba|n\xc2\xb0|number|is|me|us|at|on|to|al|es))?[\s:=#.\"'*\xc2\xa0]{0,6}"
)
"""What stands between a label and its number."""


COLON: Final = re.compile(rb"\s{0,2}:\s{0,4}")
GAP: Final = re.compile(rb"[0-9)][ .\-/][0-9]")
ESCAPED: Final = re.compile(rb"^\\[nrt]|^_")


def _labelled(between: bytes, number: bytes, *, weak: bool) -> bool:
    """In the groups of North America anywhere behind a word, and in any directly behind one that means nothing else: a
    number even where no exchange has given it out."""
    if NORTH_AMERICAN.fullmatch(number):
        return True
    if weak:
        return COLON.fullmatch(between) is not None and GAP.search(number) is not None
    return LABEL.fullmatch(between) is not None


def _trusted(number: bytes) -> bool:
    """Before a word such as `office`: with its country or its trunk prefix, and in groups."""
    return number[:1] in b"+(0" and GAP.search(number) is not None and len(number) >= 10


PHONE: Final = Detector(frozenset({NAME}), find_phones, digits=7)
