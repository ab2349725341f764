"""What redactions do: what `after redaction` opens, and redactions that never happen.

A route that redacts leads to variants of its targets. Guards look at the request as it came, unless the route decides
`after redaction`: then they no longer see what is taken out (`Program.blinded`). For each such route and guard, in come the
two conditions; out comes a note with the smallest request that the route sends to a target from which the guard would have
removed it as it came, or one note that there is no such request. And for each route that redacts, a warning where no request
that it decides has such a finding: most often because a guard, which sees the original, has removed the targets by then.
"""

from collections.abc import Iterable, Iterator

from policyd.engine.boxes import TooManyBoxes
from policyd.policy.condition import AtLeast, Condition, Const, Has, both, negate, tests_of
from policyd.policy.decision import Plan
from policyd.policy.evaluate import evaluate
from policyd.policy.levels import level_condition
from policyd.policy.program import Blinded, Guard, Redaction, Route
from policyd.policy.request import Request
from policyd.policy.variants import plain_name
from policyd.policy.wording import condition_text
from policyd.proofs.case import Case
from policyd.proofs.dead import named, owners
from policyd.proofs.find import Cell, Found, OutOfBudget
from policyd.proofs.findings import Finding, not_proved
from policyd.proofs.reach import Question
from policyd.text.diagnostic import Label, Severity

__all__ = ["opened_by_redaction", "redaction_of_route", "redactions_in_vain"]


def redaction_of_route(case: Case, route: Route) -> Redaction | None:
    """INVARIANT: a route redacts for all of its targets alike."""
    return next((t.redaction for t in case.program.targets if t.name in route.targets), None)


def opened_by_redaction(case: Case) -> tuple[Finding, ...]:
    """For each route that decides `after redaction`, a note per guard that it opens something of, or that it opens nothing."""
    out: list[Finding] = []
    for index, route in enumerate(case.program.routes):
        redaction = redaction_of_route(case, route)
        if redaction is None or not redaction.after:
            continue
        told = tuple(_opened(case, index, route))
        out.extend(told or (_nothing(route),))
    return tuple(out)


def _opened(case: Case, index: int, route: Route) -> Iterator[Finding]:
    for guard in case.program.written:
        found: dict[str, tuple[Blinded, Cell]] = {}
        try:
            for one in (b for b in case.program.blinded if b.guard == guard.name):
                for target in (t for t in route.targets if t in one.targets):
                    cell = _sent(case, index, both(one.whole, negate(one.left)), target)
                    if cell is not None:
                        found[target] = (one, cell)
        except (OutOfBudget, TooManyBoxes):
            question = f"whether `after redaction` of route `{route.name}` opens what `{guard.name}` forbids"
            yield not_proved(route.name, question, route.span, "simplify the conditions of the guard")
            continue
        if found:
            yield _note(case, route, guard, found)


def _sent(case: Case, index: int, where: Condition, target: str) -> Cell | None:
    """A request of this region that the route sends to the target."""
    past = case.reach.before(index)
    for box in case.boxes(where):
        for part in case.parts(box, case.matrix.routes[index]):
            answer = case.ask(Question(part, case.reach.denied, (target,), past=past))
            if isinstance(answer, Found):
                return answer.cell
    return None


def _note(case: Case, route: Route, guard: Guard, found: dict[str, tuple[Blinded, Cell]]) -> Finding:
    target, (one, cell) = next(iter(found.items()))

    def claim(request: Request) -> bool:
        decision = evaluate(case.program, request)
        sent = isinstance(decision, Plan) and decision.route == route.name and target in decision.targets
        return sent and case.holds(one.whole, request)

    whole, left = (condition_text(case.program, c) for c in (one.whole, one.left))
    rest = "nothing" if one.left == Const(value=False) else f"`{left}`"
    labels = () if guard.span is None else (Label(guard.span, "sees what is left of the request"),)
    return Finding(
        "PD325",
        Severity.NOTE,
        route.name,
        f"`after redaction` of route `{route.name}` opens {named(map(plain_name, found))} to requests"
        f" that `{guard.name}` forbids as they come",
        route.span,
        f"of the request as it comes `{guard.name}` asks `{whole}`, and of what is left {rest};"
        " without `after redaction` it sees the original",
        labels,
        case.witness(cell, claim),
    )


def _nothing(route: Route) -> Finding:
    return Finding(
        "PD325",
        Severity.NOTE,
        route.name,
        f"`after redaction` of route `{route.name}` opens nothing: no guard would forbid its requests as they come",
        route.span,
        "leave it out: then guards see the original",
    )


def redactions_in_vain(case: Case) -> tuple[Finding, ...]:
    """At most one warning for each route that redacts, with all the names that are never taken out."""
    out: list[Finding] = []
    for index, route in enumerate(case.program.routes):
        redaction = redaction_of_route(case, route)
        if redaction is None:
            continue
        try:
            never = {name: clauses for name in redaction.names if (clauses := _never(case, index, name))}
        except (OutOfBudget, TooManyBoxes):
            question = f"whether route `{route.name}` ever has something to redact"
            out.append(not_proved(route.name, question, route.span))
            continue
        if never:
            out.append(_vain(case, route, redaction, never))
    return tuple(out)


def _never(case: Case, index: int, name: str) -> tuple[int, ...]:
    """Nothing where the route decides a request with such a finding; else the clauses that leave it none."""
    past, targets = case.reach.before(index), case.program.routes[index].targets
    covers = [0]
    for box in case.boxes(Has("findings", name)):
        for part in case.parts(box, case.matrix.routes[index]):
            answer = case.ask(Question(part, case.reach.denied, past=past, some=targets))
            if isinstance(answer, Found):
                return ()
            covers.append(answer.clauses)
    return tuple(covers)


def _vain(case: Case, route: Route, redaction: Redaction, never: dict[str, tuple[int, ...]]) -> Finding:
    clauses = 0
    for covers in never.values():
        for cover in covers:
            clauses |= cover
    guards = {
        g.name: g.span
        for i in owners(case, clauses, "guard")
        if not (g := case.program.guards[i]).builtin and not g.hits.isdisjoint(route.targets)
    }
    why, help_ = "no request that it decides has such a finding", "leave the name out, or move the route up"
    wider = {g: found for g in guards if (found := _above(case, g, never))}
    if wider and (redaction.after or len(wider) == len(guards)):
        guard, (asked, part) = next(iter(wider.items()))
        why = f"`{guard}` asks for `{asked}`, of which `{part}` is a part, and what else is `{asked}` is not taken out"
        also = "" if redaction.after else " and write `after redaction`"
        help_ = f"redact `{asked}`{also}, or leave the name out"
        guards = {guard: guards[guard]}
    elif guards and not redaction.after:
        verb = "forbids" if len(guards) == 1 else "forbid"
        why = f"{named(guards)} {verb} its targets before, as guards see the request as it comes"
        help_ = "write `after redaction` where the request may go once it is taken out, or leave the name out"
    sees = "asks for more than is taken out" if wider else "sees the original"
    labels = tuple(Label(span, sees) for span in guards.values() if span is not None)
    return Finding(
        "PD326",
        Severity.WARNING,
        route.name,
        f"route `{route.name}` never takes out {named(never)}: {why}",
        route.span,
        help_,
        labels if wider or not redaction.after else (),
    )


def _above(case: Case, guard: str, never: Iterable[str]) -> tuple[str, str] | None:
    """A name that the guard, or a level that it asks for, tests, and a redacted name below it."""
    conditions = [g.condition for g in case.program.written if g.name == guard]
    asked = {name for condition in conditions for name in _found_names(case, condition)}
    pairs = ((above, name) for name in never for above in sorted(asked) if name.startswith(f"{above}."))
    return next(pairs, None)


def _found_names(case: Case, condition: Condition) -> Iterator[str]:
    for test in tests_of(condition):
        if isinstance(test, Has) and test.feature == "findings":
            yield test.name
        elif isinstance(test, AtLeast):
            yield from _found_names(case, level_condition(case.program.level(test.level), test.rank))
