"""The words for a test: its author's where they mean exactly the test, and the language's everywhere else.

In comes a condition, or a part of one; out goes its text. One written test is often more than one resolved test: `hour != 5`
is the negation of a range, `sensitivity == confidential` is two tests of a level. An author's words stand for all of it and
for that polarity only, so they are read again here and compared at every value that could tell. A named set is not looked
up: what is tested against one is said in full, unless it is a test of words, which is one test under one polarity.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
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
    negate,
    tests_of,
)
from policyd.policy.program import NumberDomain, Program
from policyd.policy.wording import condition_text
from policyd.policy.written import number_value, value_text

__all__ = ["Words", "holds_at", "is_written", "opposite", "slices", "subject_of", "text_of", "words_for"]

_LONGEST: Final = 80
"""Characters of an author's words that are repeated in a name."""

_SHAPE: Final = re.compile(r"(>=|<=|==|!=|>|<|not in\b|in\b) ?(.+)")
_COMPARE: Final[dict[str, Callable[[int, int], bool]]] = {
    ">=": lambda x, v: x >= v,
    "<=": lambda x, v: x <= v,
    "==": lambda x, v: x == v,
    "!=": lambda x, v: x != v,
    ">": lambda x, v: x > v,
    "<": lambda x, v: x < v,
}


@dataclass(frozen=True, slots=True)
class Words:
    """`text` says the condition, or, `turned`, its negation."""

    text: str
    turned: bool


def text_of(program: Program, condition: Condition) -> str:
    """What says exactly this condition."""
    own = _own(program, condition)
    return _plain(program, condition) if own is None else own


def words_for(program: Program, condition: Condition) -> Words:
    """The author's words for it or for its negation, or else the language's for it."""
    own = _own(program, condition)
    if own is not None:
        return Words(own, turned=False)
    other = _own(program, negate(condition))
    if other is not None:
        return Words(other, turned=True)
    return Words(_plain(program, condition), turned=False)


def opposite(program: Program, condition: Condition) -> str:
    """What says the negation, in the shape of the author's words where they have one: `!=` for `==`."""
    own = _own(program, condition)
    tests = tuple(tests_of(condition))
    if own is not None and not isinstance(tests[0], OneOf):
        shape = _SHAPE.fullmatch(own[len(subject_of(tests[0])) + 1 :])
        if shape is not None and shape[1] in {"==", "!="}:
            return f"{subject_of(tests[0])} {'!=' if shape[1] == '==' else '=='} {shape[2]}"
    return text_of(program, negate(condition))


def subject_of(test: Test) -> str:
    return test.level if isinstance(test, AtLeast) else test.feature


def is_written(condition: Condition) -> bool:
    """Whether it is one test of its author's, as far as places tell, or a single test. A `let` that is used twice is two
    tests of one place: no written test asks the same thing twice."""
    tests = tuple(tests_of(condition))
    together = bool(tests) and all(_together(tests[0], t) for t in tests[1:])
    return len(tests) == 1 or (together and len(set(tests)) == len(tests))


def slices(operands: Sequence[Condition]) -> tuple[tuple[int, int], ...]:
    """Operands that stand next to each other and were written as one test, as numbers of the first and past the last."""
    out: list[tuple[int, int]] = []
    for index in range(len(operands)):
        if out and is_written(All(tuple(operands[out[-1][0] : index + 1]))):
            out[-1] = (out[-1][0], index + 1)
        else:
            out.append((index, index + 1))
    return tuple(out)


def _together(one: Test, other: Test) -> bool:
    return one.span is not None and one.span == other.span and subject_of(one) == subject_of(other)


def _plain(program: Program, condition: Condition) -> str:
    """In the language's words; the other side of a threshold is a threshold."""
    match condition:
        case Not(InRange(feature, low, high)):
            domain = program.feature(feature).domain
            assert isinstance(domain, NumberDomain), "INVARIANT: a range is about a number"
            if low == high and domain.low < low < domain.high:
                return f"{feature} != {value_text(low, unit=domain.unit)}"
            if high == domain.high and low > domain.low:
                return condition_text(program, InRange(feature, domain.low, low - 1))
            if low == domain.low and high < domain.high:
                return condition_text(program, InRange(feature, high + 1, domain.high))
        case _:
            pass
    return condition_text(program, condition)


def _own(program: Program, condition: Condition) -> str | None:
    tests = tuple(tests_of(condition))
    if not tests or not is_written(condition) or tests[0].span is None:
        return None
    if not isinstance(tests[0], InRange | OneOf | AtLeast):
        return None
    name = subject_of(tests[0])
    text = unicodedata.normalize("NFC", " ".join(tests[0].span.text.split()))
    while text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    if not text.startswith(f"{name} ") or "#" in text or len(text) > _LONGEST:
        return None
    shape = _SHAPE.fullmatch(text[len(name) + 1 :])
    if shape is None:
        return None
    if isinstance(tests[0], OneOf):
        negative = isinstance(condition, Not)
        return text if len(tests) == 1 and negative == (shape[1] in {"!=", "not in"}) else None
    return text if _means(program, condition, tests[0], shape[1], shape[2]) else None


def _means(program: Program, condition: Condition, test: Test, op: str, rest: str) -> bool:
    """Whether `op rest` is true of the same values of the test's feature or level as the condition."""
    if isinstance(test, AtLeast):
        values = program.level(test.level).values
        ends = (0, len(values) - 1)
        ranks = {v: i for i, v in enumerate(values)}
        position: Callable[[str], int | None] = ranks.get
    else:
        assert isinstance(test, InRange)
        domain = program.feature(test.feature).domain
        assert isinstance(domain, NumberDomain), "INVARIANT: a range is about a number"
        ends = (domain.low, domain.high)
        position = _day if domain.unit == "date" else number_value
    found = _ranges(op, rest, position)
    if found is None:
        return False
    said, constants = found
    for t in tests_of(condition):
        constants += (
            (t.low, t.high) if isinstance(t, InRange) else (t.rank,) if isinstance(t, AtLeast) else ()
        )
    points = {*ends, *(c + d for c in constants for d in (-1, 0, 1) if ends[0] <= c + d <= ends[1])}
    return all(said(x) == holds_at(condition, x) for x in points)


def _ranges(
    op: str, rest: str, position: Callable[[str], int | None]
) -> tuple[Callable[[int], bool], tuple[int, ...]] | None:
    """What the words say of a position, and the constants in them."""
    if op in _COMPARE:
        value = position(rest)
        return None if value is None else (lambda x: _COMPARE[op](x, value), (value,))
    negative = op == "not in"
    if rest.startswith("{") and rest.endswith("}"):
        words = [w.strip() for w in rest[1:-1].split(",") if w.strip()]
        some = [p for w in words if (p := position(w)) is not None]
        if len(some) < len(words):
            return None
        return (lambda x: (x in some) != negative), tuple(some)
    first, dots, last = rest.partition("..")
    low, high = position(first.strip()), position(last.strip())
    if not dots or low is None or high is None:
        return None
    return (lambda x: (low <= x <= high) != negative), (low, high)


def _day(text: str) -> int | None:
    try:
        return date.fromisoformat(text).toordinal()
    except ValueError:
        return None


def holds_at(condition: Condition, x: int) -> bool:
    """A condition on one scale, at one of its positions."""
    match condition:
        case Const(value):
            return value
        case Not(operand):
            return not holds_at(operand, x)
        case All(operands):
            return all(holds_at(c, x) for c in operands)
        case Either(operands):
            return any(holds_at(c, x) for c in operands)
        case InRange(_, low, high):
            return low <= x <= high
        case AtLeast(_, rank):
            return x >= rank
        case _:
            raise AssertionError("INVARIANT: only ranges and ranks lie on a scale")
