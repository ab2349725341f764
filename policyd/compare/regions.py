"""Where a pair of rules decides: how many requests that is, which guards make the difference, who takes requests away.

In come two policies in one matrix and a pair of deciders, old and new; out comes the pair's `Region`, counted exactly
(`tally.py`), and on request the boxes it is made of (`partition.py`). `Counter` bounds what all regions together may cost; a
region that outgrows it says that there is more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policyd.compare.deciding import Rule, rule_of, settled, turned
from policyd.compare.partition import Partition, View
from policyd.compare.possible import Possible
from policyd.compare.tally import Cause, PairTally, Taken
from policyd.engine.boxes import Box
from policyd.proofs.find import bits, meet
from policyd.proofs.kinds import Kind
from policyd.proofs.side import Decider, Side
from policyd.proofs.together import Together

__all__ = ["Cause", "Count", "Counter", "Places", "Region", "Taken", "places"]

MOST_STATES: Final = 10_000
"""States that counting one region may look at."""
MOST_TOGETHER: Final = 40_000
"""The same of all regions of one comparison."""
MOST_SPLITS: Final = 20_000
"""Boxes that listing one region may look at."""


@dataclass(frozen=True, slots=True)
class Count:
    """Requests that the two policies together can tell apart. Where it is not `exact`, there are at least so many."""

    number: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Region:
    """`counts` by kind, the worst first; all or none of them are exact. `taken`: rules of either side that decide some
    requests which meet both conditions; where not `exact`, some of them."""

    counts: Mapping[Kind, Count]
    causes: tuple[Cause, ...]
    taken: tuple[Taken, ...]
    exact: bool

    @property
    def count(self) -> Count:
        return Count(sum(c.number for c in self.counts.values()), self.exact)


@dataclass(frozen=True, slots=True)
class Places:
    """A region as disjoint boxes by kind, relations between features left aside; all of it where `whole`."""

    boxes: Mapping[Kind, tuple[Box, ...]]
    whole: bool


class Counter:
    """Regions of one comparison."""

    def __init__(self, together: Together, most: int = MOST_TOGETHER) -> None:
        self._together = together
        self._left = most

    def region(self, before: Decider, after: Decider, kinds: Sequence[Kind]) -> Region:
        """The region of a pair. `kinds`: those that are known to occur, which count once where counting did not end."""
        rules = rule_of(before), rule_of(after)
        most = min(MOST_STATES, self._left)
        tally = PairTally(self._together, *rules, most)
        for box, counted in _starts(self._together, rules):
            tally.add(box, counted)
        self._left -= most - tally.left
        exact = tally.complete
        counts = {kind: Count(n, exact=True) for kind, n in tally.kinds.items()} if exact else {}
        if not exact:
            counts = {kind: Count(max(1, tally.kinds[kind]), exact=False) for kind in {*kinds, *tally.kinds}}
        return Region(
            dict(sorted(counts.items(), reverse=True)),
            tuple(sorted(tally.causes, key=lambda c: (c.side, c.guard, c.target))),
            tuple(sorted(tally.taken)),
            exact,
        )


def places(together: Together, before: Decider, after: Decider, most: int = MOST_SPLITS) -> Places:
    """Where exactly a pair lies."""
    rules = rule_of(before), rule_of(after)
    walk = _Walk(together, rules)
    partition = Partition(together.matrix, Possible(together.matrix), walk.look, most)
    matters = together.matrix.all_guards
    for side, rule in zip((together.old, together.new), rules, strict=True):
        matters |= _matters(side, rule)
    boxes: dict[Kind, list[Box]] = {}
    for box, counted in _starts(together, rules):
        walk.counted = counted
        for part in partition.parts(box, together.finder.touching(box, matters)):
            boxes.setdefault(part.answer, []).append(part.box)
    found = {kind: tuple(listed) for kind, listed in sorted(boxes.items(), reverse=True)}
    return Places(found, partition.complete)


def _starts(together: Together, rules: tuple[Rule, Rule]) -> Iterator[tuple[Box, int]]:
    """The boxes where both conditions hold, each with the clauses whose cells were in a box before it."""
    seen_first = 0
    for first, box in _own(together, together.old, rules[0], {}):
        seen_second = 0
        for second, part in _own(together, together.new, rules[1], box):
            yield part, seen_first | seen_second
            seen_second |= second
        seen_first |= first


def _own(together: Together, side: Side, rule: Rule, box: Box) -> Iterator[tuple[int, Box]]:
    """The box within each clause of a rule; `otherwise` has none and holds everywhere."""
    kind, index = rule
    if kind == "otherwise":
        yield 0, box
        return
    for clause in bits(side.deny(index) if kind == "deny" else side.route(index)):
        part = meet(box, together.matrix.boxes[clause])
        if part is not None:
            yield 1 << clause, part


class _Walk:
    """The question of one pair, asked of a view."""

    def __init__(self, together: Together, rules: tuple[Rule, Rule]) -> None:
        self._together = together
        self._rules = rules
        self.counted = 0

    def look(self, view: View) -> Kind | None:
        """How the outcome changed in all of the box, or None: it is not of the pair, or did not."""
        if view.holds(self.counted):
            return None
        sides = (self._together.old, self._together.new)
        if any(self._surely_taken(*both, view) for both in zip(sides, self._rules, strict=True)):
            return None
        before, after = (settled(self._together, side, view) for side in sides)
        if (before.rule, after.rule) != self._rules:
            return None
        return turned(self._together, before, after, view)

    def _surely_taken(self, side: Side, rule: Rule, view: View) -> bool:
        """Whether a rule in front decides all of the box; saves taking it apart where it does not matter."""
        kind, index = rule
        if view.sure & (side.denied_before(index) if kind == "deny" else side.denied):
            return True
        if kind == "deny":
            return False
        before = side.before(index if kind == "route" else len(side.route_places))
        return any(
            any(not view.maybe & side.guards_on[t] for t in side.targets[route])
            for route in side.owners(self._together.matrix, view.sure & before)
        )


def _matters(side: Side, rule: Rule) -> int:
    """The denies and routes that say whether the rule decides on its side."""
    kind, index = rule
    if kind == "deny":
        return side.denied_before(index) | side.deny(index)
    if kind == "otherwise":
        return side.denied | side.all_routes
    return side.denied | side.before(index) | side.route(index)
