"""Which part of a condition makes it true, or false, for one request.

In come a condition and a request; out come `Reason`s: of a conjunction that fails the conjuncts that fail, of an
alternative that holds the alternatives that hold, each with what the request has there. A level is opened once, so that
it says what raised it. The reference says what holds.
"""

from dataclasses import dataclass

from policyd.explain.explanation import shown_value
from policyd.policy.condition import (
    All,
    AtLeast,
    Condition,
    Const,
    Either,
    Not,
    both,
    either,
    features_of,
    negate,
    tests_of,
)
from policyd.policy.evaluate import holds, level_rank
from policyd.policy.levels import level_condition
from policyd.policy.program import Program
from policyd.policy.request import Request
from policyd.policy.wording import condition_text

__all__ = ["Reason", "deciding_part", "reasons"]


@dataclass(frozen=True, slots=True)
class Reason:
    """A part of a condition, what the request has in the features it reads, and, where it tests a level that holds, why
    the level is that high."""

    text: str
    here: tuple[tuple[str, str], ...]
    since: tuple[str, ...] = ()


def reasons(program: Program, condition: Condition, request: Request) -> tuple[Reason, ...]:
    """Why the condition holds, or why it does not. None for a condition that always does."""
    part = deciding_part(program, condition, request)
    if isinstance(part, Const):
        return ()
    parts = part.operands if isinstance(part, All) else (part,)
    return tuple(_reason(program, p, request) for p in parts)


def deciding_part(program: Program, condition: Condition, request: Request) -> Condition:
    """A part that is as true or as false as the whole, whatever the rest is."""
    match condition:
        case All(operands):
            if holds(program, condition, request):
                return both(*(deciding_part(program, c, request) for c in operands))
            failing = (c for c in operands if not holds(program, c, request))
            return both(*(deciding_part(program, c, request) for c in failing))
        case Either(operands):
            if not holds(program, condition, request):
                return either(*(deciding_part(program, c, request) for c in operands))
            holding = (c for c in operands if holds(program, c, request))
            return either(*(deciding_part(program, c, request) for c in holding))
        case Not(operand):
            return negate(deciding_part(program, operand, request))
        case _:
            return condition


def _reason(program: Program, part: Condition, request: Request) -> Reason:
    levels = {t.level for t in tests_of(part) if isinstance(t, AtLeast)}
    here = [(x.name, x.values[level_rank(program, x, request)]) for x in program.levels if x.name in levels]
    read = features_of(part) - levels
    here += [(f.name, shown_value(f, request.values[f.name])) for f in program.features if f.name in read]
    since = {
        condition_text(program, why): None
        for test in tests_of(part)
        if isinstance(test, AtLeast) and holds(program, test, request)
        if not isinstance(why := _raised_by(program, test, request), Const)
    }
    return Reason(condition_text(program, part), tuple(here), tuple(since))


def _raised_by(program: Program, test: AtLeast, request: Request) -> Condition:
    return deciding_part(program, level_condition(program.level(test.level), test.rank), request)
