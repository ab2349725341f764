"""Identifiers of people and companies: numbers whose meaning is a form, arithmetic, and the words around them.

Comes in: UTF-8 bytes and a table of kinds. Goes out: hits with the bounds of the number alone. The one idea: a form of its
own (dashes at fixed places, letters among digits) counts by its check digits, wherever it stands; a bare run of digits counts
only near a word that says what it is, or below it in a table. So the words are looked for first, all kinds' words in one pass, and
numbers only near them.

Not here: the tables of kinds, and names or addresses, which have no form.
"""

import importlib
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Final, TypeAlias

from policyd.detect.columns import Headings, cells, headings
from policyd.detect.detector import MOST_CANDIDATES, Detector, Hit, compiled
from policyd.detect.samples import fewest_digits

__all__ = ["BESIDE", "KEYED", "Kind", "folded", "formed", "spelled", "worded"]

REACH: Final = 80
"""Bytes on each side of a number in which a word may say what it is."""

CLOSE: Final = 32
"""Bytes between a word and the number behind it where the word must stand directly before."""

MOST_WORDS: Final = 20_000
"""Words in one text around which numbers are looked for; with more, words are looked for around each number."""

LONGEST: Final = 48
"""Bytes of the longest form."""

BEFORE: Final = r"(?:(?<![0-9A-Za-z_])(?<![0-9A-Za-z][.\-/])|(?<=\\[nrt]))"
BEHIND: Final = r"(?![0-9A-Za-z_])(?![.\-/:][0-9])"
"""A number stands alone: it is no piece of a longer number, of an identifier or of a path. A line end that is written `\\n` is none."""

BESIDE: Final = re.compile(
    rb"(?i)[\"'*]{0,3}[ \t]{0,4}(?:n(?:[ou]m(?:ero|ber)?|\xc3\xbamero|ro|r|o)\b|n\xc2[\xb0\xba])?\.?[\s:=#\"'*|\xc2\xa0]{0,8}"
)
"""Between a word and the number that it says what it is: nothing, `Nº`, signs."""

KEYED: Final = re.compile(
    rb"(?i)[\"'*_]{0,3}[ \t]{0,4}(?:(?:n(?:ro|r|o|um|\xc2[\xb0\xba])\.?[ \t]{0,4})?:|n(?:ro|o|\xc2[\xb0\xba])\.?)[\s\"'*]{0,6}"
)
"""The same for a word that is also something else: a colon, as behind a key, or `Nº`."""

NumberCheck: TypeAlias = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of number. `form` is an ASCII expression without groups that capture; `check` a module of python-stdnum
    (`us.ssn`) or a function, or nothing. `words` are literals in lower case, and each may be written without accents; none: the form
    says enough. `close`: the number follows its word directly, with nothing between that holds a digit; `gap`: with nothing between but this.
    In a table the number may stand anywhere below a cell that holds the word."""

    name: str
    form: str
    check: str | NumberCheck | None
    words: tuple[str, ...] = ()
    close: bool = False
    gap: re.Pattern[bytes] | None = None


@dataclass(frozen=True, slots=True)
class _Ready:
    """A kind with its expression compiled. Python's, because it looks at a few bytes and has to see what stands before them."""

    kind: Kind
    expression: re.Pattern[bytes]
    whole: re.Pattern[bytes]
    digits: int

    @property
    def follows(self) -> bool:
        return self.kind.close or self.kind.gap is not None

    def directly(self, data: bytes, end: int, start: int) -> bool:
        """Whether a number that begins at `start` may belong to a word that ends at `end`."""
        if self.kind.gap is not None:
            return self.kind.gap.fullmatch(data, end, start) is not None
        return not any(48 <= byte <= 57 for byte in data[end:start])

    def counts(self, number: bytes) -> bool:
        check = self.kind.check
        if check is None:
            return True
        valid = _of_library(check) if isinstance(check, str) else check
        return bool(valid(number.decode("utf-8", "replace")))


@lru_cache(maxsize=256)
def _of_library(module: str) -> NumberCheck:
    valid: NumberCheck = importlib.import_module(f"stdnum.{module}").is_valid
    return valid


def _ready(kind: Kind) -> _Ready:
    form = kind.form.encode("ascii")
    standing = re.compile(BEFORE.encode() + b"(?:" + form + b")" + BEHIND.encode())
    return _Ready(kind, standing, re.compile(form), fewest_digits(kind.form))


def folded(word: str) -> str:
    """A word as a key: lower case, letters and digits only, no accents."""
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(c for c in plain if c.isalnum())


def _key(word: str) -> str:
    """`C.I.` is another word than `CI`, which is in every other line about programs."""
    return "." + folded(word) if "." in word else folded(word)


def spelled(word: str) -> bytes:
    """An expression over UTF-8 bytes for a word in lower case: either case (an `(?i)` around it does ASCII), with or without
    its accents, and one to three of any blanks, points, dashes or underscores where it has a space."""
    return b"".join(map(_letter, word))


def _letter(letter: str) -> bytes:
    if letter == " ":
        return rb"[ \t._\-]{0,3}"
    if letter.isascii():
        return re.escape(letter).encode()
    written = {letter, letter.upper(), unicodedata.normalize("NFD", letter)}
    plain = unicodedata.normalize("NFKD", letter)[0]
    if plain.isascii():
        written.add(plain)
    return b"(?:" + b"|".join(re.escape(w.encode()) for w in sorted(written)) + b")"


def _any_of(words: list[bytes]) -> bytes:
    return b"(?:" + b"|".join(words) + b")"


def _plain_words(words: list[str]) -> bytes:
    """Any of the words, with something before it that is no letter. What stands before is said once for all words, which is
    what keeps the automaton small: said for each, it outgrows its memory and is a thousand times as slow."""
    ascii_first = [spelled(word) for word in words if word[0].isascii()]
    others = [spelled(word) for word in words if not word[0].isascii()]
    return rb"(?i)(?:\b|_|\\[nrt])" + _any_of(ascii_first) + b"".join(b"|" + other for other in others)


def _camel_words(words: list[str]) -> bytes:
    """Those that a program writes as `customerCpf`: a small letter, and the word with its capital."""
    return b"[a-z]" + _any_of(
        [word.capitalize().encode() for word in words if word.isascii() and word.isalpha()]
    )


class _Words:
    """The words of many kinds: where they stand, and whose they are."""

    __slots__ = ("_expressions", "_kinds")

    def __init__(self, kinds: tuple[Kind, ...]) -> None:
        ready = {kind: _ready(kind) for kind in kinds}
        self._kinds: dict[str, tuple[_Ready, ...]] = {}
        words = {word for kind in kinds for word in kind.words}
        for word in words:
            key = _key(word)
            owners = tuple(ready[kind] for kind in kinds if word in kind.words)
            self._kinds[key] = tuple(dict.fromkeys((*self._kinds.get(key, ()), *owners)))
        longest_first = sorted(words, key=lambda w: (-len(w), w))
        self._expressions = tuple(compiled(e(longest_first)) for e in (_plain_words, _camel_words))

    def matches(self, data: bytes) -> Iterator[tuple[int, int, str]]:
        """Each word's bounds and key. No letter stands directly behind a word, unless it is a long one (a compound, a plural)."""
        for expression in self._expressions:
            for match in expression.finditer(data):
                start, end = match.span()
                behind = data[end : end + 1]
                if behind.isalpha() and end - start < 6 and not behind.isupper():
                    continue
                yield start, end, self._known(data[start:end].decode("utf-8", "replace"))

    def _known(self, written: str) -> str:
        """The key of a word as it is written; before it may stand the `n` of `\\n` or the `r` of `customerCpf`."""
        for key in (_key(written), folded(written), _key(written[1:])):
            if key in self._kinds:
                return key
        return folded(written)[1:]

    def of(self, key: str) -> tuple[_Ready, ...]:
        return self._kinds.get(key, ())

    def all(self) -> tuple[_Ready, ...]:
        return tuple(dict.fromkeys(ready for kinds in self._kinds.values() for ready in kinds))


def worded(kinds: tuple[Kind, ...], *, digits: int, keywords: tuple[str, ...] = ()) -> Detector:
    """The kinds that need a word, as one detector. Programs are full of words and have few such numbers, so it is asked first
    whether there is any."""

    @lru_cache(maxsize=1)
    def numbers() -> Any:
        return compiled(r"(?:\b|\\[nrt])(?:" + "|".join(dict.fromkeys(kind.form for kind in kinds)) + ")")

    @lru_cache(maxsize=1)
    def words() -> _Words:
        return _Words(kinds)

    def find(data: bytes) -> Iterator[Hit]:
        return iter(()) if numbers().search(data) is None else _by_word(words(), data)

    return Detector(frozenset(kind.name for kind in kinds), find, keywords, digits)


def _by_word(words: _Words, data: bytes) -> Iterator[Hit]:
    """Few words: numbers are looked for around each. Many words: the words around each number are."""
    places = list(islice(words.matches(data), MOST_WORDS + 1))
    heads = headings(data, ((key, start, end) for start, end, key in places))
    if heads:
        yield from _below(words, data, heads)
    if len(places) > MOST_WORDS:
        for ready in words.all():
            yield from _by_number(words, ready, data)
        return
    in_head = {place for line in heads.values() for place, _ in line}
    for start, end, key in places:
        near = data[max(0, start - REACH - LONGEST) : end + REACH + LONGEST]
        digits = len(near) - len(near.translate(None, b"0123456789"))
        for ready in words.of(key):
            if digits < ready.digits:
                continue
            close = ready.follows
            low = end if close else max(0, start - REACH - LONGEST)
            high = end + (CLOSE if close else REACH)
            for match in ready.expression.finditer(data, low, high + LONGEST):
                if match.start() > high or (close and not ready.directly(data, end, match.start())):
                    break
                if close and start in in_head and b"\n" in data[end : match.start()]:
                    break  # behind a heading begins the first column, whatever its own is
                if match.end() >= start - REACH and ready.counts(match[0]):
                    yield Hit(ready.kind.name, match.start(), match.end())


def _below(words: _Words, data: bytes, heads: Headings) -> Iterator[Hit]:
    for key, start, end in cells(data, heads):
        cell = data[start:end]
        for ready in words.of(key):
            if ready.whole.fullmatch(cell) and ready.counts(cell):
                yield Hit(ready.kind.name, start, end)


def _by_number(words: _Words, ready: _Ready, data: bytes) -> Iterator[Hit]:
    """A kind's numbers that have one of its words around them. More numbers than are looked at: the whole text."""
    kind = ready.kind
    alone = compiled(rf"\b(?:{kind.form})\b")
    for count, match in enumerate(islice(alone.finditer(data), MOST_CANDIDATES + 1)):
        if count == MOST_CANDIDATES:
            yield Hit(kind.name, 0, len(data))
            return
        start, end = match.span()
        if ready.expression.match(data, start) is None or not ready.counts(data[start:end]):
            continue
        low, high = max(0, start - REACH - CLOSE), start if ready.follows else end + REACH
        for _, word_end, key in words.matches(data[low:high]):
            if ready in words.of(key) and (not ready.follows or ready.directly(data, low + word_end, start)):
                yield Hit(kind.name, start, end)
                break


def formed(kinds: tuple[Kind, ...], *, digits: int, shaped: bool = False) -> Detector:
    """The kinds whose form says enough, as one detector. `shaped`: few texts hold any, so the engine looks for their shape first."""
    shape = "|".join(rf"\b(?:{kind.form})\b" for kind in kinds)

    @lru_cache(maxsize=1)
    def ready() -> tuple[Any, tuple[_Ready, ...]]:
        return compiled(shape), tuple(map(_ready, kinds))

    return Detector(
        frozenset(kind.name for kind in kinds),
        lambda data: _by_form(*ready(), data),
        digits=digits,
        shape=shape if shaped else None,
    )


def _by_form(expression: Any, kinds: tuple[_Ready, ...], data: bytes) -> Iterator[Hit]:
    """One pass for all kinds. More candidates than are looked at: a pass for each kind, and the whole text for a kind that
    has too many of its own."""
    matches = list(islice(expression.finditer(data), MOST_CANDIDATES + 1))
    if len(matches) <= MOST_CANDIDATES:
        for match in matches:
            for ready in kinds:
                yield from _at(ready, data, match.start())
        return
    for ready in kinds:
        own = compiled(rf"\b(?:{ready.kind.form})\b")
        for count, match in enumerate(islice(own.finditer(data), MOST_CANDIDATES + 1)):
            if count == MOST_CANDIDATES:
                yield Hit(ready.kind.name, 0, len(data))
                break
            yield from _at(ready, data, match.start())


def _at(ready: _Ready, data: bytes, start: int) -> Iterator[Hit]:
    match = ready.expression.match(data, start)
    if match is not None and ready.counts(match[0]):
        yield Hit(ready.kind.name, start, match.end())
