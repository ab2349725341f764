"""A box, taken apart until every part is decided in one way.

In come a matrix, a box of its cells and a question that looks at clauses; out come disjoint parts of the box, each with the
question's answer and the exact number of possible cells in it. The one idea: a question is written as for one request ("does
a clause of these match?"). Asked of a box it may be open, and then the box is split along a face of the clause that leaves
it open. So the work depends on the clauses that touch the box, not on the size of the domains.

What needs more splits than it may take ends early: what was found until then is a part of the whole, and `complete` says so.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from policyd.compare.classes import classes_of
from policyd.compare.possible import Possible
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
    """A box in terms of the clauses that touch it. Clauses keep the matrix' numbers in views."""

    def __init__(self, matrix: Matrix, box: Box, touching: int) -> None:
        self._matrix = matrix
        self._start = box
        self._classes = classes_of(matrix, box, touching)
        self._places = {number: place for place, number in enumerate(self._classes.numbers)}
        self._dense = touching == self._classes.every
        self._global: dict[int, int] = {}
        every = self._classes.every
        domains = tuple((1 << len(axis.rows)) - 1 for axis in self._classes.axes)
        loose = tuple(self._loose(at, domain, every) for at, domain in enumerate(domains))
        self.root = _Node(domains, every, loose)

    def view(self, node: _Node) -> View:
        open_ = 0
        for mask in node.loose:
            open_ |= mask
        return View(self._outward(node.maybe & ~open_), self._outward(node.maybe))

    def split(self, node: _Node, clause: int) -> Iterator[_Node]:
        """The box inside and outside of one face of the clause."""
        bit = 1 << self._places[clause]
        at = next(i for i, mask in enumerate(node.loose) if mask & bit)
        rows = self._classes.axes[at].rows
        inside = 0
        for number in bits(node.domains[at]):
            if rows[number] & bit:
                inside |= 1 << number
        for domain in (node.domains[at] & ~inside, inside):
            union = 0
            for number in bits(domain):
                union |= rows[number]
            maybe = node.maybe & union
            loose = tuple(
                self._loose(i, domain, maybe) if i == at else mask & maybe
                for i, mask in enumerate(node.loose)
            )
            yield _Node((*node.domains[:at], domain, *node.domains[at + 1 :]), maybe, loose)

    def box(self, node: _Node) -> Box:
        """The node's box in the matrix' atoms; axes of which it has all are left out."""
        out = dict(self._start)
        for axis, domain in zip(self._classes.axes, node.domains, strict=True):
            mask = 0
            for number in bits(domain):
                mask |= axis.atoms[number]
            out[axis.axis] = mask
        return {axis: m for axis, m in out.items() if m != self._matrix.axes[axis].full}

    def _loose(self, at: int, domain: int, maybe: int) -> int:
        axis = self._classes.axes[at]
        common = -1
        for number in bits(domain):
            common &= axis.rows[number]
        return maybe & axis.constrained & ~common

    def _outward(self, clauses: int) -> int:
        """Local clauses in the matrix' numbers."""
        if self._dense:
            return clauses
        known = self._global.get(clauses)
        if known is None:
            known = 0
            for place in bits(clauses):
                known |= 1 << self._classes.numbers[place]
            self._global[clauses] = known
        return known
