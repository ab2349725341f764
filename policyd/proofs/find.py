"""The one primitive of every proof: `find(box, avoid)`.

In: a box (atoms allowed per axis; an axis that is missing is free) and a set of clauses, as a bit mask over the matrix,
to avoid. Out: `Found`, a cell of the box that no avoided clause matches, or `Covered`, a set of avoided clauses that
together cover the box. Exact either way; a search that outgrows its budget raises `OutOfBudget` and proves nothing.

The idea: try a cell of atoms that few clauses accept; it is decided by a few ANDs. Else filter the clauses by `rows` to those
that touch the box, make them a small problem (`compact`), and have that searched (`local`). Where very many clauses touch the
box, only those are looked at that a cell found so far has met: a cell is checked against all of them, and what covers the
box covers it. It knows no routes and no guards; `reach` does.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from policyd.engine.boxes import Box
from policyd.engine.matrix import Matrix
from policyd.proofs.compact import Compactor, Numbered
from policyd.proofs.local import Local, Rule, Solver
from policyd.proofs.rows import Cell, Rows, bits, meet
from policyd.proofs.sat import Search, search

__all__ = ["Box", "Budget", "Cell", "Covered", "Finder", "Found", "OutOfBudget", "bits", "meet"]


@dataclass(frozen=True, slots=True)
class Found:
    cell: Cell


@dataclass(frozen=True, slots=True)
class Covered:
    """`clauses`: a mask of clauses that cover the box together (with `extra` boxes, those as well)."""

    clauses: int


class _Enough(Exception):
    """A search is better left to the SAT solver."""


class OutOfBudget(Exception):
    """The question was not finished: what it asked is *not proved*."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The most one question may cost: search nodes, and seconds by the wall clock; and the seconds that all questions of
    one finder may take together. One search hands over to a SAT solver after `alone` nodes, where there is one. Up to `many`
    clauses are looked at from the start; of more only those that get in the way."""

    nodes: int = 20_000
    alone: int = 2_000
    many: int = 150
    seconds: float = 2.0
    together: float = 240.0


class Finder:
    """`find` over one matrix, with what `beyond` gives for what outgrows its own search. Not thread-safe: it keeps memos."""

    def __init__(
        self,
        matrix: Matrix,
        budget: Budget | None = None,
        clock: Callable[[], float] = perf_counter,
        beyond: Callable[[], Search | None] = search,
    ) -> None:
        self.matrix = matrix
        self.budget = budget or Budget()
        self.nodes = 0
        self._clock = clock
        self._beyond = beyond
        self._end = clock() + self.budget.together
        self._deadline = 0.0
        self._left = 0
        self.rows = Rows(matrix)
        self.touching = self.rows.touching
        self.liked = self.rows.liked
        self.moved = self.rows.moved
        self._compactor = Compactor(self.rows)
        self.start()

    def start(self) -> None:
        """Begin a question: what follows shares one budget until the next start."""
        self._left = self.budget.nodes
        self._deadline = min(self._clock() + self.budget.seconds, self._end)

    def find(self, box: Box, avoid: int, extra: Sequence[Box] = ()) -> Found | Covered:
        """A cell of `box` outside every clause of `avoid` and every box of `extra`, or what covers the box."""
        self.spend()
        live = self.touching(box, avoid)
        extra = tuple(b for b in extra if meet(box, b) is not None)
        if not live and not extra:
            return Found(self.liked(box))
        whole = self.rows.covering(box, live)
        if whole:
            return Covered(1 << (whole.bit_length() - 1))
        fixed: dict[int, int] = {}
        met = live
        if not extra:
            cell = self.liked(box)
            met = self.rows.met(cell, live)
            if not met:
                return Found(cell)
            live = self.rows.settle(box, live, fixed)
        if live.bit_count() <= self.budget.many:
            return self.solve(box, live, fixed=fixed, extra=extra)
        chosen = met & live or live
        while True:
            answer = self.solve(box, chosen, fixed=fixed, extra=extra)
            if isinstance(answer, Covered):
                return answer
            met = self.rows.met(answer.cell, live)
            if not met:
                return answer
            chosen |= met

    def solve(
        self,
        box: Box,
        hard: int,
        needs: Collection[int] = (),
        rules: Collection[Rule] = (),
        choices: Collection[int] = (0,),
        *,
        fixed: Mapping[int, int] | None = None,
        extra: Sequence[Box] = (),
    ) -> Found | Covered:
        """A cell of `box` that no clause of `hard`, none of one of the `choices` and no box of `extra` matches, that matches
        a clause of each of the needs, and that each rule is out of the way of; or what rules all cells out. Everything that
        touches the box is compacted, so there should be little of it. Axes of `fixed` stay on their atoms, and no clause may
        matter on them."""
        fixed = fixed or {}
        problem = Numbered(self.touching(box, _all_of(hard, needs, rules, choices)))
        numbers = problem.numbers
        count = len(numbers) + len(extra)
        small = self._compactor.compact(box, numbers, extra, fixed)
        rows = [s.rows for s in small]
        constrained = [s.constrained for s in small]
        local_needs = tuple(map(problem.local, needs))
        local_rules = tuple(Rule(problem.local(r.clauses), tuple(map(problem.local, r.needs))) for r in rules)
        refused = problem.local(hard) | (1 << count) - (1 << len(numbers))
        cover = 0
        rested: list[int] = []
        for choice in map(problem.local, choices):
            # A refutation is one for whatever refuses the clauses that it rests on.
            if any(not rest & ~choice for rest in rested):
                continue
            local = Local(count, rows, constrained, refused | choice, local_needs, local_rules)
            domain, conflict = self._search(local)
            if domain is not None:
                chosen = dict(fixed)
                for axis, mask in zip(small, domain, strict=True):
                    chosen[axis.number] = axis.atoms[(mask & -mask).bit_length() - 1]
                return Found(self.liked(box, chosen))
            cover |= conflict
            rested.append(conflict & choice & ~refused)
        return Covered(problem.whole(cover))

    def _search(self, local: Local) -> tuple[list[int] | None, int]:
        """By our own search, and by the SAT solver, where there is one, if that takes too many nodes or goes too deep."""
        last = self.nodes + self.budget.alone

        def spend() -> None:
            nonlocal last
            if self.nodes >= last:
                if self._beyond() is not None:
                    raise _Enough
                last += self.budget.nodes
            self.spend()

        try:
            return Solver(local, spend).solve()
        except (_Enough, RecursionError):
            beyond = self._beyond()
            answer = beyond and beyond(local, lambda: self._clock() > self._deadline)
        if answer is None:
            raise OutOfBudget
        return answer

    def matched(self, cell: Cell) -> int:
        """The clauses that match a cell."""
        return self.rows.met(cell, self.rows.every)

    def spend(self) -> None:
        """One step of the question. Raises `OutOfBudget` when there is no more for it."""
        self.nodes += 1
        self._left -= 1
        if self._left < 0 or (self._left & 15 == 15 and self._clock() > self._deadline):
            raise OutOfBudget


def _all_of(hard: int, needs: Collection[int], rules: Collection[Rule], choices: Collection[int]) -> int:
    """Every clause that a search has to do with."""
    masks = hard
    for mask in (*needs, *choices):
        masks |= mask
    for needed in {rule.needs for rule in rules}:
        for mask in needed:
            masks |= mask
    for rule in rules:
        masks |= rule.clauses
    return masks
