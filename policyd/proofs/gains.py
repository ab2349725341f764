"""What a person is told about a request that gains over its twin.

In: the feature that changes, what the twin meets and the request does not, and the two requests. Out: a finding that
points at the test of the feature, which may stand in the rule or in a `classify` that the rule depends on.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from policyd.policy.condition import AtLeast, Condition, Has, tests_of
from policyd.policy.evaluate import firing_guards
from policyd.policy.program import Deny, Feature, Guard, Program, Provenance
from policyd.policy.request import Request
from policyd.proofs.case import Case
from policyd.proofs.findings import Finding, not_proved
from policyd.proofs.witness import Witness
from policyd.text.diagnostic import Label, Severity
from policyd.text.source import Span

__all__ = ["Loss", "gain_finding", "gets", "lost_and_found", "meets", "ruled_out", "tested_at", "unfinished"]


@dataclass(frozen=True, slots=True)
class Loss:
    """Something a twin meets that the request does not: a guard that removes `target`, or a deny (`target` None), by the
    matrix' clause of this number."""

    rule: Guard | Deny
    target: str | None
    clause: int


def ruled_out(case: Case, loss: Loss) -> int:
    """The clauses that a request which gains matches none of: those of denies, of the guards on the target at stake, and of
    what no request is."""
    avoid = case.reach.denied | case.matrix.relations
    return avoid if loss.target is None else avoid | case.matrix.guards_on[loss.target]


def gets(case: Case, loss: Loss, request: Request) -> bool:
    """No deny holds and, where a target is at stake, no guard removes it."""
    if any(case.holds(d.condition, request) for d in case.program.denies):
        return False
    return loss.target is None or loss.target not in firing_guards(case.program, request)


def meets(case: Case, loss: Loss, request: Request) -> bool:
    """The rule denies the request, or removes the target from it."""
    if loss.target is not None:
        return loss.rule.name in firing_guards(case.program, request).get(loss.target, ())
    return case.holds(loss.rule.condition, request)


def gain_finding(
    program: Program, feature: Feature, loss: Loss, pair: tuple[Witness, Witness], *, claimed: bool
) -> Finding:
    """The finding `claimed loosens` or `unknown loosens`. `pair`: who gains, then who does not."""
    tested = next(tested_at(program, loss.rule.condition, feature.name), None)
    labels = []
    if tested is not None and loss.rule.span is not None:
        labels.append(Label(loss.rule.span, "this rule depends on it"))
    if feature.span is not None:
        labels.append(Label(feature.span, "declared here"))
    return Finding(
        "PD303" if claimed else "PD304",
        Severity.WARNING,
        feature.name,
        _message(feature, loss, claimed=claimed),
        tested or loss.rule.span or feature.span,
        _claimed_help(feature) if claimed else _unknown_help(feature, loss),
        tuple(labels),
        *pair,
        lost_and_found(loss),
    )


def unfinished(feature: Feature, loss: Loss, *, claimed: bool) -> Finding:
    """The question whether the feature gets around the rule is not proved."""
    what = "a claimed" if claimed else "an unknown"
    question = f"whether {what} `{feature.name}` gets around `{loss.rule.name}`"
    return not_proved(feature.name, question, loss.rule.span, "simplify the conditions of the rule")


def tested_at(
    program: Program, condition: Condition, feature: str, name: str | None = None
) -> Iterator[Span]:
    """Where the condition, or a level that it asks for, tests the feature; for a names feature only this name."""
    for test in tests_of(condition):
        if not isinstance(test, AtLeast):
            named = name is None or (isinstance(test, Has) and test.name == name)
            if test.feature == feature and named and test.span is not None:
                yield test.span
            continue
        level = program.level(test.level)
        for when in (*(s.when for s in level.starts), *(r.when for r in level.raises)):
            yield from tested_at(program, when, feature, name)
        yield from (r.span for r in level.raises if r.to == feature and r.span is not None)


def _message(feature: Feature, loss: Loss, *, claimed: bool) -> str:
    if claimed:
        who, other = f"a value that the caller claims for `{feature.name}`", "a request without it"
    elif feature.provenance is Provenance.CLAIMED:
        who, other = f"a request that leaves out `{feature.name}`", "some value of it"
    else:
        who, other = f"an unknown `{feature.name}`", "some value of it"
    if loss.target is None:
        return f"{who} lifts the rejection `{loss.rule.name}`, which {other} meets"
    return f"{who} allows `{loss.target}`, which {other} does not get"


def _claimed_help(feature: Feature) -> str:
    return f"let a claim only tighten: turn this test of `{feature.name}` around, or read it from identity"


def _unknown_help(feature: Feature, loss: Loss) -> str:
    if feature.where.kind in {"builtin", "ledger", "conversation"}:
        return f"turn this test of `{feature.name}` around: what is unknown counts as the most there is"
    if feature.provenance is Provenance.CLAIMED:
        return f"read `{feature.name}` from identity, or let `unknown` be the value that `{loss.rule.name}` treats most strictly"
    return f"declare `{feature.name}` with `unknown reject`, or with the value that `{loss.rule.name}` treats most strictly"


def lost_and_found(loss: Loss) -> tuple[str, str]:
    """What the request gets and its twin does not, in words."""
    if loss.target is None:
        return "no deny rejects it", f"`{loss.rule.name}` rejects it"
    return f"the guards allow `{loss.target}`", f"`{loss.rule.name}` removes `{loss.target}`"
