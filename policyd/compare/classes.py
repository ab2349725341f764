"""The atoms inside a box, as far as some clauses tell them apart.

In come a box and the clauses that touch it; out come, for each axis that the clauses divide inside the box, its classes: atoms
that the same clauses accept. Clauses are renumbered from 0, in the matrix' order. Whatever is done with a box afterwards depends
on these clauses and classes only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from policyd.engine.axes import runs
from policyd.engine.boxes import Box
from policyd.engine.matrix import Matrix
from policyd.proofs.find import bits

__all__ = ["AxisClasses", "Classes", "classes_of"]


@dataclass(frozen=True, slots=True)
class AxisClasses:
    """`rows[i]`: the clauses (renumbered) that accept the atoms `atoms[i]`. `constrained`: the clauses that do not accept
    all of the axis inside the box."""

    axis: int
    rows: tuple[int, ...]
    atoms: tuple[int, ...]
    constrained: int


@dataclass(frozen=True, slots=True)
class Classes:
    """`numbers[i]`: the matrix' number of clause `i`."""

    numbers: tuple[int, ...]
    axes: tuple[AxisClasses, ...]

    @property
    def every(self) -> int:
        return (1 << len(self.numbers)) - 1


def classes_of(matrix: Matrix, box: Box, touching: int) -> Classes:
    """INVARIANT: each of the clauses shares a cell with the box."""
    numbers = tuple(bits(touching))[::-1]
    every = (1 << len(numbers)) - 1
    found = _toggles(matrix, box, numbers)
    return Classes(
        numbers, tuple(_axis(matrix, box, axis, *toggles, every) for axis, toggles in found.items())
    )


def _toggles(matrix: Matrix, box: Box, numbers: Sequence[int]) -> Mapping[int, tuple[dict[int, int], int]]:
    """For each axis that a clause divides inside the box: where clauses begin and end, and which do."""
    out: dict[int, tuple[dict[int, int], int]] = {}
    for place, number in enumerate(numbers):
        bit = 1 << place
        for axis, mask in matrix.boxes[number].items():
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


def _axis(
    matrix: Matrix, box: Box, axis: int, toggles: Mapping[int, int], constrained: int, every: int
) -> AxisClasses:
    size = matrix.axes[axis].size
    room = box.get(axis, matrix.axes[axis].full)
    row = every & ~constrained
    classes: dict[int, int] = {}
    starts = sorted({0, *toggles})
    for start, end in zip(starts, [*starts[1:], size], strict=True):
        if start >= size:
            break
        row ^= toggles.get(start, 0)
        here = room >> start & (1 << end - start) - 1
        if here:
            classes[row] = classes.get(row, 0) | here << start
    return AxisClasses(axis, tuple(classes), tuple(classes.values()), constrained)
