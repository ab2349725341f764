"""Assertions: what an author claims, over every possible request and every candidate of every plan.

`never P when C` is broken by a request of C whose plan has a candidate that P names, be it the last fallback or one
member of a group. `never rejected when C` is broken by a deny or by reaching `otherwise`. `claimed never loosens` is
the absence of the finding of that name.
"""

from policyd.policy.decision import Plan, Reject
from policyd.policy.evaluate import evaluate
from policyd.policy.program import Assertion
from policyd.policy.request import Request
from policyd.proofs.case import Case
from policyd.proofs.find import Found, OutOfBudget
from policyd.proofs.findings import Finding, not_proved
from policyd.proofs.loosens import claimed_loosens
from policyd.proofs.reach import Question
from policyd.proofs.witness import Witness
from policyd.text.diagnostic import Label, Severity

__all__ = ["check_assertion", "counterexample", "vacuous"]


def check_assertion(case: Case, assertion: Assertion) -> Finding | None:
    """None where the assertion is proved; else what breaks it, or that it is not proved."""
    try:
        if assertion.kind == "claimed never loosens":
            return _loosened(case, assertion)
        witness = counterexample(case, assertion)
    except OutOfBudget:
        return _not_proved(assertion)
    return None if witness is None else _broken(case, assertion, witness)


def vacuous(case: Case, assertion: Assertion) -> Finding | None:
    """A warning where the assertion holds because it says nothing: no request meets its condition, or no target its
    predicate. A mistyped constant is the usual reason."""
    if assertion.kind == "claimed never loosens":
        return None
    speaks = bool(assertion.targets) or assertion.kind == "never rejected"
    met = True
    if speaks:
        try:
            met = any(isinstance(case.ask(Question(box)), Found) for box in case.boxes(assertion.condition))
        except OutOfBudget:
            question = f"whether any request meets the condition of assertion `{assertion.name}`"
            return not_proved(assertion.name, question, assertion.span)
    if speaks and met:
        return None
    every = assertion.text.startswith("always ")
    what = "every target satisfies it anyway" if every else "no target is what it speaks of"
    why = "no request meets its condition" if speaks else what
    return Finding(
        "PD310",
        Severity.WARNING,
        assertion.name,
        f"assertion `{assertion.name}` claims nothing: {why}",
        assertion.span,
        f"correct the claim `{assertion.text}`",
    )


def counterexample(case: Case, assertion: Assertion) -> Witness | None:
    """A request that breaks a `never` or a `never rejected`, or None: there is none."""
    if assertion.kind == "never rejected":
        return _rejected(case, assertion)
    return _reached(case, assertion)


def _reached(case: Case, assertion: Assertion) -> Witness | None:
    def claim(request: Request) -> bool:
        decision = evaluate(case.program, request)
        return (
            case.holds(assertion.condition, request)
            and isinstance(decision, Plan)
            and not assertion.targets.isdisjoint(decision.targets)
        )

    denied = case.reach.denied
    for box in case.boxes(assertion.condition):
        for target in (t.name for t in case.program.targets if t.name in assertion.targets):
            if not isinstance(case.ask(Question(box, denied, (target,))), Found):
                continue
            for route in case.routes_to(target):
                past = case.reach.before(route)
                for part in case.parts(box, case.matrix.routes[route]):
                    answer = case.ask(Question(part, denied, (target,), past=past))
                    if isinstance(answer, Found):
                        return case.witness(answer.cell, claim)
    return None


def _rejected(case: Case, assertion: Assertion) -> Witness | None:
    def claim(request: Request) -> bool:
        return case.holds(assertion.condition, request) and isinstance(
            evaluate(case.program, request), Reject
        )

    everything = case.reach.before(len(case.program.routes))
    for box in case.boxes(assertion.condition):
        for part in case.parts(box, case.reach.denied):
            answer = case.ask(Question(part))
            if isinstance(answer, Found):
                return case.witness(answer.cell, claim)
        answer = case.ask(Question(box, case.reach.denied, past=everything))
        if isinstance(answer, Found):
            return case.witness(answer.cell, claim)
    return None


def _loosened(case: Case, assertion: Assertion) -> Finding | None:
    findings = claimed_loosens(case)
    if any(f.unfinished for f in findings):
        return _not_proved(assertion)
    if not findings:
        return None
    first = findings[0]
    return Finding(
        "PD301",
        Severity.ERROR,
        assertion.name,
        f"assertion `{assertion.name}` is broken: {first.message}",
        assertion.span,
        first.help,
        () if first.span is None else (Label(first.span, "decided here"),),
        first.witness,
        first.twin,
        first.said,
    )


def _broken(case: Case, assertion: Assertion, witness: Witness) -> Finding:
    decision = witness.decision
    labels: tuple[Label, ...] = ()
    if isinstance(decision, Plan):
        reached = [f"`{t}`" for t in decision.targets if t in assertion.targets]
        verb = "is a candidate" if len(reached) == 1 else "are candidates"
        what = f"{', '.join(reached)} {verb} of route `{decision.route}`"
        span = next(r.span for r in case.program.routes if r.name == decision.route)
        help_ = (
            f"a guard rules it out for good: `guard … forbid … when …`; `assert` claims `{assertion.text}`"
        )
    else:
        what = f"a request is rejected by `{'` and `'.join(decision.by)}`"
        places = {d.name: d.span for d in case.program.denies} | {"otherwise": case.program.otherwise.span}
        span = places[decision.by[0]]
        help_ = f"serve the request by a route, or narrow the claim `{assertion.text}`"
    if span is not None:
        labels = (Label(span, "decided here"),)
    message = f"assertion `{assertion.name}` is broken: {what}"
    return Finding("PD301", Severity.ERROR, assertion.name, message, assertion.span, help_, labels, witness)


def _not_proved(assertion: Assertion) -> Finding:
    return Finding(
        "PD302",
        Severity.ERROR,
        assertion.name,
        f"assertion `{assertion.name}` is not proved: the search ran out of its budget",
        assertion.span,
        "split the assertion into narrower ones, or simplify the conditions it meets",
        unfinished=True,
    )
