"""Levels opened: what a level is at least, as a condition on what it is computed from."""

from policyd.policy.condition import Condition, OneOf, both, either, negate
from policyd.policy.program import Classify

__all__ = ["level_condition"]


def level_condition(level: Classify, rank: int) -> Condition:
    """`level >= rank` as a condition on what the level is computed from."""
    ways: list[Condition] = []
    lower: list[Condition] = []
    for start in level.starts:
        if start.rank >= rank:
            ways.append(both(*(negate(c) for c in lower), start.when))
        else:
            lower.append(start.when)
    for raise_ in level.raises:
        if isinstance(raise_.to, str):
            ways.append(both(raise_.when, OneOf(raise_.to, frozenset(level.values[rank:]))))
        elif raise_.to >= rank:
            ways.append(raise_.when)
    return either(*ways)
