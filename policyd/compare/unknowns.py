"""What it changes that unknown means another value: the old policy at its old value, compared with the new one at its new.

In come two policies and a feature of both, each with a value for unknown; out come the kind of the change and what shows it.
"""

from dataclasses import replace
from typing import Final

from policyd.compare.asking import asking
from policyd.compare.declared import DeclaredKind
from policyd.policy.program import Feature, Program, Value
from policyd.policy.request import unknown_value
from policyd.policy.specialise import specialise
from policyd.policy.written import given_text
from policyd.proofs.changes import Changes, Shown, changes, show, show_loosened
from policyd.proofs.find import Budget, OutOfBudget
from policyd.proofs.kinds import Kind
from policyd.proofs.together import Together, put_together

__all__ = ["unknown_turn"]

_OPEN: Final = "whether that is looser is not proved"


def unknown_turn(
    old: Program, new: Program, before: Feature, after: Feature, *, budget: Budget | None = None
) -> tuple[DeclaredKind, str]:
    """The kind, and what happens to a request of which the feature is not known."""
    was, now = unknown_value(before), unknown_value(after)
    assert was is not None and now is not None, "INVARIANT: neither is `reject`"
    try:
        return _compared(old, new, before.name, (was, now), after, budget)
    except OutOfBudget:
        return DeclaredKind.NOT_PROVED, _OPEN


def _compared(
    old: Program, new: Program, name: str, values: tuple[Value, Value], after: Feature, budget: Budget | None
) -> tuple[DeclaredKind, str]:
    # The value is settled, so what the domain lets in is another question.
    same_domain = tuple(after if f.name == name else f for f in old.features)
    together = put_together(
        replace(specialise(old, name, values[0]), features=same_domain),
        specialise(new, name, values[1]),
        budget,
    )
    if not isinstance(together, Together):
        return DeclaredKind.NOT_PROVED, _OPEN
    return _told(together, changes(together))


def _told(together: Together, found: Changes) -> tuple[DeclaredKind, str]:
    worst = found.pairs[0] if found.pairs else None
    if worst is not None and worst.kind is Kind.LOOSER:
        shown = show(together, worst)
    elif found.loosened:
        shown = show_loosened(together, found.loosened[0])
    elif found.unfinished:
        return DeclaredKind.NOT_PROVED, _OPEN
    elif worst is None:
        return DeclaredKind.WORDING, "every request without it is decided alike"
    else:
        kind = DeclaredKind.TIGHTER if worst.kind is Kind.TIGHTER else DeclaredKind.CHANGED
        example = _line(together, show(together, worst))
        return kind, f"{worst.kind.words} for a request without it, such as `{example}`"
    return (
        DeclaredKind.LOOSER,
        f"looser for a request without it, such as `{_line(together, shown)}`",
    )


def _line(together: Together, shown: Shown) -> str:
    return given_text(asking(together, shown).given) or "the quiet request"
