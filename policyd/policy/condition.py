"""Resolved conditions: boolean expressions over one-feature tests with constants.

Names, sets and `let` are gone, comparisons are ranges or value sets, and everything is within its feature's domain.
Nodes compare by value and ignore places. `AtLeast` is the only test that is not about a raw feature: a level is a
condition on its inputs (see `Classify` in `program.py`), and the engine inlines it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from policyd.text.source import Span

__all__ = [
    "FALSE", "TRUE", "All", "AtLeast", "Condition", "Const", "Either", "Flag", "Has", "InRange", "Not", "OneOf", "Prefix",
    "Test", "both", "either", "features_of", "negate", "tests_of",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Const:
    value: bool


TRUE = Const(True)
FALSE = Const(False)


@dataclass(frozen=True, slots=True)
class InRange:
    """`low <= feature <= high` for a number feature, both ends inside its domain, `low <= high`."""

    feature: str
    low: int
    high: int
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class OneOf:
    """The feature's value is one of these, for an enum (a proper, non-empty subset) or a string (exact, NFC)."""

    feature: str
    values: frozenset[str]
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Prefix:
    """A string feature's value starts with `text` (not empty)."""

    feature: str
    text: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Has:
    """A names feature holds `name` or a dotted name below it: `secret` covers `secret.aws`."""

    feature: str
    name: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Flag:
    """A boolean feature is true."""

    feature: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A classified level is at least `rank` (1 or more; 0 is the lowest value)."""

    level: str
    rank: int
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    operand: "Condition"


@dataclass(frozen=True, slots=True)
class All:
    operands: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Either:
    operands: tuple["Condition", ...]


Test: TypeAlias = InRange | OneOf | Prefix | Has | Flag | AtLeast
Condition: TypeAlias = Const | Test | Not | All | Either


def both(*operands: Condition) -> Condition:
    """Conjunction, with constants and nesting folded."""
    parts: list[Condition] = []
    for operand in operands:
        if isinstance(operand, Const):
            if not operand.value:
                return FALSE
        elif isinstance(operand, All):
            parts.extend(operand.operands)
        else:
            parts.append(operand)
    if not parts:
        return TRUE
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def either(*operands: Condition) -> Condition:
    """Disjunction, with constants and nesting folded."""
    parts: list[Condition] = []
    for operand in operands:
        if isinstance(operand, Const):
            if operand.value:
                return TRUE
        elif isinstance(operand, Either):
            parts.extend(operand.operands)
        else:
            parts.append(operand)
    if not parts:
        return FALSE
    return parts[0] if len(parts) == 1 else Either(tuple(parts))


def negate(condition: Condition) -> Condition:
    if isinstance(condition, Const):
        return FALSE if condition.value else TRUE
    if isinstance(condition, Not):
        return condition.operand
    return Not(condition)


def tests_of(condition: Condition) -> Iterator[Test]:
    """Every test in the condition, in written order, levels not opened."""
    match condition:
        case Const():
            return
        case Not(operand):
            yield from tests_of(operand)
        case All(operands) | Either(operands):
            for operand in operands:
                yield from tests_of(operand)
        case _:
            yield condition


def features_of(condition: Condition) -> frozenset[str]:
    """Raw features that are read; a classified level counts under its own name."""
    return frozenset(t.level if isinstance(t, AtLeast) else t.feature for t in tests_of(condition))
