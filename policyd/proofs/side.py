"""One policy as a search sees it: which clauses of a matrix are its routes, its denies and the guards on each target.

In: a program and where its rules stand in a matrix, which may hold another policy's rules as well. Out: a `Side`, with
whatever a search has to know: which route owns a clause, what stands before a route, which rule decides a cell. The one
idea: a policy without one of its rules, or a policy beside its next version, is another side of the same bits.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal as Lit

from policyd.engine.matrix import Matrix, Sections
from policyd.policy.program import Program
from policyd.proofs.find import bits
from policyd.text.source import Span

__all__ = ["Decider", "Side", "whole_side"]


@dataclass(frozen=True, slots=True)
class Decider:
    """The rule that decides a request: a deny, a route, or `otherwise` (index 0)."""

    kind: Lit["deny", "route", "otherwise"]
    index: int
    name: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Side:
    """INVARIANT: `route_places[i]` is where route `i` stands among the matrix' routes, in rising order, so that a route
    that comes first has the higher bits; the same for denies."""

    program: Program
    routes: Sections
    route_places: Sequence[int]
    route_at: Mapping[int, int] | Sequence[int]
    """the matrix' route number to this side's"""
    all_routes: int
    denies: Sections
    deny_places: Sequence[int]
    denied: int
    guard_places: Sequence[int]
    guards_on: Mapping[str, int]
    """clauses of the guards on each target; a target that the policy does not have is missing"""
    targets: tuple[tuple[str, ...], ...]
    """of each route"""

    def route(self, index: int) -> int:
        """The clauses of a route."""
        return self.routes[self.route_places[index]]

    def deny(self, index: int) -> int:
        """The clauses of a deny."""
        return self.denies[self.deny_places[index]]

    def before(self, index: int) -> int:
        """The clauses of the routes before this one (the number of routes: of all)."""
        if index == len(self.route_places):
            return self.all_routes
        last = self.routes.span(self.route_places[index]).stop
        return self.all_routes >> last << last

    def denied_before(self, index: int) -> int:
        """The clauses of the denies before this one (the number of denies: of all)."""
        if index == len(self.deny_places):
            return self.denied
        last = self.denies.span(self.deny_places[index]).stop
        return self.denied >> last << last

    def guards(self, targets: Sequence[str]) -> tuple[int, ...]:
        """For each of the targets, the clauses that remove it."""
        return tuple(self.guards_on[t] for t in targets)

    def owners(self, matrix: Matrix, clauses: int) -> Iterator[int]:
        """The routes that own the clauses, first route first."""
        last = -1
        for number in bits(clauses & self.all_routes):
            owner = matrix.clauses[number].owner
            if owner != last:
                last = owner
                yield self.route_at[owner]

    def allows(self, target: str, matched: int) -> bool:
        """Whether no guard removes the target from a request that matches these clauses."""
        on = self.guards_on.get(target)
        return on is not None and not on & matched

    def live(self, route: int, matched: int) -> bool:
        """Whether the route's condition holds and a target of it is left."""
        return bool(matched & self.route(route)) and any(
            not matched & self.guards_on[t] for t in self.targets[route]
        )

    def left(self, route: int, matched: int) -> frozenset[str]:
        """The route's targets that are allowed."""
        return frozenset(t for t in self.targets[route] if not matched & self.guards_on[t])

    def first_live(self, matrix: Matrix, matched: int, past: int = -1) -> int | None:
        """The first route that owns a clause of `past` and is live for a request that matches these clauses."""
        return next((r for r in self.owners(matrix, matched & past) if self.live(r, matched)), None)

    def decider(self, matrix: Matrix, matched: int) -> Decider:
        """The rule that decides a request that matches these clauses."""
        if matched & self.denied:
            index = next(i for i in range(len(self.deny_places)) if matched & self.deny(i))
            deny = self.program.denies[index]
            return Decider("deny", index, deny.name, deny.span)
        route = self.first_live(matrix, matched)
        if route is None:
            return Decider("otherwise", 0, "otherwise", self.program.otherwise.span)
        found = self.program.routes[route]
        return Decider("route", route, found.name, found.span)

    def with_guards(self, guards_on: Mapping[str, int]) -> "Side":
        """The same policy under other guards."""
        return replace(self, guards_on=guards_on)


def whole_side(program: Program, matrix: Matrix) -> Side:
    """The one side of a policy's own matrix."""
    return Side(
        program,
        matrix.routes,
        range(len(program.routes)),
        range(len(program.routes)),
        matrix.all_routes,
        matrix.denies,
        range(len(program.denies)),
        matrix.all_denies,
        range(len(program.guards)),
        matrix.guards_on,
        tuple(r.targets for r in program.routes),
    )
