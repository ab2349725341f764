"""The nearest request with another outcome, or in which what was hoped for comes true.

In come a program, a request and a goal; out come requests that reach the goal by changing the fewest features, and
whether it is proved that no fewer do. Exact: the request's atoms are fixed on all axes but those of a set of features, and
`find` says whether the rest of the box reaches the goal.

Which sets have to be asked is found as smallest hitting sets. A set of features that does not reach the goal is grown until
every further feature would; then whatever reaches it changes one of the features that are left, a *core*. A smallest set
that hits every core known so far is asked next: if it reaches the goal, no smaller one does; if not, there is another core.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from policyd.engine.cells import cell_of
from policyd.engine.matrix import Matrix, build_matrix
from policyd.explain.apart import counted, differing, led_by
from policyd.explain.beside import beside, pins
from policyd.explain.goals import Goal
from policyd.policy.builtins import UNSCANNED
from policyd.policy.condition import AtLeast, tests_of
from policyd.policy.decision import Decision
from policyd.policy.evaluate import evaluate
from policyd.policy.program import Feature, Program, Provenance, Value
from policyd.policy.request import Request, admit
from policyd.proofs.case import Case, open_case
from policyd.proofs.find import Budget, OutOfBudget
from policyd.proofs.kinds import outcome_by
from policyd.proofs.witness import Disagreement, told

__all__ = ["BUDGET", "Change", "Nearby", "Nearest", "nearest"]

BUDGET = Budget(nodes=20_000, seconds=2.0, together=10.0)

_MOST_SHOWN = 3
_MOST_TRIED = 24
"""Sets of the least size that are asked for further requests."""


@dataclass(frozen=True, slots=True)
class Change:
    """One feature that differs. `follows`: it only does because another does, and does not count."""

    feature: Feature
    before: Value
    after: Value
    follows: bool


@dataclass(frozen=True, slots=True)
class Nearby:
    """A request that reaches the goal, confirmed by the reference; `given` is what of it is not quiet."""

    request: Request
    given: tuple[tuple[str, Value | None], ...]
    decision: Decision
    changes: tuple[Change, ...]

    @property
    def distance(self) -> int:
        return sum(not c.follows for c in self.changes)


@dataclass(frozen=True, slots=True)
class Nearest:
    """`found` have one distance; where `proved`, it is the least there is, and empty means that no request reaches the
    goal. Not proved: the search ran out of its budget, and `found` is the best it came across."""

    found: tuple[Nearby, ...]
    proved: bool


def nearest(program: Program, request: Request, goal: Goal, budget: Budget = BUDGET) -> Nearest:
    read = _read(program)
    bare = replace(program, assertions=())
    matrix = build_matrix(bare, pins(request, read))
    if not isinstance(matrix, Matrix):
        # Atoms for the request's own values broke a cap that the policy alone keeps.
        return Nearest((), proved=False)
    search = _Search(bare, matrix, request, goal, open_case(bare, matrix, budget))
    try:
        found = search.run()
    except OutOfBudget:
        best = search.best
        return Nearest(() if best is None else (_nearby(program, request, best),), proved=False)
    nearby = [_nearby(program, request, _scanned(program, request, r, goal)) for r in found]
    return Nearest(_of_each_kind(program, nearby)[:_MOST_SHOWN], proved=True)


def _of_each_kind(program: Program, nearby: Sequence[Nearby]) -> tuple[Nearby, ...]:
    """Those with an outcome of their own first: three ways to one rejection say less than a way to each of three."""
    first: dict[tuple[object, ...], Nearby] = {}
    for one in nearby:
        first.setdefault(outcome_by(program, one.request, one.decision), one)
    own = tuple(first.values())
    return own + tuple(n for n in nearby if all(n is not o for o in own))


def _scanned(program: Program, before: Request, after: Request, goal: Goal) -> Request:
    """Without its images a request is no longer opaque, where that is as good: a person who takes them out has both."""
    lost = any(before.values[n] and not after.values[n] for n in UNSCANNED)
    if not lost or not after.values["opaque"] or any(after.values[n] for n in UNSCANNED):
        return after
    plain = admit(program, {**after.values, "opaque": False})
    return plain if isinstance(plain, Request) and goal.has(plain) else after


def _read(program: Program) -> frozenset[str]:
    """The features that any condition tests."""
    conditions = [
        *(s.when for level in program.levels for s in level.starts),
        *(r.when for level in program.levels for r in level.raises),
        *(g.condition for g in program.guards),
        *(d.condition for d in program.denies),
        *(r.condition for r in program.routes),
        *(i.scope for i in program.inclusions),
    ]
    tests = (t for c in conditions for t in tests_of(c))
    return frozenset(t.feature for t in tests if not isinstance(t, AtLeast))


def _nearby(program: Program, before: Request, after: Request) -> Nearby:
    names = differing(program, before, after)
    counting = counted(names)
    given = told(program, after)
    return Nearby(
        after,
        tuple((f.name, given[f.name]) for f in program.features if f.name in given),
        evaluate(program, after),
        tuple(
            Change(f, before.values[f.name], after.values[f.name], f.name not in counting)
            for f in program.features
            if f.name in names
        ),
    )


class _Search:
    """One search. `best` is the nearest request that it came across; it may ask for more than it needs to know."""

    def __init__(self, program: Program, matrix: Matrix, request: Request, goal: Goal, case: Case) -> None:
        self.best: Request | None = None
        self._program = program
        self._matrix = matrix
        self._request = request
        self._goal = goal
        self._case = case
        self._here = cell_of(matrix, request)
        self._features = _by_ease(program, {axis.feature for axis in matrix.axes})
        self._least = len(self._features) + 1

    def run(self) -> tuple[Request, ...]:
        """Every nearest request that is shown, or none: there is none. Raises `OutOfBudget`."""
        if self._goal.has(self._request):
            return (self._request,)
        if self._ask(frozenset(self._features)) is None:
            return ()
        self._shrink()
        cores: list[tuple[str, ...]] = [self._features]
        size = 1
        while True:
            if self.best is not None and self._least <= size:
                # Whatever reaches the goal hits every core, and nothing smaller does.
                return self._and_others(self.best, cores, size)
            freed = next(_hits(cores, size), None)
            if freed is None:
                size += 1
            elif (found := self._ask(freed)) is not None:
                return self._and_others(found, cores, size)
            else:
                cores.append(self._core(freed))

    def _ask(self, freed: frozenset[str]) -> Request | None:
        """A request that reaches the goal and differs in these features only, and in what follows them."""
        free = led_by(freed)
        box = {
            at: 1 << atom
            for at, (axis, atom) in enumerate(zip(self._matrix.axes, self._here, strict=True))
            if axis.feature not in free
        }
        cell = self._goal.cell(self._case, box)
        if cell is None:
            return None
        request = beside(self._program, self._matrix, self._request, cell)
        if not self._goal.has(request):
            raise Disagreement(f"the search found {request.values!r}, which the reference does not confirm")
        distance = len(counted(differing(self._program, self._request, request)))
        if distance < self._least:
            self.best, self._least = request, distance
        return request

    def _shrink(self) -> None:
        """Brings `best` nearer, feature by feature: should the budget end, it is worth showing."""
        assert self.best is not None
        freed = counted(differing(self._program, self._request, self.best))
        for name in self._features[::-1]:
            if name in freed and self._ask(freed - {name}) is not None:
                freed -= {name}

    def _core(self, freed: frozenset[str]) -> tuple[str, ...]:
        """Features of which every request that reaches the goal changes one, the easiest to change first. INVARIANT: `freed` does not reach it, and all
        features together do."""
        for name in self._features[::-1]:
            if name not in freed and self._ask(freed | {name}) is None:
                freed |= {name}
        return tuple(name for name in self._features if name not in freed)

    def _and_others(self, first: Request, cores: Sequence[tuple[str, ...]], size: int) -> tuple[Request, ...]:
        """A few further requests that are as near, by changing other features. What there is no time for is left out."""
        changed = differing(self._program, self._request, first)
        found = {changed: first}
        tried = {counted(changed)}
        for hitting in _hits(cores, size):
            if len(tried) > _MOST_TRIED:
                break
            if hitting in tried:
                continue
            tried.add(hitting)
            try:
                other = self._ask(hitting)
            except OutOfBudget:
                break
            if other is not None:
                found.setdefault(differing(self._program, self._request, other), other)
        return tuple(found.values())


def _by_ease(program: Program, names: set[str]) -> tuple[str, ...]:
    """What the caller writes first, then what the content says, then what nobody here can choose."""
    order = (Provenance.CLAIMED, Provenance.DERIVED, Provenance.ATTESTED)
    features = sorted(program.features, key=lambda f: order.index(f.provenance))
    return tuple(f.name for f in features if f.name in names)


def _hits(
    cores: Sequence[tuple[str, ...]],
    size: int,
    chosen: frozenset[str] = frozenset(),
    barred: frozenset[str] = frozenset(),
) -> Iterator[frozenset[str]]:
    """The sets of at most `size` features with one of each core, none twice and none with more than it takes."""
    missed = next((core for core in cores if chosen.isdisjoint(core)), None)
    if missed is None:
        yield chosen
        return
    if len(chosen) == size:
        return
    for name in (n for n in missed if n not in barred):
        yield from _hits(cores, size, chosen | {name}, barred)
        barred |= {name}
