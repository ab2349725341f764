"""Texts that an expression matches, made from the expression itself, to hold another engine to what RE2 finds.

In: an expression in the part of RE2's syntax that Python's parser reads too. Out: texts, always the same ones for the same
expression. Whether RE2 does match one is for the caller to ask: what depends on a place (`^`, `\\b`) may not hold.
"""

import random
import re._constants as names  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

__all__ = ["fewest_digits", "samples"]

MORE: Final = 8
"""Repetitions beyond the fewest that a sample has at most, mostly."""

PRINTABLE: Final = range(32, 127)
DIGITS: Final = frozenset(range(48, 58))
CATEGORIES: Final = {
    names.CATEGORY_DIGIT: frozenset(range(48, 58)),
    names.CATEGORY_SPACE: frozenset(b" \t\n\r\f"),
    names.CATEGORY_WORD: frozenset(b for b in range(128) if chr(b).isalnum() or b == 95),
}
OPPOSITES: Final = {
    names.CATEGORY_NOT_DIGIT: names.CATEGORY_DIGIT,
    names.CATEGORY_NOT_SPACE: names.CATEGORY_SPACE,
    names.CATEGORY_NOT_WORD: names.CATEGORY_WORD,
}


def samples(expression: str, count: int) -> Iterator[bytes]:
    """`count` texts; none where the expression cannot be read."""
    try:
        parsed = parser.parse(expression)
    except (re_error, RecursionError, OverflowError):
        return
    for number in range(count):
        rng = random.Random(f"{number} {expression}")
        yield bytes(_walk(parsed, rng, most=number % 3 == 2))


def fewest_digits(expression: str) -> int:
    """How many ASCII digits every text has at least that an expression matches; fewer where that cannot be told."""
    return _fewest(parser.parse(expression))


def _fewest(nodes: Any) -> int:
    digits = 0
    for operator, argument in nodes:
        if operator is names.LITERAL:
            digits += 48 <= argument <= 57
        elif operator is names.IN:
            digits += set(_class(tuple(argument))) <= DIGITS
        elif operator is names.BRANCH:
            digits += min(map(_fewest, argument[1]))
        elif operator is names.SUBPATTERN:
            digits += _fewest(argument[3])
        elif operator in (names.MAX_REPEAT, names.MIN_REPEAT):
            digits += argument[0] * _fewest(argument[2])
    return digits


re_error: Final[type[Exception]] = parser.error


def _walk(nodes: Any, rng: random.Random, *, most: bool) -> Iterator[int]:
    for operator, argument in nodes:
        yield from _one(operator, argument, rng, most=most)


def _one(operator: Any, argument: Any, rng: random.Random, *, most: bool) -> Iterator[int]:
    if operator is names.LITERAL:
        yield from chr(argument).encode() if argument > 127 else (argument,)
    elif operator is names.NOT_LITERAL:
        yield rng.choice([b for b in PRINTABLE if b != argument])
    elif operator is names.ANY:
        yield rng.choice(PRINTABLE)
    elif operator is names.IN:
        yield rng.choice(_class(tuple(argument)) or (32,))
    elif operator is names.BRANCH:
        yield from _walk(rng.choice(argument[1]), rng, most=most)
    elif operator is names.SUBPATTERN:
        yield from _walk(argument[3], rng, most=most)
    elif operator in (names.MAX_REPEAT, names.MIN_REPEAT):
        fewest, limit, inner = argument
        highest = min(int(limit), fewest + MORE) if limit is not names.MAXREPEAT else fewest + MORE
        times = (
            min(int(limit), fewest + 60)
            if most and limit is not names.MAXREPEAT
            else rng.randint(fewest, highest)
        )
        for _ in range(times):
            yield from _walk(inner, rng, most=False)


@lru_cache(maxsize=4096)
def _class(items: tuple[Any, ...]) -> tuple[int, ...]:
    """The ASCII characters of a class."""
    found: set[int] = set()
    negated = False
    for operator, argument in items:
        if operator is names.NEGATE:
            negated = True
        elif operator is names.LITERAL:
            found |= {argument} & set(range(128))
        elif operator is names.RANGE:
            found |= set(range(argument[0], min(argument[1], 127) + 1))
        elif operator is names.CATEGORY:
            if argument in OPPOSITES:
                found |= set(PRINTABLE) - CATEGORIES[OPPOSITES[argument]]
            else:
                found |= CATEGORIES[argument]
    return tuple(sorted(set(PRINTABLE) - found if negated else found))
