"""Clauses made small: those that touch a box, renumbered from bit 0, over the atoms that they tell apart.

In: a box and some clauses of a matrix. Out: for each axis that matters inside the box its distinct rows over these clauses,
with an atom for each, as `local` searches them. It decides nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from policyd.engine.axes import runs
from policyd.engine.boxes import Box
from policyd.proofs.rows import Rows, bits

__all__ = ["Compactor", "Numbered", "Small"]

_Runs: TypeAlias = tuple[tuple[int, int], ...]
_Sides: TypeAlias = Sequence[tuple[int, int, _Runs]]
"""The axes that a box constrains, with the mask and its runs."""


@dataclass(frozen=True, slots=True)
class Small:
    """An axis inside a box: its distinct rows over the clauses that were compacted, an atom for each, and the clauses with a
    constraint there. What is liked comes first."""

    number: int
    rows: list[int]
    atoms: list[int]
    constrained: int


class Numbered:
    """Some clauses, renumbered from bit 0."""

    __slots__ = ("_all", "_known", "_place", "numbers")

    def __init__(self, clauses: int) -> None:
        self._all = clauses
        self.numbers = list(bits(clauses))
        self._place = {number: 1 << at for at, number in enumerate(self.numbers)}
        self._known: dict[int, int] = {clauses: (1 << len(self.numbers)) - 1}

    def local(self, mask: int) -> int:
        """The mask in the new numbers; clauses that are not among them are left out."""
        out = self._known.get(mask)
        if out is None:
            place = self._place
            out = self._known[mask] = sum(place[n] for n in bits(mask & self._all))
        return out

    def whole(self, mask: int) -> int:
        """The mask in the old numbers; bits beyond the clauses are left out."""
        return sum(1 << self.numbers[at] for at in bits(mask & (1 << len(self.numbers)) - 1))


class Compactor:
    """Makes clauses of one matrix small. It remembers the runs of masks."""

    def __init__(self, rows: Rows) -> None:
        self._matrix = rows.matrix
        self._like = rows.like
        self._spans: dict[int, _Runs] = {}
        self._sides: list[_Sides | None] = [None] * len(rows.matrix.boxes)

    def compact(
        self, box: Box, numbers: Sequence[int], extra: Sequence[Box], fixed: Mapping[int, int]
    ) -> list[Small]:
        """The axes that some clause or extra box constrains inside the box, without those of `fixed`. Extra boxes have the
        numbers after the clauses."""
        return self._compact(box, [*map(self._sides_of, numbers), *map(self._bounds, extra)], fixed)

    def _compact(self, box: Box, clauses: Sequence[_Sides], fixed: Mapping[int, int]) -> list[Small]:
        """The axes that some clause constrains inside the box."""
        toggles: dict[int, dict[int, int]] = {}
        constrained: dict[int, int] = {}
        bit = 1
        for clause in clauses:
            for axis, mask, spans in clause:
                if axis in fixed:
                    continue
                ends = spans
                if axis in box:
                    room = box[axis]
                    inside = mask & room
                    if inside == room:
                        continue
                    ends = self._runs_of(inside)
                if axis in toggles:
                    at = toggles[axis]
                    constrained[axis] |= bit
                else:
                    at = toggles[axis] = {}
                    constrained[axis] = bit
                for low, high in ends:
                    at[low] = at.get(low, 0) ^ bit
                    at[high] = at.get(high, 0) ^ bit
            bit <<= 1
        out = []
        for axis, at in toggles.items():
            rows, atoms = self._walk(axis, box.get(axis), at, (bit - 1) & ~constrained[axis])
            out.append(Small(axis, rows, atoms, constrained[axis]))
        return out

    def _sides_of(self, number: int) -> _Sides:
        """The sides of a clause of the matrix."""
        out = self._sides[number]
        if out is None:
            out = self._sides[number] = self._bounds(self._matrix.boxes[number])
        return out

    def _bounds(self, box: Box) -> _Sides:
        return tuple((axis, mask, self._runs_of(mask)) for axis, mask in box.items())

    def _runs_of(self, mask: int) -> _Runs:
        out = self._spans.get(mask)
        if out is None:
            out = self._spans[mask] = runs(mask)
        return out

    def _walk(
        self, axis: int, room: int | None, toggles: dict[int, int], row: int
    ) -> tuple[list[int], list[int]]:
        """The distinct rows of an axis inside the room, and an atom for each."""
        size = len(self._matrix.rows[axis])
        liked = self._like(axis, room)
        found: dict[int, int] = {}
        first = row
        start = 0
        for end in (*sorted(toggles), size):
            if end > start:
                if start <= liked < end:
                    first = row
                    found[row] = liked
                elif row not in found:
                    if room is None:
                        found[row] = start
                    else:
                        here = (room >> start) & ((1 << (end - start)) - 1)
                        if here:
                            found[row] = start + (here & -here).bit_length() - 1
                if end >= size:
                    break
                start = end
            row ^= toggles.get(end, 0)
        rows = [first, *(r for r in found if r != first)]
        return rows, [found[r] for r in rows]
