"""Whether it matters, somewhere in a region, that a rule applies there.

In: a rule and a region, as boxes and clauses to stay outside of. Out: whether some request of the region is decided
otherwise if the rule applies to it than if it does not, everything else being as it is. Where the region is the rule's own
condition, that is whether the rule could go; where it is what a part of the condition adds or takes away, whether the part
could. Exact; raises `OutOfBudget`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Final

from policyd.policy.program import Route
from policyd.proofs.case import Case
from policyd.proofs.conflicts import left_of, telling
from policyd.proofs.find import Box, Cell
from policyd.proofs.reach import Hunt, Reach

__all__ = ["Region", "deny_matters", "guard_matters", "route_matters"]


_NEARBY: Final = 12
"""Routes in whose conditions a request is tried before any search."""


@dataclass(frozen=True, slots=True)
class Region:
    """The boxes, outside the clauses of `avoid`. `near`: cells to begin with, moved into the boxes."""

    boxes: Iterable[Box]
    avoid: int = 0
    near: tuple[Cell, ...] = ()


def route_matters(case: Case, index: int, region: Region) -> bool:
    """Whether the plan of route `index` differs from what comes behind it, for some request of the region that no route
    before it takes."""
    side, finder = case.reach.side, case.finder
    ways = tuple(dict.fromkeys(side.guards(side.targets[index])))
    avoid = region.avoid | case.reach.denied
    for box in region.boxes:
        cell = None
        for near in (finder.moved(box, known) for known in region.near):
            matched = finder.matched(near)
            if _free(case, index, avoid, matched):
                if _differs(case, index, matched):
                    return True
                cell = near
        hunt = Hunt(box, avoid, (), (side.before(index),), ways)
        if cell is None:
            cell = case.reach.cell(hunt)
            if cell is None:
                continue
            if _differs(case, index, finder.matched(cell)):
                return True
        if _behind(case, index, hunt, cell):
            return True
    return False


def guard_matters(case: Case, index: int, region: Region) -> bool:
    """Whether guard `index` removes a target from the plan of some request of the region."""
    guard = case.program.guards[index]
    on = dict(case.reach.side.guards_on)
    for target in guard.hits:
        on[target] &= ~case.matrix.guards[index]
    without = Reach(case.finder, case.reach.side.with_guards(on))
    avoid = region.avoid | case.reach.denied
    for box in region.boxes:
        for target in sorted(guard.hits):
            if without.cell(Hunt(box, avoid | on[target], (), (0,))) is None:
                continue
            for route in case.routes_to(target):
                for part in case.parts(box, case.matrix.routes[route]):
                    hunt = Hunt(part, avoid | on[target], (), (without.before(route),))
                    if without.cell(hunt) is not None:
                        return True
    return False


def deny_matters(case: Case, index: int, region: Region) -> bool:
    """Whether some request of the region would be served without deny `index`, or rejected with another status."""
    denies, side = case.program.denies, case.reach.side
    own = side.deny(index)
    earlier = side.denied_before(index)
    alike = denies[index].status == case.program.otherwise.status
    for box in region.boxes:
        hunt = Hunt(box, region.avoid | side.denied & ~own, (), (0,))
        if case.reach.cell(hunt) is not None and (not alike or _served(case, hunt)):
            return True
        for later in range(index + 1, len(denies)):
            if denies[later].status == denies[index].status:
                continue
            avoid = region.avoid | earlier | side.denied_before(later) & ~own
            for part in case.parts(box, side.deny(later)):
                if case.reach.cell(Hunt(part, avoid, (), (0,))) is not None:
                    return True
    return False


def _served(case: Case, base: Hunt) -> bool:
    """Whether some request of the base has a live route."""
    side = case.reach.side
    for route in side.owners(case.matrix, case.finder.touching(base.box, side.all_routes)):
        choices = tuple(dict.fromkeys(side.guards(side.targets[route])))
        for part in case.parts(base.box, side.route(route)):
            if case.reach.cell(replace(base, box=part, choices=choices)) is not None:
                return True
    return False


def _free(case: Case, index: int, avoid: int, matched: int) -> bool:
    """Whether the route would decide a request that matches these clauses, if its condition held."""
    side = case.reach.side
    return (
        not matched & (avoid | case.matrix.relations)
        and bool(side.left(index, matched))
        and case.reach.first_live(matched, side.before(index)) is None
    )


def _differs(case: Case, index: int, matched: int) -> bool:
    """Whether the route's plan differs from the next route's. INVARIANT: no route before it is live."""
    side = case.reach.side
    behind = case.reach.first_live(matched, ~side.route(index))
    if behind is None:
        return True
    routes = case.program.routes
    return left_of(routes[index], side.left(index, matched)) != left_of(
        routes[behind], side.left(behind, matched)
    )


def _behind(case: Case, index: int, base: Hunt, left: Cell) -> bool:
    """The routes behind this one in turn, as far as any request of the base is left to them. `left` is one."""
    side, finder = case.reach.side, case.finder
    own = side.route(index)
    passed = own
    touching = finder.touching(base.box, side.all_routes & ~side.before(index) & ~own)
    order = tuple(side.owners(case.matrix, touching))
    others = (j for j in order if not _alike(case.program.routes[index], case.program.routes[j]))
    if any(_nearby(case, index, later, base, left) for later in islice(others, _NEARBY)):
        return True
    for later in order:
        hunt = replace(base, past=(side.before(later) & ~own,))
        if not _alike(case.program.routes[index], case.program.routes[later]) and _differ(
            case, index, later, hunt
        ):
            return True
        passed |= side.route(later)
        if side.live(later, finder.matched(left)):
            found = case.reach.cell(replace(base, past=(base.past[0] | passed & ~own,)))
            if found is None:
                return False
            if _differs(case, index, finder.matched(found)):
                return True
            left = found
    return True


def _nearby(case: Case, index: int, later: int, base: Hunt, cell: Cell) -> bool:
    """Whether the cell, moved into this other route's condition, shows it."""
    for box in case.parts(base.box, case.reach.side.route(later)):
        matched = case.finder.matched(case.finder.moved(box, cell))
        if _free(case, index, base.avoid, matched) and _differs(case, index, matched):
            return True
    return False


def _differ(case: Case, index: int, later: int, base: Hunt) -> bool:
    """Whether the two plans differ for some request of the base for which both are live."""
    ways = case.reach.side.guards(case.reach.side.targets[later])
    choices = tuple(dict.fromkeys(one | other for one, other in product(base.choices, ways)))
    for box in case.parts(base.box, case.reach.side.route(later)):
        hunt = replace(base, box=box, choices=choices)
        cell = case.reach.cell(hunt)
        if cell is None:
            continue
        if _differs(case, index, case.finder.matched(cell)):
            return True
        if any(case.reach.cell(place) is not None for place in _places(case, index, later, hunt)):
            return True
    return False


def _places(case: Case, index: int, later: int, base: Hunt) -> Iterator[Hunt]:
    """Parts of the base in which the plans differ everywhere. INVARIANT: if they differ at all, then in one of these."""
    side = case.reach.side
    mine, theirs = side.targets[index], side.targets[later]
    telltale: list[tuple[str, ...]] = [(t,) for t in mine if t not in theirs]
    telltale += [(t,) for t in theirs if t not in mine]
    pairs = telling(case.program.routes[index], case.program.routes[later])
    telltale += [p for p in pairs if set(p) <= set(mine) and set(p) <= set(theirs)]
    for allowed in telltale:
        avoid = base.avoid
        for guards in side.guards(allowed):
            avoid |= guards
        yield replace(base, avoid=avoid)


def _alike(first: Route, second: Route) -> bool:
    return left_of(first, frozenset(first.targets)) == left_of(second, frozenset(second.targets))
