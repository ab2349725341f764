"""Rows of a matrix, asked about boxes and cells: which clauses touch, which cover, which match.

In: a matrix. Out: masks of clauses, and cells that few clauses accept. The one idea: everything here is a few ANDs and ORs of
rows, remembered per axis and mask; nothing searches.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from policyd.engine.axes import runs
from policyd.engine.boxes import Box
from policyd.engine.matrix import Matrix

__all__ = ["Cell", "Rows", "bits", "meet"]

Cell: TypeAlias = tuple[int, ...]
"""One atom per axis."""

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


class Rows:
    """The rows of a matrix. Not thread-safe: it keeps memos."""

    def __init__(self, matrix: Matrix) -> None:
        self.matrix = matrix
        self.every = (1 << len(matrix.boxes)) - 1
        self._ranges = tuple(_Ranges(rows) for rows in matrix.rows)
        self._full = tuple(axis.full for axis in matrix.axes)
        self._union: dict[tuple[int, int], int] = {}
        self._common: dict[tuple[int, int], int] = {}
        self._free: dict[frozenset[int], int] = {}
        self._likes: dict[tuple[int, int], int] = {}
        self._weights = tuple([row.bit_count() for row in rows] for rows in matrix.rows)
        self._ranked = tuple(sorted(range(len(w)), key=w.__getitem__) for w in self._weights)
        self._liked = tuple(ranked[0] for ranked in self._ranked)

    def touching(self, box: Box, clauses: int) -> int:
        """Those of the clauses that share a cell with the box."""
        for axis, mask in box.items():
            clauses &= self._or(axis, mask)
            if not clauses:
                break
        return clauses

    def covering(self, box: Box, live: int) -> int:
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

    def met(self, cell: Cell, clauses: int) -> int:
        """Those of the clauses that match the cell."""
        for rows, atom in zip(self.matrix.rows, cell, strict=True):
            clauses &= rows[atom]
            if not clauses:
                break
        return clauses

    def settle(self, box: Box, live: int, fixed: dict[int, int]) -> int:
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
                atom = self.like(axis, mask)
                if bad and not bad & self.matrix.rows[axis][atom]:
                    live &= ~bad
                    fixed[axis] = atom
        return live

    def moved(self, box: Box, cell: Cell) -> Cell:
        """The cell, moved into the box on each axis where it is outside."""
        inside = list(cell)
        for axis, mask in box.items():
            if not mask >> cell[axis] & 1:
                inside[axis] = self.like(axis, mask)
        return tuple(inside)

    def liked(self, box: Box, chosen: Mapping[int, int] | None = None) -> Cell:
        """A cell of the box: on each axis the chosen atom, or the one that the fewest clauses accept."""
        cell = list(self._liked)
        for axis, mask in box.items():
            cell[axis] = self.like(axis, mask)
        for axis, atom in (chosen or {}).items():
            cell[axis] = atom
        return tuple(cell)

    def like(self, axis: int, mask: int | None) -> int:
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
            return self.every
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
