"""Which rule decided before and which decides now, wherever the two decide differently.

In: two policies in one matrix. Out: every pair of deciding rules for which some request has another outcome, each with a
cell; since exactly one rule decides a request in either policy, the pairs partition what changed. Exact: a pair that is
not there does not occur, and what outgrew its budget says so.

The one idea: a request can only be decided differently where a rule that changed decides it in one of the policies, or
where a guard that changed removes a target of the plan. So only those rules are asked about, and the cost follows the
change. (Where neither is the case, both deciding routes are live in both policies, hence the same one.)
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product
from typing import Final, TypeAlias, TypeVar

from policyd.engine.matrix import Matrix
from policyd.policy.program import Deny, Route
from policyd.proofs.conflicts import left_of, telling
from policyd.proofs.find import Box, Cell, Covered, OutOfBudget, bits, meet
from policyd.proofs.kinds import Kind, kind_between
from policyd.proofs.reach import Hunt
from policyd.proofs.side import Decider, Side
from policyd.proofs.together import Pairing, Together

__all__ = ["Blockers", "Outcome", "Pair", "Unfinished", "differing", "kind_at", "outcome", "where"]

Outcome: TypeAlias = tuple[object, ...]
_Rule = TypeVar("_Rule", Route, Deny)


@dataclass(frozen=True, slots=True)
class Pair:
    """Some request is decided by `before` in the old policy and by `after` in the new one, with another outcome; `cell` is
    one."""

    before: Decider
    after: Decider
    cell: Cell


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What this rule's requests turn into is not proved: a question outgrew its budget."""

    rule: Decider


def differing(together: Together) -> Iterator[Pair | Unfinished]:
    """The pairs, each once. The first comes as soon as it is found."""
    seen: set[tuple[Decider, Decider]] = set()
    search = _Pairs(together, seen)
    for number in (0, 1):
        yield from search.of_rules(number)
        yield from search.of_guards(number)
    yield from search.of_otherwise()


def outcome(matrix: Matrix, side: Side, matched: int) -> tuple[Decider, Outcome]:
    """Who decides a request that matches these clauses, and what it gets: the groups that are left, or a status."""
    decider = side.decider(matrix, matched)
    match decider.kind:
        case "deny":
            return decider, ("status", side.program.denies[decider.index].status)
        case "otherwise":
            return decider, ("status", side.program.otherwise.status)
        case "route":
            return decider, left_of(side.program.routes[decider.index], side.left(decider.index, matched))


def kind_at(together: Together, matched: int) -> Kind | None:
    """How the outcome changed for a request that matches these clauses, or None: it did not."""
    old, new = together.old, together.new
    (before, was), (after, now) = (outcome(together.matrix, side, matched) for side in (old, new))
    if was == now:
        return None
    if before.kind == "deny" and after.kind != "deny":
        return Kind.LOOSER
    mine = old.left(before.index, matched) if before.kind == "route" else frozenset()
    theirs = new.left(after.index, matched) if after.kind == "route" else frozenset()
    return kind_between(mine, theirs, allowed=all(old.allows(t, matched) for t in theirs))


def where(
    together: Together,
    before: Decider,
    after: Decider,
    *,
    allowed: tuple[Iterable[str], Iterable[str]] = ((), ()),
    removed: tuple[Iterable[str], Iterable[str]] = ((), ()),
    known: "Blockers | None" = None,
) -> Iterator[Cell]:
    """Cells that `before` decides in the old policy and `after` in the new, where the old and the new guards allow and
    remove these targets. At least one if there is any. Raises `OutOfBudget`."""
    known = Blockers(together) if known is None else known
    sides = (together.old, together.new)
    rules = (before, after)
    avoid = 0
    masks: list[int] = []
    for side, rule, names in zip(sides, rules, allowed, strict=True):
        avoid |= _off(side, rule)
        for target in names:
            avoid |= side.guards_on[target]
    for side, names in zip(sides, removed, strict=True):
        masks.extend(side.guards_on[target] for target in names)
    live = (
        _ways_to_live(side, rule, frozenset(names))
        for side, rule, names in zip(sides, rules, allowed, strict=True)
    )
    choices = tuple(dict.fromkeys(one | other for one, other in product(*live)))
    for box in _boxes(together, sides, rules):
        cell = known.decided(Hunt(box, avoid, tuple(masks), (0, 0), choices), rules)
        if cell is not None:
            yield cell


class Blockers:
    """Which routes stand before a rule where it was looked for. A rule of a long policy meets few of the routes above it,
    so these are learnt from the cells that they decide instead of all being avoided from the start."""

    def __init__(self, together: Together) -> None:
        self._together = together
        self._sides = (together.old, together.new)
        self._known: dict[tuple[int, Decider], int] = {}

    def decided(self, hunt: Hunt, rules: Sequence[Decider | None]) -> Cell | None:
        """A cell of the hunt that the rules decide (None: any), of the old policy and of the new."""
        finder, reach = self._together.finder, self._together.reach
        finder.start()
        for _ in range(_LEARNT):
            past = tuple(
                own | self._known.get((n, r), 0) if r is not None else own
                for n, (own, r) in enumerate(zip(hunt.past, rules, strict=True))
            )
            answer = reach.hunt(replace(hunt, past=past))
            if isinstance(answer, Covered):
                return None
            if not self._learn(finder.matched(answer.cell), rules):
                return answer.cell
        past = tuple(
            own | _past(side, rule) if rule is not None else own
            for own, side, rule in zip(hunt.past, self._sides, rules, strict=True)
        )
        answer = reach.hunt(replace(hunt, past=past))
        return None if isinstance(answer, Covered) else answer.cell

    def _learn(self, matched: int, rules: Sequence[Decider | None]) -> bool:
        """Whether another rule decides the cell in the place of one of these; then it is known from now on."""
        learnt = False
        for number, (side, rule) in enumerate(zip(self._sides, rules, strict=True)):
            if rule is None or rule.kind == "deny":
                continue
            first = side.first_live(self._together.matrix, matched, _past(side, rule))
            if first is not None:
                key = (number, rule)
                self._known[key] = self._known.get(key, 0) | side.route(first)
                learnt = True
        return learnt


def _off(side: Side, rule: Decider) -> int:
    """The denies that must not hold where the rule decides."""
    return side.denied_before(rule.index) if rule.kind == "deny" else side.denied


def _past(side: Side, rule: Decider) -> int:
    """The routes that must not be live where the rule decides."""
    match rule.kind:
        case "deny":
            return 0
        case "route":
            return side.before(rule.index)
        case "otherwise":
            return side.before(len(side.route_places))


def _ways_to_live(side: Side, rule: Decider, allowed: frozenset[str]) -> tuple[int, ...]:
    """The guards to avoid so that a route has a target left: those of one target, if none is known to be."""
    if rule.kind != "route" or not allowed.isdisjoint(side.targets[rule.index]):
        return (0,)
    return tuple(dict.fromkeys(side.guards_on[t] for t in side.targets[rule.index]))


def _clauses(side: Side, rule: Decider) -> int | None:
    """The rule's clauses, or None for `otherwise`, which holds everywhere."""
    match rule.kind:
        case "deny":
            return side.deny(rule.index)
        case "route":
            return side.route(rule.index)
        case "otherwise":
            return None


def _boxes(together: Together, sides: Sequence[Side], rules: Sequence[Decider]) -> Iterator[Box]:
    """Where the conditions of both rules hold."""
    boxes: list[Box] = [{}]
    for side, rule in zip(sides, rules, strict=True):
        clauses = _clauses(side, rule)
        if clauses is not None:
            boxes = [part for box in boxes for part in _parts(together, box, clauses)]
    yield from boxes


def _parts(together: Together, box: Box, clauses: int) -> Iterator[dict[int, int]]:
    for number in bits(together.finder.touching(box, clauses)):
        part = meet(box, together.matrix.boxes[number])
        if part is not None:
            yield part


class _Pairs:
    def __init__(self, together: Together, seen: set[tuple[Decider, Decider]]) -> None:
        self.together = together
        self.sides = (together.old, together.new)
        self.seen = seen
        self.known = Blockers(together)
        both = together.old.guards_on.keys() & together.new.guards_on.keys()
        self.guarded = frozenset(t for t in both if together.old.guards_on[t] != together.new.guards_on[t])
        """targets of both whose guards changed"""
        old, new = together.old.program, together.new.program
        self.routes = _changed(together.routes, old.routes, new.routes, _same_plan)
        self.denies = _changed(together.denies, old.denies, new.denies, lambda a, b: a.status == b.status)

    def of_rules(self, number: int) -> Iterator[Pair | Unfinished]:
        """Pairs in which a route or a deny that changed decides on this side."""
        side = self.sides[number]
        for index in self.denies[number]:
            deny = side.program.denies[index]
            rule = Decider("deny", index, deny.name, deny.span)
            yield from self._opposite(number, rule, (0,), ())
        for index in self.routes[number]:
            rule = _route(side, index)
            ways = tuple(dict.fromkeys(side.guards_on[t] for t in side.targets[index]))
            yield from self._opposite(number, rule, ways, ())

    def of_guards(self, number: int) -> Iterator[Pair | Unfinished]:
        """Pairs in which a route that did not change decides on this side, and the other's guards remove some or all of
        its targets. (A request on which they remove some goes the same way with fewer; where they remove all, to whatever
        comes behind.)"""
        side, other = self.sides[number], self.sides[1 - number]
        for index, twin in self.unchanged(number):
            targets = side.targets[index]
            lost = [t for t in targets if t in self.guarded and other.guards_on[t] & ~side.guards_on[t]]
            if not lost:
                continue
            rule = _route(side, index)
            try:
                yield from self._pair(number, rule, _route(other, twin))
            except OutOfBudget:
                yield Unfinished(rule)
                continue
            ways = tuple(dict.fromkeys(side.guards_on[t] for t in targets))
            yield from self._opposite(number, rule, ways, other.guards(targets))

    def unchanged(self, number: int) -> Iterator[tuple[int, int]]:
        """The routes that both have with one condition and one plan: their numbers on this side and on the other."""
        changed = frozenset(self.routes[number])
        for pair in self.together.routes:
            own, twin = pair[number], pair[1 - number]
            if own is not None and twin is not None and own not in changed:
                yield own, twin

    def of_otherwise(self) -> Iterator[Pair | Unfinished]:
        old, new = (side.program.otherwise for side in self.sides)
        if old.status == new.status:
            return
        rules = [Decider("otherwise", 0, "otherwise", o.span) for o in (old, new)]
        try:
            for cell in where(self.together, rules[0], rules[1]):
                yield Pair(rules[0], rules[1], cell)
                return
        except OutOfBudget:
            yield Unfinished(rules[0])

    def _opposite(
        self, number: int, rule: Decider, ways: Sequence[int], removed: tuple[int, ...]
    ) -> Iterator[Pair | Unfinished]:
        """The pairs of this side's rule with the other side's deciders. `ways`: guards to avoid, one at a time."""
        side = self.sides[number]
        clauses = _clauses(side, rule)
        assert clauses is not None
        try:
            for box in _parts(self.together, {}, clauses):
                hunt = Hunt(box, _off(side, rule), removed, (0, 0), tuple(ways))
                yield from self._chain(number, rule, hunt)
        except OutOfBudget:
            yield Unfinished(rule)

    def _chain(self, number: int, rule: Decider, base: Hunt) -> Iterator[Pair]:
        """Every decider of the other side where this side's rule decides in the base, if the outcomes can differ: one
        after the other in their order, until nothing is left for those behind."""
        other = self.sides[1 - number]
        for index, deny in enumerate(other.program.denies):
            if self.together.finder.touching(base.box, other.deny(index)):
                yield from self._pair(number, rule, Decider("deny", index, deny.name, deny.span))
        base = replace(base, avoid=base.avoid | other.denied)
        passed = 0
        left = self._ask(number, rule, None, base, passed)
        touching = self.together.finder.touching(base.box, other.all_routes)
        for index in tuple(other.owners(self.together.matrix, touching)):
            if left is None:
                return
            decider = _route(other, index)
            matched = self.together.finder.matched(left)
            if not self._alike(number, rule, decider):
                decides = other.first_live(self.together.matrix, matched) == index
                at = left if decides else self._occurs(number, rule, decider, base)
                if at is None:
                    continue
                yield from self._pair(number, rule, decider, at)
            passed |= other.route(index)
            if other.live(index, matched):
                left = self._ask(number, rule, None, base, passed)
        if left is not None:
            otherwise = Decider("otherwise", 0, "otherwise", other.program.otherwise.span)
            yield from self._pair(number, rule, otherwise)

    def _occurs(self, number: int, own: Decider, rule: Decider, base: Hunt) -> Cell | None:
        """A request of the base that is decided by this route of the other side."""
        other = self.sides[1 - number]
        ways = dict.fromkeys(other.guards_on[t] for t in other.targets[rule.index])
        choices = tuple(dict.fromkeys(one | way for one in base.choices for way in ways))
        parts = _parts(self.together, base.box, other.route(rule.index))
        asked = (self._ask(number, own, rule, replace(base, box=b, choices=choices), 0) for b in parts)
        return next((cell for cell in asked if cell is not None), None)

    def _ask(self, number: int, own: Decider, rule: Decider | None, hunt: Hunt, passed: int) -> Cell | None:
        """A request of the hunt that this side's rule decides and, if it is given, the other side's; and for which none
        of the other's routes is live that were passed."""
        past = (0, passed) if number == 0 else (passed, 0)
        rules = (own, rule) if number == 0 else (rule, own)
        return self.known.decided(replace(hunt, past=past), rules)

    def _alike(self, number: int, own: Decider, rule: Decider) -> bool:
        """The pair is known already, or its outcomes are equal wherever it occurs."""
        before, after = (own, rule) if number == 0 else (rule, own)
        if (before, after) in self.seen:
            return True
        if before.kind != "route" or after.kind != "route":
            rejected = before.kind != "route" and after.kind != "route"
            return rejected and self._status(0, before) == self._status(1, after)
        old, new = self._written(0, before), self._written(1, after)
        return self.guarded.isdisjoint(old.targets) and _same_plan(old, new)

    def _pair(self, number: int, own: Decider, rule: Decider, known: Cell | None = None) -> Iterator[Pair]:
        """The pair, if it occurs with different outcomes. `known`: a cell that the two decide."""
        if self._alike(number, own, rule):
            return
        before, after = (own, rule) if number == 0 else (rule, own)
        first = () if known is None else (known,)
        for cell in chain(first, chain.from_iterable(self._places(before, after))):
            if kind_at(self.together, self.together.finder.matched(cell)) is not None:
                self.seen.add((before, after))
                yield Pair(before, after, cell)
                return

    def _places(self, before: Decider, after: Decider) -> Iterator[Iterator[Cell]]:
        """Where the two could differ, likely places first. INVARIANT: if the outcomes differ for some request, then in
        one of these places they differ everywhere."""
        if before.kind != "route" or after.kind != "route":
            yield self._where(before, after)
            return
        old, new = self._written(0, before), self._written(1, after)
        mine, theirs = frozenset(old.targets), frozenset(new.targets)
        for target in old.targets:
            if target not in theirs:
                yield self._where(before, after, allowed=((target,), ()))
        for target in new.targets:
            if target not in mine:
                yield self._where(before, after, allowed=((), (target,)))
        for target in old.targets:
            if target in theirs and target in self.guarded:
                yield self._where(before, after, allowed=((target,), ()), removed=((), (target,)))
                yield self._where(before, after, allowed=((), (target,)), removed=((target,), ()))
        for pair in telling(old, new):
            if mine.issuperset(pair) and theirs.issuperset(pair):
                yield self._where(before, after, allowed=(pair, pair))

    def _where(
        self,
        before: Decider,
        after: Decider,
        *,
        allowed: tuple[tuple[str, ...], tuple[str, ...]] = ((), ()),
        removed: tuple[tuple[str, ...], tuple[str, ...]] = ((), ()),
    ) -> Iterator[Cell]:
        return where(self.together, before, after, allowed=allowed, removed=removed, known=self.known)

    def _written(self, number: int, rule: Decider) -> Route:
        return self.sides[number].program.routes[rule.index]

    def _status(self, number: int, rule: Decider) -> int:
        program = self.sides[number].program
        return program.otherwise.status if rule.kind == "otherwise" else program.denies[rule.index].status


_LEARNT: Final = 24
"""So many routes are learnt one by one; where more stand before a rule, all that could are avoided."""


def _route(side: Side, index: int) -> Decider:
    route = side.program.routes[index]
    return Decider("route", index, route.name, route.span)


def _same_plan(old: Route, new: Route) -> bool:
    return old.groups == new.groups or left_of(old, frozenset(old.targets)) == left_of(
        new, frozenset(new.targets)
    )


def _changed(
    pairing: Pairing, old: Sequence[_Rule], new: Sequence[_Rule], same: Callable[[_Rule, _Rule], bool]
) -> Mapping[int, list[int]]:
    """The rules of either side that the other does not have, or has with another outcome."""
    out: dict[int, list[int]] = {0: [], 1: []}
    for i, j in pairing:
        if i is not None and j is not None and same(old[i], new[j]):
            continue
        if i is not None:
            out[0].append(i)
        if j is not None:
            out[1].append(j)
    return out
