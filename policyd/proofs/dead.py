"""Dead rules: routes and denies that never decide, guards whose condition no request meets.

A route that is dead names what leaves it nothing: the routes before it, the guards, the denies.
"""

from collections.abc import Callable, Iterable
from functools import partial

from policyd.policy.program import Guard, Route
from policyd.proofs.case import Case
from policyd.proofs.find import Covered, Found, OutOfBudget, bits
from policyd.proofs.findings import Finding, not_proved
from policyd.proofs.reach import Question
from policyd.text.diagnostic import Label, Severity
from policyd.text.source import Span

__all__ = ["dead_rules", "named", "owners"]

_MINIMISED = 12
"""Covering routes are thinned out one by one up to this many."""


def dead_rules(case: Case) -> tuple[Finding, ...]:
    """One finding per dead rule, in written order."""
    out: list[Finding] = []
    for index, route in enumerate(case.program.routes):
        out.extend(_guarded(partial(_dead_route, case, index, route), f"route `{route.name}`", route.span))
    for index, deny in enumerate(case.program.denies):
        out.extend(_guarded(partial(_dead_deny, case, index), f"deny `{deny.name}`", deny.span))
    for index, guard in enumerate(case.program.guards):
        if not guard.builtin and guard.hits:
            out.extend(
                _guarded(partial(_dead_guard, case, index, guard), f"guard `{guard.name}`", guard.span)
            )
    return tuple(out)


def decides(case: Case, index: int, past: int) -> Found | Covered:
    """A request that the route decides when only the routes with clauses in `past` stand before it."""
    cover = 0
    for target in case.program.routes[index].targets:
        for part in case.parts({}, case.matrix.routes[index]):
            answer = case.ask(Question(part, case.reach.denied, (target,), past=past))
            if isinstance(answer, Found):
                return answer
            cover |= answer.clauses
    return Covered(cover)


def _dead_route(case: Case, index: int, route: Route) -> Finding | None:
    answer = decides(case, index, case.reach.before(index))
    if isinstance(answer, Found):
        return None
    covering = _thinned(case, index, owners(case, answer.clauses, "route"))
    routes = [case.program.routes[i] for i in covering]
    guards = sorted({case.program.guards[i].name for i in owners(case, answer.clauses, "guard")})
    denies = [case.program.denies[i].name for i in owners(case, answer.clauses, "deny")]
    labels = tuple(Label(r.span, "decided here") for r in routes[:3] if r.span is not None)
    if routes:
        why = f"{named(r.name for r in routes)} before it decide{'s' if len(routes) == 1 else ''} all its requests"
        help_ = "remove it, move it up, or narrow what stands before it"
    elif guards or denies:
        why = f"{named([*guards, *denies])} leave{'s' if len(guards) + len(denies) == 1 else ''} it nothing"
        help_ = "remove it, or give it a target that may take its requests"
    else:
        why = "no request meets its condition"
        help_ = "remove it or correct its condition"
    return Finding(
        "PD305",
        Severity.WARNING,
        route.name,
        f"route `{route.name}` never decides: {why}",
        route.span,
        help_,
        labels,
    )


def _thinned(case: Case, index: int, covering: list[int]) -> list[int]:
    """The covering routes without those that are not needed, as far as the budget allows."""
    kept = list(covering)
    if len(kept) > _MINIMISED:
        return kept
    for candidate in reversed(covering):
        trial = [i for i in kept if i != candidate]
        past = 0
        for i in trial:
            past |= case.matrix.routes[i]
        try:
            if isinstance(decides(case, index, past), Covered):
                kept = trial
        except OutOfBudget:
            continue
    return kept


def _dead_deny(case: Case, index: int) -> Finding | None:
    before = 0
    for mask in case.matrix.denies[:index]:
        before |= mask
    cover = 0
    for part in case.parts({}, case.matrix.denies[index]):
        answer = case.ask(Question(part, before))
        if isinstance(answer, Found):
            return None
        cover |= answer.clauses
    deny = case.program.denies[index]
    names = [case.program.denies[i] for i in owners(case, cover, "deny")]
    why = (
        f"{named(d.name for d in names)} before it rejects all its requests"
        if names
        else "no request meets its condition"
    )
    labels = tuple(Label(d.span, "rejected here") for d in names[:3] if d.span is not None)
    message = f"deny `{deny.name}` never decides: {why}"
    return Finding(
        "PD305", Severity.WARNING, deny.name, message, deny.span, "remove it or correct its condition", labels
    )


def _dead_guard(case: Case, index: int, guard: Guard) -> Finding | None:
    for part in case.parts({}, case.matrix.guards[index]):
        if isinstance(case.ask(Question(part)), Found):
            return None
    message = f"guard `{guard.name}` never applies: no request meets its condition"
    return Finding(
        "PD305", Severity.WARNING, guard.name, message, guard.span, "remove it or correct its condition"
    )


def owners(case: Case, clauses: int, kind: str) -> list[int]:
    """The rules of a kind that own the clauses, in written order."""
    owners = {
        case.matrix.clauses[i].owner for i in bits(clauses) if case.matrix.clauses[i].owner_kind == kind
    }
    return sorted(owners)


def named(names: Iterable[str]) -> str:
    """Rules as a person lists them, the first few of many."""
    quoted = [f"`{n}`" for n in names]
    if len(quoted) > 6:
        quoted = [*quoted[:5], f"{len(quoted) - 5} more"]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " and " + quoted[-1]


def _guarded(question: Callable[[], Finding | None], what: str, span: Span | None) -> list[Finding]:
    try:
        finding = question()
    except OutOfBudget:
        return [
            not_proved(
                what, f"whether {what} ever decides", span, "simplify its condition, or those before it"
            )
        ]
    return [] if finding is None else [finding]
