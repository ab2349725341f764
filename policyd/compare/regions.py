"""Where a pair of rules decides: how many requests that is, which guards make the difference, who takes requests away.

In come two policies in one matrix and a pair of deciders, old and new; out comes the pair's `Region`. Exact as far as it got:
the conditions of both rules are taken apart until every part is decided in one way, and the parts of the pair are counted.
`Counter` bounds what all regions together may cost; a region that outgrows it says that there is more.
"""

from collections import Counter as Tally
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias
from typing import Literal as Lit

from policyd.compare.deciding import Rule, Settled, rule_of, settled, turned
from policyd.compare.partition import MOST_SPLITS, Partition, View
from policyd.compare.possible import Possible
from policyd.engine.boxes import Box
from policyd.proofs.find import bits, meet
from policyd.proofs.kinds import Kind
from policyd.proofs.side import Decider, Side
from policyd.proofs.together import Together

__all__ = ["Cause", "Count", "Counter", "Region", "Taken"]

Taken: TypeAlias = tuple[Lit["old", "new"], Rule]

MOST_TOGETHER: Final = 60_000
"""Boxes that the regions of one comparison may look at together."""
_MOST_BOXES: Final = 4_000
"""Boxes of one region that are kept to be shown."""


@dataclass(frozen=True, slots=True)
class Count:
    """Requests that the two policies together can tell apart. Where it is not `exact`, there are at least so many."""

    number: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Cause:
    """A guard, by its number among those of both policies, that removed `target` in the old policy only, or does in the new."""

    side: Lit["old", "new"]
    guard: int
    target: str


@dataclass(frozen=True, slots=True)
class Region:
    """`counts` by kind, the worst first. `boxes` are disjoint, with relations between features left aside; they are all of
    the region where `whole`. `taken`: rules of either side that come first for some requests that meet both conditions."""

    counts: Mapping[Kind, Count]
    boxes: Mapping[Kind, tuple[Box, ...]]
    causes: tuple[Cause, ...]
    taken: tuple[Taken, ...]
    whole: bool

    @property
    def count(self) -> Count:
        return Count(sum(c.number for c in self.counts.values()), all(c.exact for c in self.counts.values()))


class Counter:
    """Regions of one comparison."""

    def __init__(self, together: Together, most: int = MOST_TOGETHER) -> None:
        self._together = together
        self._possible = Possible(together.matrix)
        self._left = most

    def region(self, before: Decider, after: Decider, kinds: tuple[Kind, ...]) -> Region:
        """The region of a pair. `kinds`: those that are known to occur, which count at least once."""
        walk = _Walk(self._together, rule_of(before), rule_of(after))
        most = min(MOST_SPLITS, self._left)
        partition = Partition(self._together.matrix, self._possible, walk.look, most)
        numbers: Tally[Kind] = Tally()
        boxes: dict[Kind, list[Box]] = {}
        kept = 0
        for box, touching in walk.starts():
            for part in partition.parts(box, touching):
                numbers[part.answer] += part.count
                if kept < _MOST_BOXES:
                    boxes.setdefault(part.answer, []).append(part.box)
                kept += 1
        self._left -= most - partition.left
        exact = partition.complete
        counts = {k: Count(max(1, numbers[k]), exact) for k in sorted({*numbers, *kinds}, reverse=True)}
        return Region(
            counts,
            {k: tuple(found) for k, found in boxes.items()},
            tuple(sorted(walk.causes, key=lambda c: (c.side, c.guard, c.target))),
            tuple(sorted(walk.taken, key=lambda t: (t[0], t[1]))),
            exact and kept <= _MOST_BOXES,
        )


class _Walk:
    """The question of one pair, and what is learned by the way."""

    def __init__(self, together: Together, before: Rule, after: Rule) -> None:
        self._together = together
        self._rules = (before, after)
        self._sides = (together.old, together.new)
        self._counted = 0
        self.causes: set[Cause] = set()
        self.taken: set[Taken] = set()

    def starts(self) -> Iterator[tuple[Box, int]]:
        """The boxes where both conditions hold, each with the clauses that matter in it. Cells of a box that came before
        are left out of the later ones."""
        matrix, finder = self._together.matrix, self._together.finder
        matters = matrix.all_guards
        for side, rule in zip(self._sides, self._rules, strict=True):
            matters |= _matters(side, rule)
        seen_first = 0
        for first, box in self._own(0, {}):
            seen_second = 0
            for second, part in self._own(1, box):
                self._counted = seen_first | seen_second
                yield part, finder.touching(part, matters)
                seen_second |= second
            seen_first |= first

    def _own(self, number: int, box: Box) -> Iterator[tuple[int, Box]]:
        """The box within each clause of one of the rules; `otherwise` has none and holds everywhere."""
        kind, index = self._rules[number]
        side = self._sides[number]
        if kind == "otherwise":
            yield 0, box
            return
        for clause in bits(side.deny(index) if kind == "deny" else side.route(index)):
            part = meet(box, self._together.matrix.boxes[clause])
            if part is not None:
                yield 1 << clause, part

    def look(self, view: View) -> Kind | None:
        """How the outcome changed in all of the box, or None: it is not of the pair, or did not."""
        if view.holds(self._counted) or any(self._surely_taken(n, view) for n in (0, 1)):
            return None
        found = []
        for number, side in enumerate(self._sides):
            decided = settled(self._together, side, view)
            if decided.rule != self._rules[number]:
                self._take(number, decided.rule)
                return None
            found.append(decided)
        before, after = found
        kind = turned(self._together, before, after, view)
        if kind is not None:
            self._learn(before, after, view)
        return kind

    def _surely_taken(self, number: int, view: View) -> bool:
        """Whether a rule in front decides all of the box; saves taking it apart where it does not matter."""
        side, (kind, index) = self._sides[number], self._rules[number]
        sure = view.sure & (side.denied_before(index) if kind == "deny" else side.denied)
        if sure:
            place = next(i for i in range(len(side.deny_places)) if sure & side.deny(i))
            self._take(number, ("deny", place))
            return True
        if kind == "deny":
            return False
        before = side.before(index if kind == "route" else len(side.route_places))
        for route in side.owners(self._together.matrix, view.sure & before):
            if any(not view.maybe & side.guards_on[t] for t in side.targets[route]):
                self._take(number, ("route", route))
                return True
        return False

    def _take(self, number: int, rule: Rule) -> None:
        self.taken.add(("new" if number else "old", rule))

    def _learn(self, before: Settled, after: Settled, view: View) -> None:
        for target in after.left - before.left:
            self._cause("old", target, view)
        for target in before.left - after.left:
            if after.rule[0] == "route" and target in self._together.new.targets[after.rule[1]]:
                self._cause("new", target, view)

    def _cause(self, which: Lit["old", "new"], target: str, view: View) -> None:
        side = self._together.old if which == "old" else self._together.new
        for clause in bits(view.sure & side.guards_on.get(target, 0)):
            self.causes.add(Cause(which, self._together.matrix.clauses[clause].owner, target))


def _matters(side: Side, rule: Rule) -> int:
    """The denies and routes that say whether the rule decides on its side."""
    kind, index = rule
    if kind == "deny":
        return side.denied_before(index) | side.deny(index)
    if kind == "otherwise":
        return side.denied | side.all_routes
    return side.denied | side.before(index) | side.route(index)
