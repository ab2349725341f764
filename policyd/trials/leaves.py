"""The tests within a condition, each with where it alone decides.

In comes a resolved condition; out comes every one-feature test of it, in written order, with the condition under which
the whole turns with it: beside it everything that is joined by `and` holds, and nothing that is joined by `or`. A range
with two ends inside its domain is two tests, one for each threshold. Levels are not opened.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from policyd.policy.condition import (
    All,
    AtLeast,
    Condition,
    Const,
    Either,
    InRange,
    Not,
    OneOf,
    Test,
    both,
    negate,
)
from policyd.policy.program import NumberDomain, Program
from policyd.policy.wording import condition_text

__all__ = ["Leaf", "as_written", "leaves_of"]


_LONGEST: Final = 80
"""Characters of an author's words that are repeated in a name."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One test where it stands. INVARIANT: where `alone` holds, the condition it was taken from holds for one outcome of
    the test and not for the other."""

    test: Test
    alone: Condition


def leaves_of(program: Program, condition: Condition) -> Iterator[Leaf]:
    """Every test, in written order."""
    return _walk(program, condition, ())


def as_written(program: Program, test: Test) -> str:
    """The test in its author's words where these are about nothing else, or in those of the language."""
    plain = condition_text(program, test)
    if test.span is None or not isinstance(test, InRange | OneOf | AtLeast):
        return plain
    name = test.level if isinstance(test, AtLeast) else test.feature
    text = unicodedata.normalize("NFC", " ".join(test.span.text.split()))
    own = text.startswith(f"{name} ") and ".." not in text and "#" not in text and len(text) <= _LONGEST
    return text if own else plain


def _walk(program: Program, condition: Condition, beside: tuple[Condition, ...]) -> Iterator[Leaf]:
    match condition:
        case Const():
            return
        case Not(operand):
            yield from _walk(program, operand, beside)
        case All(operands):
            for index, operand in enumerate(operands):
                yield from _walk(program, operand, (*beside, *_others(operands, index)))
        case Either(operands):
            for index, operand in enumerate(operands):
                others = tuple(negate(c) for c in _others(operands, index))
                yield from _walk(program, operand, (*beside, *others))
        case InRange():
            ends = _ends(program, condition)
            for index, end in enumerate(ends):
                yield Leaf(end, both(*beside, *_others(ends, index)))
        case _:
            yield Leaf(condition, both(*beside))


def _others(operands: tuple[Condition, ...], index: int) -> tuple[Condition, ...]:
    return operands[:index] + operands[index + 1 :]


def _ends(program: Program, test: InRange) -> tuple[InRange, ...]:
    """The test as one test for each end that lies inside the domain."""
    domain = program.feature(test.feature).domain
    assert isinstance(domain, NumberDomain), "INVARIANT: a range is about a number"
    if test.low == domain.low or test.high == domain.high:
        return (test,)
    return (
        InRange(test.feature, test.low, domain.high, test.span),
        InRange(test.feature, domain.low, test.high, test.span),
    )
