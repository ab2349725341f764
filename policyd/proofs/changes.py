"""What changed between two policies, over every possible request, as data.

In: two policies in one matrix. Out: `Changes`: the pairs of rules that decide differently, each classified and with cells
to show, and what the guards and denies newly let through whether or not a route uses it. A witness is made when it is asked
for, since nobody reads ten thousand; the reference confirms it.

A pair is what its worst request is: whether any request of it is looser, and whether any newly reaches a target, is
decided exactly. A region of a pair is where `before` decides in the old and `after` in the new policy.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from policyd.policy.decision import Decision, Reject
from policyd.policy.program import Value
from policyd.policy.request import Request
from policyd.policy.variants import sends_alike, takes_out_more
from policyd.proofs.conflicts import telling
from policyd.proofs.find import Cell, OutOfBudget, bits
from policyd.proofs.kinds import Kind, allowed_by, decide, denied, kind_of
from policyd.proofs.pairs import Pair, Unfinished, differing, kind_at, where
from policyd.proofs.reach import Hunt
from policyd.proofs.side import Decider
from policyd.proofs.together import Together
from policyd.proofs.witness import Claim, smallest
from policyd.text.source import Span

__all__ = [
    "Change", "Changes", "Loosened", "Shown", "changes", "is_same", "show", "show_loosened",
]  # fmt: skip


_Names: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]
"""Targets, by the old policy and by the new."""
_NONE: Final[_Names] = ((), ())


@dataclass(frozen=True, slots=True)
class Change:
    """`kinds`: those that were found among the pair's requests, worst first, each with a cell; the first is exact."""

    before: Decider
    after: Decider
    kinds: tuple[tuple[Kind, Cell], ...]

    @property
    def kind(self) -> Kind:
        return self.kinds[0][0]


@dataclass(frozen=True, slots=True)
class Loosened:
    """The new guards allow `target` where the old guard `rule` removed it (None: the target is new), or, without a target,
    a request that the old deny `rule` rejected is not rejected by any deny now."""

    target: str | None
    rule: str | None
    span: Span | None
    cell: Cell


@dataclass(frozen=True, slots=True)
class Changes:
    """`unfinished`: rules of which it is not proved what their requests turn into. Without these, no pairs means that
    every request is decided alike."""

    pairs: tuple[Change, ...]
    loosened: tuple[Loosened, ...]
    unfinished: tuple[Unfinished, ...]

    @property
    def same(self) -> bool:
        return not self.pairs and not self.unfinished


@dataclass(frozen=True, slots=True)
class Shown:
    """A smallest request that shows a change: what is not quiet, and what either policy says of it."""

    given: tuple[tuple[str, Value | None], ...]
    request: Request
    before: Decision
    after: Decision


def changes(together: Together) -> Changes:
    """Everything that changed."""
    pairs: list[Change] = []
    unfinished: list[Unfinished] = []
    for found in differing(together):
        if isinstance(found, Unfinished):
            unfinished.append(found)
            continue
        try:
            pairs.append(_classified(together, found))
        except OutOfBudget:
            unfinished.append(Unfinished(found.before))
    loosened, open_ = _loosened(together)
    ranked = sorted(pairs, key=lambda c: -c.kind)
    return Changes(tuple(ranked), loosened, (*unfinished, *open_))


def is_same(together: Together) -> bool | None:
    """Whether every request is decided alike; None where that is not proved."""
    same: bool | None = True
    for found in differing(together):
        if isinstance(found, Pair):
            return False
        same = None
    return same


def _classified(together: Together, pair: Pair) -> Change:
    kinds: dict[Kind, Cell] = {}

    def note(cell: Cell) -> None:
        kind = kind_at(together, together.finder.matched(cell))
        if kind is not None:
            kinds.setdefault(kind, cell)

    note(pair.cell)
    for most, allowed, removed in _places(together, pair):
        if most > max(kinds):
            found = where(together, pair.before, pair.after, allowed=allowed, removed=removed)
            for cell in islice(found, 1):
                note(cell)
    return Change(pair.before, pair.after, tuple(sorted(kinds.items(), reverse=True)))


def _places(together: Together, pair: Pair) -> Iterator[tuple[Kind, _Names, _Names]]:
    """Every way in which the pair's outcomes could differ: the targets that the old and the new guards allow there and
    remove there, and the worst that a request there is. INVARIANT: if a request of the pair is of some kind, one of these
    ways finds a request that is as bad."""
    old, new = together.old, together.new
    mine = old.targets[pair.before.index] if pair.before.kind == "route" else ()
    theirs = new.targets[pair.after.index] if pair.after.kind == "route" else ()
    for target in theirs:
        if target not in old.guards_on:
            yield Kind.LOOSER, ((), (target,)), _NONE
        elif old.guards_on[target] & ~new.guards_on[target]:
            yield Kind.LOOSER, ((), (target,)), ((target,), ())
    for target in theirs:
        if target not in mine and target in old.guards_on:
            plainer = tuple(m for m in mine if takes_out_more(target, m))
            yield Kind.NEWLY_REACHED, ((target,), (target,)), (plainer, ())
    for target in mine:
        if target not in theirs:
            alike = tuple(t for t in theirs if sends_alike(target, t))
            yield Kind.TIGHTER, ((target,), ()), ((), alike)
        elif new.guards_on[target] & ~old.guards_on[target]:
            yield Kind.TIGHTER, ((target,), ()), ((), (target,))
    if mine and theirs:
        routes = old.program.routes[pair.before.index], new.program.routes[pair.after.index]
        for two in telling(*routes):
            if set(two) <= set(mine) and set(two) <= set(theirs):
                yield Kind.RE_ROUTED, (two, two), _NONE


def _loosened(together: Together) -> tuple[tuple[Loosened, ...], tuple[Unfinished, ...]]:
    """What the guards newly allow and which denies are lifted, whatever the routes do."""
    out: list[Loosened] = []
    unfinished: list[Unfinished] = []
    old, new = together.old, together.new
    for index, deny in enumerate(old.program.denies):
        rule = Decider("deny", index, deny.name, deny.span)
        try:
            cell = _cell(together, old.deny(index) & ~new.denied, new.denied)
        except OutOfBudget:
            unfinished.append(Unfinished(rule))
            continue
        if cell is not None:
            out.append(Loosened(None, deny.name, deny.span, cell))
    guards = [(g, place) for g, place in zip(old.program.guards, old.guard_places, strict=True) if g.hits]
    for target in new.program.targets:
        avoid = new.denied | new.guards_on[target.name]
        if target.name not in old.guards_on:
            try:
                cell = together.reach.cell(Hunt({}, avoid, (), (0, 0)))
            except OutOfBudget:
                unfinished.append(Unfinished(Decider("otherwise", 0, target.name, target.span)))
                continue
            if cell is not None:
                out.append(Loosened(target.name, None, target.span, cell))
            continue
        if not old.guards_on[target.name] & ~new.guards_on[target.name]:
            continue
        for guard, place in guards:
            if target.name not in guard.hits:
                continue
            try:
                cell = _cell(together, together.matrix.guards[place] & ~avoid, avoid)
            except OutOfBudget:
                unfinished.append(Unfinished(Decider("otherwise", 0, guard.name, guard.span)))
                continue
            if cell is not None:
                out.append(Loosened(target.name, guard.name, guard.span, cell))
    return tuple(out), tuple(unfinished)


def _cell(together: Together, clauses: int, avoid: int) -> Cell | None:
    """A cell of one of the clauses, outside all that are to be avoided."""
    hunts = (Hunt(together.matrix.boxes[number], avoid, (), (0, 0)) for number in bits(clauses))
    return next((cell for hunt in hunts if (cell := together.reach.cell(hunt)) is not None), None)


# Witnesses: only when somebody looks, and confirmed by the reference.


def show(together: Together, change: Change, number: int = 0) -> Shown:
    """A smallest request of the pair (`number`: of which of its kinds)."""
    kind, cell = change.kinds[number]
    old, new = together.old, together.new

    def claim(request: Request) -> bool:
        return (
            kind_of(old.program, new.program, request) is kind
            and _is(decide(old.program, request), change.before)
            and _is(decide(new.program, request), change.after)
        )

    def quick(matched: int) -> bool:
        return (
            kind_at(together, matched) is kind
            and old.decider(together.matrix, matched) == change.before
            and new.decider(together.matrix, matched) == change.after
        )

    return _shown(together, cell, claim, quick)


def show_loosened(together: Together, loosened: Loosened) -> Shown:
    """A smallest request that is newly allowed the target, or no longer rejected."""
    old, new, target = together.old, together.new, loosened.target

    def claim(request: Request) -> bool:
        if target is None:
            before, after = decide(old.program, request), decide(new.program, request)
            return denied(before) and not denied(after)
        return target in allowed_by(new.program, request) - allowed_by(old.program, request)

    def quick(matched: int) -> bool:
        if matched & new.denied:
            return False
        if target is None:
            return bool(matched & old.denied)
        return new.allows(target, matched) and (bool(matched & old.denied) or not old.allows(target, matched))

    return _shown(together, loosened.cell, claim, quick)


def _is(decision: Decision, rule: Decider) -> bool:
    if isinstance(decision, Reject):
        return decision.by[0] == rule.name
    return rule.kind == "route" and decision.route == rule.name


def _shown(together: Together, cell: Cell, claim: Claim, quick: Callable[[int], bool]) -> Shown:
    given, request = smallest(together.program, together.matrix, cell, claim, quick)
    before, after = (decide(side.program, request) for side in (together.old, together.new))
    return Shown(given, request, before, after)
