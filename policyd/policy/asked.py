"""Which findings a policy asks for, wherever it does: in levels, guards, denies, routes and redactions.

In comes a program; out come the names and where they stand. What a name means, and whether anything finds it, is asked elsewhere.
Tests and assertions are left out: nothing is decided by them.
"""

from collections.abc import Iterator
from typing import Final

from policyd.policy.condition import Condition, Has, tests_of
from policyd.policy.program import Program
from policyd.text.source import Span

__all__ = ["asked_findings"]

_HELD: Final = frozenset({"findings", "unredactable"})
"""The features that hold names of findings."""


def asked_findings(program: Program) -> Iterator[tuple[str, Span | None]]:
    """A name as often as it is asked for."""
    for condition in _conditions(program):
        for test in tests_of(condition):
            if isinstance(test, Has) and test.feature in _HELD:
                yield test.name, test.span
    for target in program.targets:
        if target.redaction is not None:
            yield from ((name, target.span) for name in target.redaction.names)


def _conditions(program: Program) -> Iterator[Condition]:
    for level in program.levels:
        yield from (start.when for start in level.starts)
        yield from (raised.when for raised in level.raises)
    for rules in (program.guards, program.denies, program.routes):
        yield from (rule.condition for rule in rules)
