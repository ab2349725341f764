"""One request without what was found in it.

In come a body with its reading, the names to take out, a scanner and a key; out goes a `Redacted`: the body to send, what
stands for what, and what could not be taken out. The one idea: the values are gathered from the very texts that detectors are
given, taken out wherever they stand, and the new body is read and scanned like one that came so. What is found again, what
is still there, and what has no end that could be seen, is left.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from policyd.detect.patterns import MARKERS
from policyd.detect.scanner import Scanner
from policyd.redact.extent import covered, extents
from policyd.redact.numbers import keeps_numbers
from policyd.redact.placeholders import PLACEHOLDER, Placeholders
from policyd.redact.remains import glued, in_other_forms, rests
from policyd.redact.swap import Swaps
from policyd.redact.walk import swapped_body
from policyd.traffic.body import Body
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.read import read_request
from policyd.traffic.reading import Reading

__all__ = ["Redacted", "found_in", "redacted", "still_in", "without_placeholders"]

ROUNDS: Final = 3
"""How often a body is scanned for more: what was cut out may let stand together what stood apart."""

_BY_LABEL: Final = frozenset({"secret.assigned", "secret.authorization"})

MOST_GROWTH: Final = 4
"""Times the size of a body that values may hold of other values; each round takes out a body at most."""

MOST_VALUES: Final = 20_000
"""Values of one request; with more, nothing is taken out."""

Watched = Callable[[Iterable[str]], Iterable[str]]
"""Passes texts on for as long as somebody waits for them."""


@dataclass(frozen=True, slots=True, eq=False)
class Redacted:
    """`body` and `reading` are those that came where nothing was found. `counts`: how often a finding's name was put in;
    `values`: what each placeholder stands for; `left`: findings that are still in the body."""

    body: Body
    reading: Reading
    counts: Mapping[str, int]
    values: Mapping[str, str]
    left: frozenset[str]


def redacted(
    endpoint: EndpointName,
    body: Body,
    reading: Reading,
    names: tuple[str, ...],
    scanner: Scanner,
    key: bytes,
    watched: Watched = iter,
) -> Redacted:
    """Raises `DetectorFailed`, and whatever `watched` raises."""
    made = Placeholders(key)
    counts: Counter[str] = Counter()
    named: dict[str, set[str]] = {}
    near: set[str] = set()
    parsed: Mapping[str, Any] = body.parsed
    for turn in range(ROUNDS + 1):
        texts = without_placeholders(reading.texts, made.values)
        there = _gathered(texts, names, scanner, watched)
        # Some of what a sign is near may be a value by itself; without it the sign may say nothing, and the rest is still there.
        near |= there.lost & MARKERS
        for value, name in there.values:
            named.setdefault(value, set()).add(name)
        if turn == ROUNDS or not there.values or len(named) > MOST_VALUES:
            break
        table = {value: made.of(value, _shown(under)) for value, under in named.items()}
        # What is found again was a part of a longer word.
        swaps = Swaps(table, {value for value, _ in there.values} if turn else ())
        swapped = swapped_body(parsed, swaps)
        if not swaps.counts:
            break
        parsed = swapped
        counts += swaps.counts
        reading = read_request(endpoint, parsed)
        if reading.refused is not None:
            return Redacted(body, reading, {}, {}, frozenset(names))
    left = there.found | there.lost | near
    if named:
        left |= _remaining(named, made, reading.texts, texts, watched)
    if not counts:
        return Redacted(body, reading, {}, {}, frozenset(left))
    if not keeps_numbers(body.raw):
        left |= set(names)
    put = dict(parsed)
    whole = _whole(made.values, MOST_GROWTH * len(body.raw))
    if whole is None:
        return Redacted(body, reading, {}, {}, frozenset(names))
    values = {placeholder: whole[placeholder] for placeholder in counts}
    return Redacted(Body(orjson.dumps(put), put), reading, _by_name(counts), values, frozenset(left))


def _remaining(
    named: Mapping[str, set[str]],
    made: Placeholders,
    written: tuple[str, ...],
    texts: tuple[str, ...],
    watched: Watched,
) -> set[str]:
    """The names of values of which anything is still in the texts: all of it, a part, or another form. `written`: the texts with
    their placeholders."""
    left: set[str] = set()
    still = Swaps(dict.fromkeys(named, ""))
    for text in watched(texts):
        for value in still.found(text):
            left |= named[value]
    names_of = {put: named[value] for put, value in made.values.items()}
    left |= glued(written, names_of, watched)
    left |= rests(named, texts, watched)
    left |= in_other_forms(named, texts, watched)
    return left


def _shown(names: Iterable[str]) -> str:
    """The name that says most: that a token stands behind a label is said of many that have a name of their own."""
    return min(names, key=lambda name: (name in _BY_LABEL, name))


def without_placeholders(texts: Iterable[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """The texts with nothing in the place of these placeholders: a detector that takes anything behind a label for a secret
    would find them."""
    if not values:
        return tuple(texts)

    def blank(found: re.Match[str]) -> str:
        return "" if found[0] in values else found[0]

    return tuple(PLACEHOLDER.sub(blank, text) if "[" in text else text for text in texts)


class _There(NamedTuple):
    """What is in the texts of a request: values with their names, the names of all findings, and of those without an end."""

    values: list[tuple[str, str]]
    found: set[str]
    lost: set[str]


def _gathered(texts: tuple[str, ...], names: tuple[str, ...], scanner: Scanner, watched: Watched) -> _There:
    """The values to take out, and how each is spelt inside JSON where it was found there."""
    there = _There([], {name for name in scanner.scan(watched(texts)) if covered(name, names)}, set())
    # All texts were asked about at once; now it is remembered in which ones anything is.
    for text in watched(texts if there.found else ()):
        if not any(covered(name, names) for name in scanner.scan((text,))):
            continue
        found, cut = extents(text, scanner.spans(text), names)
        there.lost.update(cut)
        for value, name in found:
            there.values.append((value, name))
            plain = _unescaped(value)
            if plain is not None:
                there.values.append((plain, name))
    return there


def _unescaped(value: str) -> str | None:
    if "\\" not in value:
        return None
    try:
        plain = orjson.loads(f'"{value}"')
    except orjson.JSONDecodeError:
        return None
    return plain if isinstance(plain, str) and plain != value else None


def _whole(made: Mapping[str, str], most: int) -> dict[str, str] | None:
    """The values without placeholders of their own: what was found in a later round may hold some of an earlier one. Each is put
    together once, of those made before it. None where that adds more characters than were taken out: then a caller wrote
    placeholders into values, over and over, and each level would be many times the one below."""
    whole: dict[str, str] = {}
    added = 0
    for placeholder, value in made.items():
        out: list[str] = []
        at = 0
        for found in PLACEHOLDER.finditer(value):
            inner = whole.get(found[0])
            if inner is None:
                continue
            added += len(inner)
            if added > most:
                return None
            out += (value[at : found.start()], inner)
            at = found.end()
        whole[placeholder] = "".join((*out, value[at:]))
    return whole


def _by_name(counts: Mapping[str, int]) -> dict[str, int]:
    out: Counter[str] = Counter()
    for placeholder, number in counts.items():
        out[placeholder[1:].partition(":")[0]] += number
    return dict(sorted(out.items()))


def found_in(
    reading: Reading,
    names: tuple[str, ...],
    scanner: Scanner,
    values: Mapping[str, str],
    watched: Watched = iter,
) -> set[str]:
    """The findings of these names in a request whose placeholders stand for `values`."""
    texts = without_placeholders(reading.texts, values)
    return {name for name in scanner.scan(watched(texts)) if covered(name, names)}


def still_in(
    endpoint: EndpointName, raw: bytes, names: tuple[str, ...], values: Mapping[str, str], scanner: Scanner
) -> frozenset[str]:
    """What of these names is in the very bytes of a request: read and scanned anew, and looked at for the values
    themselves. It shares no code with what takes them out, so that one mistake cannot both leave a value and hide it."""
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return frozenset(names)
    if not isinstance(parsed, dict):
        return frozenset(names)
    reading = read_request(endpoint, parsed)
    if reading.refused is not None:
        return frozenset(names)
    texts = without_placeholders(reading.texts, values)
    found = {name for name in scanner.scan(texts) if covered(name, names)}
    copies = {value: names for value in values.values() if len(value) >= LONG_ENOUGH}
    if _in_bytes(raw, values) or in_other_forms(copies, texts, iter):
        found.update(names)
    return frozenset(found)


def _in_bytes(raw: bytes, values: Mapping[str, str]) -> bool:
    """Whether one of the values is in the bytes, plainly or as JSON writes it: one pass, however many there are."""
    import ahocorasick_rs  # noqa: PLC0415

    sought: set[bytes] = set()
    for value in values.values():
        if len(value) >= LONG_ENOUGH:
            sought |= {value.encode("utf-8", "surrogatepass"), orjson.dumps(value)[1:-1]}
    return bool(sought) and bool(ahocorasick_rs.BytesAhoCorasick(list(sought)).find_matches_as_indexes(raw))


LONG_ENOUGH: Final = 12
"""Characters of a value that is in nothing by chance."""
