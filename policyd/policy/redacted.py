"""What guards see of a request that is decided `after redaction`.

In come written guards over targets and their variants; out come the guards that decide, and what each of them no longer
sees. A guard looks at the request as it came. Only for a variant whose route says `after redaction` it looks at the request
without what is taken out: a test for a name that the redaction covers is false, and every other test is as it was. A name
above a covered one stays: what else stands below it is not taken out. A level that is computed from such findings is opened.
Denies come before any route, and capabilities are not about findings: both look at the request as it came.
"""

from collections.abc import Iterable, Mapping
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
from policyd.policy.program import Blinded, Classify, Guard, Redaction, Target
from policyd.policy.variants import covers

__all__ = ["after_redaction", "seen_after"]

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


def after_redaction(
    guards: Iterable[Guard], targets: Iterable[Target], levels: Iterable[Classify]
) -> tuple[tuple[Guard, ...], tuple[Blinded, ...]]:
    """The guards in order, each followed by what is left of it for variants that it no longer wholly sees."""
    after = {t.name: t.redaction for t in targets if t.redaction is not None and t.redaction.after}
    by_name = {level.name: level for level in levels}
    out: list[Guard] = []
    blinded: list[Blinded] = []
    for guard in guards:
        left: dict[Condition, list[str]] = {}
        for target in (t for t in after if t in guard.hits):
            condition = seen_after(guard.condition, after[target], by_name)
            if condition != guard.condition:
                left.setdefault(condition, []).append(target)
        moved = frozenset(t for names in left.values() for t in names)
        out.append(guard if not moved else _hitting(guard, guard.hits - moved, guard.condition))
        for condition, names in left.items():
            if condition != FALSE:
                out.append(_hitting(guard, frozenset(names), condition))
            blinded.append(Blinded(guard.name, frozenset(names), guard.condition, condition))
    return tuple(out), tuple(blinded)


def _hitting(guard: Guard, hits: frozenset[str], condition: Condition) -> Guard:
    return replace(guard, hits=hits, condition=condition)
