"""A guard's condition as its author wrote it, and the exceptions that it carries, apart from each other.

In come a program and one of its guards; out go the guard's own condition and its exceptions, in the order in which they were
folded in (see `policy.excepted`). One that folding dropped is not among them.
"""

from policyd.policy.condition import Condition
from policyd.policy.excepted import excepted, without_exception
from policyd.policy.program import ExceptionClause, Guard, Program

__all__ = ["peeled"]


def peeled(program: Program, guard: Guard) -> tuple[Condition, tuple[ExceptionClause, ...]]:
    """INVARIANT: `excepted` puts them together again."""
    own = guard.condition
    found: list[ExceptionClause] = []
    for exception in reversed(program.exceptions):
        if exception.guard == guard.name:
            without = without_exception(own, exception)
            if without != own:
                own = without
                found.insert(0, exception)
    assert excepted(own, found) == guard.condition, (
        "INVARIANT: exceptions are the last conjuncts of their guard"
    )
    return own, tuple(found)
