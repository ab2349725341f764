"""What a detector is: when it has to look at a text at all, and where it finds what.

The one idea: looking is dear and ruling out is cheap, so a detector says what a text must hold before it is asked: one of
some words, so many digits, a shape. The engine asks for all of that in one pass for all detectors together.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple, TypeAlias

__all__ = ["MOST_CANDIDATES", "Check", "Detector", "Hit", "candidates", "compiled", "each"]

MOST_CANDIDATES: Final = 2_000
"""Candidates of one format in one text that are looked at. One more, and the finding counts as present."""

Check: TypeAlias = Callable[[bytes, int, int], bool]
"""Whether the candidate at these bounds of a text is one. Looks at a bounded stretch around it."""


class Hit(NamedTuple):
    """A finding and the bytes of the searched text in which it stands; the whole text where it cannot be told."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Detector:
    """Finds `names` in UTF-8 bytes. It is asked only where one of `keywords` (ASCII, case ignored) or of `exact` (as it is
    written) occurs, always where it has neither; where there are at least so many ASCII `digits`; and where the expression
    `shape` matches (none: always). `find` is linear in the text; it may report one thing twice. `expression`: where this
    does not match (over bytes, or with `unicode` over characters), nothing is found; for what asks all expressions at once."""

    names: frozenset[str]
    find: Callable[[bytes], Iterator[Hit]]
    keywords: tuple[str, ...] = ()
    digits: int = 0
    shape: str | None = None
    exact: tuple[str, ...] = ()
    expression: str | None = None
    unicode: bool = False


def compiled(expression: str | bytes) -> Any:
    """An expression of RE2 over bytes: linear on every input, and other threads run meanwhile."""
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415

    options = re2.Options()
    options.encoding = options.Encoding.LATIN1
    options.log_errors = False
    source = expression if isinstance(expression, bytes) else expression.encode("ascii")
    # RE2's own 8 MiB are too few for the states of an expression of many words: without them it is a thousand times slower.
    options.max_mem = max(8 << 20, len(source) << 10)
    return re2.compile(source, options)


def each(expression: Any, data: bytes) -> Iterator[Any]:
    """The matches of an expression of RE2. Where it has a group, the next is looked for from the end of that group on, because what
    stands behind one value (a line end, a comma) is what stands before the next."""
    if not expression.groups:
        yield from expression.finditer(data)
        return
    at = 0
    while (match := expression.search(data, at)) is not None:
        yield match
        at = max(at + 1, match.end(1) if match.end(1) >= 0 else match.end())


def candidates(name: str, expression: Any, data: bytes, check: Check | None) -> Iterator[Hit]:
    """The matches that pass the check, or their only group. More candidates than are looked at: the whole text."""
    group = 1 if expression.groups else 0
    for count, match in enumerate(islice(each(expression, data), MOST_CANDIDATES + 1)):
        if count == MOST_CANDIDATES:
            yield Hit(name, 0, len(data))
            return
        start, end = match.span(group)
        if check is None or check(data, start, end):
            yield Hit(name, start, end)
