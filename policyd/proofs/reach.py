"""Which requests get past the routes: `find` that knows routes, guards and what passing over means.

A route is *live* for a request when its condition holds and a target of it is allowed. The first live route decides. So
"route i decides" means: no deny, its condition, one of its targets allowed, and no earlier route live. An earlier route
is not live either outside its condition, or where the guards have removed every target it has.

Past a set of routes, a request is first looked for outside all their conditions. Where those cover the box, only the routes
of the cover can stand in the way, and each is looked into: inside its condition, its targets have to be removed, one guard
clause at a time. Exact, within the budget of the finder.

A search may look at several sides at once, two versions of a policy for example: a request that is past these routes of
the one and past those of the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from policyd.proofs.find import Box, Covered, Finder, Found, OutOfBudget, bits, meet
from policyd.proofs.side import Side

__all__ = ["Hunt", "Question", "Reach"]


@dataclass(frozen=True, slots=True)
class Question:
    """A request in `box`, outside every clause of `avoid`, with the targets `allowed` all allowed, none of the `removed`
    ones allowed, and no route live that owns a clause of `past`: in the words of the first side."""

    box: Box
    avoid: int = 0
    allowed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    past: int = 0


@dataclass(frozen=True, slots=True)
class Hunt:
    """A request in `box`, outside every clause of `avoid`, that matches a clause of each of the `removed` masks, and for
    which no route of side `s` is live that owns a clause of `past[s]`."""

    box: Box
    avoid: int
    removed: tuple[int, ...]
    past: tuple[int, ...]


class Reach:
    """Questions about the sides of one matrix. Clauses of impossible requests are avoided in every answer."""

    def __init__(self, finder: Finder, *sides: Side) -> None:
        self.finder = finder
        self.matrix = finder.matrix
        self.sides = sides
        self.side = sides[0]
        self.denied = self.side.denied
        self.before = self.side.before
        self.live = self.side.live

    def ask(self, question: Question) -> Found | Covered:
        """A cell, or the clauses that together rule every cell out. Raises `OutOfBudget`."""
        avoid = question.avoid
        for target in question.allowed:
            avoid |= self.side.guards_on[target]
        removed = self.side.guards(question.removed)
        return self.hunt(Hunt(question.box, avoid, removed, (question.past, *(0 for _ in self.sides[1:]))))

    def hunt(self, hunt: Hunt) -> Found | Covered:
        """The same for all sides at once."""
        try:
            return self._removing(hunt.box, hunt.avoid | self.matrix.relations, hunt.removed, hunt.past)
        except RecursionError:
            # A question nested this deeply has outgrown its budget like any other.
            raise OutOfBudget from None

    def first_live(self, matched: int, past: int) -> int | None:
        """The first route that owns a clause of `past` and is live for a request that matches these clauses."""
        return self.side.first_live(self.matrix, matched, past)

    def _past(self, box: Box, avoid: int, past: tuple[int, ...]) -> Found | Covered:
        """Past the routes whose clauses are `past`, in the box.

        Outside every condition no route is live, so that is tried first. Where the conditions cover the box, only the
        routes of the cover stand in the way: for each of them in turn, inside its condition and outside of those before,
        its targets have to be removed."""
        blocking = avoid
        for clauses in past:
            blocking |= clauses
        answer = self.finder.find(box, blocking)
        if isinstance(answer, Found):
            return answer
        cover = answer.clauses
        left: list[tuple[int, int, int, tuple[int, ...]]] = []
        for number, side in enumerate(self.sides):
            for blocker in side.owners(self.matrix, cover & past[number] & ~avoid):
                own = side.route(blocker)
                past = (*past[:number], past[number] & ~own, *past[number + 1 :])
                left.append((number, blocker, avoid, past))
                avoid |= own
        while left:
            number, blocker, avoid, past = left.pop()
            if not cover & self.sides[number].route(blocker):
                continue
            inside = self._inside(self.sides[number], blocker, box, avoid, past)
            if isinstance(inside, Found):
                return inside
            cover |= inside.clauses
        return Covered(cover)

    def _inside(self, side: Side, route: int, box: Box, avoid: int, past: tuple[int, ...]) -> Found | Covered:
        """Past the routes, where this route's condition holds and its targets are all removed."""
        cover = 0
        removed = side.guards(side.targets[route])
        for number in bits(self.finder.touching(box, side.route(route))):
            part = meet(box, self.matrix.boxes[number])
            if part is None:
                continue
            answer = self._removing(part, avoid, removed, past)
            if isinstance(answer, Found):
                return answer
            cover |= answer.clauses
        return Covered(cover)

    def _removing(
        self, box: Box, avoid: int, removed: Sequence[int], past: tuple[int, ...]
    ) -> Found | Covered:
        """Past the routes, in the part of the box where a clause of each of the masks matches."""
        self.finder.spend()
        ways, cover, hardest = self._fewest_ways(box, avoid, removed)
        if hardest is None:
            return self._past(box, avoid, past)
        rest = (*removed[:hardest], *removed[hardest + 1 :])
        for number in sorted(bits(ways), key=lambda i: -self._breadth(i, rest)):
            part = meet(box, self.matrix.boxes[number])
            if part is None:
                continue
            answer = self._removing(part, avoid, rest, past)
            if isinstance(answer, Found):
                return answer
            cover |= answer.clauses
        return Covered(cover)

    @staticmethod
    def _breadth(clause: int, removed: Sequence[int]) -> int:
        """Of how many masks the clause is one."""
        return sum(guards >> clause & 1 for guards in removed)

    def _fewest_ways(self, box: Box, avoid: int, removed: Sequence[int]) -> tuple[int, int, int | None]:
        """The mask that is hardest to match: the clauses of it that could match, those that are ruled out, and which it
        is; None where something of every mask surely matches."""
        best: tuple[int, int, int | None] = (0, 0, None)
        for place, guards in enumerate(removed):
            if self.finder.covered_by_one(box, guards):
                continue
            ways = self.finder.touching(box, guards & ~avoid)
            if best[2] is None or ways.bit_count() < best[0].bit_count():
                best = (ways, guards & avoid, place)
        return best
