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
from dataclasses import dataclass, replace

from policyd.proofs.find import Box, Cell, Covered, Finder, Found, OutOfBudget
from policyd.proofs.local import Rule
from policyd.proofs.side import Side

__all__ = ["Hunt", "Question", "Reach"]


@dataclass(frozen=True, slots=True)
class Question:
    """A request in `box`, outside every clause of `avoid`, with the targets `allowed` all allowed, at least one of `some`
    if there are any, none of the `removed` ones, and no route live that owns a clause of `past`: in the words of the first
    side."""

    box: Box
    avoid: int = 0
    allowed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    past: int = 0
    some: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hunt:
    """A request in `box`, outside every clause of `avoid` and of one of the `choices`, that matches a clause of each of the
    `removed` masks, and for which no route of side `s` is live that owns a clause of `past[s]`."""

    box: Box
    avoid: int
    removed: tuple[int, ...]
    past: tuple[int, ...]
    choices: tuple[int, ...] = (0,)


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
        self._found: dict[tuple[tuple[int, ...], tuple[int, ...]], Cell] = {}

    def ask(self, question: Question) -> Found | Covered:
        """A cell, or the clauses that together rule every cell out. Raises `OutOfBudget`."""
        avoid = question.avoid
        for target in question.allowed:
            avoid |= self.side.guards_on[target]
        removed = self.side.guards(question.removed)
        choices = tuple(dict.fromkeys(self.side.guards(question.some))) or (0,)
        past = (question.past, *(0 for _ in self.sides[1:]))
        return self.hunt(Hunt(question.box, avoid, removed, past, choices))

    def hunt(self, hunt: Hunt) -> Found | Covered:
        """The same for all sides at once."""
        avoid = hunt.avoid | self.matrix.relations
        try:
            return self._removing(hunt, avoid) if hunt.removed else self._past(hunt, avoid)
        except RecursionError:
            # A question nested this deeply has outgrown its budget like any other.
            raise OutOfBudget from None

    def cell(self, hunt: Hunt) -> Cell | None:
        """A cell of the hunt, with a budget of its own, or None: there is none."""
        self.finder.start()
        answer = self.hunt(hunt)
        return answer.cell if isinstance(answer, Found) else None

    def first_live(self, matched: int, past: int) -> int | None:
        """The first route that owns a clause of `past` and is live for a request that matches these clauses."""
        return self.side.first_live(self.matrix, matched, past)

    def _past(self, hunt: Hunt, avoid: int) -> Found | Covered:
        """Outside every condition no route is live, so that is tried first. Where it leaves nothing, the routes of that
        cover come into the search as rules."""
        blocking = avoid
        for clauses in hunt.past:
            blocking |= clauses
        cover = 0
        rested: list[int] = []
        for choice in hunt.choices:
            # What covers the box covers it for every choice that avoids as much.
            if any(not rest & ~choice for rest in rested):
                continue
            answer = self.finder.find(hunt.box, blocking | choice)
            if isinstance(answer, Found):
                return answer
            cover |= answer.clauses
            rested.append(answer.clauses & ~blocking)
        if not cover & blocking & ~avoid:
            return Covered(cover)
        return self._through(hunt, avoid, cover)

    def _removing(self, hunt: Hunt, avoid: int) -> Found | Covered:
        """Where guards have to match, a cell that did for the same guards is tried first."""
        cover = 0
        choices = []
        for choice in hunt.choices:
            lost = self._lost(hunt, avoid | choice)
            if lost is None:
                choices.append(choice)
            else:
                cover |= lost
        if not choices:
            return Covered(cover)
        key = (hunt.removed, hunt.choices)
        known = self._found.get(key)
        if known is not None:
            cell = self.finder.moved(hunt.box, known)
            if self._answers(hunt, avoid, self.finder.matched(cell)):
                return Found(cell)
        answer = self._through(replace(hunt, choices=tuple(choices)), avoid, 0)
        if isinstance(answer, Found):
            self._found[key] = answer.cell
            return answer
        return Covered(cover | answer.clauses)

    def _lost(self, hunt: Hunt, avoid: int) -> int | None:
        """The clauses that keep some mask from being matched at all, None where there are none."""
        for need in hunt.removed:
            if not self.finder.touching(hunt.box, need & ~avoid):
                return need & avoid
        return None

    def _answers(self, hunt: Hunt, avoid: int, matched: int) -> bool:
        """Whether a request of the box that matches these clauses is what the hunt is for."""
        return (
            not matched & avoid
            and all(need & matched for need in hunt.removed)
            and not all(choice & matched for choice in hunt.choices)
            and not self._live(hunt.past, matched)
        )

    def _through(self, hunt: Hunt, avoid: int, cover: int) -> Found | Covered:
        """Routes as rules: outside their condition, or with all their targets removed. The search begins with those of the
        cover. A cell that gets past these is checked against everything, and what it meets comes into the search."""
        hard = self._certain(hunt.box, avoid) | cover & avoid
        rules = self._rules(hunt.past, cover)
        while True:
            self.finder.spend()
            answer = self.finder.solve(hunt.box, hard, hunt.removed, rules.values(), hunt.choices)
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
        few = touching.bit_count() <= self.finder.budget.many
        return touching if few else touching & self.matrix.all_guards

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
