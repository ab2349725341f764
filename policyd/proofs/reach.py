"""Which requests get past the routes: `find` that knows routes, guards and what passing over means.

A route is *live* for a request when its condition holds and a target of it is allowed. The first live route decides. So
"route i decides" means: no deny, its condition, one of its targets allowed, and no earlier route live. An earlier route
is not live either outside its condition, or where the guards have removed every target it has.

Past a set of routes, a request is first looked for outside all their conditions. Where those cover the box, only the routes
of the cover can stand in the way, and each is looked into: inside its condition, its targets have to be removed, one guard
clause at a time. Exact, within the budget of the finder.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from policyd.engine.matrix import Matrix
from policyd.policy.program import Program
from policyd.proofs.find import Box, Covered, Finder, Found, OutOfBudget, bits, meet

__all__ = ["Question", "Reach"]


@dataclass(frozen=True, slots=True)
class Question:
    """A request in `box`, outside every clause of `avoid`, with the targets `allowed` all allowed, none of the `removed`
    ones allowed, and no route live that owns a clause of `past`."""

    box: Box
    avoid: int = 0
    allowed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    past: int = 0


class Reach:
    """Questions about one program. Clauses of impossible requests are avoided in every answer."""

    def __init__(self, program: Program, matrix: Matrix, finder: Finder) -> None:
        self.program = program
        self.matrix = matrix
        self.finder = finder
        self.denied = matrix.all_denies
        self._targets = tuple(frozenset(route.targets) for route in program.routes)

    def ask(self, question: Question) -> Found | Covered:
        """A cell, or the clauses that together rule every cell out. Raises `OutOfBudget`."""
        avoid = question.avoid | self.matrix.relations
        for target in question.allowed:
            avoid |= self.matrix.guards_on[target]
        try:
            return self._removing(question.box, avoid, question.removed, question.past)
        except RecursionError:
            # A question nested this deeply has outgrown its budget like any other.
            raise OutOfBudget from None

    def live(self, route: int, matched: int) -> bool:
        """Whether the route is live for a request that matches these clauses."""
        return bool(matched & self.matrix.routes[route]) and any(
            not matched & self.matrix.guards_on[t] for t in self._targets[route]
        )

    def first_live(self, matched: int, past: int) -> int | None:
        """The first route that owns a clause of `past` and is live for a request that matches these clauses."""
        return next((route for route in self._owners(matched & past) if self.live(route, matched)), None)

    def before(self, route: int) -> int:
        """The clauses of the routes before this one (`len(routes)`: of all)."""
        if route == len(self.program.routes):
            return self.matrix.all_routes
        last = self.matrix.routes.span(route).stop
        return self.matrix.all_routes >> last << last

    def _past(self, box: Box, avoid: int, past: int) -> Found | Covered:
        """Past the routes whose clauses are `past`, in the box.

        Outside every condition no route is live, so that is tried first. Where the conditions cover the box, only the
        routes of the cover stand in the way: for each of them in turn, inside its condition and outside of those before,
        its targets have to be removed."""
        answer = self.finder.find(box, avoid | past)
        if isinstance(answer, Found):
            return answer
        cover = answer.clauses
        left: list[tuple[int, int, int]] = []
        for blocker in self._owners(cover & past & ~avoid):
            past &= ~self.matrix.routes[blocker]
            left.append((blocker, avoid, past))
            avoid |= self.matrix.routes[blocker]
        while left:
            blocker, avoid, past = left.pop()
            if not cover & self.matrix.routes[blocker]:
                continue
            inside = self._inside(blocker, box, avoid, past)
            if isinstance(inside, Found):
                return inside
            cover |= inside.clauses
        return Covered(cover)

    def _inside(self, route: int, box: Box, avoid: int, past: int) -> Found | Covered:
        """Past the routes, where this route's condition holds and its targets are all removed."""
        cover = 0
        targets = self.program.routes[route].targets
        for number in bits(self.finder.touching(box, self.matrix.routes[route])):
            part = meet(box, self.matrix.boxes[number])
            if part is None:
                continue
            answer = self._removing(part, avoid, targets, past)
            if isinstance(answer, Found):
                return answer
            cover |= answer.clauses
        return Covered(cover)

    def _owners(self, clauses: int) -> Iterator[int]:
        """The routes that own the clauses, first route first."""
        last = -1
        for number in bits(clauses):
            owner = self.matrix.clauses[number].owner
            if owner != last:
                last = owner
                yield owner

    def _removing(self, box: Box, avoid: int, targets: Sequence[str], past: int) -> Found | Covered:
        """Past the routes, in the part of the box where guards have removed all the targets."""
        self.finder.spend()
        ways, cover, target = self._fewest_ways(box, avoid, targets)
        if target is None:
            return self._past(box, avoid, past)
        rest = tuple(t for t in targets if t != target)
        for number in sorted(bits(ways), key=lambda i: -self._breadth(i, rest)):
            part = meet(box, self.matrix.boxes[number])
            if part is None:
                continue
            answer = self._removing(part, avoid, rest, past)
            if isinstance(answer, Found):
                return answer
            cover |= answer.clauses
        return Covered(cover)

    def _breadth(self, clause: int, targets: Sequence[str]) -> int:
        """How many of the targets a guard's clause removes."""
        return sum(self.matrix.guards_on[t] >> clause & 1 for t in targets)

    def _fewest_ways(self, box: Box, avoid: int, targets: Sequence[str]) -> tuple[int, int, str | None]:
        """The target that is hardest to remove, with the clauses that could remove it and those of its guards that are
        ruled out; None where all targets are surely removed."""
        best: tuple[int, int, str | None] = (0, 0, None)
        for target in targets:
            guards = self.matrix.guards_on[target]
            if self.finder.covered_by_one(box, guards):
                continue
            ways = self.finder.touching(box, guards & ~avoid)
            if best[2] is None or ways.bit_count() < best[0].bit_count():
                best = (ways, guards & avoid, target)
        return best
