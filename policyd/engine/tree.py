"""The dispatch tree: which feature to look at first, so that few rules are left to try.

In comes the matrix, out comes a tree of at most two branches in depth. A branch looks at the cheap feature that leaves
the fewest live clauses, as long as no clause is copied into too many leaves; a leaf says what is left to try there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from policyd.engine.axes import atoms_in
from policyd.engine.boxes import Box
from policyd.engine.matrix import Matrix

__all__ = ["CHEAP", "FLAT", "Branch", "Leaf", "Node", "leaves_of", "plan_tree"]

CHEAP: Final = 1
"""Features of this cost or less are looked at without being asked for."""
FLAT: Final = 48
"""Live clauses up to which a leaf is written as first-match code."""
_COPIES: Final = 8
"""Times the clauses may be copied into leaves, on average."""
_WORTH: Final = 4
"""Clauses that a branch must save on average: it costs about as much as testing them."""
_ATTEMPTS: Final = 20_000_000
"""Words of rows that second branches may look at in total, which bounds the time to compile."""


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """`known`: what the branches above decided. `live`: the clauses that can still match, of every kind. `size`: the
    denies and routes that may have to be tried, up to the first route that is certain to match."""

    known: Box
    live: int
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """`children[group[atom]]` is where an atom of `axis` leads."""

    axis: int
    group: tuple[int, ...]
    children: tuple["Node", ...]


Node: TypeAlias = Leaf | Branch


def plan_tree(matrix: Matrix) -> Node:
    """A branch at the root where it pays, and a second one below where a leaf would be too large."""
    planner = _Planner(matrix)
    live = matrix.every & ~matrix.relations
    root = planner.branch(live, {}) if planner.size(live, frozenset()) > _WORTH else None
    return planner.leaf(live, {}) if root is None else planner.deepen(root)


class _Planner:
    def __init__(self, matrix: Matrix) -> None:
        self.matrix = matrix
        self.attempts = _ATTEMPTS
        self.lowest = len(matrix.clauses) - matrix.all_routes.bit_count()
        self.usable = [i for i, a in enumerate(matrix.axes) if a.cost <= CHEAP]

    def leaf(self, live: int, known: Box) -> Leaf:
        return Leaf(known, live, self.rules(live, frozenset(known)))

    def deepen(self, root: Branch) -> Branch:
        children = tuple(
            (self.branch(c.live, c.known) or c) if isinstance(c, Leaf) and c.size > FLAT else c
            for c in root.children
        )
        return Branch(root.axis, root.group, children)

    def rules(self, live: int, decided: frozenset[int]) -> int:
        """Like `size`, in rules instead of clauses."""
        if self.size(live, decided) <= FLAT:
            return self.size(live, decided)
        stop = self._certain(live & self.matrix.all_routes, decided).bit_length()
        tried = live & (self.matrix.all_routes | self.matrix.all_denies)
        clauses = (self.matrix.clauses[b] for b in atoms_in(tried) if b >= stop - 1 or b < self.lowest)
        return len({(c.owner_kind, c.owner) for c in clauses})

    def size(self, live: int, decided: frozenset[int]) -> int:
        """Clauses of routes and denies that may have to be tried: routes end at the first that is certain."""
        certain = self._certain(live & self.matrix.all_routes, decided)
        return self._count(live, certain)

    def _certain(self, routes: int, decided: frozenset[int]) -> int:
        for axis, constrained in enumerate(self.matrix.constrained):
            if axis not in decided:
                routes &= ~constrained
        return routes

    def _count(self, live: int, certain: int) -> int:
        routes = live & self.matrix.all_routes
        stop = routes & certain
        if stop:
            routes >>= stop.bit_length() - 1
        return routes.bit_count() + (live & self.matrix.all_denies).bit_count()

    def branch(self, live: int, known: Box) -> Branch | None:
        """The best branch for these clauses, or None where none is worth it."""
        whole = self.size(live, frozenset(known))
        best: tuple[float, int] | None = None
        for axis in self.usable:
            if axis in known or not live & self.matrix.constrained[axis]:
                continue
            self.attempts -= self.matrix.axes[axis].size * (len(self.matrix.clauses) // 64 + 8)
            if known and self.attempts < 0:
                return None
            mean, total = self._weigh(live, known, axis)
            if total <= _COPIES * whole and mean <= whole - _WORTH and (best is None or mean < best[0]):
                best = (mean, axis)
        return None if best is None else self._split(live, known, best[1])

    def _weigh(self, live: int, known: Box, axis: int) -> tuple[float, int]:
        certain = self._certain(live & self.matrix.all_routes, frozenset({*known, axis}))
        counts = {}
        total = 0
        for row in self.matrix.rows[axis]:
            inside = live & row
            if inside not in counts:
                counts[inside] = self._count(inside, certain)
            total += counts[inside]
        return total / self.matrix.axes[axis].size, sum(counts.values())

    def _split(self, live: int, known: Box, axis: int) -> Branch:
        groups: dict[int, int] = {}
        masks: list[int] = []
        group = []
        for atom, row in enumerate(self.matrix.rows[axis]):
            at = groups.setdefault(live & row, len(masks))
            if at == len(masks):
                masks.append(0)
            masks[at] |= 1 << atom
            group.append(at)
        children = (
            self.leaf(inside, {**known, axis: mask}) for inside, mask in zip(groups, masks, strict=True)
        )
        return Branch(axis, tuple(group), tuple(children))


def leaves_of(node: Node) -> Iterator[Leaf]:
    """Every leaf, in order."""
    if isinstance(node, Leaf):
        yield node
    else:
        for child in node.children:
            yield from leaves_of(child)
