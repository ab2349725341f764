"""Which requests get past the routes: `find` that knows routes, guards and what passing over means.

A route is *live* for a request when its condition holds and a target of it is allowed. The first live route decides. So
"route i decides" means: no deny, its condition, one of its targets allowed, and no earlier route live. An earlier route
is not live either outside its condition, or where the guards have removed every target it has.

Past a set of routes, a request is first looked for outside all their conditions. Where those cover the box, the routes of
the cover go into the search as rules: outside the condition, or with every target removed. Exact, within the budget of the
finder.

A search may look at several sides at once, two versions of a policy for example: a request that is past these routes of
the one and past those of the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from policyd.proofs.find import Box, Covered, Finder, Found, OutOfBudget
from policyd.proofs.local import Rule
from policyd.proofs.side import Side

__all__ = ["Hunt", "Question", "Reach"]

_MANY: Final = 200
"""Clauses to avoid that a search looks at from the start."""


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
            return self._past(hunt, hunt.avoid | self.matrix.relations)
        except RecursionError:
            # A question nested this deeply has outgrown its budget like any other.
            raise OutOfBudget from None

    def first_live(self, matched: int, past: int) -> int | None:
        """The first route that owns a clause of `past` and is live for a request that matches these clauses."""
        return self.side.first_live(self.matrix, matched, past)

    def _past(self, hunt: Hunt, avoid: int) -> Found | Covered:
        """Outside every condition no route is live, so that is tried first. Where it leaves nothing, the routes of that
        cover come into the search as rules: outside their condition, or with all their targets removed. A cell that gets
        past these is checked against everything; what it meets comes into the search as well."""
        blocking = avoid
        for clauses in hunt.past:
            blocking |= clauses
        chosen = 0
        if not hunt.removed:
            answer = self.finder.find(hunt.box, blocking)
            if isinstance(answer, Found) or not answer.clauses & ~avoid:
                return answer
            chosen = answer.clauses
        hard = self._certain(hunt.box, avoid) | chosen & avoid
        rules = self._rules(hunt.past, chosen)
        while True:
            self.finder.spend()
            answer = self.finder.solve(hunt.box, hard, hunt.removed, rules.values())
            if isinstance(answer, Covered):
                return answer
            matched = self.finder.matched(answer.cell)
            in_the_way = self._live(hunt.past, matched)
            if not matched & avoid and not in_the_way:
                return answer
            hard |= matched & avoid
            rules.update(in_the_way)

    def _certain(self, box: Box, avoid: int) -> int:
        """What a search looks at from the start: all that touches the box, or, where that is very much, guards only."""
        touching = self.finder.touching(box, avoid)
        return touching if touching.bit_count() <= _MANY else touching & self.matrix.all_guards

    def _rules(self, past: Sequence[int], clauses: int) -> dict[tuple[int, int], Rule]:
        """The routes that own some of the clauses, by side and number."""
        return {
            (number, route): Rule(side.route(route) & mask, tuple(set(side.guards(side.targets[route]))))
            for number, (side, mask) in enumerate(zip(self.sides, past, strict=True))
            for route in side.owners(self.matrix, clauses & mask)
        }

    def _live(self, past: Sequence[int], matched: int) -> dict[tuple[int, int], Rule]:
        """The routes that are live for a request that matches these clauses."""
        return {
            at: rule
            for at, rule in self._rules(past, matched).items()
            if not all(need & matched for need in rule.needs)
        }
