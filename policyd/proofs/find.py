"""The one primitive of every proof: `find(box, avoid)`.

In: a box (atoms allowed per axis; an axis that is missing is free) and a set of clauses, as a bit mask over the matrix,
to avoid. Out: `Found`, a cell of the box that no avoided clause matches, or `Covered`, a set of avoided clauses that
together cover the box. Exact either way; a search that outgrows its budget raises `OutOfBudget` and proves nothing.

The idea: filter the clauses by row operations to those that touch the box, compact them to a small local problem, and
search it with unit propagation over all clauses at once (a clause is one bit). A branch splits along the faces of one
clause, so cost does not depend on the size of a domain. It knows no routes and no guards; `reach` does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeAlias

from policyd.engine.axes import runs
from policyd.engine.boxes import Box
from policyd.engine.matrix import Matrix

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


class OutOfBudget(Exception):
    """The question was not finished: what it asked is *not proved*."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The most one question may cost: search nodes, and seconds by the wall clock; and the seconds that all questions of
    one finder may take together."""

    nodes: int = 20_000
    seconds: float = 2.0
    together: float = 240.0


def bits(mask: int) -> Iterator[int]:
    """The positions of the set bits, highest first."""
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


@dataclass(slots=True)
class _Local:
    """The clauses that touch the box, renumbered from bit 0, over the axes they constrain inside it.

    `rows[axis]` are the distinct local rows, `atoms[axis]` an atom for each, `constrained[axis]` the clauses with a
    constraint there. `used` gathers the clauses that a refutation rested on.
    """

    rows: dict[int, list[int]]
    atoms: dict[int, list[int]]
    constrained: dict[int, int]
    used: int = 0
    nodes: int = field(default=0)


class Finder:
    """`find` over one matrix. Not thread-safe: it keeps memos."""

    def __init__(
        self, matrix: Matrix, budget: Budget | None = None, clock: Callable[[], float] = perf_counter
    ) -> None:
        self.matrix = matrix
        self.budget = budget or Budget()
        self.nodes = 0
        self._clock = clock
        self._end = clock() + self.budget.together
        self._deadline = 0.0
        self._left = 0
        self._ranges = tuple(_Ranges(rows) for rows in matrix.rows)
        self._full = tuple(axis.full for axis in matrix.axes)
        self._every = (1 << len(matrix.boxes)) - 1
        self._union: dict[tuple[int, int], int] = {}
        self._common: dict[tuple[int, int], int] = {}
        self._spare = tuple(self._spare_atom(axis) for axis in range(len(matrix.axes)))
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
            return Found(self._cell(box, {}))
        whole = self._covering(box, live)
        if whole:
            return Covered(1 << (whole.bit_length() - 1))
        fixed: dict[int, int] = {}
        if not extra:
            live = self._drop_by_spares(box, live, fixed)
            if not live:
                return Found(self._cell(box, fixed))
        numbers = list(bits(live))
        local = self._compact(box, [self.matrix.boxes[i] for i in numbers] + list(extra), fixed)
        solution = self._search(
            local,
            (1 << (len(numbers) + len(extra))) - 1,
            {a: (1 << len(r)) - 1 for a, r in local.rows.items()},
        )
        if solution is None:
            cover = 0
            for place in bits(local.used & ((1 << len(numbers)) - 1)):
                cover |= 1 << numbers[place]
            return Covered(cover)
        for axis, mask in solution.items():
            fixed[axis] = local.atoms[axis][(mask & -mask).bit_length() - 1]
        return Found(self._cell(box, fixed))

    def covered_by_one(self, box: Box, clauses: int) -> bool:
        """One of the clauses covers the box alone."""
        return bool(self._covering(box, self.touching(box, clauses)))

    def matched(self, cell: Cell) -> int:
        """The clauses that match a cell."""
        mask = self._every
        for rows, atom in zip(self.matrix.rows, cell, strict=True):
            mask &= rows[atom]
        return mask

    # How clauses are narrowed before any search.

    def spend(self) -> None:
        """One step of the question. Raises `OutOfBudget` when there is no more for it."""
        self.nodes += 1
        self._left -= 1
        if self._left < 0 or (self._left & 15 == 15 and self._clock() > self._deadline):
            raise OutOfBudget

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
        for axis, constrained in enumerate(self.matrix.constrained):
            if live & constrained:
                live &= self._and(axis, box[axis]) if axis in box else ~constrained
                if not live:
                    return 0
        return live

    def _spare_atom(self, axis: int) -> int | None:
        """An atom that no clause with a constraint on the axis accepts."""
        nobody = self._every & ~self.matrix.constrained[axis]
        return next((atom for atom, row in enumerate(self.matrix.rows[axis]) if row == nobody), None)

    def _drop_by_spares(self, box: Box, live: int, fixed: dict[int, int]) -> int:
        """Put every free axis that has one on its spare atom; that rids it of all its clauses at once."""
        for axis, spare in enumerate(self._spare):
            if spare is not None and axis not in box and live & self.matrix.constrained[axis]:
                live &= ~self.matrix.constrained[axis]
                fixed[axis] = spare
        return live

    def _compact(self, box: Box, clauses: Sequence[Box], fixed: Mapping[int, int]) -> _Local:
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
                for low, high in runs(inside):
                    at[low] = at.get(low, 0) ^ bit
                    at[high] = at.get(high, 0) ^ bit
        every = (1 << len(clauses)) - 1
        local = _Local({}, {}, constrained)
        for axis, at in toggles.items():
            size = self.matrix.axes[axis].size
            room = box.get(axis, self.matrix.axes[axis].full)
            row = every & ~constrained[axis]
            starts = sorted({0, *at})
            found: dict[int, int] = {}
            for start, end in zip(starts, [*starts[1:], size], strict=True):
                if start >= size:
                    break
                row ^= at.get(start, 0)
                here = (room >> start) & ((1 << (end - start)) - 1)
                if here and row not in found:
                    found[row] = start + (here & -here).bit_length() - 1
            local.rows[axis] = list(found)
            local.atoms[axis] = list(found.values())
        return local

    def _cell(self, box: Box, fixed: Mapping[int, int]) -> Cell:
        out = []
        for axis in range(len(self.matrix.axes)):
            if axis in fixed:
                out.append(fixed[axis])
            elif axis in box:
                out.append((box[axis] & -box[axis]).bit_length() - 1)
            else:
                out.append(self._spare[axis] or 0)
        return tuple(out)

    # The search over the local problem.

    def _search(self, local: _Local, live: int, domain: dict[int, int]) -> dict[int, int] | None:
        """Atoms per axis (as local masks) that no live clause matches entirely, or None."""
        self.spend()
        domain = dict(domain)
        while True:
            live, open_at, stable = self._narrow(local, live, domain)
            if not live:
                return domain
            if not stable:
                continue
            once = twice = 0
            for mask in open_at.values():
                twice |= once & mask
                once |= mask
            full = live & ~once
            if full:
                local.used |= full & -full
                return None
            units = once & ~twice
            if not units:
                break
            for axis, mask in open_at.items():
                forced = mask & units
                if forced:
                    local.used |= forced
                    domain[axis] = self._atoms_outside(local.rows[axis], domain[axis], forced)
                    if not domain[axis]:
                        return None
        return self._branch(local, live, domain, open_at)

    @staticmethod
    def _narrow(local: _Local, live: int, domain: dict[int, int]) -> tuple[int, dict[int, int], bool]:
        """One pass: drop clauses that no atom left can match, settle axes that rid themselves of all their clauses, and
        say per axis which clauses it does not yet satisfy entirely. Unstable when something changed on the way."""
        stable = True
        open_at: dict[int, int] = {}
        for axis, constrained in local.constrained.items():
            here = live & constrained
            if not here:
                continue
            rows = local.rows[axis]
            union = 0
            common = -1
            free = 0
            left = domain[axis]
            while left:
                low = left & -left
                left ^= low
                row = rows[low.bit_length() - 1]
                if not row & here:
                    free = low
                    break
                union |= row
                common &= row
            if free:
                domain[axis] = free
                live &= ~here
                stable = False
                continue
            if live & ~union:
                live &= union
                stable = False
            open_at[axis] = here & ~common
        if stable:
            return live, open_at, True
        return live, open_at, False

    @staticmethod
    def _atoms_outside(rows: list[int], domain: int, clauses: int) -> int:
        """The atoms of the domain that none of the clauses accepts."""
        left = domain
        while left:
            low = left & -left
            left ^= low
            if rows[low.bit_length() - 1] & clauses:
                domain ^= low
        return domain

    def _branch(
        self, local: _Local, live: int, domain: dict[int, int], open_at: dict[int, int]
    ) -> dict[int, int] | None:
        """Leave one clause by each of its faces in turn; the parts are disjoint."""
        clause = self._choose(local, live, domain, open_at)
        local.used |= clause
        faces = []
        for axis, mask in open_at.items():
            if mask & clause:
                outside = self._atoms_outside(local.rows[axis], domain[axis], clause)
                faces.append((axis, outside, domain[axis] & ~outside))
        faces.sort(key=lambda face: -face[1].bit_count())
        domain = dict(domain)
        for axis, outside, inside in faces:
            part = dict(domain)
            part[axis] = outside
            solution = self._search(local, live & ~clause, part)
            if solution is not None:
                return solution
            domain[axis] = inside
        return None

    def _choose(self, local: _Local, live: int, domain: dict[int, int], open_at: dict[int, int]) -> int:
        """The clause with the fewest faces that covers the most; a dozen are looked at."""
        best = live & -live
        best_score = float("inf")
        left = live
        for _ in range(12):
            if not left:
                break
            clause = left & -left
            left ^= clause
            share = 1.0
            faces = 0
            for axis, mask in open_at.items():
                if mask & clause:
                    outside = self._atoms_outside(local.rows[axis], domain[axis], clause)
                    share *= 1 - outside.bit_count() / domain[axis].bit_count()
                    faces += 1
            score = faces - 3 * share
            if score < best_score:
                best, best_score = clause, score
        return best
