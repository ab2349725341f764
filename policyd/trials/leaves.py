"""The tests within a condition, each with where it alone decides.

In comes a resolved condition; out comes every one-feature test of it, in written order, with the condition under which
the whole turns with it: beside it everything that is joined by `and` holds, and nothing that is joined by `or`. A range
with two ends inside its domain is two tests, one for each threshold. Levels are not opened.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from policyd.policy.condition import (
    All,
    AtLeast,
    Condition,
    Const,
    Either,
    InRange,
    Not,
    Test,
    both,
    either,
    negate,
)
from policyd.policy.program import NumberDomain, Program
from policyd.trials.words import is_written, slices, text_of, words_for

__all__ = ["Leaf", "leaves_of"]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One test where it stands. INVARIANT: where `alone` holds, the condition it was taken from holds for one outcome of
    the test and not for the other. `said` is the test in words, in backticks, or its negation where it is `turned`."""

    test: Test
    alone: Condition
    said: str
    turned: bool = False


@dataclass(frozen=True, slots=True)
class _Whole:
    """The written test that a part is one of. `turned`: its words say its negation, so that each part is said so, too."""

    text: str
    turned: bool

    def leaf(self, program: Program, test: Test, alone: Condition, *, under_not: bool) -> Leaf:
        turned = self.turned != under_not
        bare = replace(test, span=None)
        said = text_of(program, negate(bare) if turned else bare)
        of = f" of `{self.text}`" if isinstance(test, InRange | AtLeast) else ""
        return Leaf(test, alone, f"`{said}`{of}", turned)


def leaves_of(program: Program, condition: Condition) -> Iterator[Leaf]:
    """Every test, in written order."""
    return _walk(program, condition, ())


def _walk(
    program: Program,
    condition: Condition,
    beside: tuple[Condition, ...],
    whole: _Whole | None = None,
    *,
    under_not: bool = False,
) -> Iterator[Leaf]:
    """`whole`: the written test that this is a part of, and `under_not` whether it is negated within."""
    match condition:
        case Const():
            return
        case Not(operand):
            yield from _walk(program, operand, beside, whole, under_not=not under_not)
        case All(operands) | Either(operands):
            anded = isinstance(condition, All)
            for first, past in slices(operands):
                group = whole
                if group is None and past - first > 1:
                    group = _whole(program, (both if anded else either)(*operands[first:past]))
                for index in range(first, past):
                    others = _others(operands, index)
                    near = others if anded else tuple(negate(c) for c in others)
                    inner = group
                    if (
                        inner is None
                        and isinstance(operands[index], All | Either)
                        and is_written(operands[index])
                    ):
                        inner = _whole(program, operands[index])
                    yield from _walk(
                        program,
                        operands[index],
                        (*beside, *near),
                        inner,
                        under_not=under_not and whole is not None,
                    )
        case InRange() if len(ends := _ends(program, condition)) > 1:
            group = whole or _whole(program, condition)
            for index, end in enumerate(ends):
                alone = both(*beside, *_others(ends, index))
                yield group.leaf(program, end, alone, under_not=under_not and whole is not None)
        case _ if whole is not None:
            yield whole.leaf(program, condition, both(*beside), under_not=under_not)
        case _:
            words = words_for(program, condition)
            yield Leaf(condition, both(*beside), f"`{words.text}`", words.turned)


def _whole(program: Program, condition: Condition) -> _Whole:
    words = words_for(program, condition)
    return _Whole(words.text, words.turned)


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
