"""Which rule decided before and which decides now, wherever the two decide differently.

In: two policies in one matrix. Out: every pair of deciding rules for which some request has another outcome, each with a
cell; since exactly one rule decides a request in either policy, the pairs partition what changed. Exact: a pair that is
not there does not occur, and what outgrew its budget says so.

The one idea: a request can only be decided differently where a rule that changed decides it in one of the policies, or
where a guard that changed removes a target of the plan. So only those rules are asked about, and the cost follows the
change. (Where neither is the case, both deciding routes are live in both policies, hence the same one.)
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

from policyd.policy.program import Route
from policyd.proofs.conflicts import left_of, telling
from policyd.proofs.find import Box, Cell, Covered, Found, OutOfBudget, bits, meet
from policyd.proofs.kinds import Kind
from policyd.proofs.reach import Hunt
from policyd.proofs.side import Decider, Side
from policyd.proofs.together import Pairing, Together

__all__ = ["Pair", "Unfinished", "differing", "kind_at", "outcome", "where"]

Outcome: TypeAlias = tuple[object, ...]


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


@dataclass(frozen=True, slots=True)
class _Base:
    """Where a rule of one side decides: a hunt whose `past` is set for that side only."""

    rule: Decider
    hunt: Hunt


def differing(together: Together) -> Iterator[Pair | Unfinished]:
    """The pairs, each once. The first comes as soon as it is found."""
    seen: set[tuple[Decider, Decider]] = set()
    search = _Pairs(together, seen)
    for number in (0, 1):
        yield from search.of_rules(number)
        yield from search.of_guards(number)
    yield from search.of_otherwise()


def outcome(together: Together, side: Side, matched: int) -> tuple[Decider, Outcome]:
    """Who decides a request that matches these clauses, and what it gets: the groups that are left, or a status."""
    decider = side.decider(together.matrix, matched)
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
    (before, was), (after, now) = outcome(together, old, matched), outcome(together, new, matched)
    if before.kind == "deny" and after.kind != "deny":
        return Kind.LOOSER
    if was == now:
        return None
    mine = old.left(before.index, matched) if before.kind == "route" else frozenset()
    theirs = new.left(after.index, matched) if after.kind == "route" else frozenset()
    if any(not old.allows(t, matched) for t in theirs):
        return Kind.LOOSER
    if theirs - mine:
        return Kind.NEWLY_REACHED
    if mine - theirs:
        return Kind.TIGHTER
    return Kind.RE_ROUTED if mine else Kind.OTHER_STATUS


def where(
    together: Together,
    before: Decider,
    after: Decider,
    *,
    allowed: tuple[Iterable[str], Iterable[str]] = ((), ()),
    removed: tuple[Iterable[str], Iterable[str]] = ((), ()),
) -> Iterator[Cell]:
    """Cells that `before` decides in the old policy and `after` in the new, where the old and the new guards allow and
    remove these targets. At least one if there is any. Raises `OutOfBudget`."""
    sides = (together.old, together.new)
    avoid = 0
    masks: list[int] = []
    past: list[int] = []
    for side, rule, names in zip(sides, (before, after), allowed, strict=True):
        avoid |= _off(side, rule)
        past.append(_past(side, rule))
        for target in names:
            avoid |= side.guards_on[target]
    for side, names in zip(sides, removed, strict=True):
        masks.extend(side.guards_on[target] for target in names)
    live = [_ways_to_live(side, rule, frozenset(names)) for side, rule, names in zip(sides, (before, after), allowed, strict=True)]  # fmt: skip
    for box in _boxes(together, sides, (before, after)):
        for first in live[0]:
            for second in live[1]:
                together.finder.start()
                answer = together.reach.hunt(Hunt(box, avoid | first | second, tuple(masks), tuple(past)))
                if isinstance(answer, Found):
                    yield answer.cell


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
        both = together.old.guards_on.keys() & together.new.guards_on.keys()
        self.guarded = frozenset(t for t in both if together.old.guards_on[t] != together.new.guards_on[t])
        """targets of both whose guards changed"""
        self.routes = _changed(together.routes, _plans(together.old), _plans(together.new))
        self.denies = _changed(
            together.denies,
            [d.status for d in together.old.program.denies],
            [d.status for d in together.new.program.denies],
        )

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
        """Pairs in which this side's plan has a target that the other's guards remove."""
        side, other = self.sides[number], self.sides[1 - number]
        for index, targets in enumerate(side.targets):
            if self.guarded.isdisjoint(targets):
                continue
            for target in self.guarded.intersection(targets):
                if other.guards_on[target] & ~side.guards_on[target]:
                    ways = (side.guards_on[target],)
                    removed = (other.guards_on[target],)
                    yield from self._opposite(number, _route(side, index), ways, removed)

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
        past = (_past(side, rule), 0) if number == 0 else (0, _past(side, rule))
        try:
            for box in _parts(self.together, {}, clauses):
                for way in ways:
                    hunt = Hunt(box, _off(side, rule) | way, removed, past)
                    if self._ask(hunt) is None:
                        continue
                    yield from self._chain(number, _Base(rule, hunt))
        except OutOfBudget:
            yield Unfinished(rule)

    def _chain(self, number: int, base: _Base) -> Iterator[Pair]:
        """Every decider of the other side where the base's rule decides on this one, if the outcomes can differ."""
        other = self.sides[1 - number]
        box, avoid = base.hunt.box, base.hunt.avoid
        for index, deny in enumerate(other.program.denies):
            if self.together.finder.touching(box, other.deny(index)):
                yield from self._pair(number, base, Decider("deny", index, deny.name, deny.span))
        avoid |= other.denied
        passed = 0
        for index in other.owners(self.together.matrix, self.together.finder.touching(box, other.all_routes)):
            rule = _route(other, index)
            if self._known(number, base, rule):
                continue
            passed += 1
            if passed % _LOOKS == 0 and not self._still(number, base, avoid, other.before(index)):
                return
            yield from self._pair(number, base, rule)
        yield from self._pair(
            number, base, Decider("otherwise", 0, "otherwise", other.program.otherwise.span)
        )

    def _still(self, number: int, base: _Base, avoid: int, before: int) -> bool:
        """Whether any request of the base is left to the other side's rules behind these."""
        own = base.hunt.past[number]
        past = (own, before) if number == 0 else (before, own)
        return self._ask(Hunt(base.hunt.box, avoid, base.hunt.removed, past)) is not None

    def _ask(self, hunt: Hunt) -> Cell | None:
        self.together.finder.start()
        answer = self.together.reach.hunt(hunt)
        return None if isinstance(answer, Covered) else answer.cell

    def _known(self, number: int, base: _Base, rule: Decider) -> bool:
        """The pair is known already, or its outcomes are equal wherever it occurs."""
        before, after = (base.rule, rule) if number == 0 else (rule, base.rule)
        if (before, after) in self.seen:
            return True
        if before.kind != "route" or after.kind != "route":
            lifted = before.kind == "deny" and after.kind == "otherwise"
            rejected = before.kind != "route" and after.kind != "route"
            return rejected and not lifted and self._status(0, before) == self._status(1, after)
        old, new = self._written(0, before), self._written(1, after)
        return self.guarded.isdisjoint(old.targets) and left_of(old, frozenset(old.targets)) == left_of(
            new, frozenset(new.targets)
        )

    def _pair(self, number: int, base: _Base, rule: Decider) -> Iterator[Pair]:
        """The pair, if it occurs with different outcomes."""
        if self._known(number, base, rule):
            return
        before, after = (base.rule, rule) if number == 0 else (rule, base.rule)
        for cell in chain.from_iterable(self._places(before, after)):
            if kind_at(self.together, self.together.finder.matched(cell)) is not None:
                self.seen.add((before, after))
                yield Pair(before, after, cell)
                return

    def _places(self, before: Decider, after: Decider) -> Iterator[Iterator[Cell]]:
        """Where the two could differ, likely places first. INVARIANT: if the outcomes differ for some request, then in
        one of these places they differ everywhere."""
        if before.kind != "route" or after.kind != "route":
            yield where(self.together, before, after)
            return
        old, new = self._written(0, before), self._written(1, after)
        mine, theirs = frozenset(old.targets), frozenset(new.targets)
        for target in old.targets:
            if target not in theirs:
                yield where(self.together, before, after, allowed=((target,), ()))
        for target in new.targets:
            if target not in mine:
                yield where(self.together, before, after, allowed=((), (target,)))
        for target in old.targets:
            if target in theirs and target in self.guarded:
                yield where(self.together, before, after, allowed=((target,), ()), removed=((), (target,)))
                yield where(self.together, before, after, allowed=((), (target,)), removed=((target,), ()))
        for pair in telling(old, new):
            if mine.issuperset(pair) and theirs.issuperset(pair):
                yield where(self.together, before, after, allowed=(pair, pair))

    def _written(self, number: int, rule: Decider) -> Route:
        return self.sides[number].program.routes[rule.index]

    def _status(self, number: int, rule: Decider) -> int:
        program = self.sides[number].program
        return program.otherwise.status if rule.kind == "otherwise" else program.denies[rule.index].status


_LOOKS = 4
"""After so many rules it is asked whether any request is left for those behind."""


def _route(side: Side, index: int) -> Decider:
    route = side.program.routes[index]
    return Decider("route", index, route.name, route.span)


def _plans(side: Side) -> list[Outcome]:
    return [left_of(r, frozenset(r.targets)) for r in side.program.routes]


def _changed(pairing: Pairing, old: Sequence[object], new: Sequence[object]) -> Mapping[int, list[int]]:
    """The rules of either side that the other does not have, or has with another outcome."""
    out: dict[int, list[int]] = {0: [], 1: []}
    for i, j in pairing:
        if i is not None and j is not None and old[i] == new[j]:
            continue
        if i is not None:
            out[0].append(i)
        if j is not None:
            out[1].append(j)
    return out
