"""A condition with one small mistake in it, in every way that people make them.

In comes a resolved condition; out comes each altered condition, with what became what in the words of the language and
where: a test negated, a threshold one off, a comparison turned round, a level or a word next to the one that was meant, a
value left out of a set, another budget, a part of an `and` or an `or` forgotten.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from policyd.policy.condition import (
    TRUE,
    All,
    AtLeast,
    Condition,
    Const,
    Either,
    Flag,
    InRange,
    Not,
    OneOf,
    Test,
    both,
    either,
    negate,
    tests_of,
)
from policyd.policy.program import EnumDomain, NumberDomain, Program
from policyd.policy.wording import condition_text
from policyd.policy.written import number_text, value_text
from policyd.text.source import Span
from policyd.trials.leaves import as_written

__all__ = ["Altered", "altered"]


@dataclass(frozen=True, slots=True)
class Altered:
    """`said` is a clause: `` `hour > 8` became `hour >= 8` ``."""

    condition: Condition
    said: str
    span: Span | None = field(default=None, compare=False, repr=False)


def altered(program: Program, condition: Condition) -> Iterator[Altered]:
    """Every alteration that changes the condition, each once."""
    known = {condition}
    for found in _walk(program, condition, lambda c: c, inside=False):
        if found.condition not in known:
            known.add(found.condition)
            yield found


def _walk(
    program: Program, condition: Condition, put: Callable[[Condition], Condition], *, inside: bool
) -> Iterator[Altered]:
    """`put` puts an altered part where the part stands. `inside`: the part is an operand, and dropped as one."""
    match condition:
        case Const():
            return
        case Not(operand):
            yield from _walk(program, operand, lambda c: put(negate(c)), inside=True)
            if not inside:
                yield _dropped(program, condition, put(TRUE))
        case All(operands) | Either(operands):
            join = both if isinstance(condition, All) else either
            for index, operand in enumerate(operands):
                before, after = operands[:index], operands[index + 1 :]
                yield _dropped(program, operand, put(join(*before, *after)))
                yield from _walk(program, operand, _between(put, join, before, after), inside=True)
        case _:
            whole = as_written(program, condition)
            for other, said in _other_tests(program, condition):
                yield Altered(put(other), f"`{whole}` became `{said}`", condition.span)
            for other, value in _smaller_sets(program, condition):
                yield Altered(put(other), f"`{value}` was dropped from `{whole}`", condition.span)
            if not inside:
                yield _dropped(program, condition, put(TRUE))


def _between(
    put: Callable[[Condition], Condition],
    join: Callable[..., Condition],
    before: tuple[Condition, ...],
    after: tuple[Condition, ...],
) -> Callable[[Condition], Condition]:
    return lambda c: put(join(*before, c, *after))


def _dropped(program: Program, part: Condition, condition: Condition) -> Altered:
    span = next((t.span for t in tests_of(part)), None)
    if isinstance(part, Const | Not | All | Either):
        said = condition_text(program, part)
    else:
        said = as_written(program, part)
    return Altered(condition, f"`{said}` was dropped", span)


def _other_tests(program: Program, test: Test) -> Iterator[tuple[Condition, str]]:
    for other in (negate(test), *_neighbours(program, test)):
        yield other, _in_its_words(program, test, other)


def _in_its_words(program: Program, test: Test, other: Condition) -> str:
    """`> 64001` next to `> 64k`, although `>= 64002` says the same."""
    said = condition_text(program, other)
    if other == TRUE:
        return _always(program, test)
    if isinstance(test, InRange) and isinstance(other, InRange):
        was = as_written(program, test)
        if " > " in was and other.low == test.low + 1 and other.high == test.high:
            return f"{test.feature} > {number_text(test.low)}"
        if " < " in was and other.high == test.high - 1 and other.low == test.low:
            return f"{test.feature} < {number_text(test.high)}"
    return said


def _always(program: Program, test: Test) -> str:
    """The same comparison with the lowest or the highest value there is."""
    if isinstance(test, AtLeast):
        return f"{test.level} >= {program.level(test.level).values[0]}"
    domain = program.feature(test.feature).domain
    assert isinstance(test, InRange) and isinstance(domain, NumberDomain), (
        "INVARIANT: only levels and numbers widen"
    )
    if test.low > domain.low:
        return f"{test.feature} >= {value_text(domain.low, unit=domain.unit)}"
    return f"{test.feature} <= {value_text(domain.high, unit=domain.unit)}"


def _neighbours(program: Program, test: Test) -> Iterator[Condition]:
    match test:
        case InRange():
            yield from _ranges(program, test)
        case AtLeast(level, rank):
            yield AtLeast(level, rank - 1, test.span) if rank > 1 else TRUE
            if rank + 1 < len(program.level(level).values):
                yield AtLeast(level, rank + 1, test.span)
        case OneOf():
            yield from _value_sets(program, test)
        case Flag(feature) if program.feature(feature).where.kind == "ledger":
            others = (f.name for f in program.features if f.where.kind == "ledger" and f.name != feature)
            yield from (Flag(name, test.span) for name in others)
        case _:
            return


def _ranges(program: Program, test: InRange) -> Iterator[Condition]:
    domain = program.feature(test.feature).domain
    assert isinstance(domain, NumberDomain), "INVARIANT: a range is about a number"
    ends: list[tuple[int, int]] = []
    if test.low > domain.low:
        ends += [(test.low - 1, test.high), (test.low + 1, test.high)]
    if test.high < domain.high:
        ends += [(test.low, test.high - 1), (test.low, test.high + 1)]
    if test.low > domain.low and test.high == domain.high:
        ends.append((domain.low, test.low))
    if test.high < domain.high and test.low == domain.low:
        ends.append((test.high, domain.high))
    for low, high in ends:
        if (low, high) == (domain.low, domain.high):
            yield TRUE
        elif domain.low <= low <= high <= domain.high:
            yield replace(test, low=low, high=high)


def _value_sets(program: Program, test: OneOf) -> Iterator[Condition]:
    domain = program.feature(test.feature).domain
    if isinstance(domain, EnumDomain) and domain.ordered:
        inside = [i for i, v in enumerate(domain.values) if v in test.values]
        upper = inside[-1] == len(domain.values) - 1
        for edge in (inside[0] - 1, inside[0] + 1) if upper else (inside[-1] - 1, inside[-1] + 1):
            kept = domain.values[max(edge, 0) :] if upper else domain.values[: max(edge, -1) + 1]
            if 0 < len(kept) < len(domain.values):
                yield replace(test, values=frozenset(kept))


def _smaller_sets(program: Program, test: Test) -> Iterator[tuple[Condition, str]]:
    """The set without each of its values; ordered words have a neighbour instead."""
    if not isinstance(test, OneOf) or len(test.values) < 2:
        return
    domain = program.feature(test.feature).domain
    if not isinstance(domain, EnumDomain) or not domain.ordered:
        for value in sorted(test.values):
            yield replace(test, values=test.values - {value}), value
