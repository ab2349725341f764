"""What guards see of a request that is decided `after redaction`.

In come written guards over targets and their variants; out come the guards that decide, and what each of them no longer
sees. A guard looks at the request as it came. Only for a variant whose route says `after redaction` it looks at the request
without what is taken out: a test for a name that the redaction covers is false, and every other test is as it was. A name
above a covered one stays: what else stands below it is not taken out. A level that is computed from such findings is opened.
Denies come before any route, and capabilities are not about findings: both look at the request as it came.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from policyd.policy.condition import (
    FALSE,
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
from policyd.policy.levels import level_condition
from policyd.policy.program import Blinded, Classify, Guard, Program, Redaction
from policyd.policy.request import EVERYTHING
from policyd.policy.variants import covers

__all__ = ["as_written", "left_of", "seeing", "seen_after"]

_FOUND = "findings"


def seen_after(condition: Condition, redaction: Redaction, levels: Mapping[str, Classify]) -> Condition:
    """The condition on the request without what the redaction takes out; the same object's equal where nothing changes."""

    def at(part: Condition) -> Condition:
        match part:
            case Has(feature, name):
                return FALSE if feature == _FOUND and covers(redaction, name) else part
            case Not(operand):
                return negate(at(operand))
            case All(operands):
                return both(*map(at, operands))
            case Either(operands):
                return either(*map(at, operands))
            case AtLeast(level, rank):
                whole = level_condition(levels[level], rank)
                left = at(whole)
                return part if left == whole else left
            case Const() | InRange() | OneOf() | Prefix() | Flag():
                return part
            case _:
                assert_never(part)

    return at(condition)


def left_of(findings: frozenset[str], redaction: Redaction) -> frozenset[str]:
    """The findings of a request without what the redaction takes out; unknown ones stay unknown."""
    if findings is EVERYTHING:
        return findings
    return frozenset(name for name in findings if not covers(redaction, name))


def seeing(program: Program) -> Program:
    """The program whose guards see only what they are to see. In come guards as they are written, each once."""
    after = {t.name: t.redaction for t in program.targets if t.redaction is not None and t.redaction.after}
    if not after:
        return program
    levels = {level.name: level for level in program.levels}
    guards: list[Guard] = []
    blinded: list[Blinded] = []
    for guard in program.guards:
        left = {} if guard.builtin else _left(guard, after, levels)
        moved = frozenset(t for names in left.values() for t in names)
        guards.append(replace(guard, hits=guard.hits - moved) if moved else guard)
        for condition, names in left.items():
            if condition != FALSE:
                guards.append(replace(guard, hits=frozenset(names), condition=condition, after=True))
            blinded.append(Blinded(guard.name, frozenset(names), guard.condition, condition))
    return replace(program, guards=tuple(guards), blinded=tuple(blinded))


def as_written(program: Program) -> Program:
    """The program before that: every guard once, with everything that it hits. To change a rule and see again."""
    if not program.blinded:
        return program
    hits: dict[str, frozenset[str]] = {}
    for one in program.blinded:
        hits[one.guard] = hits.get(one.guard, frozenset()) | one.targets
    guards = (
        g if g.builtin or g.name not in hits else replace(g, hits=g.hits | hits[g.name])
        for g in program.guards
        if not g.after
    )
    return replace(program, guards=tuple(guards), blinded=())


def _left(
    guard: Guard, after: Mapping[str, Redaction], levels: Mapping[str, Classify]
) -> dict[Condition, list[str]]:
    """The variants for which less is seen, by what is left of the guard's condition."""
    found: dict[Condition, list[str]] = {}
    for target in (t for t in after if t in guard.hits):
        condition = seen_after(guard.condition, after[target], levels)
        if condition != guard.condition:
            found.setdefault(condition, []).append(target)
    return found
