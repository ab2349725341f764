"""Which requests cannot reach a target because they cannot be translated for it.

A target that `translates` an endpoint takes of its requests only those that can be said in what it speaks without loss. One
note for each such target, with a request that a route would send there and that goes elsewhere or is rejected; where no
route could lead such a request to the target, there is nothing to say.
"""

from policyd.policy.builtins import TRANSLATED
from policyd.policy.condition import All, Condition, Flag, OneOf
from policyd.policy.decision import Plan
from policyd.policy.evaluate import evaluate
from policyd.policy.program import Target
from policyd.policy.request import Request
from policyd.proofs.case import Case
from policyd.proofs.find import Cell, Found, OutOfBudget
from policyd.proofs.findings import Finding, not_proved
from policyd.proofs.reach import Question
from policyd.text.diagnostic import Label, Severity

__all__ = ["untranslated"]


def untranslated(case: Case) -> tuple[Finding, ...]:
    """At most one note for each target."""
    out: list[Finding] = []
    for target in case.program.targets:
        words = target.fact("translates")
        if not isinstance(words, frozenset):
            continue
        endpoints = tuple(word for word in TRANSLATED if word in words)
        condition = All((OneOf("endpoint", frozenset(endpoints)), Flag("untranslatable")))
        try:
            found = _kept_away(case, target, condition)
        except OutOfBudget:
            out.append(not_proved(target.name, f"what cannot be translated for `{target.name}`", target.span))
            continue
        if found is not None:
            out.append(_finding(case, target, endpoints, condition, *found))
    return tuple(out)


def _kept_away(case: Case, target: Target, condition: Condition) -> tuple[int, Cell] | None:
    """A route that names the target and a request that comes to it."""
    boxes = case.boxes(condition)
    for route in case.routes_to(target.name):
        past = case.reach.before(route)
        for box in boxes:
            for part in case.parts(box, case.matrix.routes[route]):
                answer = case.ask(Question(part, case.reach.denied, past=past))
                if isinstance(answer, Found):
                    return route, answer.cell
    return None


def _finding(
    case: Case, target: Target, endpoints: tuple[str, ...], condition: Condition, route: int, cell: Cell
) -> Finding:
    def claim(request: Request) -> bool:
        decision = evaluate(case.program, request)
        reached = isinstance(decision, Plan) and target.name in decision.targets
        return not reached and case.holds(condition, request)

    said = " or ".join(f"`{word}`" for word in endpoints)
    into = " or ".join(f"`{word}`" for word in dict.fromkeys(TRANSLATED[e] for e in endpoints))
    named = case.program.routes[route]
    labels = () if named.span is None else (Label(named.span, f"`{named.name}` names it"),)
    return Finding(
        "PD324",
        Severity.NOTE,
        target.name,
        f"a {said} request that cannot be said in {into} without loss cannot reach `{target.name}`",
        target.span,
        f"leave it so, or name a target beside it that speaks {said}",
        labels,
        case.witness(cell, claim),
    )
