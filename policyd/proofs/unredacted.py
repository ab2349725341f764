"""Requests that a route cannot redact and that a later route sends to a cloud as they came.

A route that redacts is no route for a request from which something cannot be taken out: the next ones are tried, and one of
them may lead to a cloud without any redaction. That is decided by its condition and by guards, as ever; but who writes `with
redact(…)` above it mostly means that such things do not leave. In comes a case; out comes a warning for each such route, with the
smallest request that goes out so.
"""

from policyd.engine.boxes import TooManyBoxes
from policyd.policy.condition import Has
from policyd.policy.decision import Plan
from policyd.policy.evaluate import evaluate
from policyd.policy.program import Redaction, Route, Target
from policyd.policy.request import Request
from policyd.policy.variants import covers, plain_name, redaction_text
from policyd.proofs.case import Case
from policyd.proofs.dead import named
from policyd.proofs.find import Cell, Found, OutOfBudget
from policyd.proofs.findings import Finding, not_proved
from policyd.proofs.reach import Question
from policyd.proofs.redactions import redaction_of_route
from policyd.text.diagnostic import Label, Severity

__all__ = ["unredacted_elsewhere"]


def unredacted_elsewhere(case: Case) -> tuple[Finding, ...]:
    """At most one for each route that redacts, about the first route that sends on what it leaves."""
    out: list[Finding] = []
    for index, route in enumerate(case.program.routes):
        redaction = redaction_of_route(case, route)
        if redaction is None:
            continue
        try:
            found = _elsewhere(case, index, redaction)
        except (OutOfBudget, TooManyBoxes):
            question = f"whether what route `{route.name}` cannot redact goes out elsewhere"
            out.append(not_proved(route.name, question, route.span))
            continue
        if found is not None:
            out.append(_finding(case, route, redaction, *found))
    return tuple(out)


def _elsewhere(case: Case, index: int, redaction: Redaction) -> tuple[Route, str, str, Cell] | None:
    """The route, its target, the name that is not taken out, and a request."""
    routes, by_name = case.program.routes, {t.name: t for t in case.program.targets}
    for later in range(index + 1, len(routes)):
        for name in redaction.names:
            for target in (t for t in routes[later].targets if _plain_outside(by_name[t], name)):
                cell = _sent(case, (index, later), name, target)
                if cell is not None:
                    return routes[later], target, name, cell
    return None


def _plain_outside(target: Target, name: str) -> bool:
    """Whether the target is in a cloud and gets what has this name."""
    return target.fact("location") == "cloud" and (
        target.redaction is None or not covers(target.redaction, name)
    )


def _sent(case: Case, rules: tuple[int, int], name: str, target: str) -> Cell | None:
    """A request that the first route would take if it could redact it, and that the second sends to the target."""
    first, later = rules
    past = case.reach.before(later)
    for box in case.boxes(Has("unredactable", name)):
        for part in case.parts(box, case.matrix.routes[first]):
            for both in case.parts(part, case.matrix.routes[later]):
                answer = case.ask(Question(both, case.reach.denied, (target,), past=past))
                if isinstance(answer, Found):
                    return answer.cell
    return None


def _finding(
    case: Case, route: Route, redaction: Redaction, later: Route, target: str, name: str, cell: Cell
) -> Finding:
    def claim(request: Request) -> bool:
        decision = evaluate(case.program, request)
        return (
            isinstance(decision, Plan)
            and decision.route == later.name
            and target in decision.targets
            and case.holds(route.condition, request)
            and case.holds(Has("unredactable", name), request)
        )

    labels = () if later.span is None else (Label(later.span, "takes them"),)
    return Finding(
        "PD328",
        Severity.WARNING,
        route.name,
        f"requests from which `{route.name}` cannot take {named((name,))} out go to `{plain_name(target)}`"
        f" via `{later.name}` as they came",
        route.span,
        f"write `with {redaction_text(Redaction(redaction.names))}` on `{later.name}`, too, or a guard for what is"
        f' found: `forbid location == cloud and not redacts contains "{name}" when findings contains "{name}"`',
        labels,
        case.witness(cell, claim),
    )
