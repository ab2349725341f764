"""A program as it is where one feature has one value.

In comes a program, a feature and a value of its domain; out goes the program in which every test of the feature is
decided. It decides every request that has the value as the first one does, and never looks at the feature again (a split
may still hash it). What two values of a feature decide otherwise is then a comparison of two programs.
"""

from dataclasses import replace
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
    both,
    either,
    negate,
)
from policyd.policy.evaluate import holds
from policyd.policy.program import Classify, Program, Raise, Value
from policyd.policy.request import Request

__all__ = ["specialise"]


def specialise(program: Program, feature: str, value: Value) -> Program:
    """The program with `feature` at `value`. Names, order and spans stay; a raise to a label becomes one to its rank."""
    request = Request({feature: value})

    def at(condition: Condition) -> Condition:
        match condition:
            case Const() | AtLeast():
                return condition
            case Not(operand):
                return negate(at(operand))
            case All(operands):
                return both(*map(at, operands))
            case Either(operands):
                return either(*map(at, operands))
            case InRange() | OneOf() | Prefix() | Has() | Flag():
                if condition.feature != feature:
                    return condition
                return Const(holds(program, condition, request))
            case _:
                assert_never(condition)

    def level(classify: Classify) -> Classify:
        return replace(
            classify,
            starts=tuple(replace(s, when=at(s.when)) for s in classify.starts),
            raises=tuple(replace(r, to=rank(classify, r), when=at(r.when)) for r in classify.raises),
        )

    def rank(classify: Classify, raised: Raise) -> int | str:
        return classify.values.index(str(value)) if raised.to == feature else raised.to

    return replace(
        program,
        levels=tuple(map(level, program.levels)),
        guards=tuple(replace(g, condition=at(g.condition)) for g in program.guards),
        denies=tuple(replace(d, condition=at(d.condition)) for d in program.denies),
        routes=tuple(replace(r, condition=at(r.condition)) for r in program.routes),
        assertions=tuple(replace(a, condition=at(a.condition)) for a in program.assertions),
        exceptions=tuple(replace(e, when=at(e.when)) for e in program.exceptions),
        inclusions=tuple(replace(i, scope=at(i.scope)) for i in program.inclusions),
        blinded=tuple(replace(b, whole=at(b.whole), left=at(b.left)) for b in program.blinded),
    )
