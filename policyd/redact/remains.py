"""What remains of values in texts from which they were taken out: pieces, and the same in another form.

In come the texts of a body with its placeholders, and the values with the names they were found under; out go the names of which
something remains. The one idea: what cannot be proved to be gone whole is there. A value may have been cut in two, of which only
one part was known; what is glued to a placeholder may be the rest of what it stands for; and a value may stand a second
time in an encoding in which no detector knows it.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from policyd.detect.pieces import JOIN
from policyd.detect.views import views
from policyd.detect.visible import searched
from policyd.redact.placeholders import PLACEHOLDER
from policyd.redact.swap import DISTINCT

__all__ = ["glued", "in_other_forms", "rests", "standing"]

Watched = Callable[[Iterable[str]], Iterable[str]]

ENOUGH: Final = 8
"""Letters and digits of a piece from which it says something of the value."""

MOST_PIECES: Final = 200_000
"""Values inside values; with more, all of them remain."""

_REACHING: Final = ("secret.", "private-key.", "custom.")
"""Findings that are one run of characters, so that what is glued to them belongs to them."""

_SIGNS: Final = re.compile(r"[^\W_]")
_JOIN: Final = JOIN.decode()
_BEHIND: Final = re.compile(rf"(?:{_JOIN})?([A-Za-z0-9+/_=.~%-]+)")
_BEFORE: Final = re.compile(rf"([A-Za-z0-9+/_-]+)(?:{_JOIN})?\Z")
_NEXT_LINE: Final = re.compile(r"(?:\r?\n|\\n)[ \t>|]*([A-Za-z0-9+/_=-]{16,})[ \t]*(?=[\r\n\"'\\]|\Z)")
_WORDS: Final = re.compile(r"[A-Za-z]?[a-z]*[0-9]{0,3}|[A-Z]+[0-9]{0,3}|[0-9]+")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WIDTH: Final = 256


def rests(named: Mapping[str, Iterable[str]], texts: tuple[str, ...], watched: Watched) -> set[str]:
    """The names of values of which a part is a value too, and the rest of it still stands in a text."""
    import ahocorasick_rs  # noqa: PLC0415

    values = tuple(value for value in named if value)
    if len(values) < 2:
        return set()
    automaton: Any = ahocorasick_rs.AhoCorasick(values)
    pieces: defaultdict[str, set[str]] = defaultdict(set)
    seen = 0
    for index, value in enumerate(watched(values)):
        if len(value) < ENOUGH:
            continue
        inside = [m for m in automaton.find_matches_as_indexes(value, overlapping=True) if m[0] != index]
        seen += len(inside)
        if seen > MOST_PIECES:
            return {name for names in named.values() for name in names}
        for piece in _between(value, inside):
            pieces[piece].update(named[value])
    return standing(pieces, texts, watched)


def _between(value: str, inside: list[tuple[int, int, int]]) -> list[str]:
    """What is left of a value without these parts of it, where that is enough to say something."""
    out: list[str] = []
    at = 0
    for _, start, end in sorted(inside, key=lambda match: match[1]):
        if start > at:
            out.append(value[at:start])
        at = max(at, end)
    if not inside:
        return []
    out.append(value[at:])
    return [piece.strip() for piece in out if len(_SIGNS.findall(piece)) >= ENOUGH]


def standing(pieces: Mapping[str, Iterable[str]], texts: Iterable[str], watched: Watched) -> set[str]:
    """The names of the pieces that stand in a text."""
    import ahocorasick_rs  # noqa: PLC0415

    if not pieces:
        return set()
    sought = tuple(pieces)
    automaton: Any = ahocorasick_rs.AhoCorasick(sought)
    return {
        name
        for text in watched(texts)
        for index, _, _ in automaton.find_matches_as_indexes(text)
        for name in pieces[sought[index]]
    }


def glued(texts: Iterable[str], names_of: Mapping[str, Iterable[str]], watched: Watched) -> set[str]:
    """The names of findings whose placeholder has, right beside it, in the next string of a sum, or alone on the next line, what
    looks like more of it.
    `names_of`: of each placeholder that was put in. Seams are among the texts, so borders between parts are looked at too."""
    out: set[str] = set()
    for text in watched(texts):
        if "[" not in text:
            continue
        for found in PLACEHOLDER.finditer(text):
            names = names_of.get(found[0])
            if names is None or not any(name.startswith(_REACHING) for name in names):
                continue
            behind = _BEHIND.match(text, found.end(), found.end() + _WIDTH)
            below = _NEXT_LINE.match(text, found.end(), found.end() + 4 * _WIDTH)
            before = _BEFORE.search(text[max(0, found.start() - _WIDTH) : found.start()])
            if (
                (behind is not None and _is_more(behind[1]))
                or (before is not None and _is_more(before[1]))
                or (below is not None and _is_more(below[1]))
            ):
                out.update(names)
    return out


def _is_more(run: str) -> bool:
    """Whether a run of characters is neither short nor made of words."""
    if len(_SIGNS.findall(run)) < ENOUGH:
        return False
    parts = [part for piece in re.split(r"[^A-Za-z0-9]+", run) for part in _CAMEL.split(piece)]
    odd = sum(len(part) for part in parts if not _WORDS.fullmatch(part))
    short = sum(1 for part in parts if 0 < len(part) <= 2)
    return odd >= 4 or short >= 4


def in_other_forms(named: Mapping[str, Iterable[str]], texts: Iterable[str], watched: Watched) -> set[str]:
    """The names of values that stand in a text encoded, disguised or in pieces."""
    import ahocorasick_rs  # noqa: PLC0415

    sought: defaultdict[bytes, set[str]] = defaultdict(set)
    for value, names in named.items():
        seen = searched(value)
        if len(_SIGNS.findall(value)) >= ENOUGH:
            sought[seen].update(names)
    if not sought:
        return set()
    values = tuple(sought)
    automaton: Any = ahocorasick_rs.BytesAhoCorasick(values)
    out: set[str] = set()
    for text in watched(texts):
        for view in views(text):
            for index, start, end in automaton.find_matches_as_indexes(view.data, overlapping=True):
                if end - start >= DISTINCT or _alone(view.data, start, end):
                    out.update(sought[values[index]])
    return out


def _alone(data: bytes, start: int, end: int) -> bool:
    """Whether this is no part of a longer word."""
    before = start > 0 and data[start - 1 : start].isalnum() and data[start : start + 1].isalnum()
    after = data[end : end + 1].isalnum() and data[end - 1 : end].isalnum()
    return not before and not after
