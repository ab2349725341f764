"""Dead rules: routes and denies that never decide, guards whose condition no request meets.

A route that is dead names what leaves it nothing: the routes before it, the guards, the denies.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeAlias

from policyd.policy.program import Guard, Route
from policyd.proofs.case import Case
from policyd.proofs.find import Box, Covered, Found, OutOfBudget, bits
from policyd.proofs.findings import Finding, not_proved
from policyd.proofs.reach import Question
from policyd.text.diagnostic import Label, Severity
from policyd.text.source import Span

__all__ = ["covering", "dead_deny", "dead_guard", "dead_rules", "named", "owners"]

_Refuted: TypeAlias = tuple[Box, int]
"""A part of a condition, and the clauses that leave nothing of it."""


def dead_rules(case: Case) -> tuple[Finding, ...]:
    """One finding per dead rule, in written order."""
    out: list[Finding] = []
    for index, route in enumerate(case.program.routes):
        out.extend(_guarded(partial(_dead_route, case, index, route), f"route `{route.name}`", route.span))
    for index, deny in enumerate(case.program.denies):
        out.extend(_guarded(partial(dead_deny, case, index), f"deny `{deny.name}`", deny.span))
    for index, guard in enumerate(case.program.guards):
        if not guard.builtin and not guard.after and guard.hits:
            out.extend(_guarded(partial(dead_guard, case, index, guard), f"guard `{guard.name}`", guard.span))
    return tuple(out)


def decides(case: Case, index: int, past: int) -> Found | tuple[_Refuted, ...]:
    """A request that the route decides when only the routes with clauses in `past` stand before it, or what leaves it
    nothing in each part of its condition."""
    out: list[_Refuted] = []
    if not case.program.routes[index].targets:
        return ()
    for part in case.parts({}, case.matrix.routes[index]):
        answer = _decides(case, index, part, past)
        if isinstance(answer, Found):
            return answer
        out.append((part, answer.clauses))
    return tuple(out)


def _decides(case: Case, index: int, part: Box, past: int) -> Found | Covered:
    return case.ask(Question(part, case.reach.denied, past=past, some=case.program.routes[index].targets))


def covering(case: Case, index: int) -> int | None:
    """None where the route decides some request; else clauses that leave it nothing, of as few routes as will do: without any
    one of them it would decide."""
    answer = decides(case, index, case.reach.before(index))
    if isinstance(answer, Found):
        case.deciding[index] = answer.cell
        return None
    case.deciding[index] = None
    return _least(case, index, answer)


def _dead_route(case: Case, index: int, route: Route) -> Finding | None:
    clauses = covering(case, index)
    if clauses is None:
        return None
    routes = [case.program.routes[i] for i in owners(case, clauses, "route")]
    guards = sorted({case.program.guards[i].name for i in owners(case, clauses, "guard")})
    denies = [case.program.denies[i].name for i in owners(case, clauses, "deny")]
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


def _least(case: Case, index: int, refuted: tuple[_Refuted, ...]) -> int:
    """The clauses that leave the route nothing, thinned out to routes that are each needed. The last one is tried first; what
    its absence is refuted with may do without others as well."""
    parts = list(refuted)
    needed = 0
    while True:
        used = _used(parts) & case.matrix.all_routes & ~needed
        if not used:
            return _used(parts)
        lowest = (used & -used).bit_length() - 1
        own = case.matrix.routes[case.matrix.clauses[lowest].owner]
        past = _used(parts) & case.matrix.all_routes
        without = _without(case, index, parts, _whole(case, past) & ~own, own)
        if without is None:
            needed |= own
        else:
            parts = without


def _without(case: Case, index: int, parts: list[_Refuted], past: int, own: int) -> list[_Refuted] | None:
    """The refutations past these routes only, or None where the route decides then, or where that is not proved."""
    out = []
    try:
        for part, clauses in parts:
            if not clauses & own:
                out.append((part, clauses))
                continue
            answer = _decides(case, index, part, past)
            if isinstance(answer, Found):
                return None
            out.append((part, answer.clauses))
    except OutOfBudget:
        return None
    return out


def _used(parts: list[_Refuted]) -> int:
    clauses = 0
    for _, part in parts:
        clauses |= part
    return clauses


def _whole(case: Case, clauses: int) -> int:
    """All clauses of the routes that own these."""
    mask = 0
    for route in owners(case, clauses, "route"):
        mask |= case.matrix.routes[route]
    return mask


def dead_deny(case: Case, index: int) -> Finding | None:
    """None where the deny is the first to reject some request."""
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


def dead_guard(case: Case, index: int, guard: Guard) -> Finding | None:
    """None where some request meets the guard's condition."""
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
