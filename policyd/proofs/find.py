"""The one primitive of every proof: `find(box, avoid)`.

In: a box (atoms allowed per axis; an axis that is missing is free) and a set of clauses, as a bit mask over the matrix,
to avoid. Out: `Found`, a cell of the box that no avoided clause matches, or `Covered`, a set of avoided clauses that
together cover the box. Exact either way; a search that outgrows its budget raises `OutOfBudget` and proves nothing.

The idea: try a cell of atoms that few clauses accept; it is decided by a few ANDs. Else filter the clauses by row operations
to those that touch the box, compact them to a small local problem, and have that searched (`local`). Where very many
clauses touch the box, only those are looked at that a cell found so far has met: a cell is checked against all of them, and
what covers the box covers it. It knows no routes and no guards; `reach` does.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final, TypeAlias

from policyd.engine.axes import runs
from policyd.engine.boxes import Box
from policyd.engine.matrix import Matrix
from policyd.proofs.local import Local, Rule, Solver
from policyd.proofs.sat import Search, search

__all__ = ["Box", "Budget", "Cell", "Covered", "Finder", "Found", "OutOfBudget", "bits", "meet"]

Cell: TypeAlias = tuple[int, ...]
"""One atom per axis."""


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


_NARROW: Final = 200
"""Atoms that are compared one by one; among more, a good one is soon met by going from the best down."""
_WIDE: Final = 1024
"""Bits from which on a mask is walked as text, which copies it once and not once for each bit."""


def bits(mask: int) -> Iterator[int]:
    """The positions of the set bits, highest first."""
    if mask.bit_length() > _WIDE:
        text = bin(mask)
        last = len(text) - 1
        at = text.find("1", 2)
        while at >= 0:
            yield last - at
            at = text.find("1", at + 1)
        return
    while mask:
        top = mask.bit_length() - 1
        mask ^= 1 << top
        yield top


def meet(a: Box, b: Box) -> dict[int, int] | None:
    """The intersection of two boxes, or None where it is empty."""
    out = dict(a)
    for axis, mask in b.items():
        both = out[axis] & mask if axis in out else mask
        if not both:
            return None
        out[axis] = both
    return out


class _Ranges:
    """ORs and ANDs of one axis' rows over ranges of atoms, by a segment tree that is built when first asked."""

    __slots__ = ("_rows", "_trees")

    def __init__(self, rows: Sequence[int]) -> None:
        self._rows = rows
        self._trees: dict[bool, list[int]] = {}

    def combine(self, mask: int, *, union: bool) -> int:
        """The OR (`union`) or AND of the rows of the mask's atoms; -1 is the AND of none."""
        total = 0 if union else -1
        for low, high in runs(mask):
            if high - low <= 4:
                for atom in range(low, high):
                    total = total | self._rows[atom] if union else total & self._rows[atom]
            else:
                part = self._range(low, high, union=union)
                total = total | part if union else total & part
        return total

    def _range(self, low: int, high: int, *, union: bool) -> int:
        tree = self._trees.get(union)
        n = len(self._rows)
        if tree is None:
            tree = [0] * n + list(self._rows)
            for i in range(n - 1, 0, -1):
                tree[i] = tree[2 * i] | tree[2 * i + 1] if union else tree[2 * i] & tree[2 * i + 1]
            self._trees[union] = tree
        total = 0 if union else -1
        low += n
        high += n
        while low < high:
            if low & 1:
                total = total | tree[low] if union else total & tree[low]
                low += 1
            if high & 1:
                high -= 1
                total = total | tree[high] if union else total & tree[high]
            low >>= 1
            high >>= 1
        return total


@dataclass(frozen=True, slots=True)
class _Small:
    """An axis inside a box: its distinct rows over the clauses that were compacted, an atom for each, and the clauses with a
    constraint there. What is liked comes first."""

    number: int
    rows: list[int]
    atoms: list[int]
    constrained: int


class _Numbered:
    """Some clauses, renumbered from bit 0."""

    __slots__ = ("_known", "_place", "numbers")

    def __init__(self, clauses: int) -> None:
        self.numbers = list(bits(clauses))
        self._place = {number: 1 << at for at, number in enumerate(self.numbers)}
        self._known: dict[int, int] = {clauses: (1 << len(self.numbers)) - 1}

    def local(self, mask: int) -> int:
        """The mask in the new numbers; clauses that are not among them are left out."""
        out = self._known.get(mask)
        if out is None:
            place = self._place
            out = self._known[mask] = sum(place[n] for n in bits(mask) if n in place)
        return out

    def whole(self, mask: int) -> int:
        """The mask in the old numbers; bits beyond the clauses are left out."""
        return sum(1 << self.numbers[at] for at in bits(mask & (1 << len(self.numbers)) - 1))


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
        self._ranges = tuple(_Ranges(rows) for rows in matrix.rows)
        self._full = tuple(axis.full for axis in matrix.axes)
        self._every = (1 << len(matrix.boxes)) - 1
        self._union: dict[tuple[int, int], int] = {}
        self._common: dict[tuple[int, int], int] = {}
        self._free: dict[frozenset[int], int] = {}
        self._likes: dict[tuple[int, int], int] = {}
        self._spans: dict[int, tuple[tuple[int, int], ...]] = {}
        self._weights = tuple([row.bit_count() for row in rows] for rows in matrix.rows)
        self._ranked = tuple(sorted(range(len(w)), key=w.__getitem__) for w in self._weights)
        self._liked = tuple(ranked[0] for ranked in self._ranked)
        self.start()

    def start(self) -> None:
        """Begin a question: what follows shares one budget until the next start."""
        self._left = self.budget.nodes
        self._deadline = min(self._clock() + self.budget.seconds, self._end)

    def touching(self, box: Box, clauses: int) -> int:
        """Those of the clauses that share a cell with the box."""
        for axis, mask in box.items():
            clauses &= self._or(axis, mask)
            if not clauses:
                break
        return clauses

    def find(self, box: Box, avoid: int, extra: Sequence[Box] = ()) -> Found | Covered:
        """A cell of `box` outside every clause of `avoid` and every box of `extra`, or what covers the box."""
        self.spend()
        live = self.touching(box, avoid)
        extra = tuple(b for b in extra if meet(box, b) is not None)
        if not live and not extra:
            return Found(self.liked(box))
        whole = self._covering(box, live)
        if whole:
            return Covered(1 << (whole.bit_length() - 1))
        fixed: dict[int, int] = {}
        met = live
        if not extra:
            cell = self.liked(box)
            met = self._met(cell, live)
            if not met:
                return Found(cell)
            live = self._settle(box, live, fixed)
        if live.bit_count() <= self.budget.many:
            return self.solve(box, live, fixed=fixed, extra=extra)
        chosen = met & live or live
        while True:
            answer = self.solve(box, chosen, fixed=fixed, extra=extra)
            if isinstance(answer, Covered):
                return answer
            met = self._met(answer.cell, live)
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
        problem = _Numbered(self.touching(box, _all_of(hard, needs, rules, choices)))
        numbers = problem.numbers
        count = len(numbers) + len(extra)
        small = self._compact(box, [*map(self.matrix.boxes.__getitem__, numbers), *extra], fixed)
        rows = [s.rows for s in small]
        constrained = [s.constrained for s in small]
        local_needs = tuple(map(problem.local, needs))
        local_rules = tuple(Rule(problem.local(r.clauses), tuple(map(problem.local, r.needs))) for r in rules)
        refused = problem.local(hard) | (1 << count) - (1 << len(numbers))
        cover = 0
        for choice in choices:
            local = Local(count, rows, constrained, refused | problem.local(choice), local_needs, local_rules)
            domain, conflict = self._search(local)
            if domain is not None:
                chosen = dict(fixed)
                for axis, mask in zip(small, domain, strict=True):
                    chosen[axis.number] = axis.atoms[(mask & -mask).bit_length() - 1]
                return Found(self.liked(box, chosen))
            cover |= conflict
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

    def covered_by_one(self, box: Box, clauses: int) -> bool:
        """One of the clauses covers the box alone."""
        return bool(self._covering(box, self.touching(box, clauses)))

    def matched(self, cell: Cell) -> int:
        """The clauses that match a cell."""
        return self._met(cell, self._every)

    def moved(self, box: Box, cell: Cell) -> Cell:
        """The cell, moved into the box on each axis where it is outside."""
        inside = list(cell)
        for axis, mask in box.items():
            if not mask >> cell[axis] & 1:
                inside[axis] = self._like(axis, mask)
        return tuple(inside)

    def liked(self, box: Box, chosen: Mapping[int, int] | None = None) -> Cell:
        """A cell of the box: on each axis the chosen atom, or the one that the fewest clauses accept."""
        cell = list(self._liked)
        for axis, mask in box.items():
            cell[axis] = self._like(axis, mask)
        for axis, atom in (chosen or {}).items():
            cell[axis] = atom
        return tuple(cell)

    # How clauses are narrowed before any search.

    def spend(self) -> None:
        """One step of the question. Raises `OutOfBudget` when there is no more for it."""
        self.nodes += 1
        self._left -= 1
        if self._left < 0 or (self._left & 15 == 15 and self._clock() > self._deadline):
            raise OutOfBudget

    def _met(self, cell: Cell, clauses: int) -> int:
        """Those of the clauses that match the cell."""
        for rows, atom in zip(self.matrix.rows, cell, strict=True):
            clauses &= rows[atom]
            if not clauses:
                break
        return clauses

    def _like(self, axis: int, mask: int | None) -> int:
        """The atom of the mask that the fewest clauses accept."""
        ranked = self._ranked[axis]
        if mask is None or mask >> ranked[0] & 1:
            return ranked[0]
        key = (axis, mask)
        atom = self._likes.get(key)
        if atom is None:
            if mask.bit_count() <= _NARROW:
                atom = min(bits(mask), key=self._weights[axis].__getitem__)
            else:
                atom = next(atom for atom in ranked if mask >> atom & 1)
            self._likes[key] = atom
        return atom

    def _or(self, axis: int, mask: int) -> int:
        if mask == self._full[axis]:
            return self._every
        key = (axis, mask)
        value = self._union.get(key)
        if value is None:
            value = self._union[key] = self._ranges[axis].combine(mask, union=True)
        return value

    def _and(self, axis: int, mask: int) -> int:
        key = (axis, mask)
        value = self._common.get(key)
        if value is None:
            value = self._common[key] = self._ranges[axis].combine(mask, union=False)
        return value

    def _covering(self, box: Box, live: int) -> int:
        """The clauses that cover the box alone."""
        bounded = frozenset(box)
        beyond = self._free.get(bounded)
        if beyond is None:
            beyond = 0
            for axis, constrained in enumerate(self.matrix.constrained):
                if axis not in bounded:
                    beyond |= constrained
            self._free[bounded] = beyond
        live &= ~beyond
        for axis, mask in box.items():
            if not live:
                break
            live &= self._and(axis, mask)
        return live

    def _settle(self, box: Box, live: int, fixed: dict[int, int]) -> int:
        """Put every axis on its liked atom where that rids it of all its clauses at once; what is left."""
        before = 0
        while live and live != before:
            before = live
            for axis, constrained in enumerate(self.matrix.constrained):
                bad = live & constrained
                if not bad:
                    continue
                mask = box.get(axis)
                if mask is not None:
                    bad &= ~self._and(axis, mask)
                atom = self._like(axis, mask)
                if bad and not bad & self.matrix.rows[axis][atom]:
                    live &= ~bad
                    fixed[axis] = atom
        return live

    def _compact(self, box: Box, clauses: Sequence[Box], fixed: Mapping[int, int]) -> list[_Small]:
        """The axes that some clause constrains inside the box."""
        toggles: dict[int, dict[int, int]] = {}
        constrained: dict[int, int] = {}
        for number, clause in enumerate(clauses):
            bit = 1 << number
            for axis, mask in clause.items():
                if axis in fixed:
                    continue
                room = box.get(axis)
                inside = mask if room is None else mask & room
                if inside == room:
                    continue
                at = toggles.setdefault(axis, {})
                constrained[axis] = constrained.get(axis, 0) | bit
                for low, high in self._runs_of(inside):
                    at[low] = at.get(low, 0) ^ bit
                    at[high] = at.get(high, 0) ^ bit
        every = (1 << len(clauses)) - 1
        out = []
        for axis, at in toggles.items():
            rows, atoms = self._walk(axis, box.get(axis), at, every & ~constrained[axis])
            out.append(_Small(axis, rows, atoms, constrained[axis]))
        return out

    def _runs_of(self, mask: int) -> tuple[tuple[int, int], ...]:
        out = self._spans.get(mask)
        if out is None:
            out = self._spans[mask] = runs(mask)
        return out

    def _walk(
        self, axis: int, room: int | None, toggles: dict[int, int], row: int
    ) -> tuple[list[int], list[int]]:
        """The distinct rows of an axis inside the room, and an atom for each."""
        size = self.matrix.axes[axis].size
        liked = self._like(axis, room)
        if room is None:
            room = self._full[axis]
        found: dict[int, int] = {}
        first = row
        starts = sorted({0, *toggles})
        for start, end in zip(starts, [*starts[1:], size], strict=True):
            if start >= size:
                break
            row ^= toggles.get(start, 0)
            if start <= liked < end:
                first = row
                found[row] = liked
            elif row not in found:
                here = (room >> start) & ((1 << (end - start)) - 1)
                if here:
                    found[row] = start + (here & -here).bit_length() - 1
        rows = [first, *(r for r in found if r != first)]
        return rows, [found[r] for r in rows]


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
