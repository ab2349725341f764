"""Where in a request something was found, so that whoever sent it can take it out.

Comes in: a reading, which findings are wanted, and what scans texts. Goes out: for each finding, in whose words it stands and
at which place; never the text.

The one idea: this is asked only after something was found, when the scanner remembers each text, so that looking for the
place costs little more than looking texts up.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from policyd.traffic.contexts import FIRST, NEIGHBOUR, SPOKEN
from policyd.traffic.places import Element, Piece, blocks, elements, pieces
from policyd.traffic.reading import Reading
from policyd.traffic.texts import collect_texts

__all__ = ["MOST_FOUND", "UNANSWERED", "Found", "Scan", "where_found"]

Scan: TypeAlias = Callable[[Iterable[str]], frozenset[str]]
"""The findings in any of some texts."""

MOST_FOUND: Final = 16
"""Places that are told."""

MOST_LOOKED_AT: Final = 256
"""Places after which no more are looked for, so that a request full of findings costs no more than others."""

MOST_SEAMS: Final = 4096
"""Borders between texts that are looked at for what was found in none of them."""

LONGEST_NAME: Final = 40

UNANSWERED: Final = "unanswered"


@dataclass(frozen=True, slots=True)
class Found:
    """A finding, in whose words it stands, and the place: words of the APIs, indices, and perhaps the bounded and escaped
    name of an attachment in which nothing is found itself. Where it only counts as found, `where` is `UNANSWERED` and the place
    the name of who did not answer."""

    finding: str
    where: str
    place: str

    def __str__(self) -> str:
        if self.where == UNANSWERED:
            return f"the classifier `{self.place}` did not answer, so its findings count as found"
        return (
            f"{self.finding} in {self.place} ({self.where})"
            if self.place
            else f"{self.finding} ({self.where})"
        )


def where_found(reading: Reading, wanted: Callable[[str], bool], scan: Scan) -> tuple[Found, ...]:
    """The places of the wanted findings: each finding's first, then the others, in the order of the request."""
    sought = frozenset(filter(wanted, scan(reading.texts)))
    if not sought:
        return ()
    out: dict[Found, None] = {}
    parts = tuple(elements(reading.body))
    for element in parts:
        out.update(dict.fromkeys(_in(element, reading, sought, scan)))
        if len(out) >= MOST_LOOKED_AT:
            break
    for place, text in reading.beside:
        out.update(dict.fromkeys(Found(name, "setting", place) for name in sorted(sought & scan((text,)))))
    missing = sought - {found.finding for found in out}
    if missing:
        out.update(dict.fromkeys(_in_contexts(parts, reading, missing, scan)))
        missing -= {found.finding for found in out}
    if missing:
        out.update(dict.fromkeys(_across(parts, reading, missing, scan)))
    return _chosen(out)


def _in(element: Element, reading: Reading, sought: frozenset[str], scan: Scan) -> Iterator[Found]:
    """What is found in the texts of an element, each by itself."""
    held = list(pieces(element, reading.sealed))
    # Short texts are not remembered one by one, so all are asked about together first.
    if not sought & scan(piece.text for piece in _distinct(held)):
        return
    for piece in held:
        for finding in sorted(sought & scan((piece.text,))):
            yield Found(finding, piece.where, _place(piece, scan))


def _distinct(held: list[Piece]) -> Iterator[Piece]:
    short: dict[str, Piece] = {}
    for piece in held:
        if len(piece.text) > LONGEST_NAME:
            yield piece
        else:
            short.setdefault(piece.text, piece)
    if short:
        first = next(iter(short.values()))
        yield Piece(first.where, first.place, "", "\n".join(short))


def _in_contexts(
    parts: tuple[Element, ...], reading: Reading, missing: frozenset[str], scan: Scan
) -> Iterator[Found]:
    """What is found only in an element as a whole: a label with its value, a row of numbers, JSON in a string."""

    def of(element: Element) -> frozenset[str]:
        return missing & scan(collect_texts({element.key: [element.value]}, reading.sealed))

    for element in parts:
        for finding in sorted(of(element)):
            inner = next((block for block in blocks(element) if finding in of(block)), element)
            yield Found(finding, inner.where, inner.place)


def _across(
    parts: tuple[Element, ...], reading: Reading, missing: frozenset[str], scan: Scan
) -> Iterator[Found]:
    """What is cut in two: between a text and the next, or the next of the same kind."""
    told = set[str]()
    last: Piece | None = None
    last_of: dict[str, Piece] = {}
    order = {key: index for index, key in enumerate(FIRST)}
    spoken = sorted((e for e in parts if e.key in order), key=lambda e: order[e.key])
    texts = (p for element in spoken for p in pieces(element, reading.sealed) if _is_spoken(p.place))
    for piece in islice(texts, MOST_SEAMS):
        for before in dict.fromkeys((last, last_of.get(piece.where))):
            if before is None:
                continue
            for finding in sorted(
                missing & scan((before.text[-NEIGHBOUR:] + piece.text[:NEIGHBOUR],)) - told
            ):
                told.add(finding)
                yield Found(finding, piece.where, f"{before.place} and {piece.place}")
        last = last_of[piece.where] = piece
    for finding in sorted(missing - told):
        yield Found(finding, "several", "")


def _is_spoken(place: str) -> bool:
    """Whether a model reads what stands there in a row with what stands before and behind it."""
    return place.rpartition(".")[2].partition("[")[0] in _IN_A_ROW


_IN_A_ROW: Final = frozenset((*SPOKEN, *FIRST))


def _place(piece: Piece, scan: Scan) -> str:
    """The place with the name of the file, unless the name is a finding itself."""
    if not piece.name or scan((piece.name,)):
        return piece.place
    name = piece.name if len(piece.name) <= LONGEST_NAME else piece.name[:LONGEST_NAME] + "…"
    printed = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in name)
    return f"{piece.place} “{printed}”"


def _chosen(found: Iterable[Found]) -> tuple[Found, ...]:
    """At most as many as are told: the first of each finding, then others."""
    first: dict[str, Found] = {}
    others: list[Found] = []
    for one in found:
        if one.finding in first:
            others.append(one)
        else:
            first[one.finding] = one
    return (*first.values(), *others)[:MOST_FOUND]
