"""Conditions in the words of the language, for people: `team in { "risk" } and context_needed > 200k`.

In comes a resolved condition; out goes text that parses to the same condition, with `let` and named sets opened. It is
for explanations only; nothing reads it back.
"""

from typing import assert_never

from policyd.policy.condition import (
    All,
    AtLeast,
    Condition,
    Const,
    Either,
    Flag,
    Has,
    InRange,
    Not,
    OneOf,
    Prefix,
)
from policyd.policy.program import EnumDomain, NumberDomain, Program
from policyd.policy.written import number_text, value_text

__all__ = ["condition_text"]


def condition_text(program: Program, condition: Condition) -> str:
    """One line."""
    match condition:
        case Const(value):
            return "true" if value else "false"
        case Either(operands) if _names_of_one(operands):
            return _contains("any", operands)
        case All(operands) if _names_of_one(operands):
            return _contains("all", operands)
        case All(operands):
            return " and ".join(_operand(program, c) for c in operands)
        case Either(operands):
            return " or ".join(_operand(program, c) for c in operands)
        case Not(AtLeast(level, rank)):
            return f"{level} < {program.level(level).values[rank]}"
        case Not(OneOf(feature, values)):
            return _one_of(program, feature, values, negated=True)
        case Not(InRange() as test):
            return f"not ({condition_text(program, test)})"
        case Not(operand):
            return f"not {_operand(program, operand)}"
        case InRange(feature, low, high):
            return _range(program, feature, low, high)
        case OneOf(feature, values):
            return _one_of(program, feature, values, negated=False)
        case Prefix(feature, text):
            return f"{feature} starts with {_quoted(text)}"
        case Has(feature, name):
            return f"{feature} contains {_quoted(name)}"
        case Flag(feature):
            return feature
        case AtLeast(level, rank):
            return f"{level} >= {program.level(level).values[rank]}"
        case _:
            assert_never(condition)


def _names_of_one(operands: tuple[Condition, ...]) -> bool:
    """Whether all of them ask the same feature for a name."""
    asked = {c.feature if isinstance(c, Has) else None for c in operands}
    return len(asked) == 1 and None not in asked


def _contains(quantifier: str, operands: tuple[Condition, ...]) -> str:
    names = [c for c in operands if isinstance(c, Has)]
    listed = ", ".join(_quoted(c.name) for c in names)
    return f"{names[0].feature} contains {quantifier} {{ {listed} }}"


def _operand(program: Program, condition: Condition) -> str:
    text = condition_text(program, condition)
    compound = isinstance(condition, All | Either) and not _names_of_one(condition.operands)
    return f"({text})" if compound else text


def _range(program: Program, feature: str, low: int, high: int) -> str:
    domain = program.feature(feature).domain
    assert isinstance(domain, NumberDomain), "INVARIANT: a range is about a number"
    if low == high:
        return f"{feature} == {value_text(low, unit=domain.unit)}"
    if high == domain.high and low == domain.low:
        return "true"
    if domain.unit == "date":
        if high == domain.high:
            return f"{feature} >= {value_text(low, unit='date')}"
        if low == domain.low:
            return f"{feature} <= {value_text(high, unit='date')}"
        return f"{feature} in {value_text(low, unit='date')}..{value_text(high, unit='date')}"
    if high == domain.high:
        return f"{feature} {_rounder('>=', low, '>', low - 1)}"
    if low == domain.low:
        return f"{feature} {_rounder('<=', high, '<', high + 1)}"
    return f"{feature} in {number_text(low)}..{number_text(high)}"


def _rounder(op: str, value: int, other_op: str, other: int) -> str:
    """`> 200k` rather than `>= 200001`."""
    plain, alternative = number_text(value), number_text(other)
    return f"{other_op} {alternative}" if len(alternative) < len(plain) else f"{op} {plain}"


def _one_of(program: Program, feature: str, values: frozenset[str], *, negated: bool) -> str:
    domain = program.feature(feature).domain
    if isinstance(domain, EnumDomain):
        ordered = [v for v in domain.values if v in values]
        rest = [v for v in domain.values if v not in values]
        if negated:
            ordered, rest = rest, ordered
        if domain.ordered and len(ordered) > 1 and rest:
            if ordered == list(domain.values[-len(ordered) :]):
                return f"{feature} >= {ordered[0]}"
            if ordered == list(domain.values[: len(ordered)]):
                return f"{feature} <= {ordered[-1]}"
        if len(ordered) == 1:
            return f"{feature} == {ordered[0]}"
        if len(rest) == 1:
            return f"{feature} != {rest[0]}"
        return f"{feature} in {{ {', '.join(ordered)} }}"
    listed = [_quoted(v) for v in sorted(values)]
    if len(listed) == 1:
        return f"{feature} {'!=' if negated else '=='} {listed[0]}"
    return f"{feature} {'not in' if negated else 'in'} {{ {', '.join(listed)} }}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
