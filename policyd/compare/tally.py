"""How many requests a pair of rules decides, and how their outcomes changed: counted, not listed.

In come two policies in one matrix, a pair of deciders and a box where both conditions hold; out comes the exact number of
possible cells for each kind of change. The one idea: go through the axes one after the other, and remember of the values so far
only which clauses can still match. A clause that no longer makes a difference is forgotten (another guard has removed its
targets, its route has nothing left), so that many values become one state, and a state is counted once, with its weight.

What needs more states than it may have ends without a number. Boxes are `partition.py`'s business.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal as Lit
from typing import TypeAlias

from policyd.compare.classes import AxisClasses, Classes, classes_of
from policyd.compare.deciding import Rule, Settled, kind_between
from policyd.engine.boxes import Box
from policyd.proofs.find import bits
from policyd.proofs.kinds import Kind
from policyd.proofs.side import Side
from policyd.proofs.together import Together

__all__ = ["Cause", "PairTally", "Taken"]

Taken: TypeAlias = tuple[Lit["old", "new"], Rule]
"""A rule of one side that decides some of a pair's requests in place of the pair's own; `otherwise` where that has nothing
left."""
_WHICH: tuple[Lit["old", "new"], Lit["old", "new"]] = ("old", "new")


@dataclass(frozen=True, slots=True)
class Cause:
    """A guard, by its number among those of both policies, that removed `target` in the old policy only, or does in the new."""

    side: Lit["old", "new"]
    guard: int
    target: str


@dataclass(frozen=True, slots=True)
class _Earlier:
    """A route that comes before the pair's own, where it touches the box."""

    clauses: int
    targets: tuple[str, ...]
    taken: Taken


class PairTally:
    """The numbers of one pair, box by box, with what is learned by the way. `left`: states that may still be looked at."""

    def __init__(self, together: Together, before: Rule, after: Rule, most: int) -> None:
        self.together = together
        self.rules = (before, after)
        self.sides = (together.old, together.new)
        self.left = most
        self.complete = True
        self.kinds: Counter[Kind] = Counter()
        self.taken: set[Taken] = set()
        self.causes: set[Cause] = set()

    def add(self, box: Box, counted: int) -> None:
        """The cells of the box that no clause of `counted` matches."""
        if not self.complete:
            return
        local = _Local(self, box, counted)
        states = local.states(self.left)
        if states is None:
            self.complete = False
            self.left = 0
            return
        self.left -= local.looked
        for alive, weight in states.items():
            kind = local.kind(alive)
            if kind is not None:
                self.kinds[kind] += weight


class _Local:
    """One box. Clauses are renumbered; above them stands a bit for each target that an unchanged guard has removed."""

    def __init__(self, tally: PairTally, box: Box, counted: int) -> None:
        self._tally = tally
        matrix = tally.together.matrix
        matters = matrix.all_guards | matrix.relations | counted
        for side, rule in zip(tally.sides, tally.rules, strict=True):
            matters |= _matters(side, rule)
        touching = tally.together.finder.touching(box, matters)
        self._classes: Classes = classes_of(matrix, box, touching)
        self._places = {number: place for place, number in enumerate(self._classes.numbers)}
        self._touching = touching
        self._free = _free(tally.together, box, self._classes)
        self._out = self._local(matrix.relations | counted)
        self._denies = [self._denied(number) for number in (0, 1)]
        self._earlier = [tuple(self._before(number)) for number in (0, 1)]
        self._own = [self._targets(number) for number in (0, 1)]
        self._guards = [self._guards_of(number) for number in (0, 1)]
        count = len(self._classes.numbers)
        names = sorted({*self._guards[0], *self._guards[1]})
        self._flags = {target: 1 << count + i for i, target in enumerate(names)}
        self._all_flags = sum(self._flags.values())
        self.looked = 0

    # What stands where.

    def _local(self, clauses: int) -> int:
        out = 0
        for number in bits(clauses & self._touching):
            out |= 1 << self._places[number]
        return out

    def _denied(self, number: int) -> tuple[tuple[int, Taken], ...]:
        """The denies that come before the pair's own rule."""
        side, (kind, index) = self._tally.sides[number], self._tally.rules[number]
        count = index if kind == "deny" else len(side.deny_places)
        touched = side.denied & self._touching
        if not touched:
            return ()
        found = ((self._local(side.deny(i)), i) for i in range(count) if side.deny(i) & touched)
        return tuple((clauses, (_WHICH[number], ("deny", i))) for clauses, i in found)

    def _before(self, number: int) -> Iterator[_Earlier]:
        side, (kind, index) = self._tally.sides[number], self._tally.rules[number]
        if kind == "deny":
            return
        before = side.before(index if kind == "route" else len(side.route_places))
        for route in side.owners(self._tally.together.matrix, before & self._touching):
            taken: Taken = (_WHICH[number], ("route", route))
            yield _Earlier(self._local(side.route(route)), side.targets[route], taken)

    def _targets(self, number: int) -> tuple[str, ...]:
        side, (kind, index) = self._tally.sides[number], self._tally.rules[number]
        return side.targets[index] if kind == "route" else ()

    def _guards_of(self, number: int) -> Mapping[str, int]:
        """For each target that matters on a side, its guards; one that the old policy does not have is missing."""
        side = self._tally.sides[number]
        names = {*self._own[number], *(t for e in self._earlier[number] for t in e.targets)}
        if number == 0:
            names |= {t for t in self._own[1] if t in side.guards_on}
        return {t: self._local(side.guards_on[t]) for t in names}

    # The states.

    def states(self, most: int) -> dict[int, int] | None:
        """What can match in the end, with how many cells; None where that needs too many states."""
        order = _ordered(self._classes.axes)
        rest = 0
        later: list[int] = []
        for axis in reversed(order):
            later.append(rest)
            rest |= axis.constrained
        first = self._reduced(self._classes.every, rest)
        states = {} if first is None else {first: self._free}
        for axis, unsettled in zip(order, reversed(later), strict=True):
            weights = [atoms.bit_count() for atoms in axis.atoms]
            rows = [row | self._all_flags for row in axis.rows]
            following: dict[int, int] = {}
            for alive, weight in states.items():
                groups: dict[int, int] = {}
                for row, cells in zip(rows, weights, strict=True):
                    groups[alive & row] = groups.get(alive & row, 0) + cells
                self.looked += len(groups)
                if self.looked > most:
                    return None
                for found, cells in groups.items():
                    state = self._reduced(found, unsettled)
                    if state is not None:
                        following[state] = following.get(state, 0) + weight * cells
            states = following
        return states

    def _reduced(self, alive: int, unsettled: int) -> int | None:
        """The state without what makes no difference any more; None where the cells are not the pair's."""
        sure = alive & ~unsettled
        if sure & self._out:
            return None
        keep = self._out
        for number in (0, 1):
            for clauses, taken in self._denies[number]:
                if sure & clauses:
                    self._tally.taken.add(taken)
                    return None
                keep |= clauses
        needed: list[set[str]] = [
            set(self._own[0]) | (set(self._own[1]) & self._guards[0].keys()),
            set(self._own[1]),
        ]
        for number in (0, 1):
            guards = self._guards[number]
            for earlier in self._earlier[number]:
                if not alive & earlier.clauses:
                    continue
                open_ = [t for t in earlier.targets if not self._surely_removed(number, t, sure)]
                if not open_:
                    continue
                if sure & earlier.clauses and any(not alive & (guards[t] | self._flags[t]) for t in open_):
                    self._tally.taken.add(earlier.taken)
                    return None
                keep |= earlier.clauses
        for number in (0, 1):
            for earlier in self._earlier[number]:
                # A clause may be of both sides, and is then kept for both: a guard that were forgotten would no longer
                # have removed the targets of a route that is kept for the other side only.
                if alive & keep & earlier.clauses:
                    needed[number].update(earlier.targets)
        return self._with_guards(alive, sure, keep, needed)

    def _with_guards(self, alive: int, sure: int, keep: int, needed: Sequence[set[str]]) -> int:
        """Keeps the guards of targets that matter. A target that one guard has removed wherever it matters is one bit."""
        flags = 0
        for target in needed[0] | needed[1]:
            flag = self._flags[target]
            on = [(number, guards[target]) for number, guards in enumerate(self._guards) if target in guards]
            shared = sure
            for _, guards in on:
                shared &= guards
            if alive & flag or shared:
                flags |= flag
                continue
            for number, guards in on:
                if target in needed[number]:
                    keep |= guards
        return alive & keep | flags

    def _surely_removed(self, number: int, target: str, sure: int) -> bool:
        return bool(sure & (self._guards[number][target] | self._flags[target]))

    # What a final state means.

    def kind(self, alive: int) -> Kind | None:
        """How the outcome changed for the cells of a state in which nothing is open any more."""
        settled: list[Settled] = []
        for number in (0, 1):
            kind, index = self._tally.rules[number]
            for earlier in self._earlier[number]:
                if alive & earlier.clauses and self._left(number, earlier.targets, alive):
                    self._tally.taken.add(earlier.taken)
                    return None
            left = self._left(number, self._own[number], alive)
            if kind == "route" and not left:
                self._tally.taken.add((_WHICH[number], ("otherwise", 0)))
                return None
            settled.append(Settled((kind, index), left))
        before, after = settled
        gained = after.left - before.left
        closed = {t for t in after.left if t not in self._guards[0] or self._surely_removed(0, t, alive)}
        found = kind_between(self._tally.together, before, after, closed)
        if found is not None:
            self._learn(0, gained, alive)
            self._learn(1, {t for t in before.left - after.left if t in self._own[1]}, alive)
        return found

    def _left(self, number: int, targets: Sequence[str], alive: int) -> frozenset[str]:
        return frozenset(t for t in targets if not self._surely_removed(number, t, alive))

    def _learn(self, number: int, targets: Iterator[str] | frozenset[str] | set[str], alive: int) -> None:
        matrix = self._tally.together.matrix
        for target in targets:
            for place in bits(alive & self._guards[number].get(target, 0)):
                owner = matrix.clauses[self._classes.numbers[place]].owner
                self._tally.causes.add(Cause(_WHICH[number], owner, target))


def _matters(side: Side, rule: Rule) -> int:
    """The denies and routes that say whether the rule decides on its side."""
    kind, index = rule
    if kind == "deny":
        return side.denied_before(index)
    return side.denied | side.before(index if kind == "route" else len(side.route_places))


def _free(together: Together, box: Box, classes: Classes) -> int:
    """The cells over the axes that no clause divides."""
    divided = {axis.axis for axis in classes.axes}
    return prod(
        box[i].bit_count() if i in box else axis.size
        for i, axis in enumerate(together.matrix.axes)
        if i not in divided
    )


def _ordered(axes: Sequence[AxisClasses]) -> list[AxisClasses]:
    """The axes in an order that soon settles clauses: next the one that leaves the fewest open."""
    left = list(axes)
    out: list[AxisClasses] = []
    begun = 0
    while left:
        best = min(left, key=lambda a: _open(a, left, begun | a.constrained).bit_count())
        left.remove(best)
        begun |= best.constrained
        out.append(best)
    return out


def _open(axis: AxisClasses, left: Sequence[AxisClasses], begun: int) -> int:
    later = 0
    for other in left:
        if other is not axis:
            later |= other.constrained
    return begun & later
