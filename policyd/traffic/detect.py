"""Finding secrets and personal data in text.

Comes in: texts. Goes out: the names of what was found in any of them, such as `secret.aws`, never what it was.

The one idea: one pass of an Aho-Corasick automaton says which formats could be there at all, and RE2, which is linear on
every input, looks for those; a check settles each candidate. Candidates are capped for each format and text: what
overflows the cap counts as found, because undecided is sensitive. An agent sends its whole history on every turn, so
what was found in a text is remembered under a keyed hash of it.

Before a text is searched, characters that a reader does not see are removed and compatibility forms are folded, so that a
zero-width space inside a key hides nothing.

Threads: a `Scanner` may be used from several at once; both engines let other threads run. Not here: other languages' words,
names, addresses, phone numbers; text inside images; encodings other than base64 of a private key. See `docs/traffic.md`.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from policyd.traffic.cards import CARD_DIGITS, has_card
from policyd.traffic.checks import is_iban
from policyd.traffic.memo import Memo
from policyd.traffic.national_ids import FEWEST_DIGITS, LETTERED, NATIONAL_IDS, find_national_ids
from policyd.traffic.patterns import PATTERNS, Pattern

__all__ = ["MOST_CANDIDATES", "DetectorFailed", "Scanner", "known_findings", "scan", "visible"]

MOST_CANDIDATES: Final = 2_000
"""Candidates of one format in one text that are looked at. One more, and the finding counts as present."""

CHUNK: Final = 1 << 18
"""Bytes that the automaton is given at once: it returns all its matches as a list."""

CARD: Final = "card-number"
IBAN: Final = "iban"


class DetectorFailed(Exception):
    """A detector did not finish: the findings of this request are unknown, which a policy takes as all of them."""


def known_findings() -> frozenset[str]:
    """Every finding that can be reported. A name above one of them (`secret`) covers it."""
    return frozenset(p.finding for p in PATTERNS) | {CARD, IBAN} | NATIONAL_IDS


UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\u0080-\u009f]"
)
"""Characters that show nothing (Unicode's Default_Ignorable_Code_Point, the interlinear marks, and C1 controls)."""

CONTROLS: Final = bytes((*range(9), *range(11, 13), *range(14, 32), 127))
"""ASCII's control characters but tab and line ends: they show nothing either."""

DASHES: Final = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
FOLDED: Final = re.compile(
    "[\u00a0\u2000-\u200a\u202f\u205f\u3000\uff01-\uff5e\U0001d400-\U0001d7ff\u2460-\u24ff\u00b2\u00b3\u00b9"
    "\u2070-\u2079\u2080-\u208e\U0001f100-\U0001f10a]"
)
"""Compatibility forms of letters, digits and spaces."""


def visible(text: str) -> str:
    """The text as a reader sees it, for searching. ASCII is returned as it is."""
    if text.isascii():
        return text
    text = UNSEEN.sub("", text)
    text = DASHES.sub("-", text)
    if FOLDED.search(text):
        text = unicodedata.normalize("NFKC", text)
    digits = {ord(c): str(unicodedata.digit(c)) for c in set(text) if c.isdecimal() and not c.isascii()}
    return text.translate(digits) if digits else text


@dataclass(frozen=True, slots=True)
class _Engines:
    """The compiled tables. `rules_of[k]` are the patterns that the automaton's keyword `k` allows. What `lettered` does not
    match holds no IBAN, and a national id only with enough digits."""

    automaton: Any
    rules_of: tuple[tuple[int, ...], ...]
    rules: tuple[tuple[Pattern, Any], ...]
    ibans: Any
    lettered: Any
    longest_keyword: int


@lru_cache(maxsize=1)
def _engines() -> _Engines:
    """Compiled on first use: some 20 MB and 50 ms that a policy without `findings` never pays."""
    import ahocorasick_rs  # noqa: PLC0415
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415

    options = re2.Options()
    options.encoding = options.Encoding.LATIN1
    options.log_errors = False

    def compiled(expression: str) -> Any:
        return re2.compile(expression.encode("ascii"), options)

    keywords = sorted({k for p in PATTERNS for k in p.keywords})
    return _Engines(
        automaton=ahocorasick_rs.BytesAhoCorasick([k.encode() for k in keywords]),
        rules_of=tuple(tuple(i for i, p in enumerate(PATTERNS) if k in p.keywords) for k in keywords),
        rules=tuple((p, compiled(p.expression)) for p in PATTERNS),
        ibans=compiled(IBAN_SHAPE),
        lettered=compiled("|".join((IBAN_SHAPE, *LETTERED))),
        longest_keyword=max(len(k) for k in keywords),
    )


IBAN_COUNTRIES: Final = (
    "AD|AE|AL|AT|AZ|BA|BE|BG|BH|BI|BR|BY|CH|CR|CY|CZ|DE|DJ|DK|DO|EE|EG|ES|FI|FK|FO|FR|GB|GE|GI|GL|GR|GT|HN|HR|HU|IE|IL|IQ|IS"
    "|IT|JO|KW|KZ|LB|LC|LI|LT|LU|LV|LY|MC|MD|ME|MK|MN|MR|MT|MU|NI|NL|NO|OM|PK|PL|PS|PT|QA|RO|RS|RU|SA|SC|SD|SE|SI|SK|SM|SO"
    "|ST|SV|TL|TN|TR|UA|VA|VG|XK|YE"
)
"""Countries in the IBAN registry."""

IBAN_SHAPE: Final = (
    rf"(?:^|[^A-Za-z0-9])((?:{IBAN_COUNTRIES})[0-9]{{2}}"
    r"(?:[A-Z0-9]{11,30}|(?:[ \-][A-Z0-9]{4}){2,7}(?:[ \-][A-Z0-9]{1,4})?)"
    rf"|(?:{IBAN_COUNTRIES.lower()})[0-9]{{2}}[a-z0-9]{{11,30}})(?:$|[^A-Za-z0-9])"
)


class Scanner:
    """Detectors with a memory. `salt` keys the memory's hashes: pass random bytes where others could read the process."""

    __slots__ = ("_memo",)

    def __init__(self, *, memo_bytes: int = 16 << 20, salt: bytes = b"") -> None:
        self._memo: Memo[frozenset[str]] = Memo(memo_bytes, salt=salt, cost=200)

    def scan(self, texts: Iterable[str]) -> frozenset[str]:
        """What is found in any of the texts. Raises `DetectorFailed`, and nothing else."""
        found: set[str] = set()
        try:
            for text in texts:
                if len(text) < SHORTEST:
                    continue
                key = self._memo.key(text)
                known = self._memo.get(key)
                if known is None:
                    known = _one(frozenset(find(text)))
                    self._memo.put(key, known)
                found |= known
        except Exception as error:
            raise DetectorFailed(type(error).__name__) from error
        return frozenset(found)


@lru_cache(maxsize=1024)
def _one(found: frozenset[str]) -> frozenset[str]:
    """Equal findings as one object: an empty set for each text is more than all else that is remembered of it."""
    return found


@lru_cache(maxsize=1)
def _shared() -> Scanner:
    return Scanner()


def scan(texts: Iterable[str]) -> frozenset[str]:
    """`Scanner.scan` of the process-wide scanner."""
    return _shared().scan(texts)


DIGITS: Final = b"0123456789"

SHORTEST: Final = 8
"""A shorter text holds nothing that any detector knows."""


def find(text: str) -> Iterator[str]:
    """The findings of one text, some perhaps twice."""
    data = visible(text).encode("utf-8", "replace").translate(None, CONTROLS)
    engines = _engines()
    for index in sorted(_possible(engines, data)):
        pattern, expression = engines.rules[index]
        if _holds(pattern, expression, data):
            yield pattern.finding
    digits = len(data) - len(data.translate(None, DIGITS))
    if digits >= CARD_DIGITS and has_card(data):
        yield CARD
    lettered = engines.lettered.search(data) is not None
    if lettered and _any_candidate(engines.ibans, data, is_iban):
        yield IBAN
    if lettered or digits >= FEWEST_DIGITS:
        yield from find_national_ids(data)


def _possible(engines: _Engines, data: bytes) -> set[int]:
    """The patterns of which a keyword occurs."""
    lowered = data.lower()
    possible: set[int] = set()
    for start in range(0, len(lowered), CHUNK):
        piece = lowered if len(lowered) <= CHUNK else lowered[start : start + CHUNK + engines.longest_keyword]
        for keyword in {m[0] for m in engines.automaton.find_matches_as_indexes(piece, overlapping=True)}:
            possible.update(engines.rules_of[keyword])
    return possible


def _holds(pattern: Pattern, expression: Any, data: bytes) -> bool:
    if pattern.check is None:
        return expression.search(data) is not None
    return _any_candidate(expression, data, pattern.check)


def _any_candidate(expression: Any, data: bytes, check: Any) -> bool:
    group = 1 if expression.groups else 0
    for count, match in enumerate(islice(expression.finditer(data), MOST_CANDIDATES + 1)):
        if count == MOST_CANDIDATES or check(data, *match.span(group)):
            return True
    return False
