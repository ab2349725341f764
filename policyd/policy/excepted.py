"""Exceptions inside the conditions of guards: how they are folded in, and how one is taken out again.

A guard that is excepted from carries it: `when and not (exception and date <= until)`. Whoever asks what an exception does
needs the guard without it. Both directions stand here, so that they cannot drift apart.
"""

from collections.abc import Iterable

from policyd.policy.builtins import DATES
from policyd.policy.condition import All, Condition, InRange, both, negate
from policyd.policy.program import ExceptionClause

__all__ = ["applies", "excepted", "without_exception"]


def applies(exception: ExceptionClause) -> Condition:
    """Where and while the exception undoes its guard."""
    return both(exception.when, InRange("date", DATES.low, exception.until, exception.span))


def excepted(condition: Condition, exceptions: Iterable[ExceptionClause]) -> Condition:
    """A guard's condition with these exceptions to it."""
    for exception in exceptions:
        condition = both(condition, negate(applies(exception)))
    return condition


def without_exception(condition: Condition, exception: ExceptionClause) -> Condition:
    """The condition of a guard as it would be without this one of its exceptions.

    INVARIANT: exceptions are the last conjuncts of their guard (see `excepted`), so of equal ones the last is it. One that
    folding dropped, because it never applies or the guard never does, changes nothing."""
    parts = condition.operands if isinstance(condition, All) else (condition,)
    folded = negate(applies(exception))
    for at in range(len(parts) - 1, -1, -1):
        if parts[at] == folded:
            return both(*parts[:at], *parts[at + 1 :])
    return condition
