"""A box, taken apart until every part is decided in one way.

In come a matrix, a box of its cells and a question that looks at clauses; out come disjoint parts of the box, each with the
question's answer and the exact number of possible cells in it. The one idea: a question is written as for one request ("does
a clause of these match?"). Asked of a box it may be open, and then the box is split along a face of the clause that leaves
it open. So the work depends on the clauses that touch the box, not on the size of the domains.

What needs more splits than it may take ends early: what was found until then is a part of the whole, and `complete` says so.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from policyd.compare.possible import Possible
from policyd.engine.axes import runs
from policyd.engine.boxes import Box
from policyd.engine.matrix import Matrix
from policyd.proofs.find import bits

__all__ = ["MOST_SPLITS", "Part", "Partition", "View"]

MOST_SPLITS: Final = 20_000
"""Boxes that one partition may look at, unless its caller says otherwise."""

Answer = TypeVar("Answer")


class _Open(Exception):
    """The box has cells that the clause matches, and cells that it does not."""

    def __init__(self, clause: int) -> None:
        super().__init__(clause)
        self.clause = clause


@dataclass(frozen=True, slots=True)
class View:
    """The clauses of a box: `sure` match all of it, `maybe` some of it (the sure ones among them)."""

    sure: int
    maybe: int

    def holds(self, clauses: int) -> bool:
        """Whether one of the clauses matches. Where that differs within the box, the question stops and is asked again of
        the parts."""
        if self.sure & clauses:
            return True
        left = self.maybe & clauses
        if left:
            raise _Open(left.bit_length() - 1)
        return False


@dataclass(frozen=True, slots=True)
class Part(Generic[Answer]):
    """A box whose every cell has the answer, and how many possible cells it has."""

    box: Box
    count: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class _Node:
    """A box in local terms: for each axis that matters a mask of classes of atoms, the clauses that may match, and per
    axis those of them that do not accept all of it."""

    domains: tuple[int, ...]
    maybe: int
    loose: tuple[int, ...]


class Partition(Generic[Answer]):
    """One box, taken apart by one question. `look` answers for a view, in terms of the matrix' clauses; None leaves the part
    out. INVARIANT: it asks `View.holds` only, so that its answer is that of each cell."""

    def __init__(
        self,
        matrix: Matrix,
        possible: Possible,
        look: Callable[[View], Answer | None],
        most: int = MOST_SPLITS,
    ) -> None:
        self._matrix = matrix
        self._possible = possible
        self._look = look
        self.left = most
        self.complete = True

    def parts(self, box: Box, touching: int) -> Iterator[Part[Answer]]:
        """The parts of a box. `touching`: the clauses that share a cell with it and may matter to the question; may be
        called for several boxes, which then share what splits there may be."""
        local = _Local(self._matrix, box, touching)
        stack = [local.root]
        while stack:
            if self.left <= 0:
                self.complete = False
                return
            self.left -= 1
            node = stack.pop()
            try:
                answer = self._look(local.view(node))
            except _Open as open_:
                stack.extend(local.split(node, open_.clause))
                continue
            if answer is not None:
                found = local.box(node)
                count = self._possible.count(found)
                if count:
                    yield Part(found, count, answer)


class _Local:
    """The clauses that touch a box, over classes of atoms that they do not tell apart. Clauses keep the matrix' numbers in
    views, and are renumbered inside."""

    def __init__(self, matrix: Matrix, box: Box, touching: int) -> None:
        self._matrix = matrix
        self._start = box
        self._numbers = tuple(bits(touching))[::-1]
        self._dense = touching == (1 << len(self._numbers)) - 1
        self._axes: list[int] = []
        self._rows: list[tuple[int, ...]] = []
        self._atoms: list[tuple[int, ...]] = []
        self._constrained: list[int] = []
        self._global: dict[int, int] = {}
        every = (1 << len(self._numbers)) - 1
        for axis, toggles in self._toggles(box).items():
            self._add(axis, *toggles, every)
        domains = tuple((1 << len(rows)) - 1 for rows in self._rows)
        loose = tuple(self._loose(i, d, every) for i, d in enumerate(domains))
        self.root = _Node(domains, every, loose)

    def view(self, node: _Node) -> View:
        open_ = 0
        for mask in node.loose:
            open_ |= mask
        return View(self._outward(node.maybe & ~open_), self._outward(node.maybe))

    def split(self, node: _Node, clause: int) -> Iterator[_Node]:
        """The box inside and outside of one face of the clause."""
        bit = 1 << self._numbers.index(clause) if not self._dense else 1 << clause
        at = next(i for i, mask in enumerate(node.loose) if mask & bit)
        inside = 0
        for number in bits(node.domains[at]):
            if self._rows[at][number] & bit:
                inside |= 1 << number
        for domain in (node.domains[at] & ~inside, inside):
            union = 0
            for number in bits(domain):
                union |= self._rows[at][number]
            maybe = node.maybe & union
            loose = tuple(
                self._loose(i, domain, maybe) if i == at else mask & maybe
                for i, mask in enumerate(node.loose)
            )
            yield _Node((*node.domains[:at], domain, *node.domains[at + 1 :]), maybe, loose)

    def box(self, node: _Node) -> Box:
        """The node's box in the matrix' atoms; axes of which it has all are left out."""
        out = dict(self._start)
        for axis, atoms, domain in zip(self._axes, self._atoms, node.domains, strict=True):
            mask = 0
            for number in bits(domain):
                mask |= atoms[number]
            out[axis] = mask
        return {axis: m for axis, m in out.items() if m != self._matrix.axes[axis].full}

    def _loose(self, at: int, domain: int, maybe: int) -> int:
        common = -1
        for number in bits(domain):
            common &= self._rows[at][number]
        return maybe & self._constrained[at] & ~common

    def _outward(self, clauses: int) -> int:
        """Local clauses in the matrix' numbers."""
        if self._dense:
            return clauses
        known = self._global.get(clauses)
        if known is None:
            known = 0
            for place in bits(clauses):
                known |= 1 << self._numbers[place]
            self._global[clauses] = known
        return known

    def _toggles(self, box: Box) -> Mapping[int, tuple[dict[int, int], int]]:
        """For each axis that a clause divides inside the box: where clauses begin and end, and which do."""
        out: dict[int, tuple[dict[int, int], int]] = {}
        for place, number in enumerate(self._numbers):
            bit = 1 << place
            for axis, mask in self._matrix.boxes[number].items():
                room = box.get(axis)
                inside = mask if room is None else mask & room
                if inside == room:
                    continue
                at, constrained = out.get(axis, ({}, 0))
                for ends in runs(inside):
                    for atom in ends:
                        at[atom] = at.get(atom, 0) ^ bit
                out[axis] = (at, constrained | bit)
        return out

    def _add(self, axis: int, toggles: Mapping[int, int], constrained: int, every: int) -> None:
        size = self._matrix.axes[axis].size
        room = self._start.get(axis, self._matrix.axes[axis].full)
        row = every & ~constrained
        classes: dict[int, int] = {}
        starts: Sequence[int] = sorted({0, *toggles})
        for start, end in zip(starts, [*starts[1:], size], strict=True):
            if start >= size:
                break
            row ^= toggles.get(start, 0)
            here = room >> start & (1 << end - start) - 1
            if here:
                classes[row] = classes.get(row, 0) | here << start
        self._axes.append(axis)
        self._rows.append(tuple(classes))
        self._atoms.append(tuple(classes.values()))
        self._constrained.append(constrained)
