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
    Has,
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
from policyd.policy.written import value_text
from policyd.text.source import Span
from policyd.trials.words import holds_at, is_written, opposite, slices, text_of, words_for

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
    if is_written(condition) and not (isinstance(condition, Not) and len(tuple(tests_of(condition))) == 1):
        yield from _of_written(program, condition, put)
        if not inside:
            yield _dropped(program, condition, put(TRUE))
        return
    match condition:
        case Const():
            return
        case Not(operand):
            yield from _walk(program, operand, lambda c: put(negate(c)), inside=True)
            if not inside:
                yield _dropped(program, condition, put(TRUE))
        case All(operands) | Either(operands):
            join = both if isinstance(condition, All) else either
            for first, past in slices(operands):
                part = join(*operands[first:past])
                before, after = operands[:first], operands[past:]
                yield _dropped(program, part, put(join(*before, *after)))
                yield from _walk(program, part, _between(put, join, before, after), inside=True)
        case _:
            raise AssertionError("INVARIANT: a single test is written as one")


def _between(
    put: Callable[[Condition], Condition],
    join: Callable[..., Condition],
    before: tuple[Condition, ...],
    after: tuple[Condition, ...],
) -> Callable[[Condition], Condition]:
    return lambda c: put(join(*before, c, *after))


def _of_written(
    program: Program, whole: Condition, put: Callable[[Condition], Condition]
) -> Iterator[Altered]:
    """One test of the author's: turned round, an end of it moved, a value left out. Both texts say the same of the two
    conditions: where the author's words say the negation of what is resolved, so does what it became."""
    words = words_for(program, whole)
    span = next(tests_of(whole)).span

    def became(other: Condition) -> Altered:
        if isinstance(whole, InRange | OneOf | AtLeast) and not words.turned:
            said = _in_its_words(program, whole, words.text, other)
        else:
            said = text_of(program, _plainly(negate(other) if words.turned else other))
        return Altered(put(other), f"`{words.text}` became `{said}`", span)

    turned = opposite(program, negate(whole) if words.turned else whole)
    yield Altered(put(negate(whole)), f"`{words.text}` became `{turned}`", span)
    for test, place in _places(whole):
        for other in map(place, _neighbours(program, test)):
            if _says_something(program, other):
                yield became(other)
        for other, value in _smaller_sets(program, test):
            yield Altered(put(place(other)), f"`{value}` was dropped from `{words.text}`", span)
    match whole:
        case All(operands) | Either(operands):
            join = both if isinstance(whole, All) else either
            for index, operand in enumerate(operands):
                rest = join(*operands[:index], *operands[index + 1 :])
                if isinstance(operand, Has):
                    yield Altered(put(rest), f"`{operand.name}` was dropped from `{words.text}`", span)
                else:
                    yield became(rest)
        case _:
            return


def _places(whole: Condition) -> Iterator[tuple[Test, Callable[[Condition], Condition]]]:
    """Every test of it, with what puts another condition in its place."""
    match whole:
        case Const():
            return
        case Not(operand):
            yield from ((t, _negated(place)) for t, place in _places(operand))
        case All(operands) | Either(operands):
            join = both if isinstance(whole, All) else either
            for index, operand in enumerate(operands):
                put = _between(lambda c: c, join, operands[:index], operands[index + 1 :])
                yield from ((t, _after(place, put)) for t, place in _places(operand))
        case _:
            yield whole, lambda c: c


def _says_something(program: Program, condition: Condition) -> bool:
    """Not two ends of a level that have passed each other."""
    levels = {t.level for t in tests_of(condition) if isinstance(t, AtLeast)}
    if not levels:
        return True
    ranks = range(len(program.level(levels.pop()).values))
    return any(holds_at(condition, x) for x in ranks)


def _negated(place: Callable[[Condition], Condition]) -> Callable[[Condition], Condition]:
    return lambda c: negate(place(c))


def _after(
    place: Callable[[Condition], Condition], put: Callable[[Condition], Condition]
) -> Callable[[Condition], Condition]:
    return lambda c: put(place(c))


def _plainly(condition: Condition) -> Condition:
    """Without places, so that nobody takes the author's words for what it was for what it became."""
    match condition:
        case Const():
            return condition
        case Not(operand):
            return negate(_plainly(operand))
        case All(operands):
            return both(*map(_plainly, operands))
        case Either(operands):
            return either(*map(_plainly, operands))
        case _:
            return replace(condition, span=None)


def _dropped(program: Program, part: Condition, condition: Condition) -> Altered:
    span = next((t.span for t in tests_of(part)), None)
    return Altered(condition, f"`{text_of(program, part)}` was dropped", span)


def _in_its_words(program: Program, test: Test, was: str, other: Condition) -> str:
    """`> 64001` next to `> 64k`, although `>= 64002` says the same."""
    if other == TRUE:
        return _always(program, test)
    if isinstance(test, InRange) and isinstance(other, InRange):
        domain = program.feature(test.feature).domain
        unit = domain.unit if isinstance(domain, NumberDomain) else "count"
        if " > " in was and other.low == test.low + 1 and other.high == test.high:
            return f"{test.feature} > {value_text(test.low, unit=unit)}"
        if " < " in was and other.high == test.high - 1 and other.low == test.low:
            return f"{test.feature} < {value_text(test.high, unit=unit)}"
    return text_of(program, _plainly(other))


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
    """Of ordered words: an end of them moved by one; of a single word between others, the words next to it."""
    domain = program.feature(test.feature).domain
    if not isinstance(domain, EnumDomain) or not domain.ordered:
        return
    inside = [i for i, v in enumerate(domain.values) if v in test.values]
    low, high, top = inside[0], inside[-1], len(domain.values) - 1
    if len(inside) < high - low + 1:
        return
    ends: list[tuple[int, int]] = []
    if 0 < low == high < top:
        ends = [(low - 1, low - 1), (low + 1, low + 1)]
    else:
        ends += [(low - 1, high), (low + 1, high)] if low > 0 else []
        ends += [(low, high - 1), (low, high + 1)] if high < top else []
    for first, last in ends:
        if first <= last and (first, last) != (0, top):
            yield replace(test, values=frozenset(domain.values[first : last + 1]))


def _smaller_sets(program: Program, test: Test) -> Iterator[tuple[Condition, str]]:
    """The set without each of its values; ordered words without a gap have an end that moves instead."""
    if isinstance(test, OneOf) and len(test.values) > 1 and not any(_value_sets(program, test)):
        for value in sorted(test.values):
            yield replace(test, values=test.values - {value}), value
