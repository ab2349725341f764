"""Variants of targets: what a target is on a route that redacts, and back to the plain target for whoever sends or reads.

`route chat to claude with redact(secret)` leads to a target of its own, `claude with redact(secret)`: it states what
`claude` states and, besides, what is taken out on the way to it (`redacts`). So guards, assertions and every proof speak
of redaction without a word of their own, and no target is reached with a redaction that nobody wrote.

In come targets, redactions and decisions; out go variants, and decisions that name plain targets. Nothing is redacted
here, and what guards see of a redacted request stands in `redacted.py`.
"""

from collections.abc import Iterable, Mapping

from policyd.policy.decision import Candidates, Decision, Plan, Reject, Removal
from policyd.policy.program import Program, Redaction, Target

__all__ = [
    "covers",
    "plain_decision",
    "plain_name",
    "plain_plan",
    "redacting",
    "redaction_text",
    "variant_of",
]


def redaction_text(redaction: Redaction) -> str:
    """As it is written in a route, in its one order."""
    names = ", ".join(redaction.names)
    restored = " restored" if redaction.restored else ""
    return f"redact({names}){restored}{' after redaction' if redaction.after else ''}"


def covers(redaction: Redaction, name: str) -> bool:
    """Whether every finding of this name is taken out: it is one of the names, or below one."""
    return any(name == own or name.startswith(own + ".") for own in redaction.names)


def variant_of(target: Target, redaction: Redaction) -> Target:
    """The target as a route with this redaction reaches it. No policy can declare such a name: it has spaces."""
    facts = (*(f for f in target.facts if f[0] != "redacts"), ("redacts", frozenset(redaction.names)))
    name = f"{target.name} with {redaction_text(redaction)}"
    return Target(name, facts, target.span, target.name, redaction)


def redacting(program: Program) -> Mapping[str, Target]:
    """Every variant by its name. Made once where many decisions are read."""
    return {t.name: t for t in program.targets if t.of is not None}


def plain_name(program: Program, name: str) -> str:
    """The target that a variant is of, and any other target itself."""
    found = redacting(program).get(name)
    return name if found is None else found.plain


def plain_plan(
    plan: Plan, program: Program, variants: Mapping[str, Target] | None = None
) -> tuple[Plan, Redaction | None]:
    """The plan by the names of plain targets, and what is taken out of the request on its way to every one of them.

    `variants` is `redacting(program)`, from whoever keeps it. INVARIANT: a route redacts for all of its targets alike.
    """
    known = redacting(program) if variants is None else variants
    found = known.get(plan.targets[0]) if known else None
    removed = _plain_removals(plan.removed, known) if known else plan.removed
    if found is None:
        return (plan if removed == plan.removed else _with(plan, plan.groups, removed)), None
    groups = tuple(Candidates(g.pick, tuple(_plain(t, known) for t in g.targets)) for g in plan.groups)
    return _with(plan, groups, removed), found.redaction


def plain_decision(
    decision: Decision, program: Program, variants: Mapping[str, Target] | None = None
) -> tuple[Decision, Redaction | None]:
    """The same for any decision. What several routes lost of one target, plain and redacted, is told as one removal."""
    if isinstance(decision, Plan):
        return plain_plan(decision, program, variants)
    known = redacting(program) if variants is None else variants
    if not known:
        return decision, None
    removed = _plain_removals(decision.removed, known)
    return Reject(decision.by, decision.reasons, decision.status, removed, decision.passed_over), None


def _with(plan: Plan, groups: tuple[Candidates, ...], removed: tuple[Removal, ...]) -> Plan:
    return Plan(plan.route, groups, removed, plan.passed_over)


def _plain(name: str, variants: Mapping[str, Target]) -> str:
    found = variants.get(name)
    return name if found is None else found.plain


def _plain_removals(removed: Iterable[Removal], variants: Mapping[str, Target]) -> tuple[Removal, ...]:
    guards: dict[str, set[str]] = {}
    for removal in removed:
        guards.setdefault(_plain(removal.target, variants), set()).update(removal.guards)
    return tuple(Removal(target, tuple(sorted(names))) for target, names in guards.items())
