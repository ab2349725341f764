"""Conflicting includes: one request, two files, two plans.

Two scoped includes conflict when, for some request in both scopes, the first route of each file that serves it gives
another plan, and no `before` or `after` says which file goes first.
"""

from collections.abc import Iterator
from itertools import combinations
from math import gcd
from typing import TypeAlias

from policyd.policy.evaluate import firing_guards, holds
from policyd.policy.program import Group, Inclusion, Member, Program, Route
from policyd.policy.request import Request
from policyd.proofs.case import Case
from policyd.proofs.find import Found, OutOfBudget
from policyd.proofs.findings import Finding, not_proved
from policyd.proofs.reach import Hunt
from policyd.proofs.witness import Witness
from policyd.text.diagnostic import Label, Severity

__all__ = ["conflicting_includes", "first_within", "left_of", "telling"]

_Left: TypeAlias = tuple[tuple[object, ...], ...]


def conflicting_includes(case: Case) -> tuple[Finding, ...]:
    """One finding per pair of includes that conflict."""
    out: list[Finding] = []
    for first, second in combinations(case.program.inclusions, 2):
        if _ordered(case.program.inclusions, first.alias, second.alias):
            continue
        try:
            witness = _conflict(case, first.alias, second.alias)
        except OutOfBudget:
            question = f"whether `{first.alias}` and `{second.alias}` conflict"
            out.append(not_proved(second.alias, question, second.span, severity=Severity.ERROR))
            continue
        if witness is not None:
            out.append(_finding(case.program, first, second, witness))
    return tuple(out)


def first_within(program: Program, request: Request, alias: str) -> tuple[Route, _Left] | None:
    """The first route of one include that serves the request, and what is left of it, by the reference. A split counts
    with its shares: two splits differ when their shares do, whichever member this request's key falls to."""
    removed = firing_guards(program, request)
    for route in program.routes:
        if _inside(route, alias) and holds(program, route.condition, request):
            left = left_of(route, frozenset(route.targets).difference(removed))
            if left:
                return route, left
    return None


def left_of(route: Route, allowed: frozenset[str]) -> _Left:
    """A route's groups with only the allowed targets, written so that equal plans are equal."""
    out: list[tuple[object, ...]] = []
    for group in route.groups:
        members = tuple(m for m in group.members if m.target in allowed)
        if len(members) == 1 or group.pick == "order":
            out.extend(("order", m.target) for m in members)
        elif members:
            out.append((group.pick, _shares(group, members), group.by))
    return tuple(out)


def _shares(group: Group, members: tuple[Member, ...]) -> tuple[object, ...]:
    """Members in written order; for a split with their weights in lowest terms, since only shares matter."""
    if group.pick != "split":
        return tuple(m.target for m in members)
    unit = gcd(*(m.weight for m in members))
    return tuple((m.target, m.weight // unit) for m in members)


def _inside(route: Route, alias: str) -> bool:
    """Routes of the include and of the includes within it."""
    return route.include is not None and (route.include == alias or route.include.startswith(alias + "."))


def _siblings(first: str, second: str) -> tuple[str, str] | None:
    """The includes of one file through which the two come, or None where one holds the other."""
    mine, theirs = first.split("."), second.split(".")
    for depth, (a, b) in enumerate(zip(mine, theirs, strict=False), start=1):
        if a != b:
            return ".".join(mine[:depth]), ".".join(theirs[:depth])
    return None


def _ordered(inclusions: tuple[Inclusion, ...], first: str, second: str) -> bool:
    """Whether `before` or `after` says which goes first: of the two, or of the includes that hold them."""
    pair = _siblings(first, second)
    if pair is None:
        return True
    by = {i.alias: i for i in inclusions}
    a, b = (by[alias] for alias in pair)
    names = ({b.alias, b.alias.rpartition(".")[2]}, {a.alias, a.alias.rpartition(".")[2]})
    return not names[0].isdisjoint(a.before | a.after) or not names[1].isdisjoint(b.before | b.after)


def _conflict(case: Case, first: str, second: str) -> Witness | None:
    def claim(request: Request) -> bool:
        if any(case.holds(d.condition, request) for d in case.program.denies):
            return False
        a, b = (first_within(case.program, request, alias) for alias in (first, second))
        return a is not None and b is not None and a[1] != b[1]

    side, routes = case.reach.side, case.program.routes
    theirs = _clauses(case, second)
    before = 0
    for i, route in enumerate(routes):
        if not _inside(route, first):
            continue
        for mine in case.parts({}, side.route(i)):
            touching = case.finder.touching(mine, theirs)
            for j in tuple(side.owners(case.matrix, touching)):
                ways = {side.guards_on[t[0]] | side.guards_on[t[-1]] for t in telling(route, routes[j])}
                past = (before | theirs & side.before(j),)
                for part in case.parts(mine, side.route(j)) if ways else ():
                    case.finder.start()
                    answer = case.reach.hunt(Hunt(part, case.reach.denied, (), past, tuple(sorted(ways))))
                    if isinstance(answer, Found):
                        return case.witness(answer.cell, claim)
        before |= side.route(i)
    return None


def telling(a: Route, b: Route) -> Iterator[tuple[str, ...]]:
    """Pairs of targets that tell the routes apart: where both are allowed, the plans differ.

    INVARIANT: two plans that treat every pair of allowed targets alike are equal, so where the plans differ and both
    routes have a target left, some pair of these is allowed."""
    for t in a.targets:
        for u in b.targets:
            allowed = frozenset({t, u})
            if left_of(a, allowed) != left_of(b, allowed):
                yield (t,) if t == u else (t, u)


def _clauses(case: Case, alias: str) -> int:
    """The clauses of an include's routes."""
    mask = 0
    for index, route in enumerate(case.program.routes):
        if _inside(route, alias):
            mask |= case.reach.side.route(index)
    return mask


def _finding(program: Program, first: Inclusion, second: Inclusion, witness: Witness) -> Finding:
    removed = firing_guards(program, witness.request)
    plans = [first_within(program, witness.request, x.alias) for x in (first, second)]
    said = " and ".join(
        f"`{plan[0].name}` says {', '.join(t for t in plan[0].targets if t not in removed)}"
        for plan in plans
        if plan is not None
    )
    labels = () if first.span is None else (Label(first.span, "the other include"),)
    return Finding(
        "PD308",
        Severity.ERROR,
        second.alias,
        f"includes `{first.alias}` and `{second.alias}` give one request different plans: {said}",
        second.span,
        f"make the scopes disjoint, or state the order: `after {(_siblings(first.alias, second.alias) or (first.alias,))[0].rpartition('.')[2]}`",
        labels,
        witness,
    )
