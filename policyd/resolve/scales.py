"""Scales: everything that has positions, and conditions as ranges on them.

A number's position is the number, a word's its rank. A comparison is a list of ranges; clipped to the domain and merged
it is a condition: ranges for numbers, words for enums, ranks for computed levels. Nothing is reported here.
"""

from collections.abc import Iterable
from typing import TypeAlias, assert_never

from policyd.policy.condition import FALSE, AtLeast, Condition, Const, InRange, OneOf, both, either, negate
from policyd.policy.program import (
    BoolDomain,
    Domain,
    EnumDomain,
    Feature,
    NamesDomain,
    NumberDomain,
    StringDomain,
)
from policyd.resolve.features import Level
from policyd.resolve.literals import number_text
from policyd.text.source import Span

__all__ = ["Ranges", "Scale", "Subject", "domain_of", "ends", "example", "on_scale"]

Scale: TypeAlias = NumberDomain | EnumDomain | Level
Subject: TypeAlias = Feature | Level
Ranges: TypeAlias = tuple[tuple[int, int], ...]


def on_scale(subject: Subject, ranges: Ranges, span: Span) -> Condition:
    """The condition that the subject lies in one of the ranges, clipped to its domain."""
    domain = domain_of(subject)
    assert isinstance(domain, Scale), "INVARIANT: callers looked"
    low, high = ends(domain)
    merged = _merged((max(a, low), min(b, high)) for a, b in ranges)
    if merged == ((low, high),):
        return Const(True)
    match domain:
        case NumberDomain():
            return either(*(InRange(subject.name, a, b, span) for a, b in merged))
        case EnumDomain(values):
            words = frozenset(v for i, v in enumerate(values) if any(a <= i <= b for a, b in merged))
            return OneOf(subject.name, words, span) if words else FALSE
        case Level():
            return either(*(_between(subject.name, a, b, high, span) for a, b in merged))
        case _:
            assert_never(domain)


def _between(level: str, low: int, high: int, top: int, span: Span) -> Condition:
    reached = Const(True) if low == 0 else AtLeast(level, low, span)
    return both(reached, Const(True) if high == top else negate(AtLeast(level, high + 1, span)))


def _merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The same numbers as few ranges in ascending order; empty ones gone."""
    out: list[tuple[int, int]] = []
    for low, high in sorted(r for r in ranges if r[0] <= r[1]):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return tuple(out)


def domain_of(subject: Subject) -> Domain | Level:
    return subject if isinstance(subject, Level) else subject.domain


def ends(domain: Scale) -> tuple[int, int]:
    return (domain.low, domain.high) if isinstance(domain, NumberDomain) else (0, len(domain.values) - 1)


def example(name: str, domain: Domain | Level) -> str:
    """A test that suits the domain."""
    match domain:
        case NumberDomain(low=low):
            return f"such as `{name} >= {number_text(low, domain)}`"
        case EnumDomain(values) | Level(values=values):
            return f"such as `{name} == {values[0]}`"
        case StringDomain():
            return f'such as `{name} == "…"`, `{name} in {{ … }}` or `{name} starts with "…"`'
        case BoolDomain():
            return f"write `{name}` or `not {name}`"
        case NamesDomain():
            return f'such as `{name} contains "…"`'
        case _:
            assert_never(domain)
