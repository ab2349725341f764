"""Variants of targets: what a target is on a route that redacts, and back to the plain target for whoever sends or reads.

`route chat to claude with redact(secret)` leads to a target of its own, `claude with redact(secret)`: it states what
`claude` states and, besides, what is taken out on the way to it (`redacts`). So guards, assertions and every proof speak
of redaction without a word of their own, and no target is reached with a redaction that nobody wrote.

In come targets, redactions and decisions; out go variants, and decisions that name plain targets. Nothing is redacted
here, and what guards see of a redacted request stands in `redacted.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from policyd.policy.decision import Candidates, Plan, Reject, Removal
from policyd.policy.program import Program, Redaction, Target

__all__ = [
    "covers", "plain_decision", "plain_name", "plain_plan", "redacting", "redaction_of", "redaction_text", "sends_alike",
    "taken_out", "takes_out_more", "variant_of",
]  # fmt: skip

_WITH: Final = " with "
"""Between the target and its redaction in a variant's name. No policy can declare such a name: it has spaces."""
_Decided = TypeVar("_Decided", Plan, Reject, Plan | Reject)


def redaction_text(redaction: Redaction) -> str:
    """As it is written in a route, in its one order."""
    names = ", ".join(redaction.names)
    restored = " restored" if redaction.restored else ""
    return f"redact({names}){restored}{' after redaction' if redaction.after else ''}"


def covers(redaction: Redaction, name: str) -> bool:
    """Whether every finding of this name is taken out: it is one of the names, or below one."""
    return any(name == own or name.startswith(own + ".") for own in redaction.names)


def variant_of(target: Target, redaction: Redaction) -> Target:
    """The target as a route with this redaction reaches it."""
    facts = (*(f for f in target.facts if f[0] != "redacts"), ("redacts", frozenset(redaction.names)))
    name = f"{target.name}{_WITH}{redaction_text(redaction)}"
    return Target(name, facts, target.span, target.name, redaction)


def redacting(program: Program) -> Mapping[str, Target]:
    """Every variant by its name. Made once where many decisions are read."""
    return {t.name: t for t in program.targets if t.of is not None}


def plain_name(name: str) -> str:
    """The target that a variant of this name is of, and any other target itself."""
    return name.partition(_WITH)[0]


def redaction_of(names: Iterable[str]) -> str:
    """What is taken out on the way to these targets of one plan, as written; empty where nothing is."""
    return next((said for name in names if (said := name.partition(_WITH)[2])), "")


def taken_out(names: Iterable[str]) -> tuple[str, ...]:
    """The findings that are taken out on the way to these targets of one plan."""
    return next((taken for name in names if (taken := _taken_out(name))), ())


def takes_out_more(name: str, other: str) -> bool:
    """Whether these are forms of one target, and everything that the other one takes out the first takes out too."""
    if plain_name(name) != plain_name(other):
        return False
    own = _taken_out(name)
    return all(any(n == m or n.startswith(m + ".") for m in own) for n in _taken_out(other))


def sends_alike(name: str, other: str) -> bool:
    """Whether these are one target, or two forms of one that differ in nothing but what is put back into answers: the same
    leaves, decided by the same guards."""
    return _unrestored(name) == _unrestored(other)


def _unrestored(name: str) -> str:
    plain, with_, said = name.partition(_WITH)
    return f"{plain}{with_}{said.replace(') restored', ')')}"


def _taken_out(name: str) -> tuple[str, ...]:
    """The findings that a target of this name redacts."""
    listed = name.partition(f"{_WITH}redact(")[2].partition(")")[0]
    return tuple(listed.split(", ")) if listed else ()


def plain_plan(
    plan: Plan, program: Program, variants: Mapping[str, Target] | None = None
) -> tuple[Plan, Redaction | None]:
    """The plan by the names of plain targets, and what is taken out of the request on its way to every one of them.

    `variants` is `redacting(program)`, from whoever keeps it. INVARIANT: a route redacts for all of its targets alike.
    """
    known = redacting(program) if variants is None else variants
    if not known:
        return plan, None
    found = known.get(plan.targets[0])
    plain = plain_decision(plan)
    assert isinstance(plain, Plan)  # INVARIANT: a plan stays a plan
    return plain, None if found is None else found.redaction


def plain_decision(decision: _Decided) -> _Decided:
    """The decision by the names of plain targets. What several routes lost of one target, as it is and redacted, is told as
    one removal."""
    removed = _plain_removals(decision.removed)
    if isinstance(decision, Reject):
        return replace(decision, removed=removed)
    groups = tuple(Candidates(g.pick, tuple(map(plain_name, g.targets))) for g in decision.groups)
    return replace(decision, groups=groups, removed=removed)


def _plain_removals(removed: Iterable[Removal]) -> tuple[Removal, ...]:
    guards: dict[str, set[str]] = {}
    for removal in removed:
        guards.setdefault(plain_name(removal.target), set()).update(removal.guards)
    return tuple(Removal(target, tuple(sorted(names))) for target, names in guards.items())
