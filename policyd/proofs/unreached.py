"""Targets that no request can reach: no plan has them among its candidates.

A target is reached where one of its variants is. Either no route names the target, or guards and denies always rule it
out, or its routes decide only where they have lost it. Where it could be reached a single request shows it, so for most policies this asks one question per target.
"""

from policyd.policy.program import Target
from policyd.proofs.case import Case
from policyd.proofs.dead import named, owners
from policyd.proofs.find import Found, OutOfBudget
from policyd.proofs.findings import Finding, not_proved
from policyd.proofs.reach import Question
from policyd.text.diagnostic import Label, Severity
from policyd.text.source import Span

__all__ = ["unreached_targets"]

_SHOWN = 3
"""Places that a finding points to."""


def unreached_targets(case: Case) -> tuple[Finding, ...]:
    """One warning per target that is no candidate of any plan."""
    out: list[Finding] = []
    by_name = {t.name: t for t in case.program.targets}
    for target in case.program.declared:
        forms = [name for name, form in by_name.items() if form.plain == target.name]
        try:
            finding = _unreached(case, target, forms)
        except OutOfBudget:
            question = f"whether any request reaches target `{target.name}`"
            finding = not_proved(target.name, question, target.span)
        if finding is not None:
            out.append(finding)
    return tuple(out)


def _unreached(case: Case, target: Target, forms: list[str]) -> Finding | None:
    """`forms`: the target and its variants."""
    side = case.reach.side
    routes = [i for i, targets in enumerate(side.targets) if any(form in targets for form in forms)]
    if not routes:
        return _finding(target, "no route names it", "name it in a route, or remove it")
    led = [form for form in forms if any(form in side.targets[i] for i in routes)]
    ever, ruling_all = False, 0
    for form in led:
        answer = case.ask(Question({}, case.reach.denied, (form,)))
        ever = ever or isinstance(answer, Found)
        ruling_all |= 0 if isinstance(answer, Found) else answer.clauses
    if not ever:
        rules = _rules(case, ruling_all)
        why = f"{named([n for n, _ in rules])} always rule{'s' if len(rules) == 1 else ''} it out"
        return _finding(target, why, "narrow what rules it out, or remove it", rules, "rules it out")
    cover = 0
    for route in routes:
        past = case.reach.before(route)
        for part in case.parts({}, case.matrix.routes[route]):
            for form in (f for f in led if f in side.targets[route]):
                answer = case.ask(Question(part, case.reach.denied, (form,), past=past))
                if isinstance(answer, Found):
                    return None
                cover |= answer.clauses
    mine = [(case.program.routes[i].name, case.program.routes[i].span) for i in routes]
    before = [case.program.routes[i].name for i in owners(case, cover, "route")]
    ruling = [n for n, _ in _rules(case, cover)]
    causes = [
        *([f"{named(before)} decide{'s' if len(before) == 1 else ''} first"] if before else []),
        *([f"{named(ruling)} rule{'s' if len(ruling) == 1 else ''} it out"] if ruling else []),
    ]
    why = f"where {named([n for n, _ in mine])} could lead to it, {' or '.join(causes) or 'no request is'}"
    return _finding(target, why, "move its route up, or narrow what stands in its way", mine, "leads to it")


def _rules(case: Case, clauses: int) -> list[tuple[str, Span | None]]:
    """The denies and guards that own the clauses, capabilities once."""
    found = {(d := case.program.denies[i]).name: d.span for i in owners(case, clauses, "deny")}
    found |= {(g := case.program.guards[i]).name: g.span for i in owners(case, clauses, "guard")}
    return list(found.items())


def _finding(
    target: Target,
    why: str,
    help_: str,
    places: list[tuple[str, Span | None]] | None = None,
    text: str = "",
) -> Finding:
    labels = [Label(span, text) for _, span in places or () if span is not None]
    message = f"no request reaches target `{target.name}`: {why}"
    return Finding(
        "PD318", Severity.WARNING, target.name, message, target.span, help_, tuple(labels[:_SHOWN])
    )
